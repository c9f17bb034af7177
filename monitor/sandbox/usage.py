"""The simulated report of sign-ins: when each credential of a tenant was last used."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from .draft import guid
from .wire import stamp
from .world import App, Certificate, Secret, ServicePrincipal, Tenant

REPORT = "/reports/appCredentialSignInActivities"
READERS = {"AuditLog.Read.All", "Directory.Read.All"}


def sign_in_entries(tenant: Tenant, now: datetime) -> list[dict[str, Any]]:
    """The report: an entry for each credential with a sign-in on record."""
    found = []
    holders: list[App | ServicePrincipal] = [*tenant.apps, *tenant.principals]
    for holder in holders:
        held: list[Secret | Certificate] = [*holder.secrets, *holder.certificates]
        for one in held:
            used = _last_used(tenant, one, now)
            if used is not None:
                found.append(_entry(tenant, holder, one, used))
    return found


def refusal(tenant: Tenant, roles: set[str]) -> tuple[int, str, str] | None:
    """Why the report is not given: status, code and message. None: it is."""
    if not tenant.has_reports:
        return 404, "ResourceNotFound", f"Resource not found for the segment '{REPORT}'."
    if not roles & READERS:
        message = "Calling principal does not have required MSGraph permissions AuditLog.Read.All"
        return 403, "Authentication_MSGraphPermissionMissing", message
    if not tenant.premium:
        code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
        return 403, code, "Neither tenant is B2C or tenant doesn't have premium license"
    return None


def _last_used(tenant: Tenant, one: Secret | Certificate, now: datetime) -> datetime | None:
    habit = tenant.sign_ins.get(one.key_id)
    if habit is None:
        return None
    last = now - habit if isinstance(habit, timedelta) else habit
    return min(last, one.end) if one.end is not None else last


def _entry(
    tenant: Tenant, holder: App | ServicePrincipal, one: Secret | Certificate, used: datetime
) -> dict[str, Any]:
    secret, registered = isinstance(one, Secret), isinstance(holder, App)
    return {
        "id": guid(tenant.name, one.key_id, "activity"),
        "appId": holder.app_id,
        "appObjectId": holder.object_id if registered else None,
        "servicePrincipalObjectId": None if registered else holder.object_id,
        "keyId": one.key_id,
        "keyType": "clientSecret" if secret else "certificate",
        "keyUsage": "verify" if secret else "sign",
        "credentialOrigin": "application" if registered else "servicePrincipal",
        "resourceId": "00000003-0000-0000-c000-000000000000",
        "createdDateTime": stamp(one.start, 0) if one.start else None,
        "expirationDateTime": stamp(one.end, 0) if one.end else None,
        "signInActivity": {
            "lastSignInDateTime": stamp(used, 0),
            "lastSignInRequestId": guid(tenant.name, one.key_id, "request"),
        },
    }
