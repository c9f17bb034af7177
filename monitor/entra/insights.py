"""What is worth knowing beside the lists, asked for once a day: the policy and the last sign-ins.

Nothing here decides whether a scan is complete: what fails is an answer of its own, with a reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from monitor.entra.calls import GraphCalls, RefusedError
from monitor.entra.decode import Page, Report, read_page, unpack
from monitor.entra.failures import brief, graph_error
from monitor.entra.own_policies import read_own_policies
from monitor.entra.paging import is_within
from monitor.entra.policy import POLICY_PATH, limits_of
from monitor.entra.values import parse_date
from monitor.errors import RemoteError
from monitor.model import Limits, PolicyFound, UsageFound

T = TypeVar("T")

REPORT = "reports/appCredentialSignInActivities"
PAGE_SIZE = 999
MAX_PAGES = 200
# Fact: https://learn.microsoft.com/graph/api/reportroot-list-appcredentialsigninactivities (beta)
WITHOUT_REPORT = frozenset(
    {"graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}
)
NO_REPORT = "this cloud has no report of them"
_NO_RIGHT = "the app lacks the permission AuditLog.Read.All"
_NO_LICENCE = "the tenant has no Entra ID P1 or P2 licence"
_LICENCE_CODE = "NonPremiumTenant"  # Authentication_RequestFromNonPremiumTenantOrB2CTenant


async def read_json(calls: GraphCalls, url: str, what: str, *, tries: int = 1) -> dict[str, Any]:
    """One object that Graph answers with.

    Args:
        calls: of a tenant.
        url: whole, with the version.
        what: is asked for, for messages.
        tries: how often at most.

    Raises:
        RemoteError: no answer that can be used.
    """

    async def use(body: bytes) -> dict[str, Any]:
        try:
            found = msgspec.json.decode(body)
        except (ValueError, RecursionError) as error:
            shown = body[:600].decode("utf-8", "replace")
            cause = "html_instead_of_json" if shown.lstrip()[:1] == "<" else "malformed_page"
            told = f"The answer to {what} is no JSON."
            raise graph_error(cause, told, evidence=calls.shown(shown)) from error
        if not isinstance(found, dict):
            raise graph_error("malformed_page", f"The answer to {what} is no object.")
        return found

    builder = calls.graph.applications.with_url(url)
    return await calls.read(builder, what, use, tries=tries)


async def read_policy(calls: GraphCalls, report: Report, at: datetime) -> PolicyFound:
    """How long new credentials may live (Policy.Read.ApplicationConfiguration).

    Which single apps have a policy of their own takes Policy.Read.All; without it the default
    one counts for all.
    """

    async def ask() -> PolicyFound:
        found = await read_json(calls, f"{calls.base_url}/{POLICY_PATH}", "the app policy")
        principals = limits_of(found, "servicePrincipalRestrictions")
        return PolicyFound(at, *limits_of(found), principals=principals)

    async def ask_own() -> Mapping[str, Limits]:
        return await read_own_policies(calls, report)

    try:
        policy = await _in_time(calls, ask)
    except RemoteError as error:
        why = "the app lacks the permission Policy.Read.ApplicationConfiguration"
        problem = why if _status(error) == 403 else _words(error)
        report.odd(f"The app management policy is unknown: {problem}.")
        return PolicyFound(at, problem=problem)
    try:
        return replace(policy, own=await _in_time(calls, ask_own))
    except RemoteError as error:
        why = "the app lacks the permission Policy.Read.All"
        told = why if _status(error) == 403 else _words(error)
        report.odd(f"Which apps have a policy of their own is unknown: {told}.")
        return policy


async def read_usage(calls: GraphCalls, report: Report, at: datetime) -> UsageFound:
    """When each credential last signed in; what was read before a failure counts."""
    last: dict[str, datetime] = {}

    async def ask() -> UsageFound:
        unread = await UsageReport(calls, last).read()
        if unread:
            report.odd(f"{unread} entries of the report of sign-ins could not be read.")
        return UsageFound(at, last)

    try:
        return await _in_time(calls, ask)
    except RemoteError as error:
        problem = why_unknown(error)
        report.odd(f"The last use of the credentials is unknown: {problem}.")
        return UsageFound(at, last, problem)


class UsageReport:
    """The report of the last sign-ins, page by page.

    Args:
        calls: of a tenant.
        last: gets the last sign-in by key id.
    """

    def __init__(self, calls: GraphCalls, last: dict[str, datetime]) -> None:
        self._calls = calls
        self._last = last
        self._unread = 0
        self._base = f"{calls.base_url.rpartition('/')[0]}/beta"

    async def read(self) -> int:
        """Read to the last page, and return how many entries could not be read.

        Raises:
            RemoteError: it could not be read to its end; what was read is kept.
        """
        link: Any = await self.first_page()
        seen: set[str] = set()
        while link is not None:
            if not isinstance(link, str) or not is_within(link, self._base) or link in seen:
                raise graph_error("scan_incomplete", "The report of sign-ins leads elsewhere")
            if len(seen) >= MAX_PAGES:
                raise graph_error("scan_incomplete", "The report of sign-ins has too many pages")
            seen.add(link)
            link = await self._page(link)
        return self._unread

    async def first_page(self) -> object:
        """Read the first page, and return the link to the second.

        Raises:
            RemoteError: it cannot be read.
        """
        if urlsplit(self._calls.base_url).hostname in WITHOUT_REPORT:
            raise graph_error("unknown", NO_REPORT)
        try:
            return await self._page(f"{self._base}/{REPORT}?$top={PAGE_SIZE}")
        except RefusedError as error:
            if error.status != 400:  # nobody has written down how long a page may be
                raise
        return await self._page(f"{self._base}/{REPORT}")

    async def _page(self, url: str) -> object:
        builder = self._calls.graph.applications.with_url(url)
        page = await self._calls.read(builder, "the report of sign-ins", _page_of, tries=1)
        self._calls.clock.add_page()
        for item in page.value:
            self._take(item)
        return page.next_link

    def _take(self, item: object) -> None:
        """Note one entry; its sorts and other dates are spelled in several ways and not needed."""
        try:
            entry = unpack(item)
            key_id, activity = entry["keyId"], entry.get("signInActivity") or {}
            when = parse_date(activity.get("lastSignInDateTime"))
            key = key_id.lower()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._unread += 1
            return
        if when is not None:
            self._last[key] = max(when, self._last.get(key, when))


def why_unknown(error: RemoteError) -> str:
    """Why the last sign-ins are not known, in a few words."""
    status = _status(error)
    if status == 403:
        return _NO_LICENCE if _LICENCE_CODE in error.evidence else _NO_RIGHT
    return NO_REPORT if status == 404 else _words(error)


def _words(error: RemoteError) -> str:
    return brief(error.message.rstrip("."), 300)


def _status(error: RemoteError) -> int:
    return error.status if isinstance(error, RefusedError) else 0


async def _page_of(body: bytes) -> Page:
    return read_page(body, "the report of sign-ins")


async def _in_time(calls: GraphCalls, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask within the tenant's time.

    Raises:
        RemoteError: no answer, or none in time.
    """
    try:
        async with calls.clock.extras():
            return await ask()
    except TimeoutError:
        raise graph_error("reply_timeout", "the tenant's time ran out") from None
