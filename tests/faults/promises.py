"""What people must be told, by the words of the promises: shares no code with the product.

The warnings' rules, said anew: what is known of each credential, who is asked about daily and
when, which stage holds, who has heard of it, and who asked for silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

LADDER = (60, 30, 14, 7, 3, 1, 0)
WEEKS = 4
JUST_LAPSED = 1  # the urgency of L0; Lk has 1 + k, and a threshold of T days has -T
OVERTAKEN = timedelta(hours=26)
Who = str  # an address in lower case
Uid = tuple[str, str]  # tenant, and the credential's name within it
Life = tuple[str, str, int]
Heard = tuple[Who, str, str, int]
Perhaps = dict[tuple[Heard, bool], int]  # and whether it was the mere hint of a newer one


@dataclass(frozen=True)
class Thing:
    """A credential in the directory: on which object, under which name, until when."""

    place: str
    name: str
    end: datetime | None


@dataclass(frozen=True)
class Known:
    """What has to be known of a credential after the scans so far."""

    thing: Thing
    life: int = 1
    removed: bool = False
    proven: bool = True


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
class Run:
    """One address in one zone at one hour, and the tenants it is told about."""

    who: Who
    zone: str
    hour: int
    tenants: tuple[str, ...]

    def slot(self, now: datetime) -> datetime | None:
        """The instant of today's run, once it has come."""
        local = now.astimezone(ZoneInfo(self.zone))
        at = local.replace(hour=self.hour, minute=0, second=0, microsecond=0, fold=0)
        return at.astimezone(UTC) if at.astimezone(UTC) <= now else None


