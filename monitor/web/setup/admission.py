"""Who may change something on the page: one-time links, sessions, form tokens, wrong guesses."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.model import WebSession
from monitor.store import Store

LINK_LASTS = timedelta(minutes=15)
SESSION_LASTS = timedelta(hours=8)
WRONG_TRIES = 10  # of one address within a minute; then it waits
_WINDOW = timedelta(minutes=1)
_ADDRESSES = 1000  # that are remembered at the same time
_NOTED_EVERY = timedelta(minutes=1)  # a write for each click is not worth it
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """A request with a session that holds.

    Args:
        token: what its cookie holds; never shown, kept or logged.
    """

    token: str

    @property
    def form_token(self) -> str:
        """What every form of this session carries. The cookie cannot be told from it."""
        return hmac.digest(self.token.encode(), b"lapsewatch form", "sha256").hex()

    def sent_by_us(self, form_token: str) -> bool:
        """Whether a form that came back is one of this session's; takes the same time always."""
        return hmac.compare_digest(self.form_token.encode(), form_token.encode())


class Admission:
    """Makes one-time links, exchanges them for sessions, and knows sessions again.

    Args:
        store: keeps digests of both.
        clock: the current instant, aware UTC.
    """

    def __init__(self, store: Callable[[], Store], clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def make_link(self, *, lasts: timedelta = LINK_LASTS) -> str:
        """The path of a new one-time link.

        Raises:
            StoreError: the database cannot be used.
        """
        token, now = secrets.token_urlsafe(_TOKEN_BYTES), self._clock()
        self._store().put_setup_link(_digest(token), expires_at=now + lasts, now=now)
        return f"/setup/open/{token}"

    def opens(self, token: str) -> bool:
        """Whether a link's token would open; asking does not use it up.

        Raises:
            StoreError: the database cannot be used.
        """
        return self._store().has_setup_link(_digest(token), now=self._clock())

    def open(self, token: str) -> Visit | None:
        """Use a link up; None where it was wrong, used before or out of date.

        Raises:
            StoreError: the database cannot be used.
        """
        visit, now = Visit(secrets.token_urlsafe(_TOKEN_BYTES)), self._clock()
        session = WebSession(now, now, now + SESSION_LASTS)
        opened = self._store().open_setup_link(_digest(token), _digest(visit.token), session)
        return visit if opened else None

    def recognise(self, cookie: str) -> Visit | None:
        """The session of a cookie, if it holds; notes that it is in use.

        Raises:
            StoreError: the database cannot be used.
        """
        digest, now = _digest(cookie), self._clock()
        found = self._store().web_session(digest, now=now)
        if found is None:
            return None
        if now - found.seen_at >= _NOTED_EVERY:
            self._store().see_web_session(digest, now=now)
        return Visit(cookie)

    def end(self, visit: Visit) -> None:
        """End a session.

        Raises:
            StoreError: the database cannot be used.
        """
        self._store().drop_web_session(_digest(visit.token))


class Guesses:
    """Counts wrong tokens by address, and says when one has to wait. Safe in several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, deque[datetime]] = OrderedDict()

    def wrong(self, address: str, now: datetime) -> None:
        """Note a wrong token."""
        with self._lock:
            noted = self._wrong.setdefault(address, deque(maxlen=WRONG_TRIES))
            self._wrong.move_to_end(address)
            noted.append(now)
            while len(self._wrong) > _ADDRESSES:
                self._wrong.popitem(last=False)

    def too_many(self, address: str, now: datetime) -> bool:
        """Whether that address has to wait, also with a right one."""
        with self._lock:
            noted = self._wrong.get(address)
            return noted is not None and len(noted) == WRONG_TRIES and now - noted[0] < _WINDOW


def _digest(token: str) -> str:
    # 256 random bits need no salt and no slow hash.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
