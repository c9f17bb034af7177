"""Single look-ups in a directory, for the doctor: one app, one service principal, the policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from monitor.entra.calls import GraphCalls, RefusedError
from monitor.entra.failures import graph_error
from monitor.entra.insights import UsageReport, read_json, why_unknown
from monitor.entra.policy import POLICY_PATH, limits_of
from monitor.entra.values import clean, parse_date
from monitor.errors import RemoteError
from monitor.model.evidence import AppSeen, DirectorySeen, Held

_APP_FIELDS = (
    "id,appId,displayName,signInAudience,requiredResourceAccess,passwordCredentials,keyCredentials"
)


class Lookup:
    """Asks for single objects, once each; a refusal is an answer here.

    Args:
        calls: of a tenant.
        seen: is filled.
    """

    def __init__(self, calls: GraphCalls, seen: DirectorySeen) -> None:
        self._calls = calls
        self._seen = seen

    async def first_page(self) -> None:
        """Read the first application that there is.

        Raises:
            RemoteError: Graph refuses, or its answer cannot be read.
        """
        page = await self._get("applications?$select=id&$top=1", "the applications", tries=3)
        if not isinstance(page.get("value"), list):
            raise graph_error("malformed_page", "The answer to the applications is not a page.")
        self._seen.readable = True

    async def app(self, client_id: str) -> None:
        """Look up an app registration by its client id."""
        path = f"applications(appId='{quote(client_id, safe='')}')?$select={_APP_FIELDS}"
        found = await self._maybe(path, f"app registration {client_id}")
        if found is not None:
            self._seen.apps[client_id] = _app(found) if found else None

    async def principal(self, client_id: str) -> None:
        """Look up the Enterprise application of a client id."""
        path = f"servicePrincipals(appId='{quote(client_id, safe='')}')?$select=id,appId"
        found = await self._maybe(path, f"Enterprise application {client_id}")
        if found is not None:
            self._seen.principals[client_id] = clean(found.get("id")) if found else None

    async def object(self, object_id: str) -> None:
        """Find out whether an object id is an app registration's."""
        path = f"applications/{quote(object_id, safe='')}?$select=id,appId"
        found = await self._maybe(path, f"object {object_id}")
        if found is not None:
            self._seen.app_object[object_id] = bool(found)

    async def policy(self) -> None:
        """Read how long a client secret may live (Policy.Read.ApplicationConfiguration)."""
        try:
            found = await self._get(POLICY_PATH, "the app policy")
        except RemoteError as error:
            self._seen.policy_problem = error.message
            return
        limit = limits_of(found).secret
        self._seen.secret_days = limit.longest / timedelta(days=1) if limit else None

    async def usage(self) -> None:
        """Find out whether the report of the last sign-ins can be read (AuditLog.Read.All)."""
        try:
            await UsageReport(self._calls, {}).first_page()
        except RemoteError as error:
            self._seen.usage_problem = why_unknown(error)
        else:
            self._seen.usage_problem = ""

    async def _maybe(self, path: str, what: str) -> dict[str, Any] | None:
        """The object; {} where there is none, None where nobody can say."""
        try:
            return await self._get(path, what)
        except RefusedError as error:
            if error.status == 404:
                return {}
            self._seen.unread[what] = error.message
        except RemoteError as error:
            self._seen.unread[what] = error.message
        return None

    async def _get(self, path: str, what: str, *, tries: int = 1) -> dict[str, Any]:
        return await read_json(self._calls, f"{self._calls.base_url}/{path}", what, tries=tries)


def _app(found: Mapping[str, Any]) -> AppSeen:
    return AppSeen(
        object_id=clean(found.get("id")) or "",
        audience=clean(found.get("signInAudience")),
        asks=_asks(found.get("requiredResourceAccess")),
        secrets=tuple(_held(each) for each in _dicts(found.get("passwordCredentials"))),
    )


def _asks(entries: object) -> Mapping[str, frozenset[str]] | None:
    """What an app asks for, by API; the rights themselves are only GUIDs here."""
    if not isinstance(entries, list):
        return None
    return {
        str(entry.get("resourceAppId")).lower(): frozenset(
            str(right.get("type")) for right in _dicts(entry.get("resourceAccess"))
        )
        for entry in _dicts(entries)
    }


def _held(entry: Mapping[str, Any]) -> Held:
    return Held(
        clean(entry.get("hint")), _instant(entry, "startDateTime"), _instant(entry, "endDateTime")
    )


def _instant(entry: Mapping[str, Any], name: str) -> datetime | None:
    try:
        return parse_date(entry.get(name))
    except (ValueError, TypeError):
        return None


def _dicts(entries: object) -> list[dict[str, Any]]:
    return [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
