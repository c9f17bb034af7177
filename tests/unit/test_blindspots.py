"""The blind spots: one of each kind, found where it is and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from monitor.model import (
    OPERATOR,
    ArrivalNews,
    ArrivalState,
    BlindKind,
    BlindSpot,
    CanaryResult,
    Ignore,
    OutboxState,
    Owner,
    Policy,
    Pulse,
    Recipient,
    RefusedAddress,
    Route,
    ScanRecord,
    SenderHealth,
    Snooze,
)
from monitor.model.customers import LostAccess
from monitor.recipients import Audience
from monitor.routing import Router
from monitor.status import Facts, StatusReport, build_report
from tests import status_samples as samples
from tests.status_samples import NOW, credential, facts, health, mail, sender, tenant

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SEEING: Mapping[str, Any] = {
    "pulse": Pulse(configured=True, last_ok=NOW - HOUR / 60),
    "paths": {"tenant:contoso", "operator", "channel:pager"},
}


def whole(**more: Any) -> Facts:
    """One tenant about which nothing could go unsaid; keywords replace facts."""
    plain = facts(
        [tenant("contoso", recipients=(Recipient("it@contoso.example"),))],
        [credential("contoso", "Intranet", 1, 200)],
        [health("contoso", 0.7)],
        [sender("contoso", CanaryResult.OK)],
        **SEEING,
    )
    return replace(plain, **more)


def spots(known: Facts) -> list[BlindSpot]:
    """All blind spots of a report of these facts."""
    return list(build_report(known, now=NOW).blind_spots)


def kinds(known: Facts) -> list[BlindKind]:
    """Their kinds."""
    return [spot.kind for spot in spots(known)]


def test_where_everything_is_seen_the_list_is_empty() -> None:
    """Only then is silence proof."""
    assert spots(whole()) == []


def _watched(**about: Any) -> Facts:
    known = whole()
    return replace(known, tenants=[replace(known.tenants[0], **about)])


def _senders(one: SenderHealth) -> Facts:
    key = (one.tenant, one.mailbox)
    return whole(senders=[key], sender_health={key: one} if one.last else {})


def _failed(**about: Any) -> Facts:
    return whole(health={"contoso": health("contoso", 30, failures=2, problem="No.", **about)})


def _unseen() -> Facts:
    record = ScanRecord("contoso", NOW, NOW, True, unseen="GDAP relationships: no permission.")
    return whole(health={"contoso": health("contoso", 0.7, record=record)})


def _snoozed(until: timedelta | None) -> Facts:
    known = credential("contoso", "Intranet", 1, 9)
    end = None if until is None else NOW + until
    asked = Snooze("contoso", known.uid, 1, "kim", "scrap", NOW - DAY, until=end, confirmed=True)
    return whole(credentials=[known], snoozes={("contoso", known.uid, 1): asked})


def _routed(*people: Owner, to: tuple[str, ...] = ("owners",)) -> Facts:
    rules = Policy(routes=(Route(to), Route(("tenant",))))
    one = replace(credential("contoso", "Intranet", 1, 9), people=people)
    known = whole(credentials=[one])
    return replace(known, router=Router(known.tenants, Audience(policy=rules)))


def _ignored(day: date = date(2099, 1, 1)) -> Facts:
    rule = Ignore(reason="Goes with the demo", author="kim", review=day, name="Intranet")
    known = whole(credentials=[credential("contoso", "Intranet", 1, 9)])
    return replace(known, router=Router(known.tenants, Audience(policy=Policy(ignores=(rule,)))))


def _arrival(state: ArrivalState) -> Facts:
    told = ArrivalNews(state, evidence="The app lacks Mail.Read.")
    return whole(arrivals={("contoso", "noreply@contoso.example"): told})


CASES: Mapping[BlindKind, Callable[[], Facts]] = {
    BlindKind.SERVICE: lambda: whole(beats=samples.beats(scheduler=HOUR)),
    BlindKind.CLOCK: lambda: whole(beats=samples.beats(warn=-HOUR)),
    BlindKind.NO_RECIPIENT: lambda: replace(_watched(recipients=()), operator_listens=False),
    BlindKind.BAD_ADDRESS: lambda: whole(
        refused=[RefusedAddress("gone@contoso.example", NOW - DAY, "550 5.1.10", ("contoso",))]
    ),
    BlindKind.NO_PATH: lambda: whole(paths={"channel:pager"}),
    BlindKind.MAIL_STUCK: lambda: replace(
        whole(),
        outbox=samples.counts([mail(1, "x", path="", state=OutboxState.PENDING)]),
        mails=[mail(1, "x", path="", state=OutboxState.PENDING)],
    ),
    BlindKind.SENDER_FAILING: lambda: _senders(sender("contoso", CanaryResult.FAILED)),
    BlindKind.SENDER_UNCONFIRMED: lambda: _senders(sender("contoso", CanaryResult.UNCONFIRMED)),
    BlindKind.SENDER_UNPROVEN: lambda: _senders(SenderHealth("contoso", "m@contoso.example")),
    BlindKind.FACTS_UNKNOWN: lambda: _failed(last_failed_definitely=True),
    BlindKind.SCAN_INCOMPLETE: lambda: _failed(last_incomplete=True),
    BlindKind.FACTS_STALE: lambda: whole(health={"contoso": health("contoso", 20)}),
    BlindKind.UNSEEN: _unseen,
    BlindKind.ACCESS_LOST: lambda: whole(
        lost={"contoso": LostAccess("contoso", NOW - DAY, "No customer any more.")}
    ),
    BlindKind.PENDING: lambda: _watched(pending=True),
    BlindKind.PAUSED: lambda: _watched(paused=True),
    BlindKind.SHADOW: lambda: _watched(shadow_until=NOW + DAY),
    BlindKind.SNOOZED: lambda: _snoozed(None),
    BlindKind.ARRIVAL_UNPROVEN: lambda: _arrival(ArrivalState.NOT_CHECKED),
    BlindKind.IGNORED: _ignored,
    BlindKind.OWNER_UNREACHED: lambda: _routed(Owner("Kim", "kim@contoso.example", enabled=False)),
    BlindKind.USAGE_UNREADABLE: lambda: whole(usage_problems={"contoso": "no P1 licence"}),
    BlindKind.NO_FALLBACK: lambda: whole(paths={"tenant:contoso", "operator"}),
    BlindKind.NO_END: lambda: whole(credentials=[credential("contoso", "Forever", 1, None)]),
    BlindKind.NO_OPERATOR: lambda: whole(operator_listens=False),
    BlindKind.NO_OPERATOR_PATH: lambda: whole(paths={"tenant:contoso", "channel:pager"}),
    BlindKind.NO_HEARTBEAT: lambda: whole(pulse=Pulse()),
    BlindKind.HEARTBEAT_FAILING: lambda: whole(
        pulse=Pulse(configured=True, failing_since=NOW - HOUR, problem="the answer was 503")
    ),
}


@pytest.mark.parametrize("kind", BlindKind)
def test_each_kind_is_found_where_it_is(kind: BlindKind) -> None:
    """With words, and with what to do; a kind without a case here fails."""
    found = spots(CASES[kind]())
    mine = [spot for spot in found if spot.kind is kind]
    assert mine, kind
    assert all(spot.words and spot.fix for spot in mine)
    # What comes beside it is another view of the same gap, and no more.
    beside = {spot.kind for spot in found} - {kind}
    allowed = {
        BlindKind.NO_RECIPIENT: {BlindKind.NO_OPERATOR},
        BlindKind.NO_PATH: {BlindKind.NO_OPERATOR_PATH},
    }
    assert beside <= allowed.get(kind, set())


def test_they_come_gravest_first_and_change_no_exit_code() -> None:
    """The list informs; what needs action is said by the verdict as before."""
    report = samples.bad_morning()
    order = [list(BlindKind).index(spot.kind) for spot in report.blind_spots]
    assert order == sorted(order)
    quiet = samples.quiet_morning()
    assert [spot.kind for spot in quiet.blind_spots] == [BlindKind.NO_HEARTBEAT]
    assert quiet.exit_code == 0
    assert "heartbeat" not in quiet.verdict


@pytest.mark.parametrize(("until", "blind"), [(5 * DAY, False), (10 * DAY, True), (None, True)])
def test_a_snooze_is_blind_only_past_the_end_of_what_it_silences(
    until: timedelta | None, blind: bool
) -> None:
    """Before that, reminders come back by themselves in time."""
    assert (BlindKind.SNOOZED in kinds(_snoozed(until))) is blind


def test_what_another_room_finds_is_listed_with_the_rest() -> None:
    """The hook for what is ignored by rule, for owners that are disabled and the like."""
    other = BlindSpot(BlindKind.NO_END, "contoso", "Something else.", "Do this.")
    assert spots(whole(blind=[other])) == [other]


def test_the_operators_own_sender_is_named_without_a_tenant() -> None:
    """There is no tenant of that name."""
    (spot,) = [
        spot
        for spot in spots(_senders(sender(OPERATOR, CanaryResult.FAILED)))
        if spot.kind is BlindKind.SENDER_FAILING
    ]
    assert spot.tenant is None
    assert spot.words.startswith("noreply@operator.example")


def test_many_credentials_without_an_end_are_one_line_a_tenant() -> None:
    """Three are named; removed ones and managed identities are not meant."""
    endless = [credential("contoso", f"App {n}", n, None) for n in range(5)]
    endless.append(credential("contoso", "Gone", 9, None, removed_at=NOW - DAY))
    endless.append(credential("contoso", "VM", 10, None, managed_identity=True))
    (spot,) = spots(whole(credentials=endless))
    assert spot.words.startswith("5 credentials without an end date: ")
    assert spot.words.endswith(" and 2 more.")


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (_routed(), "nobody owns this application"),
        (_routed(Owner("Kim")), "Kim has no mail address that can be read"),
        (_routed(Owner("Kim", "kim@x.example")), "the domain of kim@x.example is not allowed"),
        (_routed(Owner("Robot", kind="service_principal")), "Robot is an application"),
        (_routed(Owner("Kim", enabled=False), Owner("Lee")), "is disabled, Lee has no mail"),
        (_routed(Owner("Kim", "kim@contoso.example")), ""),
        (_routed(Owner("Kim", "k@contoso.example"), Owner("Lee", enabled=False)), ""),
        (_routed(Owner("Kim", enabled=False), to=("owners", "noc@msp.example")), ""),
    ],
)
def test_owners_who_cannot_be_told_are_named_with_the_reason(known: Facts, words: str) -> None:
    """Where the rule yields somebody nothing is blind."""
    found = [spot.words for spot in spots(known) if spot.kind is BlindKind.OWNER_UNREACHED]
    assert len(found) == bool(words)
    assert all('"Intranet" (' in said and words in said for said in found)


def test_owners_of_what_is_far_off_or_ignored_are_not_asked_for() -> None:
    """They are read where an end is near."""
    known = _routed()
    far = replace(known, credentials=[credential("contoso", "Intranet", 1, 400)])
    assert BlindKind.OWNER_UNREACHED not in kinds(far)


def test_an_ignore_rule_whose_review_is_due_hides_nothing_any_more() -> None:
    """Its warnings are back, and the status asks for the review."""
    assert BlindKind.IGNORED not in kinds(_ignored(date(2020, 1, 1)))


def test_tenants_whose_use_is_unknown_for_one_reason_share_a_line() -> None:
    """Hundreds without a licence must not hide what differs."""
    names = [f"t{number}" for number in range(9)]
    known = facts(
        [tenant(name) for name in names],
        usage_problems={name: "no P1 licence" if name != "t4" else "no right" for name in names},
    )
    first, second = [s for s in spots(known) if s.kind is BlindKind.USAGE_UNREADABLE]
    assert "(8 tenants: t0, t1, t2 and 5 more)" in first.words
    assert (first.tenant, second.tenant) == (None, "t4")


def test_a_sender_whose_arrival_nobody_could_look_for_is_named_with_the_reason() -> None:
    """One whose test mail is still looked for, or was found, is not."""
    (spot,) = spots(_arrival(ArrivalState.UNKNOWN))
    assert (spot.kind, spot.tenant) == (BlindKind.ARRIVAL_UNPROVEN, "contoso")
    assert "The app lacks Mail.Read." in spot.words
    assert spots(_arrival(ArrivalState.PENDING)) == spots(_arrival(ArrivalState.PROVEN)) == []


def blind_kinds_without(part: str) -> set[str]:
    """What a search that leaves a part out would miss, over all cases."""
    from monitor.status import blindspots

    kept = [each for each in blindspots._PARTS if each.__name__ != part]

    def found(report: StatusReport, known: Facts) -> set[BlindKind]:
        return {spot.kind for each in kept for spot in each(report, known)}

    missed = set()
    for kind, case in CASES.items():
        known = case()
        if kind not in found(build_report(known, now=NOW), known):
            missed.add(str(kind))
    return missed


@pytest.mark.parametrize(
    "part",
    ["_service", "_clock", "_recipients", "_paths", "_senders", "_tenants", "_credentials",
     "_operator", "owners", "usage", "ignored", "fallback", "arrival"],
)  # fmt: skip
def test_a_search_that_leaves_a_part_out_is_caught(part: str) -> None:
    """The cases above would otherwise prove nothing."""
    assert blind_kinds_without(part)
