"""The simulated Microsoft Graph v1.0: applications, service principals, organization."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Sequence, Set
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request

from . import policies
from .calls import Calls
from .clock import SandboxClock
from .faults import Fault, take_fault
from .mailboxes import Mailboxes, MailRefusedError
from .mailroom import Inbox
from .pages import (
    BadQueryError,
    Query,
    known_properties,
    matching,
    one_page,
    page_number,
    read_query,
    show_object,
)
from .partners import LISTS, context, entries, entry_json
from .replies import HttpRoom, Reply, from_fault, json_reply
from .sendmail import SEND_MAIL, SENDERS, RefusedMailError, take_mail
from .tokens import GRAPH, BadTokenError, TokenDesk
from .usage import REPORT, refusal, sign_in_entries
from .wire import federated_json, organization_json, owner_json, password_json
from .world import App, Secret, ServicePrincipal, Tenant, World

_ROOT = re.compile(r"/+(v1\.0|beta)/+")
_OBJECT = re.compile(
    r"/(?P<set>applications|servicePrincipals)"
    r"(?:/(?P<id>[^/()]+)|\(appId='(?P<app_id>[^']+)'\))(?:/(?P<rest>.+))?"
)
_COLLECTION = re.compile(r"/(?P<set>applications|servicePrincipals)")
_READERS = {"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"}
_WRITERS = {"Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"}
_WINDOW = 10.0  # seconds in which resource units are counted


class _GraphError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Graph(HttpRoom):
    """Answers for the tenant that a bearer token was issued for."""

    def __init__(
        self,
        world: World,
        clock: SandboxClock,
        desk: TokenDesk,
        calls: Calls,
        inbox: Inbox | None = None,
    ) -> None:
        super().__init__(clock)
        self.inbox = inbox
        self.mailboxes = Mailboxes(world, inbox or Inbox())
        self.world = world
        self.desk = desk
        self.calls = calls
        self._spent: dict[str, tuple[float, int]] = {}

    async def answer(self, request: Request) -> tuple[Reply, Fault | None]:
        """Check the bearer, then a fault, then the budget, then the path."""
        fault: Fault | None = None
        path = _ROOT.sub("/", unquote(request.url.path), count=1)
        beta = "/beta/" in request.url.path
        try:
            tenant, roles, object_id = self._caller(request)
            self.calls.add(tenant.name, f"{request.method} {path}")
            options = dict(parse_qsl(request.url.query, keep_blank_values=True))
            fault = take_fault(tenant.faults, path, page_number(options))
            instead = from_fault(fault, lambda *w: self._error(request, *w)) if fault else None
            if instead is not None:
                return self._stamped(request, instead), fault
            units = _cost(path, options)
            self._spend(tenant.name, units, tenant.resource_units)
            if Mailboxes.is_mine(path):
                asked = (tenant, roles, object_id, path, options, self.clock.now())
                return self._stamped(request, json_reply(self.mailboxes.answer(*asked))), fault
            if path == REPORT and beta:
                refused = refusal(tenant, roles)
                if refused is not None:
                    raise _GraphError(*refused)
                self._spend(f"{tenant.name} reports", 1, tenant.report_requests)
            else:
                _allow(request.method, path, roles)
            reply = await self._route(request, tenant, path, options, fault)
            reply.headers["x-ms-resource-unit"] = str(units)
        except BadQueryError as error:
            reply = self._error(request, 400, error.code, error.message)
        except (_GraphError, RefusedMailError, MailRefusedError) as error:
            reply = self._error(request, error.status, error.code, error.message)
            if error.status == 429:
                reply.headers["Retry-After"] = str(int(_WINDOW))
        return self._stamped(request, reply), fault

    def _caller(self, request: Request) -> tuple[Tenant, set[str], str]:
        """Whose token it is, and what it may do."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        code = "InvalidAuthenticationToken"
        if scheme.lower() != "bearer" or not token:
            raise _GraphError(401, code, "Access token is empty.")
        try:
            claims = self.desk.read(token)
        except BadTokenError as error:
            raise _GraphError(401, code, str(error)) from error
        if claims["aud"] != GRAPH:
            raise _GraphError(401, code, "Access token validation failure. Invalid audience.")
        tenant = self.world.find_tenant(claims["tid"])
        if tenant is None:
            raise _GraphError(401, code, "Access token validation failure. Invalid tenant.")
        return tenant, set(claims.get("roles", ())), str(claims.get("oid"))

    async def _route(
        self,
        request: Request,
        tenant: Tenant,
        path: str,
        options: dict[str, str],
        fault: Fault | None,
    ) -> Reply:
        if path == "/organization":
            return _whole([organization_json(tenant)], "organization")
        if (policy := policies.answer(tenant, path)) is not None:
            return _whole(policy, path[1:]) if isinstance(policy, list) else json_reply(policy)
        if (sends := SEND_MAIL.fullmatch(path)) and self.inbox is not None:
            body, now = await request.body(), self.clock.now()
            take_mail(tenant, sends["user"], body, self.inbox, now)
            return Reply(202, b"", {}, "text/plain")
        if path == REPORT and "/beta/" in request.url.path:
            return self._usage(request, tenant, options, fault)
        if path in LISTS:
            return self._partner_list(request, tenant, path, options, fault)
        if found := _COLLECTION.fullmatch(path):
            return self._collection(request, tenant, found["set"], options, fault)
        found = _OBJECT.fullmatch(path)
        if found is None:
            raise _GraphError(
                404, "ResourceNotFound", f"Resource not found for the segment '{path}'."
            )
        item = _find(tenant, found)
        rest = found["rest"]
        if rest is None:
            known = known_properties(type(item), tenant)
            query = read_query(options, tenant, known)
            shown = show_object(item, tenant, query)
            return json_reply({"@odata.context": _context(found["set"], query, True), **shown})
        if request.method == "POST":
            return await self._change(request, tenant, item, rest)
        return _children(item, rest)

    def _collection(
        self,
        request: Request,
        tenant: Tenant,
        name: str,
        options: dict[str, str],
        fault: Fault | None,
    ) -> Reply:
        items: Sequence[Any] = tenant.apps if name == "applications" else tenant.principals
        kind = App if name == "applications" else ServicePrincipal
        query = read_query(options, tenant, known_properties(kind, tenant))
        chosen = matching(items, options.get("$filter"))
        base = f"{request.url.scheme}://{request.url.netloc}/v1.0/{name}"
        page = one_page(
            base, query, tenant, chosen, lambda item: show_object(item, tenant, query), fault
        )
        return json_reply({"@odata.context": _context(name, query, False), **page})

    def _partner_list(
        self,
        request: Request,
        tenant: Tenant,
        path: str,
        options: dict[str, str],
        fault: Fault | None,
    ) -> Reply:
        """What a partner has of its customers; another tenant's lists are empty."""
        about = LISTS[path]
        query = read_query(options, tenant, about.known, longest=about.longest_page)
        base = f"{request.url.scheme}://{request.url.netloc}/v1.0{path}"
        page = one_page(
            base, query, tenant, entries(tenant, path),
            lambda entry: entry_json(entry, query.select), fault,
        )  # fmt: skip
        return json_reply({"@odata.context": context(path, query.select), **page})

    def _usage(
        self, request: Request, tenant: Tenant, options: dict[str, str], fault: Fault | None
    ) -> Reply:
        """When each credential was last used."""
        query = read_query(options, tenant, frozenset())
        base = f"{request.url.scheme}://{request.url.netloc}/beta{REPORT}"
        listed = sign_in_entries(tenant, self.clock.now())
        page = one_page(base, query, tenant, listed, lambda entry: entry, fault)
        context = "https://graph.microsoft.com/beta/$metadata#reports/appCredentialSignInActivities"
        return json_reply({"@odata.context": context, **page})

    async def _change(
        self, request: Request, tenant: Tenant, item: App | ServicePrincipal, rest: str
    ) -> Reply:
        """The actions addPassword and removePassword."""
        try:
            body = json.loads(await request.body() or b"{}")
        except ValueError as error:
            raise _GraphError(400, "BadRequest", "Unable to read JSON request payload.") from error
        if rest == "addPassword":
            return json_reply(
                self._add_password(tenant, item, body.get("passwordCredential") or {})
            )
        if rest == "removePassword":
            wanted = str(body.get("keyId", "")).lower()
            if not any(s.key_id == wanted for s in item.secrets):
                message = f"No password credential found with keyId {wanted}."
                raise _GraphError(400, "Request_BadRequest", message)
            item.secrets = [s for s in item.secrets if s.key_id != wanted]
            return Reply(204)
        raise _no_segment(rest)

    def _add_password(
        self, tenant: Tenant, item: App | ServicePrincipal, wish: dict[str, Any]
    ) -> dict[str, Any]:
        now = self.clock.now()
        start = _when(wish.get("startDateTime")) or now
        end = _when(wish.get("endDateTime")) or start + timedelta(days=730)
        value = f"{uuid.uuid4().hex[:3]}8Q~{uuid.uuid4().hex}ab"
        secret = Secret(str(uuid.uuid4()), value, wish.get("displayName"), start, end, value[:3])
        if tenant.refusals_after_add and isinstance(item, App):
            item.not_yet[secret.key_id] = tenant.refusals_after_add
        item.secrets = [*item.secrets, secret]
        context = "https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.passwordCredential"
        return {"@odata.context": context, **password_json(secret), "secretText": value}

    def _spend(self, purse: str, units: int, allowed: int | None) -> None:
        """Throttle what one purse pays for; waiting is real, so this counts by the real clock."""
        if allowed is None:
            return
        now = time.monotonic()
        since, spent = self._spent.get(purse, (now, 0))
        if now - since >= _WINDOW:
            since, spent = now, 0
        if spent + units > allowed:
            raise _GraphError(429, "TooManyRequests", "Too many requests.")
        self._spent[purse] = (since, spent + units)

    def _stamped(self, request: Request, reply: Reply) -> Reply:
        """The headers that every answer of the directory has."""
        given = request.headers.get("client-request-id")
        request_id = reply.headers.setdefault("request-id", str(uuid.uuid4()))
        reply.headers["client-request-id"] = given or request_id
        reply.headers["OData-Version"] = "4.0"
        server = {"DataCenter": "Sandbox", "Slice": "E", "Ring": "1", "ScaleUnit": "000"}
        reply.headers["x-ms-ags-diagnostic"] = json.dumps({"ServerInfo": server})
        return reply

    def _error(self, request: Request, status: int, code: str, message: str) -> Reply:
        request_id = str(uuid.uuid4())
        inner = {
            "date": f"{self.clock.now():%Y-%m-%dT%H:%M:%S}",
            "request-id": request_id,
            "client-request-id": request.headers.get("client-request-id", request_id),
        }
        headers = {"request-id": request_id}
        if status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="", authorization_uri="sandbox"'
        if status == 429:
            headers["x-ms-throttle-scope"] = "Tenant_Application/ReadWrite/sandbox"
            headers["x-ms-throttle-information"] = "ResourceUnitLimitExceeded"
        body = {"error": {"code": code, "message": message, "innerError": inner}}
        return json_reply(body, status, headers)


