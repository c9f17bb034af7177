"""The evidence about one target, gathered before anything is judged. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from monitor.errors import RemoteError
from monitor.model import CanaryResult, Cloud, ExchangeResult, Probe, ReadBack
from monitor.model.evidence import AuthoritySeen, DirectorySeen, Held, Reached

Role = Literal["graph", "smtp"]
FRESH = timedelta(hours=2)  # how long a change in Exchange takes at most to be known everywhere
READERS = frozenset(
    {
        "Application.Read.All",
        "Application.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    }
)
NO_SUCH_DIRECTORY = frozenset({"tenant_not_found", "bad_tenant_id", "wrong_cloud"})
SEND_ROLE = "SMTP.SendAsApp"
GRAPH_API = "00000003-0000-0000-c000-000000000000"
EXCHANGE_API = "00000002-0000-0ff1-ce00-000000000000"


@dataclass(frozen=True, slots=True)
class SignInSeen:
    """How one app signed in, for reading or for sending.

    Args:
        role: what for.
        client_id: of the app.
        directory_id: where it signs in.
        form: secret, certificate or managed_identity.
        reference: where the value is to be found.
        scope: that the token was asked for.
        problem: why the value could not be had.
        file: where the value lies, for a file.
        readable_by: the file's permissions, such as 0644, where others may read it.
        is_guid: the value has the form of a secret's ID.
        held: what Entra holds that may be this value, with its dates.
        ends: of the certificate itself, from its file.
        error: why there is no token.
        claims: of the token; {} where it is opaque, None where there is none.
        expires_at: of the token.
        shared: it is one app for many tenants on purpose.
        consent_url: where an administrator of that directory grants what the app asks for.
    """

    role: Role
    client_id: str
    directory_id: str
    form: str
    reference: str
    scope: str = ""
    problem: RemoteError | None = None
    file: str | None = None
    readable_by: str | None = None
    is_guid: bool = False
    held: tuple[Held, ...] = ()
    ends: datetime | None = None
    error: RemoteError | None = None
    claims: Mapping[str, Any] | None = None
    expires_at: datetime | None = None
    shared: bool = False
    consent_url: str = ""

    @property
    def roles(self) -> tuple[str, ...]:
        """The application permissions that the token carries."""
        return roles_of(self.claims or {})

    @property
    def object_id(self) -> str | None:
        """The Enterprise application's object id by the token.

        Fact: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
        """
        return self.claim("oid")

    def claim(self, name: str) -> str | None:
        """A claim that is a text; None where there is none."""
        found = (self.claims or {}).get(name)
        return found if isinstance(found, str) and found else None


@dataclass(frozen=True, slots=True)
class MailSeen:
    """How far a mail came.

    Args:
        mailbox: that sends.
        host: of the submission server.
        port: on it.
        reached: the server's TLS, seen from outside.
        probe: the stages; None where there was no walk.
        sent: whether a test mail was really to go out.
        configured_object_id: what the settings say the Enterprise application's is.
        graph_roles: what the sending app may do at Graph; None where nobody knows.
        relay: a plain relay, without tokens.
        rcpt_to: to whom the mail was addressed.
        password: the relay is signed in to with one.
        read_back: how its canaries are looked for; None where nobody looks.
        read_back_problem: why nobody could look now.
    """

    mailbox: str
    host: str
    port: int
    reached: Reached | None = None
    probe: Probe | None = None
    sent: bool = False
    configured_object_id: str | None = None
    graph_roles: tuple[str, ...] | None = None
    relay: bool = False
    rcpt_to: str = ""
    password: bool = False
    read_back: ReadBack | None = None
    read_back_problem: RemoteError | None = None

    @property
    def stage(self) -> str | None:
        """The stage at which it ended; None where it did not fail."""
        failed = self.probe is not None and self.probe.result is CanaryResult.FAILED
        return self.probe.stage if failed and self.probe is not None else None

    @property
    def accepted(self) -> bool:
        """Whether the server took the sign-in."""
        return self.stage_ok("auth")

    def stage_ok(self, stage: str) -> bool:
        """Whether a stage was passed."""
        timings = self.probe.timings if self.probe else ()
        return any(one.stage == stage and one.ok for one in timings)


@dataclass(frozen=True, slots=True)
class TargetSeen:
    """Everything about one target.

    Args:
        name: of the tenant, or "(operator)".
        now: the instant of the judgement.
        cloud: it lives in; None for a plain relay.
        directory_id: that the authority was asked about.
        changed_at: when its entry last changed; None where nobody keeps that.
        authority: what the authority said of the directory.
        authority_host: how far the sign-in host was reached.
        graph_host: how far Graph was reached.
        other_cloud: another cloud that knows the directory.
        reader: the app that reads; None where nothing is read.
        directory: what Graph told.
        mail_in: the app that sends.
        mail: how far a mail came.
        soon: an end that is nearer than this is worth a word.
        daily_mails: how many mails a day go out as this sender; None where none went yet.
        exchange: what an administrator's check in Exchange said of this sender.
    """

    name: str
    now: datetime
    cloud: Cloud | None = None
    directory_id: str = ""
    changed_at: datetime | None = None
    authority: AuthoritySeen | None = None
    authority_host: Reached | None = None
    graph_host: Reached | None = None
    other_cloud: str | None = None
    reader: SignInSeen | None = None
    directory: DirectorySeen = field(default_factory=DirectorySeen)
    mail_in: SignInSeen | None = None
    mail: MailSeen | None = None
    soon: timedelta = timedelta(days=30)
    daily_mails: float | None = None
    exchange: ExchangeResult | None = None

    @property
    def fresh(self) -> bool:
        """Whether the entry changed so lately that Microsoft's servers may not all know it."""
        return self.changed_at is not None and self.now - self.changed_at < FRESH

    @property
    def signed_in(self) -> bool:
        """Whether any token came: the authority is reached, whichever way."""
        return any(one.claims is not None for one in (self.reader, self.mail_in) if one)


def roles_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The application permissions in a token's claims."""
    found = claims.get("roles")
    return tuple(str(role) for role in found) if isinstance(found, list) else ()
