"""A channel that hands mails to a submission server, several over one connection."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Self

from monitor.channels.message import build
from monitor.channels.path import Diagnose, Path
from monitor.channels.session import CONNECT_S, REPLY_S, Session
from monitor.errors import DeliveryError
from monitor.model import OutboxMail, Receipt


class SubmissionChannel:
    """Sends outbox rows; connects at the first one, and again when the server hung up.

    Args:
        path: where to and as whom.
        sender: the address that mails are from.
        token: gives the access token, or the password of `path.auth == "login"`.
        diagnose: names the cause behind a reply.
        clock: the current instant, aware UTC.
        sender_name: the name beside the address.
        connect_s: seconds for a connection to come about.
        reply_s: seconds for each whole reply.
    """

    def __init__(
        self,
        path: Path,
        *,
        sender: str,
        token: Callable[[], str] | None,
        diagnose: Diagnose,
        clock: Callable[[], datetime],
        sender_name: str = "Lapsewatch",
        connect_s: float = CONNECT_S,
        reply_s: float = REPLY_S,
    ) -> None:
        self._session = Session(
            path, token=token, diagnose=diagnose, connect_s=connect_s, reply_s=reply_s
        )
        self._sender = sender
        self._sender_name = sender_name
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def send(self, mail: OutboxMail) -> Receipt:
        """Hand over one mail.

        Args:
            mail: the row; the same row is the same bytes at every attempt.

        Returns:
            The server's acceptance.

        Raises:
            DeliveryError: it was not accepted; the channel can be used for the next mail.
            RemoteError: the token or password could not be had (stage `token`).
        """
        data = build(mail, sender=self._sender, sender_name=self._sender_name)
        reused = self._session.is_open
        if not reused:
            self._session.open()
        try:
            reply = self._session.send(self._sender, mail.recipient, data)
        except DeliveryError as error:
            # Servers hang up on idle clients; nothing of this mail was said by then.
            hung_up = error.stage == "mail" and not self._session.is_open
            if not reused or not hung_up:
                raise
            self._session.open()
            reply = self._session.send(self._sender, mail.recipient, data)
        return Receipt(reply=reply, accepted_at=self._clock())

    def close(self) -> None:
        """Take leave of the server; the next `send` connects again."""
        self._session.close()
