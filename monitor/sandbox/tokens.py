"""Access tokens of the simulated Entra: made, signed, published as JWKS, and checked."""

from __future__ import annotations

import base64
import hashlib
import random
import uuid
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from .clock import SandboxClock
from .world import ServicePrincipal, Tenant

GRAPH = "https://graph.microsoft.com"
EXCHANGE = "https://outlook.office365.com"
AUDIENCES = {
    GRAPH: GRAPH,
    "00000003-0000-0000-c000-000000000000": GRAPH,
    EXCHANGE: EXCHANGE,
    "https://outlook.office.com": "https://outlook.office.com",
    "00000002-0000-0ff1-ce00-000000000000": EXCHANGE,
}
EXCHANGE_AUDIENCES = (EXCHANGE, "https://outlook.office.com")


class BadTokenError(Exception):
    """A bearer token that does not hold; the text is for the caller's error message."""


class TokenDesk:
    """Signs tokens with a key of its own, and reads them back."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        numbers = self._key.public_key().public_numbers()
        self._n = _b64(numbers.n.to_bytes(256, "big"))
        self.key_id = _b64(hashlib.sha1(self._n.encode(), usedforsecurity=False).digest())

    def jwks(self, issuer: str) -> dict[str, Any]:
        """The public key, as /discovery/v2.0/keys serves it."""
        key = {"kty": "RSA", "use": "sig", "kid": self.key_id, "x5t": self.key_id}
        return {"keys": [{**key, "n": self._n, "e": "AQAB", "issuer": issuer}]}

    def issue(self, tenant: Tenant, principal: ServicePrincipal, audience: str) -> dict[str, Any]:
        """The token endpoint's answer for an app that has proved who it is."""
        now = int(self._clock.now().timestamp())
        # Entra draws the lifetime between 60 and 90 minutes, so that clients do not renew in step.
        lifetime = random.randint(3600, 5400)  # noqa: S311 (not for a secret)
        roles = principal.graph_roles if audience == GRAPH else principal.exchange_roles
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant.directory_id}/",
            "iat": now - 300,
            "nbf": now - 300,
            "exp": now + lifetime,
            "app_displayname": principal.name,
            "appid": principal.app_id,
            "appidacr": "1",
            "idp": f"https://sts.windows.net/{tenant.directory_id}/",
            "idtyp": "app",
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": tenant.directory_id,
            "uti": _b64(uuid.uuid4().bytes),
            "ver": "1.0",
        }
        if roles:  # without consent the claim is absent, not empty
            claims["roles"] = list(roles)
        headers = {"kid": self.key_id, "x5t": self.key_id}
        token = jwt.encode(claims, self._key, algorithm="RS256", headers=headers)
        return {
            "token_type": "Bearer",
            "expires_in": lifetime - 1,
            "ext_expires_in": lifetime - 1,
            "access_token": token,
        }

    def read(self, token: str) -> dict[str, Any]:
        """The claims of a token that this desk signed and that is valid now."""
        if token.count(".") != 2:
            msg = "IDX14100: JWT is not well formed, there are no dots (.)."
            raise BadTokenError(msg)
        # The sandbox's clock decides about the dates, and the caller about the audience.
        unchecked: Any = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "sub")}
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key.public_key(), algorithms=["RS256"], options=unchecked
            )
        except jwt.InvalidTokenError as error:
            msg = "Signature validation failed. Signature verification failed."
            raise BadTokenError(msg) from error
        if not _in_time(claims, self._clock.now()):
            msg = "Lifetime validation failed, the token is expired."
            raise BadTokenError(msg)
        return claims


def _in_time(claims: dict[str, Any], now: datetime) -> bool:
    """Five minutes of grace, as Microsoft's services give."""
    seconds = now.timestamp()
    return bool(claims["nbf"] - 300 <= seconds < claims["exp"] + 300)


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
