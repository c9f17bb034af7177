"""Who is told, when, by which path: runs of recipients, digests and alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources

import pytest

from monitor.alarms import AlarmNews, AlarmWriter
from monitor.compose import Composer, Knowledge
from monitor.config import PRESETS
from monitor.diagnose import Rulebook
from monitor.model import (
    AlarmChange,
    CanaryResult,
    Credential,
    CredentialRef,
    MailKind,
    OutboxMail,
    Probe,
    Recipient,
    ScanRecord,
    Sender,
    Tenant,
    TenantHealth,
    Told,
)
from monitor.recipients import Audience, RecipientRun, recipient_runs
from monitor.render import Renderer
from monitor.routes import Paths
from monitor.senders import OAuthSender, of_tenant
from tests.status_samples import credential

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
NOC = Audience(recipients=(Recipient("noc@msp.example"),), time_zone="Europe/Berlin", send_hour=9)


def tenant(name: str, *recipients: str | Recipient, **more: object) -> Tenant:
    """A tenant with recipients; keywords replace its fields."""
    plain = Tenant(
        name, f"directory-{name}", "global", "client", CredentialRef("secret", "env:X"),
        recipients=tuple(Recipient(r) if isinstance(r, str) else r for r in recipients),
        sender=Sender(f"noreply@{name}.example"),
    )  # fmt: skip
    return replace(plain, **more)  # type: ignore[arg-type]


def runs(tenants: Sequence[Tenant], audience: Audience = NOC) -> list[tuple[str, str, int, str]]:
    """Every run as (address, zone, hour, tenants)."""
    return [
        (run.address, run.zone, run.send_hour, " ".join(t.name for t in run.tenants))
        for run in recipient_runs(tenants, audience)
    ]


def test_a_recipient_is_told_at_the_tenants_hour_in_the_tenants_zone() -> None:
    """Unless nothing else is said."""
    one = tenant("contoso", "it@c.example", time_zone="Asia/Tokyo", send_hour=6)
    assert runs([one]) == [("it@c.example", "Asia/Tokyo", 6, "contoso")]


def test_a_recipients_own_zone_and_hour_win() -> None:
    """Each for itself; hour 0 is midnight, not nothing."""
    one = tenant(
        "contoso", Recipient("a@c.example", "Asia/Tokyo", 0), Recipient("b@c.example", None, 5),
        Recipient("c@c.example", "Asia/Tokyo"), time_zone="Europe/Berlin", send_hour=6,
    )  # fmt: skip
    assert runs([one]) == [
        ("a@c.example", "Asia/Tokyo", 0, "contoso"),
        ("b@c.example", "Europe/Berlin", 5, "contoso"),
        ("c@c.example", "Asia/Tokyo", 6, "contoso"),
    ]


def test_one_address_with_two_zones_has_two_runs() -> None:
    """Two local dates cannot be told in one mail."""
    east = tenant("east", "noc@m.example", time_zone="Asia/Tokyo")
    west = tenant("west", "noc@m.example", time_zone="America/New_York")
    assert runs([east, west]) == [
        ("noc@m.example", "America/New_York", 8, "west"),
        ("noc@m.example", "Asia/Tokyo", 8, "east"),
    ]
    both = recipient_runs([east, west], NOC)
    assert len({run.scope for run in both}) == 2


def test_one_address_in_one_zone_has_one_run_however_it_is_spelled() -> None:
    """All its tenants in one digest; none of them twice."""
    tenants = [tenant("a", "NOC@m.example", "noc@M.example"), tenant("b", "noc@m.example")]
    assert runs(tenants) == [("NOC@m.example", "UTC", 8, "a b")]


def test_without_recipients_of_its_own_a_tenants_warnings_go_to_the_operator() -> None:
    """At the operator's hour; without an operator nobody is told, and the page says so."""
    assert runs([tenant("a")]) == [("noc@msp.example", "Europe/Berlin", 9, "a")]
    assert runs([tenant("a")], Audience()) == []


