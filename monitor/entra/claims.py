"""What an access token says about itself, read without trusting it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from monitor.entra.failures import token_error

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified, or {} where the token is opaque."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def refuse_other_directory(claims: Mapping[str, Any], directory_id: str) -> None:
    """Refuse a token that another directory issued: its facts would be filed under this one.

    A directory that is configured by a domain name, and a token that does not name its own,
    cannot be compared and pass.

    Raises:
        TokenError: the ids differ (cause `bad_tenant_id`).
    """
    issued_by = claims.get("tid")
    if not isinstance(issued_by, str) or not _GUID.fullmatch(issued_by):
        return
    if _GUID.fullmatch(directory_id) and issued_by.lower() != directory_id.lower():
        raise token_error(
            "bad_tenant_id",
            f"The token is for directory {issued_by}, but directory {directory_id} is configured.",
        )
