"""Hour by hour from a hundred days before the end to forty after it, where clocks change."""

from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog

from jobs.send_warnings import JOB
from monitor.model import OutboxMail
from monitor.timetable import daily_instant
from tests.faults.house import House, short
from tests.faults.office import BUSY, GONE, OPEN, Office
from tests.faults.sayings import LADDER, WEEKS, Thing, Uid, urgency

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Pacific/Apia",
)  # fmt: skip
STEADY = ("UTC", "Asia/Kathmandu", "Pacific/Apia")  # no clock changes there
ANN = "ann@a.example"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEFORE, AFTER = 100 * DAY, 40 * DAY
# Their walks hold the clock changes of spring and autumn, north and south.
ENDS = (datetime(2026, 4, 20), datetime(2026, 11, 20))  # noqa: DTZ001 (each zone has its own)
SEND_HOUR = 2  # a wall time that a change of the clocks skips, or has twice
Up = Callable[[datetime], str]  # the mood of the mail server; "off" where nothing runs at all
Begin = Callable[..., "Walk"]
Told = list[tuple[date, str, str]]  # local date of the arrival, credential, stage


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Nobody reads the log here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@dataclass
class Walk:
    """One store in one zone; two credentials for each end, one of which lapses before the run."""

    house: House
    zone: ZoneInfo
    things: dict[Uid, Thing]
    every_hour: bool  # tick also where nothing can be due
    ends: tuple[datetime, ...]

    def lived(self, up: Up) -> Told:
        """All that arrives until the end of the last one's walk."""
        return [said for end in self.ends for said in self._near(end.replace(tzinfo=self.zone), up)]

    def _near(self, end: datetime, up: Up) -> Told:
        house, told = self.house, []
        house.now = (end.astimezone(UTC) - BEFORE).replace(minute=0)
        house.read("contoso", self.things)
        [run] = house.app.runs.standing().runs
        done, behind = house.app.store.last_slots(JOB), False
        while house.now < end + AFTER:
            house.now += HOUR
            mood, slot = up(house.now), run.slot(house.now)
            due = slot is not None and done.get(run.scope) != slot
            if mood == "off" or not (due or behind or self.every_hour):
                continue
            house.office.mood = mood
            told += self._tick()
            done, behind = house.app.store.last_slots(JOB), bool(house.waiting())
            if mood == OPEN and not behind:
                self._most_urgent_is_told(told)
        return told

    def _tick(self) -> Told:
        house, seen = self.house, len(self.house.office.letters)
        house.tick()
        today = house.now.astimezone(self.zone).date()
        rows = {mail.message_id: mail for mail in house.mails()}
        new = [rows[x.message_id] for x in house.office.letters[seen:] if x.message_id in rows]
        self._says_what_is_so(new)
        return [(today, short(one.uid), one.stage) for mail in new for one in mail.notices]

    def _says_what_is_so(self, mails: Iterable[OutboxMail]) -> None:
        """What leaves after the end says that it has lapsed, however long it has waited."""
        ends = {uid[1]: thing.end for uid, thing in self.things.items()}
        for one in (notice for mail in mails for notice in mail.notices):
            end = ends[short(one.uid)]
            assert end is not None
            assert one.stage.startswith("L") or end > self.house.now, one

    def _most_urgent_is_told(self, told: Told) -> None:
        """Where mail works again, what has lapsed was told as lapsed, whatever came before it.

        By the run of the day after the end at the latest.
        """
        for uid, thing in self.things.items():
            assert thing.end is not None
            stage = urgency(thing.end, self.house.now, self.zone)
            if stage is not None and stage > 0 and self.house.now < thing.end + AFTER:
                after = thing.end.astimezone(self.zone).date() + DAY
                ran = self.house.now >= daily_instant(after, time(SEND_HOUR), self.zone)
                assert not ran or (uid[1], "L0") in {(key, one) for _, key, one in told}


