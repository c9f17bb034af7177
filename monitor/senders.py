"""Every sending path in full: a sender with what it inherits from its tenant and cloud. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from monitor.errors import SettingsError
from monitor.model import OPERATOR, Cloud, CredentialRef, Looking, ReadBack, Sender, Tenant
from monitor.routes import sender_scope, tenant_path

# https://learn.microsoft.com/graph/api/messagetracingroot-list-messagetraces (global only)
WITHOUT_TRACE = frozenset({"gcc-high", "dod", "china"})


@dataclass(frozen=True, slots=True)
class OAuthSender:
    """All that is needed to get a token and send as a mailbox.

    `tenant` is the tenant's name, or "(operator)". `problem` says why the sender cannot be used
    at all, mostly by a mistake in the settings; such a one is listed as failed and never opened,
    and what it would have of its cloud is empty.
    """

    tenant: str
    mailbox: str
    directory_id: str
    client_id: str
    credential: CredentialRef
    cloud: Cloud
    host: str
    port: int
    canary_to: tuple[str, ...]
    time_zone: str
    enterprise_object_id: str | None = None
    problem: str = ""
    rate_per_minute: int | None = None
    arrival: ReadBack | None = None

    @property
    def path(self) -> str:
        """The id of this sending path."""
        return tenant_path(self.tenant)

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes two paths one: server, mailbox and app."""
        return (self.host, str(self.port), self.mailbox.lower(), self.client_id)


def of_tenant(tenant: Tenant, clouds: Mapping[str, Cloud]) -> OAuthSender | None:
    """The sender of a tenant, or None when it has none.

    One whose cloud is no longer configured has a `problem`: it must not vanish from the report.
    """
    sender = tenant.sender
    if sender is None or sender.relay is not None:
        return None
    name = sender.cloud or tenant.cloud
    told = "" if name in clouds else str(unknown_cloud(name, tenant.name))
    return _resolve(
        sender,
        tenant.name,
        clouds.get(name) or _nowhere(name),
        directory_id=sender.directory_id or tenant.directory_id,
        client_id=sender.client_id or tenant.client_id,
        credential=sender.credential or tenant.credential,
        time_zone=tenant.time_zone,
        problem=told,
        clouds=clouds,
    )


def unknown_cloud(name: str, tenant: str) -> SettingsError:
    """What is wrong when the settings no longer know the cloud that a tenant names."""
    return SettingsError(
        [f'The settings know no cloud "{name}", which {tenant} needs.'],
        remedy=f"Add [clouds.{name}] to the settings, or import the tenant anew.",
    )


def unusable(sender: Sender, problem: str, *, time_zone: str) -> OAuthSender:
    """The operator's sender where `of_operator` cannot tell all of it, with the reason."""
    return _resolve(
        sender,
        OPERATOR,
        _nowhere(sender.cloud or ""),
        directory_id=sender.directory_id or "",
        client_id=sender.client_id or "",
        credential=sender.credential or CredentialRef("secret", ""),
        time_zone=time_zone,
        problem=problem,
    )


def _nowhere(name: str) -> Cloud:
    return Cloud(name, authority="", graph="", graph_scope="", smtp_host="", smtp_port=0,
                 smtp_scope="", portal="")  # fmt: skip


def of_operator(
    sender: Sender | None,
    tenants: Sequence[Tenant],
    clouds: Mapping[str, Cloud],
    *,
    time_zone: str,
) -> OAuthSender | None:
    """The operator's OAuth sender, or None when there is none or it is a plain relay.

    Where [operator.sender] names no directory, it is that of the one watched tenant that uses
    the same app.

    Raises:
        SettingsError: the directory cannot be told.
    """
    if sender is None or sender.relay is not None:
        return None
    if sender.client_id is None or sender.credential is None:
        raise SettingsError(["operator.sender: needs client_id and credential"])
    home = _home(sender.client_id, tenants)
    directory_id = sender.directory_id or (home.directory_id if home else None)
    if directory_id is None:
        raise SettingsError(
            ["operator.sender.directory_id: is missing, and no watched tenant uses the same app"]
        )
    name = sender.cloud or (home.cloud if home else "global")
    if name not in clouds:
        raise SettingsError([f'operator.sender.cloud: there is no cloud "{name}"'])
    return _resolve(
        sender,
        OPERATOR,
        clouds[name],
        directory_id=directory_id,
        client_id=sender.client_id,
        credential=sender.credential,
        time_zone=time_zone,
        clouds=clouds,
    )


def _home(client_id: str, tenants: Sequence[Tenant]) -> Tenant | None:
    def uses(tenant: Tenant) -> bool:
        return client_id in (tenant.client_id, tenant.sender.client_id if tenant.sender else None)

    found = [tenant for tenant in tenants if uses(tenant)]
    return found[0] if len(found) == 1 else None


def _resolve(
    sender: Sender,
    tenant: str,
    cloud: Cloud,
    *,
    directory_id: str,
    client_id: str,
    credential: CredentialRef,
    time_zone: str,
    problem: str = "",
    clouds: Mapping[str, Cloud] = MappingProxyType({}),
) -> OAuthSender:
    made = OAuthSender(
        tenant=tenant,
        mailbox=sender.mailbox,
        directory_id=directory_id,
        client_id=client_id,
        credential=credential,
        cloud=cloud,
        host=sender.smtp_host or cloud.smtp_host,
        port=sender.smtp_port or cloud.smtp_port,
        canary_to=sender.canary_to or (sender.mailbox,),
        time_zone=time_zone,
        enterprise_object_id=sender.enterprise_object_id,
        problem=problem,
        rate_per_minute=sender.rate_per_minute,
    )
    return replace(made, arrival=_read_back(sender.arrival, made, clouds))


def _read_back(
    looking: Looking | None, sender: OAuthSender, clouds: Mapping[str, Cloud]
) -> ReadBack | None:
    """How a sender's canaries are looked for, with what that inherits from the sender."""
    if looking is None:
        return None
    cloud, problem = sender.cloud, ""
    if looking.cloud is not None and looking.cloud not in clouds:
        problem = str(unknown_cloud(looking.cloud, sender.tenant))
    elif looking.cloud is not None:
        cloud = clouds[looking.cloud]
    if looking.way == "trace" and cloud.name in WITHOUT_TRACE:
        problem = f'The cloud {cloud.name} has no message trace in Graph; set arrival = "graph".'
    return ReadBack(
        way=looking.way,
        within=looking.within,
        directory_id=looking.directory_id or sender.directory_id,
        client_id=looking.client_id or sender.client_id,
        credential=looking.credential or sender.credential,
        cloud=cloud,
        shared=looking.client_id is None,
        problem=problem,
    )


def watched_scopes(tenants: Sequence[Tenant], operator: Sender | None) -> set[str]:
    """The scopes of all senders there are, those of paused tenants too."""
    mailboxes = [(tenant.name, tenant.sender.mailbox) for tenant in tenants if tenant.sender]
    if operator is not None:
        mailboxes.append((OPERATOR, operator.mailbox))
    return {sender_scope(tenant, mailbox) for tenant, mailbox in mailboxes}


def relay_identity(sender: Sender) -> tuple[str, ...]:
    """What the operator's plain relay really is, for comparing paths."""
    relay = sender.relay
    if relay is None:
        return ()
    return (relay.host, str(relay.port), sender.mailbox.lower(), relay.user or "")
