"""Decisions, rule by rule: who is told what, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.decide import (
    Decision,
    Reason,
    Told,
    decide,
    scan_alarm,
    tenant_state,
)
from monitor.model import (
    AlarmChange,
    Credential,
    CredentialRef,
    Kind,
    MailKind,
    Notice,
    ScanRecord,
    Snooze,
    Stage,
    Tenant,
    TenantHealth,
    TenantState,
)
from tests.unit.lifecycle_samples import NOW, credential, days

ZONE = ZoneInfo("UTC")
TENANT = Tenant("contoso", "directory", "global", "client", CredentialRef("secret", "env:X"))
KEY = ("contoso", "a", 1)


def decisions(
    *credentials: Credential,
    told: Mapping[tuple[str, str, int], Told] | None = None,
    snoozes: Mapping[tuple[str, str, int], Snooze] | None = None,
    tenant: Tenant = TENANT,
    now: datetime = NOW,
) -> dict[str, Decision]:
    """The decisions of one run, by uid."""
    made = decide(
        credentials, tenant=tenant, zone=ZONE, told=told or {}, snoozes=snoozes or {}, now=now
    )
    assert len(made) == len(credentials)
    return {one.credential.uid: one for one in made}


def decision(one: Credential, *, level: int | None = None, **more) -> Decision:
    """The decision about a single credential."""
    return decisions(one, told={KEY: Told(level)}, **more)["a"]


def said(made: Decision) -> tuple[MailKind, str, int, Reason]:
    """Kind, stage, level and reason of what is said."""
    assert made.notice is not None, made.reason
    return made.notice.kind, str(made.notice.stage), made.notice.level, made.reason


def unsaid(made: Decision) -> Reason:
    """The reason of a silence."""
    assert made.notice is None
    return made.reason


# --- rules 3 to 5 ---------------------------------------------------------------------------------


def test_the_current_stage_is_told_and_less_urgent_ones_are_skipped_for_good():
    """20 days left, nothing told: 30, not 60."""
    made = decision(credential())
    assert said(made) == (MailKind.REMINDER, "30", -30, Reason.STAGE_REACHED)
    assert made.notice == Notice(credential(), MailKind.REMINDER, Stage(-30), -30, days_left=20)


def test_a_stage_that_was_told_is_not_told_again():
    """And so it is for anything less urgent than what was told."""
    assert unsaid(decision(credential(), level=-30)) is Reason.ALREADY_TOLD
    assert unsaid(decision(credential(), level=-14)) is Reason.TOLD_MORE_URGENT
    assert said(decision(credential(), level=-60))[1] == "30"


def test_what_was_told_of_an_earlier_life_does_not_count():
    """A renewed credential is warned about from the start (rule 8)."""
    made = decision(credential(life=2, end=NOW + days(50)), level=5)
    assert said(made)[1] == "60"


def test_before_the_first_threshold_there_is_nothing_to_say():
    """And nothing after it where there are no thresholds."""
    assert unsaid(decision(credential(end=NOW + days(61)))) is Reason.NOT_NEAR
    bare = replace(TENANT, thresholds=())
    assert unsaid(decision(credential(), tenant=bare)) is Reason.NOT_NEAR
    assert said(decision(credential(end=NOW), tenant=bare))[1] == "L0"


def test_a_lapse_is_always_told_however_late():
    """First notice after the end 15 days late: L0 is told, and L2 counts as told."""
    late = credential(end=NOW - days(15))
    for level in (None, -30, 0):
        made = decision(late, level=level)
        assert said(made) == (MailKind.LAPSED, "L0", 3, Reason.JUST_LAPSED)
        assert made.stage == Stage.lapsed(2)
        assert made.notice is not None
        assert made.notice.days_left == -15


def test_after_a_late_lapse_the_next_weeks_follow_on_their_days():
    """L2 was skipped by the late L0; L3 comes 21 days after the end."""
    assert unsaid(decision(credential(end=NOW - days(20)), level=3)) is Reason.ALREADY_TOLD
    made = decision(credential(end=NOW - days(21)), level=3)
    assert said(made) == (MailKind.LAPSED, "L3", 4, Reason.STILL_LAPSED)


def test_after_the_last_weekly_notice_there_is_no_mail_of_its_own():
    """L4 is the last by default; the reason says so from the fifth week on."""
    assert unsaid(decision(credential(end=NOW - days(34)), level=5)) is Reason.ALREADY_TOLD
    assert unsaid(decision(credential(end=NOW - days(35)), level=5)) is Reason.AFTER_LAST_STAGE
    once = replace(TENANT, weekly_after_lapse=0)
    made = decision(credential(end=NOW - days(7)), level=1, tenant=once)
    assert unsaid(made) is Reason.AFTER_LAST_STAGE


def test_a_lapse_that_nobody_was_told_about_is_told_after_years():
    """One that is seen for the first time long after its end."""
    made = decision(credential(end=NOW - days(2000)))
    assert said(made) == (MailKind.LAPSED, "L0", 5, Reason.JUST_LAPSED)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"removed_at": NOW}, Reason.REMOVED),
        ({"end": None}, Reason.NO_END),
        ({"managed_identity": True, "kind": Kind.CERTIFICATE}, Reason.MANAGED_IDENTITY),
    ],
)
def test_some_credentials_are_never_warned_about(changes, reason):
    """Gone, without end, or rotated by Microsoft."""
    assert unsaid(decision(credential(**changes))) is reason


# --- rule 6 ---------------------------------------------------------------------------------------

NEW = credential("new", end=NOW + days(400), start=NOW - days(1))


@pytest.mark.parametrize("left", [-400, -1, 0, 8, 20])
def test_a_superseded_one_is_silent_before_and_after_its_end(left):
    """But for its last week."""
    made = decisions(credential(end=NOW + days(left)), NEW)
    assert unsaid(made["a"]) is Reason.SUPERSEDED
    assert unsaid(made["new"]) is Reason.NOT_NEAR


@pytest.mark.parametrize("left", [0, 1, 7])
def test_in_its_last_week_a_superseded_one_is_mentioned_once(left):
    """Make sure that everything uses the new one."""
    old = credential(end=NOW + days(left) + timedelta(hours=1))
    made = decisions(old, NEW)["a"]
    assert made.reason is Reason.COVERED_SOON
    assert made.notice is not None
    assert (made.notice.kind, made.notice.days_left) == (MailKind.COVERED, left)
    assert made.notice.stage == Stage.threshold(left)
    assert made.notice.successor == NEW
    again = decisions(old, NEW, told={KEY: Told(None, covered=True)})["a"]
    assert unsaid(again) is Reason.COVERED_TOLD


def test_a_renewal_told_long_before_the_end_does_not_hide_the_mention():
    """They are two different things to say."""
    old = credential(end=NOW + days(2))
    made = decisions(old, NEW, told={KEY: Told(Stage.threshold(30).urgency, closed=True)})["a"]
    assert made.reason is Reason.COVERED_SOON


def test_a_covered_notice_can_never_count_as_a_told_stage():
    """Its level lies below every threshold there may be."""
    made = decisions(credential(end=NOW + days(2)), NEW)["a"]
    assert made.notice is not None
    assert made.notice.level < Stage.threshold(3650).urgency


def test_without_its_successor_the_older_one_is_judged_afresh():
    """What was told stays told; what was covered is due again."""
    old = credential(end=NOW + days(2))
    alone = decisions(old, replace(NEW, removed_at=NOW), told={KEY: Told(-7, covered=True)})["a"]
    assert said(alone)[1] == "3"
    told = decisions(old, replace(NEW, end=NOW), told={KEY: Told(-3, covered=True)})["a"]
    assert unsaid(told) is Reason.ALREADY_TOLD


def test_our_own_is_warned_about_although_a_newer_one_exists():
    """Rule 6a: mail stops until the new value is in Lapsewatch; the notice names the new one."""
    made = decisions(credential(own=True), NEW)["a"]
    assert said(made) == (MailKind.REMINDER, "30", -30, Reason.OWN_CREDENTIAL)
    assert made.notice is not None
    assert made.notice.successor == NEW
    lapsed = decisions(credential(own=True, end=NOW - days(8)), NEW)["a"]
    assert said(lapsed) == (MailKind.LAPSED, "L0", 2, Reason.OWN_CREDENTIAL)


def test_our_own_without_a_newer_one_is_like_any_other():
    """The usual reason, and nobody to name."""
    made = decision(credential(own=True))
    assert made.reason is Reason.STAGE_REACHED
    assert made.notice is not None
    assert made.notice.successor is None


def test_certificates_of_managed_identities_are_not_even_mentioned_as_covered():
    """Rule 6c."""
    old = credential(end=NOW + days(2), managed_identity=True)
    made = decisions(old, replace(NEW, managed_identity=True))["a"]
    assert unsaid(made) is Reason.MANAGED_IDENTITY


# --- rule 7 ---------------------------------------------------------------------------------------


def asked(**changes) -> dict[tuple[str, str, int], Snooze]:
    """A snooze without end for the credential, but for the changes."""
    return {KEY: replace(Snooze("contoso", "a", 1, "kim", "on it", NOW), **changes)}


def test_a_snoozed_credential_is_silent_and_the_reason_says_so():
    """And no notice of the covered kind either."""
    made = decision(credential(), snoozes=asked(until=NOW + days(1)))
    assert unsaid(made) is Reason.SNOOZED
    assert made.silenced
    covered = decisions(credential(end=NOW + days(2)), NEW, snoozes=asked())["a"]
    assert unsaid(covered) is Reason.SNOOZED


def test_after_a_snooze_the_most_urgent_stage_is_told_as_after_an_outage():
    """Told 60, snoozed over 30 and 14: the next is 7, and nothing in between."""
    late = credential(end=NOW + days(6))
    assert said(decision(late, level=-60, snoozes=asked(until=NOW)))[1] == "7"
    gone = credential(end=NOW - days(9))
    made = decision(gone, level=-60, snoozes=asked(until=NOW, confirmed=True))
    assert said(made)[1:3] == ("L0", 2)


def test_an_unconfirmed_snooze_does_not_hide_the_lapse():
    """Past the lapse it needs the second yes."""
    made = decision(credential(end=NOW), snoozes=asked(until=NOW + days(9)))
    assert said(made)[1] == "L0"


def test_an_acknowledgement_is_silent_until_a_more_urgent_stage():
    """30 acknowledged: silent at 30, told at 14."""
    made = decision(credential(), snoozes=asked(acked_urgency=-30))
    assert unsaid(made) is Reason.ACKNOWLEDGED
    assert made.silenced
    nearer = decision(credential(end=NOW + days(14)), snoozes=asked(acked_urgency=-30))
    assert said(nearer)[1] == "14"
    assert not nearer.silenced


def test_a_snooze_of_an_earlier_life_does_not_count():
    """It was for another end."""
    made = decision(credential(life=2), snoozes=asked())
    assert said(made)[1] == "30"


# --- digests --------------------------------------------------------------------------------------


def test_decisions_come_with_the_soonest_end_first():
    """And the endless ones last, whatever the order they came in."""
    soon, later = credential("z", end=NOW + days(1)), credential("b", object_id="other")
    never = credential("c", end=None, object_id="third")
    assert list(decisions(never, later, soon)) == ["z", "b", "c"]


# --- tenants --------------------------------------------------------------------------------------

SIX_HOURS = timedelta(hours=6)


def health(**changes) -> TenantHealth:
    """A tenant that was read completely just now, but for the changes."""
    return replace(TenantHealth("contoso", last_complete=NOW, last_attempt=NOW), **changes)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (0, TenantState.OK),
        (11.99, TenantState.OK),
        (12, TenantState.STALE),
        (25.99, TenantState.STALE),
        (26, TenantState.UNKNOWN),
        (9999, TenantState.UNKNOWN),
    ],
)
def test_a_tenant_is_known_as_long_as_its_last_complete_scan_is_fresh(hours, expected):
    """Two intervals are ok, 26 hours stale, then unknown; a transient failure changes nothing."""
    read = NOW - timedelta(hours=hours)
    for failures in (0, 3):
        facts = health(last_complete=read, failures=failures)
        assert tenant_state(TENANT, facts, SIX_HOURS, NOW) is expected


@pytest.mark.parametrize(
    "facts",
    [
        None,
        health(last_complete=None, failures=1),
        health(last_failed_definitely=True),
        health(last_incomplete=True),
    ],
    ids=["never tried", "never read", "definite cause", "incomplete"],
)
def test_a_tenant_that_cannot_be_read_is_unknown_at_once(facts):
    """However fresh the last complete scan is."""
    assert tenant_state(TENANT, facts, SIX_HOURS, NOW) is TenantState.UNKNOWN


def test_a_paused_tenant_is_paused_whatever_is_known():
    """Somebody has said so."""
    paused = replace(TENANT, paused=True)
    for facts in (None, health(), health(last_failed_definitely=True)):
        assert tenant_state(paused, facts, SIX_HOURS, NOW) is TenantState.PAUSED


def record(*, complete: bool = False, retry="later") -> ScanRecord:
    """One attempt."""
    return ScanRecord("contoso", NOW, NOW, complete, retry=None if complete else retry)


def test_cannot_check_goes_after_the_second_failure():
    """The first may mend itself; the third says nothing new."""
    assert scan_alarm(health(), record()) == (AlarmChange.NONE, Reason.FIRST_FAILURE)
    assert scan_alarm(health(failures=1), record()) == (AlarmChange.OPEN, Reason.FAILED_AGAIN)
    standing = health(failures=2, alarm_opened_at=NOW)
    assert scan_alarm(standing, record()) == (AlarmChange.KEEP, Reason.ALARM_STANDS)


@pytest.mark.parametrize("retry", ["after_fix", "never", None])
def test_cannot_check_goes_at_once_when_waiting_does_not_help(retry):
    """A cause that nobody could name counts as one that needs a fix."""
    assert scan_alarm(health(), record(retry=retry)) == (AlarmChange.OPEN, Reason.NEEDS_FIX)


def test_cannot_check_goes_at_once_when_the_tenant_was_never_read():
    """There are no facts that could go on warning."""
    opened = (AlarmChange.OPEN, Reason.NEVER_READ)
    assert scan_alarm(None, record()) == opened
    assert scan_alarm(health(last_complete=None), record()) == opened


def test_there_is_one_cannot_check_per_outage_whatever_the_causes():
    """A new cause in the same outage opens no second one."""
    standing = health(last_complete=None, failures=9, alarm_opened_at=NOW)
    for retry in ("later", "after_fix"):
        kept = (AlarmChange.KEEP, Reason.ALARM_STANDS)
        assert scan_alarm(standing, record(retry=retry)) == kept


def test_a_complete_scan_ends_the_outage():
    """Recovered is said only where CANNOT CHECK was."""
    standing = health(failures=2, alarm_opened_at=NOW)
    done = record(complete=True)
    assert scan_alarm(standing, done) == (AlarmChange.CLOSE, Reason.READ_AGAIN)
    for before in (None, health(), health(failures=1)):
        assert scan_alarm(before, done) == (AlarmChange.NONE, Reason.ALL_WELL)
