"""In any life nothing is lost, nothing is told twice, and what is silent was asked to be."""

from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Callable, Iterator
from email import message_from_bytes
from itertools import count
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import PostgreSQL
from tests.faults.bad_houses import (
    BAD,
    ForgetsWhatIsGone,
    IgnoresUse,
    KnowsNoShadow,
    SaysItIsOverEachDay,
    SnoozesForEver,
    SupersedesOwn,
    TellsAllWithWhatWasLost,
    TrustsALostAnswer,
    WaitsForTheClock,
)  # fmt: skip
from tests.faults.house import House
from tests.faults.machine import PEOPLE, SPRING, AnyLife
from tests.faults.office import BUSY, MUTE, OPEN, Office

Build = Callable[[type[House]], House]
SHORT = 25  # steps


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Nobody reads the log here, and it costs a third of the time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def office() -> Iterator[Office]:
    """A mail server."""
    with Office() as opened:
        yield opened


@pytest.fixture
def build(tmp_path: Path, migrated_sqlite: Path, office: Office) -> Build:
    """Builds houses, each over a fresh SQLite file."""
    numbers = count()

    def built(kind: type[House]) -> House:
        folder = tmp_path / f"life-{next(numbers)}"
        folder.mkdir()
        shutil.copy(migrated_sqlite, folder / "lapsewatch.db")
        return kind(folder, f"sqlite:///{folder / 'lapsewatch.db'}", office, SPRING)

    return built


def live(build: Callable[[], House], *, chance: int, lives: int, steps: int) -> None:
    """Many lives. To see the smallest one that fails, let Phase.shrink take its minutes."""

    def machine() -> AnyLife:
        return AnyLife(build())

    seed(chance)(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=lives, stateful_step_count=steps, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate], print_blob=False,
        ),
    )  # fmt: skip


def test_in_any_life_nothing_is_lost_or_told_twice(build: Build) -> None:
    """The short form."""
    live(lambda: build(House), chance=4, lives=4, steps=SHORT)


@pytest.mark.properties
@pytest.mark.parametrize("chance", range(10))
def test_in_three_hundred_lives_nothing_is_lost_or_told_twice(build: Build, chance: int) -> None:
    """The long form: 300 lives of 50 steps, in ten parts."""
    live(lambda: build(House), chance=chance, lives=30, steps=50)


@pytest.mark.properties
def test_on_postgresql_nothing_is_lost_or_told_twice(
    tmp_path: Path, office: Office, postgresql: PostgreSQL, migrated_postgresql: str
) -> None:
    """The same lives on the other database."""
    numbers = count()

    def built() -> House:
        folder = tmp_path / f"life-{next(numbers)}"
        folder.mkdir()
        url = postgresql.url(postgresql.create(migrated_postgresql))
        return House(folder, url, office, SPRING)

    live(built, chance=5, lives=15, steps=50)


def test_both_databases_send_the_same_mails(
    build: Build, tmp_path: Path, office: Office, postgresql: PostgreSQL, migrated_postgresql: str
) -> None:
    """The same life on each: the same letters, in the same order."""
    url = postgresql.url(postgresql.create(migrated_postgresql))
    houses = build(House), House(tmp_path, url, office, SPRING)
    sent = [by_chance(AnyLife(house), random.Random(7)) for house in houses]
    assert sent[0] == sent[1]
    assert len(sent[0]) > 3


def by_chance(life: AnyLife, chance: random.Random) -> list[tuple[str, str, str]]:
    """A dozen things happen; returns to whom the letters were, of which kind, and their subject."""
    life.move_in([3, 20, 40])
    uids = [life.first(9)]
    for _ in range(12):
        what = chance.choice(["add", "prolong", "snooze", "acknowledge", "people", "mail"])
        if what == "add":
            uids.append(life.add(chance.choice(["mail", "shop"]), chance.randint(-3, 60)))
        elif what == "prolong":
            life.prolong(chance.choice(uids), 26)
        elif what == "snooze":
            life.snooze(chance.choice(uids), 2)
        elif what == "acknowledge":
            life.acknowledge(chance.choice(uids))
        elif what == "people":
            life.people("contoso", chance.choice(PEOPLE), chance.choice([None, "UTC"]))
        else:
            life.mail(chance.choice([OPEN, BUSY]), None)
        life.live_on(1)
    letters = list(life.office.letters)
    life.teardown()
    return [(x.to, x.kind, str(message_from_bytes(x.raw)["Subject"])) for x in letters]


