"""Rule 6: which credential supersedes which, and which ones Lapsewatch itself signs in with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.lifecycle import OwnCredential, own_uids, successors
from monitor.model import (
    Credential,
    Kind,
    ObjectType,
    ObservedCredential,
    ObservedObject,
    credential_uid,
)
from tests.unit.lifecycle_samples import NEW, NOW, OLD, credential, days

# --- successors (rule 6) --------------------------------------------------------------------------


def superseded(*credentials: Credential) -> dict[str, str]:
    """Older uid -> newer uid, as `successors` finds them."""
    return {uid: by.uid for (_, uid), by in successors(credentials, NOW).items()}


def test_a_valid_one_that_ends_later_supersedes_before_and_after_the_end():
    """An old secret that lapsed beside a new one is no news."""
    assert superseded(OLD, NEW) == {"old": "new"}
    assert superseded(replace(OLD, end=NOW - days(3)), NEW) == {"old": "new"}


@pytest.mark.parametrize(
    "other",
    [
        replace(NEW, kind=Kind.CERTIFICATE),
        replace(NEW, object_id="another"),
        replace(NEW, tenant="fabrikam"),
        replace(NEW, start=NOW + timedelta(seconds=1)),
        replace(NEW, removed_at=NOW),
        replace(NEW, end=OLD.end),
        replace(NEW, proven=False),
    ],
    ids=[
        "other kind",
        "other object",
        "other tenant",
        "not yet valid",
        "removed",
        "equal ends",
        "unproven",
    ],
)
def test_nothing_else_supersedes(other):
    """Same tenant, object and kind, valid now, truly later, and seen by a complete scan."""
    assert superseded(OLD, other) == {}


def test_one_that_no_complete_scan_saw_may_be_superseded_and_hides_no_successor():
    """It is no successor itself; of the others it takes nothing away."""
    doubtful = credential("doubtful", end=NOW + days(900), proven=False)
    assert superseded(OLD, NEW, doubtful) == {"old": "new"}
    assert superseded(replace(OLD, proven=False), NEW) == {"old": "new"}


def test_one_that_has_lapsed_itself_supersedes_nothing():
    """The later of two lapsed ones is no help."""
    ended = [replace(OLD, end=NOW - days(9)), replace(NEW, end=NOW)]
    assert superseded(*ended) == {}


def test_one_that_starts_at_this_very_instant_is_valid():
    """A start is reached as an end is: at the instant itself."""
    assert superseded(OLD, replace(NEW, start=NOW)) == {"old": "new"}


def test_a_start_of_null_counts_as_started():
    """Graph leaves the start out at times."""
    assert superseded(OLD, replace(NEW, start=None)) == {"old": "new"}


def test_an_end_of_null_is_later_than_any_date():
    """Even than the last date there is."""
    last = replace(OLD, end=datetime.max.replace(tzinfo=UTC))
    assert superseded(last, replace(NEW, end=None)) == {"old": "new"}
    assert superseded(replace(OLD, end=None), replace(NEW, end=None)) == {}


def test_the_successor_is_the_one_that_ends_last_whatever_the_order():
    """Three in a row: both older ones point at the newest; ties fall the same way each time."""
    twin = replace(NEW, uid="newer")
    middle = credential("middle", end=NOW + days(100))
    for order in ([OLD, middle, NEW, twin], [twin, NEW, middle, OLD]):
        assert superseded(*order) == {"old": "newer", "middle": "newer"}


def test_a_removed_one_is_not_superseded():
    """It is gone: there is nothing to supersede."""
    assert superseded(replace(OLD, removed_at=NOW), NEW) == {}


def test_our_own_is_never_superseded_but_may_supersede():
    """Rule 6a: renewing it in Entra is half the work."""
    assert superseded(replace(OLD, own=True), NEW) == {}
    assert superseded(OLD, replace(NEW, own=True)) == {"old": "new"}
    named = successors([replace(OLD, own=True), NEW], NOW, include_own=True)
    assert named == {("contoso", "old"): NEW}


def saml(uid: str, *, active: bool | None, end: datetime) -> Credential:
    """A SAML signing certificate."""
    return credential(uid, kind=Kind.SAML_SIGNING, active=active, end=end)


def test_of_saml_certificates_only_the_active_one_counts_as_a_successor():
    """Rule 6b: a new certificate that nobody activated signs nothing."""
    soon, later = NOW + days(9), NOW + days(900)
    assert (
        superseded(saml("old", active=True, end=soon), saml("new", active=False, end=later)) == {}
    )
    assert superseded(saml("old", active=False, end=soon), saml("new", active=True, end=later)) == {
        "old": "new"
    }


def test_an_active_saml_certificate_is_never_superseded():
    """Rule 6b, even should Graph name two active ones."""
    soon, later = NOW + days(9), NOW + days(900)
    assert superseded(saml("old", active=True, end=soon), saml("new", active=True, end=later)) == {}


@pytest.mark.parametrize("active", [None, False])
def test_without_a_known_active_saml_certificate_nothing_is_superseded(active):
    """Rule 6b: not knowing which one signs is no reason to be silent."""
    pair = [saml("old", active=active, end=NOW), saml("new", active=active, end=NOW + days(900))]
    assert superseded(*pair) == {}


def test_certificates_of_managed_identities_supersede_like_others():
    """Rule 6c: they are listed as superseded; never warning about them is decide's work."""
    old = replace(OLD, kind=Kind.CERTIFICATE, managed_identity=True)
    new = replace(NEW, kind=Kind.CERTIFICATE, managed_identity=True)
    assert superseded(old, new) == {"old": "new"}


