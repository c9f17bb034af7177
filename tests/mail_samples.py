"""One realistic sample of every mail, built from nouns: for tests and for the screenshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from monitor.model import Kind, Mail, ObjectType, TenantHealth
from monitor.render import DigestItem
from tests.alarm_samples import (
    bare_refusal,
    calm,
    canary,
    canary_failed,
    cannot_check,
    failed_probe,
    finding,
    mail_path_broken,
    mended,
    no_consent,
    recovered_sender,
    recovered_tenant,
    shrunk,
    storm,
)
from tests.mail_nouns import (
    APP_ID,
    BERLIN,
    CLOUDS,
    KEY_ID,
    LONG_NAME,
    NOW,
    OBJECT_ID,
    READ,
    covered_item,
    credential,
    item,
    many,
    many_turns,
    note,
    odd_item,
    over_item,
    renderer,
    still_used_item,
    tenant,
    watched,
)
from tests.report_samples import every_report

__all__ = [
    "APP_ID", "BERLIN", "CLOUDS", "KEY_ID", "LONG_NAME", "NOW", "OBJECT_ID", "READ",
    "bare_refusal", "calm", "canary", "canary_failed", "cannot_check", "covered_item",
    "credential", "digest", "every_mail", "failed_probe", "finding", "item",
    "mail_path_broken", "many", "many_turns", "mended", "no_consent", "note", "odd_item",
    "over_item", "recovered_sender", "recovered_tenant", "renderer", "shrunk",
    "still_used_item", "storm", "tenant", "watched", "welcome",
]  # fmt: skip

MSP = ("noc@msp.example",)


def digest(*items: DigestItem, people: tuple[str, ...] = (), **changes: Any) -> Mail:
    """A digest as of this morning; `people` are the operator's addresses, where they are known."""
    values: dict[str, Any] = {
        "recipient": "it@contoso.example",
        "zone": BERLIN,
        "now": NOW,
        "as_of": {entry.tenant.name: READ for entry in items},
        "next_run": NOW + timedelta(days=1),
    }
    return renderer(people=people).digest(items, **{**values, **changes})


def welcome(*items: DigestItem, **changes: Any) -> Mail:
    """A welcome as of this morning, about tenants that are in shadow for two weeks."""
    until = NOW + timedelta(days=14, hours=-1, minutes=20)
    shaded = [replace(each, tenant=replace(each.tenant, shadow_until=until)) for each in items]
    return digest(*shaded, welcome=True, **changes)


def every_mail() -> Mapping[str, Mail]:
    """Each kind, and each shape that lays itself out in its own way."""
    from tests.mail_crowds import every_crowd

    return {
        **every_report(), **every_crowd(), **_due(), **_over(), **_new(), **_alarms(),
    }  # fmt: skip


def _aside() -> dict[str, Any]:
    """What stands beside the main items of a digest."""
    old, new = credential(12, app_name="Invoice import"), credential(300, key_id="0f1e2d3c-aa")
    blind = TenantHealth(
        tenant="Fabrikam",
        last_complete=NOW - timedelta(days=2),
        cause="consent_missing",
        problem="Admin consent is missing.",
    )
    return {
        "covered": [(tenant(), old, new)],
        "still_lapsed": [(tenant(), credential(-45, app_name="Old scanner"))],
        "blind": [(tenant("Fabrikam"), blind)],
        "as_of": {
            "Contoso": READ, "Tailspin": READ, "Northwind Traders": READ,
            "Fabrikam": NOW - timedelta(days=2),
        },
    }  # fmt: skip


def _due() -> dict[str, Mail]:
    """What ends or has ended."""
    saml = item(
        11,
        who=tenant("Tailspin"),
        app_name="Travel booking",
        kind=Kind.SAML_SIGNING,
        object_type=ObjectType.SERVICE_PRINCIPAL,
        owners=(),
        name="CN=Microsoft Azure Federated SSO Certificate",
    )
    far = item(3, who=tenant("Fabrikam"), app_name=LONG_NAME)
    own = item(5, app_name="Lapsewatch", own=True, name=None)
    return {
        "reminder-one": digest(item()),
        "reminder-noted": digest(replace(item(), note=note())),
        "reminder-item": digest(watched()),
        "reminder-item-customer": digest(watched(), people=MSP),
        "reminder-own": digest(own),
        "reminder-still-used": digest(still_used_item()),
        "reminder-three": digest(item(20), saml, far, **_aside()),
        "reminder-many": digest(*many(27)[1:], **_aside()),
        "lapsed-one": digest(item(-1)),
        "lapsed-many": digest(item(-1), item(-21, app_name=LONG_NAME), saml, item(2)),
    }


def _over() -> dict[str, Mail]:
    """What is covered, renewed or removed."""
    return {
        "covered-one": digest(covered_item(app_name="Report mailer")),
        "covered-many": digest(*(covered_item(day, app_name=f"App {day}") for day in (2, 4, 7))),
        "renewed-one": digest(over_item()),
        "renewed-gone": digest(over_item(gone=True, kind=Kind.CERTIFICATE)),
        "renewed-life": digest(over_item(life=True)),
        "renewed-many": digest(*many_turns(27), **_aside()),
        "renewed-beside": digest(item(), over_item(app_name="Report mailer"), **_aside()),
        "removed-one": digest(over_item(new=False)),
        "removed-many": digest(
            *(over_item(day, new=False, app_name=f"App {day}") for day in (2, 4, 7, 9, 11))
        ),
    }


def _new() -> dict[str, Mail]:
    """What should not be there, and who is newly watched."""
    return {
        "unexpected-one": digest(odd_item(app_name="Payroll")),
        "unexpected-customer": digest(odd_item(app_name="Payroll"), people=MSP),
        "unexpected-many": digest(*many_turns(7, odd_item)),
        "welcome-one": welcome(item()),
        "welcome-customer": welcome(*many(27)[1:], people=MSP),
        "welcome-three": welcome(item(-45), item(-1, app_name=LONG_NAME), item(20)),
        "welcome-many": welcome(*many(27)[1:], **_aside()),
    }


def _alarms() -> dict[str, Mail]:
    """What waits for no daily run."""
    refused = canary_failed(
        probe=bare_refusal(),
        title="The Enterprise application object id is another object's",
        explanation=finding().explanation,
        fix=finding().fix,
        also=(),
        finding=finding(),
    )
    return {
        "cannot-check": cannot_check(),
        "cannot-check-shrunk": shrunk(),
        "cannot-check-examined": cannot_check(
            finding=no_consent(), explanation=no_consent().explanation, fix=no_consent().fix
        ),
        "storm": storm(),
        "storm-over": calm(),
        "mail-path-broken": mail_path_broken(),
        "mail-path-broken-own": mail_path_broken(3, own=True),
        "mail-works-again": mended(),
        "recovered-tenant": recovered_tenant(),
        "recovered-sender": recovered_sender(),
        "canary": canary(),
        "canary-failed": canary_failed(),
        "canary-failed-examined": refused,
    }
