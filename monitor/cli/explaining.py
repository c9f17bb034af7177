"""`explain`: who is told about one credential, and why others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from monitor.cli.silencing import CREDENTIAL_HELP, Only, find
from monitor.cli.tenants import AsJson, named
from monitor.cli.terminal import iso, print_json, print_table, when, wired
from monitor.fields.problems import printable

if TYPE_CHECKING:
    from monitor.explain import Explanation, Hearer
    from monitor.routing import Step


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("explain")(explain)


def explain(
    context: typer.Context,
    credential: Annotated[str, typer.Argument(help=CREDENTIAL_HELP)],
    only: Only = None,
    as_json: AsJson = False,
) -> None:
    """Say for one credential who is told what and when, by which rule, and why others are not."""
    from jobs.send_warnings import JOB
    from monitor.explain import explain as reasons

    with wired(context) as app:
        one = find(app, credential, only)
        tenant = named(app, one.tenant)
        now = app.clock().replace(microsecond=0)
        known = app.runs.outlook(app.store.last_slots(JOB), only=one.tenant)
        found = reasons(one, tenant, known, now)
        zone = ZoneInfo(app.configuration.operator_zone)
    if as_json:
        print_json(_shape(found))
        return
    for line in _head(found, zone):
        print(printable(line, 600))
    print_table(
        "Rules",
        ("Rule", "What", "To", "Why"),
        [(_rule(step), _OUTCOMES[step.outcome], ", ".join(step.to), _why(step))
         for step in found.steps],
    )  # fmt: skip
    print_table(
        "Who may be told",
        ("To", "Zone", "Next", "Kind", "Stage", "Now"),
        [_row(each, zone) for each in found.hearers],
    )


_OUTCOMES = {
    "holds": "holds",
    "does_not_fit": "does not fit",
    "yields_nobody": "yields nobody",
    "not_asked": "is not asked",
    "handed_over": "handed over",
}


def _head(found: Explanation, zone: ZoneInfo) -> list[str]:
    one = found.credential
    left = "" if found.days_left is None else f" ({found.days_left} days left)"
    key = one.key_id or one.uid
    lines = [
        f'{one.kind} {key} of "{one.app_name}" in {one.tenant}',
        f"Ends: {when(one.end, zone)}{left}",
        f"State: {found.state}, because {found.why}.",
    ]
    if found.ignored:
        rule = found.ignored
        lines.append(f"Ignored until {rule.review}, by {rule.author}: {rule.reason}")
    if not found.tenant.active:
        lines.append("The tenant is paused or pending: nobody is told about it.")
    elif found.nobody:
        lines.append("Nobody is told: neither the tenant nor the operator has recipients.")
    return lines


def _rule(step: Step) -> str:
    return str(step.rule) if step.rule else "none"


def _why(step: Step) -> str:
    return "; ".join(step.why)


def _row(each: Hearer, zone: ZoneInfo) -> tuple[str, ...]:
    said, coming = each.decision.notice is not None, each.next
    now = f"{'would be told' if said else 'is not told'}: {each.why}"
    if coming is None:
        return each.run.address, each.run.zone, "-", "-", "-", now
    at = when(coming.at, zone)
    return each.run.address, each.run.zone, at, str(coming.kind), str(coming.stage), now


def _shape(found: Explanation) -> dict[str, object]:
    one, rule = found.credential, found.ignored
    return {
        "tenant": one.tenant,
        "uid": one.uid,
        "key_id": one.key_id,
        "app_name": one.app_name,
        "kind": str(one.kind),
        "end": iso(one.end),
        "state": str(found.state),
        "why": found.why,
        "days_left": found.days_left,
        "severity": found.severity,
        "ignored": None if rule is None else {
            "reason": rule.reason, "author": rule.author, "review": rule.review.isoformat(),
        },
        "rules": [
            {"rule": step.rule or None, "outcome": step.outcome, "why": list(step.why),
             "to": list(step.to)}
            for step in found.steps
        ],
        "recipients": [_hearer(each) for each in found.hearers],
    }  # fmt: skip


def _hearer(each: Hearer) -> dict[str, object]:
    coming = each.next
    return {
        "to": each.run.address,
        "time_zone": each.run.zone,
        "told_now": each.decision.notice is not None,
        "reason": str(each.decision.reason),
        "why": each.why,
        "next": None if coming is None else {
            "at": iso(coming.at), "kind": str(coming.kind), "stage": str(coming.stage),
        },
    }  # fmt: skip
