"""Short ways to make what the store takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.model import (
    CredentialRef,
    Kind,
    Mail,
    MailKind,
    NoticeKey,
    ObjectType,
    ObservedCredential,
    ObservedObject,
    OutboxMail,
    Scan,
    ScanRecord,
    Tenant,
)

_TENANT = Tenant(
    name="contoso",
    directory_id="7b1c0000-0000-0000-0000-000000000001",
    cloud="global",
    client_id="1f3e0000-0000-0000-0000-000000000001",
    credential=CredentialRef("secret", "env:CONTOSO"),
)


class Make:
    """Makes nouns with what does not matter to a test filled in."""

    now = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
    zone = ZoneInfo("Europe/Berlin")

    def __init__(self) -> None:
        self._numbers = count(1)

    def tenant(self, name: str = "contoso", **changes: Any) -> Tenant:
        """A tenant."""
        return replace(_TENANT, name=name, **changes)

    def secret(
        self, slot: str = "key-1", days: float | None = 30, **changes: Any
    ) -> ObservedCredential:
        """A client secret that ends so many days after `now`."""
        end = None if days is None else self.now + timedelta(days=days)
        plain = ObservedCredential(Kind.SECRET, slot, slot, "a secret", self.now, end)
        return replace(plain, **changes)

    def app(
        self, object_id: str = "app-1", *credentials: ObservedCredential, **changes: Any
    ) -> ObservedObject:
        """An app registration."""
        plain = ObservedObject(
            ObjectType.APPLICATION, object_id, f"client-{object_id}", f"App {object_id}"
        )
        return replace(plain, credentials=credentials, **changes)

    def record(
        self, tenant: str = "contoso", hours: float = 0, complete: bool = True, **changes: Any
    ) -> ScanRecord:
        """A ledger row of a scan that finished so many hours after `now`."""
        at = self.now + timedelta(hours=hours)
        return replace(ScanRecord(tenant, at - timedelta(seconds=5), at, complete), **changes)

    def scan(self, *objects: ObservedObject, **about: Any) -> Scan:
        """A scan; the keywords are those of `record`."""
        return Scan(self.record(**about), objects)

    def notice(self, uid: str = "app-1/secret/key-1", **changes: Any) -> NoticeKey:
        """A notice to ann@contoso.example at the stage of 30 days."""
        plain = NoticeKey("contoso", uid, 1, "ann@contoso.example", "30", -30, MailKind.REMINDER)
        return replace(plain, **changes)

    def mail(self, *notices: NoticeKey, kind: MailKind | None = None, **changes: Any) -> OutboxMail:
        """A digest to ann@contoso.example, or a mail of another kind."""
        number = next(self._numbers)
        plain = OutboxMail(
            id=f"mail-{number}",
            mail=Mail(kind or MailKind.REMINDER, f"Subject {number}", "text", "<p>html</p>"),
            recipient="ann@contoso.example",
            tenants=("contoso",),
            path="tenant:contoso",
            message_id=f"<{number}@lapsewatch.example>",
            date=self.now,
            notices=notices,
        )
        return replace(plain, **changes)


@pytest.fixture
def make() -> Make:
    """Makes nouns; see `Make`."""
    return Make()
