"""What a set-up found, in words for a terminal."""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Sequence
from datetime import datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from monitor.arrival import words
from monitor.fields.problems import printable
from monitor.model import ArrivalState, CanaryResult, Probe, Tenant, stage_label
from monitor.process import user_name

if TYPE_CHECKING:
    from monitor.doctor.checks import Check
    from monitor.wiring import App

WIDTH = 92
REST_S = 5.0  # between two looks for a test mail
_ARRIVED = {"y": True, "yes": True, "n": False, "no": False}
_MARKS = {"failed": "WRONG", "warning": "note ", "ok": "ok   "}


def tell_checks(checks: Sequence[Check]) -> None:
    """What was looked at: each check in one line, and what to do about what is wrong."""
    told: set[str] = set()
    for check in checks:
        if check.status == "skipped":
            continue
        say(f"{_MARKS[check.status]} {check.title}: {check.evidence}", indent=2, hang=8)
        if check.status == "ok" or check.fix in told:  # one fix for several symptoms
            continue
        told.add(check.fix)
        if check.explanation:
            say(f"Why: {check.explanation}", indent=8)
        say(f"Fix: {check.fix}", indent=8)
        if check.command:
            say("Run:", indent=8)
            print(f"          {printable(check.command, 1000)}")


def tell_probe(probe: Probe) -> None:
    """How far a test mail came: in one line where all is well, else stage by stage."""
    if probe.result is CanaryResult.OK:
        took = (probe.finished_at - probe.started_at).total_seconds()
        last = probe.evidence.splitlines()[:1]
        say(f"ok    The mail server took the mail, after {took:.1f} s: {''.join(last)}", indent=2,
            hang=8)  # fmt: skip
        return
    for timing in probe.timings:
        mark = "ok   " if timing.ok else "WRONG"
        lines = timing.reply.splitlines()
        reply = f": {lines[0] if timing.ok else ' / '.join(lines)}" if lines else ""
        say(f"{mark} {stage_label(timing.stage)}{reply}", indent=2, hang=8)
    if probe.result is CanaryResult.FAILED and not any(not one.ok for one in probe.timings):
        say(f"WRONG {probe.evidence}", indent=2)


def tell_next(app: App, entry: Tenant) -> None:
    """When the first scheduled runs are."""
    runs = app.wizard.next_runs(entry, app.clock())
    print()
    say("What happens next", bold=True)
    if not runs.running:
        say("The service is not running, so nothing happens on the clock yet. Start it with: "
            "lapsewatch serve", indent=2)  # fmt: skip
    every = app.scan_every.total_seconds() / 3600
    say(f"Read: every {every:g} hours.", indent=2)
    if runs.canary is not None:
        say(f"Test mail: daily, first {_local(*runs.canary)}.", indent=2)
    for address, at, zone in runs.mails:
        first = "first at once" if at is None else f"first {_local(at, zone)}"
        if at is None and not runs.running:
            first = "first as soon as the service runs"
        say(f"Warnings to {address}: whenever there are any, {first}.", indent=2)


def _local(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%a %d %b %Y, %H:%M} ({zone})"


def say(text: str, *, indent: int = 0, hang: int | None = None, bold: bool = False) -> None:
    """Print for people: wrapped, harmless, and set in a little where it belongs to a step."""
    blank = " " * indent
    later = " " * (indent if hang is None else hang)
    lines = textwrap.wrap(
        printable(text, 3000), _width(), initial_indent=blank, subsequent_indent=later,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    for line in lines:
        typer.secho(line, bold=bold or None, fg=_colour(line))


def _width() -> int:
    return max(40, min(WIDTH, get_terminal_size().columns - 1))


def _colour(line: str) -> str | None:
    """The word says it; the colour only helps the eye. https://no-color.org"""
    if os.environ.get("NO_COLOR"):
        return None
    return {"WRONG": "red", "ok   ": "green"}.get(line.lstrip()[:5])


def look_for(app: App, entry: Tenant, *, quiet: bool = False) -> bool:
    """Look for the test mail where its sender says how; whether it is known to have arrived.

    An answer of this sort needs no question to anybody.
    """
    sender = app.wizard.sender(entry)
    if sender is None or sender.arrival is None:
        return False
    if not quiet:
        say("Looking whether it arrived, for half a minute at most …", indent=2)
    found = app.readbacks.wait_for(entry.name, sender.mailbox, rest=lambda: time.sleep(REST_S))
    proven = found.state is ArrivalState.PROVEN
    if not quiet:
        mark = "ok    " if proven else "WRONG " if found.state is ArrivalState.LOST else ""
        say(f"{mark}{words(found)}", indent=2, hang=8 if mark else 2)
        known = app.rulebook.causes.get(found.cause or "")
        if known is not None and not proven:
            say(f"Fix: {known.fix}", indent=4)
    return proven


def ask_arrival(app: App, entry: Tenant, probe: Probe, where: str) -> bool:
    """Ask whether the test mail arrived, unless it is found; keep the answer, and give it."""
    if look_for(app, entry):
        return True
    say(f"The server took it. Look into the mailbox {where}, and into its junk folder, for a mail "
        f'"CANARY OK - {entry.name} … #{probe.number:04}".', indent=2)  # fmt: skip
    while True:
        said: str = typer.prompt("  Did it arrive? [y]es, [n]o, [l]ater", default="l")
        word = said.strip().lower()
        if word in _ARRIVED:
            keep_arrival(app, entry, arrived=_ARRIVED[word])
            return _ARRIVED[word]
        if word[:1] == "l":
            later = f"lapsewatch tenant verify {entry.name} --arrived"
            say(
                f"Until somebody says so, the sender counts as unconfirmed. Then: {later}", indent=2
            )
            return False


def keep_arrival(app: App, entry: Tenant, *, arrived: bool, quiet: bool = False) -> None:
    """Keep what somebody says about the test mail, and tell what follows from it."""
    app.wizard.arrivals.confirm(entry, arrived=arrived, by=user_name(), now=app.clock())
    if quiet:
        return
    if arrived:
        say("Confirmed: this mail path works from end to end.", indent=2)
        return
    say(
        "Noted: the sender is unconfirmed. Exchange took the mail, so it was filtered, "
        "quarantined or moved later: look into junk and quarantine, and trace it (Exchange admin "
        f"center, Mail flow, Message trace). Then: lapsewatch tenant verify {entry.name}",
        indent=2,
    )
