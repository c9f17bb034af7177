"""Realistic reports: a good week, a bad one, two hundred tenants, and a hostile one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from monitor.model import CanaryResult, Mail, Pulse, RefusedAddress, Snooze, TenantHealth, Week
from monitor.status import Facts, StatusReport, build_report
from monitor.weekly import Plan, Weekly, weekly
from tests import status_samples as samples
from tests.mail_nouns import BERLIN, renderer
from tests.status_samples import NOW, credential, facts, health, sender, tenant

WEEKLY = Plan()
DAY = timedelta(days=1)
GOOD_WEEK = Week(
    since=NOW - 7 * DAY,
    canaries=7,
    canary_seconds=2.42,
    mails={"reminder": 2, "recovered": 1},
    warnings=3,
)
BAD_WEEK = replace(
    GOOD_WEEK, canaries=49, canaries_failed=5, waited=2, longest_wait=timedelta(hours=3, minutes=12)
)


def good_week() -> StatusReport:
    """One tenant, all seen, nothing to do."""
    return build_report(good_facts(), now=NOW)


def good_facts() -> Facts:
    """What a good week is made of."""
    rows = [
        credential("contoso", "Intranet", 1, 40, first_seen=NOW - 300 * DAY),
        credential("contoso", "Payroll", 2, -2, name="old"),
        credential("contoso", "Payroll", 3, 360, name="new", first_seen=NOW - 3 * DAY,
                   start=NOW - 3 * DAY),
        credential("contoso", "Old mailer", 4, 80, removed_at=NOW - DAY),
    ]  # fmt: skip
    return facts(
        [tenant("contoso")], rows, [health("contoso", 0.7)],
        [sender("contoso", CanaryResult.OK)],
        pulse=Pulse(configured=True, last_ok=NOW),
        paths={"operator", "tenant:contoso", "channel:pager"},
    )  # fmt: skip


def told(report: StatusReport, week: Week = GOOD_WEEK, plan: Plan = WEEKLY) -> Weekly:
    """The report's facts, put together."""
    return weekly(report, week, plan, BERLIN)


def report(found: StatusReport, week: Week = GOOD_WEEK, plan: Plan = WEEKLY) -> Mail:
    """The mail to the operator."""
    facts_of = told(found, week, plan)
    return renderer().report(facts_of, recipient="noc@msp.example", zone=BERLIN)


def crowd(count: int) -> StatusReport:
    """So many tenants, a quarter of them with something that is blind."""
    names = [f"customer-{number:03}" for number in range(count)]
    rows = [
        credential(name, f"Line of business app {number}", number, number % 97 - 3)
        for number, name in enumerate(names)
    ]
    healths = [health(name, 30 if number % 8 == 0 else 0.7) for number, name in enumerate(names)]
    senders = [sender(name, CanaryResult.OK) for name in names[: count // 2]]
    people = [tenant(name, paused=number % 8 == 1) for number, name in enumerate(names)]
    return build_report(
        facts(people, rows, healths, senders, paths={"operator", "channel:pager"}), now=NOW
    )


def hostile_report(name: str) -> Mail:
    """A report with this string in each place that somebody outside chooses."""
    rows = [credential("x", name, n, n * 9.0 - 2, name=name) for n in range(6)]
    rows.append(credential("x", name, 9, 80, removed_at=NOW - DAY))
    rows.append(credential("x", name, 10, None))
    rows = [replace(row, tenant=name) for row in rows]
    bad = TenantHealth(name, last_attempt=NOW, failures=3, problem=name or "x")
    snooze = Snooze(name, rows[1].uid, 1, name, name, NOW)
    refused = RefusedAddress(name, NOW, name, (name,))
    known = facts([tenant(name)], rows, [bad], [sender(name, CanaryResult.FAILED, stage=name)],
                  [snooze], refused=[refused])  # fmt: skip
    return report(build_report(known, now=NOW), BAD_WEEK)


def crowd_report(count: int) -> Mail:
    """The report of an MSP."""
    return report(crowd(count), BAD_WEEK)


def every_report() -> Mapping[str, Mail]:
    """Each shape that a report has."""
    return {
        "report-good": report(good_week()),
        "report-monthly": report(good_week(), plan=Plan(0, monthly=True)),
        "report-bad": report(samples.bad_morning(), BAD_WEEK),
        "report-forty": report(crowd(40), BAD_WEEK),
    }