def _whole(values: list[dict[str, Any]], name: str) -> Reply:
    """A collection that fits on one page."""
    context = f"https://graph.microsoft.com/v1.0/$metadata#{name}"
    return json_reply({"@odata.context": context, "value": values})


def _children(item: App | ServicePrincipal, rest: str) -> Reply:
    """What hangs on one object."""
    if rest == "owners":
        return _whole([owner_json(o) for o in item.owners], "directoryObjects")
    if rest == "federatedIdentityCredentials":
        federated = item.federated if isinstance(item, App) else []
        return _whole([federated_json(f) for f in federated], rest)
    raise _no_segment(rest)


def _no_segment(name: str) -> _GraphError:
    message = f"Resource not found for the segment '{name}'."
    return _GraphError(404, "ResourceNotFound", message)


def _allow(method: str, path: str, roles: set[str]) -> None:
    readers: Set[str] = LISTS[path].readers if path in LISTS else _READERS
    writers: Set[str] = SENDERS if SEND_MAIL.fullmatch(path) else _WRITERS
    allowed = bool(roles & (readers if method == "GET" else writers))
    if path.startswith("/policies/"):
        allowed = method == "GET" and policies.may_read(path, roles)
    if not allowed:
        message = "Insufficient privileges to complete the operation."
        raise _GraphError(403, "Authorization_RequestDenied", message)


