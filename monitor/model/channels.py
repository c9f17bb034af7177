"""The operator's other ways out, for when mail is broken."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model.watched import CredentialRef, Relay


@dataclass(frozen=True, slots=True)
class WebhookWay:
    """A server that takes signed JSON.

    `secret` is what it is signed with. Private addresses and other ports than 443 and 8443 are
    refused unless allowed. `ca_file` holds the only CAs to trust; None is the system's store.
    """

    url: str
    secret: CredentialRef
    allow_private: bool = False
    any_port: bool = False
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class AppriseWay:
    """A service that the library apprise knows; its URL holds secrets, so it is a reference."""

    url: CredentialRef
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class GraphWay:
    """A mailbox that sends through Microsoft Graph (application permission Mail.Send)."""

    mailbox: str
    client_id: str
    credential: CredentialRef
    directory_id: str
    cloud: str = "global"


@dataclass(frozen=True, slots=True)
class SmtpWay:
    """A plain submission server, and the address that sends by it."""

    mailbox: str
    relay: Relay


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One `[[channel]]` of the settings."""

    name: str
    way: WebhookWay | AppriseWay | GraphWay | SmtpWay

    @property
    def kind(self) -> str:
        """The word of the settings: webhook, apprise, graph or smtp."""
        return type(self.way).__name__.removesuffix("Way").lower()

    @property
    def carries_mail(self) -> bool:
        """Whether it reaches the address of each mail, and not one place for all."""
        return isinstance(self.way, GraphWay | SmtpWay)
