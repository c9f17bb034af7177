"""What was told of a credential's life, what may be there, and what may be gone at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.model.words import Kind

# A newer one covers an old one: that is said once in so many days before the old one's end.
COVERED_DAYS = 7


@dataclass(frozen=True, slots=True)
class Told:
    """What a recipient was told about one life of a credential, and the server accepted.

    `level` is the highest level of its stages (None: none yet). `covered` says whether they heard,
    in the last week before its end, that a newer one is in place. With `closed` the newest they
    heard is that it is over; `unexpected` is whether they heard that it should not be there.
    None of these three counts for the level.
    """

    level: int | None = None
    covered: bool = False
    closed: bool = False
    unexpected: bool = False

    @property
    def open(self) -> bool:
        """Whether a stage was told and not yet that it is over."""
        return self.level is not None and not self.closed

    @property
    def warned(self) -> bool:
        """Whether this is more than the word that something should not be there."""
        return self.level is not None or self.covered


@dataclass(frozen=True, slots=True)
class Forbid:
    """A rule of the operator: where no credential should appear.

    What is None fits everything. `tenant`, `tag` and `app` may hold `*`; `app` fits the name or
    the client id. Upper and lower case are the same.
    """

    reason: str
    tenant: str | None = None
    tag: str | None = None
    app: str | None = None
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Somebody's word that it is meant when many credentials of a tenant are gone at once.

    It is good for one complete scan, which is `used_at`.
    """

    tenant: str
    author: str
    reason: str
    at: datetime
    used_at: datetime | None = None
