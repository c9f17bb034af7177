"""Tenants as the text of a tenants file, which `roster.read` takes back unchanged. Pure.

Only references are written: the roster knows no value of a secret.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from monitor.fields.options import day_names
from monitor.model import CredentialRef, Item, Looking, Note, Recipient, Sender, SharedApp, Tenant
from monitor.roster.rows import guarded

_HEAD = "# Written by lapsewatch tenant export; lapsewatch tenant import takes it back.\n"
_SPLITS = re.compile(r"[;|,\s]")
_SENDER_KEYS = (
    "mailbox", "enterprise_object_id", "client_id", "canary_to", "directory_id", "cloud",
    "smtp_host", "smtp_port", "rate_per_minute",
)  # fmt: skip
_SAID = ("used_by", "where", "owner", "runbook", "remark")
_NOTE_KEYS = ("tenant", "app", "kind", "key_id", *_SAID)
_ITEM_KEYS = ("tenant", "name", "sort", "end", "host", "starttls", *_SAID)
_PLAIN_KEYS = (
    "recipients", "time_zone", "send_hour", "thresholds", "weekly_after_lapse", "tags", "paused",
    "partner", "pending", "discovered_from", "contact",
)  # fmt: skip


def to_toml(
    tenants: Iterable[Tenant],
    apps: Sequence[SharedApp],
    notes: Iterable[Note] = (),
    items: Iterable[Item] = (),
) -> str:
    """A TOML file of these tenants, of the apps that they use, and of what is kept about them.

    Args:
        tenants: are written with every value they have, so that other defaults change nothing.
        apps: all shared apps that there are; of no tenant's are left out.
        notes: all that there are; those of other tenants are left out.
        items: all that there are; those of other tenants are left out.
    """
    chosen = list(tenants)
    used = {tenant.app for tenant in chosen}
    parts = [_HEAD]
    for app in apps:
        if app.name in used:
            keys = {"name": app.name, "client_id": app.client_id}
            parts.append(_toml("[[app]]", {**keys, "credential": _held(app.credential)}))
    named = {app.name: app for app in apps}
    for tenant in chosen:
        table = _table(tenant, named)
        sender = table.pop("sender", None)
        parts.append(_toml("[[tenant]]", table))
        if sender is not None:
            parts.append(_toml("[tenant.sender]", sender))
    names = {tenant.name for tenant in chosen}
    for title, kept, wanted in (
        ("[[note]]", notes, _NOTE_KEYS),
        ("[[item]]", items, _ITEM_KEYS),
    ):
        mine: Iterable[Note | Item] = (one for one in kept if one.tenant in names)
        for one in mine:
            parts.append(_toml(title, _kept({key: getattr(one, key) for key in wanted})))
    return "\n".join(parts)


def to_csv(tenants: Iterable[Tenant], apps: Sequence[SharedApp]) -> str:
    """A CSV file of these tenants, one a line; it has no place for the apps themselves.

    A cell that a spreadsheet would run as a formula starts with an apostrophe, which the import
    takes away again.

    Args:
        tenants: are written with every value they have.
        apps: all shared apps that there are, so that what a tenant has of its app is left out.
    """
    named = {app.name: app for app in apps}
    lines = [_flat(_table(tenant, named)) for tenant in tenants]
    columns = list(dict.fromkeys(column for line in lines for column in line))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns or ["name"])
    for line in lines:
        writer.writerow([_cell(line.get(column)) for column in columns])
    return out.getvalue()


def _table(tenant: Tenant, apps: Mapping[str, SharedApp]) -> dict[str, Any]:
    """The keys of one [[tenant]]; what is empty or comes from its app is left out."""
    shared = apps.get(tenant.app or "")
    table: dict[str, Any] = {
        "name": tenant.name, "directory_id": tenant.directory_id, "cloud": tenant.cloud,
        "app": tenant.app,
    }  # fmt: skip
    if shared is None or shared.client_id != tenant.client_id:
        table["client_id"] = tenant.client_id
    if shared is None or shared.credential != tenant.credential:
        table["credential"] = _held(tenant.credential)
    table |= {key: getattr(tenant, key) for key in _PLAIN_KEYS}
    table["recipients"] = [_recipient(one) for one in tenant.recipients]
    table["sender"] = _sender(tenant.sender) if tenant.sender else None
    return _kept(table)


def _sender(sender: Sender) -> dict[str, Any]:
    table = {key: getattr(sender, key) for key in _SENDER_KEYS}
    if sender.credential is not None:
        table["credential"] = _held(sender.credential)
    return _kept(table | (_looking(sender.arrival) if sender.arrival else {}))


def _looking(looking: Looking) -> dict[str, Any]:
    table: dict[str, Any] = {
        "arrival": looking.way,
        "arrival_within": f"{round(looking.within.total_seconds())}s",
    }
    if looking.client_id and looking.credential:
        app = {"client_id": looking.client_id, "directory_id": looking.directory_id,
               "cloud": looking.cloud, "credential": _held(looking.credential)}  # fmt: skip
        table["arrival_app"] = _kept(app)
    return table


def _kept(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table without what its absence says as well.

    No threshold at all is a choice, and so is nobody to tell but the operator.
    """
    return {
        key: value
        for key, value in table.items()
        if key in ("thresholds", "recipients")
        or not (value is None or value is False or value in ((), []))
    }


def _held(credential: CredentialRef) -> dict[str, str]:
    held: dict[str, str] = {credential.form: credential.reference}
    return held if credential.password is None else held | {"password": credential.password}


def _recipient(recipient: Recipient) -> str | dict[str, Any]:
    given = {
        field.name: getattr(recipient, field.name)
        for field in fields(Recipient)
        if field.name != "address" and getattr(recipient, field.name) != field.default
    }
    if recipient.working_days:
        given["working_days"] = day_names(recipient.working_days)
    return {"address": recipient.address, **given} if given else recipient.address


# --- TOML ----------------------------------------------------------------------------------------


def _toml(head: str, table: Mapping[str, Any]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in table.items()]
    return "\n".join([head, *lines]) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
    # JSON's strings and numbers are TOML's, but for the one control character JSON lets stand.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


# --- CSV -----------------------------------------------------------------------------------------


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The columns of a table: sender_mailbox is sender.mailbox; a credential is its forms."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key in ("sender", "credential"):
            found |= _flat(value, prefix if key == "credential" else "sender_")
        else:
            found[prefix + key] = value
    return found


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        items = [str(item) for item in value]
        plain = items and all(not isinstance(one, dict) for one in value)
        if not plain or any(_SPLITS.search(item) or item.startswith("[") for item in items):
            return json.dumps(value, ensure_ascii=False)
        return guarded("|".join(items))
    return guarded(json.dumps(value) if isinstance(value, bool) else str(value))
