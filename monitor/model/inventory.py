"""What people keep about credentials: where a new value goes, and dates that Graph cannot see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Literal

from monitor.model.words import Kind


class Sort(StrEnum):
    """What a watched date is the end of."""

    CERTIFICATE = "certificate"
    APPLE_PUSH = "apple_push"
    CONTRACT = "contract"
    DOMAIN = "domain"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Note:
    """Who uses a credential, and where its new value is entered.

    `app` is a client id, or a name in which * stands for any letters. With `kind` or `key_id` it
    is about those credentials of the app alone. `where` is in the order of the work. `by_hand`
    notes come from a command, and an import of other notes lets them be.
    """

    tenant: str
    app: str
    kind: Kind | None = None
    key_id: str | None = None
    used_by: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    owner: str | None = None
    runbook: str | None = None
    remark: str | None = None
    by_hand: bool = False

    @property
    def slot(self) -> str:
        """What tells the notes of a tenant apart: the credentials that they are about."""
        about = (self.app.casefold(), self.kind or "", (self.key_id or "").casefold())
        return sha256("\0".join(about).encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Item:
    """Something that ends, and that no directory knows of.

    It has an `end` (aware UTC), or the `host` ("name:port") that shows a certificate; `starttls`
    is the protocol that begins in clear text there.
    """

    tenant: str
    name: str
    sort: Sort = Sort.OTHER
    end: datetime | None = None
    host: str | None = None
    starttls: Literal["smtp", "imap"] | None = None
    used_by: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    owner: str | None = None
    runbook: str | None = None
    remark: str | None = None
    by_hand: bool = False

    @property
    def object_id(self) -> str:
        """Its id among the facts: the same for as long as it has this name."""
        return f"item-{sha256(self.name.encode('utf-8', 'replace')).hexdigest()[:12]}"

    @property
    def label(self) -> str:
        """What its credential is named: the sort, and the host that shows it."""
        return f"{self.sort} {self.host}" if self.host else str(self.sort)

    @property
    def note(self) -> Note:
        """What is kept about it."""
        return Note(
            self.tenant, self.name, Kind.ITEM, self.object_id, self.used_by, self.where,
            self.owner, self.runbook, self.remark, self.by_hand,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class WatchedItem:
    """An item, and what came of reading it: when its end was last known, what went wrong since."""

    item: Item
    read_at: datetime | None = None
    problem: str | None = None

    @property
    def unread(self) -> str | None:
        """Why its date is not known, or not known any more; None where it is."""
        if self.item.host is None:
            return None
        if self.problem:
            return self.problem
        return "it has not been read yet" if self.read_at is None else None


@dataclass(frozen=True, slots=True)
class Served:
    """The certificate that a server shows: its dates (aware UTC) and its SHA-1 in upper hex."""

    start: datetime
    end: datetime
    thumbprint: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading one item: the certificate, or the problem."""

    item: Item
    served: Served | None = None
    problem: str | None = None
