"""Facts: what complete scans prove appears, changes, goes and comes back; nothing else does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.model import FederatedCredential, Kind, ObjectType, Owner, credential_uid
from monitor.store import Store
from tests.integration.facts_room import contoso, count_writes, see, written

__all__ = ["contoso"]  # a fixture


def test_what_a_complete_scan_saw_is_known_in_full(store: Store, make) -> None:
    """Every field of the object and of the credential."""
    cert = make.secret("cert-1", kind=Kind.SAML_SIGNING, thumbprint="AB12", hint="abc", active=True)
    seen = make.app(
        "sp-1",
        cert,
        object_type=ObjectType.SERVICE_PRINCIPAL,
        owners=("ann", "ben"),
        enabled=False,
        managed_identity=True,
        home_tenant="other",
        federated=(FederatedCredential("f1", "github", "https://iss", "repo:x", "aud"),),
    )
    store.record_scan(
        make.scan(seen, pages=3, calls={"200": 3}, request_ids=("r1",), notes=("odd",)),
        zone=make.zone,
        own=frozenset({credential_uid("sp-1", Kind.SAML_SIGNING, "cert-1")}),
    )
    [known] = store.credentials()
    assert known.uid == "sp-1/saml_signing/cert-1"
    assert (known.tenant, known.object_type, known.object_id, known.app_id, known.app_name) == (
        "contoso", ObjectType.SERVICE_PRINCIPAL, "sp-1", "client-sp-1", "App sp-1",
    )  # fmt: skip
    assert (known.kind, known.key_id, known.name) == (Kind.SAML_SIGNING, "cert-1", "a secret")
    assert (known.start, known.end, known.life) == (cert.start, cert.end, 1)
    assert (known.thumbprint, known.hint, known.active, known.own) == ("AB12", "abc", True, True)
    assert (known.managed_identity, known.owners, known.enabled) == (True, ("ann", "ben"), False)
    assert (known.first_seen, known.observed_at, known.removed_at) == (make.now, make.now, None)
    assert known.proven
    assert store.objects() == [("contoso", seen)]
    [record] = store.scans("contoso")
    assert record == make.record(pages=3, calls={"200": 3}, request_ids=("r1",), notes=("odd",))


def test_a_rescan_moves_only_the_time_of_observation(store: Store, make) -> None:
    """observed_at is the end of the tenant's last complete scan, first_seen stays."""
    see(store, make, make.secret())
    see(store, make, make.secret(), hours=6)
    [known] = store.credentials()
    assert known.first_seen == make.now
    assert known.observed_at == make.now + timedelta(hours=6)


def test_what_is_missing_is_removed_and_what_returns_is_the_same_life(store: Store, make) -> None:
    """Removed and restored is one life; the object goes and comes with it."""
    see(store, make, make.secret("key-1"), make.secret("key-2"))
    see(store, make, make.secret("key-2"), hours=6)
    assert [c.key_id for c in store.credentials()] == ["key-2"]
    [gone] = [c for c in store.credentials(include_removed=True) if c.key_id == "key-1"]
    assert gone.removed_at == make.now + timedelta(hours=6)
    see(store, make, make.secret("key-1"), make.secret("key-2"), hours=12)
    back = store.credentials()[0]
    assert (back.key_id, back.life, back.removed_at, back.first_seen) == (
        "key-1", 1, None, make.now,
    )  # fmt: skip


def test_an_app_that_is_deleted_goes_with_its_credentials(store: Store, make) -> None:
    """An empty but complete scan is proof too."""
    see(store, make, make.secret())
    store.record_scan(make.scan(hours=6), zone=make.zone)
    assert store.credentials() == []
    assert store.objects() == []
    first_gone = store.credentials(include_removed=True)[0].removed_at
    store.record_scan(make.scan(hours=12), zone=make.zone)
    assert store.credentials(include_removed=True)[0].removed_at == first_gone


