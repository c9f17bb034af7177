"""The set-up pages in a real browser: from a one-time link to a green, confirmed canary."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.acceptance.setup_room import NAME, Newcomer, newcomer, served
from tests.acceptance.test_e2e_page import Seen, browser, overflow

__all__ = ["browser"]  # a fixture

pytestmark = pytest.mark.e2e

# Links in a sentence may be as small as its text; all else must be easy to hit.
SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, summary, input')]
    .filter(e => !e.matches('.skip, [type=hidden]') && e.getClientRects().length)
    .filter(e => !e.closest('p:not(.buttons), li:not(.cards li)') || e.matches('button, input'))
    .filter(e => !e.closest('label'))
    .filter(e => Math.min(e.getBoundingClientRect().height, e.getBoundingClientRect().width) < 24)
    .map(e => e.outerHTML)"""


class Walk:
    """One browser on its way through the set-up; every page is checked in every view.

    Args:
        browser: the installed Chromium.
        address: of the page.
    """

    def __init__(self, browser: Browser, address: str) -> None:
        self.address = address
        self.seen = Seen()
        self.page = self._open(browser)
        self.shots = 0

    def _open(self, browser: Browser) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.seen.console.append(str(error)))
        page.on("request", lambda request: self._note(request.url))
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        # What Chromium says at other levels is advice to authors, about names for passwords.
        if message.type in ("warning", "error"):
            self.seen.console.append(message.text)

    def _note(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.address).netloc:
            self.seen.foreign.append(url)

    def checked(self, name: str) -> None:
        """Nothing for axe, no sideways scrolling, no small target: light and dark, wide and not."""
        self.shots += 1
        for width in (1280, 360):
            self.page.set_viewport_size({"width": width, "height": 900})
            for scheme in ("light", "dark"):
                self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response
                bad = [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]]
                assert bad == [], (name, width, scheme)
                assert overflow(self.page) == 0, (name, width)
                assert self.page.evaluate(SMALL_TARGETS) == [], (name, width)
                self._shoot(f"setup-{self.shots:02}-{name}-{width}-{scheme}")
        self.page.set_viewport_size({"width": 1280, "height": 900})
        self.page.emulate_media(color_scheme="light")

    def _shoot(self, name: str) -> None:
        folder = os.environ.get("LAPSEWATCH_SCREENSHOTS")
        if folder:
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def press(self, words: str) -> None:
        """Press a button, or follow a link that looks like one."""
        found = self.page.get_by_role("button", name=words, exact=True)
        target = found if found.count() else self.page.get_by_role("link", name=words, exact=True)
        target.click()
        self.page.wait_for_load_state()

    def fill(self, label: str, text: str) -> None:
        """Type into the field of that label."""
        self.page.get_by_label(label, exact=False).first.fill(text)

    def says(self, words: str) -> bool:
        """Whether the page says that somewhere."""
        return words in " ".join(self.page.inner_text("main").split())

    @property
    def title(self) -> str:
        """The page's heading."""
        return self.page.inner_text("h1")


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """Nobody is watched; the newcomer's admin has registered an app and nothing else."""
    with newcomer(tmp_path_factory.mktemp("walk")) as made:
        yield made


@pytest.fixture(scope="module")
def walk(new: Newcomer, browser: Browser) -> Iterator[Walk]:
    """A browser at the page."""
    with served(new.web) as address:
        made = Walk(browser, address)
        yield made
        made.page.context.close()


