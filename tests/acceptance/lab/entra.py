"""A token server: client credentials by secret or certificate, as Microsoft documents them."""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.acceptance.lab.authority import ClientCertificate
from tests.acceptance.lab.http import Reply, Request

GRAPH_SCOPE = "https://graph.microsoft.com/.default"
SMTP_SCOPE = "https://outlook.office365.com/.default"
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

TEXTS = {
    7000215: "Invalid client secret provided. Ensure the secret being sent in the request is the "
    "client secret value, not the client secret ID, for a secret added to app 'x'.",
    7000222: "The provided client secret keys for app 'x' are expired.",
    700016: "Application with identifier 'x' was not found in the directory 'Contoso'.",
    7000112: "Application 'x'(App) is disabled.",
    90002: "Tenant 'x' not found. Check to make sure you have the correct tenant ID.",
    53003: "Access has been blocked by Conditional Access policies.",
    500011: "The resource principal named x was not found in the tenant named Contoso.",
    90033: "A transient error has occurred. Please try again.",
    700027: "Client assertion failed signature validation. [Reason - The key was not found.]",
    7000216: "'client_assertion', 'client_secret' or 'request' is required.",
    900144: "The request body must contain the parameter.",
}


def refusal(code: int, error: str = "invalid_client", status: int = 401) -> Reply:
    """An error body with its AADSTS code."""
    return Reply(
        status,
        {
            "error": error,
            "error_description": f"AADSTS{code}: {TEXTS[code]} Trace ID: {secrets.token_hex(8)} "
            "Correlation ID: 0 Timestamp: 2026-01-01 00:00:00Z",
            "error_codes": [code],
            "timestamp": "2026-01-01 00:00:00Z",
            "trace_id": secrets.token_hex(16),
            "correlation_id": secrets.token_hex(16),
        },
    )


@dataclass
class App:
    """One registered application: what it may sign in with and which roles its tokens carry."""

    client_id: str
    secret: str | None = None
    certificate: ClientCertificate | None = None
    opaque: bool = False
    override: Callable[[str], Reply | None] | None = None  # scope -> reply


@dataclass(frozen=True)
class Token:
    """What a token stands for."""

    directory_id: str
    client_id: str
    scope: str


@dataclass
class Entra:
    """All directories of the lab, and every token that was handed out."""

    apps: dict[tuple[str, str], App] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    url: str = ""

    def answer(self, request: Request) -> Reply:
        """Answer the token endpoint and the OpenID configuration."""
        parts = [part for part in request.path.split("/") if part]
        directory = parts[0] if parts else ""
        if request.path.endswith("/.well-known/openid-configuration"):
            return Reply(200, self._configuration(directory))
        if parts[1:] != ["oauth2", "v2.0", "token"] or request.method != "POST":
            return Reply(404, {"error": "not_found"})
        form = request.form
        if not any(known == directory for known, _ in self.apps):
            return refusal(90002, "invalid_request", 400)
        app = self.apps.get((directory, form.get("client_id", "")))
        if app is None:
            return refusal(700016, "unauthorized_client", 400)
        scope = form.get("scope", "").split(" ")[0]
        special = app.override(scope) if app.override else None
        if special is not None:
            return special
        if form.get("grant_type") != "client_credentials" or not scope.endswith("/.default"):
            return refusal(900144, "invalid_request", 400)
        problem = self._check(directory, app, form)
        if problem:
            return refusal(problem)
        return Reply(200, self._grant(directory, app, scope))

    def _configuration(self, directory: str) -> dict[str, str]:
        base = f"{self.url}/{directory}"
        return {
            "issuer": f"{base}/v2.0",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
        }

    def _check(self, directory: str, app: App, form: dict[str, str]) -> int:
        if "client_secret" in form:
            return 0 if app.secret and form["client_secret"] == app.secret else 7000215
        if form.get("client_assertion_type") != _JWT_BEARER or app.certificate is None:
            return 7000216
        endpoint = f"{self.url}/{directory}/oauth2/v2.0/token"
        valid = _assertion_holds(form["client_assertion"], app, endpoint)
        return 0 if valid else 700027

    def _grant(self, directory: str, app: App, scope: str) -> dict[str, Any]:
        token = secrets.token_urlsafe(900)
        if not app.opaque:
            token = _jwt(
                {
                    "aud": scope.removesuffix("/.default"),
                    "iss": f"https://sts.windows.net/{directory}/",
                    "appid": app.client_id,
                    "oid": "c0de0000-0000-4000-8000-00000000c0de",
                    "tid": directory,
                    "exp": int(time.time()) + 3599,
                    "idtyp": "app",
                    "roles": ["SMTP.SendAsApp" if "outlook" in scope else "Application.Read.All"],
                }
            )
        self.tokens[token] = Token(directory, app.client_id, scope)
        return {
            "token_type": "Bearer",
            "expires_in": 3599,
            "ext_expires_in": 3599,
            "access_token": token,
        }


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _jwt(claims: dict[str, Any]) -> str:
    head = _b64(json.dumps({"alg": "RS256", "typ": "JWT"}).encode())
    return ".".join((head, _b64(json.dumps(claims).encode()), _b64(secrets.token_bytes(256))))


def _assertion_holds(assertion: str, app: App, endpoint: str) -> bool:
    head, body, signature = assertion.split(".")
    claims, algorithm = json.loads(_unb64(body)), json.loads(_unb64(head))["alg"]
    pad: padding.AsymmetricPadding = padding.PKCS1v15()
    if algorithm == "PS256":
        pad = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
    assert app.certificate is not None
    try:
        app.certificate.public_key.verify(
            _unb64(signature), f"{head}.{body}".encode(), pad, hashes.SHA256()
        )
    except InvalidSignature:
        return False
    return bool(claims["iss"] == claims["sub"] == app.client_id and claims["aud"] == endpoint)
