"""A partner's customers in Graph: contracts, delegated admin customers, GDAP relationships.

Facts: https://learn.microsoft.com/graph/api/contract-list,
https://learn.microsoft.com/graph/api/tenantrelationship-list-delegatedadmincustomers and
https://learn.microsoft.com/graph/api/tenantrelationship-list-delegatedadminrelationships (at most
300 a page). Whether an application may read the last two by itself depends on the cloud and on
the day: a refusal is an answer here, and costs the other lists nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from monitor.entra.calls import GraphCalls
from monitor.entra.decode import Report, unpack
from monitor.entra.failures import brief, graph_error
from monitor.entra.paging import Collection
from monitor.entra.values import clean, parse_date
from monitor.errors import GraphError, RemoteError
from monitor.model import Kind, ObjectType, ObservedCredential, ObservedObject
from monitor.model.customers import Access, CustomerList, CustomerSeen, Source

PAGE = 300
LAPSED_FOR = timedelta(days=30)  # so long an ended relationship is shown as lapsed
_NEEDS = {
    Source.CONTRACTS: "Directory.Read.All",
    Source.CUSTOMERS: "DelegatedAdminRelationship.Read.All",
    Source.RELATIONSHIPS: "DelegatedAdminRelationship.Read.All",
}
_WORDS = {
    Source.CONTRACTS: "contracts",
    Source.CUSTOMERS: "delegated admin customers",
    Source.RELATIONSHIPS: "GDAP relationships",
}
# The other states, unknown ones too, are those of an access that works.
_TERMINATED = frozenset({"terminated"})
_ENDED = frozenset({"expired"}) | _TERMINATED
_TO_COME = frozenset({"created", "approvalpending"})


class PartnerLists:
    """Reads what a partner's directory knows of its customers.

    Args:
        calls: the door to the partner's Graph.
        turn: held while decoding.
    """

    def __init__(self, calls: GraphCalls, turn: asyncio.Lock) -> None:
        self._calls = calls
        self._turn = turn
        self.pages = 0

    async def read_all(self) -> tuple[CustomerList, ...]:
        """All three lists, one after the other; one that fails does not stop the others."""
        return tuple([await self.read(source) for source in Source])

    async def read(self, source: Source) -> CustomerList:
        """One list to its last page; nothing that is remote raises."""
        from monitor.entra import sdk

        await asyncio.to_thread(sdk.load_partner_builders)
        report = Report()
        found: Collection[CustomerSeen] = Collection(
            self._calls, _WORDS[source], source.value, decode=_DECODERS[source],
            turn=self._turn, report=report, join=lambda _, second: second,
        )  # fmt: skip
        error: RemoteError | None = None
        try:
            async with self._calls.clock.extras():
                await found.read(self._builder(source), (), top=PAGE)
        except RemoteError as refused:
            error = _explained(refused, source)
        except TimeoutError:
            error = graph_error("reply_timeout", "The time for the partner's lists ran out.")
        if error is None and report.malformed:
            first = report.unreadable_notes[0]
            told = f"{report.malformed} of the {_WORDS[source]} could not be read. The first: "
            error = graph_error("malformed_page", told + first)
        self.pages += found.pages
        return CustomerList(source, tuple(found.objects.values()), error)

    def _builder(self, source: Source) -> Any:
        graph = self._calls.graph
        if source is Source.CONTRACTS:
            return graph.contracts
        if source is Source.CUSTOMERS:
            return graph.tenant_relationships.delegated_admin_customers
        return graph.tenant_relationships.delegated_admin_relationships


def relationship_objects(found: CustomerList, now: datetime) -> dict[str, ObservedObject]:
    """The GDAP relationships whose end matters, each as an object with one item that ends.

    Live ones, and those that ended lately while the customer has no live one: there the access
    itself has lapsed, which only the whole list can say. By the relationship's id.
    """
    reached = {one.directory_id for one in found.entries if one.access is Access.LIVE}
    whole = found.error is None
    return {
        one.object_id: _object(one)
        for one in found.entries
        if one.end is not None
        and (one.access is Access.LIVE or (whole and _lapsed(one, reached, now)))
    }


def _lapsed(one: CustomerSeen, reached: set[str], now: datetime) -> bool:
    lately = one.end is not None and now - one.end <= LAPSED_FOR
    return one.access is Access.ENDED and lately and one.directory_id not in reached


def _object(one: CustomerSeen) -> ObservedObject:
    item = ObservedCredential(
        kind=Kind.GDAP, slot="relationship", key_id=None, name=one.name, start=one.start,
        end=one.end,
    )  # fmt: skip
    return ObservedObject(
        object_type=ObjectType.RELATIONSHIP,
        object_id=one.object_id,
        app_id=None,
        name=one.relationship or one.name,
        credentials=(item,),
        home_tenant=one.directory_id,
    )


def _explained(error: RemoteError, source: Source) -> RemoteError:
    """The same refusal, with the permission that this very list needs."""
    if error.cause != "permission_missing":
        return error
    return GraphError(
        error.message, cause=error.cause, stage=error.stage, evidence=error.evidence,
        permanent=True,
        remedy=f"Grant the application permission {_NEEDS[source]} of Microsoft Graph to the app "
        "in the partner's directory, with admin consent.",
    )  # fmt: skip


# --- entries -------------------------------------------------------------------------------------

_Decoder = Callable[[object, Report], CustomerSeen | None]


def _reading(said: str, build: Callable[[dict[str, Any]], CustomerSeen | None]) -> _Decoder:
    """A decoder that reports an entry it cannot read, and goes on."""

    def decode(item: object, report: Report) -> CustomerSeen | None:
        name: object = None
        try:
            content = unpack(item)
            name = content.get("displayName") or content.get("id")
            return build(content)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as wrong:
            label = brief(clean(name) or "without a name", 80)
            report.unreadable(f"The {said} {label} could not be read: {brief(str(wrong), 80)}.")
            return None

    return decode


def _contract(content: dict[str, Any]) -> CustomerSeen:
    return CustomerSeen(
        object_id=_text(content, "id"),
        directory_id=_text(content, "customerId").lower(),
        name=clean(content.get("displayName")) or "",
        domain=clean(content.get("defaultDomainName")) or None,
    )


def _customer(content: dict[str, Any]) -> CustomerSeen:
    directory_id = clean(content.get("tenantId")) or _text(content, "id")
    name = clean(content.get("displayName")) or ""
    return CustomerSeen(_text(content, "id"), directory_id.lower(), name)


def _relationship(content: dict[str, Any]) -> CustomerSeen | None:
    access = _access(_text(content, "status"))
    customer = content.get("customer") or {}
    if access is Access.TO_COME and not customer.get("tenantId"):
        return None  # nobody knows yet whom it is with
    end = parse_date(content.get("endDateTime"))
    if access is Access.ENDED and end is None and not content.get("activatedDateTime"):
        return None  # a request that nobody accepted: there never was an access
    if access is Access.ENDED:
        end = _taken_back(content, end)
    if end is None and access is not Access.TO_COME:
        raise ValueError("it has no end")
    return CustomerSeen(
        object_id=_text(content, "id").lower(),
        directory_id=_text(customer, "tenantId").lower(),
        name=clean(customer.get("displayName")) or "",
        relationship=clean(content.get("displayName")) or None,
        access=access,
        start=parse_date(content.get("activatedDateTime")),
        end=end,
    )


def _taken_back(content: dict[str, Any], end: datetime | None) -> datetime | None:
    """The end of what was ended before its time; Graph may keep the date that was agreed on.

    https://learn.microsoft.com/graph/api/resources/delegatedadminrelationship
    """
    modified = parse_date(content.get("lastModifiedDateTime"))
    early = end is not None and modified is not None and modified < end
    terminated = _text(content, "status").lower() in _TERMINATED
    return modified if early and terminated else end


def _access(status: str) -> Access:
    spelled = status.lower()
    if spelled in _ENDED:
        return Access.ENDED
    return Access.TO_COME if spelled in _TO_COME else Access.LIVE


def _text(content: dict[str, Any], attribute: str) -> str:
    value = clean(content.get(attribute))
    if not value or not value.strip():
        raise ValueError(f"its {attribute} is missing")
    return value


_DECODERS: dict[Source, _Decoder] = {
    Source.CONTRACTS: _reading("contract", _contract),
    Source.CUSTOMERS: _reading("delegated admin customer", _customer),
    Source.RELATIONSHIPS: _reading("GDAP relationship", _relationship),
}
