"""Who is asked daily, whether enough is known to ask, and what waits for nobody any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.model import (
    OPERATOR,
    CredentialRef,
    MailKind,
    OutboxState,
    Recipient,
    Tenant,
    TenantHealth,
    WaitingMail,
)
from monitor.recipients import (
    PATIENCE,
    Audience,
    RecipientRun,
    facts_are_in,
    recipient_runs,
    spoken_for,
    strays,
)

SLOT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LONG_AGO = SLOT - 30 * DAY


def tenant(name: str, *recipients: Recipient, **more: object) -> Tenant:
    """A tenant with recipients; keywords replace its fields."""
    plain = Tenant(
        name, f"directory-{name}", "global", "client", CredentialRef("secret", "env:X"),
        recipients=recipients or (Recipient(f"it@{name}.example"),),
    )  # fmt: skip
    return replace(plain, **more)  # type: ignore[arg-type]


RUN = RecipientRun("it@x.example", "UTC", 7, (tenant("contoso"), tenant("fabrikam")))


def ready(now: datetime, attempts: dict[str, datetime | None], **more: object) -> bool:
    """Whether the run of contoso and fabrikam may happen, by when each was tried last."""
    about: dict[str, object] = {"known_since": {}, "started_at": LONG_AGO, **more}
    return facts_are_in(
        RUN, SLOT, now=now, scan_every=timedelta(hours=6),
        health={name: TenantHealth(name, last_attempt=at) for name, at in attempts.items()},
        **about,  # type: ignore[arg-type]
    )  # fmt: skip


BOTH = {"contoso": SLOT - MINUTE, "fabrikam": SLOT - 9 * DAY}


def test_a_service_that_runs_for_long_waits_for_nothing() -> None:
    """An old attempt is what "stale" is for."""
    assert ready(SLOT, BOTH)


def test_after_a_start_a_run_waits_for_fresh_attempts_but_not_for_ever() -> None:
    """Nobody is warned about what was renewed while the monitor was down."""
    for minutes, expected in ((0, False), (15, False), (16, True)):
        start = SLOT + 3 * MINUTE
        assert ready(start + minutes * MINUTE, BOTH, started_at=start) is expected
    fresh = dict.fromkeys(BOTH, SLOT - MINUTE)
    assert ready(SLOT, fresh, started_at=SLOT)


def test_a_tenant_that_was_never_tried_is_waited_for() -> None:
    """Imported while the service runs, at the very hour: its first day is not lost."""
    for nothing in ({"contoso": SLOT}, {"contoso": SLOT, "fabrikam": None}):
        assert not ready(SLOT, nothing)
        assert ready(SLOT + PATIENCE + MINUTE, nothing)


def test_a_tenant_imported_after_the_hour_is_waited_for_from_then_on() -> None:
    """Its recipient's run of today is made up once it was read."""
    imported = SLOT + timedelta(hours=5)
    about = {"known_since": {"fabrikam": imported}}
    assert not ready(imported + MINUTE, {"contoso": SLOT}, **about)
    assert ready(imported + MINUTE, {"contoso": SLOT, "fabrikam": imported}, **about)
    assert ready(imported + PATIENCE + MINUTE, {"contoso": SLOT}, **about)


def test_of_several_hours_in_one_zone_the_earliest_counts() -> None:
    """Whichever tenant comes first."""
    late, early = Recipient("noc@m.example", None, 11), Recipient("NOC@m.example", None, 5)
    for order in ([late, early], [early, late]):
        tenants = [tenant(f"t{number}", who) for number, who in enumerate(order)]
        (run,) = recipient_runs(tenants, Audience())
        assert (run.send_hour, run.names) == (5, {"t0", "t1"})


def test_a_paused_tenant_has_no_run() -> None:
    """Nor is it spoken of in the runs of others."""
    shared = Recipient("noc@m.example")
    (run,) = recipient_runs([tenant("a", shared, paused=True), tenant("b", shared)], Audience())
    assert run.names == {"b"}
    assert run.about("b") == run
    assert run.about("a").tenants == ()


REMINDER, BLIND, OVER = MailKind.REMINDER, MailKind.CANNOT_CHECK, MailKind.RECOVERED


