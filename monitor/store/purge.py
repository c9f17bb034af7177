"""Deleting everything that names a tenant, beyond what stopping to watch it takes away."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from monitor.model import ObjectType, OutboxState, Owner, PurgedTenant, Tenant
from monitor.store.attachments import strip_attachments
from monitor.store.audit import forget_audit
from monitor.store.engine import Database, upsert
from monitor.store.forget import forget, is_about
from monitor.store.inventory_tables import ITEM, NOTE
from monitor.store.reservations import RESERVATION
from monitor.store.roster import hold
from monitor.store.setup_tables import DRAFT
from monitor.store.tables import (
    ALARM,
    CREDENTIAL,
    NOTICE,
    OBJECT,
    OUTBOX,
    PROBE,
    SCAN,
    SEALED_SECRET,
    SLOT,
    SNOOZE,
    TENANT,
)
from monitor.store.text import address_key, dump, load

REDACTED = "(taken out: it named a tenant that was purged)"
_CHUNK = 500
_WAITING = (OutboxState.PENDING.value, OutboxState.SENDING.value, OutboxState.DEAD.value)


class Purge:
    """The part of the store that forgets for good."""

    _database: Database

    def purge_tenant(self, name: str, *, now: datetime) -> PurgedTenant | None:
        """Delete a tenant and everything that names it, in every table and in one transaction.

        Digests that it shares with others: what was sent keeps its place without its words, so
        that the others are not told again; what waits is deleted, and its recipient's run is
        open again, so that the others are still told.

        Args:
            name: of the tenant.
            now: the instant, aware UTC, for the entries that named it as their partner.

        Returns:
            How much was deleted of what; None where there is no such tenant.

        Raises:
            StoreError: the database cannot be used; nothing was deleted.
        """
        with self._database.write() as connection:
            document = hold(connection, name)
            if document is None:
                return None
            tenant = load(document, Tenant)
            counts = _counts(connection, name)
            waiting, stripped = _strip_shared_mails(connection, name)
            more, also = _strip_relationship_mails(connection, tenant.directory_id)
            counts["mails"] += waiting + more
            stripped += also
            people = _people(connection, tenant)
            forget(connection, name)
            forget_audit(connection, name)
            _forget_drafts(connection, tenant)
            _forget_recipients(connection, people)
            _forget_reservations(connection, tenant, people)
            counts["objects"] += _forget_directory(connection, tenant.directory_id)
            users = _unname(connection, tenant, now)
        return PurgedTenant(name, tenant.directory_id, counts, stripped, users)


def _counts(connection: Connection, name: str) -> dict[str, int]:
    """How many rows of each sort are the tenant's alone."""
    sorts = {
        "objects": (OBJECT, OBJECT.c.tenant == name),
        "credentials": (CREDENTIAL, CREDENTIAL.c.tenant == name),
        "scans": (SCAN, SCAN.c.tenant == name),
        "test mails": (PROBE, PROBE.c.tenant == name),
        "mails": (OUTBOX, or_(OUTBOX.c.tenants == dump((name,)), is_about(OUTBOX.c.scope, name))),
        "notices": (NOTICE, NOTICE.c.tenant == name),
        "alarms": (ALARM, is_about(ALARM.c.scope, name)),
        "snoozes": (SNOOZE, SNOOZE.c.tenant == name),
        "runs": (SLOT, or_(SLOT.c.scope == name, is_about(SLOT.c.scope, name))),
        "notes": (NOTE, NOTE.c.tenant == name),
        "items": (ITEM, ITEM.c.tenant == name),
        "sealed values": (SEALED_SECRET, SEALED_SECRET.c.owner == name),
    }
    return {
        sort: connection.execute(select(func.count()).select_from(table).where(which)).scalar_one()
        for sort, (table, which) in sorts.items()
    }


def _strip_shared_mails(connection: Connection, name: str) -> tuple[int, int]:
    """Deal with the mails that name others too: how many were deleted, and how many stripped."""
    # A name holds no quote, so in quotes it is found whole; LIKE would take _ for any letter.
    named = func.replace(OUTBOX.c.tenants, dump(name), "") != OUTBOX.c.tenants
    return _strip(connection, and_(named, OUTBOX.c.tenants != dump((name,))), name)


def _strip_relationship_mails(connection: Connection, directory_id: str) -> tuple[int, int]:
    """The same with the partner's mails about its relationships with the directory."""
    query = select(OBJECT.c.object_id).where(*_relationships_with(directory_id))
    about = [_is_told(object_id) for object_id in connection.execute(query).scalars()]
    worded = OUTBOX.c.subject != REDACTED  # one that shares tenants too was counted there
    return _strip(connection, and_(worded, or_(*about)), None) if about else (0, 0)


def _is_told(object_id: str) -> ColumnElement[bool]:
    """The mails about a relationship, those too that only repeat that it has lapsed.

    Such a mail has no notice of it, but the id stands beside each name; what a capped list leaves
    out has a notice only.
    """
    start = f"{object_id}/"
    noticed = select(NOTICE.c.mail_id).where(func.substr(NOTICE.c.uid, 1, len(start)) == start)
    named = OUTBOX.c.body_text.contains(object_id, autoescape=True)
    return or_(OUTBOX.c.mail_id.in_(noticed), named)


