"""Where the parts meet: digests that wait, and what happens to people and credentials meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.model import OutboxState, Recipient
from tests.faults.house import House
from tests.faults.office import BUSY, MUTE, OPEN, Office
from tests.faults.promises import Thing

EIGHT = datetime(2026, 3, 2, 8, 1, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
ME = "it@msp.example"
WEEK = (0, 1, 2, 3, 4)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Two tenants of one recipient, whose mails share the operator's path."""
    with Office() as office:
        made = House(tmp_path, f"sqlite:///{tmp_path}/x.db", office, EIGHT)
        made.app.make_database()
        for name in ("alfa", "beta"):
            made.put(name, "UTC", 8, {ME: None})
        yield made
        made.close()


def secret(house: House, name: str, days: float | None) -> None:
    """A scan of a tenant, whose secret ends in so many days from the beginning, or is gone."""
    end = None if days is None else EIGHT + days * DAY
    house.read(name, {} if end is None else {(name, "k"): Thing(f"app-{name}", "s", end)})


def said(house: House) -> list[tuple[str, tuple[str, ...], OutboxState, int]]:
    """Kind, tenants, state and tries of every digest, oldest first."""
    mails = reversed(house.mails())
    return [(str(m.mail.kind), m.tenants, m.state, m.attempt) for m in mails]


def test_an_end_to_a_former_recipient_waits_beside_the_warnings_of_others(house: House) -> None:
    """Both wait through an outage as what they are: nothing is taken back and written anew."""
    secret(house, "alfa", 20)
    secret(house, "beta", 20)
    assert house.tick()
    house.put("beta", "UTC", 8, {"new@beta.example": None})
    house.now = EIGHT + 7 * DAY
    secret(house, "alfa", 20)
    secret(house, "beta", None)
    house.office.mood = BUSY
    for _ in range(3):
        assert house.tick()
        house.now += 2 * MINUTE
    waiting = [row for row in said(house) if row[2] is not OutboxState.SENT]
    assert waiting == [
        ("reminder", ("alfa",), OutboxState.PENDING, 3),
        ("removed", ("beta",), OutboxState.PENDING, 3),
    ]
    house.office.mood = OPEN
    house.now += 10 * MINUTE
    assert house.tick()
    assert sorted(letter.kind for letter in house.office.letters[1:]) == ["reminder", "removed"]


def test_what_may_have_been_accepted_does_not_come_after_what_is_more_urgent(house: House) -> None:
    """The server takes a reminder and hangs up; the next stage takes its place."""
    secret(house, "alfa", 20)
    secret(house, "beta", 20)
    house.office.mood = MUTE
    assert house.tick()
    (row,) = house.mails()
    assert row.possible_duplicate
    house.office.mood = BUSY
    house.now = EIGHT + 7 * DAY  # stage 14
    for name in ("alfa", "beta"):
        secret(house, name, 20)
    assert house.tick()
    house.office.mood = OPEN
    house.now += 30 * MINUTE
    assert house.tick()
    assert [(state, str(kind)) for kind, _, state, _ in said(house)] == [
        (OutboxState.WITHDRAWN, "reminder"), (OutboxState.SENT, "reminder"),
    ]  # fmt: skip
    assert house.office.letters[-1].message_id == house.mails()[0].message_id


def unsure(house: House) -> str:
    """Alfa's is due soon, beta's later; the server takes the digest of both and hangs up."""
    secret(house, "alfa", 20)
    secret(house, "beta", 29)
    house.office.mood = MUTE
    assert house.tick()
    house.office.mood = BUSY
    (row,) = house.mails()
    assert row.possible_duplicate
    return row.message_id


def test_what_may_have_been_accepted_joins_what_is_said_anyway(house: House) -> None:
    """Its other tenant has reached no further stage: one digest with the current state of both."""
    unsure(house)
    house.now = EIGHT + 7 * DAY
    secret(house, "alfa", 20)
    secret(house, "beta", 29)
    assert house.tick()
    house.office.mood = OPEN
    house.now += 30 * MINUTE
    assert house.tick()
    assert said(house) == [
        ("reminder", ("alfa", "beta"), OutboxState.WITHDRAWN, 2),
        ("reminder", ("alfa", "beta"), OutboxState.SENT, 2),
    ]
    assert [letter.message_id for letter in house.office.letters[1:]] == [
        house.mails()[0].message_id
    ]
    before = house.dump()
    assert house.tick()
    assert house.dump() == before