def test_from_nothing_to_a_green_canary_by_the_words_of_the_page(new: Newcomer, walk: Walk) -> None:
    """With the usual mistakes on the way, a break in the middle, and a new secret at the end."""
    page = walk.page
    page.goto(walk.address)
    walk.press("Add a tenant step by step")
    assert walk.title == "You need a link to get in"
    walk.checked("no-session")

    page.goto(walk.address + new.link())
    walk.checked("link")
    walk.press("Open the set-up")
    walk.checked("index-empty")
    walk.fill("A short name", "new comer")
    walk.press("Begin")
    assert walk.says("is no name for a tenant")
    walk.fill("A short name", NAME)
    walk.press("Begin")

    the_directory_and_its_typing_error(new, walk)
    the_mailbox_and_the_app(new, walk)
    the_secret_and_its_id(new, walk)
    the_consent_that_was_forgotten(new, walk)
    the_object_id_of_the_registration(new, walk)
    left_and_resumed(walk)
    the_script(new, walk)
    the_people_and_the_test_mail(new, walk)
    where_new_values_go(new, walk)
    the_new_secret(new, walk)
    # Chromium notes each answer that is a refusal or shows a form again; nothing else is said.
    noted = [line for line in walk.seen.console if not line.startswith("Failed to load resource")]
    assert (noted, walk.seen.foreign) == ([], [])


def the_directory_and_its_typing_error(new: Newcomer, walk: Walk) -> None:
    """Step 1."""
    assert walk.title == "The directory"
    walk.checked("directory")
    walk.page.get_by_role("radio", name="sandbox").check()
    walk.fill("Directory (tenant) ID", new.tenant.directory_id[:-1])
    walk.press("Look, and go on")
    assert walk.says("It must be a GUID")
    assert walk.page.get_by_label("Directory (tenant) ID").input_value()
    assert walk.page.get_by_role("radio", name="sandbox").is_checked()
    walk.checked("directory-typo")
    walk.fill("Directory (tenant) ID", "00000000-1111-4222-8333-444444444444")
    walk.press("Look, and go on")
    assert walk.says("One thing is not right yet")
    walk.checked("directory-unknown")
    walk.press("Change the answers")
    walk.fill("Directory (tenant) ID", new.tenant.directory_id)
    walk.press("Look, and go on")


def the_mailbox_and_the_app(new: Newcomer, walk: Walk) -> None:
    """Steps 2 to 4."""
    assert walk.title == "The mailbox that sends"
    walk.checked("mailbox")
    walk.fill("Sender mailbox", new.mailbox.address)
    walk.press("Go on")
    walk.checked("app")
    walk.fill("Application (client) ID", new.registration.app_id)
    walk.press("Go on")
    assert walk.title == "Permissions and consent"
    walk.checked("permissions")
    link = walk.page.get_by_role("link", name="Open Microsoft's page for granting consent")
    assert f"client_id={new.registration.app_id}" in str(link.get_attribute("href"))
    walk.press("The consent is granted: go on")


def the_secret_and_its_id(new: Newcomer, walk: Walk) -> None:
    """Step 5: the secret's ID is recognised before anything is asked."""
    walk.checked("credential")
    walk.fill("Client secret, its Value", new.registration.secrets[0].key_id)
    walk.press("Look, and go on")
    assert walk.says("it is the secret's ID")
    assert walk.page.get_by_label("Client secret, its Value").input_value() == ""
    walk.checked("credential-id")
    walk.fill("Client secret, its Value", new.secret)
    walk.press("Look, and go on")


def the_consent_that_was_forgotten(new: Newcomer, walk: Walk) -> None:
    """Step 5 names what step 4 should have done."""
    assert walk.says("permissions that no administrator of the tenant has consented to")
    walk.checked("consent-missing")
    new.consent()
    walk.press("Look again")


def the_object_id_of_the_registration(new: Newcomer, walk: Walk) -> None:
    """Step 6: the mistake is named, and the right id is a button."""
    assert walk.title == "The Enterprise application"
    walk.checked("enterprise")
    field = walk.page.get_by_label("Object ID of the Enterprise application")
    assert field.input_value() == new.principal.object_id
    field.fill(new.registration.object_id)
    walk.press("Look, and go on")
    assert walk.says("The configured one is the app registration's.")
    walk.checked("object-id-wrong")
    walk.press(f"Use {new.principal.object_id}")


def left_and_resumed(walk: Walk) -> None:
    """Leave in the middle: the list says where to go on."""
    assert walk.title == "Exchange"
    walk.press("Leave")
    assert walk.says("next: Exchange, step 7 of 9")
    walk.checked("index-draft")
    walk.press(NAME)


