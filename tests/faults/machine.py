"""Any life of a store: what people, directories, mail servers and clocks may do, in any order.

After each step, what the product knows and has told is compared with the promises (P1, P12, P20,
P21, P24 and P30 of the rules), which share no code with it: no warning is lost, the most urgent
one is told, gone is what a whole reading proved, what was warned about and is over is said to be
over, a second tick changes nothing, and a silence ends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from monitor.model import OutboxState
from tests.faults.evidence import OPEN_STATES, UNSENT_STATES, Evidence
from tests.faults.house import House, goes_again, name_of, said_in
from tests.faults.office import BUSY, GONE, MUTE, OPEN
from tests.faults.promises import Promises
from tests.faults.sayings import DEAF, Quiet, Run, Say, Thing, Uid, urgency

SPRING = datetime(2026, 3, 20, 5, tzinfo=UTC)  # both halves of the year's clocks change soon
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]
PEOPLE = ["ann@a.example", "ben@b.example", "cem@c.example"]
TENANTS = {"contoso": ("Europe/Berlin", 8), "fabrikam": ("America/New_York", 7)}
RETRY = timedelta(minutes=31)  # nothing waits longer than this for another try


class AnyLife(Evidence, RuleBasedStateMachine):
    """One life, in a house of its own."""

    uids: Bundle[Uid] = Bundle("uids")

    def __init__(self, house: House) -> None:
        super().__init__()
        self.begin(house)
        self.office.anew()
        self.numbers = 0
        self.reading = dict.fromkeys(TENANTS, "whole")
        self.in_use: set[Uid] = set()
        self.signed_in: dict[Uid, datetime] = {}
        self.it = Promises(
            zones={name: zone for name, (zone, _) in TENANTS.items()},
            hours={name: hour for name, (_, hour) in TENANTS.items()},
            people={"contoso": {PEOPLE[0]: None, PEOPLE[1]: "UTC"}, "fabrikam": {PEOPLE[0]: None}},
        )

    # --- the beginning ----------------------------------------------------------------------------

    @initialize(
        days=st.lists(st.integers(-10, 70), min_size=2, max_size=3),
        dark=st.sampled_from([None, None, 3, 20]),
    )
    def move_in(self, days: list[int], dark: int | None = None) -> None:
        """Two tenants, read once; one may be in shadow for so many days."""
        if dark is not None:
            self.it.shadow["contoso"] = self.house.now + timedelta(days=dark)
        for name in TENANTS:
            self._put(name)
        for number, left in enumerate(days):
            place = ("mail", "fax", "shop")[number]
            self._add("fabrikam" if place == "shop" else "contoso", place, left)
        self._look()

    @initialize(target=uids, days=st.integers(0, 40))
    def first(self, days: int) -> Uid:
        """One that everything can happen to from the start."""
        return self._add("contoso", "mail", days)

    @initialize(target=uids, days=st.integers(0, 30))
    def left_behind(self, days: int) -> Uid:
        """One that was renewed, and that something goes on to sign in with."""
        old = self._add("contoso", "old", days)
        self._add("contoso", "old", 300)
        self.in_use.add(old)
        return old

    # --- what happens in the directory ------------------------------------------------------------

    @rule(target=uids, where=st.sampled_from(["mail", "fax", "shop"]), days=st.integers(-3, 70))
    def add(self, where: str, days: int) -> Uid:
        """A new key id: the first on its object, or beside an old one of the same name."""
        return self._add("fabrikam" if where == "shop" else "contoso", where, days)

    @rule(uid=uids, hours=st.sampled_from([-5 * 24, 3, 26, 9 * 24, 40 * 24, 400 * 24]))
    def prolong(self, uid: Uid, hours: int) -> None:
        """The same key id with another end."""
        thing = self.it.truth.get(uid)
        if thing is not None and thing.end is not None:
            self.it.truth[uid] = replace(thing, end=thing.end + timedelta(hours=hours))

    @rule(uid=uids)
    def delete(self, uid: Uid) -> None:
        """Gone, or back again."""
        if uid in self.it.truth:
            del self.it.truth[uid]
        elif uid in self.it.known:
            self.it.truth[uid] = self.it.known[uid].thing

    @rule(target=uids, uid=uids, days=st.sampled_from([20, 90, 400]), moved=st.booleans())
    def renew(self, uid: Uid, days: int, moved: bool) -> Uid:
        """A newer one beside it; what uses the old one moves to it, or goes on as before."""
        if uid in self.it.truth and not moved:
            self.in_use.add(uid)
        return self._add(uid[0], uid[1].partition(":")[0], days)

    @rule(uid=uids)
    def use(self, uid: Uid) -> None:
        """Something signs in with it from now on, or no more."""
        self.in_use ^= {uid}

    @rule(uid=uids)
    def sign_in_with(self, uid: Uid) -> None:
        """Lapsewatch gets this value, and signs in with it."""
        self.it.ours = self.house.ours = uid

    # --- what people ask for ----------------------------------------------------------------------

    @rule(uid=uids, days=st.sampled_from([0.5, 2, 9, 30]))
    def snooze(self, uid: Uid, days: float) -> None:
        """Quiet for so many days, past the end or not."""
        if self._is_open(uid):
            end = self.it.known[uid].thing.end
            until = self.house.now + timedelta(days=days)
            past = end is not None and until > end
            self.it.quiet[self.it.life(uid)] = Quiet(until, past_the_end=past)
            self.house.silence(uid, days)
            self.moved = True  # what waits is written anew without it

    @rule(uid=uids)
    def acknowledge(self, uid: Uid) -> None:
        """Quiet until the next stage by the tenant's calendar."""
        if not self._is_open(uid):
            return
        known, life = self.it.known[uid], self.it.life(uid)
        zone = self._zone(uid[0])
        level = known.thing.end and urgency(known.thing.end, self.house.now, zone)
        if level is None or known.thing.end is None:
            return
        if not self.it.is_quiet(life, known.thing.end, level, self.house.now):
            self.it.quiet[life] = Quiet(acked=level)
        self.house.silence(uid, None)
        self.moved = True

    @rule(
        name=st.sampled_from(list(TENANTS)),
        who=st.sampled_from(PEOPLE),
        zone=st.sampled_from([None, *ZONES]),
    )
    def people(self, name: str, who: str, zone: str | None) -> None:
        """A recipient comes, goes, or moves to another zone."""
        people = self.it.people[name]
        if who in people and zone is None:
            del people[who]
        else:
            people[who] = zone
        self._put(name)

    @rule(name=st.sampled_from(list(TENANTS)))
    def go_live(self, name: str) -> None:
        """The shadow of a tenant ends before its time."""
        if self.it.in_shadow(name, self.house.now):
            self.it.shadow[name] = None
        self.house.app.store.end_shadow(name, now=self.house.now)

    # --- what breaks ------------------------------------------------------------------------------

    @rule(
        mood=st.sampled_from([BUSY, MUTE, GONE, OPEN, OPEN, OPEN]),
        who=st.one_of(st.none(), st.sampled_from(PEOPLE)),
    )
    def mail(self, mood: str, who: str | None) -> None:
        """The mail path breaks, or works again; an address is unknown, or known again."""
        self.office.mood = mood
        if who is not None:
            self.office.unknown ^= {who}

    @rule(name=st.sampled_from(list(TENANTS)), how=st.sampled_from(["whole", "part", "no"]))
    def read(self, name: str, how: str) -> None:
        """Reading a tenant fails, breaks off, or works."""
        self.reading[name] = how

    @rule(hours=st.sampled_from([-24 * 12, -49, -24, -3, 5, 24, 100]))
    def jump(self, hours: int) -> None:
        """The clock is set; nothing runs meanwhile."""
        self.house.now += timedelta(hours=hours)

    # --- time goes by -----------------------------------------------------------------------------

    @rule(hours=st.sampled_from([1, 5, 13, 24, 25, 49, 170, 24 * 16, 24 * 40]))
    def live(self, hours: int) -> None:
        """Some time passes with nobody there; then the product works as it should."""
        self._live(hours, [])

    @rule(days=st.integers(1, 3))
    def live_on(self, days: int) -> None:
        """Some days, one after the other."""
        for _ in range(days):
            self._live(24, [])

    @rule(
        hours=st.sampled_from([7, 24, 170]),
        kills=st.lists(st.integers(0, 45), min_size=1, max_size=2),
    )
    def live_and_be_killed(self, hours: int, kills: list[int]) -> None:
        """The same, with kills at any moment of the work."""
        self._live(hours, kills)

    def _live(self, hours: int, kills: list[int]) -> None:
        """A scan, and two ticks of the warnings half an hour apart."""
        now = self.house.now.replace(second=0) + timedelta(hours=hours)
        self.house.now = now
        self._look()
        for kill_at in kills:
            self._tick(kill_at)
        self._tick()
        before = self.house.dump()
        self.house.tick()
        assert self.house.dump() == before, "P24: a second tick changed something"
        self.house.now += RETRY
        self._tick()
        self._all_is_told()

    # --- how it is done ---------------------------------------------------------------------------

    def _add(self, tenant: str, place: str, days: int) -> Uid:
        self.numbers += 1
        uid = tenant, f"{place}:{self.numbers}"
        end = self.house.now.replace(minute=20, second=59) + timedelta(days=days, hours=7)
        self.it.truth[uid] = Thing(place, f"secret of {place}", end, self.house.now)
        return uid

    def _put(self, name: str) -> None:
        zone, hour = TENANTS[name]
        self.house.put(name, zone, hour, self.it.people[name], self.it.shadow.get(name))

    def _zone(self, name: str) -> ZoneInfo:
        return ZoneInfo(self.it.zones[name])

    def _is_open(self, uid: Uid) -> bool:
        known = self.it.known.get(uid)
        return known is not None and not known.removed and known.thing.end is not None

    def _look(self) -> None:
        """Each tenant is read as well as it can be, and what is known is what was proven."""
        for uid in self.in_use & set(self.it.truth):
            self.signed_in[uid] = self.house.now
        for name in TENANTS:
            how = self.reading[name]
            there = {uid: thing for uid, thing in self.it.truth.items() if uid[0] == name}
            if how == "part":
                there = dict(list(there.items())[::2])
            if how == "no":
                self.house.fail(name)
            else:
                whole = how == "whole"
                mine = {uid: at for uid, at in self.signed_in.items() if uid[0] == name}
                uses = mine if whole else None
                self.house.read(name, there, whole=whole, uses=uses)
                self.it.read(name, whole=whole, seen=there, at=self.house.now, uses=uses)
        wanted = {
            (uid[0], name_of(uid, known.thing.place)): (known.life, known.removed, known.thing.end)
            for uid, known in self.it.known.items()
        }
        assert self.house.known() == wanted, "P20, P21: what is known is not what was proven"

    def _tick(self, kill_at: int | None = None) -> None:
        self.house.now += timedelta(seconds=1)
        while self.house.now in self.expected:  # so that a mail's date says which tick wrote it
            self.house.now += timedelta(seconds=1)
        now, seen = self.house.now, len(self.office.letters)
        waited = [mail for mail in self.rows.values() if mail.state in UNSENT_STATES]
        now_or_never = self._sayable(now)
        lived = self.house.tick(kill_at)
        self.kills += not lived
        self._look_at_the_rows()
        new = self.office.letters[seen:]
        self._receive([x for x in new if self._row(x).date != now])
        self._refused()
        lost = [mail for mail in waited if self._state(mail) is OutboxState.WITHDRAWN]
        says = dict(self._due(now, waited, [self.rows[mail.message_id] for mail in lost]))
        maybe = now_or_never | self._sayable(now)
        dark = {name for name in TENANTS if self.it.in_shadow(name, now)}
        anew = {say for come, say in maybe if goes_again(say, lost, dark, come=come)}
        self.expected[now] = anew.union(*says.values())
        self._receive([x for x in new if self._row(x).date == now])
        if lived:
            self._was_said(says)
            for run in says:
                self.it.finish(run, now)

    def _was_said(self, says: Mapping[Run, Collection[Say]]) -> None:
        """P1, P12, P21: all a run had to say was taken, or is on its way; nothing else is."""
        open_rows = [mail for mail in self.rows.values() if mail.state in OPEN_STATES]
        for run, wanted in says.items():
            mine = [
                (mail, say)
                for mail in open_rows
                for say in said_in(mail)
                if mail.recipient.lower() == run.who and say.about[0] in run.tenants
            ]
            on_its_way = {(say.heard, say.kind, say.stage) for _, say in mine}
            for say in wanted:
                waits = (say.heard, say.kind, say.stage) in on_its_way
                assert waits or self.it.told.get(say.heard, DEAF).knows(say), f"P1: lost {say}"
            right = {(say.heard, say.kind, say.stage) for say in wanted}
            for mail, say in mine:
                if mail.state is OutboxState.PENDING and not mail.possible_duplicate:
                    assert (say.heard, say.kind, say.stage) in right, f"P12: {say} waits still"

    def _all_is_told(self) -> None:
        """Where everything works nothing waits."""
        if self.office.mood == OPEN:
            unknown = self.office.unknown
            left = [m for m in self.house.waiting() if m.recipient.lower() not in unknown]
            assert not left, f"P1: waits although everything works: {left}"

    def teardown(self) -> None:
        """The end of this life."""
        self.house.close()
