"""What a report counts and lists: the numbers agree with each other, and the worst comes first."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from html import unescape

import pytest

from monitor.mail import standings, tallies
from monitor.mail.reports import SHOWN, report_view
from monitor.model import BlindKind, BlindSpot, CanaryResult, Ignore, Mail
from monitor.render import SIZE
from monitor.status import StatusReport, build_report
from tests import report_samples as sample
from tests import status_samples as samples
from tests.mail_samples import BERLIN
from tests.status_samples import NOW, credential, facts, health, sender, tenant

REPORTS = {
    "good": sample.good_week(), "bad": samples.bad_morning(), "forty": sample.crowd(40),
    "many": sample.crowd(200), "hostile": samples.hostile(),
}  # fmt: skip


def rows(report: StatusReport) -> list[standings.RowView]:
    """The rows of the tenants."""
    return standings.tenants(sample.told(report), BERLIN)


def shown(mail: Mail) -> str:
    """The HTML part as it is read, without its tags."""
    rows_ = re.sub(r"<style.*?</style>|<!--.*?-->|</?(?:td|th|br)\b[^>]*>", " ", mail.html,
                   flags=re.DOTALL)  # fmt: skip
    return " ".join(unescape(re.sub(r"<[^>]+>", "", rows_)).split())


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
def test_the_numbers_add_up_to_what_the_subject_says(name: str) -> None:
    """All that are watched, and of these what needs action."""
    report = REPORTS[name]
    said = tallies.credentials(report).partition(";")[0]
    total, _, parts = said.partition(": ")
    assert int(total) == sample.told(report).counted
    action = re.match(r"(\d+) needs? action \(([^)]*)\)(?:, )?", parts)
    rest = parts[action.end() :] if action else parts
    assert (int(action[1]) if action else 0) == len(report.action_rows)
    if action:
        assert sum(map(int, re.findall(r"\d+", action[2]))) == int(action[1])
    others = sum(int(part.split()[0]) for part in rest.split(", ") if part)
    assert others + len(report.action_rows) == int(total)


def test_what_looks_critical_and_needs_no_action_is_counted_as_what_it_is() -> None:
    """Microsoft renews managed identities, a rule keeps others quiet, and some are gone."""
    reason = Ignore("A test lab.", "ann@msp.example", date(2027, 1, 1), name="Lab")
    found = build_report(replace(sample.good_facts(), credentials=[
        credential("contoso", "App", 1, 3), credential("contoso", "Lab", 3, 3),
        credential("contoso", "VM", 2, 3, managed_identity=True),
        credential("contoso", "Gone", 4, 3, removed_at=NOW),
    ]), now=NOW)  # fmt: skip
    quiet = [
        replace(row, ignored=reason) if row.credential.app_name == "Lab" else row
        for row in found.credentials
    ]
    assert tallies.credentials(replace(found, credentials=tuple(quiet))) == (
        "3: 1 needs action (1 critical), 1 of managed identities (Microsoft renews them), "
        "1 ignored by rule; not counted: 1 removed in the last 30 days"
    )


def test_the_mail_paths_in_the_numbers_are_those_of_the_rows() -> None:
    """What was good too long ago is not ok, and the operator's own is in no tenant's row."""
    told = tallies.paths(samples.bad_morning())
    assert told == (
        "1 ok, 1 failed, 1 not proven lately, 1 unconfirmed, 1 never proven; "
        "the operator's own: ok; 4 tenants without a sender of their own"
    )
    lines = [line for row in rows(samples.bad_morning()) for line in row.lines]
    assert lines.count("Mail path: no sender of its own.") == 4
    for word in ("ok", "failed", "not proven lately", "unconfirmed", "never proven"):
        assert lines.count(f"Mail path: {word}.") == 1


# --- tenants --------------------------------------------------------------------------------------


def mixed() -> StatusReport:
    """A tenant for each thing that can be the matter, the worst ones last by name."""
    names = ("a-fine", "b-paused", "c-blind", "d-stale", "e-unknown", "f-path", "g-soon",
             "h-critical", "i-lapsed", "j-paused-lapsed")  # fmt: skip
    owned = {"a-fine": 200, "g-soon": 20, "h-critical": 3, "i-lapsed": -9, "j-paused-lapsed": -2}
    hours = {"d-stale": 17, "e-unknown": 30}
    return build_report(facts(
        [tenant(name, paused="paused" in name) for name in names],
        [credential(name, f"App of {name}", n, owned[name]) for n, name in enumerate(owned)]
        + [credential("c-blind", "Endless", 99, None)],
        [health(name, hours.get(name, 0.7)) for name in names],
        [sender("f-path", CanaryResult.FAILED), sender("a-fine", CanaryResult.OK)],
        paths={"operator", "channel:pager"},
    ), now=NOW)  # fmt: skip


def test_the_worst_that_is_known_of_a_tenant_is_its_badge_and_its_place() -> None:
    """Lapsed, needs action, failing path, then what is not read or blind; and only then fine."""
    assert [(row.name, row.state, row.tone) for row in rows(mixed())] == [
        ("j-paused-lapsed", "paused, lapsed", "lapsed"),
        ("i-lapsed", "lapsed", "lapsed"),
        ("h-critical", "critical", "critical"),
        ("g-soon", "warning", "warning"),
        ("f-path", "mail path failed", "critical"),
        ("e-unknown", "unknown", "lapsed"),
        ("d-stale", "stale", "warning"),
        ("c-blind", "read", "warning"),
        ("b-paused", "paused", "calm"),
        ("a-fine", "ok", "good"),
    ]


@pytest.mark.parametrize("name", REPORTS)
def test_a_green_ok_stands_beside_nothing_that_is_not(name: str) -> None:
    """That a tenant was read is no proof that all is well there."""
    report = REPORTS[name]
    paths = {row.tenant: row for row in report.canaries}
    bad = {row.tenant.name for row in report.action_rows}
    bad |= {spot.tenant for spot in report.blind_spots if spot.tenant is not None}
    bad |= {row.tenant.name for row in report.tenants if row.state != "ok"}
    bad |= {each for each, row in paths.items() if tallies.path_word(row) != "ok"}
    found = rows(report)
    fine = [row for row in found if row.fine]
    assert len(fine) == len({row.tenant.name for row in report.tenants} - bad)
    assert all((row.state, row.tone) == ("ok", "good") for row in fine)
    assert not any("good" in row.tone for row in found if not row.fine)
    assert found[len(found) - len(fine) :] == fine


@pytest.mark.parametrize("name", ["bad", "forty", "many"])
def test_all_that_lapsed_or_needs_action_is_named_in_both_parts(name: str) -> None:
    """A number of credentials to be renewed helps nobody who does not know which."""
    mail = sample.report(REPORTS[name], sample.BAD_WEEK)
    for row in REPORTS[name].action_rows:
        assert f'"{row.credential.app_name}"' in mail.text
        assert f'"{row.credential.app_name}"' in shown(mail)


def test_a_tenant_with_a_heap_of_lapsed_ones_names_some_and_counts_the_rest() -> None:
    """A row is no list."""
    owned = [credential("contoso", f"App {n}", n, -1 - n) for n in range(9)]
    owned += [credential("contoso", "Soon", 20, 2)]
    [row] = rows(build_report(replace(sample.good_facts(), credentials=owned), now=NOW))
    assert row.lines[0] == (
        '10 credentials, 9 lapsed: "App 0", "App 1", "App 2", "App 3", "App 4" and 4 more; '
        '1 more needs action: "Soon".'
    )


@pytest.mark.parametrize("count", [40, 200])
def test_only_tenants_with_nothing_to_do_are_left_to_the_text_part(count: int) -> None:
    """Nor is any blind spot; all of it within the size that programs show."""
    found = sample.told(sample.crowd(count), sample.BAD_WEEK)
    mail = sample.crowd_report(count)
    said = shown(mail)
    assert len(mail.html.encode()) < SIZE
    for row in [*standings.tenants(found, BERLIN), *standings.blind(found, BERLIN)]:
        assert row.brief in " ".join(mail.text.split())
        if not row.fine:
            assert row.said in said or f"{row.name} {row.state} {row.lines[0]}" in said
    left = [row.name for row in standings.tenants(found, BERLIN) if row.name not in said]
    assert bool(left) == (count == 200)


def test_what_has_nothing_to_do_gives_way_before_anything_is_shortened() -> None:
    """And where even that is too much, from the end on."""
    told = sample.told(sample.crowd(200))
    for shown_rows, lines in SHOWN[1:4]:
        assert lines is None
        part = report_view(told, "noc@msp.example", BERLIN, shown=shown_rows, lines=lines).tenants
        assert all(row.fine for row in part.rest[part.lines :])
        assert not part.rest[part.lines - 1].fine


# --- blind spots ----------------------------------------------------------------------------------


def test_what_concerns_all_tenants_is_the_first_blind_spot() -> None:
    """The widest gap is not row 51 of 51."""
    names = [row.name for row in standings.blind(sample.told(sample.crowd(200)), BERLIN)]
    assert (names[0], names.count("All tenants")) == ("All tenants", 1)


@pytest.mark.parametrize(
    ("fix", "code"),
    [
        ("lapsewatch doctor --tenant contoso", "lapsewatch doctor --tenant contoso"),
        ("Its consent link: lapsewatch tenant show c.example", "lapsewatch tenant show c.example"),
        ("Start `lapsewatch serve` again and read its log.", "lapsewatch serve"),
        ("lapsewatch doctor --tenant '(operator)'", "lapsewatch doctor --tenant '(operator)'"),
        ("lapsewatch doctor --tenant x; rm -rf y", "lapsewatch doctor --tenant NAME"),
        ("lapsewatch doctor --tenant www.evil.example", "lapsewatch doctor --tenant NAME"),
        ("Set heartbeat_url in [operator].", None),
    ],
)
def test_the_command_of_a_to_do_is_set_as_code(fix: str, code: str | None) -> None:
    """In a row and in a line; a name that a shell or a mail reads otherwise is left out."""
    spot = BlindSpot(BlindKind.PENDING, "contoso", "Nothing is read.", fix)
    for count in (1, 60):
        report = replace(sample.good_week(), blind_spots=(spot,) * count)
        mail = sample.report(report)
        whole = re.sub(r'<span class="nb"[^>]*>(.*?)</span>', r"\1", mail.html)
        marked = re.findall(r'<span class="k k0"[^>]*>(.*?)</span>', whole)
        bare = {unescape(each) for each in marked} - {"lapsewatch status"}
        assert bare == ({code} if code else set())
        assert f"To do: {fix if code is None or code in fix else code}" in mail.text


def test_the_state_of_a_blind_spot_is_not_said_twice() -> None:
    """Its badge says "paused" already."""
    mail = sample.report(samples.bad_morning())
    assert "paused; Nothing is read." in mail.text
    assert "paused; It is paused" not in mail.text


def test_one_without_an_end_is_one() -> None:
    """Not "them"."""
    assert "Replace it by one that ends" in sample.report(samples.bad_morning()).text


def test_a_good_report_has_no_blind_spots_and_says_none() -> None:
    """In one word."""
    assert "None. Silence is proof" in sample.report(sample.good_week()).text


# --- weeks and the headline -----------------------------------------------------------------------


def test_a_week_in_which_something_ends_is_told_from_its_first_day_to_its_last() -> None:
    """An end on the second of January is not one on the 28th of December."""
    told = sample.told(sample.good_week())
    bars = report_view(told, "noc@msp.example", BERLIN).coming
    [week] = [week for week in told.coming if week.rows]
    [bar] = [bar for bar in bars if bar.names]
    assert (bar.week, week.monday + timedelta(days=6)) == ("28 Dec to 3 Jan", date(2027, 1, 3))


def test_the_report_says_where_the_rest_of_the_headline_is() -> None:
    """So many more of what, and the command that names them."""
    first, second, *_ = sample.report(samples.bad_morning()).text.splitlines()
    assert first.endswith("; and 6 more matters.")
    assert second.endswith("All that is the matter: `lapsewatch status`")
    assert ">lapsewatch status</span>" in sample.report(samples.bad_morning()).html
