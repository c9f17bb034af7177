"""A quiet inbox is not taken for a quiet night: whoever is in shadow is named everywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.cli.reports import print_report
from monitor.model import CanaryResult
from monitor.shape import as_json
from monitor.status import StatusReport, build_report
from monitor.status.verdict import verdict
from monitor.web.page import render_page
from tests import status_samples as samples

NOW = samples.NOW
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def report(*shadows: datetime | None, days: float = 200, paused: bool = False) -> StatusReport:
    """Tenants that are well, each with its shadow and a credential with so many days left."""
    names = [f"customer-{number}" for number in range(len(shadows))]
    tenants = [
        samples.tenant(name, shadow_until=until, paused=paused)
        for name, until in zip(names, shadows, strict=True)
    ]
    return build_report(
        samples.facts(
            [*tenants, samples.tenant("msp")],
            [samples.credential(name, "App", 1, days) for name in names],
            [samples.health(name, 0.7) for name in (*names, "msp")],
            [samples.sender("msp", CanaryResult.OK)],
        ),
        now=NOW,
    )


def text_of(found: StatusReport, capsys: pytest.CaptureFixture[str]) -> str:
    """What `lapsewatch status` prints."""
    print_report(found, BERLIN)
    return " ".join(capsys.readouterr().out.split())


def page_of(found: StatusReport) -> str:
    """The page."""
    return " ".join(render_page(found, zone=BERLIN, version="0").split())


def test_the_verdict_says_how_many_are_in_shadow_and_until_when() -> None:
    """Beside what is the matter, and where all is well."""
    until = NOW + 9 * DAY
    at = f"{until:%Y-%m-%d %H:%M} UTC"
    well = report(until)
    assert well.verdict == (
        "All is well: 2 tenants read, nothing needs action. 1 mail path proven. "
        f"1 tenant is in shadow, without reminders, until {at}."
    )
    action = report(until, until, days=3)
    assert action.verdict == (
        f"2 credentials need action; 2 tenants are in shadow, without reminders, until {at}."
    )
    mixed = report(until, until - DAY).verdict
    assert f"2 tenants are in shadow, without reminders, the last of them until {at}." in mixed


@pytest.mark.parametrize("until", [None, NOW, NOW - DAY])
def test_nothing_is_said_of_a_shadow_that_is_over(
    until: datetime | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor where there never was one."""
    found = report(until)
    for text in (found.verdict, text_of(found, capsys), page_of(found)):
        assert "shadow" not in text
    tenants = as_json(found)["tenants"]
    assert isinstance(tenants, list)
    assert {row["shadow_until"] for row in tenants} == {None}


@pytest.mark.parametrize("days", [200, 3, -3])
def test_the_shadow_does_not_change_the_exit_code(days: float) -> None:
    """What needs action needs it, whether mails go out or not."""
    assert report(NOW + DAY, days=days).exit_code == report(None, days=days).exit_code


def test_table_page_and_json_say_until_when(capsys: pytest.CaptureFixture[str]) -> None:
    """The table and the page in the reader's zone, the JSON in UTC."""
    until = NOW + 9 * DAY
    found = report(until, days=3)
    text = text_of(found, capsys)
    assert "In shadow: one welcome mail, no reminders" in text
    assert f"{until.astimezone(BERLIN):%Y-%m-%d %H:%M %Z} customer-0 1" in text
    assert '<span class="tag">in shadow until <time' in page_of(found)
    tenants = as_json(found)["tenants"]
    assert isinstance(tenants, list)
    shown = {row["name"]: row["shadow_until"] for row in tenants}
    assert shown == {"customer-0": until.isoformat().replace("+00:00", "Z"), "msp": None}


def test_of_many_in_shadow_the_table_has_the_first_and_counts_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An import of a thousand is no reason for a thousand lines."""
    text = text_of(report(*[NOW + DAY] * 50), capsys)
    assert "… and 10 more (see --json)." in text


def test_a_paused_tenant_is_silent_for_another_reason() -> None:
    """The verdict does not count it as in shadow."""
    assert "shadow" not in report(NOW + DAY, paused=True).verdict


def test_the_sentence_is_part_of_a_bad_morning_too() -> None:
    """At its end, for what is the matter is more urgent."""
    rows = samples.bad_morning().tenants
    shaded = replace(rows[0], shadow_until=NOW + DAY)
    found = verdict(replace(samples.bad_morning(), tenants=(shaded, *rows[1:])))
    assert found.startswith("1 credential lapsed; ")
    assert "; 1 tenant is in shadow, without reminders, until " in found
