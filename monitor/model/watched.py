"""Who is watched, and by which ways mail goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Mode = Literal["digest", "single", "ticket"]

OPERATOR = "(operator)"  # stands where a tenant's name would, for the operator's own sender


@dataclass(frozen=True, slots=True)
class CredentialRef:
    """Where a credential's value is to be found; never the value itself.

    `form` says what is found there: a client secret, a PEM or PFX file with key and certificate,
    another issuer's token (a workload identity's), or nothing at all (a managed identity, whose
    client id is the reference). `password` is where the password of a certificate's file is found.
    """

    form: Literal["secret", "certificate", "managed_identity", "federated"]
    reference: str
    password: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class SealedValue:
    """A secret value as the store keeps it: encrypted, with the id of the key that opens it.

    `owner` is a tenant's name, `app:NAME` or `@operator`; `field` is a word that its user chose.
    """

    owner: str
    field: str
    key_id: str
    wrapped_key: bytes
    value: bytes
    set_at: datetime

    @property
    def name(self) -> tuple[str, str]:
        """Owner and field."""
        return self.owner, self.field

    def __str__(self) -> str:
        return f"sealed:{self.owner}/{self.field}"

    def __repr__(self) -> str:
        return f"<SealedValue {self}>"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One address, with its own zone and hour where they differ from the tenant's.

    `working_days` are those on which it is told (0 is Monday; empty: every day). `mode` is one
    mail a day and path, one for each credential, or one for each with a ticket's token in the
    subject. `stages` are thresholds in days in place of the tenant's. `at_once`: the stages 1 and
    0 and a lapse are told right after the scan that shows them. `fallback` names the channels to
    take when mail fails.
    """

    address: str
    time_zone: str | None = None
    send_hour: int | None = None
    working_days: tuple[int, ...] = ()
    mode: Mode = "digest"
    stages: tuple[int, ...] | None = None
    at_once: bool = False
    fallback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Relay:
    """A plain submission server: the operator's other way to send alarms."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    credential: CredentialRef | None = None
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Looking:
    """How a sender's canaries are looked for; what is None is the sender's own."""

    way: Literal["graph", "trace"]
    within: timedelta = timedelta(minutes=30)
    client_id: str | None = None
    credential: CredentialRef | None = None
    directory_id: str | None = None
    cloud: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """A mailbox and the app that sends as it. What is None comes from the tenant or its cloud."""

    mailbox: str
    enterprise_object_id: str | None = None
    client_id: str | None = None
    credential: CredentialRef | None = None
    canary_to: tuple[str, ...] = ()
    directory_id: str | None = None
    cloud: str | None = None
    smtp_host: str | None = None
    smtp_port: int | None = None
    relay: Relay | None = None
    rate_per_minute: int | None = None
    arrival: Looking | None = None


@dataclass(frozen=True, slots=True)
class Cloud:
    """Addresses of one Microsoft cloud, or of servers that speak its protocols.

    `keyvault` is the address of a Key Vault, with {vault} for its name. `partner_center` is where
    partners find their customers.
    Facts: https://learn.microsoft.com/graph/deployments (login, Graph and portal hosts);
    https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates (vaults).
    """

    name: str
    authority: str
    graph: str
    graph_scope: str
    smtp_host: str
    smtp_port: int
    smtp_scope: str
    portal: str
    ca_file: str | None = None
    keyvault: str = "https://{vault}.vault.azure.net"
    partner_center: str = "https://partner.microsoft.com/dashboard"


@dataclass(frozen=True, slots=True)
class PurgedTenant:
    """What deleting a tenant for good came to.

    `counts` are rows deleted, by sort; `stripped` the sent mails that also named others and lost
    their words; `named_by` the tenants whose own sender is in that directory, and whose entries
    go on saying so.
    """

    name: str
    directory_id: str
    counts: Mapping[str, int]
    stripped: int = 0
    named_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SharedApp:
    """One multi-tenant app registration that many tenants have consented to."""

    name: str
    client_id: str
    credential: CredentialRef


@dataclass(frozen=True, slots=True)
class Tenant:
    """One watched directory, with every default already filled in.

    `partner` marks the directory of a Microsoft partner: its customers can be discovered, and the
    ends of its GDAP relationships are watched. `pending` marks a discovered customer whose consent
    is still to come; `discovered_from` is the name of the partner tenant that it was found in.

    `contact` is the customer's own person, for rules that send something there.

    A tenant that many credentials have lapsed in is taken over in shadow: until `shadow_until`
    (aware UTC; None: live) each recipient gets one `welcome` about it, and no reminders.
    """

    name: str
    directory_id: str
    cloud: str
    client_id: str
    credential: CredentialRef
    recipients: tuple[Recipient, ...] = ()
    time_zone: str = "UTC"
    send_hour: int = 8
    thresholds: tuple[int, ...] = (60, 30, 14, 7, 3, 1, 0)
    weekly_after_lapse: int = 4
    tags: tuple[str, ...] = ()
    sender: Sender | None = None
    app: str | None = None
    paused: bool = False
    partner: bool = False
    pending: bool = False
    discovered_from: str | None = None
    shadow_until: datetime | None = None
    contact: str | None = None

    @property
    def active(self) -> bool:
        """Whether it is read, sends and is mailed about: neither paused nor pending."""
        return not (self.paused or self.pending)

    def in_shadow(self, now: datetime) -> bool:
        """Whether reminders about it are held back at `now` (aware UTC); it ends by itself."""
        return self.shadow_until is not None and now < self.shadow_until
