"""App management policies: how long a new secret or certificate may live. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from monitor.entra.values import parse_date
from monitor.model import Limit, Limits

POLICY_PATH = "policies/defaultAppManagementPolicy"
OWN_POLICIES = "policies/appManagementPolicies"
_LAST_DAY = 3_650_000  # more days than any calendar has


def limits_of(
    policy: Mapping[str, Any],
    rules_in: Literal[
        "applicationRestrictions", "servicePrincipalRestrictions", "restrictions"
    ] = "applicationRestrictions",
) -> Limits:
    """What a policy says about the credentials of app registrations, or of what else it is asked.

    Args:
        policy: the tenant's default one; with "restrictions" one that single objects have.
        rules_in: whose rules; service principals have their own in the default policy.

    Facts: https://learn.microsoft.com/graph/api/resources/tenantappmanagementpolicy,
    https://learn.microsoft.com/graph/api/resources/passwordcredentialconfiguration and
    https://learn.microsoft.com/graph/api/resources/keycredentialconfiguration
    """
    rules = policy.get(rules_in)
    if policy.get("isEnabled") is not True or not isinstance(rules, dict):
        return Limits(None, None)
    return Limits(
        _limit(rules.get("passwordCredentials"), "passwordLifetime"),
        _limit(rules.get("keyCredentials"), "asymmetricKeyLifetime"),
    )


def _limit(rules: object, restriction: str) -> Limit | None:
    """The strictest of the rules of one sort."""
    found = [
        Limit(life, _since(rule.get("restrictForAppsCreatedAfterDateTime")))
        for rule in (rules if isinstance(rules, list) else ())
        if isinstance(rule, dict)
        and rule.get("restrictionType") == restriction
        # The documented example of a policy of single objects has rules without a state.
        and rule.get("state", "enabled") == "enabled"
        and (life := _days(rule.get("maxLifetime"))) is not None
    ]
    return min(found, key=lambda limit: limit.longest, default=None)


def _days(text: object) -> timedelta | None:
    """An ISO 8601 duration that begins with days, such as P90D, in whole days; None for others."""
    if not isinstance(text, str) or not text.startswith("P"):
        return None
    digits, mark, _ = text[1:].partition("D")
    if not mark or not (digits.isascii() and digits.isdigit()) or int(digits[:9]) > _LAST_DAY:
        return None
    return timedelta(days=int(digits[:9]))


def _since(value: object) -> datetime | None:
    try:
        return parse_date(value)
    except (ValueError, TypeError):
        return None
