"""What Graph answers about app management policies."""

from __future__ import annotations

from .wire import Json, own_policy_json, policy_holder_json, policy_json
from .world import Tenant

DEFAULT = "/policies/defaultAppManagementPolicy"
OWN = "/policies/appManagementPolicies"
READERS = frozenset({"Policy.Read.All", "Policy.Read.ApplicationConfiguration"})


def may_read(path: str, roles: set[str]) -> bool:
    """Whether these rights are enough; which objects a policy applies to takes more of them."""
    if path.startswith(f"{OWN}/"):
        return {"Policy.Read.All", "Application.Read.All"} <= roles
    return bool(roles & READERS)


def answer(tenant: Tenant, path: str) -> Json | list[Json] | None:
    """The default policy, the list of others, or what one of these applies to; None: no such."""
    if path == DEFAULT:
        return policy_json(tenant)
    if path == OWN:
        return [own_policy_json(one, tenant) for one in tenant.app_policies]
    for one in tenant.app_policies:
        if path == f"{OWN}/{one.id}/appliesTo":
            return [policy_holder_json(object_id, tenant) for object_id in one.applies_to]
    return None
