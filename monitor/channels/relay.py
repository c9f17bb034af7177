"""Mail through a plain submission server: the operator's other way to send alarms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from monitor.channels.path import Diagnose, Path
from monitor.channels.session import CONNECT_S, REPLY_S
from monitor.channels.submission import SubmissionChannel
from monitor.model import Relay


class RelayChannel(SubmissionChannel):
    """Sends through a relay, with user and password, or with neither.

    Args:
        relay: the server, and how its connection is protected.
        mailbox: the address that mails are from.
        password: not used where the relay has no user.
        diagnose: names the cause behind a reply.
        clock: the current instant, aware UTC.
        ca_file: PEM file of the only CAs to trust; None is the system's store.
        sender_name: the name beside the address.
        connect_s: seconds for a connection to come about.
        reply_s: seconds for each whole reply.
    """

    def __init__(
        self,
        relay: Relay,
        *,
        mailbox: str,
        password: str | None,
        diagnose: Diagnose,
        clock: Callable[[], datetime],
        ca_file: str | None = None,
        sender_name: str = "Lapsewatch",
        connect_s: float = CONNECT_S,
        reply_s: float = REPLY_S,
    ) -> None:
        signs_in = relay.user is not None and password is not None
        super().__init__(
            relay_path(relay, mailbox, ca_file, signs_in=signs_in),
            sender=mailbox,
            token=(lambda: password) if password is not None and signs_in else None,
            diagnose=diagnose,
            clock=clock,
            sender_name=sender_name,
            connect_s=connect_s,
            reply_s=reply_s,
        )


def relay_path(relay: Relay, mailbox: str, ca_file: str | None, *, signs_in: bool) -> Path:
    """Where and as whom a relay takes mail; `signs_in` is whether there is a password."""
    return Path(
        host=relay.host,
        port=relay.port,
        mailbox=relay.user or mailbox,
        tls=relay.tls,
        auth="login" if signs_in else "none",
        ca_file=ca_file,
    )
