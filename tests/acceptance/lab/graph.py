"""A Graph v1.0 server: two collections in pages, with bearer checks, and scripted faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.acceptance.lab.entra import GRAPH_SCOPE, Entra
from tests.acceptance.lab.http import Reply, Request


def graph_error(status: int, code: str, text: str, **headers: str) -> Reply:
    """An error body of Graph."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"error": {"code": code, "message": text}}, headers=named)


DENIED = graph_error(
    403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
)


@dataclass
class Directory:
    """What one tenant holds. `fault` may answer instead; it sees the collection and the page."""

    applications: list[dict[str, Any]] = field(default_factory=list)
    principals: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 100
    empty_page_before: int | None = None
    fault: Callable[[Request, str, int], Reply | None] | None = None


@dataclass
class Graph:
    """The Graph of all directories; the bearer token says which one is meant."""

    entra: Entra
    directories: dict[str, Directory] = field(default_factory=dict)
    url: str = ""

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        token = self.entra.tokens.get(request.headers.get("authorization", "")[7:])
        if token is None or token.scope != GRAPH_SCOPE:
            return graph_error(401, "InvalidAuthenticationToken", "Access token is empty.")
        directory = self.directories[token.directory_id]
        parts = [part for part in request.path.split("/") if part]
        if parts[:1] != ["v1.0"]:
            return graph_error(400, "BadRequest", "Invalid version.")
        collections = {
            "applications": directory.applications,
            "servicePrincipals": directory.principals,
        }
        if len(parts) == 2 and parts[1] in collections:
            return self._page(request, directory, parts[1], collections[parts[1]])
        if len(parts) == 4 and parts[3] == "federatedIdentityCredentials":
            for found in collections.get(parts[1], []):
                if found["id"] == parts[2]:
                    return Reply(200, {"value": found.get(parts[3], [])})
        if parts[1:] == ["organization"]:
            return Reply(200, {"value": [{"id": token.directory_id, "displayName": "Lab"}]})
        return graph_error(404, "Request_ResourceNotFound", f"Resource '{request.path}' not found.")

    def _page(
        self, request: Request, directory: Directory, name: str, items: list[dict[str, Any]]
    ) -> Reply:
        query = request.query
        start = int(query.get("$skiptoken", "0").removeprefix("e"))
        number = start // directory.page_size + 1
        special = directory.fault(request, name, number) if directory.fault else None
        if special is not None:
            return special
        top = int(query.get("$top", "100"))
        if not 0 < top <= 999:
            return graph_error(400, "Request_BadRequest", "Invalid page size specified.")
        end = start + min(directory.page_size, top)
        empty = directory.empty_page_before == number and "e" not in query.get("$skiptoken", "")
        body: dict[str, Any] = {
            "@odata.context": f"{self.url}/v1.0/$metadata#{name}",
            "value": [] if empty else [_shown(item, query) for item in items[start:end]],
        }
        if empty or end < len(items):
            following = {"$skiptoken": f"e{start}" if empty else str(end)}
            link = urlencode(query | following, safe="$,()")
            body["@odata.nextLink"] = f"{self.url}/v1.0/{name}?{link}"
        return Reply(200, body, headers={"OData-Version": "4.0", "x-ms-resource-unit": "1"})


def _shown(item: Any, query: dict[str, str]) -> Any:
    """An object with the selected properties; navigation properties only when expanded."""
    if not isinstance(item, dict):
        return item
    expanded = query.get("$expand", "").split("(")[0].split(",")
    selected = query["$select"].split(",") if "$select" in query else None
    return {
        key: value
        for key, value in item.items()
        if key in expanded
        or key == "id"
        or (key != "federatedIdentityCredentials" and (selected is None or key in selected))
    }