def the_script(new: Newcomer, walk: Walk) -> None:
    """Step 7: before the script has run, and after."""
    walk.checked("exchange")
    script = walk.page.get_by_label("The script").input_value()
    assert script.startswith("#Requires -Version 5.1\n<#")
    assert new.principal.object_id in script
    with walk.page.expect_download() as started:
        walk.page.get_by_role("link", name="Load the script that sets it up").click()
    loaded = Path(started.value.path()).read_bytes()
    assert started.value.suggested_filename == f"set-up-{NAME}.ps1"
    assert loaded == b"\xef\xbb\xbf" + script.replace("\n", "\r\n").encode()
    walk.press("The script has run: look")
    assert walk.says("AUTH")
    assert walk.says("not right yet")
    walk.checked("exchange-failed")
    new.run_script()
    walk.press("Look again")


def the_people_and_the_test_mail(new: Newcomer, walk: Walk) -> None:
    """Steps 8 and 9, and what comes next."""
    assert walk.title == "Who is warned"
    walk.checked("people")
    walk.fill("Who is warned", "it@newcomer.example")
    walk.press("Go on")
    walk.checked("final")
    walk.press("Start watching, and send the test mail")
    assert walk.says(f"Did it arrive at {new.mailbox.address}?")
    assert [mail.rcpt_to for mail in new.cloud.inbox.messages] == [(new.mailbox.address,)]
    walk.checked("question")
    walk.press("No")
    walk.checked("not-arrived")
    assert new.app.report().canaries[0].result == "unconfirmed"
    walk.press("Yes, it arrived")
    assert walk.says("The test mail arrived")
    assert new.app.report().canaries[0].result == "ok"
    assert walk.says("The next daily test mail")
    walk.checked("arrived")


def where_new_values_go(new: Newcomer, walk: Walk) -> None:
    """A note: kept, changed, and taken away again."""
    walk.press("where new values go")
    walk.checked("notes-empty")
    walk.press("Keep it")
    assert walk.says("Please fill this in.")
    walk.checked("notes-refused")
    walk.fill("Application", "Lapsewatch*")
    walk.fill("Enter the new value at", "KeePass, entry Mail\nScanner, 2nd floor")
    walk.press("Keep it")
    assert walk.says("Kept: the note about Lapsewatch*.")
    walk.checked("notes")
    walk.page.get_by_role("link", name="Change").click()
    assert walk.page.get_by_label("Enter the new value at").input_value().splitlines() == [
        "KeePass, entry Mail", "Scanner, 2nd floor",
    ]  # fmt: skip
    walk.fill("Used by", "The invoice mail")
    walk.press("Keep it")
    [note] = new.app.store.notes(NAME)
    assert (note.where[1], note.used_by) == ("Scanner, 2nd floor", ("The invoice mail",))
    walk.page.get_by_role("button", name="Remove").click()
    assert walk.says("Removed: the note about Lapsewatch*.")


def the_new_secret(new: Newcomer, walk: Walk) -> None:
    """A wrong one changes nothing; a right one is proven, used, and a canary sent."""
    walk.press("Set-up")
    walk.checked("index-watched")
    walk.page.get_by_role("link", name="Replace its secret").click()
    walk.checked("replace")
    before = new.app.store.tenant(NAME)
    walk.fill("Client secret, its Value", "Wro8Q~ng.value.of.another.app.entirely00")
    walk.press("Prove it, and use it")
    assert walk.says("The new one does not work, so the old one stays")
    assert new.app.store.tenant(NAME) == before
    walk.checked("replace-failed")
    walk.fill("Client secret, its Value", new.new_secret())
    walk.press("Prove it, and use it")
    assert walk.says("The new one is in use")
    assert len(new.cloud.inbox.messages) == 2
    walk.checked("replaced")
    walk.press("Sign out")
    assert walk.title == "Signed out"
    walk.checked("signed-out")
