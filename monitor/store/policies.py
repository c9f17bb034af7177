"""What policies allow single apps, and service principals in general."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from monitor.model import Limit, Limits, PolicyFound
from monitor.store.engine import upsert
from monitor.store.insight_tables import POLICY_LIMIT
from monitor.store.text import clean

_PRINCIPALS = "*"


class PolicyLimits:
    """Knows which limits hold for an object that the applications' default is not for.

    Args:
        connection: to read by, once.
        tenant: only about this one; None for all.
    """

    def __init__(self, connection: Connection, tenant: str | None) -> None:
        query = select(POLICY_LIMIT)
        if tenant is not None:
            query = query.where(POLICY_LIMIT.c.tenant == tenant)
        self._known = {(row.tenant, row.scope): limits_in(row) for row in connection.execute(query)}

    def of(self, tenant: str, object_id: str, *, service: bool) -> Limits | None:
        """The limits of an object's own policy, else those of service principals in general.

        None where the default of applications holds.
        """
        own = self._known.get((tenant, object_id))
        if own is None and service:
            return self._known.get((tenant, _PRINCIPALS), Limits())
        return own


def keep_policy_limits(connection: Connection, tenant: str, found: PolicyFound) -> None:
    """Write what a scan found, in place of what was known."""
    connection.execute(delete(POLICY_LIMIT).where(POLICY_LIMIT.c.tenant == tenant))
    by_scope: dict[str, Limits] = {clean(scope): limits for scope, limits in found.own.items()}
    if any(found.principals):
        by_scope[_PRINCIPALS] = found.principals
    rows = [{"tenant": tenant, "scope": one, **columns(own)} for one, own in by_scope.items()]
    upsert(connection, POLICY_LIMIT, rows)


def limits_in(row: Row[Any]) -> Limits:
    """The limits in the columns of a row."""

    def limit(days: int | None, since: datetime | None) -> Limit | None:
        return None if days is None else Limit(timedelta(days=days), since)

    return Limits(
        limit(row.secret_days, row.secret_since),
        limit(row.certificate_days, row.certificate_since),
    )


def columns(limits: Limits) -> Mapping[str, Any]:
    """Limits as the columns of a row."""
    secret, certificate = limits
    return {
        "secret_days": secret.longest.days if secret else None,
        "secret_since": secret.since if secret else None,
        "certificate_days": certificate.longest.days if certificate else None,
        "certificate_since": certificate.since if certificate else None,
    }
