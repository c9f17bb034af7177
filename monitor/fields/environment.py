"""Which environment variable said what, so that a mistake is told where it was made."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from typing import Any

from monitor.fields.problems import printable, unknown_key

PREFIX, DIVIDER = "LAPSEWATCH_", "__"


def unknown_variables(tables: Collection[str]) -> list[str]:
    """What is wrong with variables of the form LAPSEWATCH_TABLE__KEY: the table does not exist.

    Without the double underscore it may be a secret that an env: reference names.

    Args:
        tables: the names of those that do exist.
    """
    problems = []
    for name in sorted(os.environ):
        table, divider, _ = name.upper().removeprefix(PREFIX).partition(DIVIDER)
        if not name.upper().startswith(PREFIX) or not divider:
            continue
        if table.lower() not in tables:
            told = unknown_key(table.lower(), tables).replace("key", "table")
            problems.append(f"{printable(name)}: {told}")
    return problems


def variable_of(place: str, table: Mapping[str, Any]) -> str | None:
    """The environment variable that set the key at this dotted path, if one did.

    A list or table in one variable sets all that is in it.

    Args:
        place: a key, like operator.recipients.1.
        table: what the settings file holds.
    """
    parts = place.split(".")
    for end in range(len(parts), 0, -1):
        wanted = PREFIX + DIVIDER.join(parts[:end]).upper()
        name = next((name for name in os.environ if name.upper() == wanted), None)
        if name and _is_at_fault(os.environ[name], parts[:end], parts[end:], table):
            return name
    return None


def _is_at_fault(value: str, above: list[str], below: list[str], table: Mapping[str, Any]) -> bool:
    """Whether a variable's value, and not the file's table, has (or lacks) the key below it."""
    try:
        held = json.loads(value)
    except (ValueError, RecursionError):
        return True
    if not below or not isinstance(held, dict) or below[0] in held:
        return True
    inner: Any = table
    for part in above:
        inner = inner.get(part) if isinstance(inner, dict) else None
    return inner is None
