"""One realistic sample of every mail, built from nouns: for tests and for the screenshots."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import monitor
from monitor.model import (
    CanaryResult,
    Cloud,
    Credential,
    CredentialRef,
    Finding,
    Item,
    Kind,
    Mail,
    MailKind,
    Note,
    Notice,
    ObjectType,
    Probe,
    Recipient,
    Sort,
    Stage,
    StageTiming,
    Tenant,
    TenantHealth,
)
from monitor.render import BrokenPath, DigestItem, Renderer, StormLine, WaitingItem

RULES = Path(monitor.__file__).with_name("diagnose_rules.toml")
CAUSES = tomllib.loads(RULES.read_text(encoding="utf-8"))["cause"]
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # 08:00 in Berlin
READ = NOW - timedelta(hours=1, minutes=48)
APP_ID = "1f3e5a7c-0b2d-4e6f-8a9c-1b3d5f7a9c0e"
OBJECT_ID = "c0de0001-2345-4789-8bcd-ef0123456789"
KEY_ID = "ab12cd34-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
LONG_NAME = "Synchronisation service for the human resources archive of the northern region (2019)"

CLOUDS = {
    "global": Cloud(
        name="global",
        authority="https://login.microsoftonline.com",
        graph="https://graph.microsoft.com",
        graph_scope="https://graph.microsoft.com/.default",
        smtp_host="smtp.office365.com",
        smtp_port=587,
        smtp_scope="https://outlook.office365.com/.default",
        portal="https://portal.azure.com",
    )
}


def renderer(operator: str | None = "Example MSP") -> Renderer:
    """A renderer as an MSP would set it up."""
    return Renderer(
        clouds=CLOUDS, operator_name=operator, base_url="https://lapsewatch.msp.example"
    )


def tenant(name: str = "Contoso", **changes: Any) -> Tenant:
    """A tenant whose warnings go to one person."""
    values: dict[str, Any] = {
        "name": name,
        "directory_id": "7b1c9d2e-3f40-4152-a364-b576c788d99a",
        "cloud": "global",
        "client_id": "9a2b4c6d-8e0f-4132-9576-b798dab1c3e5",
        "credential": CredentialRef("secret", "env:CONTOSO"),
        "recipients": (Recipient("it@contoso.example"),),
        "time_zone": "Europe/Berlin",
    }
    return Tenant(**{**values, **changes})


def credential(days: int | None = 7, **changes: Any) -> Credential:
    """A client secret that ends in so many days, at 09:00 in Berlin."""
    end = None if days is None else NOW + timedelta(days=days, hours=1)
    values: dict[str, Any] = {
        "tenant": "Contoso",
        "uid": f"object/secret/{days}/{changes.get('app_name', '')}",
        "object_type": ObjectType.APPLICATION,
        "object_id": OBJECT_ID,
        "app_id": APP_ID,
        "app_name": "Backup SMTP",
        "kind": Kind.SECRET,
        "key_id": KEY_ID,
        "name": "smtp-2024",
        "start": NOW - timedelta(days=700),
        "end": end,
        "owners": ("ada.lovelace@contoso.example",),
        "observed_at": READ,
    }
    return Credential(**{**values, **changes})


def item(days: int = 7, *, who: Tenant | None = None, **changes: Any) -> DigestItem:
    """A notice for a credential with so many days left (negative: it has lapsed)."""
    who = who or tenant()
    weeks = -days // 7
    stage = Stage.lapsed(weeks) if days < 0 else _stage(who, days)
    kind = MailKind.LAPSED if days < 0 else MailKind.REMINDER
    found = credential(days, tenant=who.name, **changes)
    return DigestItem(who, Notice(found, kind, stage, stage.urgency, days))


def note() -> Note:
    """What somebody keeps about the app of `credential`."""
    return Note(
        "Contoso",
        "Backup*",
        used_by=("Veeam",),
        where=("Veeam console, SMTP settings", 'KeePass, "Backup SMTP"'),
        owner="ada.lovelace@contoso.example",
        runbook="https://wiki.contoso.example/backup",
        remark="Restart the service",
    )


def watched(days: int = 7) -> DigestItem:
    """A notice about an Apple push certificate that somebody keeps the date of."""
    kept = Item("Contoso", "Device push", Sort.APPLE_PUSH, used_by=("Intune",), where=("Intune",))
    about = item(
        days, kind=Kind.ITEM, object_type=ObjectType.ITEM, object_id=kept.object_id, app_id=None,
        app_name=kept.name, name=kept.label, key_id=kept.object_id, owners=None,
    )  # fmt: skip
    return replace(about, note=kept.note)


def _stage(who: Tenant, days: int) -> Stage:
    return Stage.threshold(min((step for step in who.thresholds if days <= step), default=60))


def covered_item(days: int = 6, *, who: Tenant | None = None, **changes: Any) -> DigestItem:
    """A notice that an old credential ends while a newer one is in place."""
    who = who or tenant("Tailspin")
    old = credential(days, tenant=who.name, **changes)
    new = credential(
        400, tenant=who.name, **{**changes, "key_id": "ffee0011-2233-4455-8677", "name": "2026"}
    )
    stage = Stage.threshold(days)
    return DigestItem(who, Notice(old, MailKind.COVERED, stage, stage.urgency, days, new))


def over_item(
    days: int = 12,
    *,
    new: bool = True,
    gone: bool = False,
    life: bool = False,
    who: Tenant | None = None,
    **changes: Any,
) -> DigestItem:
    """A notice that it is over: by a newer one (or a newer life of the same key), or removed."""
    who = who or tenant()
    removed = NOW - timedelta(hours=3) if gone or not new else None
    old = credential(days, tenant=who.name, removed_at=removed, **changes)
    other = {"uid": f"{old.uid}/new", "key_id": "ffee0011-22", "name": "smtp-2026"}
    later: dict[str, Any] = {"life": 2} if life else other
    end = NOW + timedelta(days=372, hours=1)
    newer = replace(old, end=end, removed_at=None, **later) if new else None
    kind = MailKind.RENEWED if new else MailKind.REMOVED
    stage = Stage.threshold(max(days, 0))
    return DigestItem(who, Notice(old, kind, stage, -days, days, newer))


def odd_item(days: int = 700, *, who: Tenant | None = None, **changes: Any) -> DigestItem:
    """A notice about a credential that a rule forbids."""
    who = who or tenant()
    one = credential(days, tenant=who.name, first_seen=NOW - timedelta(hours=4), **changes)
    reason = "Payroll signs in with certificates only. Ask the security team."
    stage = Stage.threshold(days)
    return DigestItem(who, Notice(one, MailKind.UNEXPECTED, stage, -days, days, reason=reason))


def many_turns(count: int, make: Any = over_item) -> list[DigestItem]:
    """The morning after a week of work: several tenants, every kind, long names."""
    tenants = [tenant(name) for name in ("Contoso", "Fabrikam", "Northwind Traders")]
    extra: dict[str, Any] = {}
    found = []
    for number in range(count):
        if make is over_item:
            extra = {"new": number % 4 != 3, "gone": number % 3 == 1, "life": number % 5 == 2}
        name = LONG_NAME if number % 5 == 4 else f"Line of business app {number}"
        found.append(
            make(
                number + 1, who=tenants[number % 3], app_name=name,
                kind=list(Kind)[number % len(Kind)], **extra,
            )
        )  # fmt: skip
    return found


def shrunk() -> Mail:
    """The question about a tenant that lost most of its credentials at once."""
    health = TenantHealth(
        tenant="Contoso",
        last_complete=NOW - timedelta(hours=6),
        last_attempt=NOW,
        failures=1,
        last_failed_definitely=True,
        cause="scan_shrunk",
        problem="212 of 240 credentials are gone since the last complete scan. Nothing was "
        "removed or resolved.",
        first_failure_at=NOW,
    )
    return cannot_check(
        health=health,
        explanation=str(CAUSES["scan_shrunk"]["explanation"]),
        fix=str(CAUSES["scan_shrunk"]["fix"]),
    )


def still_used_item(days: int = 6, *, who: Tenant | None = None, **changes: Any) -> DigestItem:
    """A notice that an old credential is in use although a newer one is in place."""
    who = who or tenant()
    old = credential(
        days, tenant=who.name, last_used=NOW - timedelta(days=1), usage_at=READ, **changes
    )
    new = credential(
        717, tenant=who.name, key_id="ffee0011-2233-4455-8677", name="2026",
        start=NOW - timedelta(days=13),
    )  # fmt: skip
    stage = _stage(who, days)
    return DigestItem(who, Notice(old, MailKind.REMINDER, stage, stage.urgency, days, new))


def digest(*items: DigestItem, **changes: Any) -> Mail:
    """A digest as of this morning."""
    values: dict[str, Any] = {
        "recipient": "it@contoso.example",
        "zone": BERLIN,
        "now": NOW,
        "as_of": {entry.tenant.name: READ for entry in items},
        "next_run": NOW + timedelta(days=1),
    }
    return renderer().digest(items, **{**values, **changes})


def failed_probe() -> Probe:
    """A canary that the server refused at AUTH."""
    reply = (
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
        "Tenant. Visit https://aka.ms/smtp_auth_disabled for more information."
    )
    done = [("dns", 0.01, ""), ("tcp", 0.03, ""), ("greeting", 0.05, "220 smtp.example ready"),
            ("starttls", 0.06, "220 2.0.0 SMTP server ready"), ("ehlo", 0.02, "250 OK"),
            ("token", 0.31, "")]  # fmt: skip
    timings = [StageTiming(stage, seconds, ok=True, reply=said) for stage, seconds, said in done]
    return Probe(
        tenant="Contoso",
        mailbox="noreply@contoso.example",
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=2),
        result=CanaryResult.FAILED,
        stage="auth",
        cause="smtp_auth_disabled_tenant",
        evidence=reply,
        timings=(*timings, StageTiming("auth", 0.42, ok=False, reply=reply)),
        number=412,
    )


def canary_failed(**changes: Any) -> Mail:
    """The alarm after `failed_probe`."""
    values: dict[str, Any] = {
        "tenant_name": "Contoso",
        "mailbox": "noreply@contoso.example",
        "probe": failed_probe(),
        "title": "SMTP AUTH is switched off for the whole organisation",
        "explanation": "The token is good. Exchange Online refuses it because SMTP AUTH is off.",
        "fix": "Switch SMTP AUTH on for this mailbox only:\n"
        "Set-CASMailbox noreply@contoso.example -SmtpClientAuthenticationDisabled $false\n"
        "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/",
        "also": ("security_defaults",),
        "last_ok": NOW - timedelta(days=1),
        "zone": BERLIN,
        "now": NOW,
        "tenant": tenant(),
        "path_note": "This mail came by the operator's own server, because the mailbox above "
        "cannot send.",
    }
    return renderer().canary_failed(**{**values, **changes})


def finding(**changes: Any) -> Finding:
    """What the doctor found behind a bare refusal."""
    found = Finding(
        check="object_id",
        title="Enterprise application object id",
        status="failed",
        evidence="c0de0000-0000-4000-8000-000000000002 is configured, but the Enterprise "
        "application's is c0de0000-0000-4000-8000-000000000001.",
        cause="object_id_mismatch",
        explanation="The configured object id is another object's.",
        fix="Set the right one in the tenants file.",
        command="New-ServicePrincipal -AppId '9a2b0000-0000-4000-8000-000000000001' "
        "-ObjectId 'c0de0000-0000-4000-8000-000000000001'",
    )
    return replace(found, **changes)


def no_consent() -> Finding:
    """What the doctor found behind a refusal to read."""
    return finding(
        check="graph.permissions",
        title="Permissions for reading",
        evidence="The token for Graph carries no application permission (roles) at all.",
        cause="consent_missing",
        explanation="The app asks for permissions that no administrator of the tenant has "
        "consented to.",
        fix="Open the app registration, API permissions. Choose Grant admin consent.",
        command="az ad app permission admin-consent --id 9a2b0000-0000-4000-8000-000000000001",
    )


def bare_refusal() -> Probe:
    """A canary that was refused without a reason."""
    refused, reply = failed_probe(), "535 5.7.3 Authentication unsuccessful"
    last = replace(refused.timings[-1], reply=reply)
    return replace(
        refused, cause="generic_oauth_failure", evidence=reply,
        timings=(*refused.timings[:-1], last),
    )  # fmt: skip


def cannot_check(who: Tenant | None = None, **changes: Any) -> Mail:
    """The alarm that a tenant cannot be read."""
    health = TenantHealth(
        tenant="Contoso",
        last_complete=NOW - timedelta(hours=26, minutes=5),
        last_attempt=NOW,
        failures=4,
        last_failed_definitely=True,
        cause="consent_missing",
        problem="AADSTS65001: nobody has consented to the application.",
        first_failure_at=NOW - timedelta(hours=26),
    )
    values: dict[str, Any] = {
        "health": health,
        "explanation": "The tenant has not given admin consent to Lapsewatch's app, or took it "
        "back.",
        "fix": "Open the app registration, API permissions.\n"
        "Choose Grant admin consent.\n"
        "Check it: lapsewatch run scan --tenant Contoso",
        "zone": BERLIN,
        "now": NOW,
    }
    return renderer().cannot_check(who or tenant(), **{**values, **changes})


def canary(**changes: Any) -> Mail:
    """The daily test mail."""
    values: dict[str, Any] = {
        "tenant_name": "Contoso",
        "mailbox": "noreply@contoso.example",
        "host": "smtp.office365.com",
        "port": 587,
        "number": 412,
        "canary_id": "b6f3c1d2-7a54-4c1e-9d2f-20261123-0412",
        "token_expires": NOW + timedelta(minutes=59),
        "credential_ends": NOW + timedelta(days=41),
        "zone": BERLIN,
        "now": NOW,
    }
    return renderer().canary(**{**values, **changes})


def recovered_tenant(who: Tenant | None = None) -> Mail:
    """The end of a CANNOT CHECK."""
    since = NOW - timedelta(hours=26)
    return renderer().recovered_tenant(who or tenant(), blind_since=since, zone=BERLIN, now=NOW)


def recovered_sender(name: str = "Contoso", mailbox: str = "noreply@contoso.example") -> Mail:
    """The end of a CANARY FAILED."""
    since = NOW - timedelta(hours=3, minutes=12)
    return renderer().recovered_sender(
        tenant_name=name, mailbox=mailbox, broken_since=since, zone=BERLIN, now=NOW
    )


def welcome(*items: DigestItem, **changes: Any) -> Mail:
    """A welcome as of this morning, about tenants that are in shadow for two weeks."""
    until = NOW + timedelta(days=14, hours=-1, minutes=20)
    shaded = [replace(each, tenant=replace(each.tenant, shadow_until=until)) for each in items]
    return digest(*shaded, welcome=True, **changes)


def many(count: int) -> list[DigestItem]:
    """A morning at an MSP: several tenants, every kind, long names."""
    kinds = list(Kind)
    tenants = [tenant(name) for name in ("Contoso", "Fabrikam", "Northwind Traders")]
    found = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        service = kind in (Kind.SAML_SIGNING, Kind.SYMMETRIC_KEY) or number % 7 == 3
        where = ObjectType.SERVICE_PRINCIPAL if service else ObjectType.APPLICATION
        where = ObjectType.RELATIONSHIP if kind is Kind.GDAP else where
        found.append(
            item(
                2 * number - 2,
                who=tenants[number % 3],
                app_name=LONG_NAME if number % 5 == 4 else f"Line of business app {number}",
                kind=kind,
                object_type=where,
                owners=[(), None, ("ada.lovelace@contoso.example", "b@c.example")][number % 3],
            )
        )
    return found


def storm(count: int = 37, **changes: Any) -> Mail:
    """Many tenants that cannot be read, for two causes, and one sender that fails."""
    since = NOW - timedelta(minutes=48)
    lines = [
        StormLine(
            MailKind.CANNOT_CHECK,
            f"customer-{number:03d}",
            "connect_refused" if number % 5 else "consent_missing",
            since,
            "login.microsoftonline.com:443 refuses the connection",
        )
        for number in range(count)
    ]
    lines.append(
        StormLine(
            MailKind.CANARY_FAILED, "Contoso", "connect_refused", since, "refused",
            "noreply@contoso.example",
        )
    )  # fmt: skip
    fixes = {"connect_refused": "Check the way out of this machine."}
    return renderer().storm(lines, **{"fixes": fixes, "zone": BERLIN, "now": NOW, **changes})


def calm(count: int = 37) -> Mail:
    """The end of all of it."""
    lines = [StormLine(MailKind.RECOVERED, f"customer-{n:03d}") for n in range(count)]
    return renderer().storm(lines, fixes={}, zone=BERLIN, now=NOW)


def mail_path_broken(count: int = 4) -> Mail:
    """The operator's path refuses, and some warnings wait."""
    since = NOW - timedelta(hours=1, minutes=48)
    path = BrokenPath(
        "operator", "noc@msp.example", since, "expired_secret", "The client secret has expired",
        "Make a new client secret and put it into Lapsewatch.",
        "AADSTS7000222: The provided client secret keys are expired.",
    )  # fmt: skip
    items = [
        WaitingItem("it@contoso.example", f"Invoice mail {n} (contoso)", NOW + timedelta(days=n))
        for n in range(count)
    ]
    items.append(WaitingItem("noc@msp.example", "[Lapsewatch] CANNOT CHECK: litware"))
    return renderer().mail_path_broken([path], items, mails=count + 1, zone=BERLIN, now=NOW)


