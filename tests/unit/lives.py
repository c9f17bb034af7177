"""Lives of credentials, made up by Hypothesis, and a walk through what is told in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st

from monitor import lifecycle
from monitor.decide import StageOf, Told, decide
from monitor.model import (
    Credential,
    CredentialRef,
    Notice,
    Snooze,
    Tenant,
)
from monitor.timetable import daily_instant
from monitor.turns import heard
from tests.unit import lifecycle_samples

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # moves its clocks by half an hour
    "Asia/Kathmandu",  # a quarter of an hour off
    "Pacific/Apia",  # a day ahead of its neighbours
    "America/Havana",  # moves its clocks at midnight
]
TENANT = Tenant("contoso", "directory", "global", "client", CredentialRef("secret", "env:X"))
KEY = ("contoso", "a", 1)
NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
DAYS_BEFORE = 100
DAYS_AFTER = 45
RELAXED = settings(deadline=None)


@dataclass(frozen=True)
class Life:
    """One credential, its policy, and where and when its recipient reads mail."""

    end: datetime
    zone: ZoneInfo
    thresholds: tuple[int, ...]
    weeks: int
    hour: int

    @property
    def end_date(self) -> date:
        """The local date of the end."""
        return self.end.astimezone(self.zone).date()

    @property
    def tenant(self) -> Tenant:
        """The tenant with this policy."""
        return replace(TENANT, thresholds=self.thresholds, weekly_after_lapse=self.weeks)

    @property
    def credential(self) -> Credential:
        """The credential."""
        return credential("a", end=self.end)

    def runs(self) -> list[datetime]:
        """One run per local date, from long before the end until long after it."""
        first = self.end_date - timedelta(days=DAYS_BEFORE)
        days = (first + timedelta(days=n) for n in range(DAYS_BEFORE + DAYS_AFTER))
        return [daily_instant(day, time(self.hour), self.zone) for day in days]


def credential(uid: str, *, end: datetime | None, **changes) -> Credential:
    """A secret that started long ago, but for the changes."""
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    return lifecycle_samples.credential(uid, **{"start": long_ago, "end": end, **changes})


lives = st.builds(
    Life,
    # The seconds of 2026 to 2028, so that leap days and clock changes are met; and full hours,
    # so that an end meets a run to the second.
    end=st.one_of(
        st.integers(1_767_225_600, 1_861_919_999),
        st.integers(490_896, 517_199).map(lambda hours: hours * 3600),
    ).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    thresholds=st.one_of(
        st.just((60, 30, 14, 7, 3, 1, 0)),
        st.lists(st.integers(0, DAYS_BEFORE - 5), max_size=8).map(tuple),
    ),
    weeks=st.integers(0, 5),
    hour=st.sampled_from([0, 2, 7, 8, 23]),
)
# For each day whether the monitor is up: single bad days, and outages of weeks.
uptimes = st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=60).map(
    lambda spans: [up for up, length in spans for _ in range(length)]
)


def after(told: Told, notices: Iterable[Notice]) -> Told:
    """What is told once these notices were accepted."""
    for notice in notices:
        told = heard(told, notice)
    return told


def walk(
    life: Life,
    runs: Iterable[datetime],
    *others: Credential,
    snooze: Snooze | None = None,
    stage_of: StageOf = lifecycle.current_stage,
) -> list[tuple[datetime, Notice]]:
    """All that is said about the credential of this life in these runs, each mail accepted."""
    told = Told()
    said = []
    for now in runs:
        for _ in range(2):  # the second run on the same facts must find nothing to say
            made = decide(
                [life.credential, *others],
                tenant=life.tenant,
                zone=life.zone,
                told={KEY: told},
                snoozes={KEY: snooze} if snooze else {},
                now=now,
                stage_of=stage_of,
            )
            notices = [one.notice for one in made if one.notice and one.credential.uid == "a"]
            said += [(now, notice) for notice in notices]
            told = after(told, notices)
    return said


def up_on(runs: list[datetime], uptime: list[bool]) -> list[datetime]:
    """The runs on the days the monitor is up; the pattern is repeated as needed."""
    return list(itertools.compress(runs, itertools.cycle(uptime)))
