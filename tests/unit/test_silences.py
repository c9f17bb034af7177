"""Which credential is meant, what may be silenced, and until when it is quiet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from monitor.decide import Told, decide
from monitor.errors import UsageError
from monitor.lifecycle import current_stage
from monitor.model import Credential, CredentialRef, Snooze, Stage, Tenant
from monitor.silences import Asked, acknowledged, due, matching, next_stage, snoozed
from tests.unit.lifecycle_samples import NOW, credential, days, snooze
from tests.unit.lives import RELAXED, Life, lives

TENANT = Tenant("contoso", "directory", "global", "client", CredentialRef("secret", "env:X"))
KEY = ("contoso", "a", 1)
KIM = Asked("kim", "on it", NOW)


def uids(found: Sequence[Credential]) -> list[str]:
    """Of each its uid."""
    return [one.uid for one in found]


# --- which one ------------------------------------------------------------------------------------

ONE = credential("object/secret/ab12cd34-1", key_id="ab12cd34-1")
LONGER = credential("object/secret/ab12cd34-11", key_id="ab12cd34-11")
OTHER = credential("object/secret/ff00", key_id="ff00")
NAMELESS = credential("object/secret/2026|x", key_id=None)
ALL = [ONE, LONGER, OTHER, NAMELESS]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ab12cd34-1", [ONE]),  # whole, although another begins with it
        ("AB12CD34-1 ", [ONE]),
        ("ab12", [ONE, LONGER]),
        ("ff", [OTHER]),
        ("object/secret/2026|x", [NAMELESS]),
        ("object/secret/ab12cd34-11", [LONGER]),
        ("object/secret/", []),  # only a key id may be shortened
        ("zz", []),
        ("", []),
        ("  ", []),
    ],
)
def test_a_credential_is_named_by_its_key_id_the_start_of_it_or_its_uid(
    text: str, found: list[Credential]
) -> None:
    """A whole name wins over the start of another; nothing names nothing."""
    assert matching(ALL, text) == found


def test_due_is_what_would_be_said_to_somebody_new() -> None:
    """Whatever is told or silenced; not what a newer one covers, and not what is far off."""
    superseded = credential("old", object_id="two", end=NOW + days(5))
    newer = credential("new", object_id="two", end=NOW + days(400))
    soon, lapsed = credential("soon", object_id="3"), credential("gone", end=NOW - days(90))
    managed = credential("vm", object_id="4", managed_identity=True)
    endless = credential("endless", object_id="5", end=None)
    found = due([superseded, newer, soon, lapsed, managed, endless], TENANT, NOW)
    assert uids(found) == ["gone", "soon"]


# --- acknowledging --------------------------------------------------------------------------------


def test_an_acknowledgement_is_of_the_current_stage_until_the_next_one() -> None:
    """20 days left is stage 30; stage 14 begins at midnight, in the tenant's zone."""
    one = replace(credential("a"), end=datetime(2026, 6, 21, 15, tzinfo=UTC))
    berlin = replace(TENANT, time_zone="Europe/Berlin")
    made = acknowledged(one, berlin, {}, KIM)
    assert (made.new, str(made.stage)) == (True, "30")
    assert made.until == datetime(2026, 6, 6, 22, tzinfo=UTC)
    assert made.snooze == Snooze(
        "contoso", "a", 1, "kim", "on it", NOW, None, Stage.threshold(30).urgency
    )


def test_acknowledging_twice_changes_nothing() -> None:
    """The first author stays; at a worse stage it is news again."""
    first = acknowledged(credential("a"), TENANT, {}, KIM)
    standing = {KEY: first.snooze}
    again = acknowledged(credential("a"), TENANT, standing, replace(KIM, author="sam"))
    assert not again.new
    assert again.snooze.author == "kim"
    later = acknowledged(credential("a"), TENANT, standing, replace(KIM, now=NOW + days(7)))
    assert later.new
    assert str(later.stage) == "14"


