"""A new credential for a watched tenant, by the page: proven first, or refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.model import CredentialRef, SharedApp
from tests.acceptance.setup_room import (
    NAME,
    PAGE,
    WRONG,
    Browser,
    Newcomer,
    mine,
    new,
    watched,
    words,
)

__all__ = ["mine", "new"]  # fixtures


def test_a_new_secret_is_proven_before_the_old_one_goes(new: Newcomer, mine: Browser) -> None:
    """A wrong one changes nothing and leaves nothing; a right one takes its place."""
    watched(new, mine)
    before = new.app.store.tenant(NAME)
    page = mine.send(f"{PAGE}/credential", form="secret", credential=WRONG)
    assert "so the old one stays" in words(page.text)
    assert new.app.store.tenant(NAME) == before
    assert [file.name for file in (new.folder / "secrets").glob(f"{NAME}+*")] == [f"{NAME}+1"]
    second = new.new_secret()
    page = mine.send(f"{PAGE}/credential", form="secret", credential=second)
    assert "The new one is in use" in words(page.text)
    files = list((new.folder / "secrets").glob(f"{NAME}+*"))
    assert [file.read_text().strip() for file in files] == [second]
    assert new.app.report().canaries[0].result == "ok"  # still confirmed: it is the same path
    assert len(new.cloud.inbox.messages) == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"form": "secret"}, "Please fill this in"),
        ({"form": "secret", "credential": "a-value", "place": "env:X"}, "one of the two"),
        ({"form": "secret", "credential": "7b1c0000-0000-4000-8000-000000000001"}, "secret's ID"),
        ({"form": "nonsense", "place": "env:X"}, "must be one of"),
        ({"form": "managed_identity", "place": "env:X"}, "GUID"),
        ({"form": "secret", "place": "sealed:other/secret"}, "a secret of other"),
        ({"form": "secret", "place": "keyvault:"}, "keyvault"),
    ],
    ids=str,
)
def test_a_credential_that_cannot_be_right_is_refused_at_once(
    new: Newcomer, mine: Browser, fields: dict[str, str], told: str
) -> None:
    """Nothing is asked, nothing is kept."""
    watched(new, mine)
    calls = len(new.cloud.inbox.messages)
    page = mine.send(f"{PAGE}/credential", **fields)
    assert page.status_code == 422
    assert told in words(page.text)
    assert len(new.cloud.inbox.messages) == calls
    assert [file.name for file in (new.folder / "secrets").glob(f"{NAME}+*")] == [f"{NAME}+1"]


def test_the_credential_of_a_shared_app_is_not_replaced_for_one_tenant(
    new: Newcomer, mine: Browser
) -> None:
    """The others use it, too; the page says where it is changed."""
    watched(new, mine)
    entry = new.app.store.tenant(NAME)
    new.app.store.put_shared_app(
        SharedApp("msp", entry.client_id, entry.credential), now=new.app.clock()
    )
    new.app.store.put_tenant(replace(entry, app="msp"), now=new.app.clock())
    assert "shared app msp" in words(mine.get(f"{PAGE}/credential").text)
    page = mine.send(f"{PAGE}/credential", form="secret", credential=WRONG)
    assert (page.status_code, "serves several tenants" in page.text) == (422, True)


def test_a_sender_with_a_credential_of_its_own_gets_its_own(new: Newcomer, mine: Browser) -> None:
    """The reading credential stays what it was."""
    watched(new, mine)
    entry = new.app.store.tenant(NAME)
    own = CredentialRef("secret", entry.credential.reference)
    sender = replace(entry.sender, client_id=entry.client_id, credential=own)
    new.app.store.put_tenant(replace(entry, sender=sender), now=new.app.clock())
    assert "The one for sending as" in words(mine.get(f"{PAGE}/credential").text)
    second = new.new_secret()
    mine.send(f"{PAGE}/credential", which="sender", form="secret", credential=second)
    now = new.app.store.tenant(NAME)
    assert now.credential == entry.credential
    assert now.sender.credential.reference.endswith(f"{NAME}+2")
    assert (new.folder / "secrets" / f"{NAME}+1").exists()  # the other still signs in with it
