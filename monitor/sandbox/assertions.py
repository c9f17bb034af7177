"""Client assertions: the signed JWTs by which an app proves itself with a certificate."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from .world import App, Certificate, FederatedCredential, ServicePrincipal


class AssertionRefusedError(Exception):
    """An assertion that does not hold: its AADSTS code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def check_assertion(
    assertion: str, app: App, principal: ServicePrincipal, endpoint: str, now: datetime
) -> None:
    """Accept a certificate's or a federated issuer's assertion, or raise."""
    try:
        header = jwt.get_unverified_header(assertion)
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        text = "The client assertion is not a valid JWT: it could not be read."
        raise AssertionRefusedError(50027, text) from error
    if claims.get("iss") == app.app_id:
        _check_certificate(assertion, header, (app, principal), endpoint, now)
    else:
        _check_federated(assertion, claims, app, now)


def _check_certificate(
    assertion: str,
    header: dict[str, Any],
    holders: tuple[App, ServicePrincipal],
    endpoint: str,
    now: datetime,
) -> None:
    """Find the certificate by its thumbprint, then check signature, audience and dates."""
    app, principal = holders
    thumb = header.get("x5t") or header.get("x5t#S256") or ""
    shown = _hex_of(thumb)
    found = next(
        (c for c in [*app.certificates, *principal.certificates] if c.der and _fits(c.der, thumb)),
        None,
    )
    if found is None:
        raise AssertionRefusedError(700027, _unknown_key(app.app_id, shown, "not found."))
    if _over(found, now):
        raise AssertionRefusedError(700027, _unknown_key(app.app_id, shown, "expired."))
    key = x509.load_der_x509_certificate(found.der or b"").public_key()
    if not isinstance(key, RSAPublicKey):
        raise AssertionRefusedError(700027, _unknown_key(app.app_id, shown, "not an RSA key."))
    _check_jwt(assertion, key, endpoint, now)


def _check_federated(assertion: str, claims: dict[str, Any], app: App, now: datetime) -> None:
    """Find the federated credential by issuer, subject and audience, then check the signature."""
    issuer, subject = claims.get("iss"), claims.get("sub")
    same_issuer = [f for f in app.federated if f.issuer == issuer]
    if not same_issuer:
        text = (
            "No matching federated identity record found for presented assertion issuer "
            f"'{issuer}'. Please check your federated identity credential Subject, Audience and "
            "Issuer against the presented assertion."
        )
        raise AssertionRefusedError(700211, text)
    fitting = [f for f in same_issuer if f.subject == subject]
    if not fitting:
        text = (
            "No matching federated identity record found for presented assertion subject "
            f"'{subject}'. Check your federated identity credential Subject, Audience and Issuer "
            "against the presented assertion."
        )
        raise AssertionRefusedError(700213, text)
    _check_issuer_key(assertion, claims, fitting[0], now)


def _check_issuer_key(
    assertion: str, claims: dict[str, Any], trust: FederatedCredential, now: datetime
) -> None:
    if claims.get("aud") != trust.audience:
        text = (
            "No matching federated identity record found for presented assertion audience "
            f"'{claims.get('aud')}'."
        )
        raise AssertionRefusedError(700212, text)
    if trust.issuer_key_pem is None:
        text = "The issuer's keys could not be read."
        raise AssertionRefusedError(50166, text)
    key = serialization.load_pem_public_key(trust.issuer_key_pem)
    if not isinstance(key, RSAPublicKey):
        raise AssertionRefusedError(700027, "The issuer's key is not an RSA key.")
    _check_jwt(assertion, key, trust.audience, now)


def _check_jwt(assertion: str, key: RSAPublicKey, audience: str, now: datetime) -> None:
    unchecked: Any = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud")}
    algorithms = ["RS256", "PS256"]
    try:
        claims = jwt.decode(assertion, key, algorithms=algorithms, options=unchecked)
    except jwt.InvalidTokenError as error:
        text = "Client assertion contains an invalid signature. [Reason - The key was not found.]"
        raise AssertionRefusedError(700027, text) from error
    accepted = {audience, audience.removesuffix("/oauth2/v2.0/token") + "/v2.0"}
    if claims.get("aud") not in accepted:
        text = f"The client assertion's audience '{claims.get('aud')}' is not this endpoint."
        raise AssertionRefusedError(700023, text)
    # A client dates its assertion by the real clock, and a demo travels with the sandbox's only.
    if not any(_in_time(claims, instant) for instant in (now, datetime.now(UTC))):
        text = "Client assertion is not within its valid time range."
        raise AssertionRefusedError(700024, text)


def _in_time(claims: dict[str, Any], instant: datetime) -> bool:
    seconds = instant.timestamp()
    starts = claims.get("nbf", claims.get("iat", 0))
    return bool(starts - 300 <= seconds < claims.get("exp", 0) + 300)


def _over(certificate: Certificate, now: datetime) -> bool:
    return certificate.end is not None and certificate.end <= now


def _fits(der: bytes, thumb: str) -> bool:
    """Whether an x5t (SHA-1) or x5t#S256 header names this certificate."""
    sha1 = hashlib.sha1(der, usedforsecurity=False).digest()
    return _raw(thumb) in (sha1, hashlib.sha256(der).digest())


def _raw(thumb: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(thumb + "=" * (-len(thumb) % 4))
    except ValueError:
        return b""


def _hex_of(thumb: str) -> str:
    return _raw(thumb).hex().upper()


def _unknown_key(app_id: str, thumbprint: str, reason: str) -> str:
    return (
        f"The certificate with identifier used to sign the client assertion is not registered on "
        f"application. [Reason - The key was {reason}, Thumbprint of key used by client: "
        f"'{thumbprint}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph "
        f"to see configured keys for app Id '{app_id}'.]"
    )
