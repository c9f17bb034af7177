"""The demo's world: an MSP and twelve fictional customers, each a story."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from .draft import Draft, guid
from .faults import Fault, Twist
from .world import (
    Certificate,
    FederatedCredential,
    KeptNote,
    Operator,
    Secret,
    SignIn,
    Tenant,
    WatchedDate,
    World,
)

NEVER = datetime(2299, 12, 31, tzinfo=UTC)  # what old tools wrote for "never expires"
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def demo_world(now: datetime, *, apps: int = 0) -> World:
    """The fictional tenants, dated from `now`; `apps` more healthy apps go to contoso."""
    tenants = [story(now) for story in STORIES]
    world = World(tenants, operator=_northwind(now))
    if apps:
        crowd(world.tenant("contoso"), apps, now)
    return world


def crowd(tenant: Tenant, apps: int, now: datetime) -> None:
    """Add many healthy apps, each with one secret."""
    draft = Draft(tenant.name, tenant.display_name, now, zone=tenant.zone)
    for number in range(apps):
        name = f"Line of business {number:05d}"
        draft.app(name, secrets=[draft.secret(name, 90 + number % 600)])
    tenant.apps += draft.tenant.apps
    own = {principal.object_id for principal in tenant.principals}
    tenant.principals += [p for p in draft.tenant.principals if p.object_id not in own]


def _northwind(now: datetime) -> Operator:
    """The operator: its tenant is not watched, but sends the alarms."""
    draft = Draft("northwind-msp", "Northwind MSP", now)
    draft.sender("noc")
    draft.healthy(2)
    return Operator(
        name="Northwind MSP",
        recipients=("noc@northwind-msp.example",),
        zone="Europe/Berlin",
        send_hour=8,
        tenant=draft.tenant,
    )


def _contoso(now: datetime) -> Tenant:
    """All well, and each test mail is proven to have arrived."""
    draft = Draft("contoso", "Contoso Ltd", now, tags=("gold",))
    draft.monitor()
    draft.sender()
    draft.read_back()
    draft.healthy(5)
    draft.managed_identity("vm-contoso-web", 71)
    return draft.tenant


def _fabrikam(now: datetime) -> Tenant:
    """A secret with five days left."""
    draft = Draft("fabrikam", "Fabrikam, Inc.", now, zone="America/New_York")
    draft.monitor()
    draft.sender()
    draft.app("Invoice mail", secrets=[draft.secret("Invoice mail", 5, name="invoice-smtp")])
    draft.healthy(4, first=2)
    draft.tenant.kept_notes.append(
        KeptNote(
            app="Invoice mail",
            used_by=("Dynamics NAV",),
            where=("NAV server, SMTP Mail Setup", 'KeePass, "Invoice mail"'),
            owner="Ada Lovelace",
            runbook="https://wiki.fabrikam.example/invoice-mail",
        )
    )
    return draft.tenant


def _adatum(now: datetime) -> Tenant:
    """A secret that lapsed yesterday, and one that lapsed long ago."""
    draft = Draft("adatum", "Adatum Corporation", now, zone="Europe/London")
    draft.monitor()
    draft.sender("scanner")
    draft.app("Scan to mail", secrets=[draft.secret("Scan to mail", -1, name="MFP 2nd floor")])
    draft.app("Old intranet", secrets=[draft.secret("Old intranet", -200, name="2022", digits=0)])
    draft.healthy(3, first=4)
    return draft.tenant


def _tailspin(now: datetime) -> Tenant:
    """Renewed, but the old secret is still there."""
    draft = Draft("tailspin", "Tailspin Toys", now)
    draft.monitor()
    draft.sender()
    name = "Website contact form"
    old = draft.secret(name, 6, name="website 2024")
    draft.app(name, secrets=[old, draft.secret(name, 724, name="website 2026", age=731)])
    draft.healthy(3, first=1)
    return draft.tenant


def _wingtip(now: datetime) -> Tenant:
    """SMTP AUTH is off for the organisation, so warnings go by the operator."""
    draft = Draft("wingtip", "Wingtip Toys", now)
    draft.monitor()
    draft.sender()
    draft.tenant.smtp_auth_disabled = True
    name = "Door access reports"
    draft.app(name, secrets=[draft.secret(name, 28, name="door reports")])
    draft.healthy(3, first=6)
    return draft.tenant


def _litware(now: datetime) -> Tenant:
    """Admin consent is missing: the token has no roles, and Graph says 403."""
    draft = Draft("litware", "Litware, Inc.", now)
    app = draft.monitor()
    draft.tenant.principal_of(app.app_id).graph_roles = ()
    draft.app("HR sync", secrets=[draft.secret("HR sync", 12, name="hr-sync")])
    draft.healthy(3, first=3)
    return draft.tenant


def _proseware(now: datetime) -> Tenant:
    """The secret of Lapsewatch's own app has expired."""
    draft = Draft("proseware", "Proseware, Inc.", now, zone="America/Chicago")
    draft.monitor(days=-3)
    draft.sender()
    draft.app("Fax gateway", secrets=[draft.secret("Fax gateway", 2, name="fax")])
    draft.healthy(2, first=5)
    return draft.tenant


