"""The turns of a credential's life: who was warned hears once that it is over (P21, P24)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.decide import Decision, Reason, Told, decide, decide_run
from monitor.model import (
    Credential,
    Forbid,
    Ignore,
    Kind,
    MailKind,
    NoticeKey,
    Policy,
    Route,
    Snooze,
    Stage,
)  # fmt: skip
from monitor.recipients import Audience, RecipientRun
from monitor.routing import Router
from monitor.turns import forbidden_by, heard, in_its_place, is_out_of_date
from tests.unit.lives import NOW, TENANT, credential

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
OLD = credential("old", end=NOW + 20 * DAY)
NEW = credential("new", end=NOW + 400 * DAY)
AT_30 = Told(Stage.threshold(30).urgency)


def made(*known: Credential, told: Told | dict = AT_30, **about) -> dict[str, Decision]:
    """The decisions of a run, by uid; `told` is about the old one's life unless it says more."""
    ledger = told if isinstance(told, dict) else {("contoso", "old", 1): told}
    values = {"tenant": TENANT, "zone": BERLIN, "snoozes": {}, "now": NOW, **about}
    return {one.credential.uid: one for one in decide(known, told=ledger, **values)}


def said(*known: Credential, **about) -> tuple[MailKind, str | None] | None:
    """Kind and successor of what is said of the old one."""
    notice = made(*known, **about)["old"].notice
    return notice and (notice.kind, notice.successor.uid if notice.successor else None)


def test_whoever_was_told_hears_once_that_it_is_renewed():
    """A new key with a later end on the same object resolves the old one."""
    assert said(OLD, NEW) == (MailKind.RENEWED, "new")
    decision = made(OLD, NEW)["old"]
    assert decision.reason is Reason.OVER
    after = heard(AT_30, decision.notice)
    assert after.closed
    assert said(OLD, NEW, told=after) is None


@pytest.mark.parametrize(
    "other",
    [
        replace(NEW, kind=Kind.CERTIFICATE),
        replace(NEW, object_id="another"),
        replace(NEW, start=NOW + DAY),
        replace(NEW, end=NOW + 10 * DAY),
        replace(NEW, proven=False),
        replace(NEW, removed_at=NOW),
    ],
    ids=["kind", "object", "starts later", "ends sooner", "unproven", "removed"],
)
def test_what_does_not_supersede_ends_nothing(other):
    """Rule 6 decides what a successor is."""
    assert said(OLD, other) is None


def test_who_was_never_told_is_not_told_of_the_end():
    """Also not after a mere hint that a newer one is there."""
    assert said(OLD, NEW, told=Told()) is None
    assert said(OLD, NEW, told=Told(covered=True)) is None


def test_a_deleted_one_is_closed_with_its_reason():
    """Gone with no newer one: removed. Gone with one: renewed."""
    gone = replace(OLD, removed_at=NOW)
    assert said(gone) == (MailKind.REMOVED, None)
    assert said(gone, NEW) == (MailKind.RENEWED, "new")
    assert said(gone, told=Told()) is None
    relationship = replace(gone, kind=Kind.GDAP)
    assert said(relationship) == (MailKind.REMOVED, None)


def test_the_same_key_with_a_newer_life_is_renewed():
    """The notice closes the life that was told; the newer one has no history."""
    prolonged = replace(OLD, life=3, end=NOW + 400 * DAY)
    decision = made(prolonged, told={("contoso", "old", 2): AT_30})["old"]
    assert decision.notice is not None
    assert (decision.notice.kind, decision.notice.credential.life) == (MailKind.RENEWED, 2)
    assert decision.notice.successor == prolonged
    closed = {("contoso", "old", 2): heard(AT_30, decision.notice)}
    assert said(prolonged, told=closed) is None


def test_a_newer_life_that_is_due_already_is_told_and_not_called_done():
    """Prolonged by two weeks: the reminder is what matters, and what was is not spoken of again."""
    prolonged = replace(OLD, life=2, end=NOW + 5 * DAY)
    told = {("contoso", "old", 1): AT_30}
    decision = made(prolonged, told=told)["old"]
    assert decision.notice is not None
    assert decision.notice.kind is MailKind.REMINDER
    told["contoso", "old", 2] = heard(Told(), decision.notice)
    assert said(prolonged, told=told) is None


@pytest.mark.parametrize("end", [NOW - 400 * DAY, NOW - DAY, NOW + 3 * DAY, NOW + 20 * DAY])
def test_a_newer_life_that_is_superseded_already_ends_with_one_word(end):
    """It is not called lapsed or due, and nothing more is said of it the day after."""
    again = replace(OLD, life=2, end=end)
    told = {("contoso", "old", 1): AT_30}
    assert said(again, NEW, told=told) == (MailKind.RENEWED, "new")
    notice = made(again, NEW, told=told)["old"].notice
    assert notice.credential.life == 1
    told["contoso", "old", 1] = heard(AT_30, notice)
    assert said(again, NEW, told=told) is None


