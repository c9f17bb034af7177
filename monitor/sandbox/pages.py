"""Collections of Graph: `$select`, `$top`, `$filter`, `$expand`, and pages that may be odd."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .faults import Fault, Twist
from .wire import (
    MORE_APPLICATION,
    MORE_PRINCIPAL,
    Json,
    application_json,
    federated_json,
    owner_json,
    principal_json,
)
from .world import App, ServicePrincipal, Tenant

DEFAULT_PAGE = 100
LONGEST_PAGE = 999
MOST_EXPANDED = 20  # $expand gives no more, and no nextLink for the rest
FOREIGN_HOST = "https://graph.collector.example"
_EQUALS = re.compile(r"(appId|displayName|id)\s+eq\s+'((?:[^']|'')*)'")


class BadQueryError(Exception):
    """A query that Graph answers with 400: code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Query:
    """The OData options of one request, checked."""

    raw: Mapping[str, str]
    select: tuple[str, ...]
    expand: tuple[str, ...]
    top: int
    offset: int
    page: int


def page_number(raw: Mapping[str, str]) -> int:
    """Which page a request is for; 1 without a (readable) token."""
    token = raw.get("$skiptoken")
    try:
        return int(_unpack(token)["page"]) if token else 1
    except BadQueryError:
        return 1


def read_query(
    raw: Mapping[str, str], tenant: Tenant, known: frozenset[str], *, longest: int = LONGEST_PAGE
) -> Query:
    """Check the options as Graph does; a page has no more than `longest` entries."""
    select = tuple(s.strip() for s in raw.get("$select", "").split(",") if s.strip())
    for name in select:
        if name not in known:
            message = f"Could not find a property named '{name}' on type 'microsoft.graph.entity'."
            raise BadQueryError("Request_BadRequest", message)
    expand = tuple(
        e.partition("(")[0].strip() for e in raw.get("$expand", "").split(",") if e.strip()
    )
    top = raw.get("$top", str(DEFAULT_PAGE))
    if not top.isdigit() or not 1 <= int(top) <= longest:
        message = (
            f"Invalid page size specified: '{top}'. Must be between 1 and {longest} inclusive."
        )
        raise BadQueryError("Request_BadRequest", message)
    place: dict[str, Any] = {"offset": 0, "page": 1, "tid": tenant.directory_id}
    if "$skiptoken" in raw:
        place = _unpack(raw["$skiptoken"])
    if place["tid"] != tenant.directory_id:
        message = "The specified page token value has expired and can no longer be included."
        raise BadQueryError("Directory_ExpiredPageToken", message)
    return Query(raw, select, expand, int(top), int(place["offset"]), int(place["page"]))


def one_page(
    base: str,
    query: Query,
    tenant: Tenant,
    items: Sequence[Any],
    show: Callable[[Any], Json],
    fault: Fault | None = None,
) -> Json:
    """The page that the query asks for; `base` is the collection's absolute address."""
    twist = fault.twist if fault else None
    size = min(query.top, tenant.page_size or query.top)
    end = query.offset + size
    chosen = items[query.offset : end]
    following = end if end < len(items) else None
    if twist is Twist.EMPTY_PAGE:
        chosen, following = [], query.offset
    elif twist is Twist.EXTRA_PAGE and following is None and chosen:
        following = len(items)
    values = [show(item) for item in chosen]
    if twist is Twist.DUPLICATE and values:
        values.append(values[0])
    elif twist is Twist.MALFORMED:
        values.insert(0, _malformed())
    payload: Json = {"value": values}
    link = None if following is None else _next_link(base, query, tenant, following)
    if twist is Twist.FOREIGN_NEXT:
        link = f"{FOREIGN_HOST}/v1.0/{base.rpartition('/')[2]}?$skiptoken=stolen"
    elif twist is Twist.REPEAT_NEXT:
        link = _link(base, query.raw)
    return {"@odata.nextLink": link, **payload} if link else payload


def known_properties(kind: type, tenant: Tenant) -> frozenset[str]:
    """What `$select` may name."""
    if kind is App:
        blank = App("", "", "", tenant.created)
        return frozenset(application_json(blank, tenant)) | MORE_APPLICATION
    principal = ServicePrincipal("", "", "", tenant.created)
    return frozenset(principal_json(principal, tenant)) | MORE_PRINCIPAL


def show_object(item: App | ServicePrincipal, tenant: Tenant, query: Query) -> Json:
    """One object, with what was selected and expanded."""
    if isinstance(item, App):
        full, federated = application_json(item, tenant), item.federated
    else:
        full, federated = principal_json(item, tenant), []
    shown = {name: full.get(name) for name in query.select} if query.select else full
    for name in query.expand:
        if name == "owners":
            shown[name] = [owner_json(o) for o in item.owners[:MOST_EXPANDED]]
        elif name == "federatedIdentityCredentials":
            shown[name] = [federated_json(f) for f in federated[:MOST_EXPANDED]]
        else:
            message = f"Parsing OData Select and Expand failed: Could not find '{name}'."
            raise BadQueryError("BadRequest", message)
    return shown


def matching(items: Sequence[Any], text: str | None) -> Sequence[Any]:
    """What `$filter` leaves: one comparison by eq is understood."""
    if not text:
        return items
    found = _EQUALS.fullmatch(text.strip())
    if found is None:
        message = "Unsupported or invalid query filter clause specified."
        raise BadQueryError("Request_UnsupportedQuery", message)
    field = {"appId": "app_id", "displayName": "name", "id": "object_id"}[found[1]]
    wanted = found[2].replace("''", "'")
    return [item for item in items if getattr(item, field) == wanted]


def _next_link(base: str, query: Query, tenant: Tenant, offset: int) -> str:
    place = {"offset": offset, "page": query.page + 1, "tid": tenant.directory_id}
    token = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
    return _link(base, {**query.raw, "$skiptoken": token})


def _link(base: str, options: Mapping[str, str]) -> str:
    return f"{base}?" + "&".join(f"{k}={quote(v, safe=',$()=')}" for k, v in options.items())


def _unpack(token: str) -> dict[str, Any]:
    try:
        place = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return {"offset": int(place["offset"]), "page": int(place["page"]), "tid": place["tid"]}
    except (ValueError, KeyError, TypeError) as error:
        message = "The specified page token value is invalid."
        raise BadQueryError("Request_BadRequest", message) from error


def _malformed() -> Json:
    """An object as no server should send it: wrong types where a reader trusts them."""
    return {
        "id": "not-a-guid",
        "appId": 42,
        "displayName": ["a", "list"],
        "passwordCredentials": [{"keyId": {}, "endDateTime": "soon", "displayName": 7}],
        "keyCredentials": "none",
    }
