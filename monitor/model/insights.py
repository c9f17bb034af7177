"""What a directory tells beside its credentials: the longest lifetimes it allows, and last uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class Topic(StrEnum):
    """What a scan may ask for beside the lists; none of it decides whether the scan is complete."""

    POLICY = "policy"  # the app management policy
    USAGE = "usage"  # when each credential last signed in


@dataclass(frozen=True, slots=True)
class Limit:
    """The longest lifetime of a new credential, and from which instant on it was asked for.

    `since` None: of all. A credential that began before it was made under no such rule.
    """

    longest: timedelta
    since: datetime | None = None


class Limits(NamedTuple):
    """The longest lifetimes by one policy; None where it sets none."""

    secret: Limit | None = None
    certificate: Limit | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class PolicyFound:
    """The answer to one question about the policy; `problem` is why there is none.

    `secret` and `certificate` are None where the policy sets no limit for applications.
    `principals` are the limits for service principals, `own` those of objects with a policy of
    their own, by object id: nothing else holds for these.
    """

    at: datetime
    secret: Limit | None = None
    certificate: Limit | None = None
    problem: str | None = None
    principals: Limits = NO_LIMITS
    own: Mapping[str, Limits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UsageFound:
    """The answer to one question about sign-ins; `problem` is why it is none, or not whole.

    `last` has the last sign-in by key id; one that the report does not list is not in it.
    """

    at: datetime
    last: Mapping[str, datetime] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Insight:
    """What is kept about one tenant, and when it was asked for last.

    `usage_at` is as of when the last sign-ins are known, None where they are not; the problems
    say why. `secret` and `certificate` are the longest lifetimes, None without a limit or where
    the policy cannot be read.
    """

    tenant: str
    policy_asked_at: datetime | None = None
    policy_problem: str | None = None
    secret: Limit | None = None
    certificate: Limit | None = None
    usage_asked_at: datetime | None = None
    usage_at: datetime | None = None
    usage_problem: str | None = None
