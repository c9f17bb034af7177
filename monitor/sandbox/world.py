"""The nouns of the simulated cloud: tenants, apps, credentials, mailboxes, and who runs it all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .faults import Fate, Fault, SmtpFault

if TYPE_CHECKING:
    from .oracle import Expected

MICROSOFT_TENANT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
STANDARD_THRESHOLDS = (60, 30, 14, 7, 3, 1, 0)


@dataclass(frozen=True, slots=True)
class Secret:
    """A client secret. `legacy_name` is served as UTF-16 in customKeyIdentifier."""

    key_id: str
    value: str
    name: str | None
    start: datetime | None
    end: datetime | None
    hint: str | None = None
    legacy_name: str | None = None
    digits: int = 7  # of the fraction of a second on the wire: 7 or 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """A keyCredential; with `twin_key_id` it is served twice, as Verify and as Sign."""

    key_id: str
    thumbprint: str  # 40 hex digits, upper case
    name: str | None
    start: datetime | None
    end: datetime | None
    kind: str = "certificate"  # or token_encryption, symmetric_key
    identifier: str = "hex"  # how customKeyIdentifier is written: hex, base64, none
    twin_key_id: str | None = None
    der: bytes | None = None  # only where somebody signs in with it


@dataclass(frozen=True, slots=True)
class SamlCertificate:
    """A SAML signing certificate: on the wire a Sign key, a Verify key and a password."""

    sign_key_id: str
    verify_key_id: str
    thumbprint: str
    name: str
    start: datetime
    end: datetime
    password_end: datetime


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """A trust in another issuer's tokens. It has no end."""

    id: str
    name: str
    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"
    description: str | None = None
    issuer_key_pem: bytes | None = None  # the issuer's public key, where sign-in is tried


@dataclass(frozen=True, slots=True)
class Owner:
    """A directory object that owns an app.

    `mailless` ones have a user name and no mailbox. Of a `hidden` one Graph shows the id alone, as
    where the reader has no right to read users.
    """

    id: str
    name: str
    upn: str | None
    type: str = "#microsoft.graph.user"
    enabled: bool = True
    mailless: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """A reseller's contract with a customer."""

    id: str
    customer_id: str
    name: str
    domain: str
    type: str = "ResellerPartner"


@dataclass(frozen=True, slots=True)
class DelegatedCustomer:
    """A customer that a partner has, or had, delegated access to."""

    customer_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Relationship:
    """A GDAP relationship; without an approval it has neither a beginning nor an end."""

    id: str
    name: str
    customer_id: str
    customer_name: str
    created: datetime
    activated: datetime | None
    end: datetime | None
    status: str = "active"
    auto_extend: str = "PT0S"
    modified: datetime | None = None  # None: never since it was made
    duration: str = "P730D"


@dataclass(frozen=True, slots=True)
class WatchedDate:
    """A date that its owner keeps, because no directory knows it."""

    name: str
    sort: str
    end: datetime
    where: tuple[str, ...] = ()
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class KeptNote:
    """What somebody has noted about an app's credentials."""

    app: str
    used_by: tuple[str, ...]
    where: tuple[str, ...]
    owner: str
    runbook: str


@dataclass(frozen=True, slots=True)
class AppPolicy:
    """An app management policy for single objects, named by their ids; lifetimes as P180D."""

    id: str
    name: str
    applies_to: tuple[str, ...]
    secret_lifetime: str | None = None
    certificate_lifetime: str | None = None
    enabled: bool = True


@dataclass(slots=True)
class App:
    """An app registration."""

    object_id: str
    app_id: str
    name: str
    created: datetime
    secrets: list[Secret] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    federated: list[FederatedCredential] = field(default_factory=list)
    owners: list[Owner] = field(default_factory=list)
    token_encryption_key_id: str | None = None
    audience: str = "AzureADMyOrg"
    notes: str | None = None
    tags: tuple[str, ...] = ()
    not_yet: dict[str, int] = field(default_factory=dict)  # key id -> refusals still to come
    asks: tuple[tuple[str, str], ...] = ()  # API's app id, Role or Scope


@dataclass(slots=True)
class ServicePrincipal:
    """An enterprise application; `owner_tenant` None as with managed identities."""

    object_id: str
    app_id: str
    name: str
    created: datetime
    owner_tenant: str | None = None
    type: str = "Application"
    secrets: list[Secret] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    saml: list[SamlCertificate] = field(default_factory=list)
    preferred_thumbprint: str | None = None
    sso_mode: str | None = None
    notification_emails: tuple[str, ...] = ()
    owners: list[Owner] = field(default_factory=list)
    tags: tuple[str, ...] = ()
    enabled: bool = True
    graph_roles: tuple[str, ...] = ()
    exchange_roles: tuple[str, ...] = ()
    blocked_by_policy: bool = False


