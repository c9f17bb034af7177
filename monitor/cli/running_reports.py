"""`run report`: the report about everything, now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.running import AsJson, DryRun, run
from monitor.cli.terminal import many, print_json, wired
from monitor.fields.problems import printable

if TYPE_CHECKING:
    from monitor.wiring import App

WithText = Annotated[bool, typer.Option("--text", help="Print the words of each report as well.")]


def register(_: typer.Typer) -> None:
    """The command stands in the group `run` as soon as this module is imported."""


@run.command("report")
def report(
    context: typer.Context,
    dry_run: DryRun = False,
    text: WithText = False,
    as_json: AsJson = False,
) -> None:
    """Send the report about everything to the operator's recipients. Each run sends another."""
    from jobs.send_reports import plan_reports, send_reports

    with wired(context, works=True) as app:
        mails = plan_reports(app) if dry_run else send_reports(app)
        why = "" if mails else _why_none(app)
    word = "would_be_sent" if dry_run else "written"
    if as_json:
        print_json({word: [[mail.recipient, mail.mail.subject] for mail in mails], "why": why})
        return
    print(f"{many(len(mails), 'report')} {word.replace('_', ' ')}{':' if mails else '.'}")
    for mail in mails:
        print(f"  {mail.recipient}: {printable(mail.mail.subject, 200)}")
        if text:
            print("".join(f"    {printable(line, 1000)}\n" for line in mail.mail.text.splitlines()))
    if why:
        print(why)


def _why_none(app: App) -> str:
    """Why nobody gets a report."""
    if not app.configuration.operator_recipients:
        return "Nobody gets reports: name recipients in [operator]."
    if not app.store.tenants():
        return "No tenant is watched yet."
    return "No sender may carry a report about several tenants: set a sender in [operator]."
