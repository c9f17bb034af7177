"""App management policies that single apps have: they hold for these instead of the default one.

Facts: https://learn.microsoft.com/graph/api/resources/applicationauthenticationmethodpolicy (an
object has one at most and inherits nothing from the default),
https://learn.microsoft.com/graph/api/appmanagementpolicy-list (no $expand) and
https://learn.microsoft.com/graph/api/appmanagementpolicy-list-appliesto (Policy.Read.All)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from monitor.entra.calls import GraphCalls
from monitor.entra.decode import Report, read_page, unpack
from monitor.entra.failures import graph_error
from monitor.entra.paging import is_within
from monitor.entra.policy import OWN_POLICIES, limits_of
from monitor.entra.values import clean
from monitor.model import Limits

AT_MOST = 50  # policies whose apps are asked for
MAX_PAGES = 20  # of one list


async def read_own_policies(calls: GraphCalls, report: Report) -> Mapping[str, Limits]:
    """What single objects are allowed, by object id; empty where none has a policy of its own.

    One request for the policies, and one for each that is in force. One that is switched off is
    left out, so that the default holds, which is never too long.

    Raises:
        RemoteError: not all could be read.
    """
    found: dict[str, Limits] = {}
    enabled = [
        each for each in await _all(calls, OWN_POLICIES, "the app policies")
        if each.get("isEnabled") is True and isinstance(each.get("id"), str)
    ]  # fmt: skip
    if len(enabled) > AT_MOST:
        report.odd(f"Of {len(enabled)} policies of single apps {AT_MOST} were looked at.")
    for policy in enabled[:AT_MOST]:
        limits = limits_of(policy, "restrictions")
        path = f"{OWN_POLICIES}/{quote(policy['id'], safe='')}/appliesTo?$select=id"
        for holder in await _all(calls, path, "the apps of a policy"):
            if object_id := clean(holder.get("id")):
                found[object_id.lower()] = limits
    return found


async def _all(calls: GraphCalls, path: str, what: str) -> list[dict[str, Any]]:
    """Every entry of a short list.

    Raises:
        RemoteError: its last page was not reached.
    """
    entries: list[dict[str, Any]] = []
    seen: set[str] = set()
    link: Any = f"{calls.base_url}/{path}"

    async def use(body: bytes) -> object:
        page = read_page(body, what)
        unpacked = (_entry(item) for item in page.value)
        entries.extend(item for item in unpacked if isinstance(item, dict))
        return page.next_link

    while link is not None:
        if not isinstance(link, str) or not is_within(link, calls.base_url) or link in seen:
            raise graph_error("scan_incomplete", f"The list of {what} leads elsewhere")
        if len(seen) >= MAX_PAGES:
            raise graph_error("scan_incomplete", f"The list of {what} has too many pages")
        seen.add(link)
        builder = calls.graph.applications.with_url(link)
        link = await calls.read(builder, what, use, tries=1)
    return entries


def _entry(item: Any) -> Any:
    try:
        return unpack(item)
    except (ValueError, TypeError, RecursionError):
        return None
