"""What holds for any heap of credentials, whatever was told and asked for before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from monitor import lifecycle
from monitor.decide import Decision, Reason, Told, decide
from monitor.model import CLOSINGS, Kind, Snooze
from tests.unit.lives import NOW, RELAXED, TENANT, ZONES, after, credential

EDGES = [
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(9999, 12, 31, tzinfo=UTC),
    datetime(2299, 12, 31, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    NOW,
    None,
]
instants = st.one_of(
    st.sampled_from(EDGES),
    st.integers(-80 * 24, 80 * 24).map(lambda hours: NOW + timedelta(hours=hours)),
)
heaps = st.lists(
    st.builds(
        credential,
        st.uuids().map(str),
        end=instants,
        start=instants,
        object_id=st.sampled_from(["one", "two"]),
        kind=st.sampled_from([Kind.SECRET, Kind.CERTIFICATE, Kind.SAML_SIGNING]),
        active=st.sampled_from([None, True, False]),
        own=st.booleans(),
        managed_identity=st.booleans(),
        life=st.integers(1, 3),
        removed_at=st.sampled_from([None, None, None, NOW]),
    ),
    max_size=12,
)
SAID = {
    Reason.STAGE_REACHED,
    Reason.JUST_LAPSED,
    Reason.STILL_LAPSED,
    Reason.OWN_CREDENTIAL,
    Reason.COVERED_SOON,
    Reason.OVER,
}


@st.composite
def heaps_with_history(draw):
    """Credentials, with whatever was told about them and asked for them before."""
    heap = draw(heaps)
    keys = [(one.tenant, one.uid, one.life) for one in heap]
    told, snoozes = {}, {}
    for key in keys:
        if draw(st.booleans()):
            level = draw(st.one_of(st.none(), st.integers(-60, 6)))
            life = draw(st.integers(1, key[2]))
            told[(*key[:2], life)] = Told(level, draw(st.booleans()), draw(st.booleans()))
        if draw(st.integers(0, 3)) == 0:
            acked = draw(st.one_of(st.none(), st.integers(-60, 6)))
            until = draw(st.sampled_from([None, NOW, NOW + timedelta(days=3)]))
            confirmed = draw(st.booleans())
            snoozes[key] = Snooze(*key, "kim", "on it", NOW, until, acked, confirmed)
    return heap, told, snoozes


def at_now(heap, told, snoozes, zone) -> list[Decision]:
    """All decisions of one run."""
    return decide(heap, tenant=TENANT, zone=zone, told=told, snoozes=snoozes, now=NOW)


@given(given_heap=heaps_with_history(), zone=st.sampled_from(ZONES).map(ZoneInfo))
@RELAXED
def test_every_credential_gets_one_decision_and_every_silence_has_a_reason(given_heap, zone):
    """No date and no mixture raises; what is said has a reason to be said."""
    heap, told, snoozes = given_heap
    made = at_now(heap, told, snoozes, zone)
    assert sorted(one.credential.uid for one in made) == sorted(one.uid for one in heap)
    for one in made:
        assert (one.reason in SAID) == (one.notice is not None)
        if one.reason is Reason.OVER:
            assert one.notice.kind in CLOSINGS
            about = one.notice.credential
            assert told[about.tenant, about.uid, about.life].open
        elif one.notice is not None:
            assert one.credential.removed_at is None
            assert one.credential.end is not None
            assert not one.credential.managed_identity
            assert not one.silenced


@given(
    given_heap=heaps_with_history(),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    chance=st.randoms(use_true_random=False),
)
@RELAXED
def test_the_order_of_the_credentials_does_not_matter(given_heap, zone, chance):
    """Shuffled facts give the same decisions in the same order."""
    heap, told, snoozes = given_heap
    shuffled = list(heap)
    chance.shuffle(shuffled)
    assert at_now(shuffled, told, snoozes, zone) == at_now(heap, told, snoozes, zone)


@given(given_heap=heaps_with_history(), zone=st.sampled_from(ZONES).map(ZoneInfo))
@RELAXED
def test_a_second_run_after_all_was_accepted_says_nothing(given_heap, zone):
    """Telling is told once."""
    heap, told, snoozes = given_heap
    told = dict(told)
    for one in at_now(heap, told, snoozes, zone):
        if one.notice is not None:
            about = one.notice.credential
            key = (about.tenant, about.uid, about.life)
            told[key] = after(told.get(key, Told()), [one.notice])
    assert [one.notice for one in at_now(heap, told, snoozes, zone) if one.notice] == []


@given(given_heap=heaps_with_history(), zone=st.sampled_from(ZONES).map(ZoneInfo))
@RELAXED
def test_a_lapsed_one_that_nothing_excuses_is_never_silent_before_it_was_told(given_heap, zone):
    """The fault that hurts most, looked for from the other side."""
    heap, told, snoozes = given_heap
    newer = lifecycle.successors(heap, NOW)
    for one in at_now(heap, told, snoozes, zone):
        each = one.credential
        key = (each.tenant, each.uid, each.life)
        excused = (
            each.removed_at is not None
            or each.managed_identity
            or key[:2] in newer
            or key in snoozes
            or (told.get(key, Told()).level or -1) > 0
        )
        if lifecycle.has_lapsed(each.end, NOW) and not excused:
            assert one.notice is not None
            assert str(one.notice.stage) == "L0"
