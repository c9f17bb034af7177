"""Renders every sample mail, and pages given as NAME=URL, in headless Chromium.

Usage: python docs/screenshots.py [--only WORD] [NAME=URL …]

Writes screenshots/NAME-WIDTH-SCHEME.png: 600 and 360 pixels wide, light and dark. To add a page
for good, add it to `targets`: a name, and either an address or the HTML itself.
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
    return mails + [Target(name, url, (1200, *WIDTHS)) for name, _, url in named]


def shoot(browser: Browser, target: Target, width: int, scheme: Literal["light", "dark"]) -> Path:
    """One picture of the whole length; says so if something is wider than the window."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    if target.source.startswith(("http://", "https://")):
        page.goto(target.source)
    else:
        page.set_content(target.source)
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > width:
        print(f"{target.name}: {wide} px wide in a window of {width} px")
    file = OUT / f"{target.name}-{width}-{scheme}.png"
    page.screenshot(path=file, full_page=True)
    page.close()
    return file


def main() -> None:
    """Takes all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pages", nargs="*", metavar="NAME=URL")
    parser.add_argument("--only", default="", help="only targets whose name holds this word")
    options = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM if CHROMIUM.exists() else None, args=["--no-sandbox"]
        )
        chosen = [target for target in targets(options.pages) if options.only in target.name]
        for target in chosen:
            for width in target.widths:
                for scheme in SCHEMES:
                    shoot(browser, target, width, scheme)
        browser.close()
    print(f"{len(chosen)} targets in {OUT}")


if __name__ == "__main__":
    main()
