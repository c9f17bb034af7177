"""What is kept of the app management policy and of the last sign-ins."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from monitor.model import (
    Insight,
    Kind,
    Limit,
    Limits,
    ObjectType,
    PolicyFound,
    Scan,
    UsageFound,
)
from monitor.store.engine import Database, upsert
from monitor.store.insight_tables import INSIGHT, KEY_USE
from monitor.store.policies import PolicyLimits, columns, keep_policy_limits, limits_in
from monitor.store.tables import OBJECT
from monitor.store.text import clean

_LIMITED = frozenset({ObjectType.APPLICATION.value, ObjectType.SERVICE_PRINCIPAL.value})
TRUSTED_FOR = timedelta(days=7)  # after that an answer that nobody could renew is none any more


class Insights:
    """The part of the store that knows more of a directory than its credentials."""

    _database: Database

    def insight(self, tenant: str) -> Insight:
        """What was asked about a tenant beside the lists; empty where nothing was.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            return all_insights(connection, tenant).get(tenant, Insight(tenant))

    def insights(self) -> list[Insight]:
        """What was asked about each tenant beside the lists.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            return list(all_insights(connection).values())


def all_insights(connection: Connection, tenant: str | None = None) -> dict[str, Insight]:
    """What was asked about each tenant, or about one, by name."""
    query = select(INSIGHT)
    if tenant is not None:
        query = query.where(INSIGHT.c.tenant == tenant)
    return {row.tenant: _insight(row) for row in connection.execute(query)}


def last_uses(connection: Connection, tenant: str | None = None) -> dict[tuple[str, str], datetime]:
    """The last sign-ins on record, by tenant and key id."""
    query = select(KEY_USE)
    if tenant is not None:
        query = query.where(KEY_USE.c.tenant == tenant)
    return {(row.tenant, row.key_id): row.last_used_at for row in connection.execute(query)}


class Beside:
    """What is known of credentials beside what the lists say of them.

    Args:
        connection: to read by, once.
        tenant: only about this one; None for all.
    """

    def __init__(self, connection: Connection, tenant: str | None) -> None:
        self._insights = all_insights(connection, tenant)
        self._uses = last_uses(connection, tenant)
        self._policies = PolicyLimits(connection, tenant)
        self._off = _switched_off(connection, tenant)

    def enabled(self, holder: Row[Any]) -> bool | None:
        """Whether sign-ins to an app are let in; they are switched off on its service principal."""
        return False if (holder.tenant, holder.app_id) in self._off else holder.enabled

    def last_used(self, row: Row[Any]) -> datetime | None:
        """The last sign-in with a credential that is on record."""
        return self._uses.get((row.tenant, row.key_id)) if row.key_id else None

    def usage_at(self, row: Row[Any]) -> datetime | None:
        """As of when that is."""
        known = self._insights.get(row.tenant)
        return known.usage_at if known else None

    def limit(self, row: Row[Any], holder: Row[Any]) -> Limit | None:
        """The limit for one of its kind by its holder's own policy, else by the tenant's."""
        known = self._insights.get(row.tenant)
        if known is None or holder.object_type not in _LIMITED:
            return None
        service = holder.object_type == ObjectType.SERVICE_PRINCIPAL.value
        other = self._policies.of(row.tenant, row.object_id, service=service)
        secret, certificate = other or (known.secret, known.certificate)
        return {Kind.SECRET: secret, Kind.CERTIFICATE: certificate}.get(row.kind)


def _switched_off(connection: Connection, tenant: str | None) -> set[tuple[str, str | None]]:
    """The apps, by tenant and app id, whose service principal lets nobody sign in."""
    query = select(OBJECT.c.tenant, OBJECT.c.app_id).where(
        OBJECT.c.object_type == ObjectType.SERVICE_PRINCIPAL.value,
        OBJECT.c.enabled.is_(False),
        OBJECT.c.removed_at.is_(None),
        OBJECT.c.app_id.is_not(None),
    )
    if tenant is not None:
        query = query.where(OBJECT.c.tenant == tenant)
    return {(row.tenant, row.app_id) for row in connection.execute(query)}


def keep_insights(connection: Connection, scan: Scan) -> None:
    """Write what a scan was told beside the lists; what it did not ask for stays."""
    if scan.policy is None and scan.usage is None:
        return
    tenant = scan.record.tenant
    known = all_insights(connection, tenant).get(tenant, Insight(tenant))
    if scan.policy is not None:
        known = _with_policy(known, scan.policy)
        keep_policy_limits(connection, tenant, scan.policy)
    if scan.usage is not None:
        known = _with_usage(known, scan.usage)
        _keep_uses(connection, tenant, scan.usage)
    upsert(connection, INSIGHT, [_row(known)])


def _with_policy(known: Insight, found: PolicyFound) -> Insight:
    return replace(
        known,
        policy_asked_at=found.at,
        policy_problem=found.problem,
        secret=found.secret,
        certificate=found.certificate,
    )


def _with_usage(known: Insight, found: UsageFound) -> Insight:
    """One failure is no reason to forget; a week of them is."""
    as_of = known.usage_at
    if found.problem is None:
        as_of = found.at
    elif as_of is not None and found.at - as_of > TRUSTED_FOR:
        as_of = None
    return replace(known, usage_asked_at=found.at, usage_at=as_of, usage_problem=found.problem)


def _keep_uses(connection: Connection, tenant: str, found: UsageFound) -> None:
    before = last_uses(connection, tenant)
    later = {
        clean(key): used
        for key, used in found.last.items()
        if used > before.get((tenant, clean(key)), datetime.min.replace(tzinfo=used.tzinfo))
    }
    rows = [{"tenant": tenant, "key_id": key, "last_used_at": at} for key, at in later.items()]
    upsert(connection, KEY_USE, rows)


def _row(known: Insight) -> dict[str, Any]:
    return {
        "tenant": known.tenant,
        "policy_asked_at": known.policy_asked_at,
        "policy_problem": known.policy_problem,
        **columns(Limits(known.secret, known.certificate)),
        "usage_asked_at": known.usage_asked_at,
        "usage_at": known.usage_at,
        "usage_problem": known.usage_problem,
    }


def _insight(row: Row[Any]) -> Insight:
    limits = limits_in(row)
    return Insight(
        tenant=row.tenant,
        policy_asked_at=row.policy_asked_at,
        policy_problem=row.policy_problem,
        secret=limits.secret,
        certificate=limits.certificate,
        usage_asked_at=row.usage_asked_at,
        usage_at=row.usage_at,
        usage_problem=row.usage_problem,
    )