@dataclass
class Promises:
    """All that the product has to know, and whom it has to tell what.

    `people` are the recipients of each tenant with their zones; `zones` the tenants' own.
    """

    zones: dict[str, str]
    hours: dict[str, int]
    people: dict[str, dict[Who, str | None]]
    truth: dict[Uid, Thing] = field(default_factory=dict)
    known: dict[Uid, Known] = field(default_factory=dict)
    quiet: dict[Life, Quiet] = field(default_factory=dict)
    told: dict[Heard, int] = field(default_factory=dict)
    told_covered: set[Heard] = field(default_factory=set)
    done: set[tuple[Who, str, datetime]] = field(default_factory=set)
    newest: dict[str, datetime] = field(default_factory=dict)
    nobody: Who = "noc@msp.example"  # is told where a tenant has no recipient

    # --- what is known ------------------------------------------------------------------------

    def read(self, tenant: str, *, whole: bool, seen: Iterable[Uid], at: datetime) -> None:
        """A scan saw these: a whole one proves what is there and what is not, another adds.

        One that began up to a day before the newest whole one was overtaken, and counts for
        nothing; where it seems still older, the clock was wrong meanwhile.
        """
        newest = self.newest.get(tenant)
        if newest is not None and timedelta(0) < newest - at <= OVERTAKEN:
            return
        if whole:
            self.newest[tenant] = at
        zone = ZoneInfo(self.zones[tenant])
        seen = set(seen)
        for uid in seen:
            thing, old = self.truth[uid], self.known.get(uid)
            if whole or old is None or old.removed:
                life = 1 if old is None else old.life + _renewed(old.thing, thing, zone)
                self.known[uid] = Known(thing, life, proven=whole)
        if whole:
            for uid, old in self.known.items():
                if uid[0] == tenant and uid not in seen:
                    self.known[uid] = replace(old, removed=True)

    def life(self, uid: Uid) -> Life:
        """The present life of a credential."""
        return *uid, self.known[uid].life

    # --- when somebody is told ------------------------------------------------------------------

    def runs(self) -> list[Run]:
        """Every daily run there is."""
        found: dict[tuple[Who, str], tuple[list[int], list[str]]] = {}
        for tenant, people in self.people.items():
            for who, zone in (people or {self.nobody: "UTC"}).items():
                hours, tenants = found.setdefault((who, zone or self.zones[tenant]), ([], []))
                hours.append(self.hours[tenant] if people else 8)
                tenants.append(tenant)
        return [Run(who, zone, min(h), tuple(t)) for (who, zone), (h, t) in found.items()]

    def due(self, now: datetime) -> list[Run]:
        """The runs whose time has come today and that did not happen yet."""
        slots = [(run, run.slot(now)) for run in self.runs()]
        return [r for r, slot in slots if slot and (r.who, r.zone, slot) not in self.done]

    def finish(self, run: Run, now: datetime) -> None:
        """The run of today has happened."""
        slot = run.slot(now)
        assert slot is not None
        self.done.add((run.who, run.zone, slot))

    # --- what they are told ----------------------------------------------------------------------

    def says(self, run: Run, now: datetime, perhaps: Perhaps) -> Iterator[Say]:
        """What a run has to tell; `perhaps` may have been told, and is not said in other words."""
        zone = ZoneInfo(run.zone)
        for uid, known in self.known.items():
            if uid[0] in run.tenants and not known.removed and known.thing.end is not None:
                said = self._says_of(run.who, uid, known, known.thing.end, now, zone, perhaps)
                if said is not None:
                    yield said

    def _says_of(
        self, who: Who, uid: Uid, known: Known, end: datetime, now: datetime, zone: ZoneInfo,
        perhaps: Perhaps,
    ) -> Say | None:  # fmt: skip
        life = (*uid, known.life)
        heard = (who, *life)
        level = urgency(end, now, zone)
        if self.is_quiet(life, end, level, now):
            return None
        left = (end.astimezone(zone).date() - now.astimezone(zone).date()).days
        if self._newer(uid, known, now):
            new = heard not in self.told_covered and (heard, True) not in perhaps
            covered = left <= 7 and end > now and new
            return Say(who, life, "covered", str(left), -(10**6)) if covered else None
        before = max(self.told.get(heard, -999), perhaps.get((heard, False), -999))
        if level is None or before >= level:
            return None
        shown = JUST_LAPSED if level > 0 and before < JUST_LAPSED else level
        words = f"L{shown - 1}" if shown > 0 else str(-shown)
        return Say(who, life, "lapsed" if level > 0 else "reminder", words, level)

    def is_quiet(self, life: Life, end: datetime, level: int | None, now: datetime) -> bool:
        """Whether somebody asked for silence about this very life, and it has not ended."""
        quiet = self.quiet.get(life)
        if quiet is None or (quiet.until is not None and quiet.until <= now):
            return False
        if quiet.acked is not None:
            return level is not None and level <= quiet.acked
        return quiet.past_the_end or now < end

    def _newer(self, uid: Uid, known: Known, now: datetime) -> bool:
        """Whether a proven and valid one on the same object ends later."""
        assert known.thing.end is not None
        others = (
            other.thing.end
            for name, other in self.known.items()
            if name[0] == uid[0] and other.thing.place == known.thing.place
            if other.proven and not other.removed
        )
        return any(end is None or (end > now and end > known.thing.end) for end in others)

    def hear(self, said: Say, *, perhaps_again: bool) -> None:
        """Somebody has been told; never the same twice, never something less urgent after it.

        Only a mail that may have been taken before (`perhaps_again`) may come after a newer one:
        nobody knows, so it goes again as it was.
        """
        if said.kind == "covered":
            assert said.heard not in self.told_covered, f"told twice: {said}"
            self.told_covered.add(said.heard)
            return
        before = self.told.get(said.heard)
        if perhaps_again and before is not None and said.level < before:
            return
        assert before is None or said.level > before, f"told {before} before: {said}"
        self.told[said.heard] = said.level


def urgency(end: datetime, now: datetime, zone: ZoneInfo) -> int | None:
    """How urgent it is by the local calendar: None before the first stage."""
    day, today = end.astimezone(zone).date(), now.astimezone(zone).date()
    if end <= now:
        weeks = sum(today >= day + timedelta(days=7 * week) for week in range(1, WEEKS + 1))
        return JUST_LAPSED + weeks
    passed = [days for days in LADDER if today >= day - timedelta(days=days)]
    return -min(passed) if passed else None


def _renewed(old: Thing, new: Thing, zone: ZoneInfo) -> bool:
    if old.end is None or new.end is None:
        return old.end is not None and new.end is None
    return new.end.astimezone(zone).date() > old.end.astimezone(zone).date()
