"""The status report as CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import cast

from monitor.cells import cell_text, visible
from monitor.shape import as_json
from monitor.status import StatusReport

__all__ = ["COLUMNS", "to_csv", "visible"]

COLUMNS = (
    "tenant", "object_type", "object_id", "app_id", "app_name", "kind", "key_id", "name",
    "start", "end", "state", "days_left", "as_of", "stale", "owners", "own",
    "managed_identity", "needs_action", "successor_key_id", "removed_at", "uid", "note", "ignored",
    "last_used", "usage_as_of", "still_used", "disabled", "lifetime_allowed_days",
    "lives_too_long",
)  # fmt: skip


def to_csv(report: StatusReport) -> str:
    """One row per credential, as RFC 4180 says, under the names that the JSON has.

    A cell that a spreadsheet would run as a formula starts with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in cast("list[Mapping[str, object]]", as_json(report)["credentials"]):
        writer.writerow(_cell(row[column]) for column in COLUMNS)
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)  # a number of ours, and no formula even where it is negative
    if isinstance(value, dict):
        said = [f"{key}: {', '.join(one) if isinstance(one, list) else one}"
                for key, one in value.items() if one]  # fmt: skip
        return cell_text("; ".join(said))
    if isinstance(value, list):
        return cell_text("; ".join(map(str, value)) or "(none)")
    return cell_text(str(value))
