"""Stored rows of objects and credentials, as the nouns they stand for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from monitor.model import (
    Credential,
    FederatedCredential,
    Kind,
    ObjectType,
    ObservedCredential,
    ObservedObject,
    Owner,
)
from monitor.store.insights import Beside
from monitor.store.text import load


def credential_of(
    row: Row[Any], holder: Row[Any], observed_at: datetime | None, beside: Beside
) -> Credential:
    """A stored credential with its object, and what is kept beside the two."""
    return Credential(
        tenant=row.tenant,
        uid=row.uid,
        object_type=ObjectType(holder.object_type),
        object_id=row.object_id,
        app_id=holder.app_id,
        app_name=holder.name,
        kind=Kind(row.kind),
        key_id=row.key_id,
        name=row.name,
        start=row.starts_at,
        end=row.ends_at,
        life=row.life,
        thumbprint=row.thumbprint,
        hint=row.hint,
        active=row.active,
        own=row.own,
        managed_identity=holder.managed_identity,
        owners=_owners(holder.owners),
        people=people_of(holder.people),
        notify=notify_of(holder.notify),
        enabled=beside.enabled(holder),
        first_seen=row.first_seen,
        observed_at=(row.unproven_since or observed_at) if row.removed_at is None else None,
        removed_at=row.removed_at,
        proven=row.unproven_since is None,
        last_used=beside.last_used(row),
        usage_at=beside.usage_at(row),
        limit=beside.limit(row, holder),
    )


def observed_of(row: Row[Any]) -> ObservedCredential:
    """A stored credential as a scan saw it."""
    return ObservedCredential(
        kind=Kind(row.kind),
        slot=row.slot,
        key_id=row.key_id,
        name=row.name,
        start=row.starts_at,
        end=row.ends_at,
        thumbprint=row.thumbprint,
        hint=row.hint,
        active=row.active,
    )


def object_of(row: Row[Any], credentials: tuple[ObservedCredential, ...]) -> ObservedObject:
    """A stored object as a scan saw it."""
    return ObservedObject(
        object_type=ObjectType(row.object_type),
        object_id=row.object_id,
        app_id=row.app_id,
        name=row.name,
        credentials=credentials,
        federated=load(row.federated, tuple[FederatedCredential, ...]),
        owners=_owners(row.owners),
        people=people_of(row.people),
        notify=notify_of(row.notify),
        enabled=row.enabled,
        managed_identity=row.managed_identity,
        home_tenant=row.home_tenant,
    )


def _owners(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else load(text, tuple[str, ...])


def people_of(text: str | None) -> tuple[Owner, ...] | None:
    """Stored owners; None where they are not known."""
    return None if text is None else load(text, tuple[Owner, ...])


def notify_of(text: str | None) -> tuple[str, ...]:
    """The stored addresses of an object's notes."""
    return () if text is None else load(text, tuple[str, ...])
