"""Links that open the set-up pages, and the sessions that come of them; digests, never tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select, update

from monitor.model import IDLE, WebSession
from monitor.store.engine import Database
from monitor.store.setup_tables import SETUP_LINK, WEB_SESSION


class Visits:
    """The part of the store that knows who may change something on the page."""

    _database: Database

    def put_setup_link(self, digest: str, *, expires_at: datetime, now: datetime) -> None:
        """Keep a one-time link by the digest of its token; what is out of date goes.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            connection.execute(delete(SETUP_LINK).where(SETUP_LINK.c.expires_at <= now))
            connection.execute(delete(WEB_SESSION).where(WEB_SESSION.c.expires_at <= now))
            connection.execute(insert(SETUP_LINK).values(digest=digest, expires_at=expires_at))

    def has_setup_link(self, digest: str, *, now: datetime) -> bool:
        """Whether a link would open now; it is not used up by asking.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(SETUP_LINK.c.expires_at).where(SETUP_LINK.c.digest == digest)
        with self._database.read() as connection:
            expires_at = connection.execute(query).scalar_one_or_none()
        return expires_at is not None and now < expires_at

    def open_setup_link(self, digest: str, session_digest: str, session: WebSession) -> bool:
        """Exchange a link for a session, in one transaction: of two tries one wins.

        Args:
            digest: of the link's token.
            session_digest: of the new session's.
            session: the session; the link must not be out of date when it starts.

        Returns:
            Whether the link was there to be used.

        Raises:
            StoreError: the database cannot be used.
        """
        mine = (SETUP_LINK.c.digest == digest) & (SETUP_LINK.c.expires_at > session.started_at)
        with self._database.write() as connection:
            if connection.execute(delete(SETUP_LINK).where(mine)).rowcount != 1:
                return False
            row = {
                "digest": session_digest,
                "started_at": session.started_at,
                "seen_at": session.seen_at,
                "expires_at": session.expires_at,
            }
            connection.execute(insert(WEB_SESSION).values(**row))
            return True

    def web_session(self, digest: str, *, now: datetime) -> WebSession | None:
        """The session of that digest, if it still counts.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(WEB_SESSION).where(WEB_SESSION.c.digest == digest)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        found = WebSession(row.started_at, row.seen_at, row.expires_at)
        return found if found.holds(now) else None

    def see_web_session(self, digest: str, *, now: datetime) -> None:
        """Note that a session is in use; one that was left alone too long stays ended.

        Raises:
            StoreError: the database cannot be used.
        """
        awake = (WEB_SESSION.c.digest == digest) & (WEB_SESSION.c.seen_at > now - IDLE)
        with self._database.write() as connection:
            connection.execute(update(WEB_SESSION).where(awake).values(seen_at=now))

    def drop_web_session(self, digest: str) -> None:
        """End a session.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            connection.execute(delete(WEB_SESSION).where(WEB_SESSION.c.digest == digest))