def _strip(connection: Connection, which: ColumnElement[bool], name: str | None) -> tuple[int, int]:
    columns = (OUTBOX.c.id, OUTBOX.c.tenants, OUTBOX.c.state, OUTBOX.c.run_key)
    rows = connection.execute(select(*columns).where(which).with_for_update()).all()
    waiting = [row for row in rows if row.state in _WAITING]
    for row in waiting:
        connection.execute(delete(OUTBOX).where(OUTBOX.c.id == row.id))
        _open_run(connection, row.run_key)
    for row in rows:
        others = tuple(one for one in load(row.tenants, tuple[str, ...]) if one != name)
        blank = {"subject": REDACTED, "body_text": REDACTED, "body_html": REDACTED}
        told = {"last_error": None, "tenants": dump(others)}
        connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(**blank, **told))
        strip_attachments(connection, OUTBOX.c.id == row.id)
    return len(waiting), len(rows) - len(waiting)


def _open_run(connection: Connection, run_key: str | None) -> None:
    """Let the daily run of a deleted digest be made again, if it is still the same day."""
    scope = (run_key or "").rpartition("|")[0]
    this = and_(SLOT.c.job == "warn", SLOT.c.scope == scope)
    last = connection.execute(select(func.max(SLOT.c.slot_at)).where(this)).scalar_one()
    connection.execute(delete(SLOT).where(this, SLOT.c.slot_at == last))


def _people(connection: Connection, tenant: Tenant) -> set[str]:
    """Everybody who was told about a tenant, or may have been: to be asked before it is deleted."""
    noticed = select(NOTICE.c.recipient_key).where(NOTICE.c.tenant == tenant.name).distinct()
    found = set(connection.execute(noticed).scalars()) | _listed(tenant)
    led_to = select(OBJECT.c.people, OBJECT.c.notify).where(OBJECT.c.tenant == tenant.name)
    for row in connection.execute(led_to.distinct()):
        owners = load(row.people, tuple[Owner, ...]) if row.people else ()
        notify = load(row.notify, tuple[str, ...]) if row.notify else ()
        found |= {address_key(who) for who in (*(one.mail for one in owners), *notify) if who}
    return found


def _listed(tenant: Tenant) -> set[str]:
    """The addresses in a tenant's entry."""
    people = (*(one.address for one in tenant.recipients), tenant.contact)
    return {address_key(who) for who in people if who}


def _forget_recipients(connection: Connection, people: set[str]) -> None:
    """Delete the runs of who was told about this tenant alone: their names hold addresses."""
    documents = connection.execute(select(TENANT.c.document)).scalars().all()
    still = set(connection.execute(select(NOTICE.c.recipient_key).distinct()).scalars())
    still = still.union(*(_listed(load(text, Tenant)) for text in documents))
    for address in people - still:
        start = f"{address}|"
        this = func.substr(func.lower(SLOT.c.scope), 1, len(start)) == start
        connection.execute(delete(SLOT).where(SLOT.c.job.in_(("warn", "at_once")), this))


def _forget_reservations(connection: Connection, tenant: Tenant, people: set[str]) -> None:
    """Delete what counts the mails of its mailbox and to its people: the scopes name them."""
    scopes = [f"{what}:{who}" for what in ("alarms", "gathered") for who in sorted(people)]
    if tenant.sender is not None:
        scopes.append(f"mailbox:{tenant.sender.mailbox.lower()}")
    for start in range(0, len(scopes), _CHUNK):
        these = RESERVATION.c.scope.in_(scopes[start : start + _CHUNK])
        connection.execute(delete(RESERVATION).where(these))


def _forget_drafts(connection: Connection, tenant: Tenant) -> None:
    """Delete the set-ups that were begun of that name, or of that directory."""
    document, directory = func.lower(DRAFT.c.document), tenant.directory_id.lower()
    about = func.replace(document, directory, "") != document
    connection.execute(delete(DRAFT).where(or_(DRAFT.c.name == tenant.name, about)))


def _relationships_with(directory_id: str) -> tuple[ColumnElement[bool], ...]:
    """A partner's relationships with a directory."""
    return (
        func.lower(OBJECT.c.home_tenant) == directory_id.lower(),
        OBJECT.c.object_type == ObjectType.RELATIONSHIP.value,
    )


def _forget_directory(connection: Connection, directory_id: str) -> int:
    """Take the directory's id out of the facts about other tenants; how many objects went.

    A partner's relationship with it goes; it comes back at the partner's next scan for as long as
    it is there.
    """
    there = func.lower(OBJECT.c.home_tenant) == directory_id.lower()
    gone = connection.execute(delete(OBJECT).where(*_relationships_with(directory_id))).rowcount
    connection.execute(update(OBJECT).where(there).values(home_tenant=None))
    return int(gone)


def _unname(connection: Connection, gone: Tenant, now: datetime) -> tuple[str, ...]:
    """Take the name out of the entries of its customers; who sends from its directory still."""
    customers, users = [], []
    rows = connection.execute(select(TENANT).order_by(TENANT.c.name).with_for_update()).all()
    for row in rows:
        entry = load(row.document, Tenant)
        if entry.discovered_from == gone.name:
            changed = dump(replace(entry, discovered_from=None))
            customers.append({"name": row.name, "document": changed, "changed_at": now})
        if entry.sender and (entry.sender.directory_id or "").lower() == gone.directory_id.lower():
            users.append(row.name)
    upsert(connection, TENANT, customers)
    return tuple(users)
