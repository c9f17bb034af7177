"""When a report goes, and what it tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from monitor.mail.reports import report_view
from monitor.model import Recipient
from monitor.recipients import Audience, RecipientRun
from monitor.status import build_report, verdict
from monitor.weekly import AHEAD, Plan, due, instants, report_runs
from tests import report_samples as sample
from tests import status_samples as samples
from tests.mail_samples import BERLIN
from tests.status_samples import NOW, credential, tenant

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # 08:00 in Berlin
RUN = RecipientRun("noc@msp.example", "Europe/Berlin", 8, ())


# --- when -----------------------------------------------------------------------------------------


def test_a_report_is_due_on_its_day_from_the_operators_hour_on() -> None:
    """And what was missed is made up on the same local date, as warnings are."""
    plan = Plan.of("mon", "weekly")
    assert due(RUN, plan, MONDAY - timedelta(seconds=1)) is None
    assert due(RUN, plan, MONDAY) == MONDAY
    assert due(RUN, plan, MONDAY + 15 * HOUR) == MONDAY
    assert due(RUN, plan, MONDAY + 16 * HOUR) is None  # it is Tuesday in Berlin
    assert due(RUN, Plan.of("tue", "weekly"), MONDAY) is None


def test_off_means_never() -> None:
    """No day at all."""
    plan = Plan.of("off", "weekly")
    assert due(RUN, plan, MONDAY) is None
    assert list(instants(RUN, plan, None, MONDAY, MONDAY + 99 * DAY)) == []


def test_monthly_is_the_first_such_day_of_a_month() -> None:
    """Twelve in a year, each within the first seven days."""
    plan = Plan.of("mon", "monthly")
    found = list(instants(RUN, plan, None, MONDAY, MONDAY + 365 * DAY))
    assert len(found) == 12
    assert all(at.astimezone(BERLIN).day <= 7 for at in found)
    assert not plan.falls_on(date(2026, 11, 23))


def test_what_is_foreseen_is_what_becomes_due() -> None:
    """Step through half a year hour by hour, over the change of the clocks."""
    plan, end = Plan.of("sun", "weekly"), MONDAY + 182 * DAY
    wanted = list(instants(RUN, plan, None, MONDAY, end))
    done, found, now = None, [], MONDAY
    while now <= end:
        slot = due(RUN, plan, now)
        if slot is not None and slot != done:
            done = slot
            found.append(slot)
        now += HOUR
    assert found == wanted
    assert {at.astimezone(BERLIN).hour for at in found} == {8}
    assert len(found) == 26


def test_one_that_was_done_today_is_not_foreseen_again() -> None:
    """The next one is in a week."""
    plan = Plan.of("mon", "weekly")
    later = MONDAY + HOUR
    assert list(instants(RUN, plan, None, later, later + DAY)) == [later]
    assert list(instants(RUN, plan, MONDAY, later, later + DAY)) == []
    assert list(instants(RUN, plan, MONDAY, later, later + 7 * DAY)) == [MONDAY + 7 * DAY]


def test_each_of_the_operators_recipients_gets_one_in_their_own_zone() -> None:
    """One address twice is one report; nobody without an operator gets any."""
    people = (Recipient("noc@msp.example"), Recipient("NOC@msp.example"),
              Recipient("ann@msp.example", "Asia/Kathmandu", 6))  # fmt: skip
    runs = report_runs(Audience(people, "Europe/Berlin", 8), [tenant("contoso")])
    assert [(run.address, run.zone, run.send_hour) for run in runs] == [
        ("noc@msp.example", "Europe/Berlin", 8), ("ann@msp.example", "Asia/Kathmandu", 6),
    ]  # fmt: skip
    assert report_runs(Audience(), [tenant("contoso")]) == []


# --- what -----------------------------------------------------------------------------------------


def test_the_week_tells_what_was_renewed_lapsed_and_removed() -> None:
    """Each in one list only."""
    told = sample.told(sample.good_week())
    assert [row.credential.name for row in told.renewed] == ["old"]
    assert told.lapsed == ()
    assert [row.credential.app_name for row in told.removed] == ["Old mailer"]
    before = sample.told(sample.good_week(), replace(sample.GOOD_WEEK, since=NOW - HOUR))
    assert (before.renewed, before.removed) == ((), ())


@pytest.mark.parametrize("days", [0.01, 1, 45, 89.9])
def test_what_ends_within_90_days_stands_in_exactly_one_week(days: float) -> None:
    """The weeks begin on Mondays, follow each other, and reach to the end."""
    known = replace(sample.good_facts(), credentials=[credential("contoso", "App", 1, days)])
    coming = sample.told(build_report(known, now=NOW)).coming
    end = NOW + timedelta(days=days)
    holds = [week for week in coming if week.rows]
    assert len(holds) == 1
    assert holds[0].monday <= end.astimezone(BERLIN).date() < holds[0].monday + 7 * DAY
    assert all(week.monday.weekday() == 0 for week in coming)
    gaps = {b.monday - a.monday for a, b in pairwise(coming)}
    assert gaps == {7 * DAY}
    assert coming[0].monday <= NOW.date()
    assert coming[-1].monday + 7 * DAY > (NOW + AHEAD).date()


def test_what_needs_no_action_is_not_coming() -> None:
    """Superseded, removed, rotated by Microsoft, far off, over."""
    rows = [
        credential("contoso", "App", 1, 20), credential("contoso", "App", 2, 400),
        credential("contoso", "Gone", 3, 20, removed_at=NOW - DAY),
        credential("contoso", "VM", 4, 20, managed_identity=True),
        credential("contoso", "Far", 5, 91), credential("contoso", "Over", 6, -1),
    ]  # fmt: skip
    found = sample.told(build_report(replace(sample.good_facts(), credentials=rows), now=NOW))
    assert [row for week in found.coming for row in week.rows] == []
    assert len(found.lapsed) == 1


def test_the_subject_says_that_all_is_good_only_where_nothing_is_blind() -> None:
    """Silence is proof only while the list is empty, and both forms say so."""
    good = sample.report(sample.good_week())
    assert good.subject == "[Lapsewatch] WEEKLY REPORT: 3 credentials, all good"
    assert "Silence is proof only while this list is empty, and it is." in good.text
    bad = sample.report(samples.bad_morning())
    assert bad.subject == "[Lapsewatch] WEEKLY REPORT: 6 need action, 11 blind spots"
    assert "Silence is proof only while this list is empty, and it is not." in bad.text
    blind = sample.report(samples.quiet_morning())
    assert blind.subject == "[Lapsewatch] WEEKLY REPORT: 1 blind spot"
    stuck = replace(sample.good_week(), exit_code=3)
    assert sample.report(stuck).subject.endswith(": not all is well")


def test_two_hundred_tenants_fit_and_the_text_part_has_them_all() -> None:
    """The HTML part stays below the size where mail programs cut."""
    mail = sample.crowd_report(200)
    assert len(mail.html.encode()) < 100_000
    assert len(mail.subject) <= 78
    for number in range(200):
        assert f"customer-{number:03}" in mail.text
    assert "more in the text part of this mail" in mail.html


def test_the_longest_bar_is_the_fullest_week_and_none_is_lost() -> None:
    """One credential beside a thousand is still to be seen."""
    rows = [credential("contoso", f"App {n}", n, 20) for n in range(1000)]
    rows.append(credential("contoso", "Single", 2000, 60))
    told = sample.told(build_report(replace(sample.good_facts(), credentials=rows), now=NOW))
    bars = report_view(told, "noc@msp.example", BERLIN).coming
    assert {(bar.count, bar.width) for bar in bars} == {("1000", 60), ("1", 2), ("none", 0)}
    assert all(bar.width + bar.rest == 100 for bar in bars)


def test_weeks_in_which_nothing_ends_are_told_as_one() -> None:
    """A list of a dozen times none hides the one week that counts."""
    rows = [credential("contoso", "Single", 1, 30)]
    told = sample.told(build_report(replace(sample.good_facts(), credentials=rows), now=NOW))
    bars = report_view(told, "noc@msp.example", BERLIN).coming
    assert [bar.count for bar in bars] == ["none", "1", "none"]
    first, last = told.coming[0].monday, told.coming[-1].monday + timedelta(days=6)
    assert bars[0].week.startswith(f"{first.day} ")
    assert bars[2].week.endswith(f" to {last:%-d %b}".rpartition(" to ")[2])


def test_the_headline_names_three_things_and_counts_the_rest() -> None:
    """The gravest first; the status has them all."""
    bad = samples.bad_morning()
    said = bad.verdict.rstrip(".").split("; ")
    assert len(said) > 4
    headline = "; ".join([*said[:3], f"and {len(said) - 3} more matters."])
    assert headline in " ".join(sample.report(bad).text.split())
    quiet = sample.report(sample.good_week())
    assert "more" not in quiet.text.split("\n\n")[0]


def test_of_a_tenant_that_is_not_read_as_it_should_be_nothing_is_called_fine() -> None:
    """What it had stands with its day; only what was just read can have nothing to do."""
    text = " ".join(sample.report(samples.bad_morning()).text.split())
    unread = [row for row in samples.bad_morning().tenants if row.state in ("unknown", "stale")]
    assert len([row for row in unread if row.last_complete]) > 1
    for row in unread:
        said = text.partition(f"{row.tenant.name}: {row.state}")[2][:90]
        assert ("as of " if row.last_complete else "Never read") in said
        assert "nothing to do" not in said
    assert "nothing to do" in " ".join(sample.report(sample.good_week()).text.split())


def test_the_headline_is_in_the_zone_of_its_reader() -> None:
    """The service stood still at ten by UTC, eleven in Berlin."""
    beats = samples.beats(scheduler=timedelta(hours=2))
    report = build_report(replace(sample.good_facts(), beats=beats), now=NOW)
    assert " UTC" in report.verdict
    last = (NOW - timedelta(hours=2)).astimezone(BERLIN)
    assert f"{last:%Y-%m-%d %H:%M} CET" in verdict(report, BERLIN)
    assert f"{last:%Y-%m-%d %H:%M} CET" in sample.report(report).text
