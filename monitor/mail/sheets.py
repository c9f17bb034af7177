"""The whole list of a long digest as a CSV file, for spreadsheets."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from monitor.cells import cell_text
from monitor.mail import guides, words
from monitor.mail.views import DigestItem, Frame
from monitor.model import CLOSINGS, Attachment, Credential, MailKind, Tenant

NAME = "lapsewatch.csv"
COLUMNS = (
    "state", "days_left", "end", "tenant", "directory_id", "app_name", "app_id",
    "object_type", "object_id", "kind", "name", "key_id", "start", "owners", "link",
    "removed_at", "newer_key_id", "newer_end",
)  # fmt: skip
LARGEST = 1_000_000  # bytes; servers take 10 MB and more, but nobody reads as much
_CELL = 200  # characters of what other people name
_OWNERS = 20


class Sheet(NamedTuple):
    """A file and how many of its lines it had no room for."""

    file: Attachment
    left: int


def sheet(
    items: Sequence[DigestItem],
    frame: Frame,
    *,
    covered: Sequence[tuple[Tenant, Credential]] = (),
    still_lapsed: Sequence[tuple[Tenant, Credential]] = (),
) -> Sheet:
    """All that a digest lists, as RFC 4180 says: its items in the order given, then the rest."""
    rows = [_item(item, frame) for item in items]
    rows += [_row(*pair, "lapsed", frame.days_left(pair[1].end), frame) for pair in still_lapsed]
    rows += [_row(*pair, "covered", frame.days_left(pair[1].end), frame) for pair in covered]
    return _sheet(NAME, COLUMNS, rows)


def pointer(total: int, left: int) -> str:
    """Where the whole list is: both parts of a mail say it, and many readers see only one.

    Args:
        total: how long the list is.
        left: how many lines the file had no room for.
    """
    if left:
        rest = f"the attached {NAME} all but the last {left}"
        return f"The text part of this mail has a line for each one, {rest}."
    return f"All {total} are in the attached {NAME}."


def table(name: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]]) -> Attachment:
    """Rows as a file; where it would become too large, its last line says how many are not in it.

    A cell that a spreadsheet would run as a formula starts with an apostrophe.
    """
    return _sheet(name, columns, rows).file


def _sheet(name: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]]) -> Sheet:
    lines, size, left = [_line(columns)], 0, 0
    for number, row in enumerate(rows):
        lines.append(_line(row))
        size += len(lines[-1])
        if size > LARGEST:
            left = len(rows) - number
            lines[-1] = _line([f"and {left} more: the text part of the mail lists them"])
            break
    # With a byte order mark, or Excel reads umlauts as something else.
    content = codecs.BOM_UTF8 + b"".join(lines)
    return Sheet(Attachment(name, "text/csv; charset=utf-8", content), left)


def _line(cells: Sequence[str | int]) -> bytes:
    out = io.StringIO()
    # A number is ours, and no formula even where it is negative.
    csv.writer(out).writerow(cell if isinstance(cell, int) else cell_text(cell) for cell in cells)
    return out.getvalue().encode()


def _item(item: DigestItem, frame: Frame) -> list[str | int]:
    notice = item.notice
    state = str(words.state_word(notice.stage, notice.days_left))
    if notice.kind in (MailKind.COVERED, MailKind.UNEXPECTED, *CLOSINGS):
        state = str(notice.kind)
    row = _row(item.tenant, notice.credential, state, notice.days_left, frame)
    new = notice.successor
    if new is None or new.uid == notice.credential.uid:
        return row
    return [*row[:-2], new.key_id or "", iso(new.end)]


def _row(
    tenant: Tenant, one: Credential, state: str, days_left: int | None, frame: Frame
) -> list[str | int]:
    cloud = frame.clouds.get(tenant.cloud)
    owners = "not known" if one.owners is None else "; ".join(one.owners[:_OWNERS])
    return [
        state,
        "" if days_left is None else days_left,
        iso(one.end),
        one.tenant,
        tenant.directory_id,
        one.app_name[:_CELL],
        one.app_id or "",
        str(one.object_type),
        one.object_id,
        str(one.kind),
        (one.name or "")[:_CELL],
        one.key_id or "",
        iso(one.start),
        owners[: 5 * _CELL],
        guides.portal_link(cloud, tenant, one) if cloud else "",
        iso(one.removed_at),
        "",
        "",
    ]


def iso(instant: datetime | None) -> str:
    """An instant in UTC as ISO 8601; empty for None."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else ""
