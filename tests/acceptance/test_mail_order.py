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
