"""The CSV: same facts as the JSON, and nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from monitor.export import COLUMNS, to_csv, visible
from monitor.shape import as_json
from monitor.status import StatusReport
from tests import status_samples as samples

FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
NUMBERS = {"days_left"}


def rows_of(report: StatusReport) -> list[dict[str, str]]:
    """The CSV as a strict reader sees it."""
    return list(csv.DictReader(io.StringIO(to_csv(report), newline=""), strict=True))


def formulas(text: str) -> list[str]:
    """The cells that a spreadsheet would run."""
    cells = [
        (name, cell)
        for row in csv.DictReader(io.StringIO(text, newline=""))
        for name, cell in row.items()
    ]
    return [
        c for name, c in cells if name not in NUMBERS and c.lstrip()[:1] in FORMULA_STARTS and c
    ]


def test_the_header_has_the_names_of_the_json_in_its_order() -> None:
    """Whoever reads one can read the other."""
    credentials = as_json(samples.bad_morning())["credentials"]
    assert isinstance(credentials, list)
    assert tuple(credentials[0]) == COLUMNS
    assert to_csv(samples.empty_store()) == ",".join(COLUMNS) + "\r\n"


def test_there_is_one_row_per_credential_however_hostile_its_names() -> None:
    """No name adds a row or a column."""
    for report in (samples.bad_morning(), samples.hostile()):
        rows = rows_of(report)
        assert len(rows) == len(report.credentials)
        assert all(None not in row and None not in row.values() for row in rows)
        assert len(to_csv(report).split("\r\n")) == len(rows) + 2


def test_no_cell_starts_a_formula() -> None:
    """An app can be named by anybody; its name runs nowhere."""
    assert formulas(to_csv(samples.hostile())) == []


def test_the_formula_check_finds_a_cell_that_is_not_guarded() -> None:
    """Known-bad: a plain csv.writer fails the check above."""
    out = io.StringIO()
    csv.writer(out).writerows([["app_name"], *([name] for name in samples.HOSTILE_NAMES)])
    assert len(formulas(out.getvalue())) >= 5


def test_a_guarded_name_keeps_its_text_behind_the_apostrophe() -> None:
    """The guard hides nothing, and a leading tab counts even once it is made visible."""
    names = {row["app_name"] for row in rows_of(samples.hostile())}
    assert {
        "'-2+3",
        "'＝1+1",
        "'⟨U+0009⟩=1+1",
        "line one⟨U+000D⟩⟨U+000A⟩Bcc: x@evil.example",
    } <= names


def test_days_left_stays_a_number_below_zero() -> None:
    """A spreadsheet can sort by it."""
    lapsed = rows_of(samples.bad_morning())[0]
    assert (lapsed["state"], lapsed["days_left"]) == ("lapsed", "-1")


def test_owners_that_are_none_differ_from_owners_not_read() -> None:
    """Nobody and not known are two facts."""
    rows = {row["app_name"]: row for row in rows_of(samples.bad_morning())}
    assert rows["Backup SMTP"]["owners"] == "(none)"
    assert rows["Lapsewatch reader"]["owners"] == ""
    assert rows["Invoice robot"]["owners"].startswith("a@adatum.example; b@adatum.example")


def test_every_row_has_its_age_and_says_when_it_is_stale() -> None:
    """An export of old facts looks old."""
    rows = {row["app_name"]: row for row in rows_of(samples.bad_morning())}
    assert rows["Door controller"]["stale"] == "true"
    assert rows["Door controller"]["as_of"] == "2026-11-21T02:04:00Z"
    assert rows["Payroll export"]["stale"] == "false"


def test_the_last_second_of_year_9999_is_written_as_it_is() -> None:
    """Microsoft says "never" that way."""
    rows = {row["app_name"]: row for row in rows_of(samples.bad_morning())}
    assert rows["Forever"]["end"] == "9999-12-31T23:59:59Z"
    assert rows["No end"]["end"] == ""


@pytest.mark.parametrize(
    ("hidden", "seen"),
    [
        ("a\x00b", "a⟨U+0000⟩b"),
        ("a\nb", "a⟨U+000A⟩b"),
        ("a\x7fb\x85", "a⟨U+007F⟩b⟨U+0085⟩"),
        ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
        ("a\u200bb\u2028", "a⟨U+200B⟩b⟨U+2028⟩"),
        ("pass\u200dword", "pass⟨U+200D⟩word"),
        ("\ud800", "⟨U+D800⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("👩\u200d💻 naïve сервер شركة", "👩\u200d💻 naïve сервер شركة"),
    ],
)
def test_what_hides_is_shown_and_what_is_text_stays(hidden: str, seen: str) -> None:
    """Control, bidi and zero-width characters get a stand-in; languages and emoji stay."""
    assert visible(hidden) == seen


def test_the_csv_can_be_encoded_whatever_was_in_it() -> None:
    """Half a surrogate pair does not end an export."""
    report = samples.hostile()
    to_csv(replace(report, verdict="\ud800")).encode()