def test_a_runs_key_holds_its_local_date() -> None:
    """What happens at one instant is today here and tomorrow there."""
    late = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    assert RecipientRun("A@x", "UTC", 8, ()).key(late) == "a@x|UTC|2026-11-23"
    assert RecipientRun("a@x", "Asia/Tokyo", 8, ()).key(late) == "a@x|Asia/Tokyo|2026-11-24"


# --- rows -----------------------------------------------------------------------------------------

CONTOSO, FABRIKAM, OPERATOR = "tenant:contoso", "tenant:fabrikam", "operator"


def paths(*names: str, broken: Sequence[str] = ()) -> Paths:
    """Paths that exist."""
    return Paths(
        {name: (f"noreply@{name.split(':')[-1]}.example",) for name in names}, frozenset(broken)
    )


def composer() -> Composer:
    """A composer with the product's own words."""
    return Composer(renderer=Renderer(clouds=PRESETS), audience=NOC)


def alarms(audience: Audience = NOC) -> AlarmWriter:
    """A writer of alarms with the product's own words and rules."""
    rules = resources.files("monitor").joinpath("diagnose_rules.toml").read_text("utf-8")
    return AlarmWriter(
        renderer=Renderer(clouds=PRESETS),
        rulebook=Rulebook.parse(rules),
        audience=audience,
    )


def digests(
    tenants: Sequence[Tenant], credentials: Sequence[Credential], there: Paths
) -> list[OutboxMail]:
    """The rows of the one run of these tenants."""
    (run,) = recipient_runs(tenants, NOC)
    known = Knowledge(
        credentials={one.name: [c for c in credentials if c.tenant == one.name] for one in tenants},
        health={one.name: TenantHealth(one.name, last_complete=NOW) for one in tenants},
        told={},
        snoozes={},
    )
    return composer().digests(run, known, there, NOW)[0]


BOTH = [tenant("contoso", "noc@m.example"), tenant("fabrikam", "noc@m.example")]
SOON = [
    replace(credential(name, f"App of {name}", 1, 3), end=NOW + timedelta(days=3))
    for name in ("contoso", "fabrikam")
]


def test_tenants_that_share_the_operators_path_share_a_digest() -> None:
    """One mail for one person."""
    (row,) = digests(BOTH, SOON, paths(OPERATOR))
    assert (row.path, row.tenants, len(row.notices)) == (OPERATOR, ("contoso", "fabrikam"), 2)
    assert row.run_key == "noc@m.example|UTC|2026-11-23"
    assert row.message_id == f"<{row.id}@operator.example>"


def test_tenants_with_senders_of_their_own_have_digests_of_their_own() -> None:
    """And neither names the other."""
    rows = digests(BOTH, SOON, paths(CONTOSO, FABRIKAM, OPERATOR))
    assert {(row.path, row.tenants) for row in rows} == {
        (CONTOSO, ("contoso",)), (FABRIKAM, ("fabrikam",)),
    }  # fmt: skip
    for row in rows:
        other = "fabrikam" if row.tenants == ("contoso",) else "contoso"
        assert other not in row.mail.text + row.mail.html + row.mail.subject
        assert {notice.tenant for notice in row.notices} == set(row.tenants)


def test_a_broken_sender_hands_its_digest_to_the_operators() -> None:
    """There it may be combined."""
    rows = digests(BOTH, SOON, paths(CONTOSO, FABRIKAM, OPERATOR, broken=[CONTOSO]))
    assert {(row.path, row.tenants) for row in rows} == {
        (OPERATOR, ("contoso",)), (FABRIKAM, ("fabrikam",)),
    }  # fmt: skip


def test_without_any_path_the_digest_is_written_and_waits() -> None:
    """A warning is never lost for want of a sender."""
    (row,) = digests(BOTH[:1], SOON, paths(FABRIKAM))
    assert (row.path, len(row.notices)) == ("", 1)


def test_without_anything_to_say_nothing_is_written() -> None:
    """No mail says that there is no news."""
    assert digests(BOTH, [], paths(OPERATOR)) == []


