"""Samples of the mails that wait for no daily run: alarms, their ends, and test mails."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import monitor
from monitor.mail.outages import most_urgent_first
from monitor.mail.repairs import SendingApp
from monitor.model import (
    CanaryResult,
    Finding,
    Mail,
    MailKind,
    Probe,
    StageTiming,
    Tenant,
    TenantHealth,
)
from monitor.render import BrokenPath, StormLine, WaitingItem
from tests.mail_nouns import BERLIN, NOW, renderer, tenant

RULES = Path(monitor.__file__).with_name("diagnose_rules.toml")
CAUSES = tomllib.loads(RULES.read_text(encoding="utf-8"))["cause"]

# As the doctor words it (tests/acceptance/test_doctor.py holds its parts).
OBJECT_ID_FIX = (
    'Set `enterprise_object_id = "c0de0000-0000-4000-8000-000000000001"` (it is '
    '"c0de0000-0000-4000-8000-000000000002") under `[tenant.sender]` in the tenants file, and '
    "import it. Then an Exchange administrator registers the app under that id by the command "
    "here. Remove-ServicePrincipal is only for an app that `Get-ServicePrincipal` lists with the "
    "wrong ObjectId. Then the new entry gets the mailbox again, as the permission belonged to the "
    "old one: `Add-MailboxPermission -Identity <mailbox> -User "
    "c0de0000-0000-4000-8000-000000000001 -AccessRights FullAccess`, or its role where Exchange "
    "gives it by App RBAC."
)


def explained(cause: str) -> str:
    """A cause as one of several, as the alarm's writer words it."""
    return f"{CAUSES[cause]['title']}. {CAUSES[cause]['explanation']}"


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
    about = CAUSES["smtp_auth_disabled_tenant"]
    values: dict[str, Any] = {
        "tenant_name": "Contoso",
        "mailbox": "noreply@contoso.example",
        "probe": failed_probe(),
        **{part: str(about[part]) for part in ("title", "explanation", "fix")},
        "also": (explained("security_defaults"),),
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
        explanation=str(CAUSES["object_id_mismatch"]["explanation"]),
        fix=OBJECT_ID_FIX,
        command="Remove-ServicePrincipal -Identity 'c0de0000-0000-4000-8000-000000000002'; "
        "New-ServicePrincipal -AppId '9a2b4c6d-8e0f-4132-9576-b798dab1c3e5' "
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
        fix=f"{CAUSES['consent_missing']['fix']} An administrator of that directory grants it "
        "here: https://login.microsoftonline.com/7b1c9d2e-3f40-4152-a364-b576c788d99a/adminconsent"
        "?client_id=9a2b4c6d-8e0f-4132-9576-b798dab1c3e5",
        command="az ad app permission admin-consent --id 9a2b4c6d-8e0f-4132-9576-b798dab1c3e5",
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
        "fix": str(CAUSES["consent_missing"]["fix"]),
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
    return renderer().recovered_tenant(
        who or tenant(), blind_since=since, zone=BERLIN, now=NOW, cause="consent_missing"
    )


def recovered_sender(name: str = "Contoso", mailbox: str = "noreply@contoso.example") -> Mail:
    """The end of a CANARY FAILED."""
    since = NOW - timedelta(hours=3, minutes=12)
    return renderer().recovered_sender(
        tenant_name=name,
        mailbox=mailbox,
        broken_since=since,
        zone=BERLIN,
        now=NOW,
        cause="smtp_auth_disabled_tenant",
    )


SEEN = {
    "connect_refused": "login.microsoftonline.com:443 refuses the connection",
    "consent_missing": "AADSTS65001: nobody has consented to the application.",
}


def storm(count: int = 37, *, senders: int = 1, **changes: Any) -> Mail:
    """Many tenants that cannot be read, for two causes, and senders that fail."""
    since = NOW - timedelta(minutes=48)
    web = {name: str(CAUSES[name].get("fix_web") or CAUSES[name]["fix"]) for name in SEEN}
    causes = ["connect_refused" if number % 5 else "consent_missing" for number in range(count)]
    lines = [
        StormLine(
            MailKind.CANNOT_CHECK, f"customer-{n:03d}", cause, since, SEEN[cause], fix=web[cause]
        )
        for n, cause in enumerate(causes)
    ]
    names = [f"Contoso{'' if number == 0 else f' {number}'}" for number in range(senders)]
    lines += [
        StormLine(
            MailKind.CANARY_FAILED, name, "connect_refused", since,
            "smtp.office365.com:587: 52.97.201.242: [Errno 111] Connection refused",
            f"noreply@{name.lower().replace(' ', '-')}.example",
            str(CAUSES["connect_refused"]["fix"]),
        )
        for name in names
    ]  # fmt: skip
    return renderer().storm(lines, **{"zone": BERLIN, "now": NOW, **changes})


def calm(count: int = 37) -> Mail:
    """The end of all of it: at most a scan later than the first of them."""
    lines = [
        StormLine(
            MailKind.RECOVERED, f"customer-{n:03d}", cause="connect_refused" if n % 5
            else "consent_missing", since=NOW - timedelta(hours=3),
            until=NOW - timedelta(minutes=0 if n % 4 else 7),
        )
        for n in range(count)
    ]  # fmt: skip
    return renderer().storm(lines, zone=BERLIN, now=NOW)


OPERATORS_APP = SendingApp(
    "5d0a7c1e-2b3f-4a64-8c75-9e86afb7c0d1", "3e4f5a6b-7c8d-4e9f-8a0b-1c2d3e4f5a6b",
    link="https://portal.azure.com/3e4f5a6b-7c8d-4e9f-8a0b-1c2d3e4f5a6b/"
    "#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Credentials/appId/"
    "5d0a7c1e-2b3f-4a64-8c75-9e86afb7c0d1/isMSAApp~/false",
    link_label="Certificates & secrets",
)  # fmt: skip


def broken_path() -> BrokenPath:
    """The operator's own sender, whose secret has expired."""
    since = NOW - timedelta(hours=1, minutes=48)
    return BrokenPath(
        "operator", "noc@msp.example", since, "expired_secret", "The client secret has expired",
        str(CAUSES["expired_secret"]["fix"]),
        "AADSTS7000222: The provided client secret keys are expired.",
        OPERATORS_APP, "smtp.office365.com:587",
    )  # fmt: skip


def mail_path_broken(
    count: int = 4, *, own: bool = False, people: tuple[str, ...] = (), **changes: Any
) -> Mail:
    """The operator's path refuses, and some warnings wait; with `own` all for one recipient.

    `people` are the operator's addresses; `changes` are those of the path.
    """
    path = replace(broken_path(), **changes)
    items = [
        WaitingItem("it@contoso.example", f"Invoice mail {n} (contoso)", NOW + timedelta(days=n))
        for n in range(count)
    ]
    if not own:
        said = "[Lapsewatch] CANNOT CHECK: litware"
        items.append(WaitingItem("noc@msp.example", said, alarm=True))
    return renderer(people=people).mail_path_broken(
        [path], most_urgent_first(items), mails=len(items), zone=BERLIN, now=NOW, own=own,
        recipient="it@contoso.example" if own else "",
    )  # fmt: skip


def mended() -> Mail:
    """Mail works again."""
    return renderer().mended(since=NOW - timedelta(hours=26), sent=12, zone=BERLIN, now=NOW)
