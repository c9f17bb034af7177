"""What the doctor finds outside, as it was found: nothing in it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from monitor.errors import RemoteError
from monitor.model.facts import ObservedObject

Step = Literal["dns", "tcp", "tls"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server's certificate says of itself; nothing in it was verified here."""

    subject: str
    issuer: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class Reached:
    """How far it went.

    Args:
        host: that was to be reached.
        port: on it.
        addresses: what DNS gave, each once.
        address: that took the connection; empty where none did.
        tls: the version agreed on; empty without TLS.
        certificate: the server's, also where it does not verify.
        failed: the step that failed, or None.
        problem: what was said there.
    """

    host: str
    port: int
    addresses: tuple[str, ...] = ()
    address: str = ""
    tls: str = ""
    certificate: Certificate | None = None
    failed: Step | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class AuthoritySeen:
    """What an authority answered.

    Args:
        directory: the directory's id as the issuer names it; None where it does not say.
        token_host: who gives this directory's tokens; another host is another cloud.
        server_time: by the authority's clock (its Date header), None where it sent none.
        error: why there is no configuration.
        asked_at: our clock in the middle of the call.
    """

    asked_at: datetime
    directory: str | None = None
    token_host: str | None = None
    server_time: datetime | None = None
    error: RemoteError | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A secret or certificate on an app registration: enough to recognise it, and its dates."""

    hint: str | None
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class AppSeen:
    """An app registration.

    Args:
        object_id: of the registration, which is not that of the Enterprise application.
        audience: signInAudience; AzureADMyOrg is a single-tenant app.
        asks: what it asks for: API (its app id) -> "Role" (application) and "Scope" (delegated).
            None where Graph did not tell.
        secrets: its client secrets.
    """

    object_id: str
    audience: str | None
    asks: Mapping[str, frozenset[str]] | None
    secrets: tuple[Held, ...] = ()


@dataclass(slots=True)
class DirectorySeen:
    """What Graph told of a directory to one app.

    Args:
        error: why not even the first page could be read.
        readable: whether the first page of the applications came.
        apps: registrations by client id; None where there is none in this directory.
        principals: object ids of Enterprise applications by client id; None as above.
        app_object: whether each asked object id is an app registration's.
        secret_days: how long a secret may live by the directory's policy; None without a rule.
        policy_problem: why the policy could not be read; empty where it was.
        usage_problem: why the last sign-ins cannot be read; empty where they can, None where
            nobody looked.
        unread: why look-ups failed, by what was looked for.
        server_time: by Graph's clock.
        asked_at: our clock when `server_time` was read.
    """

    error: RemoteError | None = None
    readable: bool = False
    apps: dict[str, AppSeen | None] = field(default_factory=dict)
    principals: dict[str, str | None] = field(default_factory=dict)
    app_object: dict[str, bool] = field(default_factory=dict)
    secret_days: float | None = None
    policy_problem: str = ""
    usage_problem: str | None = None
    unread: dict[str, str] = field(default_factory=dict)
    server_time: datetime | None = None
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObjectReading:
    """One look at one application or service principal.

    `found` is None where the directory has no such object; with an `error` nobody can say.
    """

    started_at: datetime
    finished_at: datetime
    found: ObservedObject | None = None
    error: RemoteError | None = None
