"""What is examined, and how an app signs in: its value stays here and goes no further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.doctor.evidence import Role, SignInSeen
from monitor.errors import RemoteError
from monitor.fields import beside, looks_like_guid
from monitor.model import (
    Cloud,
    Credential,
    CredentialRef,
    ExchangeResult,
    Kind,
    Probe,
    Sender,
    Tenant,
)
from monitor.model.evidence import DirectorySeen, Held
from monitor.onboard import consent_url
from monitor.senders import OAuthSender

if TYPE_CHECKING:
    from monitor.entra.auth import AccessToken
    from monitor.entra.secrets import ResolvedCredential


@dataclass(frozen=True, slots=True)
class Target:
    """What is examined: a tenant with its sender, or the operator's sender.

    Args:
        name: of the tenant, or "(operator)".
        cloud: it lives in; None for a plain relay.
        tenant: that is read; None where nothing is.
        sender: that sends by OAuth.
        relay: the operator's sender that is a plain relay.
        changed_at: when the entry last changed.
        facts: credentials of ours that the last scans have found, wherever they live.
        directory_id: of a directory that nobody signs in to yet, or a domain of it.
        soon: how near an end is worth a word.
        daily_mails: how many mails a day go out by the sender, as far as the store knows.
        exchange: what an administrator's check in Exchange said of the sender.
        probe: the stages of a test mail that was just sent; None where none was.
    """

    name: str
    cloud: Cloud | None
    tenant: Tenant | None = None
    sender: OAuthSender | None = None
    relay: Sender | None = None
    changed_at: datetime | None = None
    facts: Sequence[Credential] = ()
    directory_id: str = ""
    soon: timedelta = timedelta(days=30)
    daily_mails: float | None = None
    exchange: ExchangeResult | None = None
    probe: Probe | None = None


@dataclass(slots=True)
class SignIn:
    """One app's sign-in on its way: the value stays here and goes no further."""

    role: Role
    directory_id: str
    client_id: str
    reference: CredentialRef
    cloud: Cloud
    value: ResolvedCredential | None = None
    problem: RemoteError | None = None
    token: AccessToken | None = None
    error: RemoteError | None = None

    @property
    def scope(self) -> str:
        """What its token is for."""
        return self.cloud.graph_scope if self.role == "graph" else self.cloud.smtp_scope

    def give(self) -> str:
        """The token for the mail's way.

        Raises:
            RemoteError: there is none.
        """
        if self.token is None:
            raise self.error or self.problem or RemoteError("There is no token.", cause="unknown")
        return self.token.value


def seen_of(one: SignIn | None, target: Target, directory: DirectorySeen) -> SignInSeen | None:
    """A sign-in as evidence, without its value."""
    if one is None:
        return None
    value = one.value
    secret = value.secret if value is not None and value.form == "secret" else ""
    file, mode = _file_of(one.reference)
    return SignInSeen(
        role=one.role,
        client_id=one.client_id,
        directory_id=one.directory_id,
        form=one.reference.form,
        reference=one.reference.reference,
        scope=one.scope,
        problem=one.problem,
        file=file,
        readable_by=mode,
        is_guid=looks_like_guid(secret),
        held=_held(one, target, directory, value.hint if value is not None else None),
        ends=value.ends if value is not None else None,
        error=one.error,
        claims=one.token.claims if one.token is not None else None,
        expires_at=one.token.expires_at if one.token is not None else None,
        shared=bool(target.tenant and target.tenant.app and one.role == "graph"),
        consent_url=consent_url(one.cloud, one.directory_id, one.client_id),
    )


def _held(
    one: SignIn, target: Target, directory: DirectorySeen, hint: str | None
) -> tuple[Held, ...]:
    """What Entra holds that may be this secret: by Graph now, else by the last scan."""
    app = directory.apps.get(one.client_id)
    found = tuple(held for held in app.secrets if held.hint in (hint, None)) if app else ()
    return found or tuple(
        Held(known.hint, known.start, known.end)
        for known in target.facts
        if known.app_id == one.client_id and known.kind is Kind.SECRET
    )


def _file_of(reference: CredentialRef) -> tuple[str | None, str | None]:
    """The file behind a reference, and its permissions where others may read it."""
    scheme, _, name = reference.reference.partition(":")
    if reference.form == "managed_identity" or scheme != "file":
        return None, None
    path = beside(Path.cwd(), name)
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return str(path), None
    return str(path), f"{mode:04o}" if mode & 0o077 else None
