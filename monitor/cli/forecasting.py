"""`forecast`: what the daily mails are going to say."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from monitor.cli.tenants import AsJson, named
from monitor.cli.terminal import iso, many, print_json, print_table, when, wired
from monitor.model import MailKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.forecast import Coming
    from monitor.wiring import App


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("forecast")(forecast)


def forecast(
    context: typer.Context,
    days: Annotated[int, typer.Option(help="How far to look ahead.", min=1, max=3650)] = 60,
    only: Annotated[str | None, typer.Option("--tenant", help="Only this tenant.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="As if every tenant in shadow went live now.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say who will be told what and when, if nothing is renewed, added or removed.

    It writes and sends nothing. A run of today that is still to be made up is shown as now.
    """
    from jobs.send_reports import JOB as REPORT
    from jobs.send_warnings import JOB
    from monitor.forecast import forecast as foresee

    with wired(context) as app:
        name = None if only is None else named(app, only).name
        now = app.clock().replace(microsecond=0)
        known = app.runs.outlook(app.store.last_slots(JOB), only=name)
        coming = foresee(known.live() if live else known, now=now, until=now + timedelta(days))
        until, done = now + timedelta(days), app.store.last_slots(REPORT)
        reports = [] if name else app.reports.coming(done, now=now, until=until)
        unread = _unread(app, name)
        zone = ZoneInfo(app.configuration.operator_zone)
    if unread:
        print(f"Not in it, because never read yet: {', '.join(unread)}.", file=sys.stderr)
    if as_json:
        shapes = [_shape(one) for one in coming] + [_report_shape(*one) for one in reports]
        print_json(sorted(shapes, key=lambda shape: str(shape["at"])))
        return
    _tell(coming, reports, days, zone)


def _tell(
    coming: Sequence[Coming], reports: Sequence[tuple[datetime, str]], days: int, zone: ZoneInfo
) -> None:
    also = f" and {many(len(reports), 'report')}" if reports else ""
    counted = f"{many(len(coming), 'notice')}{also}"
    print(f"{counted} in the next {many(days, 'day')}, if nothing changes.")
    if not (coming or reports):
        return
    columns = ("When", "To", "Kind", "Stage", "Tenant", "Application", "Key id")
    rows = [(one.at, _row(one, zone)) for one in coming]
    rows += [(at, _report_row(at, to, zone)) for at, to in reports]
    print_table("", columns, [row for _, row in sorted(rows, key=lambda pair: pair[0])])


def _unread(app: App, only: str | None) -> list[str]:
    """The tenants that nothing is known of, so that nothing can be foreseen."""
    health = app.store.health()
    chosen = [one.name for one in app.store.tenants() if one.active and only in (None, one.name)]
    return [name for name in chosen if name not in health or health[name].facts_at is None]


def _shape(one: Coming) -> dict[str, str | None]:
    return {
        "at": iso(one.at),
        "to": one.to,
        "kind": str(one.kind),
        "stage": str(one.stage),
        "tenant": one.tenant,
        "app_name": one.credential.app_name,
        "key_id": one.credential.key_id,
    }


def _report_shape(at: datetime, to: str) -> dict[str, str | None]:
    """A report in the same shape: it has no stage, and is about no tenant in particular."""
    about: dict[str, str | None] = dict.fromkeys(("tenant", "app_name", "key_id"))
    return {"at": iso(at), "to": to, "kind": str(MailKind.REPORT), "stage": "", **about}


def _report_row(at: datetime, to: str, zone: ZoneInfo) -> tuple[str, ...]:
    return when(at, zone), to, str(MailKind.REPORT), "", "all", "", ""


def _row(one: Coming, zone: ZoneInfo) -> tuple[str, ...]:
    known = one.credential
    key = (known.key_id or "-")[:8]
    at = when(one.at, zone)
    return at, one.to, str(one.kind), str(one.stage), one.tenant, known.app_name, key
