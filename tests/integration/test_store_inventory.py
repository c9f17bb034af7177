"""What people keep, in the store: notes, and dates that are facts like any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.errors import StoreError
from monitor.model import Item, Kind, Note, ObjectType, Reading, Served, Sort
from monitor.store import Store

NOTE = Note("contoso", "Backup*", where=("KeePass",), owner="Ada")


@pytest.fixture(autouse=True)
def tenants(store: Store, make) -> None:
    """Two tenants."""
    for name, number in (("contoso", 1), ("fabrikam", 2)):
        ids = {"directory_id": f"7b1c0000-0000-0000-0000-00000000000{number}"}
        store.put_tenant(make.tenant(name, **ids), now=make.now)


def ends(make, days: float, **changes: object) -> Item:
    """A contract that ends in so many days."""
    end = make.now + timedelta(days=days)
    return replace(Item("contoso", "Support", Sort.CONTRACT, end, where=("CRM",)), **changes)


def keep(store: Store, make, *items: Item, at: float = 0, **more: object) -> None:
    """What an import does, so many hours later."""
    zones = {"contoso": make.zone, "fabrikam": make.zone}
    store.replace_items(items, zones=zones, now=make.now + timedelta(hours=at), **more)


def facts(store: Store) -> list[tuple[str, int, bool]]:
    """Name, life and whether it is removed, of each watched date."""
    found = store.credentials(include_removed=True)
    return [(one.app_name, one.life, one.removed_at is not None) for one in found]


# --- notes ---------------------------------------------------------------------------------------


def test_the_notes_of_a_tenant_are_those_of_its_last_file(store: Store) -> None:
    """Again is the same; a file without notes of a tenant leaves that one's alone."""
    other = replace(NOTE, tenant="fabrikam")
    for _ in range(2):
        store.replace_notes([NOTE, other])
        assert store.notes() == [NOTE, other]
    newer = replace(NOTE, app="Fax")
    store.replace_notes([newer])
    assert store.notes() == [newer, other]
    store.replace_notes([])
    assert store.notes() == [newer, other]


def test_a_note_made_by_hand_outlives_a_file_unless_it_is_about_the_same(store: Store) -> None:
    """The file wins where both speak of the same credentials."""
    by_hand = replace(NOTE, app="Fax", by_hand=True)
    store.put_note(by_hand)
    store.replace_notes([NOTE])
    assert store.notes("contoso") == [NOTE, by_hand]
    in_file = replace(by_hand, by_hand=False, where=("Fax server",))
    store.replace_notes([in_file])
    assert store.notes("contoso") == [in_file]
    assert store.remove_note(in_file)
    assert not store.remove_note(in_file)
    assert store.notes("contoso") == []


def test_a_note_about_nobody_is_refused(store: Store) -> None:
    """The tenant was removed meanwhile."""
    with pytest.raises(StoreError, match="no tenant named nobody"):
        store.put_note(replace(NOTE, tenant="nobody"))


# --- items ---------------------------------------------------------------------------------------


def test_a_watched_date_is_a_credential_of_its_own_sort(store: Store, make) -> None:
    """As of when it was said, before any scan; nothing of it is a secret."""
    item = ends(make, 20)
    keep(store, make, item)
    (one,) = store.credentials("contoso")
    assert (one.kind, one.object_type, one.app_name) == (Kind.ITEM, ObjectType.ITEM, "Support")
    assert (one.end, one.observed_at, one.proven) == (item.end, make.now, True)
    assert (one.name, one.key_id, one.app_id) == ("contract", item.object_id, None)
    assert store.what_is_noted() == [item.note]


def test_an_import_again_writes_nothing_and_a_changed_end_is_a_new_life(store: Store, make) -> None:
    """Later or earlier: what was told was told of the other date."""
    for hours in (0, 1):
        keep(store, make, ends(make, 20), at=hours)
        assert facts(store) == [("Support", 1, False)]
    keep(store, make, ends(make, 400), at=2)
    assert facts(store) == [("Support", 2, False)]
    keep(store, make, ends(make, 30), at=3)
    assert facts(store) == [("Support", 3, False)]


def test_what_is_gone_from_the_file_is_removed_and_comes_back_in_the_same_life(
    store: Store, make
) -> None:
    """As with a credential that is restored."""
    other = ends(make, 9, name="Domain")
    keep(store, make, ends(make, 20), other)
    keep(store, make, other, at=1)
    assert facts(store) == [("Domain", 1, False), ("Support", 1, True)] or facts(store) == [
        ("Support", 1, True),
        ("Domain", 1, False),
    ]
    keep(store, make, ends(make, 20), other, at=2)
    assert {name for name, _, removed in facts(store) if not removed} == {"Domain", "Support"}
    assert {life for _, life, _ in facts(store)} == {1}