def _lucerne(now: datetime) -> Tenant:
    """Throttled on the first calls, then fine; a renewed secret whose old one is still used."""
    draft = Draft("lucerne", "Lucerne Publishing", now, zone="Europe/Zurich")
    app = draft.monitor()
    principal = draft.tenant.principal_of(app.app_id)
    principal.graph_roles += ("AuditLog.Read.All", "Policy.Read.ApplicationConfiguration")
    draft.sender()
    name = "Parcel tracking"
    old = draft.secret(name, 13, name="parcels 2024")
    draft.app(name, secrets=[old, draft.secret(name, 721, name="parcels 2026")])
    draft.tenant.sign_ins = {old.key_id: timedelta(days=1)}
    draft.tenant.secret_lifetime = "P365D"
    draft.healthy(4, first=7)
    draft.tenant.faults.append(
        Fault(
            "/applications",
            times=2,
            status=429,
            code="TooManyRequests",
            message="Too many requests.",
            headers={"Retry-After": "1"},
        )
    )
    return draft.tenant


def _alpine(now: datetime) -> Tenant:
    """The second page of applications breaks in the middle, each time."""
    draft = Draft("alpine", "Alpine Ski House", now, zone="Europe/Vienna")
    draft.monitor()
    draft.sender()
    draft.app("Lift tickets", secrets=[draft.secret("Lift tickets", 4, name="tickets")])
    draft.healthy(9)
    draft.tenant.page_size = 7
    draft.tenant.faults.append(Fault("/applications", page=2, twist=Twist.TRUNCATE))
    return draft.tenant


def _relecloud(now: datetime) -> Tenant:
    """Everything odd that real directories hold, at once."""
    draft = Draft("relecloud", "Relecloud", now)
    draft.monitor()
    draft.sender()
    _relecloud_certificates(draft)
    _relecloud_identities(draft)
    _relecloud_names(draft)
    _relecloud_legacy(draft)
    draft.healthy(4, first=3)
    draft.tenant.dates.append(
        WatchedDate(
            "Device management push",
            "apple_push",
            draft.day(22).replace(microsecond=0),
            where=("Apple Push Certificates Portal", "Intune, Apple MDM Push certificate"),
            owner="Workplace team",
        )
    )
    return draft.tenant


def _relecloud_certificates(draft: Draft) -> None:
    name = "Expense reports"
    active = draft.saml(name, 11)
    draft.enterprise_app(
        name,
        saml=[active],
        preferred_thumbprint=active.thumbprint,
        sso_mode="saml",
        notification_emails=("it@relecloud.example",),
    )
    name = "Learning portal"
    current = draft.saml(name, 503)
    draft.enterprise_app(
        name,
        saml=[draft.saml(name, 6), current],
        preferred_thumbprint=current.thumbprint,
        sso_mode="saml",
    )
    name = "Backup to tape"
    draft.app(name, certificates=[draft.certificate(name, 20, pair=True, identifier="base64")])
    name = "HR sync"
    encryption = draft.certificate(name, 25, kind="token_encryption")
    app = draft.app(name, certificates=[encryption])
    app.token_encryption_key_id = encryption.key_id
    name = "Badge printer"
    draft.app(name, certificates=[draft.certificate(name, 190, kind="symmetric_key")])


def _relecloud_identities(draft: Draft) -> None:
    draft.managed_identity("vm-invoice-archive", 4, 49)
    draft.managed_identity("func-night-jobs", 6)
    name = "Shipping labels (vendor)"
    draft.enterprise_app(name, secrets=[draft.secret(name, 9, name="labels")])
    rights = next(p for p in draft.tenant.principals if p.name.startswith("Microsoft Rights"))
    rights.certificates = [draft.certificate(rights.name, 400)]
    app = draft.app("Deploy from GitHub")
    app.federated = [
        FederatedCredential(
            id=guid("relecloud", "github"),
            name="main-branch",
            issuer="https://token.actions.githubusercontent.com",
            subject="repo:relecloud/shop:ref:refs/heads/main",
            description="Deployments of the shop",
        )
    ]


