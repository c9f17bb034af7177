"""`status`, `diagnose` and `health`: what the product knows."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from monitor.arrival import words
from monitor.cli.blindness import print_blind
from monitor.cli.terminal import print_json, print_table, when, wired, write_file
from monitor.errors import SettingsError
from monitor.fields.problems import printable
from monitor.model import CanaryResult, OutboxState, TenantState, stage_label

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.diagnose import Rulebook
    from monitor.model import Credential, OutboxMail
    from monitor.status import StatusReport

SHOWN = 40
BLIND_SHOWN = 10
DEFAULT_FILE = "lapsewatch.toml"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("status")(status)
    app.command("diagnose")(diagnose)
    app.command("health")(health)


def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a line a credential.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the page to this file.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="List what is fine as well.")] = False,
    blind: Annotated[
        bool, typer.Option("--blind", help="Only what could not have been warned about, all of it.")
    ] = False,
) -> None:
    """Say what needs action and what is unknown.

    Exit code: 0 fine, 3 something needs action, 4 something lapsed, 5 a tenant is unknown,
    6 a canary fails (the highest that applies).
    """
    if as_json and as_csv:
        raise typer.BadParameter("cannot be both; choose one", param_hint="--json and --csv")
    with wired(context) as app:
        report = app.report()
        zone = ZoneInfo(app.configuration.operator_zone)
        operator_name = app.configuration.operator_name
        begun = [draft.name for draft in app.store.drafts()]
    if html is not None:
        from monitor import __version__
        from monitor.web.page import render_page

        page = render_page(
            report, zone=zone, operator_name=operator_name, version=__version__, standalone=True
        )
        write_file(html, page)
        print(f"Wrote {html}.", file=sys.stderr)
    if as_json:
        from monitor.shape import as_json as shape

        told = shape(report)
        print_json({"blind_spots": told["blind_spots"]} if blind else told)
    elif blind:
        print_blind(report, zone)
    elif as_csv:
        from monitor.export import to_csv

        sys.stdout.write(to_csv(report))
    elif html is None:
        print_report(report, zone, everything=everything)
        for name in begun:
            print(f"Begun and not finished: go on with: lapsewatch tenant add {printable(name)}")
    raise typer.Exit(report.exit_code)


def print_report(report: StatusReport, zone: ZoneInfo, *, everything: bool = False) -> None:
    """The report for a terminal: the verdict, then what is unknown, then what needs action."""
    print(report.verdict)
    quiet = (TenantState.OK, TenantState.PAUSED)
    tenants = [row for row in report.tenants if everything or row.problem or row.state not in quiet]
    if tenants:
        print_table(
            "Tenants",
            ("State", "Tenant", "Last complete scan", "Problem"),
            [
                (str(row.state), row.tenant.name, when(row.last_complete, zone), row.problem or "")
                for row in tenants
            ],
        )
    _print_shadow(report, zone)
    _print_credentials(report, zone, everything=everything)
    _print_ignores(report)
    if report.canaries:
        print_table(
            "Mail paths",
            ("Result", "Tenant", "Mailbox", "Last good", "Stage", "Reply"),
            [
                (
                    str(row.result),
                    row.tenant,
                    row.mailbox,
                    when(row.last_ok, zone),
                    stage_label(row.stage) or "",
                    words(row.arrival) if row.result is CanaryResult.OK else row.evidence or "",
                )
                for row in report.canaries
            ],
        )
    _print_work(report, zone)
    print_blind(report, zone, shown=None if everything else BLIND_SHOWN)
    print(f"As of {when(report.generated_at, zone)}. What is too old is never shown as ok.")


def _print_shadow(report: StatusReport, zone: ZoneInfo) -> None:
    """The tenants that no reminders go out about, and until when."""
    rows = [row for row in report.tenants if row.shadow_until is not None]
    if rows:
        print_table(
            "In shadow: one welcome mail, no reminders",
            ("Until", "Tenant", "Need action"),
            [
                (when(row.shadow_until, zone), row.tenant.name, str(row.needs_action))
                for row in rows[:SHOWN]
            ],
        )
        if len(rows) > SHOWN:
            print(f"… and {len(rows) - SHOWN} more (see --json).")


def _print_credentials(report: StatusReport, zone: ZoneInfo, *, everything: bool) -> None:
    rows = [row for row in report.credentials if everything or row.needs_action]
    if rows:
        print_table(
            "Credentials" if everything else "Needs action, soonest first",
            ("State", "Days", "Ends", "Tenant", "Application", "Credential"),
            [
                (
                    f"{row.state}, still used" if row.moving else str(row.state),
                    "-" if row.days_left is None else str(row.days_left),
                    when(row.credential.end, zone),
                    row.tenant.name,
                    row.credential.app_name,
                    _credential_name(row.credential),
                )
                for row in (rows if everything else rows[:SHOWN])
            ],
        )
        if not everything and len(rows) > SHOWN:
            print(f"… and {len(rows) - SHOWN} more (see --all or --json).")


def _print_ignores(report: StatusReport) -> None:
    """The rules that keep credentials quiet, and those whose review is due."""
    if report.ignores:
        print_table(
            "Ignored by rule",
            ("Credentials", "Review", "By", "Reason"),
            [
                (
                    str(row.credentials),
                    f"{row.rule.review}{', due: it ignores nothing any more' if row.due else ''}",
                    row.rule.author,
                    row.rule.reason,
                )
                for row in report.ignores
            ],
        )


def _print_work(report: StatusReport, zone: ZoneInfo) -> None:
    """Mails that are stuck, and work of the service that is not done."""
    stuck = [mail for mail in report.mails if _trouble(mail, report.generated_at)]
    if stuck:
        print_table(
            "Mails that are stuck",
            ("State", "To", "Since", "Subject", "Reason"),
            [
                (
                    _trouble(mail, report.generated_at),
                    mail.recipient,
                    when(mail.date, zone),
                    mail.mail.subject,
                    mail.last_error or "",
                )
                for mail in stuck[:SHOWN]
            ],
        )
    undone = [(job.name, "all rounds", when(job.last, zone)) for job in report.late_jobs]
    if report.pulse.failing_since is not None:
        why = f"all cycles: {report.pulse.problem}"
        undone.append(("heartbeat", why, when(report.pulse.failing_since, zone)))
    undone += [(run.job, run.name, when(run.taken_at, zone)) for run in report.unfinished[:SHOWN]]
    if undone:
        print_table(
            "Work that is not done; the service tries again", ("Job", "For", "Since"), undone
        )


def _trouble(mail: OutboxMail, now: datetime) -> str:
    if mail.state is OutboxState.DEAD:
        return "dead"
    if not mail.path:
        return "no path"
    return "overdue" if mail.is_overdue(now) else ""


def _credential_name(credential: Credential) -> str:
    return f"{credential.kind} {credential.name or ''} {(credential.key_id or '')[:8]}"


def diagnose(
    context: typer.Context,
    text: Annotated[
        list[str] | None, typer.Argument(help="The reply or error; - reads it.")
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            help="Rules of your own, read before the built-in ones and in place of those "
            "that the settings name."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Explain any SMTP reply, token error or Graph error: cause, evidence and fix."""
    pasted = " ".join(text or ["-"])
    if pasted == "-":
        pasted = sys.stdin.read()
    found = _rulebook(context, rules).diagnose(pasted)
    if as_json:
        print_json(
            {
                "cause": found.cause,
                "also": list(found.also),
                "stage": stage_label(found.stage),
                "retry": found.retry,
                "certain": found.certain,
                "explanation": found.explanation,
                "fix": found.fix,
                "rule": found.rule,
            }
        )
        return
    sure = "" if found.certain else " (not certain)"
    print(f"Cause: {found.cause}{sure}")
    if found.also:
        print(f"Or: {', '.join(found.also)}")
    print(printable(found.explanation, 2000))
    print(f"Fix: {printable(found.fix, 2000)}")


def _rulebook(context: typer.Context, file: Path | None) -> Rulebook:
    """The rules of the file that was named, else of the settings, else the built-in ones.

    Raises:
        SettingsError: the file that was named cannot be used.
    """
    from monitor.config import load
    from monitor.rulebooks import own_rules, rulebook

    if file is not None:
        return rulebook(file)
    named = context.obj["config"]
    if named is None and not Path(DEFAULT_FILE).exists() and "LAPSEWATCH_CONFIG" not in os.environ:
        return rulebook(None)  # it helps where nothing is set up, too
    try:
        configuration = load(named)
        own = own_rules(configuration.folder, configuration.settings.diagnose.rules)
        return rulebook(own)
    except SettingsError as error:
        why = printable(error.problems[0], 600)
        print(f"Warning: only the built-in rules are used. {why}", file=sys.stderr)
        return rulebook(None)


def health(context: typer.Context) -> None:
    """Say whether the service is alive: its database answers, its clock ticks, cycles complete.

    Exit code: 0 alive, 1 not. For container health checks.
    """
    from monitor.liveness import why_not_ready

    with wired(context) as app:
        reasons = why_not_ready(app)
    print("alive" if not reasons else "; ".join(reasons))
    raise typer.Exit(1 if reasons else 0)
