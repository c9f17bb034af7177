"""Claim, send, then record: the only caller of the channels that carry the outbox.

Invariant: a row becomes `sent` only after a server's 2xx to the whole message. A process that
dies in between leaves the row claimed; whoever claims it next sends the same bytes again, with
the same Message-ID and Date. So nothing is lost, and a crash costs one extra copy at most.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, Self

from monitor import process
from monitor.errors import DeliveryError, RemoteError, StoreError
from monitor.log import get
from monitor.model import MailKind, OutboxMail, Receipt
from monitor.routes import NO_PATH, Paths, choose, sender_of, tenant_path
from monitor.store import Store

LEASE = timedelta(minutes=15)
# A send that would start later than this before the lease's end waits. Connecting (10 s), a token
# (20 s) and eleven answers (30 s each) may take so long before the last one comes.
SEND_BUDGET = timedelta(minutes=7)
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(minutes=30)
TRIES_BEFORE_OTHER_PATH = 3
_BATCH = 50
_OF_ONE_MAIL = ("rcpt", "data")

log = get("lapsewatch.deliver")


class Channel(Protocol):
    """Anything that carries mail: a connection that is opened, used and closed."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def send(self, mail: OutboxMail) -> Receipt:
        """Hand over one mail.

        Raises:
            RemoteError: it was not accepted.
        """
        ...


@dataclass(slots=True)
class Outcome:
    """What one round of deliveries did."""

    sent: list[OutboxMail] = field(default_factory=list)
    waiting: list[tuple[OutboxMail, str]] = field(default_factory=list)
    dead: list[tuple[OutboxMail, str]] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)  # whose digest could not be written

    def then(self, later: Outcome, unwritten: Sequence[str] = ()) -> Outcome:
        """This round and a later one as one; what waits is what waited last."""
        return Outcome(
            sent=[*self.sent, *later.sent],
            waiting=later.waiting or self.waiting,
            dead=[*self.dead, *later.dead],
            unwritten=[*self.unwritten, *later.unwritten, *unwritten],
        )