@pytest.mark.parametrize(
    ("recipient", "tenants", "kind", "stray"),
    [
        ("it@x.example", ("contoso",), REMINDER, False),
        ("IT@X.example", ("contoso", "fabrikam"), REMINDER, False),
        ("noc@m.example", (OPERATOR,), MailKind.CANARY_FAILED, False),
        ("NOC@m.example", ("contoso",), BLIND, False),
        ("gone@x.example", ("contoso",), REMINDER, True),
        ("gone@x.example", ("contoso",), BLIND, True),
        ("gone@x.example", (OPERATOR,), MailKind.CANARY_FAILED, True),
        ("gone@x.example", ("contoso",), OVER, False),  # who heard of it hears of its end
        ("it@x.example", ("contoso", "paused"), REMINDER, True),
        ("noc@m.example", ("paused",), BLIND, True),
        ("noc@m.example", ("paused",), OVER, True),
        ("it@x.example", ("contoso", "elsewhere"), REMINDER, True),
        ("noc@m.example", ("removed",), BLIND, True),
    ],
)
def test_what_would_not_be_written_today_is_stray(
    recipient: str, tenants: tuple[str, ...], kind: MailKind, stray: bool
) -> None:
    """Removed recipients, paused and removed tenants, and tenants of another run."""
    waiting = [WaitingMail("one", recipient, tenants, kind)]
    known = [tenant(name) for name in ("contoso", "fabrikam", "elsewhere")]
    known.append(tenant("paused", paused=True))
    noc = Audience(recipients=(Recipient("noc@m.example"),))
    assert strays(waiting, [RUN], known, noc, now=SLOT) == (waiting if stray else [])


@pytest.mark.parametrize(
    ("kind", "minutes", "about", "duplicate", "stray"),
    [
        (MailKind.WELCOME, -1, ("contoso",), False, False),
        (MailKind.WELCOME, 0, ("contoso",), False, True),  # the shadow ended by itself
        (MailKind.WELCOME, -1, ("contoso", "fabrikam"), False, True),  # fabrikam is live
        (MailKind.WELCOME, 0, ("contoso",), True, False),  # it may have been read already
        (REMINDER, 0, ("contoso",), False, False),
    ],
)
def test_a_welcome_that_promises_a_silence_which_is_over_is_stray(
    kind: MailKind, minutes: int, about: tuple[str, ...], duplicate: bool, stray: bool
) -> None:
    """Its words would be wrong, and the reminder that takes its place is due."""
    known = [tenant("contoso", shadow_until=SLOT), tenant("fabrikam")]
    run = RecipientRun("it@x.example", "UTC", 7, tuple(known))
    waiting = [WaitingMail("one", "it@x.example", about, kind, possible_duplicate=duplicate)]
    now = SLOT + minutes * MINUTE
    assert strays(waiting, [run], known, Audience(), now=now) == (waiting if stray else [])


def test_without_an_operator_alarms_are_for_the_tenants_recipients() -> None:
    """The same question, another answer."""
    mine, other = (
        WaitingMail(name, f"it@{name}.example", ("contoso",), BLIND)
        for name in ("contoso", "fabrikam")
    )
    known = [tenant("contoso"), tenant("fabrikam")]
    assert strays([mine, other], [], known, Audience(), now=SLOT) == [other]


def test_a_waiting_digest_of_another_run_speaks_for_its_tenants() -> None:
    """Only a living one, only this recipient's, and only where it is about more than the run."""
    wide = WaitingMail("wide", "IT@x.example", ("fabrikam", "tailspin"), REMINDER)
    own = WaitingMail("own", "it@x.example", ("contoso",), REMINDER)
    dead = WaitingMail("dead", "it@x.example", ("contoso", "x"), REMINDER, OutboxState.DEAD)
    others = WaitingMail("others", "b@x.example", ("contoso", "x"), REMINDER)
    alarm = WaitingMail("alarm", "it@x.example", ("contoso", "x"), BLIND)
    spoken = spoken_for([wide, own, dead, others, alarm], RUN)
    assert spoken == {"fabrikam", "tailspin"}
    assert RUN.without(spoken).names == {"contoso"}
