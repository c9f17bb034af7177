"""The life of a credential, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.lifecycle import (
    OwnCredential,
    credential_state,
    current_stage,
    days_left,
    has_lapsed,
    is_silenced,
    local_date,
    own_uids,
    renewed_life,
    successors,
)
from monitor.model import (
    Credential,
    CredentialState,
    Kind,
    ObjectType,
    ObservedCredential,
    ObservedObject,
    Snooze,
    Stage,
    credential_uid,
)

NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
THRESHOLDS = (60, 30, 14, 7, 3, 1, 0)


def days(count: float) -> timedelta:
    """So many days."""
    return timedelta(days=count)


def credential(uid: str = "a", **changes) -> Credential:
    """A secret with 20 days left, but for the changes."""
    plain = Credential(
        tenant="contoso",
        uid=uid,
        object_type=ObjectType.APPLICATION,
        object_id="object",
        app_id="app",
        app_name="Payroll",
        kind=Kind.SECRET,
        key_id=uid,
        name=None,
        start=NOW - days(300),
        end=NOW + days(20),
    )
    return replace(plain, **changes)


def snooze(**changes) -> Snooze:
    """A snooze without end, but for the changes."""
    plain = Snooze("contoso", "a", 1, "kim", "on it", created_at=NOW - days(1))
    return replace(plain, **changes)


# --- days and the lapse (rule 2) ------------------------------------------------------------------


def test_days_left_counts_local_dates_not_hours():
    """23:00 today to 01:00 tomorrow is one day, though it is two hours."""
    late = datetime(2026, 6, 1, 21, tzinfo=UTC)  # 23:00 in Berlin
    assert days_left(late + timedelta(hours=2), late, BERLIN) == 1
    assert days_left(late + timedelta(hours=2), late, UTC_ZONE) == 0


def test_an_end_of_null_has_no_days_left_and_never_lapses():
    """Null is later than any date."""
    assert days_left(None, NOW, BERLIN) is None
    assert not has_lapsed(None, NOW)


def test_a_credential_lapses_at_its_end_and_not_before():
    """Lapsed is end <= now; one that ends later today is at stage 0."""
    assert has_lapsed(NOW, NOW)
    assert not has_lapsed(NOW + timedelta(microseconds=1), NOW)
    assert current_stage(NOW + timedelta(hours=1), THRESHOLDS, 4, NOW, UTC_ZONE) == Stage(0)
    assert current_stage(NOW, THRESHOLDS, 4, NOW, UTC_ZONE) == Stage.lapsed(0)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Apia", "America/New_York"])
@pytest.mark.parametrize(
    "end",
    [
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2299, 12, 31, tzinfo=UTC),
        datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
        datetime(2028, 2, 29, tzinfo=UTC),
    ],
)
def test_no_date_is_too_far_away(zone, end):
    """Years 1 and 9999 overflow the conversion between zones; the date is held at the edge."""
    left = days_left(end, NOW, ZoneInfo(zone))
    assert left is not None
    assert (left < 0) == has_lapsed(end, NOW)
    stage = current_stage(end, THRESHOLDS, 4, NOW, ZoneInfo(zone))
    assert stage == (Stage.lapsed(4) if left < 0 else None)
    assert local_date(end, ZoneInfo(zone)).year in {1, 9999, 2299, 2300, 2038, 2028}


# --- stages (rule 3) ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "expected"),
    [(61, None), (60, 60), (31, 60), (30, 30), (15, 30), (14, 14), (4, 7), (2, 3), (1, 1), (0, 0)],
)
def test_the_stage_is_the_smallest_threshold_not_below_the_days_left(left, expected):
    """15 days left is stage 30, not 14: the next threshold is not reached yet."""
    end = NOW + days(left) + timedelta(minutes=1)
    stage = current_stage(end, THRESHOLDS, 4, NOW, UTC_ZONE)
    assert stage == (None if expected is None else Stage.threshold(expected))


@pytest.mark.parametrize(
    ("ago", "week"), [(0, 0), (6, 0), (7, 1), (13, 1), (14, 2), (27, 3), (28, 4), (400, 4)]
)
def test_after_the_end_a_week_counts_from_the_local_date_of_the_end(ago, week):
    """L0 at once, Lk from 7·k days on, and no stage after the last."""
    assert current_stage(NOW - days(ago), THRESHOLDS, 4, NOW, UTC_ZONE) == Stage.lapsed(week)


def test_a_week_after_the_end_is_reached_by_the_date_not_by_the_hour():
    """Ended at 23:59, seven dates ago: L1 already at 08:00, though six days and a bit passed."""
    end = datetime(2026, 5, 25, 23, 59, tzinfo=UTC)
    assert current_stage(end, THRESHOLDS, 4, NOW, UTC_ZONE) == Stage.lapsed(1)


def test_thresholds_need_no_order_and_may_repeat():
    """The order in the settings file does not matter."""
    end = NOW + days(5)
    assert current_stage(end, (3, 60, 7, 7, 30), 4, NOW, UTC_ZONE) == Stage.threshold(7)


def test_without_thresholds_there_are_only_the_stages_after_the_end():
    """Nothing before the end, L0 at it."""
    assert current_stage(NOW + timedelta(hours=1), (), 4, NOW, UTC_ZONE) is None
    assert current_stage(NOW, (), 4, NOW, UTC_ZONE) == Stage.lapsed(0)


def test_without_weekly_notices_the_lapse_itself_is_the_last_stage():
    """`weekly_after_lapse` 0 leaves L0."""
    assert current_stage(NOW - days(100), THRESHOLDS, 0, NOW, UTC_ZONE) == Stage.lapsed(0)


# --- renewals (rule 8) ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "renewed"),
    [
        (NOW, NOW + days(1), True),
        (NOW, NOW + timedelta(hours=1), False),
        (NOW, NOW - days(30), False),
        (NOW, NOW, False),
        (NOW, None, True),
        (None, NOW, False),
        (None, None, False),
        (NOW, datetime.max.replace(tzinfo=UTC), True),
        (datetime.max.replace(tzinfo=UTC), None, True),
    ],
)
def test_a_later_end_by_a_local_day_starts_a_new_life(old, new, renewed):
    """A moved second is no renewal; an end that is taken away is one."""
    assert renewed_life(old, new, UTC_ZONE) is renewed


def test_the_day_of_a_renewal_is_a_local_one():
    """22:30 UTC is already the next day in Berlin."""
    old, new = datetime(2026, 6, 1, 21, tzinfo=UTC), datetime(2026, 6, 1, 22, 30, tzinfo=UTC)
    assert renewed_life(old, new, BERLIN)
    assert not renewed_life(old, new, UTC_ZONE)


# --- successors (rule 6) --------------------------------------------------------------------------


def superseded(*credentials: Credential) -> dict[str, str]:
    """Older uid -> newer uid, as `successors` finds them."""
    return {uid: by.uid for (_, uid), by in successors(credentials, NOW).items()}


OLD = credential("old")
NEW = credential("new", end=NOW + days(400), start=NOW - days(1))


def test_a_valid_one_that_ends_later_supersedes_before_and_after_the_end():
    """An old secret that lapsed beside a new one is no news."""
    assert superseded(OLD, NEW) == {"old": "new"}
    assert superseded(replace(OLD, end=NOW - days(3)), NEW) == {"old": "new"}


@pytest.mark.parametrize(
    "other",
    [
        replace(NEW, kind=Kind.CERTIFICATE),
        replace(NEW, object_id="another"),
        replace(NEW, tenant="fabrikam"),
        replace(NEW, start=NOW + timedelta(seconds=1)),
        replace(NEW, removed_at=NOW),
        replace(NEW, end=OLD.end),
        replace(NEW, proven=False),
    ],
    ids=[
        "other kind",
        "other object",
        "other tenant",
        "not yet valid",
        "removed",
        "equal ends",
        "unproven",
    ],
)
def test_nothing_else_supersedes(other):
    """Same tenant, object and kind, valid now, truly later, and seen by a complete scan."""
    assert superseded(OLD, other) == {}


def test_one_that_no_complete_scan_saw_may_be_superseded_and_hides_no_successor():
    """It is no successor itself; of the others it takes nothing away."""
    doubtful = credential("doubtful", end=NOW + days(900), proven=False)
    assert superseded(OLD, NEW, doubtful) == {"old": "new"}
    assert superseded(replace(OLD, proven=False), NEW) == {"old": "new"}


def test_one_that_has_lapsed_itself_supersedes_nothing():
    """The later of two lapsed ones is no help."""
    ended = [replace(OLD, end=NOW - days(9)), replace(NEW, end=NOW)]
    assert superseded(*ended) == {}


def test_one_that_starts_at_this_very_instant_is_valid():
    """A start is reached as an end is: at the instant itself."""
    assert superseded(OLD, replace(NEW, start=NOW)) == {"old": "new"}


def test_a_start_of_null_counts_as_started():
    """Graph leaves the start out at times."""
    assert superseded(OLD, replace(NEW, start=None)) == {"old": "new"}


def test_an_end_of_null_is_later_than_any_date():
    """Even than the last date there is."""
    last = replace(OLD, end=datetime.max.replace(tzinfo=UTC))
    assert superseded(last, replace(NEW, end=None)) == {"old": "new"}
    assert superseded(replace(OLD, end=None), replace(NEW, end=None)) == {}


def test_the_successor_is_the_one_that_ends_last_whatever_the_order():
    """Three in a row: both older ones point at the newest; ties fall the same way each time."""
    twin = replace(NEW, uid="newer")
    middle = credential("middle", end=NOW + days(100))
    for order in ([OLD, middle, NEW, twin], [twin, NEW, middle, OLD]):
        assert superseded(*order) == {"old": "newer", "middle": "newer"}


def test_a_removed_one_is_not_superseded():
    """It is gone: there is nothing to supersede."""
    assert superseded(replace(OLD, removed_at=NOW), NEW) == {}


def test_our_own_is_never_superseded_but_may_supersede():
    """Rule 6a: renewing it in Entra is half the work."""
    assert superseded(replace(OLD, own=True), NEW) == {}
    assert superseded(OLD, replace(NEW, own=True)) == {"old": "new"}
    named = successors([replace(OLD, own=True), NEW], NOW, include_own=True)
    assert named == {("contoso", "old"): NEW}


def saml(uid: str, *, active: bool | None, end: datetime) -> Credential:
    """A SAML signing certificate."""
    return credential(uid, kind=Kind.SAML_SIGNING, active=active, end=end)


def test_of_saml_certificates_only_the_active_one_counts_as_a_successor():
    """Rule 6b: a new certificate that nobody activated signs nothing."""
    soon, later = NOW + days(9), NOW + days(900)
    assert (
        superseded(saml("old", active=True, end=soon), saml("new", active=False, end=later)) == {}
    )
    assert superseded(saml("old", active=False, end=soon), saml("new", active=True, end=later)) == {
        "old": "new"
    }


def test_an_active_saml_certificate_is_never_superseded():
    """Rule 6b, even should Graph name two active ones."""
    soon, later = NOW + days(9), NOW + days(900)
    assert superseded(saml("old", active=True, end=soon), saml("new", active=True, end=later)) == {}


@pytest.mark.parametrize("active", [None, False])
def test_without_a_known_active_saml_certificate_nothing_is_superseded(active):
    """Rule 6b: not knowing which one signs is no reason to be silent."""
    pair = [saml("old", active=active, end=NOW), saml("new", active=active, end=NOW + days(900))]
    assert superseded(*pair) == {}


def test_certificates_of_managed_identities_supersede_like_others():
    """Rule 6c: they are listed as superseded; never warning about them is decide's work."""
    old = replace(OLD, kind=Kind.CERTIFICATE, managed_identity=True)
    new = replace(NEW, kind=Kind.CERTIFICATE, managed_identity=True)
    assert superseded(old, new) == {"old": "new"}


