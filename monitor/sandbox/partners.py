"""A Microsoft partner's customers in Graph: contracts, delegated admin customers, relationships.

Shapes: https://learn.microsoft.com/graph/api/resources/contract and
https://learn.microsoft.com/graph/api/resources/delegatedadminrelationships-api-overview
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .wire import Json, stamp
from .world import Contract, DelegatedCustomer, Relationship, Tenant

_ROOT = "https://graph.microsoft.com/v1.0"
_RELATIONSHIP_READERS = frozenset(
    {"DelegatedAdminRelationship.Read.All", "DelegatedAdminRelationship.ReadWrite.All"}
)


@dataclass(frozen=True, slots=True)
class PartnerList:
    """One of the three lists: who may read it, how long a page is, what a call costs."""

    readers: frozenset[str]
    longest_page: int
    units: int
    known: frozenset[str]


_CONTRACT = frozenset(
    {"id", "contractType", "customerId", "defaultDomainName", "deletedDateTime", "displayName"}
)
_CUSTOMER = frozenset({"id", "tenantId", "displayName"})
_RELATIONSHIP = frozenset(
    {
        "id", "displayName", "duration", "customer", "accessDetails", "status",
        "autoExtendDuration", "createdDateTime", "lastModifiedDateTime", "activatedDateTime",
        "endDateTime",
    }
)  # fmt: skip
LISTS = {
    "/contracts": PartnerList(frozenset({"Directory.Read.All"}), 999, 3, _CONTRACT),
    "/tenantRelationships/delegatedAdminCustomers": PartnerList(
        _RELATIONSHIP_READERS, 300, 1, _CUSTOMER
    ),
    "/tenantRelationships/delegatedAdminRelationships": PartnerList(
        _RELATIONSHIP_READERS, 300, 1, _RELATIONSHIP
    ),
}


def entries(tenant: Tenant, path: str) -> Sequence[Any]:
    """What a partner has in one of the lists."""
    if path == "/contracts":
        return tenant.contracts
    return tenant.customers if path.endswith("Customers") else tenant.relationships


def entry_json(entry: Contract | DelegatedCustomer | Relationship, select: Sequence[str]) -> Json:
    """One entry as Graph shows it; of a contract only what was selected."""
    if isinstance(entry, Contract):
        full = _contract_json(entry)
        return {name: full[name] for name in select} if select else full
    return (
        _customer_json(entry) if isinstance(entry, DelegatedCustomer) else _relationship_json(entry)
    )


def _contract_json(contract: Contract) -> Json:
    return {
        "id": contract.id,
        "deletedDateTime": None,
        "contractType": contract.type,
        "customerId": contract.customer_id,
        "defaultDomainName": contract.domain,
        "displayName": contract.name,
    }


def _customer_json(customer: DelegatedCustomer) -> Json:
    return {
        "@odata.type": "#microsoft.graph.delegatedAdminCustomer",
        "@odata.etag": 'W/"JyIxODAwZTY4My0wMDAwLTAyMDAtMDAwMC02MTU0OWFmMDAwMDAiJw=="',
        "id": customer.customer_id,
        "tenantId": customer.customer_id,
        "displayName": customer.name,
    }


def _relationship_json(relationship: Relationship) -> Json:
    created = stamp(relationship.created, 7)
    role = {"roleDefinitionId": "729827e3-9c14-49f7-bb1b-9608f156bbb8"}
    return {
        "@odata.type": "#microsoft.graph.delegatedAdminRelationship",
        "@odata.etag": 'W/"JyIxODAwZTY4My0wMDAwLTAyMDAtMDAwMC02MTU0OWFmMDAwMDAiJw=="',
        "id": relationship.id,
        "displayName": relationship.name,
        "duration": relationship.duration,
        "customer": {
            "tenantId": relationship.customer_id,
            "displayName": relationship.customer_name,
        },
        "accessDetails": {"unifiedRoles": [role]},
        "status": relationship.status,
        "autoExtendDuration": relationship.auto_extend,
        "createdDateTime": created,
        "lastModifiedDateTime": stamp(relationship.modified, 7) or created,
        "activatedDateTime": stamp(relationship.activated, 7),
        "endDateTime": stamp(relationship.end, 7),
    }


def context(path: str, select: Sequence[str]) -> str:
    """The @odata.context of a list."""
    parent, _, name = path.rpartition("/")
    chosen = f"({','.join(select)})" if select and path == "/contracts" else ""
    return f"{_ROOT}{parent}/$metadata#{name}{chosen}"