@pytest.mark.properties
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_product_with_a_known_fault_does_not_get_through(build: Build, bad: type[House]) -> None:
    """Each was somebody's real fault, and is found within a few lives of the short form."""
    with pytest.raises(AssertionError, match=r"P1|P12|P20|nobody had to say|told"):
        live(lambda: build(bad), chance=3, lives=60, steps=SHORT)


# --- one life for each fault that chance seldom meets ---------------------------------------------


def signed_in_with(life: AnyLife) -> None:
    """A newer secret beside the one that the monitor signs in with."""
    life.move_in([])
    mine = life.first(9)
    life.sign_in_with(mine)
    life.renew(mine, 90, moved=True)
    life.live(5)  # to ten o'clock: everybody's run has come


def still_used(life: AnyLife) -> None:
    """The old one of two is used for days."""
    life.move_in([])
    life.left_behind(10)
    life.live(5)
    life.live_on(5)


def in_shadow(life: AnyLife) -> None:
    """A tenant that was just taken over reaches a stage."""
    life.move_in([16], dark=20)
    life.live(5)
    life.live_on(3)


def gone(life: AnyLife) -> None:
    """What was warned about is deleted."""
    life.move_in([])
    uid = life.first(9)
    life.live(5)
    life.delete(uid)
    life.live_on(2)


def set_back(life: AnyLife) -> None:
    """The clock is set back, and something new is due."""
    life.move_in([30])
    life.live(5)
    life.jump(-24 * 12)
    life.add("mail", 5)
    life.live(24)


def snoozed(life: AnyLife) -> None:
    """A snooze ends."""
    life.move_in([])
    uid = life.first(9)
    life.live(5)
    life.snooze(uid, 2)
    life.live_on(3)


def refused(life: AnyLife) -> None:
    """A mail is taken without an answer, then refused; a day later the address is known again."""
    life.move_in([])
    life.first(9)
    life.mail(MUTE, None)
    life.live(5)
    life.mail(OPEN, PEOPLE[0])
    life.live(1)
    life.mail(OPEN, PEOPLE[0])
    life.live(24)


def moved_at_night(life: AnyLife) -> None:
    """A digest waits when its reader moves for one of its tenants, and more is due by then."""
    life.move_in([])
    life.first(9)
    life.add("shop", 9)
    for name in ("contoso", "fabrikam"):
        life.people(name, PEOPLE[2], "Pacific/Apia")
    life.mail(BUSY, None)
    life.live(5)
    life.people("contoso", PEOPLE[2], "UTC")
    life.add("shop", 9)
    life.mail(OPEN, None)
    life.live(5)  # half past four in Apia
    life.live_on(1)


@pytest.mark.parametrize(
    ("lived", "bad", "found"),
    [
        (signed_in_with, SupersedesOwn, "P1: lost .*reminder"),
        (still_used, IgnoresUse, "P1: lost .*reminder"),
        (in_shadow, KnowsNoShadow, "nobody had to say .*reminder"),
        (gone, ForgetsWhatIsGone, "P1: lost .*removed"),
        (gone, SaysItIsOverEachDay, "P24|nobody had to say .*removed"),
        (set_back, WaitsForTheClock, "P1: lost .*reminder"),
        (snoozed, SnoozesForEver, "P1: lost .*reminder"),
        (refused, TrustsALostAnswer, "P1: lost .*reminder"),
        (moved_at_night, TellsAllWithWhatWasLost, "nobody had to say .*shop:3.*reminder"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_life_that_shows_a_fault_shows_none_of_the_product(
    build: Build, lived: Callable[[AnyLife], None], bad: type[House], found: str
) -> None:
    """Own secrets, uses, shadows, endings, clocks, snoozes, refusals and moves, one by one."""
    lived(AnyLife(build(House)))
    with pytest.raises(AssertionError, match=found):
        lived(AnyLife(build(bad)))
