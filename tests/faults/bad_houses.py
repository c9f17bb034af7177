"""Houses in which something is wrong: each fault is one that the promises have to notice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import datetime

from jobs.send_warnings import JOB
from monitor.lifecycle import OwnCredential
from monitor.model import ObservedCredential, Scan, Snooze
from tests.faults.house import House
from tests.faults.mark_first import mark_first


def forget(house: House, where: str, *values: str) -> None:
    """Take these rows out of the ledger of what was told."""
    with closing(sqlite3.connect(house.url.removeprefix("sqlite:///"))) as database:
        database.execute(f"DELETE FROM notice WHERE {where}", values)
        database.commit()


class DropsExpired(House):
    """Takes what has lapsed for no longer interesting while reading."""

    def record(self, name: str, scan: Scan) -> None:
        """Without the lapsed ones."""
        kept = tuple(
            replace(one, credentials=tuple(c for c in one.credentials if self._lives(c)))
            for one in scan.objects
        )
        super().record(name, replace(scan, objects=kept))

    def _lives(self, one: ObservedCredential) -> bool:
        return one.end is None or one.end > self.now


class RemovesWithoutProof(House):
    """Takes every scan for a complete one."""

    def record(self, name: str, scan: Scan) -> None:
        """Whatever it says of itself."""
        if scan.objects:
            scan = replace(scan, record=replace(scan.record, complete=True, cause=None, retry=None))
        super().record(name, scan)


class ForgetsWhomItTold(House):
    """Keeps what was told by address and zone, so that a new zone begins anew."""

    def put(
        self, name: str, zone: str, hour: int, people: dict[str, str | None],
        shadow: datetime | None = None,
    ) -> None:  # fmt: skip
        """The ledger of everybody whose zone changes is gone."""
        if name in {one.name for one in self.app.store.tenants()}:
            before = {one.address: one.time_zone for one in self.tenant(name).recipients}
            moved = [w for w, at in people.items() if w in before and before[w] != at]
            for who in moved:
                forget(self, "recipient_key = ?", who)
        super().put(name, zone, hour, people, shadow)


class SilencesByName(House):
    """Keeps a silence by the name that somebody gave the secret, instead of by its key id."""

    def record(self, name: str, scan: Scan) -> None:
        """Every namesake is as silent."""
        super().record(name, scan)
        store = self.app.store
        there = {(c.tenant, c.uid, c.life): c for c in store.credentials(name)}
        for key, quiet in store.snoozes().items():
            one = there.get(key)
            for other in there.values() if one else ():
                if one and other.name == one.name and other.object_id == one.object_id:
                    store.put_snooze(replace(quiet, uid=other.uid, life=other.life))


class MarksBeforeSending(House):
    """The row is `sent` before the server has accepted the mail."""

    def start(self) -> None:
        """With channels that mark first."""
        super().start()
        mark_first(self.app)


class SupersedesOwn(House):
    """Takes a newer secret in Entra for the end of the matter, also where it signs in itself."""

    def own(self, name: str) -> list[OwnCredential]:
        """Nothing is ours."""
        return []


class IgnoresUse(House):
    """Takes what was renewed for done, whatever still signs in with the old one."""

    def record(self, name: str, scan: Scan) -> None:
        """Without the last sign-ins."""
        super().record(name, replace(scan, usage=None))


class KnowsNoShadow(House):
    """Reminds everybody of everything in a tenant that was just taken over."""

    def put(
        self, name: str, zone: str, hour: int, people: dict[str, str | None],
        shadow: datetime | None = None,
    ) -> None:  # fmt: skip
        """Live at once."""
        super().put(name, zone, hour, people)


class ForgetsWhatIsGone(House):
    """Takes the ledger of a credential away with it, so that nobody hears that it is gone."""

    def record(self, name: str, scan: Scan) -> None:
        """Without what was told of removed ones."""
        super().record(name, scan)
        for one in self.app.store.credentials(name, include_removed=True):
            if one.removed_at is not None:
                forget(self, "tenant = ? AND uid = ?", name, one.uid)


class SaysItIsOverEachDay(House):
    """Keeps no ledger of endings."""

    def tick(self, kill_at: int | None = None) -> bool:
        """Without what was told of them."""
        forget(self, "kind IN ('renewed', 'removed')")
        return super().tick(kill_at)


class WaitsForTheClock(House):
    """Takes a run that the clock says is in the future for one that was done."""

    def tick(self, kill_at: int | None = None) -> bool:
        """Nothing, until the clock is where it was."""
        done = self.app.store.last_slots(JOB).values()
        return True if any(slot > self.now for slot in done) else super().tick(kill_at)


class SnoozesForEver(House):
    """Lets no snooze end."""

    def keep(self, snooze: Snooze) -> None:
        """Without its end."""
        super().keep(replace(snooze, until=None, confirmed=True))


class TrustsALostAnswer(House):
    """Takes what may have been accepted for told, though it was refused in the end."""

    def tick(self, kill_at: int | None = None) -> bool:
        """What was given up is told."""
        lived = super().tick(kill_at)
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as database:
            database.execute(
                "UPDATE notice SET told_at = '2026-01-01' WHERE mail_id IN"
                " (SELECT mail_id FROM outbox WHERE state = 'dead' AND possible_duplicate)"
            )
            database.commit()
        return lived


class TellsAllWithWhatWasLost(House):
    """Where it writes a mail anew before the hour, it adds whatever is due by then."""

    def tick(self, kill_at: int | None = None) -> bool:
        """All runs at once, where a mail was taken back."""
        standing = self.app.runs.standing()
        if self.app.runs.tidy(standing):
            for run in standing.runs:
                self.app.runs.write(run, standing)
        return super().tick(kill_at)


BAD: Iterable[type[House]] = (
    DropsExpired,
    RemovesWithoutProof,
    ForgetsWhomItTold,
    SilencesByName,
    MarksBeforeSending,
)
