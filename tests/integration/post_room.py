"""The room that delivery is tested in: a store, scripted channels, paths, and a clock."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from monitor import process
from monitor.deliver import Channel, Deliverer, Outcome
from monitor.errors import DeliveryError
from monitor.model import OutboxMail, Receipt
from monitor.routes import Paths
from monitor.store import Store
from tests.integration.conftest import Make

CONTOSO, OPERATOR = "tenant:contoso", "operator"
MINUTE = timedelta(minutes=1)


def refused(**about: object) -> DeliveryError:
    """A refusal: by default one that may pass."""
    plain: dict[str, object] = {"cause": "smtp_busy", "stage": "mail", "evidence": "451 4.7.0"}
    return DeliveryError("451 4.7.0 Try again later", **{**plain, **about})  # type: ignore[arg-type]


PASSING = refused()
DEFINITE = refused(permanent=True, cause="smtp_auth_disabled_tenant", stage="auth")
BAD_RECIPIENT = refused(permanent=True, bad_recipient=True, cause="recipient_unknown", stage="rcpt")
SLOW_RECIPIENT = refused(bad_recipient=True, cause="mailbox_full", stage="rcpt")
LOST_ANSWER = refused(uncertain=True, cause="reply_timeout", stage="data")
GREYLISTED = refused(code=451, cause="greylisted", stage="rcpt", evidence="451 4.7.1 Greylisted")
CONTENT = refused(code=554, permanent=True, cause="content_rejected", stage="data")


@dataclass
class Post:
    """All channels of a test: what each was given, and what each answers.

    `answer` says what becomes of a mail on a path: None accepts it, an error refuses it.
    """

    answer: Callable[[str, OutboxMail], Exception | None] = lambda path, mail: None
    accepted: list[tuple[str, OutboxMail]] = field(default_factory=list)
    tried: list[tuple[str, str]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    now: datetime = Make.now

    def connect(self, path: str) -> Channel:
        """The channel of a path."""
        return _Channel(self, path)


@dataclass
class _Channel:
    post: Post
    path: str

    def __enter__(self) -> Self:
        self.post.opened.append(self.path)
        return self

    def __exit__(self, *exc: object) -> None:
        self.post.closed.append(self.path)

    def send(self, mail: OutboxMail) -> Receipt:
        self.post.tried.append((self.path, mail.id))
        error = self.post.answer(self.path, mail)
        if error is not None:
            raise error
        self.post.accepted.append((self.path, mail))
        return Receipt("250 2.0.0 OK", self.post.now)


@dataclass
class Room:
    """A store, a post, paths that exist, and a clock that a test moves."""

    store: Store
    post: Post = field(default_factory=Post)
    paths: Paths = field(default_factory=lambda: there(CONTOSO, OPERATOR))
    now: datetime = Make.now

    def deliverer(self, owner: str | None = None) -> Deliverer:
        """A deliverer of this process, or of another owner."""
        return Deliverer(
            self.store, paths=lambda: self.paths, connect=self.post.connect,
            clock=lambda: self.now, owner=owner or process.identity(),
        )  # fmt: skip

    def run(self, **how: object) -> Outcome:
        """One round."""
        return self.deliverer().run(**how)  # type: ignore[arg-type]

    def put(self, *mails: OutboxMail) -> None:
        """Mails into the outbox."""
        self.store.enqueue(mails)

    def row(self, mail: OutboxMail) -> OutboxMail:
        """What the store holds of a mail now."""
        return next(row for row in self.store.outbox() if row.id == mail.id)


def there(*names: str, broken: Sequence[str] = ()) -> Paths:
    """Paths that exist."""
    return Paths({name: (name,) for name in names}, frozenset(broken))


@pytest.fixture
def room(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Room]:
    """A room over a fresh SQLite store."""
    file = tmp_path / "lapsewatch.db"
    shutil.copy(migrated_sqlite, file)
    with Store.open(f"sqlite:///{file}") as store:
        yield Room(store)
