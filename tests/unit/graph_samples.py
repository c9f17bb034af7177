"""Objects and credentials as Graph writes them, and ways to decode them out of a page."""

from __future__ import annotations

import base64
import json
from typing import Any

from monitor.entra.decode import Report, decode_application, decode_service_principal, read_page
from monitor.model import ObservedObject

ID = "00000000-0000-4000-8000-000000000001"
EMPTY: dict[str, Any] = {"passwordCredentials": [], "keyCredentials": []}
SHA1 = bytes(range(1, 21))
SHA256 = bytes(range(1, 33))


def encoded(raw: bytes) -> str:
    """Base64, as Graph writes binary values."""
    return base64.b64encode(raw).decode()


def secret(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A passwordCredential."""
    plain = {
        "keyId": f"00000000-0000-4000-8000-0000000001{number:02}",
        "displayName": f"secret {number}",
        "startDateTime": "2025-01-01T00:00:00Z",
        "endDateTime": "2027-01-01T00:00:00Z",
        "hint": "abc",
        "customKeyIdentifier": None,
    }
    return plain | changes


def key(number: int = 1, usage: str = "Verify", **changes: Any) -> dict[str, Any]:
    """A keyCredential."""
    plain = {
        "keyId": f"00000000-0000-4000-8000-0000000002{number:02}",
        "displayName": "CN=test",
        "startDateTime": "2025-01-01T00:00:00Z",
        "endDateTime": "2027-01-01T00:00:00Z",
        "customKeyIdentifier": encoded(SHA1),
        "type": "AsymmetricX509Cert",
        "usage": usage,
        "key": None,
    }
    return plain | changes


def application(**changes: Any) -> tuple[ObservedObject, Report]:
    """An application, decoded out of a page."""
    return decoded(decode_application, changes)


def principal(**changes: Any) -> tuple[ObservedObject, Report]:
    """A service principal, decoded out of a page."""
    return decoded(decode_service_principal, changes)


def decoded(decode: Any, changes: dict[str, Any]) -> tuple[ObservedObject, Report]:
    """One object, sent through the bytes of a page."""
    plain = {"id": ID, "displayName": "An app", **EMPTY}
    body = json.dumps({"value": [plain | changes]}).encode()
    report = Report()
    found = decode(read_page(body, "objects").value[0], report)
    assert found is not None
    return found, report
