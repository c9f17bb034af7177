"""Mails about what is renewed or removed name the right one, and what matters comes first."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.mail import closings
from monitor.model import Kind, MailKind, ObjectType
from monitor.render import DigestItem
from tests.acceptance.test_mail_rules import MAILS, Page
from tests.mail_crowds import removed
from tests.mail_nouns import NOW, ids, item, many_turns, over_item, tenant
from tests.mail_samples import digest
from tests.unit.test_mail_files import rows_of

SIGNS_IN = re.compile(r"sign(?:s|ing)? in|sign-in|key id|Lapsewatch itself", re.IGNORECASE)


def entries(text: str) -> list[str]:
    """What is told in full, as it stands."""
    return re.split(r"(?m)^\d+\. (?=[A-Z]{4,}: )", text.partition("\nAnd ")[0])[1:]


# --- which one is named ---------------------------------------------------------------------------


def test_an_entry_is_titled_with_the_new_one_and_names_the_old_one_beside_it() -> None:
    """The end in its head is the new one's: no other key id may stand above it."""
    for part in (MAILS["renewed-one"].text, Page(MAILS["renewed-one"].html).text):
        head = part.partition("now valid for 372 days")[2].partition("The old one")[0]
        assert "key id ffee0011" in head
        assert "ab12cd34" not in head
        assert "The new one" not in part


def test_beside_other_news_the_entry_names_the_new_one_too() -> None:
    """It is the same entry."""
    [entry] = re.findall(r"- RENEWED: (?:.+\n)+", MAILS["renewed-beside"].text)
    assert 'secret "smtp-2026" (key id ffee0011) in Contoso' in entry
    assert '"smtp-2024" (key id ab12cd34) is still there until Sat 5 Dec 2026' in entry


def test_a_line_says_whether_its_old_one_is_still_there() -> None:
    """Of 150 somebody has to know which."""
    mail = digest(*many_turns(200))
    told = {
        key: row["newer_key_id"] != "" and row["removed_at"] == ""
        for row in rows_of(mail)
        for key in (row["app_id"], row["object_id"])
    }
    lines = re.findall(r"(?m)^- now valid .*", mail.text)
    assert len(lines) > 100
    for line in lines:
        found = re.search(r"(?:app|object) id (\S+)$", line)
        assert ("old one (key id " in line) is (found is not None and told[found[1]])
    assert any("still there until" in line for line in lines)


def test_the_first_lines_count_the_old_ones_that_are_still_there() -> None:
    """As many as the file has."""
    mail = digest(*many_turns(200))
    left = [row for row in rows_of(mail) if row["newer_key_id"] and not row["removed_at"]]
    assert f"{len(left)} old ones are still there: delete each" in mail.text


def test_the_file_tells_the_new_one_and_whether_the_old_one_is_gone() -> None:
    """A row is the old one's: that is what is to be deleted."""
    kept, lost = over_item(app_name="A"), over_item(app_name="B", gone=True)
    few = [over_item(app_name=f"C{number}", new=False) for number in range(30)]
    rows = {row["app_name"]: row for row in rows_of(digest(kept, lost, *few))}
    assert rows["A"]["newer_key_id"] == rows["B"]["newer_key_id"] == "ffee0011-22"
    assert rows["A"]["newer_end"] == "2027-11-30T08:00:00Z"
    assert rows["A"]["removed_at"] == ""
    assert rows["B"]["removed_at"] == rows["C1"]["removed_at"] == "2026-11-23T04:00:00Z"
    assert rows["C1"]["newer_key_id"] == rows["C1"]["newer_end"] == ""


# --- order and headings ---------------------------------------------------------------------------


def test_a_long_mail_about_renewals_shows_renewals_and_removals() -> None:
    """What may be an accident comes first, and does not take all the room."""
    states = [entry.split(":")[0] for entry in entries(MAILS["renewed-200"].text)]
    assert states == sorted(states)  # REMOVED before RENEWED
    assert len(states) // 4 <= states.count("REMOVED") <= len(states) // 3


def test_what_leaves_something_to_do_comes_before_what_does_not() -> None:
    """Among the renewed ones."""
    made = [over_item(app_name="B", gone=True), over_item(app_name="C"), over_item(life=True)]
    shown = closings.in_order([*made, over_item(app_name="D", new=False)], 25)
    assert [each.notice.credential.app_name for each in shown] == ["D", "C", "B", "Backup SMTP"]


@pytest.mark.parametrize("room", [1, 2, 6, 25, 400])
@pytest.mark.parametrize("count", [1, 4, 30, 200])
def test_no_order_loses_anything(room: int, count: int) -> None:
    """Whatever there is room for."""
    made = many_turns(count)
    shown = closings.in_order(made, room)
    assert sorted(map(id, shown)) == sorted(map(id, made))


def test_nothing_that_may_be_an_accident_is_called_done() -> None:
    """Above the list, and in a mail about something else."""
    lost = over_item(app_name="Gone", new=False)
    pairs = [over_item(day, app_name=f"App {day}") for day in range(5)]
    assert "What is renewed\n---" in digest(*pairs).text
    both = digest(*pairs, lost).text
    assert "What changed\n---" in both
    assert "Done" not in both
    aside = digest(item(), lost).text
    assert "Changed since the last mail\n---" in aside
    assert "Done since" not in aside


def test_green_is_only_for_what_is_well() -> None:
    """A removal among the renewed ones takes the green away; many at once are no calm matter."""
    new, lost = over_item(), over_item(app_name="Gone", new=False)
    assert closings.tone(MailKind.RENEWED, [new]) == "good"
    assert closings.tone(MailKind.RENEWED, [new, lost]) == "calm"
    assert closings.tone(MailKind.REMOVED, [lost]) == "calm"
    assert closings.tone(MailKind.REMOVED, removed(5)) == "warning"


