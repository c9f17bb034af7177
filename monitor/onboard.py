"""What a tenant's set-up needs: the values of its Exchange script, and its consent link. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlencode
from uuid import UUID

from monitor.errors import UsageError
from monitor.model import OPERATOR, Cloud, ObjectType, ObservedObject, Tenant
from monitor.powershell import quoted_in_filter
from monitor.senders import OAuthSender, of_tenant

# -ExchangeEnvironmentName of Connect-ExchangeOnline by preset cloud; the global one needs none.
# https://learn.microsoft.com/powershell/module/exchangepowershell/connect-exchangeonline
ENVIRONMENTS = {
    "global": "",
    "gcc-high": "O365USGovGCCHigh",
    "dod": "O365USGovDoD",
    "china": "O365China",
}

# An address that a mailbox of Exchange Online can have: ASCII, and no quote but the plain one.
_MAILBOX = re.compile(r"[A-Za-z0-9_][A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]+")

_WHERE = (
    "In Entra: Enterprise applications, the app, Overview, Object ID. The Object ID under "
    "App registrations is another one."
)


class Model(StrEnum):
    """How Exchange lets the app send: by a permission on the mailbox, or by a scoped role."""

    MAILBOX = "mailbox"
    RBAC = "rbac"


class Form(StrEnum):
    """What the script does: make the set-up, read it, or take back what was made."""

    SETUP = "setup"
    CHECK = "check"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class ExchangeSetup:
    """The values of one sender's Exchange script; no secret is among them.

    Args:
        tenant: the tenant's name in Lapsewatch.
        directory_id: of the directory that the mailbox is in.
        client_id: of the app that sends.
        object_id: of the same app under Enterprise applications.
        mailbox: the address that is sent from.
        model: how Exchange lets the app send.
        environment: for -ExchangeEnvironmentName; None when the cloud is not one of Microsoft's.
    """

    tenant: str
    directory_id: str
    client_id: str
    object_id: str
    mailbox: str
    model: Model = Model.MAILBOX
    environment: str | None = ""

    @property
    def display_name(self) -> str:
        """What the app is called in Exchange, if Exchange does not know it yet."""
        return f"Lapsewatch {self.tenant[:40]}"

    @property
    def scope_name(self) -> str:
        """The management scope and the role assignment: at most 64 characters, one a mailbox."""
        return f"{self.display_name} {self._mark}"

    @property
    def scope_filter(self) -> str:
        """Which recipients the scope holds: this one mailbox."""
        return f"PrimarySmtpAddress -eq {quoted_in_filter(self.mailbox)}"

    @property
    def record_name(self) -> str:
        """The file in which the set-up notes what it made, so that the undo knows it."""
        return f"lapsewatch-{self._mark}-{self.model}.json"

    @property
    def _mark(self) -> str:
        """Eight characters that differ when directory, app or mailbox do."""
        told = "\0".join((self.directory_id, self.client_id, self.mailbox.lower()))
        return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:8]


def exchange_setup(
    tenant: Tenant,
    clouds: Mapping[str, Cloud],
    *,
    model: Model = Model.MAILBOX,
    object_id: str | None = None,
    objects: Iterable[ObservedObject] = (),
) -> ExchangeSetup:
    """The values of a tenant's script.

    Args:
        tenant: the tenant whose sender is set up.
        clouds: the configured clouds by name.
        model: how Exchange shall let the app send.
        object_id: the Enterprise application's; None takes the configured one, or the one that
            the last scan found.
        objects: what the scan of the sender's own directory found, to tell a wrong object id.

    Raises:
        UsageError: there is no sender, or a value is missing or cannot be right.
    """
    sender = of_tenant(tenant, clouds)
    if sender is None:
        raise _no_sender(tenant)
    seen = list(objects) if sender.directory_id == tenant.directory_id else []
    return sender_setup(sender, model=model, object_id=object_id, objects=seen)


def sender_setup(
    sender: OAuthSender,
    *,
    model: Model = Model.MAILBOX,
    object_id: str | None = None,
    objects: Iterable[ObservedObject] = (),
) -> ExchangeSetup:
    """The values of a sender's script; the operator's has no tenant of its own.

    Args:
        sender: the sender that is set up.
        model: how Exchange shall let the app send.
        object_id: the Enterprise application's; None takes the configured one, or the one that
            the last scan found.
        objects: what a scan of the sender's own directory found, to tell a wrong object id.

    Raises:
        UsageError: a value is missing or cannot be right.
    """
    table = "[operator.sender]" if sender.tenant == OPERATOR else "[tenant.sender]"
    if sender.problem:
        raise UsageError(sender.problem, remedy=f"Correct {table}.")
    if not _MAILBOX.fullmatch(sender.mailbox):
        raise UsageError(
            f'"{sender.mailbox}" of {sender.tenant} cannot be a mailbox of Exchange Online.',
            remedy=f"Correct mailbox under {table}"
            + (", and import the tenants file again." if sender.tenant != OPERATOR else "."),
        )
    return ExchangeSetup(
        tenant=sender.tenant,
        directory_id=_guid(sender.directory_id, "directory_id"),
        client_id=_guid(sender.client_id, "client_id"),
        object_id=_enterprise_object_id(sender, object_id, list(objects), table),
        mailbox=sender.mailbox,
        model=model,
        environment=ENVIRONMENTS.get(sender.cloud.name),
    )


def _no_sender(tenant: Tenant) -> UsageError:
    if tenant.sender is None:
        return UsageError(
            f"{tenant.name} has no sender, so there is nothing to set up in Exchange.",
            remedy="Add [tenant.sender] with a mailbox to it in the tenants file, and import it.",
        )
    return UsageError(
        f"The sender of {tenant.name} does not send by OAuth.",
        remedy=f"See: lapsewatch tenant show {tenant.name}",
    )


def _enterprise_object_id(
    sender: OAuthSender, given: str | None, objects: Iterable[ObservedObject], table: str
) -> str:
    """The object id to register in Exchange; a mistaken one is named, with the right one."""
    own = [found for found in objects if found.app_id == sender.client_id]
    right = [o.object_id for o in own if o.object_type is ObjectType.SERVICE_PRINCIPAL]
    found = given or sender.enterprise_object_id or (right[0] if right else None)
    if found is None:
        raise UsageError(
            f"The object ID of {sender.tenant}'s Enterprise application is not known.",
            remedy=f"Say --object-id, or set enterprise_object_id under {table}. {_WHERE}",
        )
    object_id = _guid(found, "The object ID")
    wrong = {
        sender.client_id: "the Application (client) ID",
        sender.directory_id: "the Directory (tenant) ID",
        **{o.object_id: "the Object ID of the App registration"
           for o in own if o.object_type is ObjectType.APPLICATION},
    }.get(object_id)  # fmt: skip
    if wrong is not None:
        raise UsageError(
            f"{object_id} is {wrong}, not the Object ID of the Enterprise application.",
            remedy=f"The right one is {right[0]}." if right else _WHERE,
        )
    if right and object_id not in right:
        raise UsageError(
            f"{object_id} is not the Enterprise application that the last scan found.",
            remedy=f"That was {right[0]}. If the app was made anew since, read it first: "
            f"lapsewatch run scan --tenant {sender.tenant}",
        )
    return object_id


def _guid(text: str, name: str) -> str:
    try:
        return str(UUID(text.strip()))
    except ValueError:
        shown = "".join(c if c.isprintable() else "?" for c in text[:60])
        raise UsageError(f'{name} "{shown}" is not a GUID.', remedy=_WHERE) from None


def consent_url(
    cloud: Cloud,
    directory_id: str,
    client_id: str,
    *,
    redirect_uri: str | None = None,
    scope: str | None = None,
    state: str | None = None,
) -> str:
    """The page on which an administrator of a directory grants what an app asks for.

    Without `scope` all permissions of the app registration are granted at once (Graph to read,
    Exchange to send). With it those of one resource are, which needs a `redirect_uri`.
    https://learn.microsoft.com/entra/identity-platform/v2-admin-consent

    Raises:
        ValueError: `scope` without `redirect_uri`.
    """
    if scope and not redirect_uri:
        raise ValueError("scope needs a redirect_uri, which the app registration must list")
    page = "v2.0/adminconsent" if scope else "adminconsent"
    asked = {"client_id": client_id, "redirect_uri": redirect_uri, "scope": scope, "state": state}
    told = urlencode({key: value for key, value in asked.items() if value}, quote_via=quote)
    return f"{cloud.authority.rstrip('/')}/{quote(directory_id, safe='')}/{page}?{told}"
