"""The nouns of the promises: what is known, what is to be told, and what somebody has heard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

LADDER = (60, 30, 14, 7, 3, 1, 0)
WEEKS = 4
JUST_LAPSED = 1  # the urgency of L0; Lk has 1 + k, and a threshold of T days has -T
NOTHING = -(10**6)  # below every stage
OVERTAKEN = timedelta(hours=26)
NEAR = 14  # days before its end from which one that is superseded and still used is warned about
SETTLED, MOVED, LATELY = timedelta(days=2), timedelta(days=1), timedelta(days=31)
OVER = ("renewed", "removed")
Who = str  # an address in lower case
Uid = tuple[str, str]  # tenant, and the credential's name within it
Life = tuple[str, str, int]
Heard = tuple[Who, str, str, int]


@dataclass(frozen=True)
class Thing:
    """A credential in the directory: on which object, under which name, until and since when."""

    place: str
    name: str
    end: datetime | None
    start: datetime | None = None


@dataclass(frozen=True)
class Known:
    """What has to be known of a credential after the scans so far."""

    thing: Thing
    life: int = 1
    removed: bool = False
    proven: bool = True
    own: bool = False  # the monitor itself signs in with it


@dataclass(frozen=True)
class Quiet:
    """A silence: a snooze until an instant, or (acked) until a stage worse than that."""

    until: datetime | None = None
    acked: int | None = None
    past_the_end: bool = False


@dataclass(frozen=True)
class Say:
    """One thing to be told: to whom, about what, the words' stage, and what counts as told."""

    to: Who
    about: Life
    kind: str
    stage: str
    level: int

    @property
    def heard(self) -> Heard:
        """The key of what this one has heard."""
        return self.to, *self.about


@dataclass(frozen=True)
class Ear:
    """What somebody has heard of one life; `staged` and `closed` count the mails in order."""

    level: int = NOTHING
    covered: bool = False  # that there is a newer one, in the last week
    staged: int = 0  # the newest mail with a stage
    closed: int = 0  # the newest mail that said that it is over

    @property
    def open(self) -> bool:
        """Whether a stage was heard, and not yet that it is over."""
        return self.level > NOTHING and self.closed <= self.staged

    def after(self, said: Say, number: int) -> Ear:
        """The same, when the mail of this number has said that, too."""
        if said.kind == "covered":
            return replace(self, covered=True)
        if said.kind in OVER:
            soon = said.kind == "renewed" and -7 <= said.level <= 0
            return replace(self, closed=max(self.closed, number), covered=self.covered or soon)
        level, staged = max(self.level, said.level), max(self.staged, number)
        return replace(self, level=level, staged=staged)

    def knows(self, said: Say) -> bool:
        """Whether this was heard."""
        if said.kind == "covered":
            return self.covered
        return not self.open if said.kind in OVER else self.level >= said.level

    def joined(self, other: Ear) -> Ear:
        """What was heard by the one way or the other."""
        return Ear(
            max(self.level, other.level),
            self.covered or other.covered,
            max(self.staged, other.staged),
            max(self.closed, other.closed),
        )


Ears = dict[Heard, Ear]
DEAF = Ear()
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Run:
    """One address in one zone at one hour, and the tenants it is told about.

    Of those in `ends` it is told only what is over.
    """

    who: Who
    zone: str
    hour: int
    tenants: tuple[str, ...]
    ends: frozenset[str] = frozenset()

    def slot(self, now: datetime) -> datetime | None:
        """The instant of today's run, once it has come."""
        local = now.astimezone(ZoneInfo(self.zone))
        at = local.replace(hour=self.hour, minute=0, second=0, microsecond=0, fold=0)
        return at.astimezone(UTC) if at.astimezone(UTC) <= now else None


def urgency(end: datetime, now: datetime, zone: ZoneInfo) -> int | None:
    """How urgent it is by the local calendar: None before the first stage."""
    day, today = end.astimezone(zone).date(), now.astimezone(zone).date()
    if end <= now:
        weeks = sum(today >= day + timedelta(days=7 * week) for week in range(1, WEEKS + 1))
        return JUST_LAPSED + weeks
    passed = [days for days in LADDER if today >= day - timedelta(days=days)]
    return -min(passed) if passed else None
