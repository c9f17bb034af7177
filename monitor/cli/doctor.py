"""`doctor`: examines every sign-in and mail path, and says what is wrong and how to mend it."""

from __future__ import annotations

import asyncio
import codecs
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.tenants import named
from monitor.cli.terminal import many, print_json, print_table, read_file, wired
from monitor.errors import UsageError
from monitor.fields.problems import printable
from monitor.model import OPERATOR

if TYPE_CHECKING:
    from monitor.doctor.checks import Check, Report, Status
    from monitor.wiring import App

EXIT_FAILED = 6
_MARKS: dict[Status, str] = {
    "failed": "FAILED",
    "warning": "warning",
    "ok": "ok",
    "skipped": "-",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    context: typer.Context,
    only: Annotated[
        str | None,
        typer.Option("--tenant", help='Only this tenant; "(operator)" is the operator\'s sender.'),
    ] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Send a test mail by each sender, too.")
    ] = False,
    exchange_result: Annotated[
        str | None,
        typer.Option(
            "--exchange-result",
            help="The line that the Exchange check script printed: a file, or - for standard "
            "input. It is kept and used from now on. Needs --tenant.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="List what is fine as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine every sign-in and mail path, and say what is wrong and how to mend it.

    Nothing is changed and, without --send, no mail goes out. Exit code: 0 nothing failed
    (warnings do not count), 6 something failed.
    """
    if exchange_result is not None and not only:
        raise typer.BadParameter("says nothing without --tenant", param_hint="--exchange-result")
    with wired(context) as app:
        name = _target_of(app, only) if only else None
        if exchange_result is not None and name is not None:
            _keep(app, name, exchange_result)
        reports = asyncio.run(app.doctor.examine(only=name, send=send))
        at = app.clock()
    code = EXIT_FAILED if any(report.status == "failed" for report in reports) else 0
    if as_json:
        machine, *others = reports
        print_json(
            {
                "generated_at": at.isoformat(),
                "exit_code": code,
                "machine": [check_json(check) for check in machine.checks],
                "tenants": [_target(report) for report in others],
            }
        )
    else:
        _print(reports, everything=everything or name is not None)
    raise typer.Exit(code)


def _target_of(app: App, only: str) -> str:
    return OPERATOR if only == OPERATOR else named(app, only).name


def _keep(app: App, name: str, given: str) -> None:
    """Read a result of the Exchange check script, and keep it.

    Raises:
        UsageError: it cannot be read, or is about another sender.
    """
    from monitor.doctor.exchange import read_result

    text = _text(sys.stdin.buffer.read() if given == "-" else read_file(Path(given)))
    found = [sender for sender in app.carriers.senders() if sender.tenant == name]
    if not found or found[0].problem:
        raise UsageError(
            f"{name} has no sender in Exchange that a result could be about.",
            remedy="Add [tenant.sender] with a mailbox, or [operator.sender], first.",
        )
    app.store.put_exchange_result(read_result(text, found[0], at=app.clock()))


def _text(data: bytes) -> str:
    """What PowerShell writes: UTF-8, or (Windows PowerShell's own redirection) UTF-16."""
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if marked else "utf-8-sig", "replace")


def _target(report: Report) -> dict[str, Any]:
    return {
        "tenant": report.target,
        "mailbox": report.mailbox,
        "status": report.status,
        "cause": report.cause,
        "checks": [check_json(check) for check in report.checks],
    }


def check_json(check: Check) -> dict[str, Any]:
    """A check for scripts."""
    return {
        "name": check.name,
        "title": check.title,
        "status": check.status,
        "evidence": check.evidence,
        "cause": check.cause,
        "also": list(check.also),
        "explanation": check.explanation,
        "fix": check.fix,
        "command": check.command,
    }


def _print(reports: Sequence[Report], *, everything: bool) -> None:
    for report in reports:
        told = [check for check in report.checks if check.status in ("failed", "warning")]
        shown = report.checks if everything else told
        name = f"{report.target}, {report.mailbox}" if report.mailbox else report.target
        title = f"{printable(name, 300)}: {_counts(report)}"
        if not shown:
            print(title)
            continue
        rows = [(check.title, _MARKS[check.status], check.evidence) for check in shown]
        print_table(title, ("Check", "Status", "Evidence"), rows)
        for check in told:
            _explain(check)
    print(_summary(reports))


def _counts(report: Report) -> str:
    """How many checks ended in which way, the worst first."""
    found = Counter(check.status for check in report.checks)
    return ", ".join(f"{found[one]} {one}" for one in _MARKS if found[one])


def _explain(check: Check) -> None:
    """What, evidence, fix: the lines below the table."""
    cause = f" [{check.cause}]" if check.cause else ""
    print(f"{_MARKS[check.status]}: {check.title}{cause}")
    print(f"  Seen: {printable(check.evidence, 1000)}")
    if check.explanation:
        print(f"  Why:  {printable(check.explanation, 1000)}")
    if check.also:
        print(f"  Or:   {', '.join(check.also)}")
    for number, line in enumerate(check.fix.splitlines()):
        print(f"  {'Fix: ' if number == 0 else '     '} {printable(line, 2000)}")
    if check.command:
        print(f"  Run:  {printable(check.command, 1000)}")
    print()


def _summary(reports: Sequence[Report]) -> str:
    failed = [report for report in reports if report.status == "failed"]
    warned = sum(check.status == "warning" for report in reports for check in report.checks)
    advice = f" {many(warned, 'warning')}." if warned else ""
    if not failed:
        return f"Nothing failed.{advice}"
    named_ = ", ".join(f"{printable(one.target)} ({one.cause or 'see above'})" for one in failed)
    return f"Failed: {named_}.{advice}"
