"""What Graph shows of mailboxes and of the message trace: the inbox's mails, and their fates."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from .mailroom import Inbox, InboxMessage
from .pages import BadQueryError
from .world import Tenant, World

TRACE = "/admin/exchange/tracing/messageTraces"
MESSAGES = re.compile(r"/users/(?P<address>[^/]+)/messages")
FOLDER = re.compile(r"/users/(?P<address>[^/]+)/mailFolders/(?P<name>inbox|junkemail)")
_TEXT = re.compile(r"(\w+) eq '((?:[^']|'')*)'")
_SINCE = re.compile(r"receivedDateTime ge (\S+)")
_TRACE_ROLE = "ExchangeMessageTrace.Read.All"
_READERS = {"Mail.Read", "Mail.ReadWrite"}


class MailRefusedError(Exception):
    """A refusal: status, code and words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Mailboxes:
    """Answers about mails.

    Args:
        world: whose mailboxes there are.
        inbox: all mails that the simulated Exchange accepted.
    """

    def __init__(self, world: World, inbox: Inbox) -> None:
        self._world = world
        self._inbox = inbox

    @staticmethod
    def is_mine(path: str) -> bool:
        """Whether a path is about mails."""
        return path == TRACE or bool(MESSAGES.fullmatch(path) or FOLDER.fullmatch(path))

    def answer(
        self,
        tenant: Tenant,
        roles: set[str],
        object_id: str,
        path: str,
        options: Mapping[str, str],
        now: datetime,
    ) -> dict[str, Any]:
        """The payload for a path of `is_mine`.

        Raises:
            MailRefusedError: as Graph refuses.
            BadQueryError: a filter that is not understood.
        """
        if path == TRACE:
            if _TRACE_ROLE not in roles:
                raise MailRefusedError(403, "Forbidden", "The caller does not have permission.")
            return {"value": list(self._traces(tenant, options, now))}
        found = MESSAGES.fullmatch(path) or FOLDER.fullmatch(path)
        if found is None:  # the caller asks is_mine first
            raise ValueError(f"{path} is no path of a mailbox")
        address = found["address"].lower()
        if tenant.mailbox(address) is None:
            words = f"The requested user '{address}' is invalid."
            raise MailRefusedError(404, "ErrorInvalidUser", words)
        if not roles & _READERS and address not in tenant.mail_read.get(object_id, set()):
            words = "Access is denied. Check credentials and try again."
            raise MailRefusedError(403, "ErrorAccessDenied", words)
        if "name" in found.groupdict():
            return {"id": _folder_id(address, found["name"])}
        return {"value": list(self._messages(tenant, address, options, now))}

    def _messages(
        self, tenant: Tenant, address: str, options: Mapping[str, str], now: datetime
    ) -> Iterator[dict[str, Any]]:
        fate, wanted = tenant.fate, options.get("$filter", "")
        for message in reversed(self._inbox.messages):
            received = message.received_at + fate.delay
            there = address in {one.lower() for one in message.rcpt_to}
            if not there or fate.lost or fate.quarantined or received > now:
                continue
            folder = "junkemail" if fate.junk else "inbox"
            shown = _shown(message, received, _folder_id(address, folder), fate.rewritten)
            if _fits(shown, wanted):
                chosen = options.get("$select", "").split(",")
                yield {key: value for key, value in shown.items() if key in chosen}

    def _traces(
        self, tenant: Tenant, options: Mapping[str, str], now: datetime
    ) -> Iterator[dict[str, Any]]:
        fate, own = tenant.fate, {box.address.lower() for box in tenant.mailboxes}
        for message in self._inbox.messages:
            for address in message.rcpt_to:
                mine = message.mail_from.lower() in own or address.lower() in own
                if not mine or message.received_at + fate.delay > now:
                    continue
                shown = {
                    "id": _folder_id(message.message_id, address),
                    "messageId": message.message_id,
                    "receivedDateTime": _wire(message.received_at),
                    "recipientAddress": address,
                    "senderAddress": message.mail_from,
                    "status": fate.status,
                    "subject": message.subject,
                }
                if _fits(shown, options.get("$filter", "")):
                    yield shown


def _shown(
    message: InboxMessage, received: datetime, folder: str, rewritten: bool
) -> dict[str, Any]:
    headers = [{"name": name, "value": str(value)} for name, value in message.parsed.items()]
    told = f"<{_folder_id(message.message_id, 'new')[:24]}@sandbox.outlook.example>"
    return {
        "id": _folder_id(message.message_id, "id"),
        "subject": message.subject,
        "internetMessageId": told if rewritten else message.message_id,
        "receivedDateTime": _wire(received),
        "parentFolderId": folder,
        "internetMessageHeaders": headers,
    }


def _fits(shown: Mapping[str, Any], text: str) -> bool:
    """Whether an entry passes a $filter of comparisons joined by `and`."""
    for part in filter(None, text.split(" and ")):
        if found := _TEXT.fullmatch(part.strip()):
            if str(shown.get(found[1], "")).lower() != found[2].replace("''", "'").lower():
                return False
        elif since := _SINCE.fullmatch(part.strip()):
            if datetime.fromisoformat(shown["receivedDateTime"]) < datetime.fromisoformat(since[1]):
                return False
        else:
            raise BadQueryError("ErrorInvalidUrlQueryFilter", "The query filter contains errors.")
    return True


def _folder_id(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def _wire(instant: datetime) -> str:
    """An instant as Graph writes those of mails: whole seconds."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
