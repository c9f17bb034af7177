"""A partner's world: an MSP that is watched itself, and customers nobody has entered yet."""

from __future__ import annotations

from datetime import datetime, timedelta

from .draft import Draft, guid
from .world import Contract, DelegatedCustomer, Relationship, ServicePrincipal, Tenant, World

APP = "msp"
READS = ("Application.Read.All", "Organization.Read.All")
PARTNER_READS = (*READS, "Directory.Read.All", "DelegatedAdminRelationship.Read.All")


def partner_world(now: datetime, *, more: int = 0) -> World:
    """An MSP whose app reads its own directory, and customers in every state.

    contoso has consented. fabrikam has not; its GDAP ends in six days. tailspin is known by its
    contract alone, and adatum by GDAP alone. Of wingtip only an expired relationship is left.
    `more` further customers have a contract each.
    """
    draft = Draft("northwind", "Northwind MSP", now)
    draft.monitor()
    msp = draft.tenant
    msp.partner, msp.shared_app = True, APP
    if msp.monitor is None:  # the draft has just set it
        raise ValueError("the partner has no app to read with")
    msp.principal_of(msp.monitor.client_id).graph_roles = PARTNER_READS
    found = {name: _customer(name, now) for name in ("contoso", "fabrikam", "tailspin", "adatum")}
    found["wingtip"] = _customer("wingtip", now)
    consent(found["contoso"], msp)
    for name in ("contoso", "fabrikam", "tailspin"):
        add_contract(msp, found[name])
    ends = {"contoso": 200, "fabrikam": 6, "adatum": 90, "wingtip": -20}
    for name, days in ends.items():
        add_relationship(msp, found[name], draft.day(days), now)
    for number in range(more):
        add_contract(msp, _customer(f"customer{number:03d}", now))
    return World([msp], strangers=list(found.values()))


def add_contract(partner: Tenant, customer: Tenant) -> None:
    """A contract; its names are copies."""
    number = guid(partner.name, customer.name, "contract")
    partner.contracts.append(
        Contract(number, customer.directory_id, customer.display_name, customer.domain)
    )


def add_relationship(partner: Tenant, customer: Tenant, end: datetime, now: datetime) -> None:
    """A GDAP relationship of two years, in the state that its end says."""
    name = f"{partner.display_name} and {customer.name}"[:50]
    begun = end - timedelta(days=730)
    status = "expired" if end <= now else "expiring" if end - now < timedelta(30) else "active"
    known = {one.customer_id for one in partner.customers}
    if customer.directory_id not in known:
        partner.customers.append(DelegatedCustomer(customer.directory_id, customer.display_name))
    number = f"{guid(customer.name, 'gdap')}-{guid(partner.name, 'gdap')}"
    partner.relationships.append(
        Relationship(
            number, name, customer.directory_id, customer.display_name, begun, begun, end, status
        )
    )


def consent(customer: Tenant, partner: Tenant, roles: tuple[str, ...] = READS) -> None:
    """A customer's administrator accepts what the partner's app asks for."""
    if partner.monitor is None:
        raise ValueError("a partner of ours has an app")
    app_id = partner.monitor.client_id
    customer.principals.append(
        ServicePrincipal(
            guid(customer.name, app_id, "principal"), app_id, "Lapsewatch monitor",
            customer.created, owner_tenant=partner.directory_id, graph_roles=roles,
        )
    )  # fmt: skip


def _customer(name: str, now: datetime) -> Tenant:
    draft = Draft(name, name.title(), now)
    draft.healthy(2)
    return draft.tenant
