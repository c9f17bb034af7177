"""Drafts a fictional tenant: ids, dates and secrets that are the same on every run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from .world import (
    MICROSOFT_TENANT,
    App,
    Certificate,
    Mailbox,
    Owner,
    SamlCertificate,
    Secret,
    Sender,
    ServicePrincipal,
    SignIn,
    Tenant,
)

_FIRST_PARTY = {
    "Microsoft Graph": "00000003-0000-0000-c000-000000000000",
    "Office 365 Exchange Online": "00000002-0000-0ff1-ce00-000000000000",
    "Windows Azure Active Directory": "00000002-0000-0000-c000-000000000000",
    "Microsoft Rights Management Services": "00000012-0000-0000-c000-000000000000",
}
_HEALTHY = (
    ("Intranet search", 412),
    ("Meeting room displays", 287),
    ("Backup to Azure", 533),
    ("Visitor sign-in", 198),
    ("Power BI gateway", 365),
    ("Time tracking", 641),
    ("Newsletter archive", 229),
    ("Warehouse scanners", 318),
    ("Parking permits", 454),
    ("Invoice archive", 571),
)
_INTEGRATED = ("WindowsAzureActiveDirectoryIntegratedApp",)


def guid(*parts: str) -> str:
    """The GUID of something fictional, the same on every run."""
    return str(uuid5(NAMESPACE_URL, "https://lapsewatch.example/" + "/".join(parts)))


def thumbprint(*parts: str) -> str:
    """Forty hex digits that stand for a certificate."""
    return hashlib.sha1("/".join(parts).encode(), usedforsecurity=False).hexdigest().upper()


def secret_value(*parts: str) -> str:
    """A client secret in the form that Entra gives today: forty characters with `8Q~`."""
    digest = hashlib.sha256("/".join(parts).encode()).digest()
    text = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return f"{text[:3]}8Q~{text[3:37]}"


class Draft:
    """A tenant in the making. Days count from `now`, by the tenant's own calendar."""

    def __init__(
        self,
        name: str,
        display_name: str,
        now: datetime,
        *,
        zone: str = "Europe/Berlin",
        tags: tuple[str, ...] = (),
    ) -> None:
        self.now = now
        domain = f"{name}.example"
        self.tenant = Tenant(
            name=name,
            directory_id=guid(name, "directory"),
            display_name=display_name,
            domain=domain,
            zone=zone,
            recipients=(f"it@{domain}",),
            created=(now - timedelta(days=2400)).replace(microsecond=0),
            tags=tags,
        )
        self.admin = Owner(guid(name, "admin"), "Kim Akers", f"kim@{domain}")
        for title, app_id in _FIRST_PARTY.items():
            self._principal(app_id, title, owner_tenant=MICROSOFT_TENANT)

    def day(self, days: int) -> datetime:
        """The afternoon of a local day; the afternoon, so that no time change moves the date."""
        zone = ZoneInfo(self.tenant.zone)
        date = self.now.astimezone(zone).date() + timedelta(days=days)
        return datetime.combine(date, time(15, 42, 7, 308638), zone).astimezone(UTC)

    def secret(
        self, app: str, days: int, *, name: str = "", age: int = 730, digits: int = 7
    ) -> Secret:
        """A secret that ends in so many days."""
        name = name or f"{app[:20]} {days}"
        value = secret_value(self.tenant.name, app, name)
        micros = None if digits else 0
        return Secret(
            key_id=guid(self.tenant.name, app, "secret", name),
            value=value,
            name=name,
            start=_whole(self.day(days - age), micros),
            end=_whole(self.day(days), micros),
            hint=value[:3],
            digits=digits,
        )

    def certificate(
        self,
        app: str,
        days: int,
        *,
        name: str = "",
        kind: str = "certificate",
        identifier: str = "hex",
        age: int = 365,
        pair: bool = False,
    ) -> Certificate:
        """A certificate that ends in so many days."""
        name = name or f"CN={app[:60]}"
        label = (self.tenant.name, app, name, str(days))
        return Certificate(
            key_id=guid(*label, "verify"),
            thumbprint=thumbprint(*label),
            name=name,
            start=self.day(days - age).replace(microsecond=0),
            end=self.day(days).replace(microsecond=0),
            kind=kind,
            identifier=identifier,
            twin_key_id=guid(*label, "sign") if pair else None,
        )

    def saml(self, app: str, days: int, *, label: str = "") -> SamlCertificate:
        """A SAML signing certificate; its password ends months later, as happens."""
        names = (self.tenant.name, app, "saml", str(days), label)
        return SamlCertificate(
            sign_key_id=guid(*names, "sign"),
            verify_key_id=guid(*names, "verify"),
            thumbprint=thumbprint(*names),
            name="CN=Microsoft Azure Federated SSO Certificate",
            start=self.day(days - 1095).replace(microsecond=0),
            end=self.day(days).replace(microsecond=0),
            password_end=self.day(days + 280).replace(microsecond=0),
        )

    def app(
        self,
        name: str,
        *,
        secrets: Sequence[Secret] = (),
        certificates: Sequence[Certificate] = (),
        owned: bool = True,
    ) -> App:
        """An app registration with its service principal."""
        app = App(
            object_id=guid(self.tenant.name, name, "application"),
            app_id=guid(self.tenant.name, name, "client"),
            name=name,
            created=self.day(-900),
            secrets=list(secrets),
            certificates=list(certificates),
            owners=[self.admin] if owned else [],
        )
        self.tenant.apps.append(app)
        self._principal(app.app_id, name, owner_tenant=self.tenant.directory_id, tags=_INTEGRATED)
        return app

    def enterprise_app(
        self, name: str, *, owner_tenant: str | None = None, **fields: object
    ) -> ServicePrincipal:
        """A service principal without an app registration in this tenant."""
        app_id = guid(self.tenant.name, name, "client")
        owner = owner_tenant or guid("vendor", name, "directory")
        return self._principal(app_id, name, owner_tenant=owner, **fields)

    def managed_identity(self, name: str, *days: int) -> ServicePrincipal:
        """A managed identity with certificates of ninety days, as Microsoft rotates them."""
        app_id = guid(self.tenant.name, name, "client")
        principal = self._principal(app_id, name, owner_tenant=None, type="ManagedIdentity")
        principal.certificates = [
            self.certificate(name, left, name=f"CN={app_id}", age=90) for left in days
        ]
        return principal

    def healthy(self, count: int, first: int = 0) -> None:
        """Apps that nobody has to think about."""
        for step in range(count):
            name, days = _HEALTHY[(first + step) % len(_HEALTHY)]
            if step % 3 == 2:
                self.app(name, certificates=[self.certificate(name, days, age=730)])
            else:
                digits = 0 if step % 4 == 1 else 7
                self.app(name, secrets=[self.secret(name, days, digits=digits)])

    def monitor(self, days: int = 320) -> App:
        """The app that Lapsewatch reads this tenant with."""
        name = "Lapsewatch monitor"
        secret = self.secret(name, days, name="lapsewatch")
        app = self.app(name, secrets=[secret])
        app.asks = ((_FIRST_PARTY["Microsoft Graph"], "Role"),)
        self.tenant.principal_of(app.app_id).graph_roles = (
            "Application.Read.All",
            "Organization.Read.All",
        )
        self.tenant.monitor = SignIn(app.app_id, secret.key_id, secret=secret.value)
        return app

    def sender(self, local_part: str = "noreply", days: int = 310) -> Mailbox:
        """The app and the mailbox that send this tenant's mail, with all permissions."""
        name = "Lapsewatch mail"
        secret = self.secret(name, days, name="mail")
        app = self.app(name, secrets=[secret])
        app.asks = ((_FIRST_PARTY["Office 365 Exchange Online"], "Role"),)
        principal = self.tenant.principal_of(app.app_id)
        principal.exchange_roles = ("SMTP.SendAsApp",)
        mailbox = Mailbox(f"{local_part}@{self.tenant.domain}", full_access={principal.object_id})
        self.tenant.mailboxes.append(mailbox)
        self.tenant.registered.add(principal.object_id)
        sign_in = SignIn(app.app_id, secret.key_id, secret=secret.value)
        self.tenant.sender = Sender(mailbox.address, principal.object_id, sign_in)
        return mailbox

    def read_back(self, way: str = "graph", within: str | None = None) -> None:
        """Let the sender's canaries be looked for by its app, which may read its mailbox only."""
        sender = self.tenant.sender
        if sender is None:
            return
        self.tenant.sender = replace(sender, arrival=way, arrival_within=within)
        if way == "trace":
            principal = self.tenant.principal_of(sender.sign_in.client_id)
            principal.graph_roles = ("ExchangeMessageTrace.Read.All",)
        else:
            self.tenant.mail_read[sender.object_id] = {sender.mailbox.lower()}

    def _principal(
        self, app_id: str, name: str, *, owner_tenant: str | None, **fields: object
    ) -> ServicePrincipal:
        principal = ServicePrincipal(
            object_id=guid(self.tenant.name, app_id, "principal"),
            app_id=app_id,
            name=name,
            created=self.day(-900).replace(microsecond=0),
            owner_tenant=owner_tenant,
        )
        for field, value in fields.items():
            setattr(principal, field, value)
        self.tenant.principals.append(principal)
        return principal


def _whole(instant: datetime, micros: int | None) -> datetime:
    return instant if micros is None else instant.replace(microsecond=micros)
