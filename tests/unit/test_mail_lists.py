"""Long digests: short lines that can be acted upon, what commands ask for, and where all is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from monitor.model import Kind, Mail, ObjectType
from monitor.render import DigestItem, Renderer, long_date
from tests import mail_samples as sample
from tests.acceptance.test_mail_rules import MAILS, Page
from tests.mail_nouns import ids
from tests.unit.test_mail_files import file_of, rows_of

CAPITALS = r"\b[A-Z]+_[A-Z_]*[A-Z]\b"


def customers(count: int, tenants: int) -> list[DigestItem]:
    """So many secrets, the last of them in tenants that have no other."""
    found = []
    for day in range(1, count + 1):
        number = max(day - count + tenants, 1)
        who = sample.tenant(f"Customer {number:03d}", directory_id=f"{number:08d}-0000")
        found.append(sample.item(day, who=who, app_name=f"App {day}", **ids(day)))
    return found


def legends(mail: Mail) -> list[str]:
    """What the mail says to put for words in capitals, one for each part with commands."""
    return re.findall(r"(?m)^(?:APP|OBJECT|DIRECTORY)_ID: .*", mail.text)


def test_twenty_five_are_told_in_full_and_each_other_one_in_a_line() -> None:
    """A digest that counts as told names every credential, in both parts, however many."""
    assert "more:\n" not in sample.digest(*sample.many(26)[1:]).text
    mail = sample.digest(*sample.many(27)[1:])
    assert "And 1 more:" in mail.text
    items = sample.many(300)
    mail = sample.digest(*items)
    for item in items:
        one = item.notice.credential
        shown = {
            Kind.GDAP: one.object_id,
            Kind.ITEM: long_date(one.end or sample.NOW, sample.BERLIN),
        }
        assert shown.get(one.kind, f"key id {(one.key_id or '')[:8]}") in mail.text
    assert len(mail.html.encode()) < 100_000
    assert "All 300 are in the attached lapsewatch.csv." in mail.html
    assert "All 300 are in the attached lapsewatch.csv.\n" in mail.text


def test_the_directories_of_what_stands_in_short_lines_are_named_too() -> None:
    """Who begins with such a line needs its directory as much."""
    mail = sample.digest(*customers(30, 3))
    assert "Customer 003" not in mail.text.partition("\nAnd ")[0]
    for told in (legends(mail)[0], Page(mail.html).text):
        assert "00000001-0000 (Customer 001), 00000002-0000 (Customer 002), " in told
        assert "00000003-0000 (Customer 003)." in told


def test_of_many_directories_some_are_named_and_the_file_has_the_others() -> None:
    """Without a file all are named: nothing is left to guess."""
    mail = sample.digest(*customers(40, 20))
    assert legends(mail)[0].endswith("(Customer 010) and 10 more: see lapsewatch.csv.")
    assert {row["directory_id"] for row in rows_of(mail)} >= {f"{n:08d}-0000" for n in range(1, 21)}
    few = sample.digest(*customers(20, 20))
    assert file_of(few, ".csv") is None
    assert legends(few)[0].endswith("00000020-0000 (Customer 020).")


def test_a_sort_that_stands_in_short_lines_only_has_its_steps() -> None:
    """They would be looked for in vain."""
    late = sample.item(50, kind=Kind.CERTIFICATE, app_name="Late")
    assert "What to do: Certificate of an app" in sample.digest(*customers(30, 1), late).text


WITH_COMMANDS = [name for name, mail in MAILS.items() if legends(mail)]


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_each_word_in_capitals_is_explained_where_commands_use_it_and_nowhere_else(
    name: str,
) -> None:
    """What is not asked for only puzzles."""
    for part in MAILS[name].text.split("\nWhat to do: "):
        told = legends(part_of(part))
        commands = part.partition("Or by command")[2]
        for line in told:
            commands = commands.replace(line, "")
        used = set(re.findall(CAPITALS, commands)) if told else set()
        assert used == {word for line in told for word in re.findall(rf"({CAPITALS}): ", line)}


def part_of(text: str) -> Mail:
    """A mail of which only the text matters."""
    return Mail(sample.digest(sample.item()).kind, "", text, "")


@pytest.mark.parametrize("name", [name for name in MAILS if "-200" in name and "items" not in name])
def test_each_short_line_has_the_id_that_it_is_acted_upon_with(name: str) -> None:
    """An app's, an object's or a relationship's; two with one name differ in it."""
    block = re.search(r"(?m)^And \d+ more:\n((?:- .*\n)+)All ", MAILS[name].text)
    lines = [line for line in block[1].splitlines() if "watched date" not in line] if block else []
    assert all(re.search(r", (app|object|relationship) id [0-9a-f-]{36}$", line) for line in lines)
    assert len(set(lines)) == len(lines)


def test_the_line_of_a_service_principal_has_the_id_that_its_commands_take() -> None:
    """Its app id would not do."""
    about: dict[str, Any] = {"object_type": ObjectType.SERVICE_PRINCIPAL, "kind": Kind.SAML_SIGNING}
    mail = sample.digest(*customers(30, 1), sample.item(50, **about))
    assert f", object id {sample.OBJECT_ID}\n" in mail.text


def test_what_is_cut_beside_the_main_list_is_in_the_file_too() -> None:
    """It has no notice, so the file would not have it otherwise."""
    old = [(sample.tenant(), sample.credential(-50 - n, app_name=f"Old {n}")) for n in range(12)]
    new = sample.credential(400)
    pairs = [(who, sample.credential(n + 9, app_name=f"Two {n}"), new) for n, (who, _) in
             enumerate(old)]  # fmt: skip
    mail = sample.digest(sample.item(), still_lapsed=old, covered=pairs)
    for told in (mail.text, Page(mail.html).text):
        assert told.count("All 12 are in the attached lapsewatch.csv.") == 2
    rows = rows_of(mail)
    assert [row["state"] for row in rows] == ["critical", *["lapsed"] * 12, *["covered"] * 12]
    assert {row["app_name"] for row in rows} >= {f"Old {n}" for n in range(12)}
    assert rows[1]["days_left"] == "-50"


@pytest.mark.parametrize("kind", ["renewed", "removed", "unexpected", "covered"])
def test_the_file_calls_a_turn_what_the_mail_calls_it(kind: str) -> None:
    """What is renewed is not critical any more."""
    states = {row["state"] for row in rows_of(MAILS[f"{kind}-200"])}
    assert kind in states
    assert states <= {"renewed", "removed", "unexpected", "covered"}


def test_a_file_without_room_for_all_is_not_said_to_have_all() -> None:
    """The text part has a line for each."""
    long: dict[str, Any] = {"name": "=" * 5000, "owners": ("o" * 900,) * 50}
    mail = sample.digest(*(sample.item(7, uid=str(n), **long) for n in range(1500)))
    [told] = re.findall(r"(?m)^The text part of this mail has a line for each one.*", mail.text)
    left = 1500 - len(rows_of(mail)) + 1
    assert told.endswith(f"the attached lapsewatch.csv all but the last {left}.")
    assert told in Page(mail.html).text


def test_without_a_status_page_the_list_leads_to_the_file_only() -> None:
    """An address that nobody set is no help."""
    renderer = Renderer(clouds=sample.CLOUDS)
    mail = renderer.digest(
        customers(30, 1), recipient="a@b.example", zone=sample.BERLIN, now=sample.NOW, as_of={}
    )
    for told in (mail.text, Page(mail.html).text):
        assert "All 30 are in the attached lapsewatch.csv." in told
        assert "status page" not in told
