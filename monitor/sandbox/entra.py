"""The simulated Entra: OpenID configuration, keys, and tokens for client credentials."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, unquote

from starlette.requests import Request

from .assertions import AssertionRefusedError, check_assertion
from .calls import Calls
from .clock import SandboxClock
from .faults import Fault, take_fault
from .replies import HttpRoom, Reply, from_fault, json_reply
from .tokens import AUDIENCES, EXCHANGE_AUDIENCES, TokenDesk
from .world import App, Secret, ServicePrincipal, Tenant, World

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)
_DESCRIPTIONS = {
    700016: "unauthorized_client",
    7000112: "unauthorized_client",
    7000229: "unauthorized_client",
    90002: "invalid_request",
    900023: "invalid_request",
    900144: "invalid_request",
    500011: "invalid_resource",
    65001: "invalid_grant",
    53003: "access_denied",
    1002012: "invalid_scope",
    70011: "invalid_scope",
    70003: "unsupported_grant_type",
}


class _RefusedError(Exception):
    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status


@dataclass(frozen=True, slots=True)
class _Form:
    """The fields of a token request, with the client's name and secret wherever they came from."""

    fields: Mapping[str, str]
    client_id: str
    secret: str | None


class Entra(HttpRoom):
    """Answers for every tenant of the world, by the sandbox's clock."""

    def __init__(self, world: World, clock: SandboxClock, desk: TokenDesk, calls: Calls) -> None:
        super().__init__(clock)
        self.world = world
        self.desk = desk
        self.calls = calls

    async def answer(self, request: Request) -> tuple[Reply, Fault | None]:
        """Find the tenant of the path, then the endpoint."""
        name, _, rest = request.url.path.lstrip("/").partition("/")
        if name == "common" and rest == "discovery/instance":
            return self._instance(request), None
        tenant = self.world.find_tenant(name)
        self.calls.add(tenant.name if tenant else name, f"{request.method} /{rest}")
        if tenant is None:
            return self._error(_no_tenant(name), request), None
        fault = take_fault(tenant.token_faults, f"/{rest}")
        if fault is not None:
            instead = from_fault(fault, lambda *what: self._fault_error(request, *what))
            if instead is not None:
                return instead, fault
        return await self._route(request, tenant, rest), fault

    async def _route(self, request: Request, tenant: Tenant, rest: str) -> Reply:
        if rest == "v2.0/.well-known/openid-configuration":
            return json_reply(self._openid(request, tenant))
        if rest == "discovery/v2.0/keys":
            return json_reply(self.desk.jwks(f"{_origin(request)}/{tenant.directory_id}/v2.0"))
        if rest == "oauth2/v2.0/token" and request.method == "POST":
            form = await _read_form(request)
            try:
                return self._token(request, tenant, form)
            except _RefusedError as refusal:
                return self._error(refusal, request)
        return Reply(404, b"", {}, "text/plain")

    def _openid(self, request: Request, tenant: Tenant) -> dict[str, object]:
        base = f"{_origin(request)}/{tenant.directory_id}"
        return {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "msgraph_host": "graph.microsoft.com",
        }

    def _instance(self, request: Request) -> Reply:
        host = request.url.netloc
        endpoint = f"{_origin(request)}/common/v2.0/.well-known/openid-configuration"
        metadata = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        return json_reply(
            {
                "tenant_discovery_endpoint": endpoint,
                "api-version": "1.1",
                "metadata": [metadata],
            }
        )

    def _token(self, request: Request, tenant: Tenant, form: _Form) -> Reply:
        """The checks in Entra's order: request, app, proof, resource, policy."""
        _check_request(form)
        app, principal = self._find_client(tenant, form.client_id)
        self._check_proof(request, form, (app, principal))
        audience = _audience(form.fields.get("scope", ""), tenant)
        if principal.blocked_by_policy:
            text = "Access has been blocked by Conditional Access policies."
            raise _RefusedError(53003, f"{text} The access policy does not allow token issuance.")
        return json_reply(self.desk.issue(tenant, principal, audience))

    def _find_client(self, tenant: Tenant, client_id: str) -> tuple[App, ServicePrincipal]:
        app = self.world.find_app(client_id)
        principal = tenant.principal(client_id)
        if app is None or (principal is None and app not in tenant.apps):
            text = (
                f"Application with identifier '{client_id}' was not found in the directory "
                f"'{tenant.display_name}'. This can happen if the application has not been "
                "installed by the administrator of the tenant or consented to by any user in the "
                "tenant. You may have sent your authentication request to the wrong tenant."
            )
            raise _RefusedError(700016, text)
        if principal is None:
            text = (
                f"The client application '{client_id}' is missing service principal in the tenant "
                f"'{tenant.directory_id}'. See instructions here: "
                "https://go.microsoft.com/fwlink/?linkid=2225119"
            )
            raise _RefusedError(7000229, text)
        if not principal.enabled:
            text = f"Application '{client_id}'({app.name}) is disabled."
            raise _RefusedError(7000112, text)
        return app, principal

    def _check_proof(
        self,
        request: Request,
        form: _Form,
        client: tuple[App, ServicePrincipal],
    ) -> None:
        app, principal = client
        assertion = form.fields.get("client_assertion")
        if assertion:
            endpoint = f"{_origin(request)}{request.url.path}"
            try:
                check_assertion(assertion, app, principal, endpoint, self.clock.now())
            except AssertionRefusedError as error:
                raise _RefusedError(error.code, error.text, 401) from error
        elif form.secret:
            self._check_secret(app, principal, form.secret)
        else:
            text = (
                "'client_assertion', 'client_secret' or 'request' is required for the "
                "'client_credentials' grant type."
            )
            raise _RefusedError(7000216, text, 401)

    def _check_secret(self, app: App, principal: ServicePrincipal, value: str) -> None:
        """The value must be right, and then in its dates; a wrong one is told from a late one."""
        now = self.clock.now()
        fitting = [s for s in [*app.secrets, *principal.secrets] if s.value == value]
        usable = [s for s in fitting if not _late(s, now) and self._arrived(app, s.key_id)]
        if usable:
            return
        if fitting and all(_late(s, now) for s in fitting):
            text = (
                f"The provided client secret keys for app '{app.app_id}' are expired. Visit the "
                "Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or "
                "consider using certificate credentials for added security: "
                "https://aka.ms/certCreds."
            )
            raise _RefusedError(7000222, text, 401)
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the "
            "client secret value, not the client secret ID, for a secret added to app "
            f"'{app.app_id}'."
        )
        raise _RefusedError(7000215, text, 401)

    def _arrived(self, app: App, key_id: str) -> bool:
        """Whether a secret just added has reached the token endpoint."""
        left = app.not_yet.get(key_id, 0)
        if left > 0:
            app.not_yet[key_id] = left - 1
        return left <= 0

    def _fault_error(self, request: Request, status: int, code: str, message: str) -> Reply:
        """A fault's `code` is an AADSTS number here; anything else is the service being ill."""
        number = int(code) if code.isdigit() else 90033
        text = message or "A transient error has occurred. Please try again."
        return self._error(_RefusedError(number, text, status), request)

    def _error(self, refusal: _RefusedError, request: Request) -> Reply:
        trace, given = str(uuid.uuid4()), request.headers.get("client-request-id")
        correlation = given or str(uuid.uuid4())
        stamp = f"{self.clock.now():%Y-%m-%d %H:%M:%SZ}"
        description = (
            f"AADSTS{refusal.code}: {refusal.text} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {stamp}"
        )
        body = {
            "error": _error_name(refusal.code, refusal.status),
            "error_description": description,
            "error_codes": [refusal.code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{_origin(request)}/error?code={refusal.code}",
        }
        return json_reply(body, refusal.status, {"x-ms-request-id": trace})


def _error_name(code: int, status: int) -> str:
    if code in _DESCRIPTIONS:
        return _DESCRIPTIONS[code]
    return "invalid_client" if status < 429 else "temporarily_unavailable"


def _no_tenant(name: str) -> _RefusedError:
    if _GUID.fullmatch(name) or _DOMAIN.fullmatch(name):
        text = (
            f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and "
            "are signing into the correct cloud. Check with your subscription administrator, this "
            "may happen if there are no active subscriptions for the tenant."
        )
        return _RefusedError(90002, text)
    text = (
        f"Specified tenant identifier '{name}' is neither a valid DNS name, nor a valid external "
        "domain."
    )
    return _RefusedError(900023, text)


def _check_request(form: _Form) -> None:
    grant = form.fields.get("grant_type", "")
    for name in ("grant_type", "client_id", "scope"):
        if not (form.client_id if name == "client_id" else form.fields.get(name)):
            text = f"The request body must contain the following parameter: '{name}'."
            raise _RefusedError(900144, text)
    if grant != "client_credentials":
        raise _RefusedError(70003, f"The app requested an unsupported grant type '{grant}'.")


def _audience(scope: str, tenant: Tenant) -> str:
    """The resource that a `<resource>/.default` scope names."""
    if len(scope.split()) != 1:
        text = f"The provided request must include a 'scope' input parameter. '{scope}' is invalid."
        raise _RefusedError(70011, text)
    if not scope.endswith("/.default"):
        text = (
            f"The provided value for scope {scope} is not valid. Client credential flows must "
            "have a scope value with /.default suffixed to the resource identifier (application "
            "ID URI)."
        )
        raise _RefusedError(1002012, text)
    resource = scope.removesuffix("/.default").rstrip("/")
    audience = AUDIENCES.get(resource)
    if audience is None or (audience in EXCHANGE_AUDIENCES and not tenant.has_exchange):
        text = (
            f"The resource principal named {resource} was not found in the tenant named "
            f"{tenant.display_name}. This can happen if the application has not been installed by "
            "the administrator of the tenant or consented to by any user in the tenant. You might "
            "have sent your authentication request to the wrong tenant."
        )
        raise _RefusedError(500011, text)
    return audience


async def _read_form(request: Request) -> _Form:
    body = (await request.body()).decode("utf-8", "replace")
    fields = {name: values[0] for name, values in parse_qs(body).items()}
    client_id, secret = fields.get("client_id", ""), fields.get("client_secret")
    scheme, _, blob = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(blob).decode().partition(":")
        except ValueError:
            user = password = ""
        client_id, secret = unquote(user), unquote(password)
    return _Form(fields, client_id, secret)


def _late(secret: Secret, now: datetime) -> bool:
    return secret.end is not None and secret.end <= now


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"
