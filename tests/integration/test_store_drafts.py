"""Set-ups on their way, and the question whether a test mail arrived."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.errors import StoreError
from monitor.model import Confirmation, Draft, SealedValue
from monitor.store import Store
from tests.integration.conftest import Make

NOW = Make.now


def sealed(owner: str) -> SealedValue:
    """A value that some key would open."""
    return SealedValue(owner, "secret", "k1", b"wrapped", b"value", NOW)


def test_a_set_up_is_kept_as_far_as_it_went(store: Store) -> None:
    """Answers and steps, the newest of each; by name."""
    assert (store.drafts(), store.draft("contoso")) == ([], None)
    first = Draft("contoso", {"cloud": "global", "mailbox": "büro@x.example"}, ("directory",))
    store.put_draft(first, now=NOW)
    store.put_draft(Draft("adatum"), now=NOW)
    store.put_draft(Draft("contoso", {"cloud": "dod"}), now=NOW + timedelta(hours=1))
    assert store.draft("contoso") == Draft("contoso", {"cloud": "dod"})
    assert [draft.name for draft in store.drafts()] == ["adatum", "contoso"]
    assert store.drop_draft("contoso")
    assert not store.drop_draft("contoso")


def test_a_secret_may_be_sealed_for_a_set_up_and_goes_with_it(store: Store) -> None:
    """Nobody watches the tenant yet; what nobody uses is not kept."""
    with pytest.raises(StoreError):
        store.put_sealed(sealed("contoso"), tenant="contoso")
    store.put_draft(Draft("contoso"), now=NOW)
    store.put_sealed(sealed("contoso"), tenant="contoso")
    store.drop_draft("contoso")
    assert store.sealed_values() == []


def test_a_watched_tenant_keeps_its_secret_when_its_set_up_ends(store: Store, make: Make) -> None:
    """The draft goes, the tenant signs in with it."""
    store.put_draft(Draft("contoso"), now=NOW)
    store.put_sealed(sealed("contoso"), tenant="contoso")
    store.put_tenant(make.tenant(), now=NOW)
    store.drop_draft("contoso")
    assert [value.owner for value in store.sealed_values()] == ["contoso"]


def test_a_set_up_goes_on_only_from_where_it_is(store: Store) -> None:
    """Of two windows the second writes nothing; nor into a set-up that is over."""
    begun, one, two = (Draft("contoso", {"cloud": cloud}) for cloud in ("", "global", "dod"))
    store.put_draft(begun, now=NOW)
    assert store.replace_draft(begun, one, now=NOW)
    assert not store.replace_draft(begun, two, now=NOW)
    assert store.draft("contoso") == one
    store.drop_draft("contoso")
    assert not store.replace_draft(one, two, now=NOW)
    assert store.drafts() == []


def test_a_set_up_ends_in_a_tenant_once(store: Store, make: Make) -> None:
    """Not where it went on elsewhere, and never over a tenant that is watched by then."""
    begun, later = Draft("contoso"), Draft("contoso", {"cloud": "dod"})
    store.put_draft(later, now=NOW)
    assert not store.finish_draft(begun, make.tenant(), now=NOW)
    assert (store.tenants(), store.drafts()) == ([], [later])
    assert store.finish_draft(later, make.tenant(), now=NOW)
    assert (store.tenant("contoso"), store.drafts()) == (make.tenant(), [])
    store.put_draft(later, now=NOW)
    other = make.tenant(directory_id="7b1c0000-0000-4000-8000-000000000009")
    assert not store.finish_draft(later, other, now=NOW)
    assert (store.tenant("contoso"), store.drafts()) == (make.tenant(), [later])


def test_a_sender_is_in_doubt_until_somebody_saw_the_mail(store: Store, make: Make) -> None:
    """The question, then the answer; both go with the tenant."""
    store.put_tenant(make.tenant(), now=NOW)
    asked = Confirmation("contoso", "a@x.example", NOW, "b@x.example")
    store.put_confirmation(asked)
    assert store.health_of_sender("contoso", "a@x.example").confirmation == asked
    assert "nobody has said" in store.health_of_sender("contoso", "a@x.example").doubt
    told = Confirmation(
        "contoso", "a@x.example", NOW, "b@x.example", "lost", NOW + timedelta(minutes=5), "ann"
    )
    store.put_confirmation(told)
    assert "did not get it" in store.health_of_sender("contoso", "a@x.example").doubt
    assert store.health_of_sender("contoso", "other@x.example").doubt == ""
    store.remove_tenant("contoso")
    assert store.health_of_sender("contoso", "a@x.example").confirmation is None
    with pytest.raises(StoreError):
        store.put_confirmation(asked)
