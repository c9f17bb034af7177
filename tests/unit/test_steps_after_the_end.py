"""What has lapsed gets the steps for after its end, and what has not those for before it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from monitor.model import Item, Kind, ObjectType, Sort
from monitor.render import DigestItem
from tests import mail_samples as sample

SAML: dict[str, Any] = {"kind": Kind.SAML_SIGNING, "object_type": ObjectType.SERVICE_PRINCIPAL}
GDAP: dict[str, Any] = {"kind": Kind.GDAP, "object_type": ObjectType.RELATIONSHIP}
BEFORE = {
    "saml": "Leave the old one active for now|Agree on a time",
    "gdap": "If it offers Auto extend, turn it on",
    Sort.APPLE_PUSH: r"Renew it in Apple's",
    Sort.CERTIFICATE: "Renew the certificate with whoever issued it",
    Sort.CONTRACT: "prepare its end",
    Sort.DOMAIN: "with its registrar\\.",
    Sort.OTHER: r"\. Renew it with whoever issued it\.",
}
AFTER = {
    "saml": "As soon as the app has it, make it active and test a sign-in",
    "gdap": "ended and cannot be extended. Request a new admin relationship",
    Sort.APPLE_PUSH: "It has ended. Renew it at once in Apple's",
    Sort.CERTIFICATE: "programs refuse it. Get a new one",
    Sort.CONTRACT: "The contract has ended. Agree on a new one",
    Sort.DOMAIN: "at once. Most give it back for some weeks",
    Sort.OTHER: "It has ended. Renew it with whoever issued it, or end what relies on it",
}


def about(what: str, days: int) -> DigestItem:
    """A notice about a SAML certificate, a relationship, or a watched date of this sort."""
    if what in ("saml", "gdap"):
        return sample.item(days, **(SAML if what == "saml" else GDAP))
    item = Item("Contoso", "Device push", Sort(what))
    kept: dict[str, Any] = {
        "kind": Kind.ITEM, "object_type": ObjectType.ITEM, "object_id": item.object_id,
        "app_id": None, "app_name": item.name, "name": item.label, "owners": None,
    }  # fmt: skip
    return replace(sample.item(days, **kept), note=item.note)


@pytest.mark.parametrize("what", BEFORE)
@pytest.mark.parametrize("beside", [0, 5])
def test_before_the_end_and_after_it_the_steps_differ(what: str, beside: int) -> None:
    """As a card and as a row; what is agreed or extended in good time cannot be so any more."""
    others = [sample.item(20 + day, app_name=f"App {day}") for day in range(beside)]
    due, over = (sample.digest(about(what, days), *others) for days in (7, -3))
    assert re.search(BEFORE[what], due.text)
    assert AFTER[what] not in due.text
    assert AFTER[what] in over.text
    assert not re.search(BEFORE[what], over.text)


@pytest.mark.parametrize("what", BEFORE)
def test_a_mail_with_both_has_both_sets_of_steps_and_says_which_is_which(what: str) -> None:
    """The one for what has lapsed is called so."""
    text = sample.digest(about(what, 7), about(what, -3)).text
    assert AFTER[what] in text
    assert re.search(BEFORE[what], text)
    assert text.count("What to do: Lapsed ") == 1


@pytest.mark.parametrize("days", [7, -3])
def test_a_saml_certificate_becomes_active_only_once_the_app_has_it(days: int) -> None:
    """Some apps do not look at the end: to activate first would break them."""
    text = sample.digest(about("saml", days)).text
    steps = [text.index(word) for word in ("Add a new", "whoever runs the app", "test a sign-in")]
    assert steps == sorted(steps)


@pytest.mark.parametrize("days", [7, -3])
def test_an_apple_push_certificate_is_renewed_and_not_made_anew(days: int) -> None:
    """With another Apple account, or another certificate, every device is enrolled again."""
    text = sample.digest(about(Sort.APPLE_PUSH, days)).text
    assert "with the Apple account that made it" in text
    assert "Choose Renew beside it, not Create a Certificate" in text


def test_a_lapsed_date_that_nobody_needs_can_be_taken_out() -> None:
    """Nothing else would end its reminders; before the end nobody is told to."""
    assert "`lapsewatch item remove`" in sample.digest(about(Sort.OTHER, -3)).text
    assert "lapsewatch item remove" not in sample.digest(about(Sort.OTHER, 3)).text