def test_what_we_sign_in_with_ourselves_is_not_done_when_entra_has_a_newer_one():
    """The new value is not in Lapsewatch yet; when the old one is gone, it must be."""
    own = replace(OLD, own=True)
    assert said(own, NEW) is None
    assert said(replace(own, removed_at=NOW), NEW) == (MailKind.RENEWED, "new")


def test_snoozed_and_acknowledged_ones_are_closed_as_well():
    """Whoever asked for silence wants to know that it is over."""
    snooze = Snooze("contoso", "old", 1, "kim", "on it", NOW - DAY)
    for asked in (snooze, replace(snooze, acked_urgency=5)):
        assert said(OLD, NEW, snoozes={("contoso", "old", 1): asked}) == (MailKind.RENEWED, "new")


def test_a_renewal_told_in_the_last_week_counts_as_covered():
    """No second hint in the same week; one that was told earlier is followed by the hint."""
    near = replace(OLD, end=NOW + 6 * DAY)
    after = heard(AT_30, made(near, NEW)["old"].notice)
    assert (after.closed, after.covered) == (True, True)
    assert said(near, NEW, told=after) is None
    early = heard(AT_30, made(OLD, NEW)["old"].notice)
    assert not early.covered
    assert said(OLD, NEW, told=early, now=NOW + 14 * DAY) == (MailKind.COVERED, "new")


def test_when_the_successor_goes_away_what_was_told_stays_told_and_a_later_stage_opens_it_again():
    """Rule 6: judged afresh. The second renewal is told again."""
    closed = heard(AT_30, made(OLD, NEW)["old"].notice)
    gone = replace(NEW, removed_at=NOW)
    assert said(OLD, gone, told=closed) is None
    later = NOW + 7 * DAY
    stage = made(OLD, gone, told=closed, now=later)["old"].notice
    assert stage is not None
    assert (stage.kind, str(stage.stage)) == (MailKind.REMINDER, "14")
    again = heard(closed, stage)
    assert again.open
    assert said(OLD, NEW, told=again, now=later) == (MailKind.RENEWED, "new")


def test_a_removed_one_that_comes_back_is_the_same_life():
    """What was told stays told."""
    closed = heard(AT_30, made(replace(OLD, removed_at=NOW))["old"].notice)
    assert said(OLD, told=closed) is None


def test_a_lapsed_one_that_is_renewed_late_is_closed_too():
    """Its closing is no stage after the end, and silences none."""
    lapsed = replace(OLD, end=NOW - 9 * DAY)
    notice = made(lapsed, NEW, told=Told(Stage.lapsed(1).urgency))["old"].notice
    assert notice is not None
    assert notice.kind is MailKind.RENEWED
    assert not notice.stage.after_end
    assert notice.level < Stage.threshold(3650).urgency


def test_of_a_saml_certificate_only_the_active_one_takes_its_place():
    """Also where the old one is gone, whatever it was last seen as."""
    old = replace(OLD, kind=Kind.SAML_SIGNING, active=True, removed_at=NOW)
    new = replace(NEW, kind=Kind.SAML_SIGNING)
    assert said(old, replace(new, active=True)) == (MailKind.RENEWED, "new")
    assert said(old, replace(new, active=None)) == (MailKind.REMOVED, None)


# --- runs -----------------------------------------------------------------------------------------


def run(*known: Credential, told=AT_30, tenant=TENANT, **about) -> list[tuple[str, MailKind]]:
    """What one run says about the tenant, in its order."""
    ledger = {("contoso", "old", 1): told} if isinstance(told, Told) else told
    found = decide_run(
        [tenant], {"contoso": known}, zone=BERLIN, told=ledger, snoozes={}, now=NOW, **about
    )
    return [(one.notice.credential.uid, one.notice.kind) for one in found["contoso"] if one.notice]


def test_who_only_hears_of_ends_hears_of_nothing_else():
    """A former recipient; the other credential is due."""
    due = credential("due", end=NOW + 3 * DAY, object_id="due")
    assert run(OLD, NEW, due) == [("due", MailKind.REMINDER), ("old", MailKind.RENEWED)]
    assert run(OLD, NEW, due, ends={"contoso"}) == [("old", MailKind.RENEWED)]


def test_in_shadow_what_was_told_is_closed_and_the_rest_stays_quiet():
    """The shadow holds reminders back, not good news."""
    shaded = replace(TENANT, shadow_until=NOW + 5 * DAY)
    due = credential("due", end=NOW + 3 * DAY, object_id="due")
    assert run(OLD, NEW, due, tenant=shaded) == [("old", MailKind.RENEWED)]
    assert run(OLD, NEW, due, tenant=shaded, told={}) == [("due", MailKind.REMINDER)]


def test_who_does_not_hear_of_the_new_life_hears_that_the_old_one_ended():
    """A former recipient, or one in a shadow: the due stage of the new life is not told to them."""
    prolonged = replace(OLD, life=2, end=NOW + 5 * DAY)
    shaded = replace(TENANT, shadow_until=NOW + 5 * DAY)
    over, stage = [("old", MailKind.RENEWED)], [("old", MailKind.REMINDER)]
    assert run(prolonged) == stage
    assert run(prolonged, ends={"contoso"}) == over
    assert run(prolonged, tenant=shaded) == over


