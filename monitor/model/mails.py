"""What is said to whom, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.model.acts import Link
from monitor.model.facts import Credential
from monitor.model.words import MailKind, OutboxState

OVERDUE_AFTER = timedelta(hours=1)  # a mail that has a path goes within minutes
OVERDUE_TRIES = 3  # so many refusals are no passing hitch


# Of a daily run: what is over, and all kinds.
CLOSINGS = (MailKind.RENEWED, MailKind.REMOVED)
DIGESTS = (
    MailKind.REMINDER,
    MailKind.LAPSED,
    MailKind.COVERED,
    MailKind.WELCOME,
    MailKind.UNEXPECTED,
    *CLOSINGS,
)


@dataclass(frozen=True, slots=True, order=True)
class Stage:
    """A step of the warnings; `urgency` orders them: 60 < 30 < … < 0 < L0 < L1 < …

    A threshold of T days has urgency -T, Lk has 1 + k.
    """

    urgency: int

    @classmethod
    def threshold(cls, days: int) -> Stage:
        """The stage of a threshold before the end, in days."""
        return cls(-days)

    @classmethod
    def lapsed(cls, weeks: int) -> Stage:
        """The stage of `weeks` whole weeks after the end (0: just lapsed)."""
        return cls(1 + weeks)

    @property
    def after_end(self) -> bool:
        """Whether this is one of the stages L0, L1, …"""
        return self.urgency > 0

    def __str__(self) -> str:
        return f"L{self.urgency - 1}" if self.after_end else str(-self.urgency)


@dataclass(frozen=True, slots=True)
class Notice:
    """One warning about one credential to one recipient at one stage.

    `level` is the urgency up to which the recipient counts as told once this is accepted; it
    is above the stage's own where later stages are skipped for good (rule 5). For `covered`
    notices the stage says the days left, and the level is not used. The same for `unexpected`
    and for closings; but the level of `renewed` is the urgency that the days left would have,
    because in the last week that counts as covered. `successor` is what took its place.
    `reason` is that of the rule which forbids an unexpected one.
    """

    credential: Credential
    kind: MailKind
    stage: Stage
    level: int
    days_left: int
    successor: Credential | None = None
    reason: str = ""

    @property
    def still_used(self) -> bool:
        """Whether it warns of an old credential that is in use although a newer one is there."""
        newer = self.successor is not None and not self.credential.own
        return newer and self.kind is MailKind.REMINDER


@dataclass(frozen=True, slots=True)
class NoticeKey:
    """What the store remembers of a notice: the ledger of what was told to whom."""

    tenant: str
    uid: str
    life: int
    recipient: str
    stage: str
    level: int
    kind: MailKind


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail; `media_type` may bring parameters ("text/csv; charset=…")."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """A rendered mail, before it has a sender."""

    kind: MailKind
    subject: str
    text: str
    html: str
    references: tuple[str, ...] = ()
    urgent: bool = False
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class OutboxMail:
    """A row of the outbox. `message_id` and `date` are fixed when the row is written.

    `path` is the sending path: "tenant:NAME", "operator" or "" while there is none.
    `scope` is what an alarm is about ("tenant:NAME" or "sender:NAME"). `tenants` are all whose
    names the mail holds. `run_key` names the run that wrote it (recipient, zone, local date).
    """

    id: str
    mail: Mail
    recipient: str
    tenants: tuple[str, ...]
    path: str
    message_id: str
    date: datetime
    state: OutboxState = OutboxState.PENDING
    notices: tuple[NoticeKey, ...] = ()
    scope: str | None = None
    run_key: str | None = None
    attempt: int = 0
    not_before: datetime | None = None
    lease_token: str | None = None
    lease_until: datetime | None = None
    last_error: str | None = None
    last_cause: str | None = None
    sent_at: datetime | None = None
    reply: str | None = None
    possible_duplicate: bool = False
    links: tuple[Link, ...] = ()  # only of a new row: the store gives them back by their hash

    def is_overdue(self, now: datetime) -> bool:
        """Whether this waits with a path and should have gone long ago: somebody has to look."""
        waits = self.state in (OutboxState.PENDING, OutboxState.SENDING) and self.path != ""
        return waits and (self.date < now - OVERDUE_AFTER or self.attempt >= OVERDUE_TRIES)


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """How many mails no server has accepted.

    Those that wait are `pending` or `sending` (with a path) or `without_path`. `overdue` are
    those of them that have a path and should have gone long ago; `dead` will never go.
    """

    pending: int = 0
    sending: int = 0
    without_path: int = 0
    overdue: int = 0
    dead: int = 0

    @property
    def waiting(self) -> int:
        """All that are still to go."""
        return self.pending + self.sending + self.without_path


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """A mail that no server accepted yet, without its words: whom it is for, and about what.

    With `possible_duplicate` an earlier try may have been accepted after all.
    """

    id: str
    recipient: str
    tenants: tuple[str, ...]
    kind: MailKind
    state: OutboxState = OutboxState.PENDING
    possible_duplicate: bool = False

    @property
    def digest(self) -> bool:
        """Whether a daily run wrote it."""
        return self.kind in DIGESTS


@dataclass(frozen=True, slots=True)
class Receipt:
    """A server's acceptance: its whole last reply, kept as evidence."""

    reply: str
    accepted_at: datetime
