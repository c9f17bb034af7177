"""What the sample mails are about: a tenant, its credentials, and notices of every kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from monitor.clouds import PRESETS
from monitor.model import (
    Credential,
    CredentialRef,
    Item,
    Kind,
    MailKind,
    Note,
    Notice,
    ObjectType,
    Recipient,
    Sort,
    Stage,
    Tenant,
)
from monitor.render import DigestItem, Renderer

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # 08:00 in Berlin
READ = NOW - timedelta(hours=1, minutes=48)
APP_ID = "1f3e5a7c-0b2d-4e6f-8a9c-1b3d5f7a9c0e"
OBJECT_ID = "c0de0001-2345-4789-8bcd-ef0123456789"
KEY_ID = "ab12cd34-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
LONG_NAME = "Synchronisation service for the human resources archive of the northern region (2019)"

# What is no app registration.
_WHERE = {
    Kind.SAML_SIGNING: ObjectType.SERVICE_PRINCIPAL,
    Kind.SYMMETRIC_KEY: ObjectType.SERVICE_PRINCIPAL,
    Kind.GDAP: ObjectType.RELATIONSHIP,
    Kind.ITEM: ObjectType.ITEM,
}

CLOUDS = {"global": PRESETS["global"]}


def renderer(operator: str | None = "Example MSP", people: tuple[str, ...] = ()) -> Renderer:
    """A renderer as an MSP would set it up; `people` are the addresses it is known by."""
    return Renderer(
        clouds=CLOUDS, operator_name=operator, operator_addresses=people,
        base_url="https://lapsewatch.msp.example",
    )  # fmt: skip


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
    end = NOW + timedelta(days=372, hours=1)
    old = credential(days, tenant=who.name, removed_at=removed, **changes)
    key_id = f"ffee{old.key_id[:4]}" if "key_id" in changes and old.key_id else "ffee0011-22"
    other = {"uid": f"{old.uid}/new", "key_id": key_id, "name": "smtp-2026"}
    later: dict[str, Any] = {"life": 2} if life else other
    if life and new:  # as `turns.closing` says it: the end before is not known any more
        old = replace(old, end=end)
    newer = replace(old, end=end, removed_at=None, **later) if new else None
    kind = MailKind.RENEWED if new else MailKind.REMOVED
    stage = Stage.threshold(max(days, 0))
    return DigestItem(who, Notice(old, kind, stage, -days, days, newer))


def odd_item(days: int = 700, *, who: Tenant | None = None, **changes: Any) -> DigestItem:
    """A notice about a credential that a rule forbids."""
    who = who or tenant()
    values = {"start": NOW - timedelta(hours=9), "first_seen": NOW - timedelta(hours=4), **changes}
    one = credential(days, tenant=who.name, **values)
    reason = "Payroll signs in with certificates only. Ask the security team."
    stage = Stage.threshold(days)
    return DigestItem(who, Notice(one, MailKind.UNEXPECTED, stage, -days, days, reason=reason))


def ids(number: int, kind: Kind = Kind.SECRET) -> dict[str, Any]:
    """The ids of one of many: no two are alike, and what is no app has no app id."""
    apart = f"{number:04x}"
    app = None if kind in (Kind.ITEM, Kind.GDAP) else APP_ID[:-4] + apart
    return {"app_id": app, "object_id": OBJECT_ID[:-4] + apart, "key_id": apart + KEY_ID[4:]}


def three_tenants() -> list[Tenant]:
    """The customers of an MSP, each with a directory of its own."""
    names = ("Contoso", "Fabrikam", "Northwind Traders")
    place = tenant().directory_id[:-1]
    return [tenant(name, directory_id=f"{place}{n}") for n, name in enumerate(names, start=1)]


def many_turns(count: int, make: Any = over_item) -> list[DigestItem]:
    """The morning after a week of work: several tenants, every kind, long names."""
    tenants = three_tenants()
    extra: dict[str, Any] = {}
    found = []
    for number in range(count):
        if make is over_item:
            same = number % 5 == 2 or list(Kind)[number % len(Kind)] in (Kind.GDAP, Kind.ITEM)
            extra = {"new": number % 4 != 3, "gone": number % 3 == 1 and not same, "life": same}
        name = LONG_NAME if number % 5 == 4 else f"Line of business app {number}"
        found.append(
            make(
                number + 1, who=tenants[number % 3], app_name=name,
                kind=list(Kind)[number % len(Kind)],
                object_type=_WHERE.get(list(Kind)[number % len(Kind)], ObjectType.APPLICATION),
                **ids(number, list(Kind)[number % len(Kind)]), **extra,
            )
        )  # fmt: skip
    return found


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


def many(count: int) -> list[DigestItem]:
    """A morning at an MSP: several tenants, every kind, long names."""
    kinds = list(Kind)
    tenants = three_tenants()
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
                **ids(number, kind),
            )
        )
    return found