def test_what_took_its_place_keeps_all_of_it_when_it_is_written_anew(house: House) -> None:
    """The second digest still waits when the third comes: nothing of the first is lost with it."""
    unsure(house)
    for days in (7, 13):
        house.now = EIGHT + days * DAY
        secret(house, "alfa", 20)
        secret(house, "beta", 29)
        assert house.tick()
    house.office.mood = OPEN
    house.now += 30 * MINUTE
    assert house.tick()
    [_, last] = house.office.letters
    (row,) = [mail for mail in house.mails() if mail.message_id == last.message_id]
    assert [(one.tenant, one.stage) for one in row.notices] == [("alfa", "7"), ("beta", "30")]


def test_what_may_have_been_accepted_is_sent_again_as_it_was_where_nothing_is_new(
    house: House,
) -> None:
    """In other words it would be a second mail; what goes by another path is none of its."""
    first = unsure(house)
    house.now = EIGHT + 3 * DAY
    assert house.tick()
    house.office.mood = OPEN
    house.now += 30 * MINUTE
    assert house.tick()
    assert [letter.message_id for letter in house.office.letters] == [first, first]


def test_a_look_at_night_tells_what_is_over_and_leaves_the_rest_to_its_hour(house: House) -> None:
    """Somebody is done with one secret; another one reached its next stage at midnight."""
    ends = {("alfa", name): Thing(f"app-{name}", "s", EIGHT + 20 * DAY) for name in ("k", "other")}
    house.read("alfa", ends)
    secret(house, "beta", None)
    assert house.tick()
    house.now = EIGHT + 6 * DAY - 5 * HOUR  # 03:01; both have 14 days left
    ends.pop(("alfa", "k"))
    house.read("alfa", ends)
    standing = house.app.runs.standing()
    (run,) = standing.runs
    house.app.runs.write_over(run.about("alfa"), standing)
    assert [kind for kind, *_ in said(house)] == ["reminder", "removed"]
    assert len(house.mails()[0].notices) == 1
    house.now += 5 * HOUR
    assert house.tick()
    assert [kind for kind, *_ in said(house)] == ["reminder", "removed", "reminder"]


def test_a_look_takes_nothing_back_that_waits(house: House) -> None:
    """What waits about the other secret is said in the mail that takes its place."""
    ends = {("alfa", name): Thing(f"app-{name}", "s", EIGHT + 20 * DAY) for name in ("k", "other")}
    house.read("alfa", ends)
    secret(house, "beta", None)
    assert house.tick()
    house.office.mood = BUSY
    house.now = EIGHT + 6 * DAY
    house.read("alfa", ends)
    secret(house, "beta", None)
    assert house.tick()
    ends.pop(("alfa", "k"))
    house.read("alfa", ends)
    standing = house.app.runs.standing()
    (run,) = standing.runs
    house.app.runs.write_over(run.about("alfa"), standing)
    (waiting,) = house.waiting()
    assert sorted(str(notice.kind) for notice in waiting.notices) == ["reminder", "removed"]


def test_what_is_urgent_goes_before_many_that_are_not(house: House) -> None:
    """A mailbox sends 30 a minute: the last of 40 tells of a lapse, and is the first to go."""
    names = [f"t{number:02}" for number in range(40)]
    for name in names:
        house.put(name, "UTC", 8, {f"it@{name}.example": None})
        secret(house, name, -0.5 if name == names[-1] else 20)
    for name in ("alfa", "beta"):
        secret(house, name, None)
    assert house.tick()
    assert house.office.letters[0].kind == "lapsed"
    assert len(house.office.letters) == 40


def test_what_a_withdrawn_digest_said_is_written_anew_on_a_day_off(house: House) -> None:
    """It was due on Friday; on Monday the other tenant's secret would have lapsed unannounced."""
    house.now = EIGHT + 4 * DAY
    for name in ("alfa", "beta"):
        entry = replace(house.tenant(name), recipients=(Recipient(ME, working_days=WEEK),))
        house.app.store.put_tenant(entry, now=house.now)
        secret(house, name, 6)
    house.office.mood = BUSY
    assert house.tick()
    house.now += DAY
    paused = replace(house.tenant("alfa"), paused=True)
    house.app.store.put_tenant(paused, now=house.now)
    house.office.mood = OPEN
    assert house.tick()
    assert [tenants for _, tenants, state, _ in said(house) if state is OutboxState.SENT] == [
        ("beta",)
    ]