def test_objects_without_credentials_are_known_too(store: Store, make) -> None:
    """And their federated credentials appear, change and go."""
    entry = FederatedCredential("f1", "github", "https://issuer", "repo:x")
    for federated in ((entry,), (replace(entry, subject="repo:y"),), ()):
        seen = make.app("app-9", federated=federated)
        store.record_scan(make.scan(seen), zone=make.zone)
        assert store.objects("contoso") == [("contoso", seen)]


def test_renaming_an_app_shows_on_its_credentials(store: Store, make) -> None:
    """The name, the owners and the switch are the object's, not the credential's."""
    see(store, make, make.secret())
    seen = make.app("app-1", make.secret(), name="New name", owners=(), enabled=True)
    store.record_scan(make.scan(seen, hours=6), zone=make.zone)
    [known] = store.credentials()
    assert (known.app_name, known.owners, known.enabled) == ("New name", (), True)


LOCAL_DAYS = [
    pytest.param("2026-06-01T21:59:00+00:00", "2026-06-01T22:01:00+00:00", 2, id="midnight"),
    pytest.param("2026-06-01T22:01:00+00:00", "2026-06-02T21:59:00+00:00", 1, id="same day"),
    pytest.param("2026-06-01T12:00:00+00:00", "2027-06-01T12:00:00+00:00", 2, id="a year"),
    pytest.param("2026-06-01T12:00:00+00:00", "2026-05-01T12:00:00+00:00", 1, id="earlier"),
    pytest.param("2026-06-01T12:00:00+00:00", None, 2, id="never ends"),
    pytest.param(None, "2299-12-31T00:00:00+00:00", 1, id="ends after all"),
    pytest.param(None, None, 1, id="still never"),
    pytest.param("9999-12-30T00:00:00+00:00", "9999-12-31T23:59:59+00:00", 2, id="year 9999"),
    pytest.param("0001-01-01T00:00:00+00:00", "0001-01-02T00:00:00+00:00", 2, id="year 1"),
]


@pytest.mark.parametrize(("old", "new", "life"), LOCAL_DAYS)
def test_an_end_later_by_a_local_day_starts_a_new_life(
    store: Store, make, old: str | None, new: str | None, life: int
) -> None:
    """Days are those of the tenant's zone; null is later than any date."""
    for hours, end in enumerate((old, new)):
        instant = None if end is None else datetime.fromisoformat(end)
        see(store, make, make.secret(end=instant), hours=hours)
    [known] = store.credentials()
    assert known.life == life
    assert known.end == (None if new is None else datetime.fromisoformat(new))


def test_year_1_is_counted_west_of_greenwich_too(store: Store, make) -> None:
    """There the local date would be in the year before."""
    zone = ZoneInfo("America/New_York")
    for hours, end in enumerate((datetime(1, 1, 1, tzinfo=UTC), datetime(2, 1, 1, tzinfo=UTC))):
        see(store, make, make.secret(end=end, start=end), hours=hours, zone=zone)
    assert store.credentials()[0].life == 2


def test_a_renewal_counts_against_the_end_just_before(store: Store, make) -> None:
    """Shortened, then back to the first end: that is a later end, so a new life."""
    for hours, days in enumerate((30, 10, 30, 30, 60)):
        see(store, make, make.secret(days=days), hours=hours)
    assert store.credentials()[0].life == 3


def test_two_credentials_that_cannot_be_told_apart_count_as_two(store: Store, make) -> None:
    """No keyId, and equal start, end and name: both are kept, and both stay in a rescan."""
    twin = make.secret("2026|2027|name", key_id=None)
    see(store, make, twin, twin)
    before = [known.uid for known in store.credentials()]
    assert len(set(before)) == 2
    see(store, make, twin, twin, hours=6)
    assert [known.uid for known in store.credentials()] == before
    see(store, make, twin, hours=12)
    assert len(store.credentials()) == 1


