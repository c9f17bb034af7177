"""Set-ups on their way, and the question whether a test mail arrived."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
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


def test_changes_at_the_same_time_lose_nothing(store: Store) -> None:
    """The terminal and the page at one set-up: each changes what is stored, not what it saw."""
    store.put_draft(Draft("contoso"), now=NOW)

    def answer(number: int) -> None:
        def change(stored: Draft) -> Draft:
            return replace(stored, answers={**stored.answers, f"q{number}": "x"})

        store.change_draft("contoso", change, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(answer, range(24)))
    found = store.draft("contoso")
    assert found is not None
    assert len(found.answers) == 24


def test_a_set_up_that_is_gone_is_not_made_anew_by_a_change(store: Store) -> None:
    """Somebody dropped it while a slow look was under way."""
    assert store.change_draft("contoso", lambda stored: stored, now=NOW) is None
    assert store.drafts() == []


def test_a_change_that_fails_leaves_all_as_it_was(store: Store) -> None:
    """The transaction goes back whole."""
    store.put_draft(Draft("contoso", {"cloud": "dod"}), now=NOW)

    def fail(stored: Draft) -> Draft:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 (our own)
        store.change_draft("contoso", fail, now=NOW)
    assert store.draft("contoso") == Draft("contoso", {"cloud": "dod"})


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