def test_one_object_with_very_many_credentials_takes_no_longer_than_many_objects():
    """The work grows with the number of credentials, not with its square."""
    many = [credential(str(n), end=NOW + timedelta(minutes=n + 1)) for n in range(20_000)]
    found = successors(many, NOW)
    assert len(found) == len(many) - 1
    assert {by.uid for by in found.values()} == {str(len(many) - 1)}


# --- own credentials (rule 6a) --------------------------------------------------------------------


def observed(slot: str, **changes) -> ObservedCredential:
    """A secret as a scan saw it, valid, with the hint abc."""
    plain = ObservedCredential(
        kind=Kind.SECRET,
        slot=slot,
        key_id=slot,
        name=None,
        start=NOW - days(10),
        end=NOW + days(10),
        hint="abc",
    )
    return replace(plain, **changes)


def holder(*held: ObservedCredential, object_id: str = "object", app_id: str = "app"):
    """An app that holds these credentials."""
    return ObservedObject(ObjectType.APPLICATION, object_id, app_id, "Lapsewatch", held)


def own_slots(*held: ObservedCredential, hint: str | None = "abc") -> set[str]:
    """Slots of the ones that are ours, when our secret starts with `hint`."""
    found = own_uids([holder(*held)], [OwnCredential("APP", hint)], NOW)
    return {uid.rsplit("/", 1)[1] for uid in found}


def test_a_uid_names_object_kind_and_slot():
    """The store and the own credentials must agree on it."""
    assert credential_uid("object", Kind.SECRET, "1") == "object/secret/1"


def test_our_certificate_is_known_by_its_thumbprint():
    """In either letter case, on the application and on the service principal."""
    held = observed("1", kind=Kind.CERTIFICATE, hint=None, thumbprint="AB12")
    other = replace(held, slot="2", thumbprint="FF00")
    objects = [holder(held, other), holder(held, object_id="principal")]
    own = [OwnCredential("app", None, frozenset({"ab12", "CD34"}))]
    assert own_uids(objects, own, NOW) == {"object/certificate/1", "principal/certificate/1"}


def test_a_certificate_is_not_known_by_the_lack_of_a_thumbprint():
    """Nothing equals nothing here."""
    held = observed("1", kind=Kind.CERTIFICATE, thumbprint=None)
    assert own_uids([holder(held)], [OwnCredential("app", None, frozenset({"AB"}))], NOW) == set()


def test_our_secret_is_known_by_its_hint():
    """An exact hint beats an unknown one, and another hint is another secret."""
    exact, unknown, other = observed("1"), observed("2", hint=None), observed("3", hint="xyz")
    assert own_slots(exact, unknown, other) == {"1"}
    assert own_slots(unknown, other) == {"2"}
    assert own_slots(other) == set()


def test_of_several_that_fit_the_valid_ones_are_ours_else_all():
    """Two with one hint: both; a lapsed one only where none is valid."""
    valid, twin = observed("1"), observed("2")
    lapsed, future = observed("3", end=NOW), observed("4", start=NOW + days(1))
    assert own_slots(valid, twin, lapsed, future) == {"1", "2"}
    assert own_slots(lapsed, future) == {"3", "4"}


def test_a_secret_whose_value_cannot_be_read_may_be_any_of_the_app():
    """Not knowing must not make a warning disappear."""
    assert own_slots(observed("1"), observed("2", hint="xyz"), hint=None) == {"1", "2"}


def test_credentials_of_other_apps_are_not_ours():
    """The hint of a stranger's secret may well be the same."""
    stranger = holder(observed("1"), app_id="stranger")
    nameless = replace(stranger, app_id=None)
    assert own_uids([stranger, nameless], [OwnCredential("app", "abc")], NOW) == frozenset()
    assert own_uids([], [], NOW) == frozenset()