class Deliverer:
    """Empties the outbox as far as the paths allow.

    Args:
        outbox: the store.
        paths: says which paths exist and which are broken, at this moment.
        connect: opens the channel of a path id.
        clock: the current instant, aware UTC.
        owner: who claims; see `monitor.process`.
    """

    def __init__(
        self,
        outbox: Store,
        *,
        paths: Callable[[], Paths],
        connect: Callable[[str], Channel],
        clock: Callable[[], datetime],
        owner: str,
    ) -> None:
        self._outbox = outbox
        self._paths = paths
        self._connect = connect
        self._clock = clock
        self._owner = owner
        self._ways = Paths({})

    def run(self, *, force: bool = False, stop: Callable[[], bool] = lambda: False) -> Outcome:
        """Send what is due.

        Args:
            force: also try what waits for a later retry (once).
            stop: asked before each mail; when True, the rest is given back at once.

        Raises:
            StoreError: an outcome could not be recorded; nothing further is sent.
        """
        outcome = Outcome()
        failed: dict[str, RemoteError] = {}
        while not stop():
            rows = self._outbox.claim(
                self._clock(),
                owner=self._owner,
                lease=LEASE,
                limit=_BATCH,
                force=force,
                owner_is_dead=process.is_dead,
            )
            if not rows:
                break
            self._ways = self._paths()
            for path in dict.fromkeys(row.path for row in rows):
                batch = [row for row in rows if row.path == path]
                self._carry(path, batch, outcome, failed, stop)
            force = False
        return outcome

    def _carry(
        self,
        path: str,
        rows: Sequence[OutboxMail],
        outcome: Outcome,
        failed: dict[str, RemoteError],
        stop: Callable[[], bool],
    ) -> None:
        if path not in self._ways.identity:
            for row in rows:
                self._reroute(row, outcome, failed)
            return
        with ExitStack() as stack:
            channel: Channel | None = None
            for row in rows:
                late = row.lease_until and row.lease_until - self._clock() < SEND_BUDGET
                if stop() or late:
                    self._outbox.release(row.id, _token(row))
                    continue
                if path in failed:  # it would only fail the same way again
                    self._record_failure(row, failed[path], outcome, failed)
                    continue
                try:
                    if channel is None:
                        channel = stack.enter_context(self._connect(path))
                    receipt = channel.send(row)
                except RemoteError as error:
                    self._record_failure(row, error, outcome, failed)
                    continue
                except StoreError:
                    raise
                except Exception as error:  # one mail that cannot be sent never stops the others
                    log.exception("send_crashed", id=row.id, to=row.recipient, path=path)
                    channel = None  # nobody knows what state it is in
                    why = f"Sending stopped by a fault of the program ({type(error).__name__})."
                    later = self._clock() + backoff(row.attempt)
                    self._retry(row, outcome, later, error=why, cause="unknown", uncertain=True)
                    continue
                self._outbox.mark_sent(row.id, _token(row), receipt)
                outcome.sent.append(row)
                log.info(
                    "mail_accepted", id=row.id, to=row.recipient, kind=row.mail.kind, path=path
                )

    def _record_failure(
        self,
        row: OutboxMail,
        error: RemoteError,
        outcome: Outcome,
        failed: dict[str, RemoteError],
    ) -> None:
        """Decide between another try, another path and giving this recipient up."""
        now = self._clock()
        why, cause = str(error), error.cause
        log.warning(
            "mail_not_accepted", id=row.id, to=row.recipient, path=row.path, error=why, cause=cause
        )
        uncertain = isinstance(error, DeliveryError) and error.uncertain
        bad_recipient = isinstance(error, DeliveryError) and error.bad_recipient
        this_mail_never = isinstance(error, DeliveryError) and error.retry == "never"
        if this_mail_never or (bad_recipient and error.permanent):
            self._outbox.mark_dead(row.id, _token(row), error=why, cause=cause)
            outcome.dead.append((row, str(error)))
            return
        if bad_recipient or uncertain:
            later = now + backoff(row.attempt)
            self._retry(row, outcome, later, uncertain=uncertain, error=why, cause=cause)
            return
        # A refusal of this mail (RCPT, DATA) says nothing about the next one; what comes before
        # it (connection, TLS, token, AUTH, MAIL) would stop every mail of the path.
        if not (isinstance(error, DeliveryError) and error.code and error.stage in _OF_ONE_MAIL):
            failed.setdefault(row.path, error)
        definite = error.permanent or row.attempt >= TRIES_BEFORE_OTHER_PATH
        other = self._other_path(row, {*failed, row.path}) if definite else row.path
        if other not in (row.path, NO_PATH) and other not in failed:
            self._retry(row, outcome, now, path=other, error=why, cause=cause)
        else:
            self._retry(row, outcome, now + backoff(row.attempt), error=why, cause=cause)

    def _reroute(self, row: OutboxMail, outcome: Outcome, failed: dict[str, RemoteError]) -> None:
        """Give a row that has no path, or whose path is gone, to another; else let it wait."""
        now = self._clock()
        other = self._other_path(row, failed)
        cause = row.last_cause or "unknown"
        if other != NO_PATH and other not in failed:
            why = row.last_error or "The path it was meant for is gone."
            self._retry(row, outcome, now, path=other, error=why, cause=cause)
            return
        error = "No sender may carry this mail, so it waits."
        self._retry(row, outcome, now + LONGEST_RETRY, path=NO_PATH, error=error, cause=cause)

    def _other_path(self, row: OutboxMail, failed: Collection[str]) -> str:
        subject = sender_of(row.scope or "") if row.mail.kind is MailKind.CANARY_FAILED else None
        return choose(
            row.mail.kind,
            row.tenants,
            self._ways,
            about_sender=tenant_path(subject[0]) if subject else None,
            avoid=failed,
        )

    def _retry(
        self,
        row: OutboxMail,
        outcome: Outcome,
        not_before: datetime,
        *,
        error: str,
        cause: str,
        path: str | None = None,
        uncertain: bool = False,
    ) -> None:
        self._outbox.mark_retry(
            row.id,
            _token(row),
            not_before=not_before,
            error=error,
            cause=cause,
            path=path,
            uncertain=uncertain,
        )
        if path in (None, row.path, NO_PATH):
            outcome.waiting.append((row, error))


def backoff(attempt: int) -> timedelta:
    """How long to wait after the given attempt: 1, 2, 4 … minutes, 30 at most."""
    return min(FIRST_RETRY * (1 << min(max(attempt - 1, 0), 10)), LONGEST_RETRY)


def _token(row: OutboxMail) -> str:
    if row.lease_token is None:  # pragma: no cover - claim() always gives one
        raise ValueError(f"row {row.id} is not claimed")
    return row.lease_token
