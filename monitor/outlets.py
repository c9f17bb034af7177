"""The operator's other ways out, opened: each `[[channel]]` of the settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from monitor.channels.unheld import Unheld
from monitor.config import Configuration
from monitor.deliver import Channel
from monitor.errors import UsageError
from monitor.model import CredentialRef, OutboxMail, Receipt
from monitor.model.channels import AppriseWay, ChannelSpec, GraphWay, SmtpWay, WebhookWay
from monitor.vault import Vault

if TYPE_CHECKING:
    from monitor.channels.path import Diagnose
    from monitor.entra.secrets import ResolvedCredential


class Outlets:
    """Opens channels by their names.

    Args:
        configuration: the channels, clouds and deadlines.
        vault: reads URLs, passwords and signing secrets.
        credential: resolves what an app signs in with.
        diagnose: names the cause behind a reply.
        clock: the current instant, aware UTC.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        vault: Vault,
        credential: Callable[[CredentialRef], ResolvedCredential],
        diagnose: Diagnose,
        clock: Callable[[], datetime],
    ) -> None:
        self._configuration = configuration
        self._vault = vault
        self._credential = credential
        self._diagnose = diagnose
        self._clock = clock

    def named(self, name: str) -> ChannelSpec:
        """The channel of that name.

        Raises:
            UsageError: there is none.
        """
        found = {spec.name: spec for spec in self._configuration.channels}
        if name not in found:
            known = ", ".join(found) or "none"
            raise UsageError(f"There is no channel {name}; the settings have: {known}.")
        return found[name]

    def open(self, spec: ChannelSpec) -> Channel:
        """The channel, not yet connected.

        Raises:
            SecretError: its password cannot be read.
        """
        way = spec.way
        if isinstance(way, WebhookWay):
            from monitor.channels.webhook import WebhookChannel

            return WebhookChannel(
                way, secret=lambda: self._vault.text(way.secret), clock=self._clock
            )
        if isinstance(way, AppriseWay):
            from monitor.channels.chat import ChatChannel

            return ChatChannel(
                way,
                url=lambda: self._vault.text(way.url),
                clock=self._clock,
                link=self._configuration.base_url,
            )
        return self._relay(way) if isinstance(way, SmtpWay) else _GraphChannel(self, way)

    def _relay(self, way: SmtpWay) -> Channel:
        from monitor.channels.relay import RelayChannel

        credential = way.relay.credential
        return RelayChannel(
            way.relay,
            mailbox=way.mailbox,
            password=self._vault.text(credential) if credential else None,
            diagnose=self._diagnose,
            clock=self._clock,
            ca_file=way.relay.ca_file,
            connect_s=self._seconds("connect"),
            reply_s=self._seconds("read"),
        )

    def send_by_graph(self, way: GraphWay, mail: OutboxMail) -> Receipt:
        """One mail through Graph, with a token of its own.

        Raises:
            RemoteError: there is no token, or the mail was not taken.
        """
        from monitor.channels.message import build
        from monitor.entra.auth import smtp_token
        from monitor.entra.mail import send_mail

        cloud = self._configuration.clouds[way.cloud]
        token = smtp_token(
            way.directory_id, way.client_id, cloud, self._credential(way.credential),
            timeout_s=self._seconds("token"), scope=cloud.graph_scope,
        )  # fmt: skip
        message = build(mail, sender=way.mailbox)
        told = send_mail(cloud, way.mailbox, token.value, message, timeout_s=self._seconds("read"))
        return Receipt(told, self._clock())

    def _seconds(self, name: str) -> float:
        value: timedelta = getattr(self._configuration.settings.deadlines, name)
        return value.total_seconds()


class _GraphChannel(Unheld):
    """A mailbox that sends through Graph; nothing is kept open between mails."""

    def __init__(self, outlets: Outlets, way: GraphWay) -> None:
        self._outlets = outlets
        self._way = way

    def send(self, mail: OutboxMail) -> Receipt:
        """Hand over one mail."""
        return self._outlets.send_by_graph(self._way, mail)
