"""One recipient's daily run, from what is known to the outbox."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from monitor.compose import Composer, Knowledge, Standing
from monitor.decide import Decision, Key
from monitor.endings import unserved, with_endings
from monitor.forecast import Outlook
from monitor.hearers import Hearers
from monitor.inventory import Notes
from monitor.log import get
from monitor.model import (
    Credential,
    Forbid,
    HeldSlot,
    OutboxMail,
    Sender,
    Tenant,
    TenantHealth,
    Told,
    WaitingMail,
)
from monitor.model.acts import HandOver
from monitor.recipients import (
    Audience,
    Listener,
    RecipientRun,
    recipient_runs,
    spoken_for,
    strays,
)
from monitor.rewriting import Rest, beside, joining, rest_of, told_as_over
from monitor.routes import Paths
from monitor.routing import Contacts, Router, rules_of
from monitor.senders import watched_scopes
from monitor.store import Store
from monitor.waits import Waits

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
        forbids: the operator's rules about what should not be there.
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
        forbids: Sequence[Forbid] = (),
    ) -> None:
        self._store = store
        self._composer = composer
        self._audience = audience
        self._operator_sender = operator_sender
        self._paths = paths
        self._clock = clock
        self._forbids = forbids
        self._hearers = Hearers(store, clock)
        self._waits = Waits(store, audience=audience, forbids=forbids)
        self._possible: dict[str, tuple[object, Sequence[Listener]]] = {}

    def standing(self) -> Standing:
        """What holds for every run of one tick, read once."""
        tenants, health = self._store.tenants(), self._store.health()
        given = self._store.hand_overs()
        return Standing(
            tenants=tenants,
            runs=self._all_runs(tenants, health, given),
            senders=watched_scopes(tenants, self._operator_sender),
            known_since=self._store.known_since(),
            health=health,
            snoozes=self._store.snoozes(),
            paths=self._paths(tenants),
            notes=Notes(self._store.what_is_noted()),
            handed_over=given,
        )

    def _all_runs(
        self,
        tenants: Sequence[Tenant],
        health: Mapping[str, TenantHealth],
        given: Mapping[Key, HandOver],
    ) -> list[RecipientRun]:
        """The daily runs of recipients, and of those who have only to hear that it is over."""
        runs = self.of(tenants, health, given)
        former = unserved(self._hearers.all(), runs, tenants)
        owed = {address: self._owed(address, names) for address, names in former.items()}
        return with_endings(runs, owed, tenants, self._audience)

    def _owed(self, address: str, names: Collection[str]) -> set[str]:
        """The tenants of which somebody was told a stage, and not yet that it is over."""
        told = self._store.told(address, names)
        return {name for (name, _, _), known in told.items() if known.open}

    def of(
        self,
        tenants: Sequence[Tenant],
        health: Mapping[str, TenantHealth],
        handed_over: Mapping[Key, HandOver] | None = None,
    ) -> list[RecipientRun]:
        """The daily runs about these tenants: of all who may be told about one of them.

        Whom the rules lead to is read anew when a tenant was, or when its entry changed, so that a
        tick with nothing to do reads no facts.

        Args:
            tenants: the roster.
            health: what is known of each, by name.
            handed_over: what was handed over; None reads it.

        Raises:
            StoreError: the database cannot be used.
        """
        given = self._store.hand_overs() if handed_over is None else handed_over
        router = Router(tenants, self._audience, given)
        if not (router.policy.routes or given):
            return recipient_runs(tenants, self._audience)

        def possible(tenant: Tenant) -> Sequence[Listener]:
            known = health.get(tenant.name)
            state = (tenant, known.last_attempt if known else None, router.given(tenant.name))
            held = self._possible.get(tenant.name)
            if held is None or held[0] != state:
                found = self._contacts(tenant.name) if router.reads_entra() else []
                held = self._possible[tenant.name] = (state, router.possible(tenant, found))
            return held[1]

        return recipient_runs(tenants, self._audience, possible)

    def _contacts(self, tenant: str) -> list[Contacts]:
        return [Contacts(people, notify) for people, notify in self._store.contacts(tenant)]

    def tidy(self, standing: Standing) -> dict[str, list[WaitingMail]]:
        """Take back what waits for people who are no longer to be told, and alarms about nothing.

        Also what waits and would not be said any more, where nothing else is in that mail.

        Returns:
            By the scope of the runs whose recipient lost a digest: what it said that is still to
            be said is to be written anew. So are digests that are untrue in part.

        Raises:
            StoreError: the database cannot be used.
        """
        now = self._clock()
        waiting = self._store.waiting()
        stray = strays(waiting, standing.runs, standing.tenants, self._audience, now=now)
        over = self._waits.untrue(waiting, standing, now)
        gone = {mail.id for mail in stray}
        self._store.withdraw([*gone, *(mail for mail, whole in over.items() if whole)])
        self._store.end_alarms_except(standing.senders, "sender:", now)
        lost = [mail for mail in waiting if mail.digest and mail.id in {*gone, *over}]
        found = {
            run.scope: [mail for mail in lost if _is_about(mail, run)] for run in standing.runs
        }
        return {scope: mails for scope, mails in found.items() if mails}

    def _facts(
        self, names: Collection[str], told: Mapping[tuple[str, str, int], Told]
    ) -> dict[str, list[Credential]]:
        """The credentials of some tenants; those that are gone too, if they were told about."""
        heard = {(name, uid) for name, uid, _ in told}
        return {
            name: [
                one
                for one in self._store.credentials(name, include_removed=True)
                if one.removed_at is None or (name, one.uid) in heard
            ]
            for name in sorted(names)
        }

    def plan(
        self,
        run: RecipientRun,
        standing: Standing,
        *,
        urgent: bool = False,
        rest: Rest | None = None,
        instead: Collection[str] = (),
        over: Collection[tuple[str, str]] = (),
    ) -> tuple[list[OutboxMail], list[Decision]]:
        """What a run would say now, and every decision behind it; nothing is written.

        With `urgent` only what does not wait for the hour; with `rest` only that; with `instead`
        as if these waiting mails, of which it takes the place, had told nobody: but of what is
        `over` (tenant and uid), which is told to who may have heard of it.
        """
        told = self._store.told(run.address, run.names)
        if instead:
            less = self._store.told(run.address, run.names, instead=instead)
            told = less | {key: one for key, one in told.items() if key[:2] in over}
        known = Knowledge(
            credentials=self._facts(run.names, told),
            health=standing.health,
            told=told,
            snoozes=standing.snoozes,
            notes=standing.notes,
            forbids=self._forbids,
            handed_over=standing.handed_over,
        )
        now = self._clock()
        router = Router(standing.tenants, self._audience, standing.handed_over)
        rules = rules_of(run, router, now, urgent=urgent)
        rules = rest.rules(rules, now) if rest else rules
        return self._composer.digests(run, known, standing.paths, now, rules)

    def outlook(self, done: Mapping[str, datetime], *, only: str | None = None) -> Outlook:
        """What the runs to come depend on, for `forecast`.

        Args:
            done: the slot of each run that was done last, by its scope.
            only: about this tenant alone.

        Raises:
            StoreError: the database cannot be used.
        """
        tenants, health = self._store.tenants(), self._store.health()
        given = self._store.hand_overs()
        every = self.of(tenants, health, given)
        runs = [run for each in every if (run := each.about(only)).tenants]
        names = {name for run in runs for name in run.names}
        told = {run.scope: self._store.told(run.address, run.names) for run in runs}
        heard = {key: known for each in told.values() for key, known in each.items()}
        return Outlook(
            runs=runs,
            credentials=self._facts(names, heard),
            told=told,
            snoozes=self._store.snoozes(),
            done=done,
            forbids=self._forbids,
            router=Router(tenants, self._audience, given),
            scanned={name: at for name in names if (at := _facts_at(health.get(name)))},
            scan_every=self._audience.scan_every,
        )

    def write(
        self,
        run: RecipientRun,
        standing: Standing,
        slot: HeldSlot | None = None,
        *,
        urgent: bool = False,
    ) -> list[OutboxMail]:
        """Write one run's digests and finish its slot, in one transaction.

        With `urgent` only what does not wait for the hour.

        Returns:
            The mails that were added.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        for _ in range(TRIES):
            added = self._try(run, standing, slot, urgent=urgent)
            if added is not None:
                return added
        log.warning("run_overtaken", recipient=run.address)
        return []

    def _try(
        self,
        run: RecipientRun,
        standing: Standing,
        slot: HeldSlot | None = None,
        *,
        urgent: bool = False,
        rest: Rest | None = None,
    ) -> list[OutboxMail] | None:
        """Decide and write once; None when that was overtaken."""
        waiting = self._store.waiting()
        mine = run.without(spoken_for(waiting, run))
        mails, _ = self.plan(mine, standing, urgent=urgent, rest=rest)
        instead = (
            frozenset[str]() if urgent or rest else joining(mine, waiting, mails, standing.paths)
        )
        if instead:
            mails, _ = self.plan(mine, standing, instead=instead, over=told_as_over(mails))
        partial = frozenset[str]() if urgent else None
        return self._store.write_run(
            mails,
            recipient=run.address,
            tenants=mine.names,
            at=self._clock(),
            slot=slot,
            replaces=rest.mails if rest else partial,
            instead=instead,
        )

    def write_anew(
        self,
        run: RecipientRun,
        standing: Standing,
        lost: Sequence[WaitingMail] = (),
        *,
        about: Collection[str] = (),
    ) -> list[OutboxMail]:
        """Write what was lost or waits, as it is now, and what is over; nothing else that is due.

        Args:
            run: whose.
            standing: what holds for this tick.
            lost: what `tidy` says of it.
            about: tenants of which all that is over is told at once.

        Returns:
            The mails that were added.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        for _ in range(TRIES):
            mails = beside(run, self._store.waiting(), lost, about)
            rest = rest_of(run, mails, self._store.notices_of([one.id for one in mails]), about)
            added = self._try(rest.run, standing, rest=rest)
            if added is not None:
                return added
        log.warning("run_overtaken", recipient=run.address)
        return []

    def write_urgent(
        self, run: RecipientRun, standing: Standing, slot: HeldSlot
    ) -> list[OutboxMail]:
        """Write what a run need not wait for its hour with, and finish the slot of that.

        Where a digest of the recipient still waits, all that is due is written in its place:
        what it says is not to be lost.

        Returns:
            The mails that were added.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        if not self.plan(run, standing, urgent=True)[0]:
            self._store.finish_slot(slot.job, slot.scope, slot.slot_at, self._clock())
            return []
        return self.write(run, standing, slot, urgent=not self._has_waiting(run))

    def write_over(
        self, run: RecipientRun, standing: Standing, name: str | None = None
    ) -> list[OutboxMail]:
        """Write what is over at once; whatever else is due keeps to its hour and its days.

        Where a digest of the recipient still waits, what it says is written anew with that.

        Args:
            run: whose.
            standing: what holds for this tick.
            name: the tenant that is spoken of; None: all of the run.

        Returns:
            The mails that were added.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        return self.write_anew(run, standing, about=run.names if name is None else {name})

    def _has_waiting(self, run: RecipientRun) -> bool:
        """Whether a digest to the recipient about one of these tenants is not accepted yet."""
        return any(mail.digest and _is_about(mail, run) for mail in self._store.waiting())


def _is_about(mail: WaitingMail, run: RecipientRun) -> bool:
    """Whether a mail to this recipient names a tenant of the run."""
    same = mail.recipient.casefold() == run.address.casefold()
    return same and bool(run.names & set(mail.tenants))


def _facts_at(health: TenantHealth | None) -> datetime | None:
    return health.facts_at if health else None
