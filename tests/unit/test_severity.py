"""Severity: what it orders, what it adds in words, and that it takes no warning away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decide import Decision, Reason, Told, decide
from monitor.insights import ASK_EVERY, topics_due
from monitor.model import Credential, Insight, Kind, Limit, MailKind, Notice, Stage, Topic
from monitor.severity import (
    Severity,
    is_unused,
    lives_too_long,
    policy_words,
    severity,
    still_used,
    use_words,
    warns_still_used,
    why,
)
from tests.unit.lifecycle_samples import NOW, UTC_ZONE, credential, days
from tests.unit.lives import RELAXED, TENANT

OLD = credential("old", end=NOW + days(6), usage_at=NOW)
NEW = credential("new", start=NOW - days(13), end=NOW + days(700), usage_at=NOW)


def used(ago: float, one: Credential = OLD, **changes) -> Credential:
    """A credential whose last sign-in is so many days ago."""
    return replace(one, last_used=NOW - days(ago), **changes)


def judged(old: Credential, new: Credential = NEW, *, now=NOW, told=None, **tenant) -> Decision:
    """The decision about a superseded credential."""
    made = decide(
        [old, new], tenant=replace(TENANT, **tenant), zone=UTC_ZONE,
        told={("contoso", "old", 1): told or Told()}, snoozes={}, now=now,
    )  # fmt: skip
    return next(one for one in made if one.credential.uid == "old")


# --- classes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "successor", "expected"),
    [
        (used(1, own=True), NEW, Severity.OWN),
        (used(300, own=True, enabled=False), None, Severity.OWN),
        (used(1), None, Severity.NORMAL),
        (used(90), None, Severity.NORMAL),
        (used(91), None, Severity.LOW),
        (replace(OLD, last_used=None), None, Severity.NORMAL),  # not in the report
        (used(91, usage_at=None), None, Severity.NORMAL),  # usage unknown
        (replace(OLD, enabled=False), None, Severity.LOW),
        (used(1, enabled=False), None, Severity.NORMAL),  # another directory lets it in
        (replace(OLD, kind=Kind.SAML_SIGNING, active=True), None, Severity.NORMAL),
        (used(300, kind=Kind.SAML_SIGNING, active=True), None, Severity.NORMAL),
        (used(40), NEW, Severity.LOW),
        (used(1), NEW, Severity.NORMAL),  # still used
    ],
)
def test_what_matters_comes_before_what_breaks_nothing(
    one: Credential, successor: Credential | None, expected: Severity
) -> None:
    """Our own first; what nobody uses, is disabled or has a successor last."""
    assert severity(one, successor) is expected


# --- still used after renewal ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        (used(1), True),
        (used(11.9), True),
        (used(12), False),  # within a day of the renewal: part of the move
        (used(20), False),
        (replace(OLD, last_used=None), False),
        (used(1, usage_at=None), False),
        (used(1, kind=Kind.TOKEN_ENCRYPTION), False),
    ],
)
def test_it_is_still_used_when_it_signed_in_a_day_after_its_successor_began(
    old: Credential, expected: bool
) -> None:
    """And not when usage is unknown."""
    assert still_used(old, replace(NEW, kind=old.kind)) is expected


def test_what_moved_weeks_after_a_renewal_is_not_still_used_for_ever() -> None:
    """The last sign-in of what has moved since is no warning: a monthly job is the rarest seen."""
    long_ago = replace(NEW, start=NOW - days(100))
    assert still_used(used(31), long_ago)
    assert not still_used(used(32), long_ago)


def test_a_successor_of_yesterday_is_given_time() -> None:
    """Two days; known-bad: without that a renewal would warn at once."""
    young = replace(NEW, start=NOW - days(1.9))
    old = used(0)
    assert still_used(old, young)
    assert not warns_still_used(old, young, NOW)
    assert warns_still_used(old, young, NOW + days(0.1))
    assert not warns_still_used(old, replace(young, start=None), NOW)


@pytest.mark.parametrize("left", [14, 8, 7, 3, 1, 0])
def test_one_that_is_still_used_is_told_like_a_reminder(left: int) -> None:
    """At the tenant's stages of the last two weeks, with the successor named."""
    made = judged(used(1, end=NOW + days(left) + timedelta(hours=1)))
    assert made.reason is Reason.STILL_USED
    stage = min(one for one in (14, 7, 3, 1, 0) if left <= one)
    assert made.notice == Notice(
        made.credential, MailKind.REMINDER, Stage.threshold(stage), -stage, left, NEW
    )
    assert made.notice is not None
    assert made.notice.still_used
    again = judged(made.credential, told=Told(-stage))
    assert (again.notice, again.reason) == (None, Reason.ALREADY_TOLD)


@pytest.mark.parametrize("left", [15, 30, 60, -0.01, -3, -30])
def test_before_two_weeks_and_after_its_end_supersession_silences_it(left: float) -> None:
    """Twenty days left are too early to nag, and after the end nothing can use it."""
    made = judged(used(1, end=NOW + days(left), usage_at=NOW))
    assert (made.notice, made.reason) == (None, Reason.SUPERSEDED)


def test_without_knowledge_of_use_the_rule_of_superseded_ones_holds() -> None:
    """One hint in the last week, as ever; so it is for what is known to be unused."""
    for old in (replace(OLD, usage_at=None), used(1, usage_at=None), used(20)):
        made = judged(old)
        assert made.reason is Reason.COVERED_SOON
        assert made.notice is not None
        assert not made.notice.still_used


