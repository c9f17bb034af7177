"""Discovered customers in the store, and facts of a type that a scan could not look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.model import (
    Kind,
    ObjectType,
    ObservedCredential,
    ObservedObject,
    Scan,
)
from monitor.store import Store

GDAP = frozenset({ObjectType.RELATIONSHIP})


def test_a_discovered_tenant_is_added_once_and_replaces_nobody(store: Store, make) -> None:
    """Neither one of that name, in any capitals, nor one with that directory."""
    store.put_tenant(make.tenant("Contoso", directory_id="d-1"), now=make.now)
    new = [
        make.tenant("contoso", directory_id="d-2", pending=True),
        make.tenant("again", directory_id="D-1", pending=True),
        make.tenant("fresh", directory_id="d-3", pending=True),
    ]
    assert store.add_discovered(new, now=make.now) == ["fresh"]
    assert store.add_discovered(new, now=make.now) == []
    assert [one.name for one in store.tenants()] == ["Contoso", "fresh"]


def test_consent_ends_pending_once_and_for_that_directory_only(store: Store, make) -> None:
    """The change has its time, so that the tenant is read at once."""
    pending = make.tenant(pending=True)
    store.put_tenant(pending, now=make.now)
    later = make.now + timedelta(hours=1)
    assert store.end_pending(replace(pending, directory_id="another"), now=later) is None
    assert store.end_pending(make.tenant("nobody"), now=later) is None
    found = store.end_pending(pending, now=later, shadow_until=later)
    assert found == replace(pending, pending=False, shadow_until=later) == store.tenant("contoso")
    assert store.known_since() == {"contoso": later}
    assert store.end_pending(pending, now=later) is None


def test_lost_access_keeps_its_date_and_is_taken_back_only_when_that_is_sure(
    store: Store, make
) -> None:
    """And it goes when the tenant goes."""
    for name in ("a", "b"):
        store.put_tenant(make.tenant(name, directory_id=name), now=make.now)
    later = make.now + timedelta(days=1)
    store.put_lost({"a": "Gone.", "b": "Gone.", "nobody": "Gone."}, judged={"a"}, now=make.now)
    store.put_lost({"a": "Ended."}, judged={"a"}, now=later)
    found = store.lost_access()
    assert {name: (one.since, one.problem) for name, one in found.items()} == {
        "a": (make.now, "Ended."), "b": (make.now, "Gone."),
    }  # fmt: skip
    store.put_lost({}, judged={"a"}, now=later)
    assert set(store.lost_access()) == {"b"}
    store.remove_tenant("b")
    assert store.lost_access() == {}


def relationship(make, number: int = 1, days: float = 30) -> ObservedObject:
    """A GDAP relationship."""
    end = make.now + timedelta(days=days)
    item = ObservedCredential(Kind.GDAP, "relationship", None, "Contoso", make.now, end)
    return ObservedObject(ObjectType.RELATIONSHIP, f"r-{number}", None, "Access", (item,))


def test_what_a_scan_could_not_look_at_is_not_removed_and_stays_as_of_then(
    store: Store, make
) -> None:
    """An application that is missing is removed; a relationship is, once it was looked for."""
    store.put_tenant(make.tenant(), now=make.now)
    seen = make.scan(make.app("app-1", make.secret()), relationship(make))
    store.record_scan(seen, zone=make.zone)
    for hours in (6, 12):
        blind = make.record(hours=hours, unseen="They cannot be seen.")
        store.record_scan(Scan(blind, (), GDAP), zone=make.zone)
        [kept] = store.credentials()
        assert (kept.kind, kept.proven, kept.observed_at) == (Kind.GDAP, False, make.now)
        assert store.health()["contoso"].record == blind
    store.record_scan(make.scan(relationship(make), hours=18), zone=make.zone)
    [again] = store.credentials()
    assert (again.proven, again.life) == (True, 1)
    assert again.observed_at == make.now + timedelta(hours=18)


def test_without_that_word_it_would_be_taken_for_removed(store: Store, make) -> None:
    """The known-bad variant of the test above."""
    store.put_tenant(make.tenant(), now=make.now)
    store.record_scan(make.scan(relationship(make)), zone=make.zone)
    store.record_scan(make.scan(hours=6), zone=make.zone)
    assert store.credentials() == []


@pytest.mark.parametrize("days", [30, 200])
def test_what_was_seen_of_such_a_type_counts(store: Store, make, days: int) -> None:
    """A list that broke off: what came before is proven, new or known."""
    store.put_tenant(make.tenant(), now=make.now)
    both = relationship(make, 1), relationship(make, 2)
    store.record_scan(make.scan(*both), zone=make.zone)
    partly = make.scan(relationship(make, 1, days), relationship(make, 3), hours=6)
    store.record_scan(replace(partly, unread=GDAP), zone=make.zone)
    found = {one.object_id: one.proven for one in store.credentials()}
    assert found == {"r-1": True, "r-2": False, "r-3": True}