SHADED = replace(BOTH[1], shadow_until=NOW + timedelta(days=14))


def test_a_tenant_in_shadow_has_a_welcome_beside_the_digest_of_the_live_ones() -> None:
    """By the same path, and neither names the other's tenant."""
    rows = digests([BOTH[0], SHADED], SOON, paths(OPERATOR))
    assert {(row.mail.kind, row.path, row.tenants) for row in rows} == {
        (MailKind.REMINDER, OPERATOR, ("contoso",)), (MailKind.WELCOME, OPERATOR, ("fabrikam",)),
    }  # fmt: skip
    for row in rows:
        other = "fabrikam" if row.tenants == ("contoso",) else "contoso"
        assert other not in row.mail.text + row.mail.html + row.mail.subject
        assert [notice.kind for notice in row.notices] == [MailKind.REMINDER]


def test_tenants_in_shadow_share_a_welcome_where_digests_may_be_combined() -> None:
    """By the operator's path; each by its own sender otherwise."""
    shaded = [replace(one, shadow_until=NOW + timedelta(days=14)) for one in BOTH]
    (row,) = digests(shaded, SOON, paths(OPERATOR))
    assert (row.mail.kind, row.tenants) == (MailKind.WELCOME, ("contoso", "fabrikam"))
    rows = digests(shaded, SOON, paths(CONTOSO, FABRIKAM, OPERATOR))
    assert [(row.mail.kind, row.tenants) for row in rows] == [
        (MailKind.WELCOME, ("contoso",)), (MailKind.WELCOME, ("fabrikam",)),
    ]  # fmt: skip


def test_a_welcomed_tenant_is_not_even_mentioned_beside_others() -> None:
    """Neither as long lapsed, nor as what could not be read, nor in another's welcome."""
    shaded = [replace(one, shadow_until=NOW + timedelta(days=14)) for one in BOTH]
    old = replace(SOON[1], uid="old", object_id="old", end=NOW - timedelta(days=90))
    told = {("fabrikam", "old", 1): Told(1), ("fabrikam", SOON[1].uid, 1): Told(-30)}
    for others in (BOTH[:1], shaded[:1]):
        (run,) = recipient_runs([*others, shaded[1]], NOC)
        known = Knowledge({"contoso": SOON[:1], "fabrikam": [SOON[1], old]}, {}, told, {})
        (row,) = composer().digests(run, known, paths(OPERATOR), NOW)[0]
        assert row.tenants == ("contoso",)
        assert "fabrikam" not in row.mail.text + row.mail.html


def scan_alarm(
    change: AlarmChange,
    one: Tenant,
    there: Paths,
    audience: Audience = NOC,
    cause: str = "consent_missing",
) -> list[OutboxMail]:
    """The mails of a CANNOT CHECK or its end."""
    record = ScanRecord(
        one.name, NOW, NOW, complete=change is AlarmChange.CLOSE, cause=cause,
        problem="AADSTS65001", retry="after_fix",
    )  # fmt: skip
    write = alarms(audience).scan_alarm(one, None, record, change, AlarmNews(there, NOW))
    assert write is not None
    assert write.scope == f"tenant:{one.name}"
    return list(write.mails)


@pytest.mark.parametrize("change", [AlarmChange.OPEN, AlarmChange.CLOSE])
def test_an_alarm_about_a_tenant_goes_to_the_operator_by_the_operators_path(
    change: AlarmChange,
) -> None:
    """And its end as well."""
    one = tenant("contoso", "it@c.example")
    (row,) = scan_alarm(change, one, paths(CONTOSO, OPERATOR))
    assert (row.recipient, row.path, row.scope) == ("noc@msp.example", OPERATOR, CONTOSO)
    assert row.mail.kind is (
        MailKind.CANNOT_CHECK if change is AlarmChange.OPEN else MailKind.RECOVERED
    )


