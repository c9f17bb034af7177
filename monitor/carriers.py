"""Every way out: resolves senders to sending paths, opens their channels, sends their canaries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from monitor import senders
from monitor.config import Configuration
from monitor.deliver import Channel
from monitor.diagnose import Diagnosis
from monitor.errors import DeliveryError, SettingsError
from monitor.log import get
from monitor.model import CredentialRef, Relay, Tenant
from monitor.outlets import Outlets
from monitor.routes import OPERATOR_PATH, Paths, Rate, channel_of, channel_path, tenant_of
from monitor.senders import OAuthSender
from monitor.store import Store
from monitor.vault import Vault

if TYPE_CHECKING:
    from monitor.channels.probe import Path as SmtpPath
    from monitor.entra.auth import AccessToken
    from monitor.entra.secrets import ResolvedCredential

log = get("lapsewatch.carriers")


class Diagnose(Protocol):
    """Names the cause behind a reply."""

    def __call__(self, text: str, stage: str | None = None) -> Diagnosis:
        """Diagnose `text`, which came at `stage`."""
        ...


class Carriers:
    """All sending paths of this installation.

    Args:
        configuration: clouds, the operator's sender, deadlines.
        store: which tenants there are and what their canaries showed.
        vault: reads a relay's password.
        credential: resolves a credential reference.
        diagnose: names the cause behind a reply.
        clock: the current instant, aware UTC.
        outlets: opens the channels beside mail.
    """

    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        *,
        vault: Vault,
        credential: Callable[[CredentialRef], ResolvedCredential],
        diagnose: Diagnose,
        clock: Callable[[], datetime],
        outlets: Outlets,
    ) -> None:
        self._outlets = outlets
        self._configuration = configuration
        self._store = store
        self._vault = vault
        self._credential = credential
        self._diagnose = diagnose
        self._clock = clock

    def senders(self, tenants: Iterable[Tenant] | None = None) -> list[OAuthSender]:
        """Every sender that is proven daily: the tenants' and the operator's.

        One that cannot be resolved has a `problem`: everything else has to go on, so it fails its
        canary and is no path, and the mail that needs it waits.
        """
        known = list(self._store.tenants() if tenants is None else tenants)
        clouds = self._configuration.clouds
        found = [senders.of_tenant(tenant, clouds) for tenant in known if tenant.active]
        return [sender for sender in (*found, self._operator(known)) if sender is not None]

    def _operator(self, known: Sequence[Tenant]) -> OAuthSender | None:
        mine, zone = self._configuration.operator_sender, self._configuration.operator_zone
        try:
            return senders.of_operator(mine, known, self._configuration.clouds, time_zone=zone)
        except SettingsError as error:
            log.error("operator_sender_unusable", error=str(error))
            return senders.unusable(mine, str(error), time_zone=zone) if mine else None

    def paths(self, tenants: Iterable[Tenant] | None = None) -> Paths:
        """Which sending paths exist, and which of them the last canary found broken."""
        resolved = [sender for sender in self.senders(tenants) if not sender.problem]
        identity = {sender.path: sender.identity for sender in resolved}
        operator = self._configuration.operator_sender
        if operator is not None and operator.relay is not None:
            identity[OPERATOR_PATH] = senders.relay_identity(operator)
        rates = {sender.path: self.rate(sender) for sender in resolved}
        if operator is not None and operator.relay is not None and operator.rate_per_minute:
            rates[OPERATOR_PATH] = Rate(operator.mailbox.lower(), operator.rate_per_minute)
        health = self._store.sender_health()
        broken = {
            sender.path
            for sender in resolved
            if (known := health.get((sender.tenant, sender.mailbox))) is not None and known.broken
        }
        fallback = self._configuration.fallback
        fallbacks = self._fallbacks(self._store.tenants() if tenants is None else tenants)
        # Each is a path of its own, whatever it shares with others.
        named = {*fallback, *(name for names in fallbacks.values() for name in names)}
        identity |= {channel_path(name): ("channel", name) for name in named}
        return Paths(identity, frozenset(broken), rates, fallback, fallbacks)

    def _fallbacks(self, tenants: Iterable[Tenant]) -> dict[str, tuple[str, ...]]:
        """The channels of single recipients; a tenants file may name some that are no more."""
        policy = self._configuration.policy
        there = {spec.name for spec in self._configuration.channels}
        listed = [policy.wishes(one) for tenant in tenants for one in tenant.recipients]
        found: dict[str, tuple[str, ...]] = {}
        for one in (*listed, *policy.recipients) if there else ():
            names = tuple(name for name in one.fallback if name in there)
            if names:
                found.setdefault(one.address.casefold(), names)
        return found

    def rate(self, sender: OAuthSender) -> Rate:
        """How fast an OAuth sender's mailbox may send: its own limit, or that of the settings."""
        limit = sender.rate_per_minute or self._configuration.settings.defaults.rate_per_minute
        return Rate(sender.mailbox.lower(), limit)

    def connect(self, path: str) -> Channel:
        """The channel of a path id.

        Raises:
            RemoteError: its credential cannot be read.
        """
        operator = self._configuration.operator_sender
        if (name := channel_of(path)) is not None:
            return self._outlets.open(self._outlets.named(name))
        if path == OPERATOR_PATH and operator is not None and operator.relay is not None:
            from monitor.channels.relay import RelayChannel

            credential = operator.relay.credential
            password = self._vault.text(credential) if credential else None
            return RelayChannel(
                operator.relay,
                mailbox=operator.mailbox,
                password=password,
                diagnose=self._diagnose,
                clock=self._clock,
                ca_file=self.relay_ca(operator.relay),
                connect_s=self.seconds("connect"),
                reply_s=self.seconds("read"),
            )
        sender = self._sender(path)
        if sender is None:
            raise DeliveryError(f"There is no sending path {path}.", cause="unknown")
        if sender.problem:
            raise DeliveryError(sender.problem, cause="unknown", stage="token")
        return self._oauth_channel(sender)

    def _sender(self, path: str) -> OAuthSender | None:
        """The OAuth sender behind a path id. Only the operator's needs to know all tenants."""
        name = tenant_of(path)
        tenant = self._store.tenant(name) if name else None
        known = (
            self.senders() if path == OPERATOR_PATH else self.senders([tenant] if tenant else [])
        )
        return next((sender for sender in known if sender.path == path), None)

    def _oauth_channel(self, sender: OAuthSender) -> Channel:
        from monitor.channels.smtp_oauth import SmtpOAuthChannel

        return SmtpOAuthChannel(
            self.smtp_path(sender),
            token=lambda: self.token(sender).value,
            diagnose=self._diagnose,
            clock=self._clock,
            connect_s=self.seconds("connect"),
            reply_s=self.seconds("read"),
        )

    def relay_ca(self, relay: Relay) -> str | None:
        """The CA of a relay: its own, or that of the cloud whose submission host it is."""
        if relay.ca_file:
            return str(self._configuration.folder / relay.ca_file)
        hosts = {cloud.smtp_host: cloud.ca_file for cloud in self._configuration.clouds.values()}
        return hosts.get(relay.host)

    def token(self, sender: OAuthSender) -> AccessToken:
        """A fresh SMTP token: a cached one would hide a dead secret for an hour.

        Raises:
            RemoteError: the credential is missing, or the token endpoint refused.
        """
        from monitor.entra.auth import smtp_token

        return smtp_token(
            sender.directory_id,
            sender.client_id,
            sender.cloud,
            self._credential(sender.credential),
            timeout_s=self.seconds("token"),
            diagnose=self._diagnose,
        )

    def seconds(self, name: str) -> float:
        """A deadline of the settings, in seconds."""
        value: timedelta = getattr(self._configuration.settings.deadlines, name)
        return value.total_seconds()

    def smtp_path(self, sender: OAuthSender) -> SmtpPath:
        """Where and as whom a sender submits."""
        from monitor.channels.probe import Path as SmtpPath

        return SmtpPath(
            host=sender.host,
            port=sender.port,
            mailbox=sender.mailbox,
            ca_file=sender.cloud.ca_file,
        )