@pytest.fixture(params=ZONES)
def walk(request: pytest.FixtureRequest, tmp_path: Path, migrated_sqlite: Path) -> Iterator[Begin]:
    """Begins a walk in each zone."""
    zone = ZoneInfo(request.param)
    things = {
        ("contoso", f"mail:{number}{word}"): Thing(
            f"mail{number}{word}", "x", day.replace(hour=hour, minute=30, tzinfo=zone)
        )
        for number, day in enumerate(ENDS)
        for word, hour in (("early", 1), ("late", 15))
    }
    shutil.copy(migrated_sqlite, tmp_path / "lapsewatch.db")
    with Office() as office:

        def begun(
            every_hour: bool = False, ends: tuple[datetime, ...] = ENDS, short: bool = False
        ) -> Walk:
            if short and zone.key in STEADY:
                ends = ENDS[:1]
            begin = ENDS[0].replace(tzinfo=UTC) - BEFORE - DAY
            house = House(tmp_path, f"sqlite:///{tmp_path / 'lapsewatch.db'}", office, begin)
            house.put("contoso", zone.key, SEND_HOUR, {ANN: None})
            mine = {uid: one for uid, one in things.items() if int(uid[1][5]) < len(ends)}
            return Walk(house, zone, mine, every_hour, ends)

        yield begun


def wanted(walk: Walk) -> Told:
    """Each stage on its own day, once."""
    found: Told = []
    for (_, key), thing in walk.things.items():
        assert thing.end is not None
        day = thing.end.astimezone(walk.zone).date()
        early = key.endswith("early")
        found += [(day - n * DAY, key, str(n)) for n in LADDER if n or not early]
        found += [(day if early else day + DAY, key, "L0")]
        found += [(day + 7 * week * DAY, key, f"L{week}") for week in range(1, WEEKS + 1)]
    return sorted(found)


def outages(seed: int) -> Up:
    """Days of silence of each sort, and good ones, at random."""
    chance, spans = random.Random(seed), {}

    def up(now: datetime) -> str:
        block = int(now.timestamp()) // (86_400 * (1 + seed % 5))
        if block not in spans:
            spans[block] = chance.choice([OPEN, OPEN, "off", BUSY, GONE])
        return str(spans[block])

    return up


def check_outages(walk: Walk, seed: int) -> None:
    """Nothing twice, nothing backwards, and the lapse of each."""
    up = outages(seed)
    told = walk.lived(up)
    assert len(told) == len({(key, stage) for _, key, stage in told})
    order = [*map(str, LADDER), *(f"L{week}" for week in range(WEEKS + 1))]
    for _, key in walk.things:
        stages = [order.index(stage) for _, name, stage in told if name == key]
        assert stages == sorted(stages)
        assert order.index("L0") in stages


def test_without_outages_each_stage_comes_once_and_on_its_local_day(walk: Begin) -> None:
    """3,360 hours for each end; where no clock changes, one end is enough."""
    begun = walk(short=True)
    assert sorted(begun.lived(lambda _: OPEN)) == wanted(begun)


@pytest.mark.parametrize(
    ("walk", "seed"),
    [("Asia/Kathmandu", 3), ("America/New_York", 3)],
    indirect=["walk"],
)
def test_with_outages_no_stage_comes_twice_and_the_lapse_always(walk: Begin, seed: int) -> None:
    """One end; the clocks of one of these zones change. The long form has all six."""
    check_outages(walk(ends=ENDS[:1]), seed)


@pytest.mark.properties
@pytest.mark.parametrize("seed", range(1, 6))
def test_with_many_outages_no_stage_comes_twice(walk: Begin, seed: int) -> None:
    """More seeds."""
    check_outages(walk(), seed)


@pytest.mark.properties
def test_with_a_tick_each_hour_nothing_more_is_said(walk: Begin) -> None:
    """The job itself says each hour whether anything is due."""
    begun = walk(every_hour=True)
    assert sorted(begun.lived(lambda _: OPEN)) == wanted(begun)
