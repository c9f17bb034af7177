"""In any life nothing is lost, nothing is told twice, and what is silent was asked to be."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.house import BAD, House
from tests.faults.machine import SPRING, AnyLife
from tests.faults.office import Office

Build = Callable[[type[House]], House]


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


def live(build: Callable[[], House], *, chance: int, examples: int, steps: int, **how: object) -> None:
    """Many lives."""

    def machine() -> AnyLife:
        return AnyLife(build())

    seed(chance)(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), print_blob=False,
            phases=[Phase.generate, *([Phase.shrink] if how.get("shrink") else [])],
        ),
    )  # fmt: skip


def test_in_any_life_nothing_is_lost_or_told_twice(build: Build) -> None:
    """The short form."""
    live(lambda: build(House), chance=4, examples=int(os.environ.get("N", "8")), steps=30, shrink="S" in os.environ)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_product_with_a_known_fault_does_not_get_through(
    build: Build, bad: type[House]
) -> None:
    """Each was somebody's real fault, and is found within a few lives."""
    with pytest.raises(AssertionError) as found:
        live(lambda: build(bad), chance=1, examples=60, steps=30)
    print(str(found.value)[:300])
