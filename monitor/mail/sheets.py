"""The whole list of a long digest as a CSV file, for spreadsheets."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime

from monitor.cells import cell_text
from monitor.mail import guides, words
from monitor.mail.views import DigestItem, Frame
from monitor.model import Attachment, MailKind

COLUMNS = (
    "state", "days_left", "end", "tenant", "app_name", "app_id", "object_type", "object_id",
    "kind", "name", "key_id", "start", "owners", "link",
)  # fmt: skip
LARGEST = 1_000_000  # bytes; servers take 10 MB and more, but nobody reads as much
_CELL = 200  # characters of what other people name
_OWNERS = 20


def sheet(items: Sequence[DigestItem], frame: Frame) -> Attachment:
    """All items of a digest, in the order given, as RFC 4180 says; see `table`."""
    return table("lapsewatch.csv", COLUMNS, [_row(item, frame) for item in items])


def table(name: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]]) -> Attachment:
    """Rows as a file; where it would become too large, its last line says how many are not in it.

    A cell that a spreadsheet would run as a formula starts with an apostrophe.
    """
    lines, size = [_line(columns)], 0
    for number, row in enumerate(rows):
        lines.append(_line(row))
        size += len(lines[-1])
        if size > LARGEST:
            left = len(rows) - number
            lines[-1] = _line([f"and {left} more: the text part of the mail lists them"])
            break
    # With a byte order mark, or Excel reads umlauts as something else.
    content = codecs.BOM_UTF8 + b"".join(lines)
    return Attachment(name, "text/csv; charset=utf-8", content)


def _line(cells: Sequence[str | int]) -> bytes:
    out = io.StringIO()
    # A number is ours, and no formula even where it is negative.
    csv.writer(out).writerow(cell if isinstance(cell, int) else cell_text(cell) for cell in cells)
    return out.getvalue().encode()


def _row(item: DigestItem, frame: Frame) -> list[str | int]:
    one, notice = item.notice.credential, item.notice
    state = (
        "covered"
        if notice.kind is MailKind.COVERED
        else str(words.state_word(notice.stage, notice.days_left))
    )
    cloud = frame.clouds.get(item.tenant.cloud)
    owners = "not known" if one.owners is None else "; ".join(one.owners[:_OWNERS])
    return [
        state,
        notice.days_left,
        iso(one.end),
        one.tenant,
        one.app_name[:_CELL],
        one.app_id or "",
        str(one.object_type),
        one.object_id,
        str(one.kind),
        (one.name or "")[:_CELL],
        one.key_id or "",
        iso(one.start),
        owners[: 5 * _CELL],
        guides.portal_link(cloud, item.tenant, one) if cloud else "",
    ]


def iso(instant: datetime | None) -> str:
    """An instant in UTC as ISO 8601; empty for None."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else ""
