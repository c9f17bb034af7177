"""The page in a real browser: narrow and wide, light and dark, reached by eye, key and axe."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, sync_playwright

from monitor.status import StatusReport
from monitor.web.app import create_app
from tests import status_samples as samples
from tests.acceptance.test_web import serving

pytestmark = pytest.mark.e2e

REPORTS: dict[str, Callable[[], StatusReport]] = {
    "bad": samples.bad_morning,
    "quiet": samples.quiet_morning,
    "empty": samples.empty_store,
    "hostile": samples.hostile,
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Every size a phone on call or a screen on the wall has, in both colours.
VIEWS = [(width, scheme) for width in (1280, 360) for scheme in ("light", "dark")]
SMALL_TARGETS = """() => [...document.querySelectorAll('a, summary')]
    .filter(e => !e.matches('.skip') && e.getClientRects().length)
    .filter(e => Math.min(e.getBoundingClientRect().height, e.getBoundingClientRect().width) < 24)
    .map(e => e.outerHTML)"""

# Pixels that the content of a cell has; on cards each has the whole width.
NARROW_COLUMNS = """() => [...document.querySelectorAll('tbody th, tbody td')]
    .filter(e => e.getClientRects().length && e.getBoundingClientRect().width < 60)
    .map(e => e.outerHTML)"""


@dataclass
class Seen:
    """What went wrong while a page was open."""

    console: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The installed Chromium. Missing, it is a failure: a skipped check guards nothing."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=list(REPORTS))
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """A served page of each sample."""
    app = create_app(
        report=REPORTS[request.param],
        alive=tuple,
        zone=ZoneInfo("Europe/Berlin"),
        operator_name="Example MSP",
        banner="Sandbox: nothing leaves this machine.",
        inbox_url="http://127.0.0.1:9/",
        allowed_hosts=["127.0.0.1"],
    )
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}/"


def visit(browser: Browser, address: str, width: int, scheme: str) -> tuple[Page, Seen]:
    """Open a page with everything unfolded, and note what the browser complains about."""
    colours: Literal["dark", "light"] = "dark" if scheme == "dark" else "light"
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=colours, service_workers="block"
    )
    page, seen = context.new_page(), Seen()
    page.on("console", lambda message: seen.console.append(message.text))
    page.on("pageerror", lambda error: seen.console.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(address) else seen.foreign.append(request.url)
        ),
    )
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return page, seen


def overflow(page: Page) -> int:
    """How many pixels the page is wider than the window."""
    return int(
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_the_page_is_right_in_every_view(
    request: pytest.FixtureRequest, browser: Browser, address: str, width: int, scheme: str
) -> None:
    """No sideways scrolling, no complaint, no foreign request, no small target, nothing for axe."""
    page, seen = visit(browser, address, width, scheme)
    violations = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"]) for v in violations] == []
    assert overflow(page) == 0
    assert page.evaluate(SMALL_TARGETS) == []
    assert (seen.console, seen.foreign) == ([], [])
    folder = os.environ.get("LAPSEWATCH_SCREENSHOTS")
    if folder:
        name = f"page-{request.node.callspec.id}.png"
        page.screenshot(path=Path(folder) / name, full_page=True)
    page.context.close()


def test_the_verdict_and_the_tiles_fit_the_first_screen(browser: Browser, address: str) -> None:
    """At seven in the morning nobody scrolls to learn whether to worry."""
    page, _ = visit(browser, address, 1280, "light")
    places = [page.locator(".verdict").bounding_box()]
    if page.locator(".tiles").count():
        places.append(page.locator(".tiles").bounding_box())
    assert all(place and place["y"] + place["height"] < 500 for place in places)
    page.context.close()


def test_the_first_tab_stop_leads_past_the_head(browser: Browser, address: str) -> None:
    """Whoever has no mouse gets to the status with two keys."""
    page, _ = visit(browser, address, 1280, "light")
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    assert skip.evaluate("e => e === document.activeElement")
    box = skip.bounding_box()
    assert box
    assert box["x"] >= 0
    assert skip.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.context.close()


def test_no_width_in_between_squeezes_a_column(browser: Browser, address: str) -> None:
    """Tablets and half windows: rows become cards before a column gets too narrow to read."""
    page, _ = visit(browser, address, 1280, "light")
    for width in (320, 600, 820, 959, 962, 1024, 1100, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert overflow(page) == 0, width
        assert page.evaluate(NARROW_COLUMNS) == [], width
    page.context.close()


def test_on_paper_everything_is_unfolded_and_dark_on_white(browser: Browser, address: str) -> None:
    """A print from a dark screen can be read, and hides no row."""
    page, _ = visit(browser, address, 1280, "dark")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = false)")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 34, 48)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.set_viewport_size({"width": 718, "height": 1000})
    assert overflow(page) == 0
    assert page.evaluate(NARROW_COLUMNS) == []
    heights = "[...document.querySelectorAll('details table')].map(t => t.offsetHeight)"
    assert all(height > 40 for height in page.evaluate(heights))
    page.context.close()


def test_the_checks_find_a_page_that_is_wrong(browser: Browser, address: str) -> None:
    """Known-bad: a wide box, a small link, a pale text and a script are all seen."""
    page, seen = visit(browser, address, 360, "light")
    page.evaluate(
        """() => { document.querySelector('main').insertAdjacentHTML('beforeend',
        '<a href="#x" class="bad">pale words</a><pre class="wide">' + 'x'.repeat(300) + '</pre>'
        + '<img src="https://127.0.0.2/x.png">');
        const sheet = new CSSStyleSheet();
        sheet.replaceSync('.wide { overflow: visible } .bad { color: #eee; font-size: 5px }');
        document.adoptedStyleSheets = [sheet]; }"""
    )
    page.wait_for_timeout(200)
    found = {v["id"] for v in Axe().run(page).response["violations"]}
    assert {"color-contrast", "image-alt"} <= found
    assert overflow(page) > 0
    assert len(page.evaluate(SMALL_TARGETS)) == 1
    assert any("Content Security Policy" in line for line in seen.console)
    page.context.close()