@dataclass(slots=True)
class Mailbox:
    """A mailbox and what Exchange knows about who may use it."""

    address: str
    smtp_auth_disabled: bool | None = None  # None: as the organisation says
    full_access: set[str] = field(default_factory=set)  # object ids of service principals
    send_as: set[str] = field(default_factory=set)  # other addresses it may send as
    faults: list[SmtpFault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SignIn:
    """What Lapsewatch was given to sign in with: a secret, or a certificate as PEM."""

    client_id: str
    key_id: str
    secret: str | None = None
    pem: bytes | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """The mailbox and app that send a tenant's mail."""

    mailbox: str
    object_id: str  # of the enterprise application
    sign_in: SignIn
    canary_to: tuple[str, ...] = ()
    arrival: str | None = None  # how its canaries are looked for
    arrival_within: str | None = None
    arrival_app: SignIn | None = None
    arrival_directory: str | None = None


@dataclass(slots=True)
class Tenant:
    """A Microsoft Entra tenant, with its Exchange."""

    name: str
    directory_id: str
    display_name: str
    domain: str
    zone: str
    recipients: tuple[str, ...]
    created: datetime
    monitor: SignIn | None = None
    sender: Sender | None = None
    thresholds: tuple[int, ...] = STANDARD_THRESHOLDS
    tags: tuple[str, ...] = ()
    apps: list[App] = field(default_factory=list)
    principals: list[ServicePrincipal] = field(default_factory=list)
    mailboxes: list[Mailbox] = field(default_factory=list)
    registered: set[str] = field(default_factory=set)  # New-ServicePrincipal: object ids
    rbac_scope: dict[str, set[str]] = field(default_factory=dict)  # object id -> mailboxes
    mail_read: dict[str, set[str]] = field(default_factory=dict)  # Application Mail.Read, the same
    fate: Fate = field(default_factory=Fate)  # of mails to its mailboxes
    smtp_auth_disabled: bool = False
    has_exchange: bool = True
    faults: list[Fault] = field(default_factory=list)  # of Graph
    token_faults: list[Fault] = field(default_factory=list)  # of Entra
    page_size: int | None = None  # pages no longer than this, whatever $top says
    resource_units: int | None = None  # allowed in 10 seconds; None: no limit
    secret_lifetime: str | None = None  # of the app management policy, such as P180D
    certificate_lifetime: str | None = None
    principal_secret_lifetime: str | None = None  # the same for service principals
    app_policies: list[AppPolicy] = field(default_factory=list)
    lifetime_since: datetime | None = None  # the policy spares apps that are older
    sign_ins: dict[str, datetime | timedelta] = field(default_factory=dict)  # key id -> last one,
    # or how long ago the last one is at any time, as with what signs in regularly
    premium: bool = True  # has Entra ID P1 or P2
    has_reports: bool = True  # its cloud has the report of sign-ins
    report_requests: int | None = None  # of reports, allowed in 10 seconds; None: no limit
    refusals_after_add: int = 0  # how often a new secret is refused before it works
    partner: bool = False
    shared_app: str | None = None  # the [[app]] that its monitor is written as
    contracts: list[Contract] = field(default_factory=list)
    customers: list[DelegatedCustomer] = field(default_factory=list)
    relationships: list[Relationship] = field(default_factory=list)
    dates: list[WatchedDate] = field(default_factory=list)
    kept_notes: list[KeptNote] = field(default_factory=list)

    def principal(self, app_id: str) -> ServicePrincipal | None:
        """The service principal of an app in this tenant."""
        return next((p for p in self.principals if p.app_id == app_id), None)

    def principal_of(self, app_id: str) -> ServicePrincipal:
        """The service principal of an app that is surely in this tenant."""
        return next(p for p in self.principals if p.app_id == app_id)

    def mailbox(self, address: str) -> Mailbox | None:
        """The mailbox of that address, however it is spelled."""
        wanted = address.lower()
        return next((m for m in self.mailboxes if m.address.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class Relay:
    """A plain SMTP relay without OAuth; without a user it takes mail from anyone."""

    user: str | None = None
    password: str | None = None
    tls: bool = True


@dataclass(slots=True)
class Operator:
    """The MSP that runs Lapsewatch."""

    name: str
    recipients: tuple[str, ...]
    zone: str
    send_hour: int
    tenant: Tenant
    relay: Relay | None = None  # if set, the alarms go this way instead of by OAuth


@dataclass(slots=True)
class ExchangeSwitches:
    """How the SMTP front end behaves towards everybody."""

    challenge_on_failure: bool = False  # refuse by `334 <json>` as Google does
    auth_fail_delay: float = 0.0  # the real one waits 5 to 8 seconds
    offer_starttls: bool = True
    mechanisms: tuple[str, ...] = ("LOGIN", "XOAUTH2")
    faults: list[SmtpFault] = field(default_factory=list)


@dataclass(slots=True)
class World:
    """Everything that exists in the simulated cloud; of `strangers` nobody told Lapsewatch."""

    tenants: list[Tenant]
    operator: Operator | None = None
    exchange: ExchangeSwitches = field(default_factory=ExchangeSwitches)
    strangers: list[Tenant] = field(default_factory=list)

    def every_tenant(self) -> list[Tenant]:
        """The customers' tenants, those of strangers, and the operator's own."""
        known = [*self.tenants, *self.strangers]
        return [*known, self.operator.tenant] if self.operator else known

    def tenant(self, name: str) -> Tenant:
        """A tenant by its short name."""
        return next(t for t in self.every_tenant() if t.name == name)

    def find_tenant(self, text: str) -> Tenant | None:
        """A tenant by its directory id or its domain, as a request's path names it."""
        wanted = text.lower()
        for tenant in self.every_tenant():
            if wanted in (tenant.directory_id, tenant.domain.lower()):
                return tenant
        return None

    def find_app(self, app_id: str) -> App | None:
        """An app registration by its client id, whichever tenant it lives in."""
        for tenant in self.every_tenant():
            for app in tenant.apps:
                if app.app_id == app_id:
                    return app
        return None

    def oracle(self, now: datetime) -> Expected:
        """What a perfect reader finds now, and whom it must tell on its first run."""
        from .oracle import expect  # the oracle reads the world, so it is imported late

        return expect(self, now)
