"""The page's shape: no name can change it, every reader can follow it, and dates are plain."""

from __future__ import annotations

import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from monitor.status import build_report
from monitor.web import times
from monitor.web.page import cut, template_folder
from tests import status_samples as samples
from tests.unit.test_page import page, words

VOID = frozenset({"meta", "link", "br", "path", "circle", "use"})


class Census(HTMLParser):
    """Counts the elements and attributes of a page, and checks that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.values: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count an element and its attributes."""
        self.tags[tag] += 1
        for name, value in attrs:
            self.attributes[name] += 1
            self.values.append((name, value or ""))
            if name == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Fail where an element is closed that is not the open one."""
        if tag not in VOID:
            assert self.open.pop() == tag


def census(html: str) -> Census:
    """What the page is made of."""
    found = Census()
    found.feed(html)
    found.close()
    assert found.open == []
    return found


def markup_problems(html: str) -> list[str]:
    """What a name may have smuggled in: elements, handlers, styles, links."""
    found = census(html)
    bad = [tag for tag in ("script", "img", "iframe", "style", "form", "base") if found.tags[tag]]
    bad += [name for name in found.attributes if name.startswith("on") or name == "style"]
    safe = ("/", "#", "http://127.0.0.1")
    bad += [v for n, v in found.values if n in ("href", "src") and not v.startswith(safe)]
    return bad + ["h1"] * (found.tags["h1"] - 1)


# --- names ---------------------------------------------------------------------------------------


def test_no_name_becomes_markup() -> None:
    """Every attack in every place leaves the elements of the page as they are."""
    html = page(
        samples.hostile(), operator_name="<b>", banner="<i>", inbox_url="http://127.0.0.1:1"
    )
    assert markup_problems(html) == []
    html.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\u200b\ufeff]", html)


@pytest.mark.parametrize("name", samples.HOSTILE_NAMES[:3])
def test_the_markup_check_finds_a_name_that_is_not_escaped(name: str) -> None:
    """Known-bad: the same names put into the page as they are."""
    html = page(samples.quiet_morning())
    broken = html.replace("<main", f"<p>{name}</p><main", 1)
    try:
        problems = markup_problems(broken)
    except AssertionError:
        problems = ["not well formed"]
    assert problems


def test_ids_are_unique() -> None:
    """A link to a section leads to one place."""
    ids = census(page(samples.bad_morning())).ids
    assert len(ids) == len(set(ids))


def test_an_inbox_link_that_is_no_web_address_is_left_out() -> None:
    """A javascript: address never becomes a link."""
    assert "javascript" not in page(samples.quiet_morning(), inbox_url="javascript:alert(1)")
    assert 'href="http://127.0.0.1:8025/"' in page(
        samples.quiet_morning(), inbox_url="http://127.0.0.1:8025/"
    )


def test_a_long_name_is_cut_in_the_middle_and_whole_in_its_title() -> None:
    """Start and end tell names apart; ten thousand letters do not fill the page."""
    assert cut("prod-" + "x" * 200 + "-eu", 40).startswith("prod-")
    assert cut("prod-" + "x" * 200 + "-eu", 40).endswith("-eu")
    html = page(samples.hostile())
    assert "x" * 500 not in words(html)
    assert f'title="{"x" * 10_000}"' in html


def test_a_command_for_a_hostile_tenant_is_safe_to_paste() -> None:
    """The name is quoted for the shell before it is escaped for the page."""
    name = "a; rm -rf ~ $(reboot)"
    report = build_report(samples.facts([samples.tenant(name)]), now=samples.NOW)
    assert "--tenant &#39;a; rm -rf ~ $(reboot)&#39;</code>" in page(report)


def test_no_template_switches_escaping_off() -> None:
    """One |safe would undo all of the above."""
    for file in template_folder().glob("*.html"):
        source = file.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe|autoescape|Markup", source), file.name


# --- shape, speed, dates -------------------------------------------------------------------------


def test_the_served_page_has_no_inline_style_and_a_file_has_all_it_needs() -> None:
    """The policy forbids inline style; a saved file has no server to ask."""
    served, alone = page(samples.bad_morning()), page(samples.bad_morning(), standalone=True)
    assert "<style" not in served
    assert "style=" not in served
    assert "/static/" not in alone
    assert "prefers-color-scheme" in alone
    assert "<script" not in alone


def test_every_table_has_a_caption_and_scoped_headers() -> None:
    """A screen reader can say what a cell is about."""
    html = page(samples.bad_morning())
    found = census(html)
    assert found.tags["table"] == found.tags["caption"] >= 9
    assert found.tags["th"] == found.attributes["scope"]


@pytest.mark.parametrize("days", [20, 300])
def test_a_thousand_rows_render_in_well_under_200_ms(days: float) -> None:
    """In CPU time and the best of three, so that a busy machine does not decide."""
    report = samples.many(1000, days=days)
    spent = []
    for _ in range(3):
        start = time.thread_time()
        page(report)
        spent.append(time.thread_time() - start)
    assert min(spent) < 0.2


def test_a_folded_group_that_is_cut_off_says_how_many_more() -> None:
    """Nothing disappears without a word, and what needs action is never cut off."""
    assert "And 500 more" in words(page(samples.many(1000, days=300)))
    assert page(samples.many(1000, days=20)).count('data-label="Time left"') == 1000


@pytest.mark.parametrize(
    ("instant", "zone", "said"),
    [
        (datetime(2026, 11, 30, 8, tzinfo=UTC), "Europe/Berlin", "Mon 30 Nov 2026, 09:00 CET"),
        (datetime(2026, 7, 1, 8, tzinfo=UTC), "Europe/Berlin", "Wed 1 Jul 2026, 10:00 CEST"),
        (datetime(2026, 11, 30, 8, tzinfo=UTC), "America/Sao_Paulo",
         "Mon 30 Nov 2026, 05:00 UTC-03"),
        (samples.NEVER_ENDS, "Pacific/Kiritimati", "Fri 31 Dec 9999, 23:59 UTC"),
        (datetime(1, 1, 1, tzinfo=UTC), "America/New_York", "Mon 1 Jan 0001, 00:00 UTC"),
    ],
)  # fmt: skip
def test_dates_have_their_zone_and_no_year_is_too_far(
    instant: datetime, zone: str, said: str
) -> None:
    """Year 9999 means never, in every zone."""
    assert times.long_date(instant, ZoneInfo(zone)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (5, "just now"),
        (-60, "just now"),
        (-600, "in the future: check the clock"),
        (59 * 60, "59 min ago"),
        (26 * 3600, "26 h ago"),
        (9 * 86400, "9 days ago"),
    ],
)
def test_ages_are_exact_enough_to_trust(seconds: float, said: str) -> None:
    """26 hours are not "a day"."""
    assert times.ago(samples.NOW - timedelta(seconds=seconds), samples.NOW) == said


@pytest.mark.parametrize(
    ("hours", "days", "said"),
    [
        (-30, -1, "lapsed 1 day ago"),
        (-2, 0, "lapsed today"),
        (5, 0, "ends today, in 5 h"),
        (20, 1, "1 day left"),
        (500, 21, "21 days left"),
        (30_000, 1250, "3 years left"),
        (2_000_000, 83_000, "never ends"),
    ],
)
def test_time_left_counts_the_days_that_the_rules_count(hours: int, days: int, said: str) -> None:
    """The page and the mails say the same number."""
    end = samples.NOW + timedelta(hours=hours)
    assert times.time_left(end, days, samples.NOW) == said