def test_the_same_ids_in_two_tenants_are_two_credentials(store: Store, make) -> None:
    """What one tenant's scan says never touches another's."""
    store.put_tenant(make.tenant("fabrikam"), now=make.now)
    for name, days in (("contoso", 10), ("fabrikam", 20)):
        seen = make.app("app-1", make.secret(days=days), name=f"of {name}")
        store.record_scan(make.scan(seen, tenant=name), zone=make.zone)
    store.record_scan(make.scan(tenant="fabrikam", hours=6), zone=make.zone)
    [known] = store.credentials()
    assert (known.tenant, known.app_name) == ("contoso", "of contoso")
    assert store.credentials("fabrikam") == []


HOSTILE = {
    "nul": "a\x00b",
    "surrogate": "a\ud800b",
    "bidi": "a\u202eb\u2066c",
    "markup": "<script>alert(1)</script>'; DROP TABLE tenant; --",
    "long": "ä" * 10_000,
    "formula": "=HYPERLINK(1)\r\nBcc: x",
    "empty": "",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_any_name_is_kept_or_mended_and_costs_no_credential(store: Store, make, name: str) -> None:
    """NUL and lone surrogates become U+FFFD; the rest comes back as it was."""
    seen = make.app(
        "app-1",
        make.secret(f"start|end|{name}", key_id=None, name=name, hint=name),
        name=name,
        owners=(name,),
        federated=(FederatedCredential(name, name, name, name),),
    )
    for hours in (0, 6):
        store.record_scan(make.scan(seen, hours=hours, problem=name, notes=(name,)), zone=make.zone)
    kept = name.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    [known] = store.credentials(include_removed=True)
    assert (known.name, known.app_name, known.owners, known.key_id) == (kept, kept, (kept,), None)
    assert known.life == 1
    assert store.objects()[0][1].federated[0].subject == kept
    assert store.scans()[0].problem == kept


def test_far_dates_come_back_to_the_microsecond(store: Store, make) -> None:
    """Graph sends 9999 for "never", 2299 from old portals, and the year 1 for nothing."""
    ends = [
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2299, 12, 31, 5, tzinfo=UTC),
        datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        None,
    ]
    see(store, make, *[make.secret(f"key-{i}", end=end) for i, end in enumerate(ends)])
    assert [known.end for known in store.credentials()] == ends


def test_an_unchanged_rescan_of_40000_credentials_rewrites_no_row(store: Store, make) -> None:
    """Only the ledger and the tenant's health grow; one changed credential is one row."""
    apps = [
        make.app(f"app-{n:05}", make.secret(f"key-{n}-a"), make.secret(f"key-{n}-b"))
        for n in range(20_000)
    ]
    store.record_scan(make.scan(*apps), zone=make.zone)
    assert len(store.credentials()) == 40_000
    count_writes(store)
    store.record_scan(make.scan(*apps, hours=6), zone=make.zone)
    assert written(store) == []
    apps[7] = make.app("app-00007", make.secret("key-7-a", days=400), make.secret("key-7-b"))
    store.record_scan(make.scan(*apps, hours=12), zone=make.zone)
    assert written(store) == [credential_uid("app-00007", Kind.SECRET, "key-7-a")]


def test_whom_an_object_leads_to_is_kept_and_listed_once(store: Store, make) -> None:
    """The owners and the addresses of its notes, also on its credentials."""
    store.put_tenant(make.tenant(), now=make.now)
    ann, team = (Owner("Ann", "ann@contoso.example", enabled=True),), ("team@contoso.example",)
    held = [
        make.app("app-1", make.secret("a"), people=ann, notify=team),
        make.app("app-2", make.secret("b"), people=ann, notify=team),
        make.app("app-3", make.secret("c"), people=()),
        make.app("app-4", make.secret("d")),
    ]
    store.record_scan(make.scan(*held), zone=make.zone)
    assert store.contacts("contoso") == [((), ()), (ann, team)]
    found = {one.object_id: (one.people, one.notify) for one in store.credentials()}
    assert found == {
        "app-1": (ann, team), "app-2": (ann, team), "app-3": ((), ()), "app-4": (None, ()),
    }  # fmt: skip
    assert [one.people for _, one in store.objects()] == [ann, ann, (), None]
    store.record_scan(make.scan(*held[3:], hours=6), zone=make.zone)
    assert store.contacts("contoso") == []