def test_one_object_with_very_many_credentials_takes_no_longer_than_many_objects():
    """The work grows with the number of credentials, not with its square."""
    many = [credential(str(n), end=NOW + timedelta(minutes=n + 1)) for n in range(20_000)]
    found = successors(many, NOW)
    assert len(found) == len(many) - 1
    assert {by.uid for by in found.values()} == {str(len(many) - 1)}


# --- states ---------------------------------------------------------------------------------------


def state(one: Credential, *, successor=None, asked=None, thresholds=THRESHOLDS) -> CredentialState:
    """The state at NOW."""
    return credential_state(one, successor, asked, thresholds, NOW, UTC_ZONE)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (0, CredentialState.CRITICAL),
        (7, CredentialState.CRITICAL),
        (8, CredentialState.WARNING),
        (30, CredentialState.WARNING),
        (31, CredentialState.UPCOMING),
        (60, CredentialState.UPCOMING),
        (61, CredentialState.OK),
    ],
)
def test_the_state_goes_by_the_days_left(left, expected):
    """Critical up to 7, warning up to 30, upcoming up to the largest threshold."""
    assert state(credential(end=NOW + days(left) + timedelta(seconds=1))) is expected


def test_a_credential_without_end_is_ok():
    """Nothing to wait for."""
    assert state(credential(end=None)) is CredentialState.OK