def test_without_an_operator_an_alarm_goes_to_the_tenants_recipients() -> None:
    """By the tenant's own sender, each in their own zone."""
    one = tenant("contoso", Recipient("a@c.example", "Asia/Tokyo"), "b@c.example")
    rows = scan_alarm(AlarmChange.OPEN, one, paths(CONTOSO), Audience())
    assert [(row.recipient, row.path) for row in rows] == [
        ("a@c.example", CONTOSO), ("b@c.example", CONTOSO),
    ]  # fmt: skip
    assert rows[0].mail.text != rows[1].mail.text


def test_an_alarm_about_a_tenant_whose_cloud_is_gone_can_be_written() -> None:
    """That is the very moment at which it is needed."""
    one = tenant("contoso", "it@c.example", cloud="gone")
    (row,) = scan_alarm(AlarmChange.OPEN, one, paths(OPERATOR))
    assert "contoso" in row.mail.text


def test_a_tenant_that_cannot_be_reached_is_no_matter_of_the_mail_servers_port() -> None:
    """Entra and Graph are asked, so their hosts are in the remedy."""
    one = tenant("contoso", "it@c.example")
    (row,) = scan_alarm(AlarmChange.OPEN, one, paths(OPERATOR), cause="connect_refused")
    assert "Entra: login.microsoftonline.com, Graph: graph.microsoft.com" in row.mail.text
    assert "587" not in row.mail.text


def test_nothing_is_written_when_nothing_changed() -> None:
    """The alarm stands and was told."""
    record = ScanRecord("contoso", NOW, NOW, complete=False)
    found = alarms().scan_alarm(
        tenant("contoso"), None, record, AlarmChange.NONE, AlarmNews(paths(OPERATOR), NOW)
    )
    assert found is None


def canary_alarm(opens: bool, there: Paths, audience: Audience = NOC) -> list[OutboxMail]:
    """The mails about contoso's sender."""
    one = tenant("contoso", "it@c.example")
    sender = of_tenant(one, PRESETS)
    assert isinstance(sender, OAuthSender)
    result = CanaryResult.FAILED if opens else CanaryResult.OK
    probe = Probe("contoso", sender.mailbox, NOW, NOW, result, "auth", "wrong_secret", "535 5.7.3")
    made = alarms(audience)
    diagnosis = Rulebook.parse(
        resources.files("monitor").joinpath("diagnose_rules.toml").read_text("utf-8")
    ).diagnose("535 5.7.3", stage="auth")
    change = AlarmChange.OPEN if opens else AlarmChange.CLOSE
    write = made.canary_alarm(
        sender, one, None, probe, diagnosis, change=change, news=AlarmNews(there, NOW)
    )
    assert write is not None
    assert (write.change, write.scope) == (change, "sender:contoso|noreply@contoso.example")
    return list(write.mails)


def test_a_failed_canary_is_told_by_another_path_than_its_own() -> None:
    """Where there is none it waits without one."""
    (row,) = canary_alarm(True, paths(CONTOSO, OPERATOR))
    assert (row.path, row.mail.kind) == (OPERATOR, MailKind.CANARY_FAILED)
    assert [row.path for row in canary_alarm(True, paths(CONTOSO))] == [""]
    same = Paths({CONTOSO: ("one",), OPERATOR: ("one",)})
    assert [row.path for row in canary_alarm(True, same)] == [""]


def test_a_recovered_sender_may_carry_the_news_itself() -> None:
    """Nothing proves it better, where the operator has no path."""
    (row,) = canary_alarm(False, paths(CONTOSO))
    assert (row.path, row.mail.kind) == (CONTOSO, MailKind.RECOVERED)
    (row,) = canary_alarm(False, paths(CONTOSO, OPERATOR))
    assert row.path == OPERATOR


def test_ids_and_dates_are_fixed_when_the_row_is_written() -> None:
    """Whole seconds, because a Date header has no more."""
    rows = canary_alarm(True, paths(OPERATOR)) + canary_alarm(True, paths(OPERATOR))
    assert len({row.message_id for row in rows}) == 2
    assert all(row.date == NOW and row.date.microsecond == 0 for row in rows)
