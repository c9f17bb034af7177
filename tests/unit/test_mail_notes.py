"""Where the new value goes, as the last step of a renewal; and mails about dates people keep."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from monitor.model import Item, Kind, MailKind, Note, ObjectType, Sort
from monitor.render import DigestItem
from tests import mail_samples as sample
from tests.acceptance.test_mail_parts import spoken
from tests.acceptance.test_mail_rules import HOSTILE, Page, shape

NOTE = Note(
    "Contoso",
    "Backup*",
    used_by=("Veeam",),
    where=("Veeam console, SMTP settings", 'KeePass, "Backup SMTP"'),
    owner="ada.lovelace@contoso.example",
    runbook="https://wiki.contoso.example/backup",
    remark="Restart the service",
)


def noted(note: Note = NOTE, days: int = 7, **changes: object) -> DigestItem:
    """A notice about a credential that somebody keeps a note about."""
    return replace(sample.item(days, **changes), note=note)


def watched(sort: Sort = Sort.APPLE_PUSH, days: int = 7, **changes: object) -> DigestItem:
    """A notice about a date that somebody keeps."""
    item = Item("Contoso", "Device push", sort, used_by=("Intune",), where=("Intune",), owner="Kim")
    item = replace(item, **changes)
    about = {
        "kind": Kind.ITEM, "object_type": ObjectType.ITEM, "object_id": item.object_id,
        "app_id": None, "app_name": item.name, "name": item.label, "key_id": item.object_id,
        "owners": None,
    }  # fmt: skip
    return replace(sample.item(days, **about), note=item.note)


def test_the_last_steps_say_where_the_new_value_goes() -> None:
    """After what is done in Entra, and before the old one is deleted."""
    text = sample.digest(noted()).text
    assert (
        '3. Enter the new value at: 1. Veeam console, SMTP settings; 2. KeePass, "Backup SMTP". '
        "Kept by ada.lovelace@contoso.example. Runbook: https://wiki.contoso.example/backup\n"
    ) in text
    assert text.index("portal. Add a new client secret") < text.index("3. Enter the new value")
    assert text.index("3. Enter the new value") < text.index("5. Delete the old secret")
    assert "Used by: Veeam\n" in text
    assert "Remark: Restart the service\n" in text


def test_two_cards_have_two_last_steps() -> None:
    """Each names the app that it is about."""
    other = replace(NOTE, where=("Fax server",))
    text = sample.digest(noted(), noted(other, 9, app_name="Fax")).text
    assert 'Secret of an app registration, "Backup SMTP"' in text
    assert 'Secret of an app registration, "Fax"' in text
    assert "Enter the new value at: Fax server." in text


def test_many_items_name_the_places_beside_each_one() -> None:
    """Twenty guides would bury the first."""
    mail = sample.digest(*(noted(days=day, app_name=f"App {day}") for day in range(1, 8)))
    assert mail.text.count("Enter it at: 1. Veeam console") == 7
    assert mail.text.count("What to do") == 1
    assert mail.html.count("Enter it at") == 7


def test_lapsewatchs_own_secret_is_entered_in_lapsewatch_first() -> None:
    """A note adds the other places."""
    text = sample.digest(noted(own=True)).text
    assert text.index("Put the new value where Lapsewatch reads it") < text.index("Enter the new")


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:24])
def test_a_hostile_note_adds_no_element_and_no_link(name: str) -> None:
    """What is noted may come from anybody's spreadsheet."""
    bad = Note("Contoso", "*", used_by=(name,), where=(name, name), owner=name, remark=name)
    calm = replace(bad, used_by=("x",), where=("x", "x"), owner="x", remark="x")
    for many in (1, 6):
        one, other = (
            sample.digest(*(noted(note, day, app_name=f"A{day}") for day in range(1, many + 1)))
            for note in (bad, calm)
        )
        if name:
            assert shape(one.html) == shape(other.html)
        page = Page(one.html)
        assert page.links == Page(other.html).links
        for link in re.findall(r"\w+://\S*", one.text + page.text):
            assert link.startswith("https://portal.azure.com/") or "lapsewatch.msp" in link


@pytest.mark.parametrize("count", [1, 6])
def test_text_and_html_hold_the_same_places(count: int) -> None:
    """Some people read only the one, some only the other."""
    mail = sample.digest(*(noted(days=day, app_name=f"App {day}") for day in range(1, count + 1)))
    for word in ("veeam", "keepass", "restart", "kept"):
        assert word in spoken(mail.text)
        assert word in spoken(Page(mail.html).text)
    assert "https://wiki.contoso.example/backup" in Page(mail.html).text


@pytest.mark.parametrize(
    ("sort", "words"),
    [
        (Sort.APPLE_PUSH, 'The Apple push certificate of "Device push" in Contoso expires'),
        (Sort.CONTRACT, 'The contract of "Device push"'),
        (Sort.DOMAIN, 'The domain of "Device push"'),
        (Sort.CERTIFICATE, 'The certificate of "Device push"'),
        (Sort.OTHER, 'The watched date of "Device push"'),
    ],
)
def test_a_watched_date_is_told_in_words_of_its_own(sort: Sort, words: str) -> None:
    """It is no secret, no portal knows it, and no az command renews it."""
    mail = sample.digest(watched(sort))
    assert words in mail.text
    assert "What breaks: Whatever relies on it: Intune." in mail.text
    assert "Used by" not in mail.text
    assert "Enter the new one at: Intune." in mail.text
    assert "Owner: Kim\n" in mail.text
    assert "lapsewatch item add" in mail.text
    for word in ("secret", "portal", "az login", "Entra", "key id"):
        assert word not in mail.text
    assert Page(mail.html).links == {"https://lapsewatch.msp.example/"}


def test_a_date_that_a_server_shows_is_read_again_by_itself() -> None:
    """Nobody has to type the new one."""
    mail = sample.digest(watched(Sort.CERTIFICATE, host="mail.contoso.example:443"))
    assert "certificate at mail.contoso[.]example:443 in Contoso" in mail.text
    assert "The next scan of the tenant reads the new end" in mail.text


def test_a_lapsed_date_is_lapsed_like_any_other() -> None:
    """Same stages, same words."""
    mail = sample.digest(watched(Sort.CONTRACT, days=-3))
    assert mail.kind is MailKind.LAPSED
    assert '"Device push" contract expired 3 days ago' in mail.subject
