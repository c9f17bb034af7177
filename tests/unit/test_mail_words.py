"""The words of the mails: dates, spans of time, and names that somebody else chose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.mail.words import days_between, defang, plain, span
from monitor.render import long_date, relative_days
from tests.mail_samples import BERLIN, LONG_NAME

# --- dates ---------------------------------------------------------------------------------------


def test_a_date_names_day_hour_and_zone() -> None:
    """Winter and summer time have their own names."""
    assert long_date(datetime(2026, 11, 30, 8, tzinfo=UTC), BERLIN) == "Mon 30 Nov 2026, 09:00 CET"
    assert long_date(datetime(2026, 7, 1, 8, tzinfo=UTC), BERLIN) == "Wed 1 Jul 2026, 10:00 CEST"


def test_a_zone_without_a_name_shows_its_offset() -> None:
    """A bare "-03" would not be understood."""
    shown = long_date(datetime(2026, 11, 30, 8, tzinfo=UTC), ZoneInfo("America/Sao_Paulo"))
    assert shown == "Mon 30 Nov 2026, 05:00 UTC-03"


@pytest.mark.parametrize("year", [1, 9999])
def test_the_ends_of_the_calendar_are_shown_in_utc(year: int) -> None:
    """Graph has both of them; a zone would leave the calendar."""
    edge = datetime(year, 12, 31, 23, 59, tzinfo=UTC) if year > 1 else datetime(1, 1, 1, tzinfo=UTC)
    zone = ZoneInfo("Pacific/Auckland") if year > 1 else ZoneInfo("America/New_York")
    assert long_date(edge, zone).endswith("UTC")


@pytest.mark.parametrize(
    ("days", "words"),
    [(7, "in 7 days"), (1, "tomorrow"), (0, "today"), (-1, "yesterday"), (-6, "6 days ago"),
     (-21, "3 weeks ago"), (-100, "100 days ago"), (2_900_000, "in 7945 years"), (None, "never")],
)  # fmt: skip
def test_days_are_told_in_words(days: int | None, words: str) -> None:
    """The words of the subjects."""
    assert relative_days(days) == words


def test_days_are_counted_by_the_local_calendar_across_a_clock_change() -> None:
    """23:30 in winter is one day after 00:30 the day before, whatever the clock did."""
    before = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)  # Sun 25 Oct, 00:30 CEST
    after = datetime(2026, 10, 25, 22, 30, tzinfo=UTC)  # Sun 25 Oct, 23:30 CET
    assert days_between(after, before, BERLIN) == 0
    assert days_between(after + timedelta(hours=1), before, BERLIN) == 1


@pytest.mark.parametrize(
    ("hours", "words"), [(0.2, "12 min"), (3.2, "3 h 12 min"), (26, "26 h"), (96, "4 days")]
)
def test_a_span_is_as_exact_as_it_needs_to_be(hours: float, words: str) -> None:
    """Minutes matter in the first day only."""
    assert span(timedelta(hours=hours)) == words


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\r\nBcc: x@y", "a Bcc: x@y"),
        ("safe\u202etxt.exe", "safetxt[.]exe"),
        ("z\u200bero\u2066", "zero"),
        ("\x1b[2Jx\x00y", "[2Jx y"),
        ("\ud800", "\ufffd"),
        ("\u3164\u2028", ""),
        ("http://evil.example/x", "http[:]//evil[.]example/x"),
        ("www.evil.example", "www[.]evil[.]example"),
        ("mailto:x", "mailto[:]x"),
        ("v1.2.3", "v1.2.3"),
    ],
)
def test_a_name_shows_what_it_holds_and_is_never_a_link(name: str, shown: str) -> None:
    """Anyone who may register an app chooses its name."""
    assert defang(name) == shown


def test_a_long_name_is_cut_with_dots() -> None:
    """10 kB of name must not hide the rest."""
    assert plain("a" * 10_000) == "a" * 77 + "..."


@pytest.mark.parametrize(
    ("name", "cap", "shown"),
    [
        (
            LONG_NAME,
            80,
            "Synchronisation service for the human resources ... northern region (2019)",
        ),
        (LONG_NAME, 40, "Synchronisation ... region (2019)"),
        (f"{'prod-sync-west-' * 9}01", 40, "prod-sync-west-prod-...-sync-west-01"),
        ("short enough", 12, "short enough"),
    ],
)
def test_a_long_name_is_cut_at_words_in_its_middle(name: str, cap: int, shown: str) -> None:
    """Whoever reads two of them sees which is which."""
    assert plain(name, cap) == shown


def test_names_that_differ_at_their_end_only_stay_apart() -> None:
    """So do those of the same service in two regions."""
    assert plain(LONG_NAME) != plain(LONG_NAME.replace("2019", "2020"))
    assert LONG_NAME[:77] == LONG_NAME.replace("2019", "2020")[:77]  # known-bad: its beginning
