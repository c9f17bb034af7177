"""The simulated sendMail of Graph: a whole MIME message in base64 goes to the inbox.

https://learn.microsoft.com/graph/api/user-sendmail: with `Content-Type: text/plain` the body is
the message; the answer is 202 without a body. The application permission is Mail.Send.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from email.parser import BytesParser
from email.policy import default
from email.utils import getaddresses

from .mailroom import Inbox, InboxMessage
from .world import Tenant

SEND_MAIL = re.compile(r"/users/(?P<user>[^/]+)/sendMail")
SENDERS = {"Mail.Send"}


class RefusedMailError(Exception):
    """A request that sendMail refuses: its status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def take_mail(tenant: Tenant, user: str, body: bytes, inbox: Inbox, now: datetime) -> None:
    """Put the message into the inbox, or raise with the words of Graph."""
    mailbox = tenant.mailbox(user)
    if mailbox is None:
        raise RefusedMailError(404, "ErrorInvalidUser", f"The requested user '{user}' is invalid.")
    try:
        raw = base64.b64decode(body, validate=True)
    except binascii.Error as error:
        text = "Invalid base64 string for MIME content."
        raise RefusedMailError(400, "ErrorMimeContentInvalidBase64String", text) from error
    message = BytesParser(policy=default).parsebytes(raw)
    to = tuple(address for _, address in getaddresses([str(message.get("To", ""))]) if address)
    if not to:
        text = "At least one recipient isn't valid."
        raise RefusedMailError(400, "ErrorInvalidRecipients", text)
    inbox.add(InboxMessage(now, mailbox.address, mailbox.address, to, raw))
