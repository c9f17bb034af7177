"""A partner's lists, merged: who is a customer, what a new one is called, and who is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.customers import Customer, judged, lost, merged, newcomers, short_name, standing
from monitor.errors import GraphError
from monitor.model import CredentialRef, Tenant
from monitor.model.customers import Access, CustomerList, CustomerSeen, LostAccess, Source
from monitor.roster import AppTable

NOW = datetime(2026, 11, 23, tzinfo=UTC)
BLANK = Tenant("", "", "global", "c", CredentialRef("secret", "env:X"), app="msp",
               discovered_from="northwind")  # fmt: skip
BROKEN = GraphError("It broke.", cause="throttled")


def seen(who: str, access: Access | None = None, days: int = 0, **more: str) -> CustomerSeen:
    """An entry about a customer; with an access it is a relationship."""
    end = NOW + timedelta(days=days) if access else None
    return CustomerSeen(f"{who}-{access}-{days}", who, who.title(), access=access, end=end, **more)


def lists(
    contracts: tuple[CustomerSeen, ...] = (),
    customers: tuple[CustomerSeen, ...] = (),
    relationships: tuple[CustomerSeen, ...] = (),
    *broken: Source,
) -> list[CustomerList]:
    """The three lists; those named last are not whole."""
    found = zip(Source, (contracts, customers, relationships), strict=True)
    return [CustomerList(one, held, BROKEN if one in broken else None) for one, held in found]


def watched(*names: str) -> list[Tenant]:
    """Tenants that were discovered; their directory has their name."""
    return [
        Tenant(name, name.upper(), "global", "c", BLANK.credential, discovered_from="northwind")
        for name in names
    ]


def test_a_customer_of_several_lists_is_one() -> None:
    """With the domain of its contract and the last end of its live relationships."""
    found = merged(lists(
        (seen("a", domain="a.example"),), (seen("a"), seen("b")),
        (seen("a", Access.LIVE, 9), seen("a", Access.LIVE, 30), seen("a", Access.ENDED, -9)),
    ))  # fmt: skip
    assert [(one.directory_id, one.sources) for one in found] == [
        ("a", tuple(Source)), ("b", (Source.CUSTOMERS,)),
    ]  # fmt: skip
    assert found[0].domain == "a.example"
    assert found[0].gdap_end == NOW + timedelta(days=30)
    assert not found[0].ended


@pytest.mark.parametrize(
    ("found", "added"),
    [
        (lists((seen("a"),)), ["a"]),
        (lists((), (seen("a"),)), ["a"]),
        (lists((), (), (seen("a", Access.LIVE, 3),)), ["a"]),
        (lists((), (), (seen("a", Access.TO_COME),)), ["a"]),
        (lists((), (seen("a"),), (seen("a", Access.ENDED, -3),)), []),
        (lists((seen("a"),), (seen("a"),), (seen("a", Access.ENDED, -3),)), ["a"]),
        (lists((), (), (seen("a", Access.ENDED, -3), seen("a", Access.LIVE, 3))), ["a"]),
    ],
)
def test_who_has_a_contract_or_a_living_relationship_is_a_customer(
    found: list[CustomerList], added: list[str]
) -> None:
    """One whose relationships have all ended, and who has no contract, is added no more."""
    new = newcomers(merged(found), [], BLANK)
    assert [one.name for one in new] == added
    assert all(one.pending and one.discovered_from == "northwind" for one in new)


def test_a_directory_that_is_watched_under_any_name_is_not_added() -> None:
    """In whatever capitals its id is written."""
    assert newcomers(merged(lists((seen("a"),))), watched("a"), BLANK) == []


@pytest.mark.parametrize(
    ("name", "domain", "called"),
    [
        ("Contoso Ltd", "contoso.onmicrosoft.com", "contoso"),
        ("Contoso & Söhne GmbH", None, "contoso-sohne-gmbh"),
        ("日本", None, "customer-7b1c0000"),
        ("", "", "customer-7b1c0000"),
        ("x" * 300, None, "x" * 40),
        ("=cmd|' /C calc'!A0", None, "cmd-c-calc-a0"),
        ("../../etc", None, "etc"),
    ],
)
def test_a_new_customer_is_named_by_its_domain_or_else_its_name(
    name: str, domain: str | None, called: str
) -> None:
    """Short, in ASCII; and never by an empty name."""
    one = Customer("7b1c0000-0000-4000-8000-000000000001", name, domain, ())
    assert short_name(one, ()) == called
    assert short_name(one, {called, f"{called}-2"}) == f"{called}-3"


@given(st.text(max_size=80), st.none() | st.text(max_size=80))
def test_every_name_is_one_that_an_import_takes(name: str, domain: str | None) -> None:
    """Whatever the customer calls itself."""
    called = short_name(Customer("7b1c0000-0000", name, domain, ()), ())
    table = {"name": called, "client_id": "1f3e0000-0000-4000-8000-000000000001"}
    assert AppTable.model_validate({**table, "credential": "env:X"}).name == called


def test_two_customers_of_one_name_get_two_names() -> None:
    """In the order of their directory ids, so that it is the same each time."""
    two = (CustomerSeen("1", "id-2", "Contoso"), CustomerSeen("2", "id-1", "CONTOSO"))
    new = newcomers(merged(lists(two)), [], BLANK)
    assert {one.directory_id: one.name for one in new} == {
        "id-1": "contoso", "id-2": "contoso-2",
    }  # fmt: skip


GONE = lists((), (), (seen("b", Access.ENDED, -3), seen("c", Access.LIVE, 3)))


def test_who_is_in_no_list_or_whose_relationships_ended_is_lost() -> None:
    """Of those that were discovered from this partner only."""
    known = watched("a", "b", "c")
    assert set(lost(merged(GONE), GONE, known, "northwind")) == {"a", "b"}
    assert lost(merged(GONE), GONE, known, "another") == {}
    assert judged(merged(GONE), GONE, known, "northwind") == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("broken", "found", "sure"),
    [
        ((Source.CONTRACTS,), {"b"}, {"b", "c"}),
        ((Source.CUSTOMERS,), {"b"}, {"b", "c"}),
        ((Source.RELATIONSHIPS,), set(), set()),
        (tuple(Source), set(), set()),
    ],
)
def test_nobody_is_taken_for_lost_because_a_list_is_not_whole(
    broken: tuple[Source, ...], found: set[str], sure: set[str]
) -> None:
    """Nor is an earlier warning taken back on the word of a list that broke off."""
    parts = [
        CustomerList(part.source, part.entries, BROKEN if part.source in broken else None)
        for part in GONE
    ]
    known = watched("a", "b", "c")
    assert set(lost(merged(parts), parts, known, "northwind")) == found
    assert judged(merged(parts), parts, known, "northwind") == sure


def test_a_loss_stands_only_while_somebody_asks_the_partner() -> None:
    """Else nobody would ever take it back."""
    at = datetime(2026, 11, 23, tzinfo=UTC)
    partner = Tenant("msp", "1", "global", "c", CredentialRef("secret", "env:X"), partner=True)
    ours = replace(partner, name="a", partner=False, discovered_from="msp")
    own = replace(ours, name="b", discovered_from=None)
    lost = {name: LostAccess(name, at, "gone") for name in ("a", "b", "c")}
    assert set(standing(lost, [partner, ours, own])) == {"a"}
    assert standing(lost, [ours, own]) == {}
