"""Claim, send, then record: the only caller of the channels that carry the outbox.

Invariant: a row becomes `sent` only after a server's 2xx to the whole message. A process that
dies in between leaves the row claimed; whoever claims it next sends the same bytes again, with
the same Message-ID and Date. So nothing is lost, and a crash costs one extra copy at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, Self

from monitor import process
from monitor.errors import DeliveryError, RemoteError, StoreError
from monitor.log import get
from monitor.model import MailKind, OutboxMail, Receipt
from monitor.pace import HELD, Pace
from monitor.routes import NO_PATH, Paths, candidates, channel_of, choose, sender_of, tenant_path
from monitor.store import Store

LEASE = timedelta(minutes=15)
# A send that would start later than this before the lease's end waits. Connecting (10 s), a token
# (20 s) and eleven answers (30 s each) may take so long before the last one comes.
SEND_BUDGET = timedelta(minutes=7)
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(minutes=30)
TRIES_BEFORE_OTHER_PATH = 3
BUSY = "Its mailbox has sent all it may send in a minute; it goes as soon as there is room."
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


@dataclass(slots=True)
class _Round:
    """What one round has seen: paths that fail for every mail, and refusals of single mails.

    `refused` says by row which paths refused it, and whether for good; `full` by path until when
    its mailbox has sent all it may.
    """

    outcome: Outcome = field(default_factory=Outcome)
    failed: dict[str, RemoteError] = field(default_factory=dict)
    refused: dict[str, dict[str, bool]] = field(default_factory=dict)
    full: dict[str, datetime] = field(default_factory=dict)


class Deliverer:
    """Empties the outbox as far as the paths allow.

    Args:
        outbox: the store.
        paths: says which paths exist and which are broken, at this moment.
        connect: opens the channel of a path id.
        clock: the current instant, aware UTC.
        owner: who claims; see `monitor.process`.
        guard: lets alarms through, or gathers them; None: every alarm goes by itself.
        pace: keeps mailboxes within their limits; None makes one for this deliverer.
    """

    def __init__(
        self,
        outbox: Store,
        *,
        paths: Callable[[], Paths],
        connect: Callable[[str], Channel],
        clock: Callable[[], datetime],
        owner: str,
        pace: Pace | None = None,
        guard: Callable[[], None] | None = None,
    ) -> None:
        self._outbox = outbox
        self._pace = pace or Pace(outbox)
        self._paths = paths
        self._connect = connect
        self._clock = clock
        self._owner = owner
        self._guard = guard
        self._ways = Paths({})

    def run(self, *, force: bool = False, stop: Callable[[], bool] = lambda: False) -> Outcome:
        """Send what is due. Each mail is tried once on each of its paths at most.

        Args:
            force: also try what waits for a later retry (once).
            stop: asked before each mail; when True, the rest is given back at once.

        Raises:
            StoreError: an outcome could not be recorded; nothing further is sent.
        """
        this = _Round()
        while not stop():
            if self._guard is not None:
                self._guard()
            rows = self._outbox.claim(
                self._clock(),
                owner=self._owner,
                lease=LEASE,
                longest_wait=LONGEST_RETRY,
                limit=_BATCH,
                force=force,
                gated=self._guard is not None,
                owner_is_dead=process.is_dead,
            )
            if not rows:
                break
            self._ways = self._paths()
            for path in dict.fromkeys(row.path for row in rows):
                self._carry(path, [row for row in rows if row.path == path], this, stop)
            force = False
        return this.outcome

    def _carry(
        self, path: str, rows: Sequence[OutboxMail], this: _Round, stop: Callable[[], bool]
    ) -> None:
        if path not in self._ways.identity:
            for row in rows:
                self._reroute(row, this)
            return
        with ExitStack() as stack:
            channel: Channel | None = None
            if not stack.enter_context(self._pace.alone(self._ways.rates.get(path))):
                this.full[path] = self._clock() + HELD
            for row in rows:
                late = row.lease_until and row.lease_until - self._clock() < SEND_BUDGET
                if stop() or late:
                    self._outbox.release(row.id, _token(row))
                    continue
                if path in this.failed:  # it would only fail the same way again
                    self._record_failure(row, this.failed[path], this)
                    continue
                if (until := self._full_until(path, this)) is not None:
                    self._outbox.release(row.id, _token(row), not_before=until)
                    this.outcome.waiting.append((row, BUSY))
                    continue
                try:
                    if channel is None:
                        channel = stack.enter_context(self._connect(path))
                    receipt = channel.send(row)
                except RemoteError as error:
                    self._record_failure(row, error, this)
                    continue
                except StoreError:
                    raise
                except Exception as error:  # one mail that cannot be sent never stops the others
                    log.exception("send_crashed", id=row.id, to=row.recipient, path=path)
                    channel = None  # nobody knows what state it is in
                    why = f"Sending stopped by a fault of the program ({type(error).__name__})."
                    self._wait(row, this, error=why, cause="unknown", uncertain=True)
                    continue
                self._outbox.mark_sent(row.id, _token(row), receipt)
                this.outcome.sent.append(row)
                log.info(
                    "mail_accepted", id=row.id, to=row.recipient, kind=row.mail.kind, path=path
                )

    def _full_until(self, path: str, this: _Round) -> datetime | None:
        """When the path's mailbox may send again; None, with room taken, where it may now."""
        now, rate = self._clock(), self._ways.rates.get(path)
        if (known := this.full.get(path)) is not None and known > now:
            return known
        until = self._pace.admit(rate, now) if rate else None
        if until is not None:
            this.full[path] = until
        return until

    def _record_failure(self, row: OutboxMail, error: RemoteError, this: _Round) -> None:
        """Decide between another try, another path and giving this recipient up."""
        why, cause = str(error), error.cause
        log.warning(
            "mail_not_accepted", id=row.id, to=row.recipient, path=row.path, error=why, cause=cause
        )
        answer = error if isinstance(error, DeliveryError) else None
        uncertain = answer is not None and answer.uncertain
        if answer is not None and answer.bad_recipient:
            if error.permanent:
                self._give_up(row, this, error=why, cause=cause)
            else:
                self._wait(row, this, error=why, cause=cause, uncertain=uncertain)
            return
        # A refusal of this mail (RCPT, DATA) says nothing about the next one; what comes before
        # it (connection, TLS, token, AUTH, MAIL) would stop every mail of the path.
        of_this_mail = answer is not None and bool(answer.code) and answer.stage in _OF_ONE_MAIL
        if not (of_this_mail or uncertain):
            this.failed.setdefault(row.path, error)
        for_good = of_this_mail and answer is not None and answer.retry == "never"
        this.refused.setdefault(row.id, {})[row.path] = for_good
        # What goes by a channel has no time: mail is broken already.
        tried_enough = row.attempt >= TRIES_BEFORE_OTHER_PATH or channel_of(row.path) is not None
        if not (tried_enough or for_good or (error.permanent and not uncertain)):
            self._wait(row, this, error=why, cause=cause, uncertain=uncertain)
            return
        left = self._left(row, this)
        other = next((path for path in left if path not in this.failed), None)
        if other is not None:
            self._retry(
                row, this, self._clock(), path=other, error=why, cause=cause, uncertain=uncertain
            )
        elif not left and all(this.refused[row.id].values()):
            self._give_up(row, this, error=why, cause=cause)
        else:
            self._wait(row, this, error=why, cause=cause, uncertain=uncertain)

    def _left(self, row: OutboxMail, this: _Round) -> list[str]:
        """The paths that have not refused this mail in this round; those that work come first."""
        ways, refused = self._ways, this.refused[row.id]
        gone = {ways.identity.get(path) for path in refused}
        about = _about(row)
        possible = candidates(row.mail.kind, row.tenants, ways, about_sender=about, scope=row.scope)
        left = [path for path in possible if ways.identity[path] not in gone]
        return sorted(left, key=ways.is_broken)

    def _reroute(self, row: OutboxMail, this: _Round) -> None:
        """Give a row that has no path, or whose path is gone, to another; else let it wait."""
        now = self._clock()
        other = choose(
            row.mail.kind,
            row.tenants,
            self._ways,
            about_sender=_about(row),
            scope=row.scope,
            avoid=this.failed,
        )
        cause = row.last_cause or "unknown"
        if other != NO_PATH and other not in this.failed:
            why = row.last_error or "The path it was meant for is gone."
            self._retry(row, this, now, path=other, error=why, cause=cause)
            return
        error = "No sender may carry this mail, so it waits."
        self._retry(row, this, now + LONGEST_RETRY, path=NO_PATH, error=error, cause=cause)

    def _give_up(self, row: OutboxMail, this: _Round, *, error: str, cause: str) -> None:
        self._outbox.mark_dead(row.id, _token(row), error=error, cause=cause)
        this.outcome.dead.append((row, error))

    def _wait(
        self, row: OutboxMail, this: _Round, *, error: str, cause: str, uncertain: bool = False
    ) -> None:
        later = self._clock() + backoff(row.attempt)
        self._retry(row, this, later, error=error, cause=cause, uncertain=uncertain)

    def _retry(
        self,
        row: OutboxMail,
        this: _Round,
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
            this.outcome.waiting.append((row, error))


def _about(row: OutboxMail) -> str | None:
    """The path of the sender that an alarm is about; that path never carries it."""
    subject = sender_of(row.scope or "") if row.mail.kind is MailKind.CANARY_FAILED else None
    return tenant_path(subject[0]) if subject else None


def backoff(attempt: int) -> timedelta:
    """How long to wait after the given attempt: 1, 2, 4 … minutes, 30 at most."""
    return min(FIRST_RETRY * (1 << min(max(attempt - 1, 0), 10)), LONGEST_RETRY)


def _token(row: OutboxMail) -> str:
    if row.lease_token is None:  # pragma: no cover - claim() always gives one
        raise ValueError(f"row {row.id} is not claimed")
    return row.lease_token
