"""Deleting a tenant and what hangs on it, within the transaction of whoever asks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, delete, func, or_

from monitor.routes import sender_scope
from monitor.store.tables import (
    ALARM,
    EXAMINATION,
    EXCHANGE_RESULT,
    NOTICE,
    OUTBOX,
    PROBE,
    SEALED_SECRET,
    SENDER_HEALTH,
    SLOT,
    TENANT,
)
from monitor.store.text import dump


def forget(connection: Connection, name: str, *, keep: Collection[str] = ()) -> bool:
    """Delete a tenant and what hangs on it; whether there was one.

    Args:
        connection: a writing transaction.
        name: of the tenant.
        keep: the fields of sealed values that the next one of that name signs in with.
    """
    # Mails that name others too stay, as evidence of what those were told; one that still waits
    # is replaced by its recipient's next run.
    only_it = OUTBOX.c.tenants == dump((name,))
    connection.execute(delete(OUTBOX).where(or_(only_it, is_about(OUTBOX.c.scope, name))))
    connection.execute(delete(NOTICE).where(NOTICE.c.tenant == name))
    connection.execute(delete(ALARM).where(is_about(ALARM.c.scope, name)))
    slots = or_(SLOT.c.scope == name, is_about(SLOT.c.scope, name))
    connection.execute(delete(SLOT).where(slots))
    for table in (PROBE, SENDER_HEALTH, EXAMINATION, EXCHANGE_RESULT):
        connection.execute(delete(table).where(table.c.tenant == name))
    mine = (SEALED_SECRET.c.owner == name) & SEALED_SECRET.c.field.not_in(list(keep))
    connection.execute(delete(SEALED_SECRET).where(mine))
    gone = connection.execute(delete(TENANT).where(TENANT.c.name == name))
    return bool(gone.rowcount)  # facts, ledger and snoozes go with it, by foreign key


def is_about(scope: Column[Any], name: str) -> ColumnElement[bool]:
    """Whether a scope is the tenant's, or that of one of its senders, whatever the mailbox."""
    prefix = sender_scope(name, "")
    # Not LIKE: an underscore would stand for any letter, and SQLite's takes Contoso for contoso.
    return or_(scope == f"tenant:{name}", func.substr(scope, 1, len(prefix)) == prefix)