def test_acknowledging_does_not_cut_a_longer_snooze_short() -> None:
    """The newest silence holds, so none is added; one that is over is no silence."""
    until = NOW + days(19)
    kept = acknowledged(credential("a"), TENANT, {KEY: snooze(until=until)}, KIM)
    assert (kept.new, kept.stage, kept.until) == (False, None, until)
    assert acknowledged(credential("a"), TENANT, {KEY: snooze(until=NOW)}, KIM).new


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"end": NOW + days(300)}, "is not due yet"),
        ({"end": None}, "has no end"),
        ({"managed_identity": True}, "is rotated by Microsoft"),
    ],
)
def test_what_nobody_is_warned_about_cannot_be_acknowledged(changes, told: str) -> None:
    """Rule 7: without a stage it silences nothing, so it says so."""
    with pytest.raises(UsageError, match=told):
        acknowledged(credential("a", **changes), TENANT, {}, KIM)


@given(life=lives)
@RELAXED
def test_what_was_acknowledged_is_quiet_until_the_very_stage_that_was_named(life: Life) -> None:
    """Against the decisions of each following day, in every zone, to the last stage."""
    tenant, level = replace(life.tenant, time_zone=life.zone.key), None
    standing: dict[tuple[str, str, int], Snooze] = {}
    quiet: datetime | None = None
    for now in life.runs():
        if current_stage(life.end, life.thresholds, life.weeks, now, life.zone) is None:
            continue
        [made] = decide(
            [life.credential], tenant=tenant, zone=life.zone, told={KEY: Told(level)},
            snoozes=standing, now=now,
        )  # fmt: skip
        assert (made.notice is None) == (bool(standing) and (quiet is None or now < quiet))
        found = acknowledged(life.credential, tenant, standing, replace(KIM, now=now))
        assert found.new == (made.notice is not None)
        standing, quiet = {KEY: found.snooze}, found.until


# --- snoozing -------------------------------------------------------------------------------------


def test_a_snooze_lasts_to_its_end_and_asking_again_for_the_same_changes_nothing() -> None:
    """Another end takes its place, a longer and a shorter one."""
    until = NOW + days(10)
    first = snoozed(credential("a"), {}, KIM, until)
    assert (first.new, first.until, first.snooze.confirmed) == (True, until, False)
    standing = {KEY: first.snooze}
    assert not snoozed(credential("a"), standing, replace(KIM, author="sam"), until).new
    for other in (until + days(1), until - days(1)):
        assert snoozed(credential("a"), standing, KIM, other).new


def test_a_snooze_past_the_lapse_needs_a_second_yes() -> None:
    """To the second; one that has lapsed already needs it, too."""
    end = NOW + days(20)
    assert snoozed(credential("a"), {}, KIM, end).new
    with pytest.raises(UsageError, match=r"lapses on 2026-06-21 08:00 UTC.*--confirm-past-lapse"):
        snoozed(credential("a"), {}, KIM, end + days(1))
    with pytest.raises(UsageError, match="lapsed on"):
        snoozed(credential("a", end=NOW - days(1)), {}, KIM, end)
    sure = snoozed(credential("a"), {}, KIM, end + days(9), past_lapse=True)
    assert (sure.snooze.confirmed, sure.until) == (True, end + days(9))


@pytest.mark.parametrize("until", [NOW, NOW - days(1)])
def test_a_snooze_into_the_past_is_refused(until: datetime) -> None:
    """It would silence nothing, and look as if it did."""
    with pytest.raises(UsageError, match="is over"):
        snoozed(credential("a"), {}, KIM, until)


def test_after_the_last_stage_nothing_follows() -> None:
    """It is quiet for good then, and stays in the status."""
    gone = credential("a", end=NOW - days(400))
    made = acknowledged(gone, TENANT, {}, KIM)
    assert (str(made.stage), made.until) == ("L4", None)
    assert next_stage(credential("a", end=None), TENANT, Stage.threshold(7)) is None


def test_a_midnight_that_a_zone_skips_is_no_crash() -> None:
    """Havana moves its clocks at midnight."""
    havana = replace(TENANT, time_zone="America/Havana")
    end = datetime(2026, 3, 15, 12, tzinfo=UTC)
    found = next_stage(credential("a", end=end), havana, Stage.threshold(14))
    assert found is not None
    day = found[1].astimezone(ZoneInfo("America/Havana"))
    assert f"{day:%Y-%m-%d %H:%M}" == "2026-03-08 01:00"
