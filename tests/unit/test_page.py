"""The page's words: what it must say first, and what it must never say."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from monitor.model import Examination, Finding, Side
from monitor.status import StatusReport, build_report
from monitor.web.page import render_page
from tests import status_samples as samples

BERLIN = ZoneInfo("Europe/Berlin")


def page(report: StatusReport, **more: object) -> str:
    """The served page in Berlin's zone."""
    settings: dict[str, object] = {"zone": BERLIN, "version": "0.1.0", **more}
    return render_page(report, **settings)  # type: ignore[arg-type]


def words(html: str) -> str:
    """The text of a page as a reader meets it."""
    text = re.sub(r"<(style|svg|title)\b.*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL)
    return " ".join(text.split())


def section(html: str, heading: str) -> str:
    """The words under one heading."""
    start = html.index(f'aria-labelledby="{heading}"')
    return words("<x " + html[start : html.index("</section>", start)])


# --- the order in which things are told ----------------------------------------------------------


def test_the_verdict_is_the_heading_of_the_page() -> None:
    """The first thing read, by eye or by screen reader, is the verdict in words."""
    report = samples.bad_morning()
    html = page(report)
    head = html[html.index("<h1") : html.index("</h1>")]
    assert re.sub("<[^>]*>", "", head) == report.verdict
    assert "Act now" in words(html[: html.index("<h1")])


def test_what_is_not_known_comes_before_what_needs_action() -> None:
    """A list of actions is only as good as the tenants that were read."""
    html = page(samples.bad_morning())
    places = [html.index(f'id="{i}"') for i in ("verdict", "blind", "action", "mail", "outbox",
                                               "tenants", "quiet")]  # fmt: skip
    assert places == sorted(places)


def test_a_tenant_that_was_not_read_says_why_since_when_and_what_to_do() -> None:
    """The reason, the age and the next step stand in one row."""
    blind = section(page(samples.bad_morning()), "blind")
    assert "tailspin unknown 2 days ago Sat 21 Nov 2026, 03:04 CET" in blind
    assert "Admin consent is missing." in blind
    assert "AADSTS65001" in blind
    assert "lapsewatch run scan --tenant tailspin" in blind
    assert "trey unknown never" in blind
    assert "contoso" not in blind


def test_needs_action_is_soonest_first_with_all_that_is_needed_to_act() -> None:
    """State, time left, date with zone, app, key, tenant, owners, age."""
    action = section(page(samples.bad_morning()), "action")
    assert (
        "lapsed lapsed 1 day ago Sun 22 Nov 2026, 02:16 CET Backup SMTP client secret "
        "“ prod 2025 ” 00000001 fabrikam nobody owns this app 42 min ago"
    ) in action
    apps = ("Backup SMTP", "Door controller", "Payroll", "reader", "Salesforce", "Invoice")
    places = [action.index(app) for app in apps]
    assert places == sorted(places)
    assert "and 1 more" in action
    assert "owners not read" in action
    assert "Lapsewatch signs in with this" in action


def test_a_mail_path_shows_the_cause_the_reply_and_the_last_good_test() -> None:
    """Failing ones stand first, and a good one that is old is not called ok."""
    mail = section(page(samples.bad_morning()), "mail")
    assert "noreply@fabrikam.example fabrikam failed at auth 24 h ago" in mail
    assert "SMTP AUTH is off for the organisation." in mail
    assert "535 5.7.139" in mail
    assert "noreply@adatum.example adatum stale" in mail
    assert "trey never tested" in mail
    assert mail.index("fabrikam") < mail.index("adatum") < mail.index("contoso")


def test_mail_that_cannot_go_out_is_said() -> None:
    """Mail with no path and mail refused for good are the silence nobody notices."""
    outbox = section(page(samples.bad_morning()), "outbox")
    assert "undeliverable" in outbox
    assert "no path" in outbox
    assert "gone@adatum.example" in outbox


def test_what_needs_nothing_says_why() -> None:
    """Superseded by which, snoozed by whom, rotated by Microsoft, removed when."""
    quiet = section(page(samples.bad_morning()), "quiet")
    assert "superseded by 00000008 “ new ”, valid until Thu 18 Nov 2027" in quiet
    assert "snoozed until Sun 29 Nov 2026 by kim@msp.example : The scanner goes to scrap" in quiet
    assert "rotated by Microsoft" in quiet
    assert "removed, noticed Fri 20 Nov 2026" in quiet
    assert quiet.index("Removed") > quiet.index("Rotated by Microsoft") > quiet.index("Ok ")


# --- trust ---------------------------------------------------------------------------------------


def test_every_credential_row_has_its_age_and_a_stale_one_its_mark() -> None:
    """Old facts are never shown as fresh, whichever list they are in."""
    report = samples.bad_morning()
    html = page(report)
    rows = html[html.index('id="action"') :]
    marks = re.findall(r'data-label="As of">(.*?)</td>', rows, re.DOTALL)
    assert len(marks) == len(report.credentials)
    assert sum("stale:" in mark for mark in marks) == sum(row.stale for row in report.credentials)
    assert all("ago" in words(mark + ">") for mark in marks)


def test_only_a_fine_report_is_green() -> None:
    """Green means read, proven and nothing to do; an empty store is none of these."""
    assert 'class="verdict ok"' in page(samples.quiet_morning())
    assert 'class="verdict bad"' in page(samples.bad_morning())
    assert 'class="verdict neutral"' in page(samples.empty_store())


def test_tenants_that_are_all_paused_are_not_green() -> None:
    """Nothing was read, so nothing is well."""
    paused = [samples.tenant("contoso", paused=True)]
    report = build_report(samples.facts(paused), now=samples.NOW)
    assert 'class="verdict ok"' not in page(report)


def test_nothing_to_do_is_not_claimed_while_a_tenant_is_unknown() -> None:
    """An empty list with a blind spot says so."""
    never_read = samples.facts([samples.tenant("contoso")])
    action = section(page(build_report(never_read, now=samples.NOW)), "action")
    assert "Nothing in what could be read." in action


def test_a_service_that_stopped_is_said_above_all_rows() -> None:
    """A page that still loads while nothing runs behind it must not look alive."""
    watched = [samples.tenant("contoso")]
    known = samples.facts(watched, healths=[samples.health("contoso", 4)])
    stopped = samples.beats(scheduler=timedelta(hours=3))  # another part may have lived on
    dead = build_report(replace(known, beats=stopped), now=samples.NOW)
    for html in (page(dead), page(dead, standalone=True)):
        assert "Nothing has run since Mon 23 Nov 2026, 04:04 CET" in words(html)
        assert 'class="verdict ok"' not in html
        assert "Last sign of life stale: 3 h ago" in words(html)
    assert "Nothing has run since" not in words(page(build_report(known, now=samples.NOW)))


def test_without_a_service_the_page_misses_no_sign_of_life() -> None:
    """Cron may do the work."""
    known = samples.facts([samples.tenant("contoso")], healths=[samples.health("contoso", 1)])
    html = page(build_report(replace(known, beats={}), now=samples.NOW))
    assert "Nothing has run since" not in words(html)
    assert 'class="verdict ok"' in html
    assert 'id="undone"' not in html


def test_work_that_is_not_done_is_named_with_its_age() -> None:
    """Whose daily mail, which tenant's scan, whose test, which job; above all other rows."""
    html = page(samples.stalled_morning())
    undone = section(html, "undone")
    for said in (
        "Work that is not done 5",
        "late the job canary has not finished a round 20 h ago Sun 22 Nov 2026, 11:04 CET",
        "unfinished the daily mail to it@contoso.example 64 min ago",
        "unfinished the scan of the tenant fabrikam 46 min ago",
        "unfinished the test of the mail path of fabrikam 55 min ago",
    ):
        assert said.replace("64 min", "1 h") in undone
    assert html.index('id="verdict"') < html.index('id="undone"') < html.index('id="action"')
    assert 'id="undone"' not in page(samples.bad_morning())


def test_mail_that_should_have_gone_says_why_it_has_not() -> None:
    """What was refused has the server's words; what nobody tried says that."""
    outbox = section(page(samples.stalled_morning()), "outbox")
    assert "contoso overdue tried 6 times it@fabrikam.example 3 h ago" in outbox
    assert "421 4.3.2 Service not available" in outbox
    assert "never tried: is the service running?" in outbox
    assert "RESOLVED - fabrikam waiting" in outbox


def test_the_list_of_mails_says_how_many_more_there_are() -> None:
    """The number beside the heading is of all of them."""
    report = samples.stalled_morning()
    many = replace(report, outbox=replace(report.outbox, dead=5000))
    outbox = section(page(many), "outbox")
    assert "Mail not delivered 5003" in outbox
    assert "And 5000 more." in outbox


def test_an_empty_store_says_how_to_begin() -> None:
    """The first page a newcomer sees is the instruction."""
    text = words(page(samples.empty_store()))
    assert "lapsewatch tenant import tenants.toml" in text
    assert "Needs action" not in text


# --- what the doctor found ------------------------------------------------------------------------


def examined(name: str, *sides: Side, **changes: object) -> StatusReport:
    """A bad morning on which the doctor has looked at one tenant."""
    found = Finding(
        "object_id",
        "Enterprise application object id",
        "failed",
        "1 is configured, 2 is right",
        "object_id_mismatch",
        fix="Set it.\nThen run `it`.",
        command="New-ServicePrincipal -AppId 1",
    )
    report = Examination(name, samples.NOW - timedelta(minutes=4), sides, (found,))
    rows = samples.bad_morning()
    told = replace(report, **changes)  # type: ignore[arg-type]
    side = {"sending": rows.canaries, "reading": rows.tenants}[sides[0]]
    changed = tuple(replace(row, examination=told) for row in side)
    where = {"sending": "canaries", "reading": "tenants"}[sides[0]]
    return replace(rows, **{where: changed})  # type: ignore[arg-type]


def test_what_the_doctor_found_stands_beside_the_problem() -> None:
    """Cause, evidence, fix and command, with its age; beside a mail path that failed."""
    told = section(page(examined("fabrikam", "sending")), "mail")
    assert "Examined 4 min ago: Enterprise application object id object_id_mismatch" in told
    assert "1 is configured, 2 is right" in told
    assert "Set it. Then run it ." in told
    assert "New-ServicePrincipal -AppId 1" in told


def test_a_tenant_that_cannot_be_read_shows_what_concerns_reading() -> None:
    """Exchange's object id is no reason why Graph cannot be read."""
    told = section(page(examined("fabrikam", "reading")), "blind")
    assert "nothing that the doctor looked at had failed" in told
    assert "object_id_mismatch" not in told


def test_hostile_evidence_of_the_doctor_stays_text() -> None:
    """Servers choose what is seen of them."""
    for bad in samples.HOSTILE_NAMES:
        found = Finding("smtp.auth", bad, "failed", bad, "unknown", fix=bad, command=bad)
        html = page(examined("fabrikam", "sending", findings=(found,), note=bad))
        assert "<script>alert" not in html
        assert "<img src=x" not in html