def test_the_state_needs_no_thresholds():
    """Critical and warning are fixed; upcoming is what the thresholds add."""
    assert state(credential(end=NOW + days(20)), thresholds=()) is CredentialState.WARNING
    assert state(credential(end=NOW + days(40)), thresholds=()) is CredentialState.OK
    assert state(credential(end=NOW + days(80)), thresholds=(30, 90)) is CredentialState.UPCOMING


def test_the_first_state_that_fits_holds():
    """Removed, superseded, lapsed, snoozed: in this order, and before any number of days."""
    asked = snooze(confirmed=True)
    lapsed = credential(end=NOW - days(1))
    assert state(credential(), asked=asked) is CredentialState.SNOOZED
    assert state(credential(end=None), asked=asked) is CredentialState.SNOOZED
    assert state(lapsed, asked=asked) is CredentialState.LAPSED
    assert state(lapsed, asked=asked, successor=NEW) is CredentialState.SUPERSEDED
    gone = replace(lapsed, removed_at=NOW)
    assert state(gone, asked=asked, successor=NEW) is CredentialState.REMOVED


def test_an_acknowledged_stage_shows_as_snoozed_until_a_worse_one():
    """20 days left is stage 30."""
    assert state(credential(), asked=snooze(acked_urgency=-30)) is CredentialState.SNOOZED
    assert state(credential(), asked=snooze(acked_urgency=-60)) is CredentialState.WARNING


