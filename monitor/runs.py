"""One recipient's daily run, from what is known to the outbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from monitor.compose import Composer, Knowledge, Standing
from monitor.decide import Decision, as_told
from monitor.forecast import Outlook
from monitor.log import get
from monitor.model import HeldSlot, OutboxMail, Sender
from monitor.recipients import Audience, RecipientRun, recipient_runs, spoken_for, strays
from monitor.routes import Paths
from monitor.senders import watched_scopes
from monitor.store import Store

TRIES = 3  # what is told while a run is decided makes it decide anew

log = get("lapsewatch.warn")


class Runs:
    """Decides, composes and writes daily runs.

    Args:
        store: facts, what was told, and the outbox.
        composer: writes the digests.
        audience: the operator, as far as mails care.
        operator_sender: the operator's sender, if there is one.
        paths: the sending paths of these tenants, and which are broken.
        clock: the current instant, aware UTC.
    """

    def __init__(
        self,
        store: Store,
        *,
        composer: Composer,
        audience: Audience,
        operator_sender: Sender | None,
        paths: Callable[..., Paths],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._composer = composer
        self._audience = audience
        self._operator_sender = operator_sender
        self._paths = paths
        self._clock = clock

    def standing(self) -> Standing:
        """What holds for every run of one tick, read once."""
        tenants = self._store.tenants()
        return Standing(
            tenants=tenants,
            runs=recipient_runs(tenants, self._audience),
            senders=watched_scopes(tenants, self._operator_sender),
            known_since=self._store.known_since(),
            health=self._store.health(),
            snoozes=self._store.snoozes(),
            paths=self._paths(tenants),
            handed_over=self._store.hand_overs(),
        )

    def tidy(self, standing: Standing) -> set[str]:
        """Take back what waits for people who are no longer to be told, and alarms about nothing.

        Returns:
            The scopes of the runs whose recipient lost a digest: what it said of tenants that are
            still theirs is to be written anew.

        Raises:
            StoreError: the database cannot be used.
        """
        now = self._clock()
        waiting = self._store.waiting()
        stray = strays(waiting, standing.runs, standing.tenants, self._audience, now=now)
        self._store.withdraw([mail.id for mail in stray])
        self._store.end_alarms_except(standing.senders, "sender:", now)
        lost = [mail for mail in stray if mail.digest]
        return {
            run.scope
            for run in standing.runs
            for mail in lost
            if mail.recipient.casefold() == run.address.casefold() and run.names & set(mail.tenants)
        }

    def plan(
        self, run: RecipientRun, standing: Standing
    ) -> tuple[list[OutboxMail], list[Decision]]:
        """What a run would say now, and every decision behind it; nothing is written."""
        known = Knowledge(
            credentials={name: self._store.credentials(name) for name in sorted(run.names)},
            health=standing.health,
            told=self._store.told(run.address, run.names),
            snoozes=standing.snoozes,
            handed_over=standing.handed_over,
        )
        return self._composer.digests(run, known, standing.paths, self._clock())

    def outlook(self, done: Mapping[str, datetime], *, only: str | None = None) -> Outlook:
        """What the runs to come depend on, for `forecast`.

        Args:
            done: the slot of each run that was done last, by its scope.
            only: about this tenant alone.

        Raises:
            StoreError: the database cannot be used.
        """
        every = recipient_runs(self._store.tenants(), self._audience)
        runs = [run for each in every if (run := each.about(only)).tenants]
        names = sorted({name for run in runs for name in run.names})
        return Outlook(
            runs=runs,
            credentials={name: self._store.credentials(name) for name in names},
            told={run.scope: as_told(self._store.told(run.address, run.names)) for run in runs},
            snoozes=self._store.snoozes(),
            done=done,
        )

    def write(
        self, run: RecipientRun, standing: Standing, slot: HeldSlot | None = None
    ) -> list[OutboxMail]:
        """Write one run's digests and finish its slot, in one transaction.

        Returns:
            The mails that were added.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        for _ in range(TRIES):
            mine = run.without(spoken_for(self._store.waiting(), run))
            mails, _ = self.plan(mine, standing)
            added = self._store.write_run(
                mails, recipient=run.address, tenants=mine.names, at=self._clock(), slot=slot
            )
            if added is not None:
                return added
        log.warning("run_overtaken", recipient=run.address)
        return []
