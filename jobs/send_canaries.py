"""Prove every sender's mail path with a real mail; alarm by another path when one fails."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo

from monitor import process
from monitor.canary import due_slot
from monitor.doctor.consult import Consultation, of_canary
from monitor.errors import LapsewatchError
from monitor.log import get
from monitor.model import CanaryResult, Examination, Probe, SenderHealth, Tenant
from monitor.pace import MailboxFullError
from monitor.routes import sender_scope
from monitor.senders import OAuthSender
from monitor.wiring import App

JOB = "canary"
LEASE = timedelta(minutes=15)
AGAIN = timedelta(minutes=5)  # what crashed or could not be recorded is probed again so soon
AT_ONCE = 8
WAITING = 64  # failures that wait for the doctor, in threads that do nothing else
T = TypeVar("T")

log = get("lapsewatch.canary")


def send_canaries(
    app: App,
    *,
    only: str | None = None,
    due_only: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> list[Probe]:
    """Probe the senders (all, one tenant's, or those that are due), several side by side.

    Each is recorded as soon as it is known, so that a slow one holds up no alarm of another.

    Raises:
        LapsewatchError: some probe crashed or could not be recorded; all the others were.
    """
    this = _Round(app, due_only=due_only, stop=stop)
    chosen = [s for s in app.carriers.senders(this.tenants.values()) if only in (None, s.tenant)]
    with (
        app.consultation() as doctor,
        ThreadPoolExecutor(WAITING, thread_name_prefix="examined") as waiting,
        ThreadPoolExecutor(AT_ONCE, thread_name_prefix="canary") as pool,
    ):
        begin = partial(this.begin, doctor=doctor, waiting=waiting)
        begun = list(pool.map(lambda sender: this.guarded(sender, partial(begin, sender)), chosen))
        done = [found.result() if isinstance(found, Future) else found for found in begun]
    this.tell_faults()
    return [probe for probe in done if probe is not None]


class _Round:
    """One round of test mails: what was known before it, and what crashed in it."""

    def __init__(self, app: App, *, due_only: bool, stop: Callable[[], bool]) -> None:
        self.tenants = {tenant.name: tenant for tenant in app.store.tenants()}
        self._app = app
        self._due_only = due_only
        self._stop = stop
        self._health, self._since = app.store.sender_health(), app.store.known_since()
        self._faults: dict[str, str] = {}

    def guarded(self, sender: OAuthSender, work: Callable[[], T]) -> T | None:
        """What the work gives; None where it crashes, which is kept for `tell_faults`."""
        try:
            return work()
        except Exception as error:  # one sender never stops the others
            foreseen = isinstance(error, LapsewatchError)
            why = str(error) if foreseen else f"a fault of the program ({type(error).__name__})."
            log.error("canary_crashed", tenant=sender.tenant, error=why, exc_info=not foreseen)
            self._faults[sender.tenant] = why
            return None

    def begin(
        self, sender: OAuthSender, doctor: Consultation, waiting: ThreadPoolExecutor
    ) -> Future[Probe | None] | Probe | None:
        """Probe one sender, and record that; a failure is recorded once the doctor has looked.

        None when its turn has not come.
        """
        app, tenant = self._app, self.tenants.get(sender.tenant)
        slot = self._slot(sender) if self._due_only else None
        if self._stop() or (self._due_only and not take(app, sender, slot)):
            return None
        try:
            probe = prove(app, sender, slot)
        except MailboxFullError as full:
            if slot is None:
                raise
            give_back(app, sender, slot, until=full.until)  # the day's canary goes a minute later
            return None
        if probe.result is not CanaryResult.FAILED or sender.problem or self._stop():
            return record(app, sender, tenant, probe, slot)
        asked = doctor.ask(of_canary(sender, probe))

        def finish() -> Probe:
            return record(app, sender, tenant, probe, slot, doctor.result(asked))

        return waiting.submit(self.guarded, sender, finish)

    def _slot(self, sender: OAuthSender) -> datetime | None:
        known = self._health.get((sender.tenant, sender.mailbox))
        return due(self._app, sender, known, self._since.get(sender.tenant))

    def tell_faults(self) -> None:
        """Say what crashed, if anything did.

        Raises:
            LapsewatchError: something did.
        """
        if not self._faults:
            return
        each = " ".join(f"{name}: {why}" for name, why in sorted(self._faults.items()))
        raise LapsewatchError(
            f"Not every canary could be sent and recorded. {each}",
            remedy="The others were; `lapsewatch status` shows them.",
        )


def due(
    app: App, sender: OAuthSender, known: SenderHealth | None, changed_at: datetime | None
) -> datetime | None:
    """The slot of a sender that is due; None when it is not."""
    return due_slot(
        known or SenderHealth(sender.tenant, sender.mailbox),
        daily_at=app.configuration.settings.defaults.canary_at,
        zone=ZoneInfo(sender.time_zone), changed_at=changed_at, now=app.clock(),
    )  # fmt: skip


def take(app: App, sender: OAuthSender, slot: datetime | None) -> bool:
    """Win the slot; False when there is none, or another replica has it."""
    return slot is not None and app.store.take_slot(
        JOB, _scope(sender), slot, now=app.clock(), owner=app.owner, lease=LEASE,
        owner_is_dead=process.is_dead,
    )  # fmt: skip


def prove(app: App, sender: OAuthSender, slot: datetime | None) -> Probe:
    """Send the test mail; give the slot back where that crashes, so that it is soon done anew."""
    try:
        return app.canaries.probe(sender)
    except Exception:
        give_back(app, sender, slot)
        raise


def record(
    app: App,
    sender: OAuthSender,
    tenant: Tenant | None,
    probe: Probe,
    slot: datetime | None,
    found: Examination | None = None,
) -> Probe:
    """Write down what came of a test mail, with its alarm, and finish its slot."""
    try:
        app.canaries.record(sender, tenant, probe, found)
    except Exception:
        give_back(app, sender, slot)
        raise
    if slot is not None:
        app.store.finish_slot(JOB, _scope(sender), slot, app.clock())
    return probe


def give_back(
    app: App, sender: OAuthSender, slot: datetime | None, *, until: datetime | None = None
) -> None:
    """Let what could not be done be done again soon."""
    if slot is not None:
        again = until or app.clock() + AGAIN
        app.store.give_back_slot(JOB, _scope(sender), slot, until=again)


def _scope(sender: OAuthSender) -> str:
    return sender_scope(sender.tenant, sender.mailbox)
