"""Mail through a mailbox with an access token: Exchange Online, or whoever takes XOAUTH2."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from monitor.channels.path import Diagnose, Path
from monitor.channels.session import CONNECT_S, REPLY_S
from monitor.channels.submission import SubmissionChannel


class SmtpOAuthChannel(SubmissionChannel):
    """Sends as a mailbox over STARTTLS and XOAUTH2; From is that mailbox.

    Args:
        path: where to and as whom (`auth` must be `xoauth2`).
        token: gives the access token; asked once per connection.
        diagnose: names the cause behind a reply.
        clock: the current instant, aware UTC.
        sender_name: the name beside the address.
        connect_s: seconds for a connection to come about.
        reply_s: seconds for each whole reply; Exchange waits 5 to 8 before it refuses.

    Raises:
        ValueError: the path does not sign in by XOAUTH2.
    """

    def __init__(
        self,
        path: Path,
        *,
        token: Callable[[], str],
        diagnose: Diagnose,
        clock: Callable[[], datetime],
        sender_name: str = "Lapsewatch",
        connect_s: float = CONNECT_S,
        reply_s: float = REPLY_S,
    ) -> None:
        if path.auth != "xoauth2":
            raise ValueError(f"this channel signs in by XOAUTH2, not by {path.auth}")
        super().__init__(
            path,
            sender=path.mailbox,
            token=token,
            diagnose=diagnose,
            clock=clock,
            sender_name=sender_name,
            connect_s=connect_s,
            reply_s=reply_s,
        )
