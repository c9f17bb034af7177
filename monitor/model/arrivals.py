"""The proof that a canary arrived: how it is looked for, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from monitor.model.watched import Cloud, CredentialRef

Way = Literal["graph", "trace"]
Folder = Literal["inbox", "junk", "other"]
Mark = Literal["header", "message_id", "subject", "trace"]
ARRIVAL_STAGE = "arrival"  # what follows DATA, where somebody can look


class ArrivalState(StrEnum):
    """Whether a canary is known to have arrived."""

    NOT_CHECKED = "not_checked"  # the accepted reply is the evidence
    PENDING = "pending"
    PROVEN = "proven"
    UNKNOWN = "unknown"  # nobody could look
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Copy:
    """One canary as one recipient was to get it, and when the server accepted it."""

    id: str
    recipient: str
    message_id: str
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class ReadBack:
    """How a sender's canaries are looked for, with everything that it inherits.

    `within` is how long a canary may take. `cloud`, `directory_id`, `client_id` and `credential`
    are those of the app that looks. `shared` says that it is the app that sends. `problem` says why
    nobody can look at all.
    """

    way: Way
    within: timedelta
    directory_id: str
    client_id: str
    credential: CredentialRef
    cloud: Cloud
    shared: bool = True
    problem: str = ""

    @property
    def right(self) -> str:
        """The application permission that the looking needs."""
        return "Mail.Read" if self.way == "graph" else "ExchangeMessageTrace.Read.All"


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where a canary was found.

    Args:
        received_at: by the server's clock.
        folder: it lies in; of a trace: "junk" where it was filtered as spam.
        mark: what it was recognised by.
        words: what the server says of it, for people.
        refused: a trace says that it was not delivered and will not be.
    """

    received_at: datetime
    folder: Folder
    mark: Mark
    words: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of one copy of a canary.

    `next_at` is when it is looked for next; None once that is over. `latency_s` is received
    minus accepted, in seconds; a trace tells none.
    """

    copy: Copy
    tenant: str
    mailbox: str
    way: Way
    until: datetime
    state: ArrivalState = ArrivalState.PENDING
    next_at: datetime | None = None
    found_at: datetime | None = None
    latency_s: float | None = None
    folder: Folder | None = None
    lost_at: datetime | None = None
    cause: str | None = None
    evidence: str = ""

    @property
    def id(self) -> str:
        """The canary's id."""
        return self.copy.id


@dataclass(frozen=True, slots=True)
class ArrivalNews:
    """What is known of the arrival of a sender's last canary, all copies together.

    `usual_s` is the median latency of the seven days before; None without any.
    """

    state: ArrivalState = ArrivalState.NOT_CHECKED
    way: Way | None = None
    latency_s: float | None = None
    usual_s: float | None = None
    folder: Folder | None = None
    cause: str | None = None
    evidence: str = ""