def mended() -> Mail:
    """Mail works again."""
    return renderer().mended(since=NOW - timedelta(hours=26), sent=12, zone=BERLIN, now=NOW)


def every_mail() -> Mapping[str, Mail]:
    """Each kind, and each shape that lays itself out in its own way."""
    fabrikam, tailspin = tenant("Fabrikam"), tenant("Tailspin")
    blind = TenantHealth(
        tenant="Fabrikam",
        last_complete=NOW - timedelta(days=2),
        cause="consent_missing",
        problem="Admin consent is missing.",
    )
    old, new = credential(12, app_name="Invoice import"), credential(300, key_id="0f1e2d3c-aa")
    gone = credential(-45, app_name="Old scanner")
    saml = item(
        11,
        who=tailspin,
        app_name="Travel booking",
        kind=Kind.SAML_SIGNING,
        object_type=ObjectType.SERVICE_PRINCIPAL,
        owners=(),
        name="CN=Microsoft Azure Federated SSO Certificate",
    )
    aside = {
        "covered": [(tenant(), old, new)],
        "still_lapsed": [(tenant(), gone)],
        "blind": [(fabrikam, blind)],
    }
    noted = replace(item(), note=note())
    own = item(5, app_name="Lapsewatch", own=True, name=None)
    from tests.mail_crowds import every_crowd
    from tests.report_samples import every_report

    return {
        **every_report(),
        **every_crowd(),
        "reminder-one": digest(item()),
        "reminder-noted": digest(noted),
        "reminder-item": digest(watched()),
        "reminder-own": digest(own),
        "reminder-still-used": digest(still_used_item()),
        "reminder-three": digest(
            item(20), saml, item(3, who=fabrikam, app_name=LONG_NAME), **aside
        ),
        "reminder-many": digest(*many(27)[1:], **aside),
        "lapsed-one": digest(item(-1)),
        "lapsed-many": digest(item(-1), item(-21, app_name=LONG_NAME), saml, item(2)),
        "covered-one": digest(covered_item(app_name="Report mailer")),
        "covered-many": digest(*(covered_item(day, app_name=f"App {day}") for day in (2, 4, 7))),
        "renewed-one": digest(over_item()),
        "renewed-gone": digest(over_item(gone=True, kind=Kind.CERTIFICATE)),
        "renewed-life": digest(over_item(life=True)),
        "renewed-many": digest(*many_turns(27), **aside),
        "renewed-beside": digest(item(), over_item(app_name="Report mailer"), **aside),
        "removed-one": digest(over_item(new=False)),
        "removed-many": digest(
            *(over_item(day, new=False, app_name=f"App {day}") for day in (2, 4, 7, 9, 11))
        ),
        "unexpected-one": digest(odd_item(app_name="Payroll")),
        "unexpected-many": digest(*many_turns(7, odd_item)),
        "welcome-one": welcome(item()),
        "welcome-three": welcome(item(-45), item(-1, app_name=LONG_NAME), item(20)),
        "welcome-many": welcome(*many(27)[1:], **aside),
        "cannot-check": cannot_check(),
        "cannot-check-shrunk": shrunk(),
        "storm": storm(),
        "storm-large": storm(200),
        "storm-over": calm(),
        "mail-path-broken": mail_path_broken(),
        "mail-path-broken-many": mail_path_broken(200),
        "mail-works-again": mended(),
        "cannot-check-examined": cannot_check(finding=no_consent()),
        "recovered-tenant": recovered_tenant(),
        "recovered-sender": recovered_sender(),
        "canary": canary(),
        "canary-failed": canary_failed(),
        "canary-failed-examined": canary_failed(
            probe=bare_refusal(),
            title="The Enterprise application object id is another object's",
            explanation=finding().explanation,
            fix=finding().fix,
            also=(),
            finding=finding(),
        ),
    }
