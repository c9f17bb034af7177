"""What is nice to know of an object: its owners and federated credentials, read one by one.

Nothing here decides whether a scan is complete: what fails makes one note and is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from monitor.addresses import is_address
from monitor.entra.calls import GraphCalls, RefusedError
from monitor.entra.decode import Report, federated_credentials, read_page, unpack
from monitor.entra.failures import graph_error
from monitor.entra.values import clean
from monitor.errors import RemoteError
from monitor.model import FederatedCredential, ObjectType, ObservedObject, Owner
from monitor.references import looks_like_guid

AT_MOST = 200  # objects that are asked about in one scan
AT_ONCE = 4
OWNERS_AHEAD = timedelta(days=60)  # the owners matter when a warning is near
_OWNED = frozenset({ObjectType.APPLICATION, ObjectType.SERVICE_PRINCIPAL})
_OWNER_FIELDS = ("id", "displayName", "mail", "userPrincipalName", "accountEnabled")
_HIDDEN = (
    "The names and mail addresses of some owners are hidden from us; to read them the app needs "
    "User.ReadBasic.All (and User.Read.All, to know whose account is disabled)."
)

Objects = dict[str, ObservedObject]


async def add_owners(
    calls: GraphCalls, objects: Objects, now: datetime, report: Report, ahead: timedelta
) -> None:
    """Ask for the owners of what has a credential that is warned about and lapses within `ahead`.

    One request of one resource unit for each such object, and none for the thousands without one.
    Not by $expand: it gives twenty owners at most and costs a unit more on each page of all.
    Facts: https://learn.microsoft.com/graph/api/application-list-owners and
    https://learn.microsoft.com/graph/api/serviceprincipal-list-owners (both Application.Read.All)
    """
    hidden = False

    async def ask(app: ObservedObject) -> ObservedObject:
        builder = _place(calls, app).owners

        async def use(body: bytes) -> tuple[tuple[str, Owner], ...]:
            items = [unpack(item) for item in read_page(body, "owners").value]
            return tuple((_owner(item), _person(item)) for item in items)

        found = await calls.read(builder, "owners", use, tries=1, select=_OWNER_FIELDS)
        nonlocal hidden
        hidden = hidden or any(one.kind == "user" and _is_bare(one) for _, one in found)
        return replace(
            app, owners=tuple(name for name, _ in found), people=tuple(one for _, one in found)
        )

    due = _nearest_first(objects, now, now + ahead)
    await _ask_each(calls, objects, due, ask, "owners", report)
    if hidden:
        report.odd(_HIDDEN)


async def add_federated(calls: GraphCalls, objects: Objects, report: Report) -> None:
    """Ask for the federated credentials, where the list of applications came without them."""

    async def ask(app: ObservedObject) -> ObservedObject:
        builder = calls.graph.applications.by_application_id(
            app.object_id
        ).federated_identity_credentials

        async def use(body: bytes) -> tuple[FederatedCredential, ...]:
            entries = [unpack(item) for item in read_page(body, "federated credentials").value]
            return federated_credentials(entries, app.name, report)

        return replace(
            app, federated=await calls.read(builder, "federated credentials", use, tries=1)
        )

    apps = [app for app in objects.values() if app.object_type is ObjectType.APPLICATION]
    await _ask_each(calls, objects, apps, ask, "federated credentials", report)


def _place(calls: GraphCalls, seen: ObservedObject) -> Any:
    """msgraph's request builder for one object."""
    if seen.object_type is ObjectType.SERVICE_PRINCIPAL:
        return calls.graph.service_principals.by_service_principal_id(seen.object_id)
    return calls.graph.applications.by_application_id(seen.object_id)


async def _ask_each(
    calls: GraphCalls,
    objects: Objects,
    apps: Sequence[ObservedObject],
    ask: Callable[[ObservedObject], Awaitable[ObservedObject]],
    what: str,
    report: Report,
) -> None:
    """Ask about each, a few at once; the first failure that is not one object's ends it."""
    failures: list[str] = []
    if len(apps) > AT_MOST:
        report.odd(f"The {what} of {len(apps) - AT_MOST} apps were not asked for.")
    waiting = iter(apps[:AT_MOST])

    async def work() -> None:
        for app in waiting:
            if failures:
                return
            try:
                objects[app.object_id] = await ask(app)
            except RemoteError as error:
                if not (isinstance(error, RefusedError) and error.status == 404):
                    failures.append(error.message)
            except (ValueError, TypeError, RecursionError):
                failures.append("an answer could not be read")

    try:
        async with calls.clock.extras(), asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
    except TimeoutError:
        failures.append("the tenant's time ran out")
    if failures:
        report.odd(f"Not all {what} could be read: {failures[0]}")


def _nearest_first(objects: Objects, now: datetime, until: datetime) -> list[ObservedObject]:
    """Those with an end before `until`; what lapsed years ago must not crowd out what is near."""
    due = []
    for app in objects.values():
        ends = [one.end for one in app.credentials if one.end is not None and one.end <= until]
        if app.object_type in _OWNED and not app.managed_identity and ends:
            due.append((min(abs(end - now) for end in ends), app.object_id, app))
    return [app for *_, app in sorted(due, key=lambda entry: entry[:2])]


def _owner(entry: Any) -> str:
    for attribute in ("mail", "userPrincipalName", "displayName", "id"):
        text = clean(entry.get(attribute)) if isinstance(entry, dict) else None
        if text and text.strip():
            return text
    raise graph_error("malformed_page", "An owner has neither a name nor an id.")


def _person(entry: Any) -> Owner:
    """An owner as far as mail reaches it; only called for what `_owner` could read."""
    sort = str(entry.get("@odata.type") or "").rpartition(".")[2].lower()
    kinds: dict[str, Literal["user", "service_principal", "other"]] = {
        "user": "user", "serviceprincipal": "service_principal",
    }  # fmt: skip
    mail, enabled = clean(entry.get("mail")), entry.get("accountEnabled")
    shown = clean(entry.get("displayName")) or clean(entry.get("userPrincipalName"))
    return Owner(
        name=shown or clean(entry.get("id")) or "",
        mail=mail.strip() if mail and is_address(mail) else None,
        kind=kinds.get(sort, "other"),
        enabled=enabled if isinstance(enabled, bool) else None,
    )


def _is_bare(owner: Owner) -> bool:
    """Whether nothing but an id came: Graph hides the rest of whom one may not read."""
    return owner.mail is None and looks_like_guid(owner.name)