# --- snooze and acknowledgement (rule 7) ----------------------------------------------------------


def silenced(asked: Snooze | None, stage: Stage | None = None, **changes) -> bool:
    """Whether what was asked for silences a credential at NOW."""
    return is_silenced(asked, credential(**changes), stage, NOW)


def test_a_snooze_holds_until_it_ends():
    """At its end it is over."""
    assert silenced(snooze(until=NOW + timedelta(seconds=1)))
    assert not silenced(snooze(until=NOW))
    assert silenced(snooze(until=None))
    assert not silenced(None)


def test_a_snooze_outlives_the_lapse_only_with_a_second_confirmation():
    """Silence past the lapse is somebody's word given twice."""
    ended = NOW - days(1)
    assert not silenced(snooze(until=NOW + days(9)), Stage.lapsed(0), end=ended)
    assert silenced(snooze(until=NOW + days(9), confirmed=True), Stage.lapsed(0), end=ended)
    assert silenced(snooze(confirmed=True), Stage.lapsed(0), end=ended)


def test_an_acknowledgement_holds_until_a_more_urgent_stage():
    """It needs no second confirmation: the lapse is more urgent than any threshold."""
    at_seven = snooze(acked_urgency=Stage.threshold(7).urgency)
    assert silenced(at_seven, Stage.threshold(14))
    assert silenced(at_seven, Stage.threshold(7))
    assert not silenced(at_seven, Stage.threshold(3))
    assert not silenced(at_seven, Stage.lapsed(0), end=NOW)
    assert silenced(snooze(acked_urgency=Stage.lapsed(1).urgency), Stage.lapsed(1), end=NOW)


