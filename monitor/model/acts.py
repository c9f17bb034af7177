"""What people do about a credential from a mail or a command, and the record of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Action(StrEnum):
    """What one link is for, and nothing else."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    HAND_OVER = "hand over"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Link:
    """A link of one mail: who may do what about which credential, and until when.

    `digest` is the SHA-256 of its token in hex; the token itself is in the mail alone.
    """

    digest: str
    tenant: str
    uid: str
    life: int
    action: Action
    recipient: str
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it may still be used at `now` (aware UTC)."""
        return self.used_at is None and self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class HandOver:
    """A credential that somebody gave to somebody else; `to` is an address or a name.

    `givers` are those who gave it away, the first one first, and hear of it no more; without any
    it is a note alone, and nobody is told otherwise because of it. `refused`: a mail to the address
    was refused for good since, so those who gave it away hear of it again.
    """

    tenant: str
    uid: str
    life: int
    to: str
    remark: str
    author: str
    at: datetime
    givers: tuple[str, ...] = ()
    refused: bool = False

    @property
    def holds(self) -> bool:
        """Whether the address hears of it in place of those who gave it away."""
        return bool(self.givers) and not self.refused


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when and why. `tenant` is None where it is about none.

    `about` is what it was done to, in words; `how` the way it came: "mail link", "command", "page".
    """

    at: datetime
    who: str
    what: str
    tenant: str | None
    about: str
    why: str
    how: str
