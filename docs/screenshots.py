"""Renders every sample mail, the demo's page and inbox, and pages given as NAME=URL, in Chromium.

Usage: python docs/screenshots.py [--only WORD] [--readme] [NAME=URL …]

Writes screenshots/NAME-WIDTH-SCHEME.png: 600 and 360 pixels wide, light and dark; what is longer
than Chromium can take at once goes on in NAME-WIDTH-SCHEME-2.png and so on. To add a page
for good, add it to `targets`: a name, and either an address or the HTML itself. --readme makes
the README's picture, docs/images/status-page.png, and nothing else.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "screenshots"
CHROMIUM = Path("/usr/bin/chromium")  # where Debian puts it; else playwright's own is used
WIDTHS = (600, 360)
TALLEST = 8_000  # pixels; beyond some 16,000 Chromium takes no picture
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


class Target(NamedTuple):
    """What to look at: an address, or HTML."""

    name: str
    source: str
    widths: tuple[int, ...] = WIDTHS


def targets(pages: list[str]) -> list[Target]:
    """Every sample mail, and the pages named on the command line."""
    sys.path.insert(0, str(ROOT))
    from tests.mail_samples import every_mail

    mails = [Target(f"mail-{name}", mail.html) for name, mail in every_mail().items()]
    named = (page.partition("=") for page in pages)
    mails.append(Target("page-status", demo_page(), (1200, *WIDTHS)))
    return mails + [Target(name, url, (1200, *WIDTHS)) for name, _, url in named]


def shoot(browser: Browser, target: Target, width: int, scheme: Literal["light", "dark"]) -> None:
    """Pictures of the whole length; says so if something is wider than the window."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    if target.source.startswith(("http://", "https://")):
        page.goto(target.source)
    else:
        page.set_content(target.source)
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > width:
        print(f"{target.name}: {wide} px wide in a window of {width} px")
    height = page.evaluate("document.documentElement.scrollHeight")
    for part, top in enumerate(range(0, height, TALLEST), start=1):
        more = f"-{part}" if part > 1 else ""
        page.screenshot(
            path=OUT / f"{target.name}-{width}-{scheme}{more}.png",
            full_page=True,
            clip={"x": 0, "y": top, "width": width, "height": min(TALLEST, height - top)},
        )
    page.close()


def demo_page() -> str:
    """The status page of the demo after one cycle, as one file."""
    sys.path.insert(0, str(ROOT))
    from zoneinfo import ZoneInfo

    from monitor import __version__, log
    from monitor.demo import demo, one_cycle
    from monitor.web.page import render_page

    log.set_up(level="error")
    with demo() as show:
        one_cycle(show)
        return render_page(
            show.app.report(),
            zone=ZoneInfo("Europe/Berlin"),
            operator_name=show.app.configuration.operator_name,
            version=__version__,
            standalone=True,
        )


def readme_picture(browser: Browser, html: str) -> None:
    """The top of the demo's status page, as a visitor of the README sees it."""
    page = browser.new_page(viewport={"width": 1100, "height": 980})
    page.set_content(html)
    page.screenshot(path=ROOT / "docs" / "images" / "status-page.png")
    page.close()


def main() -> None:
    """Takes all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pages", nargs="*", metavar="NAME=URL")
    parser.add_argument("--only", default="", help="only targets whose name holds this word")
    parser.add_argument("--readme", action="store_true", help="make the README's picture only")
    options = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    # Before the browser starts: its event loop would be in the way of the demo's.
    if options.readme:
        chosen = [Target("readme", demo_page())]
    else:
        chosen = [target for target in targets(options.pages) if options.only in target.name]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM if CHROMIUM.exists() else None, args=["--no-sandbox"]
        )
        if options.readme:
            readme_picture(browser, chosen[0].source)
            browser.close()
            return
        for target in chosen:
            for width in target.widths:
                for scheme in SCHEMES:
                    shoot(browser, target, width, scheme)
        browser.close()
    print(f"{len(chosen)} targets in {OUT}")


if __name__ == "__main__":
    main()