def test_an_acknowledgement_silences_nothing_where_there_is_no_stage():
    """There is nothing that could have been acknowledged."""
    assert not silenced(snooze(acked_urgency=5), None)


# --- own credentials (rule 6a) --------------------------------------------------------------------


def observed(slot: str, **changes) -> ObservedCredential:
    """A secret as a scan saw it, valid, with the hint abc."""
    plain = ObservedCredential(
        kind=Kind.SECRET,
        slot=slot,
        key_id=slot,
        name=None,
        start=NOW - days(10),
        end=NOW + days(10),
        hint="abc",
    )
    return replace(plain, **changes)


def holder(*held: ObservedCredential, object_id: str = "object", app_id: str = "app"):
    """An app that holds these credentials."""
    return ObservedObject(ObjectType.APPLICATION, object_id, app_id, "Lapsewatch", held)


def own_slots(*held: ObservedCredential, hint: str | None = "abc") -> set[str]:
    """Slots of the ones that are ours, when our secret starts with `hint`."""
    found = own_uids([holder(*held)], [OwnCredential("APP", hint)], NOW)
    return {uid.rsplit("/", 1)[1] for uid in found}


def test_a_uid_names_object_kind_and_slot():
    """The store and the own credentials must agree on it."""
    assert credential_uid("object", Kind.SECRET, "1") == "object/secret/1"


def test_our_certificate_is_known_by_its_thumbprint():
    """In either letter case, on the application and on the service principal."""
    held = observed("1", kind=Kind.CERTIFICATE, hint=None, thumbprint="AB12")
    other = replace(held, slot="2", thumbprint="FF00")
    objects = [holder(held, other), holder(held, object_id="principal")]
    own = [OwnCredential("app", None, frozenset({"ab12", "CD34"}))]
    assert own_uids(objects, own, NOW) == {"object/certificate/1", "principal/certificate/1"}


def test_a_certificate_is_not_known_by_the_lack_of_a_thumbprint():
    """Nothing equals nothing here."""
    held = observed("1", kind=Kind.CERTIFICATE, thumbprint=None)
    assert own_uids([holder(held)], [OwnCredential("app", None, frozenset({"AB"}))], NOW) == set()


def test_our_secret_is_known_by_its_hint():
    """An exact hint beats an unknown one, and another hint is another secret."""
    exact, unknown, other = observed("1"), observed("2", hint=None), observed("3", hint="xyz")
    assert own_slots(exact, unknown, other) == {"1"}
    assert own_slots(unknown, other) == {"2"}
    assert own_slots(other) == set()


def test_of_several_that_fit_the_valid_ones_are_ours_else_all():
    """Two with one hint: both; a lapsed one only where none is valid."""
    valid, twin = observed("1"), observed("2")
    lapsed, future = observed("3", end=NOW), observed("4", start=NOW + days(1))
    assert own_slots(valid, twin, lapsed, future) == {"1", "2"}
    assert own_slots(lapsed, future) == {"3", "4"}


def test_a_secret_whose_value_cannot_be_read_may_be_any_of_the_app():
    """Not knowing must not make a warning disappear."""
    assert own_slots(observed("1"), observed("2", hint="xyz"), hint=None) == {"1", "2"}


def test_credentials_of_other_apps_are_not_ours():
    """The hint of a stranger's secret may well be the same."""
    stranger = holder(observed("1"), app_id="stranger")
    nameless = replace(stranger, app_id=None)
    assert own_uids([stranger, nameless], [OwnCredential("app", "abc")], NOW) == frozenset()
    assert own_uids([], [], NOW) == frozenset()
