"""Secrets in use are never deleted, and what was proven is what is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.config import load
from monitor.errors import SettingsError, UsageError
from monitor.model import CredentialRef, SealedValue
from monitor.roster import read
from tests.acceptance.setup_room import NAME, Browser, Newcomer, new, served

__all__ = ["new"]  # a fixture


def watched(new: Newcomer) -> None:
    """The tenant, set up with its secret typed."""
    new.consent()
    new.run_script()
    wizard, now = new.app.wizard, new.app.clock()
    draft = wizard.begin(NAME, now)
    for answers in new.right_answers().values():
        draft = wizard.answer(draft, answers, now) if answers else draft
    wizard.finish(draft, now)


def kept(new: Newcomer) -> Path:
    """The file that the tenant signs in with."""
    entry = new.app.store.tenant(NAME)
    assert entry is not None
    return Path(entry.credential.reference.removeprefix("file:"))


def test_a_dropped_set_up_leaves_the_secret_that_a_tenant_signs_in_with(new: Newcomer) -> None:
    """Also where the tenant came from a file while its set-up was on its way."""
    wizard, now = new.app.wizard, new.app.clock()
    watched(new)
    entry = new.app.store.tenant(NAME)
    assert entry is not None
    draft = replace(
        wizard.begin("other", now), name=NAME, answers={"credential": entry.credential.reference}
    )
    new.app.store.put_draft(draft, now=now)
    wizard.forget(draft)
    assert kept(new).is_file()
    assert new.app.store.draft(NAME) is None


def test_what_changed_while_a_secret_was_proven_is_not_written_over(new: Newcomer) -> None:
    """A tenant that signs in elsewhere by then keeps its own; a removed one stays removed."""
    watched(new)
    store, renewals, now = new.app.store, new.app.wizard.renewals, new.app.clock()
    seen = store.tenant(NAME)
    assert seen is not None
    moved = replace(seen, client_id="1f3e0000-0000-4000-8000-000000000001")
    store.put_tenant(moved, now=now)
    fresh = renewals.taken(NAME, "secret", new.new_secret())
    with pytest.raises(UsageError, match="was changed meanwhile"):
        renewals.renew(seen, fresh, sending=False, now=now)
    assert store.tenant(NAME) == moved
    assert kept(new).is_file()
    assert not Path(fresh.reference.removeprefix("file:")).exists()
    store.remove_tenant(NAME)
    fresh = renewals.taken(NAME, "secret", new.new_secret("third"))
    with pytest.raises(UsageError, match="was removed meanwhile"):
        renewals.renew(seen, fresh, sending=False, now=now)
    assert store.tenants() == []


def test_a_corrected_directory_keeps_the_sealed_secret_that_its_entry_names(
    new: Newcomer,
) -> None:
    """One slip in a file must not cost a value that nobody has a second time."""
    watched(new)
    store, now = new.app.store, new.app.clock()
    entry = store.tenant(NAME)
    assert entry is not None
    for field in ("secret", "old"):
        store.put_sealed(SealedValue(NAME, field, "k", b"w", b"v", now), tenant=NAME)
    slip = replace(
        entry,
        directory_id="7b1c0000-0000-4000-8000-000000000009",
        credential=CredentialRef("secret", f"sealed:{NAME}/secret"),
    )
    assert store.put_tenant(slip, now=now) == "replaced"
    assert [value.field for value in store.sealed_values()] == ["secret"]


def test_only_a_tenant_may_sign_in_with_a_tenants_sealed_secret(
    new: Newcomer, tmp_path: Path
) -> None:
    """It goes when the tenant goes; an app and the operator have values of their own."""
    file = tmp_path / "apps.toml"
    app = '[[app]]\nname = "msp"\nclient_id = "1f3e0000-0000-4000-8000-000000000001"\n'
    file.write_text(f'{app}credential = {{ secret = "sealed:{NAME}/secret" }}\n')
    [bad] = read(file, new.app.configuration).errors
    assert f"sealed value of the tenant {NAME}" in str(bad)
    file.write_text(f'{app}credential = {{ secret = "sealed:app:msp/secret" }}\n')
    assert read(file, new.app.configuration).errors == ()
    settings = tmp_path / "operator.toml"
    settings.write_text(
        '[operator.sender]\nmailbox = "noc@msp.example"\n'
        'client_id = "1f3e0000-0000-4000-8000-000000000001"\n'
        f'credential = {{ secret = "sealed:{NAME}/secret" }}\n'
    )
    with pytest.raises(SettingsError, match="seal it for the operator"):
        load(settings)


@pytest.mark.parametrize("form", ["certificate", "federated", "managed_identity"])
def test_a_secret_in_the_place_of_a_file_is_refused_and_kept_nowhere(
    new: Newcomer, form: str
) -> None:
    """The field for it is hidden; its text would stand in the database and on every page."""
    with served(new.web) as address, Browser(address, new.link()) as browser:
        browser.up_to(new, "credential")
        answer = browser.step("credential", form=form, credential=new.secret)
        assert "for a client secret only" in answer.text
        assert new.secret not in "".join(browser.texts)
    assert new.secret not in str(new.app.store.draft(NAME))