def test_who_is_routed_elsewhere_hears_that_the_old_life_ended():
    """Also where the credential is ignored by now: who was warned is told that this is over."""
    prolonged = replace(OLD, life=2, end=NOW + 5 * DAY)
    for policy in (
        Policy(routes=(Route(("else@m.example",)),)),
        Policy(ignores=(Ignore("x", "kim", (NOW + 9 * DAY).date(), name="*"),)),
    ):
        mine = RecipientRun("ann@m.example", "Europe/Berlin", 8, (TENANT,))
        router = Router([TENANT], Audience(policy=policy))
        mask = router.mask(mine, NOW, NOW)
        assert run(prolonged, mask=mask) == [("old", MailKind.RENEWED)]
        assert run(replace(prolonged, life=1), told=Told(), mask=mask) == []


# --- what should not be there ---------------------------------------------------------------------

RULE = Forbid("Certificates only.", app="app*", kind=Kind.SECRET)


def test_an_unexpected_one_is_told_once_per_life_and_counts_as_no_stage():
    """Its reminders go on beside it."""
    one = credential("old", end=NOW + 3 * DAY, app_name="App of pay")
    assert run(one, told={}, forbids=[RULE]) == [
        ("old", MailKind.REMINDER), ("old", MailKind.UNEXPECTED),
    ]  # fmt: skip
    told = {("contoso", "old", 1): Told(unexpected=True)}
    assert run(one, told=told, forbids=[RULE]) == [("old", MailKind.REMINDER)]
    second_life = replace(one, life=2, end=None)
    assert run(second_life, told=told, forbids=[RULE]) == [("old", MailKind.UNEXPECTED)]


def test_what_is_gone_or_lapsed_is_not_unexpected():
    """It opens nothing any more."""
    for gone in (replace(NEW, removed_at=NOW), replace(NEW, end=NOW)):
        assert ("new", MailKind.UNEXPECTED) not in run(
            gone, told={}, forbids=[Forbid("x", app="*")]
        )


def test_in_shadow_the_unexpected_is_told_and_the_welcome_still_comes():
    """A rule is an order; the word about it is no welcome."""
    shaded = replace(TENANT, shadow_until=NOW + 5 * DAY)
    due = credential("due", end=NOW + 3 * DAY, object_id="due")
    told = {("contoso", "due", 1): Told(unexpected=True)}
    everywhere = [Forbid("x", app="*")]
    assert run(due, tenant=shaded, told={}, forbids=everywhere) == [
        ("due", MailKind.REMINDER), ("due", MailKind.UNEXPECTED),
    ]  # fmt: skip
    assert run(due, tenant=shaded, told=told, forbids=everywhere) == [("due", MailKind.REMINDER)]


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Forbid("x", app="PAY*"), True),
        (Forbid("x", app="*11-22*"), True),
        (Forbid("x", app="pay"), False),
        (Forbid("x", app="[p]ay*"), False),
        (Forbid("x", app="pay?oll [1]"), False),
        (Forbid("x", app="payroll [1]"), True),
        (Forbid("x", tenant="con*"), True),
        (Forbid("x", tenant="fab*"), False),
        (Forbid("x", tag="gold"), True),
        (Forbid("x", tag="silver"), False),
        (Forbid("x", kind=Kind.SECRET), True),
        (Forbid("x", kind=Kind.CERTIFICATE), False),
        (Forbid("x", app="pay*", tag="silver"), False),
    ],
)
def test_a_rule_fits_where_all_that_it_says_fits(rule, fits):
    """Only the star stands for something; upper and lower case are the same."""
    one = credential("a", end=None, app_name="Payroll [1]", app_id="11-22-33")
    where = replace(TENANT, tags=("Gold",))
    assert (forbidden_by(one, where, [rule]) is rule) is fits


# --- what waits -----------------------------------------------------------------------------------


def test_a_waiting_word_is_out_of_date_when_it_says_what_is_not_so_any_more():
    """Warnings about what is over, and ends that did not last."""

    def stale(kind: MailKind, *known: Credential) -> bool:
        key = NoticeKey("contoso", "old", 1, "a@b.example", "30", -30, kind)
        held = {(one.tenant, one.uid): one for one in known}
        return is_out_of_date(key, held, in_its_place(known, NOW), NOW)

    gone = replace(OLD, removed_at=NOW)
    for kind in (MailKind.REMINDER, MailKind.LAPSED):
        assert not stale(kind, OLD)
        assert stale(kind, OLD, NEW)
        assert stale(kind, gone)
        assert stale(kind, replace(OLD, life=2))
        assert not stale(kind, replace(OLD, own=True), NEW)
    assert stale(MailKind.RENEWED, OLD)
    assert not stale(MailKind.RENEWED, OLD, NEW)
    assert not stale(MailKind.REMOVED, gone)
    assert stale(MailKind.COVERED, OLD)
    assert not stale(MailKind.COVERED, OLD, NEW)
    assert not stale(MailKind.REMINDER, NEW), "nothing is known about it"
    assert not stale(MailKind.UNEXPECTED, gone)