# --- words that fit -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.ITEM, Kind.GDAP])
@pytest.mark.parametrize("new", [True, False])
def test_nothing_signs_in_with_a_date_or_a_relationship(kind: Kind, new: bool) -> None:
    """Neither renewed nor removed."""
    where = ObjectType.ITEM if kind is Kind.ITEM else ObjectType.RELATIONSHIP
    text = digest(over_item(kind=kind, object_type=where, new=new, life=new, **ids(1, kind))).text
    assert not SIGNS_IN.search(text), text
    assert "secret" not in text
    assert "in Entra" not in text.replace("not from Entra", "")


@pytest.mark.parametrize("name", ["renewed-many", "renewed-200"])
def test_the_words_of_many_kinds_fit_each_of_them(name: str) -> None:
    """Nobody signs in with a watched date."""
    text = MAILS[name].text
    for kind in ("watched date", "GDAP relationship", "token-encryption certificate"):
        assert f"signs in with this {kind}" not in text
    assert "is put back on its list" in text


def test_the_portal_pages_are_those_of_the_reminders() -> None:
    """SAML, token encryption and symmetric keys have none under Certificates & secrets."""
    found = {}
    for entry in entries(MAILS["renewed-200"].text):
        kind = next(word for word in ("SAML", "token-encryption", "symmetric", "") if word in entry)
        label = re.search(r"Portal, (.*):", entry)
        found.setdefault(kind, set()).add(label[1] if label else "")
    assert found["SAML"] == {"Single sign-on"}
    assert found["token-encryption"] == {"the app's manifest"}
    assert found["symmetric"] == {"the enterprise application"}


def test_one_is_spoken_of_in_the_singular_and_many_in_the_plural() -> None:
    """In the steps and in the foot."""
    one, many = MAILS["removed-one"].text, MAILS["removed-200"].text
    assert "there is nothing to do" in one
    assert "Then nothing is to do" not in one + many
    assert "shows who removed it and when" in one
    assert "If it comes back, the reminders go on." in one
    for words in ("uses the secret", "removed it", "If it comes back", "warned about this."):
        assert words not in many
    assert "If one comes back, its reminders go on." in many


def test_two_that_went_apart_read_calm() -> None:
    """And plural."""
    mail = digest(*(over_item(day, new=False, app_name=f"App {day}") for day in (2, 4)))
    assert not mail.urgent
    assert "REMOVED: 2 secrets are gone - Contoso" in mail.subject
    assert "Where nothing uses them any more, there is nothing to do." in mail.text
    assert "Does anything still use one of them?" in mail.text
    assert "within one scan" not in mail.text


# --- many at once ---------------------------------------------------------------------------------


def test_many_at_once_say_so_and_what_comes_first() -> None:
    """Subject, first lines, importance, and the audit log as the first step; in both parts."""
    mail = MAILS["removed-200"]
    assert mail.subject == "[Lapsewatch] REMOVED: 200 secrets are gone at once - Contoso"
    assert mail.urgent
    for part in (mail.text, Page(mail.html).text):
        start = part[:900]
        assert "All of them went within one scan, seen on Mon 23 Nov 2026, 05:00 CET." in start
        assert "Find out first who or what removed them." in start
        assert re.search(r"1\.\s+Look first at the audit log of Entra", part)
        assert "nothing to do" not in part


def test_four_at_once_are_not_many_and_two_scans_are_not_one() -> None:
    """The number is of one tenant and one scan."""
    assert closings.at_once(removed(4)) == []
    five = removed(5)
    assert closings.at_once(five) == [five]
    gone = replace(five[0].notice.credential, removed_at=NOW - timedelta(hours=9))
    apart = replace(five[0], notice=replace(five[0].notice, credential=gone))
    assert closings.at_once([apart, *five[1:]]) == []
    other = replace(five[0], tenant=tenant("Fabrikam"))
    assert closings.at_once([other, *five[1:]]) == []
    dates = [
        replace(
            one,
            notice=replace(one.notice, credential=replace(one.notice.credential, kind=Kind.ITEM)),
        )
        for one in five
    ]
    assert closings.at_once(dates) == []  # taken from a list of ours, by intent


def went(name: str, count: int) -> list[DigestItem]:
    """So many of a tenant, in one scan of it."""
    who = tenant(name)
    return [over_item(5, who=who, new=False, app_name=f"App {n}", **ids(n)) for n in range(count)]


def test_the_scans_in_which_many_went_are_named() -> None:
    """Gravest first; more than a sentence holds are counted."""
    one = digest(*went("Fabrikam", 6), *went("Contoso", 2)).text
    assert "6 of them went within one scan of Fabrikam, seen on Mon 23 Nov 2026" in one
    two = digest(*went("Fabrikam", 6), *went("Contoso", 7)).text
    assert "All of them went within 2 scans: 7 of Contoso, 6 of Fabrikam." in two
    five = digest(*(one for n in range(5) for one in went(f"T{n}", 5 + n))).text
    assert "within 5 scans: 9 of T4, 8 of T3, 7 of T2 and 2 more." in five


def test_many_at_once_are_said_beside_other_news_too() -> None:
    """The mail about what is due is not to hide them."""
    mail = digest(item(), *went("Contoso", 5))
    assert mail.urgent
    for part in (mail.text, Page(mail.html).text):
        assert "5 of them went within one scan: find out first who or what removed" in part