def test_a_tenant_without_stages_in_the_last_two_weeks_is_not_given_any() -> None:
    """Its thresholds are its own, and the hint of the last week is not lost."""
    assert judged(used(1), thresholds=(60, 30)).reason is Reason.COVERED_SOON


def test_a_notice_about_our_own_credential_is_not_about_an_old_one_in_use() -> None:
    """It names a newer one as well, and says something else."""
    made = judged(used(1, own=True))
    assert made.reason is Reason.OWN_CREDENTIAL
    assert made.notice is not None
    assert not made.notice.still_used


_DAYS = st.one_of(st.none(), st.integers(-5, 400))


@RELAXED
@given(
    ends=st.lists(st.integers(-40, 90), min_size=1, max_size=3),
    last=_DAYS,
    known=st.booleans(),
    enabled=st.sampled_from([None, True, False]),
)
def test_what_is_known_of_use_takes_no_warning_away_and_changes_no_stage(
    ends: list[int], last: int | None, known: bool, enabled: bool | None
) -> None:
    """Of any group: what would be told without that knowledge is told at the same stage with it."""
    plain = [
        credential(str(place), start=NOW - days(50), end=NOW + days(end + 0.5))
        for place, end in enumerate(ends)
    ]
    seen = [
        replace(one, last_used=None if last is None else NOW - days(last),
                usage_at=NOW if known else None, enabled=enabled)
        for one in plain
    ]  # fmt: skip

    def told(credentials: list[Credential]) -> dict[str, Notice]:
        made = decide(
            credentials, tenant=TENANT, zone=UTC_ZONE, told={}, snoozes={}, now=NOW
        )  # fmt: skip
        return {one.credential.uid: one.notice for one in made if one.notice is not None}

    before, after = told(plain), told(seen)
    for uid, notice in before.items():
        if notice.kind is MailKind.COVERED:
            assert uid in after  # as the hint, or as a warning instead
        else:
            assert after[uid].stage == notice.stage
            assert after[uid].kind is notice.kind
    for uid in after.keys() - before.keys():
        assert after[uid].still_used


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "since", "words"),
    [
        (used(0), 0, "today"),
        (used(1), 1, "yesterday"),
        (used(2), 2, "2 days ago"),
        (used(-1), -1, "today"),  # the report's clock is ahead of ours
        (used(200), 200, "not used for 200 days: ask whether it can be deleted instead of renewed"),
        (replace(OLD, last_used=None), None, "no sign-in on record"),
        (used(2, usage_at=None), 2, "not known"),
        (used(2, kind=Kind.SAML_SIGNING), 2, ""),
        (used(2, managed_identity=True), 2, ""),
    ],
)
def test_the_last_use_is_said_or_that_it_is_not_known(
    one: Credential, since: int | None, words: str
) -> None:
    """Nothing is said of kinds whose sign-ins nobody reports."""
    assert use_words(one, since) == words


def test_the_report_that_does_not_list_one_does_not_make_it_unused() -> None:
    """It does not reach back for ever."""
    assert not is_unused(replace(OLD, last_used=None))


@pytest.mark.parametrize(
    ("limit", "too_long"),
    [
        (None, False),
        (Limit(days(180)), True),
        (Limit(days(730)), False),
        (Limit(days(180), NOW - days(400)), True),
        (Limit(days(180), NOW - days(10)), False),  # made before the rule
    ],
)
def test_a_life_longer_than_the_policy_allows_is_marked(limit: Limit | None, too_long: bool):
    """Exactly as long as allowed is fine."""
    one = credential(start=NOW - days(300), end=NOW + days(430), limit=limit)
    assert lives_too_long(one) is too_long
    told = "lives longer than the policy allows: 730 days, 180 allowed"
    assert policy_words(one) == (told if too_long else "")


def test_a_life_without_an_end_is_longer_than_any_that_is_allowed() -> None:
    """And one whose start is not known is not judged."""
    endless = credential(end=None, limit=Limit(days(180)))
    assert policy_words(endless).endswith("without an end, 180 allowed")
    assert not lives_too_long(replace(endless, start=None))


def test_a_disabled_app_is_named() -> None:
    """So that nobody hurries to renew what fails already."""
    assert "disabled" in why(replace(OLD, enabled=False))
    assert why(replace(OLD, enabled=True)) == why(OLD) == ""


# --- how often ------------------------------------------------------------------------------------


def test_each_topic_is_asked_for_once_a_day_at_most() -> None:
    """At once at first, then a day later; what a wrong clock asked in the future is no matter."""
    assert topics_due(Insight("contoso"), NOW) == frozenset(Topic)
    asked = Insight("contoso", policy_asked_at=NOW, usage_asked_at=NOW - ASK_EVERY)
    assert topics_due(asked, NOW) == {Topic.USAGE}
    assert topics_due(asked, NOW, usage=False) == frozenset()
    assert topics_due(asked, NOW + ASK_EVERY - timedelta(seconds=1)) == {Topic.USAGE}
    assert topics_due(asked, NOW + ASK_EVERY) == frozenset(Topic)
    ahead = Insight("contoso", policy_asked_at=NOW + days(3), usage_asked_at=NOW)
    assert topics_due(ahead, NOW) == {Topic.POLICY}
