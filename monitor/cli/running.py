"""`run`: one job, now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.tenants import named
from monitor.cli.terminal import many, print_json, wired
from monitor.errors import LapsewatchError
from monitor.fields.problems import printable
from monitor.model import stage_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.model import ScanRecord
    from monitor.wiring import App

SHOWN = 20
run = typer.Typer(name="run", help="Run one job now.", no_args_is_help=True)
Only = Annotated[str | None, typer.Option("--tenant", help="Only this tenant.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Say what would happen; store and send nothing.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(run)


@run.command("scan")
def scan(
    context: typer.Context, only: Only = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Read the tenants and record what was found. The outcome is in `lapsewatch status`."""
    from jobs.scan_tenants import scan_tenants
    from jobs.send_warnings import deliver

    with wired(context, works=True) as app:
        name = None if only is None else named(app, only).name
        begun = app.clock()
        try:
            scans = asyncio.run(scan_tenants(app, only=name, dry_run=dry_run))
        except LapsewatchError:  # one was removed meanwhile, say; the others were read all the same
            _tell_scans(_recorded(app, begun), as_json)
            raise
        finally:  # one that could not be recorded must not keep back the alarms about the others
            if not dry_run:
                deliver(app)
        waiting = [t.name for t in app.store.tenants() if t.pending and name in (None, t.name)]
    if not as_json:
        _tell_waiting(waiting)
    _tell_scans(scans, as_json, quiet=bool(waiting))


def _tell_waiting(names: Sequence[str]) -> None:
    for name in names[:SHOWN]:
        print(f"{name}: waits for consent (the link: lapsewatch tenant show {name})")
    if len(names) > SHOWN:
        print(f"And {len(names) - SHOWN} more tenants wait for consent.")


def _recorded(app: App, begun: datetime) -> list[ScanRecord]:
    """The attempts that were recorded since an instant, the newest of each tenant."""
    records = [health.record for health in app.store.health().values()]
    return [found for found in records if found is not None and found.started_at >= begun]


def _tell_scans(scans: Sequence[ScanRecord], as_json: bool, *, quiet: bool = False) -> None:
    if as_json:
        print_json(
            [
                {
                    "tenant": found.tenant,
                    "complete": found.complete,
                    "cause": found.cause,
                    "problem": found.problem,
                    "objects": found.objects,
                    "credentials": found.credentials,
                    "pages": found.pages,
                    "notes": list(found.notes),
                    "unseen": found.unseen,
                }
                for found in scans
            ]
        )
        return
    for found in scans:
        if found.complete:
            text = (
                f"read: {many(found.credentials, 'credential')} on {many(found.objects, 'object')}"
            )
        else:
            text = f"NOT READ: {found.problem} [{found.cause}]"
        print(f"{found.tenant}: {printable(text, 1000)}")
        if found.unseen:
            print(f"  not seen: {printable(found.unseen, 1000)}")
        for note in found.notes:
            print(f"  note: {printable(note, 1000)}")
    if not (scans or quiet):
        print("No tenant to read.")


@run.command("warn")
def warn(
    context: typer.Context, only: Only = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Decide who must be told what, and send it. Running it again sends nothing twice."""
    from jobs.send_warnings import plan_warnings, send_warnings

    with wired(context, works=True) as app:
        name = None if only is None else named(app, only).name
        if dry_run:
            planned = [mail for mail, _ in plan_warnings(app, only=name)]
            _tell_mails(
                "would be sent", [(m.recipient, m.mail.subject, "") for m in planned], as_json
            )
            return
        _, outcome = send_warnings(app, only=name)
    sent = [(mail.recipient, mail.mail.subject, "") for mail in outcome.sent]
    waiting = [(mail.recipient, mail.mail.subject, error) for mail, error in outcome.waiting]
    dead = [(mail.recipient, mail.mail.subject, error) for mail, error in outcome.dead]
    if as_json:
        unwritten = outcome.unwritten
        print_json(
            {"sent": sent, "waiting": waiting, "undeliverable": dead, "unwritten": unwritten}
        )
        return
    _tell_mails("sent", sent, False)
    if waiting:
        _tell_mails("waiting for a later try", waiting, False)
    if dead:
        _tell_mails("could not be delivered", dead, False)
    for address in outcome.unwritten:
        print(f"The mail to {address} could not be written; the log says why.")


def _tell_mails(word: str, mails: list[tuple[str, str, str]], as_json: bool) -> None:
    if as_json:
        print_json({word.replace(" ", "_"): mails})
        return
    print(f"{many(len(mails), 'mail')} {word}{':' if mails else '.'}")
    for recipient, subject, error in mails:
        print(f"  {recipient}: {printable(subject, 200)}")
        if error:
            print(f"    {printable(error, 600)}")


def _plan_canaries(app: App, only: str | None, as_json: bool) -> None:
    chosen = [sender for sender in app.carriers.senders() if only in (None, sender.tenant)]
    if as_json:
        print_json(
            [
                {
                    "tenant": sender.tenant,
                    "mailbox": sender.mailbox,
                    "server": f"{sender.host}:{sender.port}",
                    "to": list(sender.canary_to),
                    "problem": sender.problem or None,
                }
                for sender in chosen
            ]
        )
        return
    for sender in chosen:
        if sender.problem:
            print(f"{sender.tenant}: {sender.mailbox}: {printable(sender.problem, 600)}")
            continue
        where = f"{sender.host}:{sender.port}"
        print(f"{sender.tenant}: would send as {sender.mailbox} through {where}")


@run.command("canary")
def canary(
    context: typer.Context, only: Only = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Send a test mail through every sender, and alarm by another path when one fails."""
    from jobs.find_canaries import find_canaries
    from jobs.send_canaries import send_canaries
    from jobs.send_warnings import deliver

    with wired(context, works=True) as app:
        name = None if only is None else named(app, only).name
        if dry_run:
            _plan_canaries(app, name, as_json)
            return
        try:
            probes = send_canaries(app, only=name)
            find_canaries(app, only=name)
        finally:  # one that crashed must not keep back the alarms about the others
            deliver(app)
    if as_json:
        print_json(
            [
                {
                    "tenant": probe.tenant,
                    "mailbox": probe.mailbox,
                    "result": str(probe.result),
                    "stage": stage_label(probe.stage),
                    "cause": probe.cause,
                    "evidence": probe.evidence,
                }
                for probe in probes
            ]
        )
        return
    for probe in probes:
        text = (
            "ok"
            if probe.cause == "ok"
            else f"FAILED at {stage_label(probe.stage)}: {probe.evidence}"
        )
        print(f"{probe.tenant}: {probe.mailbox}: {printable(text, 600)}")
    if not probes:
        print("No sender to prove.")
