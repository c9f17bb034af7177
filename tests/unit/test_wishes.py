"""How somebody wishes to be told: what is read, what is merged, and the days of a run."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import parse
from monitor.errors import SettingsError
from monitor.lifecycle import current_stage, stage_until
from monitor.mail.views import Frame
from monitor.model import CredentialRef, Policy, Recipient, Stage, Tenant
from monitor.recipients import Audience, RecipientRun, recipient_runs
from monitor.roster import read
from monitor.roster.writing import to_csv, to_toml
from monitor.timetable import daily_instant

NOW = datetime(2026, 11, 27, 7, 0, tzinfo=UTC)  # a Friday
DAY = timedelta(days=1)
WEEK = (0, 1, 2, 3, 4)
FULL = Recipient(
    "it@contoso.example", "Asia/Tokyo", 6, WEEK, "ticket", (30, 1), at_once=True,
    fallback=("teams", "noc"),
)  # fmt: skip
TENANT = Tenant(
    "contoso", "7b1c0000-0000-4000-8000-000000000001", "global",
    "1f3e0000-0000-4000-8000-000000000001", CredentialRef("secret", "env:X"), recipients=(FULL,),
    contact="boss@contoso.example",
)  # fmt: skip


@pytest.mark.parametrize("write", [to_toml, to_csv])
def test_wishes_and_contact_are_exported_and_read_back(
    tmp_path: Path, write: Callable[..., str]
) -> None:
    """As TOML and as CSV."""
    file = tmp_path / ("t.toml" if write is to_toml else "t.csv")
    plain = replace(TENANT, name="adatum", directory_id=TENANT.directory_id[:-1] + "2",
                    recipients=(Recipient("a@b.example"),), contact=None)  # fmt: skip
    file.write_text(write([TENANT, plain], ()))
    found = read(file, parse({}, tmp_path, None))
    assert found.errors == ()
    assert found.tenants == (TENANT, plain)
    if write is to_csv:
        assert "contact" in next(csv.reader(io.StringIO(file.read_text())))


def test_what_a_tenant_says_of_an_address_wins_over_the_settings() -> None:
    """And what it leaves open the settings fill in."""
    known = Recipient("IT@contoso.example", "Europe/Berlin", 9, (0,), "single", at_once=True)
    policy = Policy(recipients=(known,))
    bare = Recipient("it@contoso.example", "Asia/Tokyo", mode="ticket")
    told = policy.wishes(bare)
    assert (told.time_zone, told.send_hour, told.working_days, told.mode, told.at_once) == (
        "Asia/Tokyo", 9, (0,), "ticket", True,
    )  # fmt: skip
    assert policy.wishes(Recipient("x@contoso.example")) == Recipient("x@contoso.example")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"route": [{"to": []}]}, "route.0.to: must name somebody"),
        ({"route": [{"to": ["owner"]}]}, 'did you mean "owners"?'),
        (
            {"route": [{"to": ["owners"], "severity": "bad"}]},
            'route.0.severity: must be "upcoming"',
        ),
        ({"route": [{"to": ["owners"], "tenat": "x"}]}, 'did you mean "tenant"?'),
        ({"ignore": [{"reason": "x", "author": "y", "tag": "z"}]}, "ignore.0.review: is missing"),
        (
            {"ignore": [{"reason": "x", "author": "y", "review": "2027-01-01"}]},
            "would ignore everything",
        ),
        ({"recipient": [{"address": "a@b.example", "working_days": []}]}, "must be days, like"),
        ({"recipient": [{"address": "a@b.example", "at_once": "yes please"}]}, "true or false"),
        ({"recipient": [{"address": "a@b.example"}, {"address": "A@b.example"}]}, "comes twice"),
        ({"defaults": {"owner_domains": ["a b"]}}, "must be the domain of a mail address"),
    ],
)
def test_a_rule_that_cannot_hold_is_refused_in_words(table: dict[str, object], words: str) -> None:
    """Where it stands, and what to write."""
    with pytest.raises(SettingsError) as caught:
        parse(table, Path.cwd(), None)
    assert words in str(caught.value)


# --- days of a run --------------------------------------------------------------------------------

RUN = RecipientRun("it@contoso.example", "Europe/Berlin", 8, (TENANT,), WEEK)


def test_a_run_on_working_days_passes_over_the_others() -> None:
    """After Friday comes Monday; on Saturday nothing is due."""
    monday = NOW + 3 * DAY
    assert RUN.next_slot(NOW) == monday
    assert RUN.slot(NOW + timedelta(hours=1)) == NOW
    assert RUN.slot(NOW + DAY + timedelta(hours=1)) is None
    assert RUN.ahead(NOW) == NOW + 2 * DAY
    assert RUN.ahead(monday) == monday


days = st.sets(st.integers(0, 6), min_size=1).map(lambda found: tuple(sorted(found)))


@given(
    working=days,
    hours=st.integers(-40 * 24, 80 * 24),
    thresholds=st.sampled_from([(60, 30, 14, 7, 3, 1, 0), (20, 5), ()]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe"]),
)
def test_no_stage_comes_late_because_of_days_off_and_nothing_lapses_early(
    working: tuple[int, ...], hours: int, thresholds: tuple[int, ...], zone: str
) -> None:
    """Against a run each day: at each of its slots all is told that it would have told by then."""
    place, end = ZoneInfo(zone), NOW + timedelta(hours=hours)
    run = replace(RUN, zone=zone, working_days=working)
    told: Stage | None = None
    for step in range(40):
        day = (NOW + step * DAY).astimezone(place).date()
        slot = daily_instant(day, time(8), place)
        mine = day.weekday() in working
        if mine:
            stage_of = stage_until(run.ahead(slot))
            found = stage_of(end, thresholds, 4, slot, place)
            told = found if told is None or (found and found > told) else told
            assert found is None or not found.after_end or end <= slot
        daily = current_stage(end, thresholds, 4, slot, place)
        if daily is None or (daily.after_end and not mine):
            continue
        if step >= 7:  # before, its first working day may still be to come
            assert told is not None
            assert told >= daily


def test_every_stage_is_reached_at_once_without_days_off() -> None:
    """A run that speaks for no day off is the daily one."""
    for hours in range(-48, 48, 5):
        end = NOW + timedelta(hours=hours)
        both = [
            stage(end, (60, 1, 0), 4, NOW, ZoneInfo("UTC"))
            for stage in (stage_until(NOW), current_stage)
        ]
        assert both[0] == both[1]


def test_two_entries_of_one_address_become_the_run_that_tells_sooner() -> None:
    """More days, more stages, the earlier hour."""
    one = Recipient("a@m.example", None, 9, (0, 1), stages=(30,))
    two = Recipient("A@m.example", None, 7, (1, 2), stages=(7,), at_once=True)
    (run,) = recipient_runs([replace(TENANT, recipients=(one, two))], Audience())
    assert (run.send_hour, run.working_days, run.at_once) == (7, (0, 1, 2), {"contoso"})
    assert run.tenants[0].thresholds == (30, 7)
    daily = replace(two, working_days=())
    (run,) = recipient_runs([replace(TENANT, recipients=(one, daily))], Audience())
    assert run.working_days == ()


def test_the_next_reminder_is_said_for_a_working_day() -> None:
    """A stage of a Saturday comes on Friday, the lapse of a Saturday on Monday."""
    frame = Frame("a@m.example", ZoneInfo("UTC"), NOW, {}, {}, working_days=WEEK)
    saturday = NOW.date() + DAY
    assert frame.working(saturday, forward=False) == NOW.date()
    assert frame.working(saturday, forward=True) == NOW.date() + 3 * DAY
    assert Frame("a", ZoneInfo("UTC"), NOW, {}, {}).working(saturday, forward=True) == saturday
