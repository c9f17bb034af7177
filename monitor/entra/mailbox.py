"""Looks for a canary where it should have arrived: in its mailbox, or in a message trace.

Facts: https://learn.microsoft.com/graph/api/user-list-messages (internetMessageHeaders only with
$select) and https://learn.microsoft.com/graph/api/messagetracingroot-list-messagetraces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec

from monitor.entra.calls import GraphCalls, RefusedError
from monitor.entra.failures import graph_error
from monitor.entra.values import clean, parse_date
from monitor.errors import GraphError
from monitor.model import Copy, Sighting
from monitor.model.arrivals import Folder, Mark, Way

HEADER = "x-lapsewatch-canary-id"
_FIELDS = "id,subject,internetMessageId,receivedDateTime,parentFolderId,internetMessageHeaders"
_PAGE = 50  # mails; more do not come to a canary's mailbox in its time
_SLACK = timedelta(minutes=10)  # two clocks
# Of a trace's `status`: what will not be delivered any more.
_REFUSED = frozenset({"failed", "quarantined"})
_DENIED: dict[Way, str] = {"graph": "mail_read_missing", "trace": "trace_read_missing"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A canary that is looked for.

    Args:
        copy: whose id, address and Message-ID.
        mark: that its subject ends with.
    """

    copy: Copy
    mark: str


async def find(calls: GraphCalls, way: Way, wanted: Wanted) -> Sighting | None:
    """Look for a canary once; None where it is not (yet).

    Raises:
        GraphError: nobody can look; `mail_read_missing` or `trace_read_missing` where the right
            to do so is.
    """
    try:
        if way == "trace":
            return await _in_trace(calls, wanted)
        return await _in_mailbox(calls, wanted)
    except RefusedError as error:
        raise _explained(error, way, wanted.copy.recipient) from None


async def _in_mailbox(calls: GraphCalls, wanted: Wanted) -> Sighting | None:
    """By Message-ID first, which is one cheap question; where that was rewritten, among all."""
    copy = wanted.copy
    place = f"users/{quote(copy.recipient, safe='')}"
    since = copy.accepted_at.astimezone(UTC) - _SLACK
    for condition in (
        f"internetMessageId eq '{_literal(copy.message_id)}'",
        f"receivedDateTime ge {since:%Y-%m-%dT%H:%M:%SZ}",
    ):
        query = f"$filter={quote(condition, safe='')}&$select={_FIELDS}&$top={_PAGE}"
        page = await _get(calls, f"{place}/messages?{query}", "the canary's mailbox")
        for entry in _entries(page):
            mark, received = _mark(entry, wanted), _instant(entry)
            if mark is not None and received is not None:
                folder = await _folder(calls, place, entry)
                return Sighting(received, folder, mark, f"Recognised by its {_MARK_WORDS[mark]}.")
    return None


_MARK_WORDS: dict[Mark, str] = {
    "header": "canary id", "message_id": "Message-ID", "subject": "subject", "trace": "Message-ID",
}  # fmt: skip


def _mark(entry: Mapping[str, Any], wanted: Wanted) -> Mark | None:
    """What a mail is recognised by: its own header where that can be read, else by less."""
    headers = entry.get("internetMessageHeaders")
    for header in headers if isinstance(headers, list) else []:
        if isinstance(header, dict) and str(header.get("name")).lower() == HEADER:
            return "header" if header.get("value") == wanted.copy.id else None
    if entry.get("internetMessageId") == wanted.copy.message_id:
        return "message_id"
    return "subject" if wanted.mark in str(entry.get("subject") or "") else None


async def _folder(calls: GraphCalls, place: str, entry: Mapping[str, Any]) -> Folder:
    """Where a mail lies; "other" where nobody can tell that it is Junk Email."""
    names: tuple[tuple[str, Folder], ...] = (("junkemail", "junk"), ("inbox", "inbox"))
    for name, folder in names:
        try:
            found = await _get(calls, f"{place}/mailFolders/{name}?$select=id", "a mail folder")
        except RefusedError as error:
            if error.status not in (403, 404):
                raise  # asked again later: junk must not pass for an inbox
            continue
        if found.get("id") and found.get("id") == entry.get("parentFolderId"):
            return folder
    return "other"


async def _in_trace(calls: GraphCalls, wanted: Wanted) -> Sighting | None:
    copy = wanted.copy
    condition = (
        f"messageId eq '{_literal(copy.message_id)}' "
        f"and recipientAddress eq '{_literal(copy.recipient)}'"
    )
    path = f"admin/exchange/tracing/messageTraces?$filter={quote(condition, safe='')}"
    page = await _get(calls, path, "the message trace")
    for entry in _entries(page):
        status, received = str(entry.get("status") or "").lower(), _instant(entry)
        if received is None:
            continue
        said = f"The message trace says: {clean(entry.get('status')) or 'nothing'}."
        if status == "delivered":
            return Sighting(received, "other", "trace", said)
        if status == "filteredasspam":
            return Sighting(received, "junk", "trace", said)
        if status in _REFUSED:
            return Sighting(received, "other", "trace", said, refused=True)
    return None


def _explained(error: RefusedError, way: Way, recipient: str) -> GraphError:
    """A refusal in the words of what was wanted."""
    if error.status == 404 and way == "graph":
        told = f"{recipient} is no mailbox of the directory whose app looks for the canary."
        return graph_error("canary_mailbox_missing", told, evidence=error.evidence)
    if error.status == 403:
        right = "Mail.Read" if way == "graph" else "ExchangeMessageTrace.Read.All"
        where = f" at {recipient}" if way == "graph" else ""
        told = f"Graph refuses the read-back{where}: the app has no right {right} there."
        return graph_error(_DENIED[way], told, evidence=error.evidence)
    return error


async def _get(calls: GraphCalls, path: str, what: str) -> dict[str, Any]:
    async def use(body: bytes) -> dict[str, Any]:
        try:
            found = msgspec.json.decode(body)
        except (ValueError, RecursionError):
            raise graph_error("malformed_page", f"The answer to {what} is no JSON.") from None
        if not isinstance(found, dict):
            raise graph_error("malformed_page", f"The answer to {what} is no object.")
        return found

    builder = calls.graph.applications.with_url(f"{calls.base_url}/{path}")
    return await calls.read(builder, what, use, tries=2)


def _entries(page: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The entries of a page.

    Raises:
        GraphError: it is none; an empty list would be taken for a canary that is lost.
    """
    entries = page.get("value")
    if not isinstance(entries, list):
        raise graph_error("malformed_page", "The answer to the read-back is not a page.")
    return (one for one in entries if isinstance(one, dict))


def _instant(entry: Mapping[str, Any]) -> datetime | None:
    try:
        return parse_date(entry.get("receivedDateTime"))
    except (ValueError, TypeError):
        return None


def _literal(text: str) -> str:
    """A text between the quotes of OData."""
    return text.replace("'", "''")
