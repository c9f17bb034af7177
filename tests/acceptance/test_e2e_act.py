"""From a mail in the inbox to a closed item, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.acceptance.act_room import LABELS, Room, act_room
from tests.acceptance.test_e2e_page import browser
from tests.acceptance.test_e2e_setup import Walk

__all__ = ["browser"]  # a fixture

pytestmark = pytest.mark.e2e


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A tenant whose first warning was sent."""
    with act_room(tmp_path) as made:
        yield made


@pytest.fixture
def walk(room: Room, browser: Browser) -> Iterator[Walk]:
    """A browser at the inbox."""
    made = Walk(browser, room.cloud.inbox_url)
    yield made
    made.page.context.close()


def follow(walk: Walk, room: Room, action: str) -> None:
    """Open the newest mail with links in the inbox, and one of its links."""
    page = walk.page
    page.goto(room.cloud.inbox_url)
    page.get_by_role("link", name=re.compile("ACTION")).first.click()
    frame = page.frame_locator("iframe")
    target = frame.get_by_role("link", name=LABELS[action], exact=True).first.get_attribute("href")
    assert target is not None
    assert target.startswith(f"{room.address}/a/")
    walk.address = room.address
    walk.seen.foreign.clear()
    page.goto(target)


def test_a_warning_is_acknowledged_from_its_mail(room: Room, walk: Walk) -> None:
    """One link, one button; the second look says that the link is used up."""
    follow(walk, room, "acknowledge")
    assert walk.title == "Acknowledge this"
    assert walk.says("Invoice mail")
    assert room.app.store.snoozes() == {}
    walk.checked("acknowledge")
    address = walk.page.url
    walk.fill("Why", "Ticket 4711")
    walk.press("Acknowledge")
    assert walk.title == "Acknowledged"
    walk.checked("acknowledged")
    assert [one.reason for one in room.app.store.snoozes().values()] == ["Ticket 4711"]
    assert walk.seen.foreign == []
    walk.page.goto(address)
    assert walk.title == "This link does nothing any more"
    walk.checked("used")


def test_a_renewal_is_verified_from_its_mail(room: Room, walk: Walk) -> None:
    """First there is nothing new; once the secret is made, the page names it and closes."""
    follow(walk, room, "verify")
    walk.checked("verify")
    walk.press("Check now")
    assert walk.title == "Not yet"
    walk.checked("nothing-new")
    room.new_secret()
    room.clock.advance(room.app.configuration.settings.deadlines.read)
    walk.press("Look again")
    assert walk.title == "Done"
    assert walk.says('Seen: new secret "second"')
    walk.checked("seen")
    assert walk.seen.foreign == []
    assert walk.seen.console == []


def test_a_snooze_past_the_lapse_is_confirmed_in_the_browser(room: Room, walk: Walk) -> None:
    """The page asks again before anybody is kept from hearing of a lapse."""
    follow(walk, room, "snooze")
    walk.checked("snooze")
    walk.page.get_by_label("for 30 days").check()
    walk.press("Snooze")
    assert walk.says("nobody is told of the lapse")
    walk.checked("snooze-asks")
    walk.page.get_by_label("Yes, nobody is to be told of the lapse").check()
    walk.press("Snooze")
    assert walk.title == "Snoozed"
    follow(walk, room, "hand over")
    walk.checked("hand-over")
