"""The files that digests bring: the whole list for a spreadsheet, the ends for a calendar."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from monitor.mail import sheets
from monitor.mail.calendars import MOST, event_uid
from monitor.model import Attachment, Mail
from tests.mail_samples import NOW, covered_item, credential, digest, item

FORMULAS = ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x", " =1")


def file_of(mail: Mail, ending: str) -> Attachment | None:
    """The file of that ending, if the mail has one."""
    return next((file for file in mail.attachments if file.name.endswith(ending)), None)


def rows_of(mail: Mail) -> list[dict[str, str]]:
    """The list as a strict reader sees it."""
    file = file_of(mail, ".csv")
    assert file is not None
    text = file.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def events_of(mail: Mail) -> list[Any]:
    """The calendar's entries as another program reads them."""
    file = file_of(mail, ".ics")
    assert file is not None
    return list(Calendar.from_ical(file.content).walk("VEVENT"))


def many(count: int) -> list[Any]:
    """So many different reminders."""
    return [item(7 + number % 50, app_name=f"App {number}") for number in range(count)]


def test_a_digest_that_shows_all_in_full_brings_no_list() -> None:
    """Up to 25 items everything is in the mail; one more, and the file has them all."""
    assert file_of(digest(*many(25)), ".csv") is None
    mail = digest(*many(26))
    assert len(rows_of(mail)) == 26
    assert {row["app_name"] for row in rows_of(mail)} == {f"App {n}" for n in range(26)}


def test_the_list_has_what_the_portal_needs_in_the_order_of_the_mail() -> None:
    """Ids, ends and links are whole; what has a newer one comes last, the rest soonest first."""
    rows = rows_of(digest(*many(30), covered_item(3)))
    *urgent, last = [int(row["days_left"]) for row in rows]
    assert (urgent, last) == (sorted(urgent), 3)
    assert rows[-1]["state"] == "covered"
    assert rows[0]["end"] == (NOW + timedelta(days=7, hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert rows[0]["key_id"] == credential().key_id
    assert rows[0]["link"].startswith("https://portal.azure.com/")


def starting_a_formula(cells: list[str]) -> list[str]:
    """Those that a spreadsheet would run."""
    return [
        cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@\t\r\n＝＋－＠") and cell.strip()
    ]


def test_no_cell_of_the_list_starts_a_formula() -> None:
    """Anybody may name an app; its name runs nowhere."""
    hostile = [item(7, app_name=text, name=text) for text in FORMULAS for _ in range(3)]
    cells = [c for row in rows_of(digest(*hostile)) for n, c in row.items() if n != "days_left"]
    assert starting_a_formula(cells) == []
    assert starting_a_formula([*FORMULAS]) == [*FORMULAS]  # known-bad: nothing in front


def test_a_list_that_would_be_too_large_says_how_many_are_missing() -> None:
    """The file is bounded, whatever the names are."""
    long = [
        item(7, app_name="ä" * 5000, name="=" * 5000, owners=("o" * 900,) * 50, uid=str(n))
        for n in range(2000)
    ]
    file = file_of(digest(*long), ".csv")
    assert file is not None
    assert len(file.content) < sheets.LARGEST + 10_000
    last = file.content.decode("utf-8-sig").rstrip().rsplit("\r\n", 1)[-1]
    shown = file.content.count(b"\r\n") - 2
    assert last == f"and {2000 - shown} more: the text part of the mail lists them"


def test_an_end_is_a_whole_day_in_the_recipients_zone_that_blocks_nobody() -> None:
    """Late in the evening in Berlin is the next day in Auckland."""
    mail = digest(item(7), zone=ZoneInfo("Pacific/Auckland"))
    [event] = events_of(mail)
    assert event["DTSTART"].dt == date(2026, 11, 30)
    late = digest(item(7, end=NOW + timedelta(days=7, hours=9)), zone=ZoneInfo("Pacific/Auckland"))
    assert events_of(late)[0]["DTSTART"].dt == date(2026, 12, 1)
    assert event["TRANSP"] == "TRANSPARENT"
    assert event["DTSTAMP"].dt == NOW
    file = file_of(mail, ".ics")
    assert file is not None
    assert b"METHOD:PUBLISH" in file.content
    assert [alarm["TRIGGER"].dt.days for alarm in event.walk("VALARM")] == [-1]


def test_the_same_credential_keeps_its_place_in_the_calendar() -> None:
    """A later mail moves the entry and adds none; a new life is a new entry."""
    first = events_of(digest(item(30)))[0]
    later = events_of(digest(item(30, end=NOW + timedelta(days=20)), now=NOW + timedelta(days=1)))[
        0
    ]
    assert first["UID"] == later["UID"]
    assert later["SEQUENCE"] > first["SEQUENCE"]
    assert events_of(digest(item(30, life=2)))[0]["UID"] != first["UID"]
    assert len({event_uid("a", "b", 1), event_uid("ab", "", 1), event_uid("a", "b", 2)}) == 3


def test_what_has_ended_or_is_covered_is_in_no_calendar() -> None:
    """A calendar with nothing to come is not sent."""
    assert file_of(digest(item(-3)), ".ics") is None
    assert file_of(digest(covered_item(6)), ".ics") is None
    assert len(events_of(digest(item(-3), item(5), covered_item(6)))) == 1


def test_a_name_adds_nothing_to_the_calendar() -> None:
    """Neither lines nor other entries."""
    bad = "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nATTENDEE:mailto:a@evil.example"
    [event] = events_of(digest(item(7, app_name=bad, name=bad)))
    assert "ATTENDEE" not in event
    assert len(event.walk("VALARM")) == 1


def test_the_calendar_is_bounded_and_the_soonest_are_in_it() -> None:
    """Hundreds of entries would bury the calendar they are for."""
    mail = digest(*many(300))
    assert len(events_of(mail)) == MOST
    file = file_of(mail, ".ics")
    assert file is not None
    assert len(file.content) < 150_000
