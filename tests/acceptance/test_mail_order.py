"""What comes first in a mail: what breaks, how to say done, what to do, and then the commands."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.test_mail_rules import MAILS, Page

WITH_LINKS = [name for name in MAILS if name.startswith(("reminder-200", "lapsed-200"))]


@pytest.mark.parametrize("name", WITH_LINKS)
def test_the_first_that_a_long_mail_shows_can_all_be_acted_upon(name: str) -> None:
    """Links are made in the mail's own order, and each item begins with how to say done."""
    first, *rest = re.split(r"(?m)^\d+\. [A-Z]+: ", MAILS[name].text.partition("\nAnd ")[0])
    assert len(rest) >= 6
    assert "/a/" not in first
    assert all("Acknowledge: https://" in item for item in rest)


def test_what_to_do_comes_before_the_commands_and_after_the_links() -> None:
    """On a telephone the commands fill a page; they are the last thing to read."""
    for told in (MAILS["reminder-one-links"].text, Page(MAILS["reminder-one-links"].html).text):
        places = ["What breaks", "Done: check now", "Acknowledge", "What to do", "Or by command"]
        found = [told.index(place) for place in places]
        assert found == sorted(found)


SEVERAL = [name for name, mail in MAILS.items() if re.search(r"(?m)^2\. [A-Z]+: ", mail.text)]


def steps_come_late(told: str) -> bool:
    """Whether somebody with ten seconds has to read past the list to know what to do."""
    steps, listed = told.find("What to do"), re.search(r"(?:1\. )?[A-Z]{5,}:? ", told[60:])
    assert listed
    return steps > 60 + listed.start()


@pytest.mark.parametrize("name", SEVERAL)
def test_with_several_items_what_to_do_comes_before_them(name: str) -> None:
    """In a few lines; the steps of each kind, where they are many, and the commands come after."""
    told = MAILS[name].text
    assert not steps_come_late(told)
    assert len(told.partition("\n1. ")[0].splitlines()) <= 16
    assert told.find("Or by command") == -1 or told.index("Or by command") > told.index("\n2. ")


def test_steps_after_a_list_are_caught() -> None:
    """The known-bad variant: the order of a mail about one item."""
    first = MAILS["reminder-three"].text.replace("What to do\n", "", 1)
    assert steps_come_late(first)


def test_a_mail_about_watched_dates_only_speaks_of_no_secret() -> None:
    """There is none to make."""
    assert "A secret or certificate: make" in MAILS["reminder-200-links"].text
    assert "secret" not in MAILS["reminder-200-items"].text