def _find(tenant: Tenant, found: re.Match[str]) -> App | ServicePrincipal:
    items: Sequence[App | ServicePrincipal] = (
        tenant.apps if found["set"] == "applications" else tenant.principals
    )
    wanted = found["id"] or found["app_id"]
    for item in items:
        if wanted.lower() == (item.object_id if found["id"] else item.app_id):
            return item
    message = (
        f"Resource '{wanted}' does not exist or one of its queried reference-property objects "
        "are not present."
    )
    raise _GraphError(404, "Request_ResourceNotFound", message)


def _context(name: str, query: Query, single: bool) -> str:
    select = f"({','.join(query.select)})" if query.select else ""
    entity = "/$entity" if single else ""
    return f"https://graph.microsoft.com/v1.0/$metadata#{name}{select}{entity}"


def _cost(path: str, options: dict[str, str]) -> int:
    """Resource units of a call, by the published table."""
    units = 2 if path == "/applications" else LISTS[path].units if path in LISTS else 1
    units -= "$select" in options
    units += "$expand" in options
    units -= options.get("$top", "").isdigit() and int(options["$top"]) < 20
    return max(units, 1)


def _when(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise _GraphError(400, "BadRequest", f"Cannot convert '{text}' to a date.") from error
    if instant.tzinfo is None:
        raise _GraphError(400, "BadRequest", f"Cannot convert '{text}' to a date: no offset.")
    return instant
