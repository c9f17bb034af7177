"""What people must be told, by the words of the promises: shares no code with the product.

The warnings' rules, said anew: what is known of each credential, who is asked about daily and
when, which stage holds, who has heard of it, and who asked for silence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.faults.sayings import (
    DEAF,
    FIRST,
    JUST_LAPSED,
    LAST,
    LATELY,
    MOVED,
    NEAR,
    NOTHING,
    OVER,
    OVERTAKEN,
    SETTLED,
    Ear,
    Ears,
    Heard,
    Known,
    Life,
    Quiet,
    Run,
    Say,
    Thing,
    Uid,
    Who,
    urgency,
)


@dataclass
class Promises:
    """All that the product has to know, and whom it has to tell what.

    `people` are the recipients of each tenant with their zones; `zones` the tenants' own. `ours`
    is what the monitor signs in with, and `shadow` until when a tenant's reminders are held back.
    """

    zones: dict[str, str]
    hours: dict[str, int]
    people: dict[str, dict[Who, str | None]]
    shadow: dict[str, datetime | None] = field(default_factory=dict)
    truth: dict[Uid, Thing] = field(default_factory=dict)
    known: dict[Uid, Known] = field(default_factory=dict)
    quiet: dict[Life, Quiet] = field(default_factory=dict)
    told: Ears = field(default_factory=dict)
    heard_in: list[tuple[int, Say]] = field(default_factory=list)  # the mail's number, its words
    done: set[tuple[Who, str, datetime]] = field(default_factory=set)
    newest: dict[str, datetime] = field(default_factory=dict)
    ours: Uid | None = None
    uses: dict[Uid, datetime] = field(default_factory=dict)
    reported: dict[str, datetime] = field(default_factory=dict)  # as of when the uses are known
    nobody: Who = "noc@msp.example"  # is told where a tenant has no recipient

    # --- what is known ------------------------------------------------------------------------

    def read(
        self, tenant: str, *, whole: bool, seen: Iterable[Uid], at: datetime,
        uses: Mapping[Uid, datetime] | None = None,
    ) -> None:  # fmt: skip
        """A scan saw these: a whole one proves what is there and what is not, another adds.

        One that began up to a day before the newest whole one was overtaken, and counts for
        nothing; where it seems still older, the clock was wrong meanwhile. With `uses` it was
        also told when each last signed in.
        """
        newest = self.newest.get(tenant)
        if newest is not None and timedelta(0) < newest - at <= OVERTAKEN:
            return
        if uses is not None:
            self.reported[tenant] = at
            for uid, used in uses.items():
                self.uses[uid] = max(used, self.uses.get(uid, used))
        if whole:
            self.newest[tenant] = at
        zone = ZoneInfo(self.zones[tenant])
        seen = set(seen)
        for uid in seen:
            thing, old = self.truth[uid], self.known.get(uid)
            if whole or old is None or old.removed:
                life = 1 if old is None else old.life + _renewed(old.thing, thing, zone)
                self.known[uid] = Known(thing, life, proven=whole, own=uid == self.ours)
        if whole:
            for uid, old in self.known.items():
                if uid[0] == tenant and uid not in seen:
                    self.known[uid] = replace(old, removed=True)

    def life(self, uid: Uid) -> Life:
        """The present life of a credential."""
        return *uid, self.known[uid].life

    def heard(self, perhaps: Ears) -> Ears:
        """What everybody has heard, or may have."""
        every = {*self.told, *perhaps}
        return {key: self.told.get(key, DEAF).joined(perhaps.get(key, DEAF)) for key in every}

    # --- when somebody is told ------------------------------------------------------------------

    def runs(self, perhaps: Ears) -> list[Run]:
        """Every daily run there is, those of people included who have only to hear the end."""
        found: dict[tuple[Who, str], Run] = {}
        for tenant, people in self.people.items():
            for who, own in (people or {self.nobody: "UTC"}).items():
                zone, hour = own or self.zones[tenant], self.hours[tenant] if people else 8
                old = found.get((who, zone), Run(who, zone, hour, ()))
                tenants = (*old.tenants, tenant)
                found[who, zone] = replace(old, hour=min(old.hour, hour), tenants=tenants)
        served = {(run.who, tenant) for run in found.values() for tenant in run.tenants}
        owed = {(key[0], key[1]) for key, ear in self.heard(perhaps).items() if ear.open}
        for who, tenant in sorted(owed - served):
            mine = bool(self.people[tenant])
            zone, hour = (self.zones[tenant], self.hours[tenant]) if mine else ("UTC", 8)
            old = found.get((who, zone), Run(who, zone, hour, ()))
            ends = old.ends | {tenant}
            found[who, zone] = replace(old, tenants=(*old.tenants, tenant), ends=ends)
        return list(found.values())

    def due(self, now: datetime, perhaps: Ears) -> list[Run]:
        """The runs whose time has come today and that did not happen yet."""
        slots = [(run, run.slot(now)) for run in self.runs(perhaps)]
        return [r for r, slot in slots if slot and (r.who, r.zone, slot) not in self.done]

    def finish(self, run: Run, now: datetime) -> None:
        """The run of today has happened."""
        slot = run.slot(now)
        assert slot is not None
        self.done.add((run.who, run.zone, slot))

    # --- what they are told ----------------------------------------------------------------------

    def says(self, run: Run, now: datetime, perhaps: Ears) -> Iterator[Say]:
        """What a run has to tell; `perhaps` may have been told, and is not said in other words.

        Of a tenant in shadow all is told once, to who never heard of it; then what is over.
        """
        ears = self.heard(perhaps)
        for tenant in run.tenants:
            judges = [
                Judge(self, run.who, uid, known, now, ZoneInfo(run.zone), ears)
                for uid, known in self.known.items()
                if uid[0] == tenant
            ]
            every = [said for one in judges if (said := one.says()) is not None]
            due = any(said.kind in ("reminder", "lapsed") for said in every)
            dark = self.in_shadow(tenant, now) and (
                self._welcomed(run.who, tenant, ears) or not due
            )
            if dark or tenant in run.ends:
                yield from (said for one in judges if (said := one.over()) is not None)
            else:
                yield from every

    def in_shadow(self, tenant: str, now: datetime) -> bool:
        """Whether the reminders about a tenant are held back."""
        until = self.shadow.get(tenant)
        return until is not None and now < until

    def _welcomed(self, who: Who, tenant: str, ears: Ears) -> bool:
        mine = [ear for key, ear in ears.items() if key[:2] == (who, tenant)]
        return any(ear.level > NOTHING or ear.covered for ear in mine)

    def is_quiet(self, life: Life, end: datetime, level: int | None, now: datetime) -> bool:
        """Whether somebody asked for silence about this very life, and it has not ended."""
        quiet = self.quiet.get(life)
        if quiet is None or (quiet.until is not None and quiet.until <= now):
            return False
        if quiet.acked is not None:
            return level is not None and level <= quiet.acked
        return quiet.past_the_end or now < end

    def newer(self, uid: Uid, known: Known, now: datetime) -> Thing | None:
        """The proven and valid one on the same object that ends later than others and this."""
        beside = [
            other.thing
            for name, other in self.known.items()
            if name[0] == uid[0] and other.thing.place == known.thing.place
            if other.proven and not other.removed
        ]
        valid = [one for one in beside if (one.start or now) <= now and _end(one) > now]
        later = [one for one in valid if _end(one) > _end(known.thing)]
        return max(later, key=lambda one: (_end(one), one.start or FIRST), default=None)

    def still_used(self, uid: Uid, newer: Thing, now: datetime) -> bool:
        """Whether something signs in with it, well after the newer one began and lately."""
        used, began, at = self.uses.get(uid), newer.start, self.reported.get(uid[0])
        if used is None or began is None or at is None:
            return False
        return now - began >= SETTLED and used > began + MOVED and at - used <= LATELY

    def hear(self, said: Say, number: int, *, perhaps_again: bool) -> None:
        """Somebody has been told; never the same twice, never something less urgent after it.

        Only a mail that may have been taken before (`perhaps_again`) may come after a newer one:
        nobody knows, so it goes again as it was.
        """
        before = self.told.get(said.heard, DEAF)
        if not perhaps_again and said.kind == "covered":
            assert not before.covered, f"told twice: {said}"
        elif not perhaps_again and said.kind not in OVER:
            assert said.level > before.level, f"told {before} before: {said}"
        self.heard_in.append((number, said))
        self.told[said.heard] = before.after(said, number)

    def unhear(self, number: int) -> None:
        """A mail of which nobody knew whether it was taken was refused for good: it told nothing.

        The refusal is all that can be known, and to say it anew is better than to lose it.
        """
        less = self.unheard({(at, said.heard) for at, said in self.heard_in if at == number})
        self.heard_in, self.told = less.heard_in, less.told

    def unheard(self, what: Collection[tuple[int, Heard]]) -> Promises:
        """The same, had the mails of these numbers not told that."""
        if not what:
            return self
        heard_in, told = [], {}
        for at, said in self.heard_in:
            if (at, said.heard) not in what:
                heard_in.append((at, said))
                told[said.heard] = told.get(said.heard, DEAF).after(said, at)
        return replace(self, heard_in=heard_in, told=told)


@dataclass(frozen=True)
class Judge:
    """What one has to be told about one credential."""

    it: Promises
    who: Who
    uid: Uid
    known: Known
    now: datetime
    zone: ZoneInfo
    ears: Ears

    @property
    def end(self) -> datetime:
        """When it ends; there is no other in these lives."""
        assert self.known.thing.end is not None
        return self.known.thing.end

    @property
    def left(self) -> int:
        """Local days until the end."""
        return (self.end.astimezone(self.zone).date() - self.now.astimezone(self.zone).date()).days

    @property
    def newer(self) -> Thing | None:
        """What would be in its place."""
        return self.it.newer(self.uid, self.known, self.now)

    @property
    def last(self) -> int | None:
        """The newest life of which a stage was told."""
        lives = [n for n in range(1, self.known.life + 1) if self.ear(n).level > NOTHING]
        return max(lives, default=None)

    def ear(self, life: int) -> Ear:
        """What was heard of one life."""
        return self.ears.get((self.who, *self.uid, life), DEAF)

    def says(self) -> Say | None:
        """One thing, or nothing; a new life that is due already needs no word on the old one."""
        over, known = self.over(), self.known
        if over is None:
            return self.warns()
        present = not known.removed and (self.newer is None or known.own)
        return (self.warns() or over) if present and over.about[2] < known.life else over

    def over(self) -> Say | None:
        """That it is over, to who heard a stage, and nothing of the kind since."""
        life = self.last
        if life is None or not self.ear(life).open:
            return None
        about, newer, known = (*self.uid, life), self.newer, self.known
        if not known.removed and (newer is None or known.own):
            anew = life < known.life
            return Say(self.who, about, "renewed", "0", NOTHING) if anew else None
        if not known.removed and newer and self.it.still_used(self.uid, newer, self.now):
            return None
        level = -self.left if self.end > self.now else NOTHING
        kind = "renewed" if newer else "removed"
        return Say(self.who, about, kind, str(max(self.left, 0)), level)

    def warns(self) -> Say | None:
        """The stage that holds, if it is more urgent than all that was told."""
        life, now = self.it.life(self.uid), self.now
        level = urgency(self.end, now, self.zone)
        if self.known.removed or self.it.is_quiet(life, self.end, level, now):
            return None
        newer = self.newer
        if newer and not self.known.own:
            used = self.end > now and self.it.still_used(self.uid, newer, now)
            if not used or level is None or level < -NEAR:
                return self._covered()
        before = self.ear(self.known.life).level
        if level is None or before >= level:
            return None
        shown = JUST_LAPSED if level > 0 and before < JUST_LAPSED else level
        words = f"L{shown - 1}" if shown > 0 else str(-shown)
        return Say(self.who, life, "lapsed" if level > 0 else "reminder", words, level)

    def _covered(self) -> Say | None:
        """Once in the last week that a newer one is there."""
        lives = {self.known.life, self.last or self.known.life}
        if self.left > 7 or self.end <= self.now or any(self.ear(n).covered for n in lives):
            return None
        return Say(self.who, self.it.life(self.uid), "covered", str(self.left), NOTHING)


def _end(thing: Thing) -> datetime:
    return thing.end or LAST


def _renewed(old: Thing, new: Thing, zone: ZoneInfo) -> bool:
    if old.end is None or new.end is None:
        return old.end is not None and new.end is None
    return new.end.astimezone(zone).date() > old.end.astimezone(zone).date()
