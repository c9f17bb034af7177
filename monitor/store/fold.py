"""Compares what a scan saw with what is known, and says which rows change. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from monitor.lifecycle import renewed_life
from monitor.model import Kind, ObservedCredential, ObservedObject, credential_uid
from monitor.store.text import clean, dump

Row = dict[str, Any]


def object_row(tenant: str, seen: ObservedObject, at: datetime) -> Row:
    """An object as a row, as if it were new."""
    return {
        "tenant": tenant,
        "object_id": clean(seen.object_id),
        "object_type": seen.object_type.value,
        "app_id": _clean(seen.app_id),
        "name": clean(seen.name),
        "enabled": seen.enabled,
        "managed_identity": seen.managed_identity,
        "home_tenant": _clean(seen.home_tenant),
        "owners": None if seen.owners is None else dump(seen.owners),
        "people": None if seen.people is None else dump(seen.people),
        "notify": dump(seen.notify) if seen.notify else None,
        "federated": dump(seen.federated) if seen.federated else "[]",
        "first_seen": at,
        "removed_at": None,
    }


def credential_rows(
    tenant: str, seen: ObservedObject, own: frozenset[str], at: datetime
) -> Iterable[Row]:
    """The credentials of an object as rows, as if they were new.

    Two that cannot be told apart count as two: the second gets a uid of its own.
    """
    taken: dict[str, int] = {}
    for credential in sorted(seen.credentials, key=_stable_order):
        raw = credential_uid(seen.object_id, credential.kind, credential.slot)
        taken[raw] = taken.get(raw, 0) + 1
        uid = raw if taken[raw] == 1 else f"{raw}#{taken[raw]}"
        yield {
            "tenant": tenant,
            "uid": clean(uid),
            "object_id": clean(seen.object_id),
            "kind": credential.kind.value,
            "slot": clean(credential.slot),
            "key_id": _clean(credential.key_id),
            "name": _clean(credential.name),
            "starts_at": credential.start,
            "ends_at": credential.end,
            "life": 1,
            "thumbprint": _clean(credential.thumbprint),
            "hint": _clean(credential.hint),
            "active": credential.active,
            "own": raw in own,
            "first_seen": at,
            "unproven_since": None,
            "removed_at": None,
        }


def changed_objects(seen: Iterable[Row], known: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Those of the rows that are new or differ from what is known (by object id)."""
    return [row for row in seen if _differs(row, known.get(row["object_id"]))]


def changed_credentials(
    seen: Iterable[Row], known: Mapping[str, Mapping[str, Any]], zone: ZoneInfo
) -> list[Row]:
    """Those of the rows that are new or differ from what is known (by uid), with their life.

    Args:
        seen: rows of `credential_rows`; their `life` is set here.
        known: the stored rows, removed ones too: what comes back lives on.
        zone: the tenant's, in which days are counted.
    """
    changed = []
    for row in seen:
        old = known.get(row["uid"])
        if old is not None:
            renewed = renewed_life(old["ends_at"], row["ends_at"], zone)
            if row["kind"] == Kind.ITEM.value:  # people change these; an earlier end is a new one
                renewed = renewed or renewed_life(row["ends_at"], old["ends_at"], zone)
            row["life"] = old["life"] + int(renewed)
        if _differs(row, old):
            changed.append(row)
    return changed


def additions(rows: Iterable[Row], known: Mapping[str, Mapping[str, Any]], key: str) -> list[Row]:
    """Those of the rows that are new, or known as removed: all that an incomplete scan may write.

    What it says about the others could silence a warning, and is not proven.
    """
    return [row for row in rows if _is_absent(known.get(row[key]))]


def _is_absent(old: Mapping[str, Any] | None) -> bool:
    return old is None or old["removed_at"] is not None


def _differs(row: Row, old: Mapping[str, Any] | None) -> bool:
    return old is None or any(
        value != old[name] for name, value in row.items() if name != "first_seen"
    )


def _stable_order(credential: ObservedCredential) -> tuple[bool, str, str, str]:
    """The same order in every scan, so that the uids of equal ones stay where they are."""
    end = credential.end
    start = credential.start
    return (
        end is None,
        "" if end is None else end.isoformat(),
        "" if start is None else start.isoformat(),
        credential.name or "",
    )


def _clean(text: str | None) -> str | None:
    return None if text is None else clean(text)