def test_nothing_is_removed_that_a_bad_row_may_be_about(store: Store, make) -> None:
    """Nor what was made by hand, nor what is another tenant's."""
    keep(store, make, ends(make, 20), ends(make, 20, tenant="fabrikam"))
    by_hand = ends(make, 5, name="Fax line", by_hand=True)
    store.put_item(by_hand, zone=make.zone, now=make.now)
    other = ends(make, 9, name="Domain")
    keep(store, make, other, keep={"contoso"})
    assert {one.item.name for one in store.items("contoso")} == {"Support", "Domain", "Fax line"}
    keep(store, make, other)
    assert {one.item.name for one in store.items("contoso")} == {"Domain", "Fax line"}
    assert {one.item.name for one in store.items("fabrikam")} == {"Support"}
    assert store.remove_item("contoso", "Fax line", now=make.now)
    assert not store.remove_item("contoso", "Fax line", now=make.now)


def test_a_scan_that_does_not_see_a_watched_date_lets_it_be(store: Store, make) -> None:
    """No directory has it; and the credentials of the directory go as ever."""
    keep(store, make, ends(make, 20))
    store.record_scan(make.scan(make.app("app-1", make.secret())), zone=make.zone)
    store.record_scan(make.scan(hours=6), zone=make.zone)
    found = {one.kind: one.removed_at for one in store.credentials(include_removed=True)}
    assert found[Kind.ITEM] is None
    assert found[Kind.SECRET] is not None


def server(**changes: object) -> Item:
    """A date that a server shows."""
    return replace(Item("contoso", "Mail", Sort.CERTIFICATE, host="mail.example:443"), **changes)


def read(store: Store, make, reading: Reading, hours: float) -> None:
    """What a scan writes of it, so many hours later."""
    at = make.now + timedelta(hours=hours)
    store.record_readings("contoso", [reading], zone=make.zone, at=at)


def shown(make, item: Item, days: float) -> Reading:
    """A certificate that ends in so many days."""
    start, end = make.now - timedelta(days=9), make.now + timedelta(days=days)
    return Reading(item, Served(start, end, "AB" * 20))


def test_a_server_that_cannot_be_reached_keeps_its_last_facts_as_of_then(
    store: Store, make
) -> None:
    """They are not proven any more, and the reason is kept; the next reading proves them anew."""
    item = server()
    keep(store, make, item)
    assert store.credentials("contoso") == []
    assert store.items("contoso")[0].unread == "it has not been read yet"
    read(store, make, shown(make, item, 40), 1)
    (one,) = store.credentials("contoso")
    assert (one.proven, one.observed_at) == (True, make.now + timedelta(hours=1))
    for hours in (7, 13):
        read(store, make, Reading(item, problem="connection refused"), hours)
        (one,) = store.credentials("contoso")
        assert (one.proven, one.observed_at) == (False, make.now + timedelta(hours=1))
        assert store.items("contoso")[0].unread == "connection refused"
    keep(store, make, item, at=14)  # an import again forgets no problem
    assert store.items("contoso")[0].unread == "connection refused"
    read(store, make, shown(make, item, 40), 19)
    (one,) = store.credentials("contoso")
    assert (one.proven, one.life, store.items("contoso")[0].unread) == (True, 1, None)


def test_a_renewed_certificate_is_a_new_life(store: Store, make) -> None:
    """Whatever the new one's end is."""
    item = server()
    keep(store, make, item)
    for days, life in ((40, 1), (40.1, 1), (130, 2), (90, 3)):
        read(store, make, shown(make, item, days), days)
        assert [one.life for one in store.credentials("contoso")] == [life]


def test_another_server_under_the_name_is_read_before_anything_is_said(store: Store, make) -> None:
    """The old one's end says nothing about it; and a reading of the old one comes too late."""
    keep(store, make, server())
    read(store, make, shown(make, server(), 40), 1)
    other = server(host="new.example:443")
    keep(store, make, other, at=2)
    assert store.credentials("contoso") == []
    read(store, make, shown(make, server(), 40), 3)
    assert store.credentials("contoso") == []
    read(store, make, shown(make, other, 70), 4)
    assert len(store.credentials("contoso")) == 1


def test_what_is_kept_goes_with_its_tenant(store: Store, make) -> None:
    """Removed, purged, or another directory under the name."""
    for number in range(3):
        name = f"gone-{number}"
        place = f"7b1c0000-0000-0000-0000-00000000010{number}"
        store.put_tenant(make.tenant(name, directory_id=place), now=make.now)
        store.put_note(replace(NOTE, tenant=name))
        store.put_item(ends(make, 9, tenant=name), zone=make.zone, now=make.now)
    store.remove_tenant("gone-0")
    done = store.purge_tenant("gone-1", now=make.now)
    assert done is not None
    assert (done.counts["notes"], done.counts["items"]) == (1, 1)
    store.put_tenant(make.tenant("gone-2", directory_id="another"), now=make.now)
    assert (store.notes(), store.items(), store.credentials()) == ([], [], [])