def _relecloud_names(draft: Draft) -> None:
    """Names are whatever somebody typed, or an attacker."""
    html = '<img src=x onerror="alert(1)"> Invoices'
    draft.app(html, secrets=[draft.secret(html, 13, name="<b>bold</b>")])
    formula = '=HYPERLINK("https://collector.example","Open")'
    draft.app(formula, secrets=[draft.secret(formula, 16, name="+1")])
    lines = "Scanner\r\nBcc: everyone@collector.example"
    draft.app(lines, secrets=[draft.secret(lines, 3, name="two\nlines")])
    bidi = "Payroll \u202egnp.exe"
    draft.app(bidi, secrets=[draft.secret(bidi, 240, name="payroll")])
    name = "Kiosk"
    draft.app(name, secrets=[draft.secret(name, 120)], owned=False)


def _relecloud_legacy(draft: Draft) -> None:
    """Credentials made by tools of another decade."""
    start = datetime(2017, 3, 1, 8, tzinfo=UTC)
    ends = {"SMTP replay": NEVER, "Schlüssel für Büro": LAST, "no end": None}
    secrets = [
        Secret(
            key_id=guid("relecloud", "legacy", name),
            value=f"legacy-{guid(name)}",
            name=None,
            start=start,
            end=end,
            legacy_name=name,
            digits=0,
        )
        for name, end in ends.items()
    ]
    draft.app("Replay service", secrets=secrets[:1])
    draft.app("Büro-Telefon", secrets=secrets[1:2])
    draft.app("Order import", secrets=secrets[2:])
    aged = replace(draft.secret("Stock levels", 33), name=None, hint=None, legacy_name="Lager")
    draft.app("Stock levels", secrets=[aged])


def _margies(now: datetime) -> Tenant:
    """No sender of its own; Lapsewatch signs in with a certificate here."""
    draft = Draft("margies", "Margie's Travel", now, zone="Asia/Tokyo")
    certificate, pem = _real_certificate(draft, 410)
    app = draft.monitor()
    app.secrets, app.certificates = [], [certificate]
    draft.tenant.monitor = SignIn(app.app_id, certificate.key_id, pem=pem)
    draft.app("Booking mail", secrets=[draft.secret("Booking mail", 45, name="booking")])
    draft.healthy(3, first=8)
    return draft.tenant


def _woodgrove(now: datetime) -> Tenant:
    """All well, and the sender is scoped by Exchange's own roles instead of a permission."""
    draft = Draft("woodgrove", "Woodgrove Bank", now, tags=("gold",))
    draft.monitor()
    mailbox = draft.sender("alerts")
    tenant = draft.tenant
    for object_id in tenant.registered:
        tenant.rbac_scope[object_id] = {mailbox.address}
        mailbox.full_access.discard(object_id)
    for principal in tenant.principals:
        principal.exchange_roles = ()
    if tenant.sender is not None:
        tenant.sender = replace(tenant.sender, canary_to=("canary@northwind-msp.example",))
    draft.healthy(4, first=2)
    return draft.tenant


STORIES: tuple[Callable[[datetime], Tenant], ...] = (
    _contoso,
    _fabrikam,
    _adatum,
    _tailspin,
    _wingtip,
    _litware,
    _proseware,
    _lucerne,
    _alpine,
    _relecloud,
    _margies,
    _woodgrove,
)


@cache
def _client_key() -> rsa.RSAPrivateKey:
    """One key for all worlds of a process: making one is the slowest part of a world."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _real_certificate(draft: Draft, days: int) -> tuple[Certificate, bytes]:
    """A certificate that can really sign, and its PEM with the key."""
    key = _client_key()
    blank = draft.certificate("Lapsewatch monitor", days, name="CN=lapsewatch")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lapsewatch")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(blank.start or draft.now - timedelta(days=1))
        .not_valid_after(blank.end or NEVER)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + made.public_bytes(serialization.Encoding.PEM)
    # Entra names a certificate by its SHA-1.
    print_of = made.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303
    der = made.public_bytes(serialization.Encoding.DER)
    return replace(blank, thumbprint=print_of, der=der), pem
