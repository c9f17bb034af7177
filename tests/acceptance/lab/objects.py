"""Graph objects with credentials, and what the specification says of each of them."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha1
from typing import Any
from zoneinfo import ZoneInfo

START = "2024-01-01T00:00:00Z"


def guid() -> str:
    """A new GUID."""
    return str(uuid.uuid4())


def at(moment: datetime, digits: str = "") -> str:
    """A moment as Graph writes it, with up to seven digits of fractions."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") + (f".{digits}Z" if digits else "Z")


def local_day(
    zone: str, days: int, clock: time, digits: str = "", now: datetime | None = None
) -> str:
    """A wall time some days from today in a zone."""
    today = (now or datetime.now(UTC)).astimezone(ZoneInfo(zone)).date()
    moment = datetime.combine(today + timedelta(days=days), clock, ZoneInfo(zone))
    return at(moment, digits)


def in_days(days: float) -> str:
    """The moment so many times 24 hours from now."""
    return at(datetime.now(UTC) + timedelta(days=days), "1234567")


@dataclass(frozen=True)
class Cred:
    """A credential and what is expected of it: a state, or None when the oracle says it."""

    name: str | None
    end: str | None
    state: str | None = None
    start: str | None = START
    kind: str = "secret"
    key_id: str | None = field(default_factory=guid)
    count: int = 1
    raw: tuple[dict[str, Any], ...] | None = None  # keyCredentials on the wire
    hint: str | None = None

    def passwords(self) -> list[dict[str, Any]]:
        """The passwordCredentials on the wire."""
        if self.kind != "secret":
            return []
        return [
            {
                "customKeyIdentifier": None, "displayName": self.name, "endDateTime": self.end,
                "hint": self.hint, "keyId": self.key_id, "secretText": None,
                "startDateTime": self.start,
            }
        ] * self.count  # fmt: skip

    def certificates(self) -> list[dict[str, Any]]:
        """The keyCredentials on the wire."""
        if self.kind == "secret":
            return []
        return list(self.raw) if self.raw is not None else [key(self)]


def thumbprint(of: str) -> bytes:
    """Twenty bytes that stand for a certificate."""
    return sha1(of.encode(), usedforsecurity=False).digest()


def key(cred: Cred, usage: str = "Verify", **changes: Any) -> dict[str, Any]:
    """One keyCredential on the wire."""
    if cred.kind == "token_encryption":
        usage = "Encrypt"
    kind = "Symmetric" if cred.kind == "symmetric_key" else "AsymmetricX509Cert"
    return {
        "customKeyIdentifier": b64encode(thumbprint(str(cred.key_id))).decode(),
        "displayName": cred.name, "endDateTime": cred.end, "keyId": cred.key_id,
        "startDateTime": cred.start, "type": kind, "usage": usage, "key": None,
    } | changes  # fmt: skip


@dataclass
class Thing:
    """An application or a service principal."""

    name: Any
    creds: list[Cred]
    principal: bool = False
    app_id: str = field(default_factory=guid)
    object_id: str = field(default_factory=guid)
    more: dict[str, Any] = field(default_factory=dict)
    passwords: list[dict[str, Any]] = field(default_factory=list)

    def wire(self) -> dict[str, Any]:
        """The object as Graph sends it."""
        common: dict[str, Any] = {
            "id": self.object_id, "deletedDateTime": None, "appId": self.app_id,
            "displayName": self.name,
            "keyCredentials": [k for cred in self.creds for k in cred.certificates()],
            "passwordCredentials": [p for c in self.creds for p in c.passwords()] + self.passwords,
        }  # fmt: skip
        own: dict[str, Any] = {
            "createdDateTime": "2019-09-17T19:10:35.2742618Z", "tags": [],
            "signInAudience": "AzureADMyOrg", "tokenEncryptionKeyId": None,
            "federatedIdentityCredentials": [],
        }  # fmt: skip
        if self.principal:
            own = {
                "accountEnabled": True, "appDisplayName": self.name, "appOwnerOrganizationId": None,
                "servicePrincipalType": "Application", "preferredSingleSignOnMode": None,
                "preferredTokenSigningKeyThumbprint": None, "tags": [],
            }  # fmt: skip
        return common | own | self.more


def app(name: Any, *creds: Cred, **more: Any) -> Thing:
    """An application."""
    return Thing(name, list(creds), more=more)


def principal(name: Any, *creds: Cred, **more: Any) -> Thing:
    """A service principal."""
    return Thing(name, list(creds), principal=True, more=more)


def saml_triple(cred: Cred) -> tuple[Cred, list[dict[str, Any]]]:
    """A SAML signing certificate: Sign and Verify keys, and the password of the first."""
    identifier = b64encode(thumbprint(str(cred.key_id))).decode()
    sign = key(cred, "Sign", type="X509CertAndPassword", customKeyIdentifier=identifier)
    verify = key(cred, "Verify", keyId=guid(), customKeyIdentifier=identifier)
    password = replace(cred, kind="secret").passwords()[0]
    password |= {"customKeyIdentifier": identifier}
    return replace(cred, kind="saml_signing", raw=(sign, verify)), [password]


def saml_app(name: str, active: Cred | None, *creds: Cred) -> Thing:
    """A service principal that signs SAML answers; `active` says whose thumbprint is preferred."""
    thing = principal(name, preferredSingleSignOnMode="saml")
    thing.more["preferredTokenSigningKeyThumbprint"] = (
        thumbprint(str(active.key_id)).hex().upper() if active else None
    )
    for cred in creds:
        signing, passwords = saml_triple(cred)
        thing.creds.append(signing)
        thing.passwords += passwords
    return thing


def expected_state(
    end: str | None, zone: str, now: datetime, thresholds: Iterable[int] = (60,)
) -> tuple[str, int | None]:
    """State and days_left of a credential without a successor, snooze or removal."""
    if end is None:
        return "ok", None
    whole, digits = end.removesuffix("Z"), 0
    if "." in whole:
        whole, fraction = whole.split(".")
        digits = int(fraction.ljust(6, "0")[:6])
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC, microsecond=digits)
    today = now.astimezone(ZoneInfo(zone)).date()
    try:
        last: date = moment.astimezone(ZoneInfo(zone)).date()
    except OverflowError:  # one day beyond the calendar
        last = moment.date()
    days = (last - today).days
    if moment <= now:
        return "lapsed", days
    for limit, state in (
        (7, "critical"),
        (30, "warning"),
        (max(thresholds, default=-1), "upcoming"),
    ):
        if days <= limit:
            return state, days
    return "ok", days


def toml(value: Any) -> str:
    """A value in TOML; JSON's strings and arrays are TOML's, tables are written inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    return json.dumps(value)
