"""`tenant`: who is watched."""

from __future__ import annotations

import select
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from monitor.cli.terminal import iso, lasting, many, print_json, print_table, when, wired
from monitor.errors import ImportRowError, UsageError
from monitor.fields.problems import nearest, printable
from monitor.findings import summary
from monitor.onboard import consent_url

if TYPE_CHECKING:
    from monitor.model import Tenant
    from monitor.roster import Roster
    from monitor.wiring import App

tenant = typer.Typer(name="tenant", help="The watched tenants.", no_args_is_help=True)
ANSWER_WITHIN = 1.0  # seconds: `echo n |` may start later than this command, but not by much
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Tag = Annotated[str | None, typer.Option("--tag", help="Only tenants with this tag.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(tenant)


@tenant.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A tenants file: TOML, or CSV (*.csv).")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Say what would change; change nothing.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Start the reminders at once: no tenant is in shadow.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add or update tenants from a file. One bad row is reported and stops nothing else.

    A tenant that is new starts in shadow: one welcome mail, and no reminders for a while.
    """
    from monitor.roster import read

    with wired(context) as app:
        if not dry_run:
            app.make_database()
        found = read(
            file,
            app.configuration,
            known=app.store.tenants(),
            known_apps=app.store.shared_apps(),
        )
        outcomes = _keep(app, found, live=live, dry_run=dry_run)
        if not dry_run:
            _keep_inventory(app, found)
            _keep_lines(app, file, outcomes)
        warnings = [*found.warnings, *_doubts(app, found), *_unheard(app, found)]
    if as_json:
        print_json({"dry_run": dry_run, **_import_json(found, outcomes, warnings)})
    elif dry_run:
        _tell_dry_run(file, outcomes)
    else:
        _tell_import(file, outcomes)
        _tell_shadow(outcomes, None if live else app.configuration.settings.defaults.shadow)
    if not as_json and (found.notes or found.items):
        verb = "would be kept" if dry_run else "kept"
        print(f"{many(len(found.notes), 'note')} and {many(len(found.items), 'item')} {verb}.")
    raise typer.Exit(complain_of_rows(file, warnings, found.errors))


def _import_json(
    found: Roster, outcomes: Sequence[tuple[str, str]], warnings: Sequence[str]
) -> dict[str, object]:
    """What became of a file, in the shape that scripts read."""
    return {
        "tenants": [{"name": name, "outcome": outcome} for name, outcome in outcomes],
        "errors": [{"line": bad.line, "row": bad.row, "error": str(bad)} for bad in found.errors],
        "warnings": warnings,
        "notes": len(found.notes),
        "items": len(found.items),
    }


def _keep_inventory(app: App, found: Roster) -> None:
    """Store the notes and the items of a file."""
    app.store.replace_notes(found.notes)
    zones = {entry.name: ZoneInfo(entry.time_zone) for entry in app.store.tenants()}
    app.store.replace_items(found.items, zones=zones, keep=found.doubtful, now=app.clock())


def _keep_lines(app: App, file: Path, outcomes: Sequence[tuple[str, str]]) -> None:
    """A line of the audit log for each tenant that a file changed."""
    from monitor.cli.auditing import entry as line_of

    now, why = app.clock(), f"from {printable(file.name, 200)}"
    app.store.put_audits([
        line_of(now, "tenant import", name, name, why=f"{outcome}, {why}")
        for name, outcome in outcomes
        if outcome != "unchanged"
    ])  # fmt: skip


def complain_of_rows(file: Path, warnings: Sequence[str], errors: Sequence[ImportRowError]) -> int:
    """Tell what is odd in a file and which rows are bad, a line for each; the exit code."""
    for text in warnings:
        print(f"Warning: {file.name}: {printable(text, 2000)}", file=sys.stderr)
    for bad in errors:
        where = f"{file.name}: line {bad.line}, {bad.row}"
        print(f"Error: {where}: {printable(str(bad), 2000)}", file=sys.stderr)
    return 1 if errors else 0


def _keep(app: App, found: Roster, *, live: bool, dry_run: bool) -> list[tuple[str, str]]:
    """Store what a file holds; each tenant that is in it, or uses an app in it, and the outcome.

    What is new starts in shadow, unless all of it is to be `live`. Where consent is awaited, the
    shadow begins with that.
    """
    now = app.clock()
    shadow = timedelta(0) if live else app.configuration.settings.defaults.shadow
    until = now.replace(microsecond=0) + shadow if shadow else None
    tenants = [
        replace(entry, shadow_until=None if entry.pending else until) for entry in found.tenants
    ]
    return [*app.store.put_roster(found.apps, tenants, now=now, live=live, dry_run=dry_run)]


def _doubts(app: App, found: Roster) -> list[str]:
    """What is wrong with the certificates that a file names, each told once."""
    named = [(f"app {shared.name}", shared.credential) for shared in found.apps]
    for entry in found.tenants:
        sender = entry.sender.credential if entry.sender else None
        named += [(entry.name, held) for held in (entry.credential, sender) if held is not None]
    first = {held: name for name, held in reversed(named)}
    look, now = app.credentials.doubts, app.clock()
    return [f"{name}: {told}" for held, name in first.items() for told in look(held, now)]


def _unheard(app: App, found: Roster) -> list[str]:
    """That nobody at all is told of some tenants, in one line."""
    alone = [] if app.configuration.operator_recipients else found.tenants
    names = [entry.name for entry in alone if not entry.recipients]
    if not names:
        return []
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [
        f"{', '.join(names[:3])}{more}: nobody is warned. Name recipients there, or under "
        "[defaults] or [operator] in the settings."
    ]


def _tell_import(file: Path, outcomes: Sequence[tuple[str, str]]) -> None:
    counts = {word: sum(found == word for _, found in outcomes) for _, word in outcomes}
    if not outcomes:
        print(f"{file.name} holds no usable tenant.")
        return
    told = ", ".join(f"{number} {word}" for word, number in sorted(counts.items()))
    print(f"{many(len(outcomes), 'tenant')}: {told}.")
    for name, outcome in outcomes:
        if outcome == "replaced":
            print(f"{name} was replaced: it is another directory now; its history was dropped.")
    print("Next: lapsewatch run scan, or lapsewatch serve to do it on the clock.")


def _tell_dry_run(file: Path, outcomes: Sequence[tuple[str, str]]) -> None:
    words = {
        "added": "would be added",
        "updated": "would be updated",
        "replaced": "would be replaced: it is another directory, so its history would be dropped",
    }
    for name, outcome in outcomes:
        if outcome in words:
            print(f"{name} {words[outcome]}.")
    same = sum(outcome == "unchanged" for _, outcome in outcomes)
    print(f"{file.name}: {many(len(outcomes), 'tenant')}, {same} unchanged. Nothing was changed.")


def _tell_shadow(outcomes: Sequence[tuple[str, str]], shadow: timedelta | None) -> None:
    new = sum(outcome in ("added", "replaced") for _, outcome in outcomes)
    if new and shadow:
        print(
            f"{many(new, 'new tenant')} in shadow: each recipient gets one welcome mail, and no "
            f"reminders for {lasting(shadow)}. To start them: lapsewatch tenant live --all"
        )


@tenant.command("list")
def list_(context: typer.Context, tag: Tag = None, as_json: AsJson = False) -> None:
    """List the watched tenants."""
    with wired(context) as app:
        tenants, now = tagged(app, tag), app.clock()
        zone = ZoneInfo(app.configuration.operator_zone)
    if as_json:
        print_json([_shown(entry, now) for entry in tenants])
        return
    rows = [
        (
            entry.name,
            entry.directory_id,
            entry.cloud,
            ", ".join(recipient.address for recipient in entry.recipients) or "(operator)",
            entry.sender.mailbox if entry.sender else "-",
            entry.time_zone,
            when(entry.shadow_until, zone) if entry.in_shadow(now) else "-",
            ", ".join(word for word in ("partner", "pending", "paused") if getattr(entry, word)),
        )
        for entry in tenants
    ]
    columns = (
        "Name", "Directory", "Cloud", "Recipients", "Sender", "Time zone", "Shadow until", "Note",
    )  # fmt: skip
    print_table(many(len(tenants), "tenant"), columns, rows)


@tenant.command("show")
def show(context: typer.Context, name: str, as_json: AsJson = False) -> None:
    """Show one tenant: its settings, and how far its facts can be trusted."""
    with wired(context) as app:
        entry = named(app, name)
        health = app.store.health().get(entry.name)
        held, now = len(app.store.credentials(entry.name)), app.clock()
        cloud = app.cloud(entry) if entry.pending else None
        found = app.store.examinations().get(entry.name)
    shown = _shown(entry, now)
    shown["credentials"] = held
    shown["last_complete_scan"] = health.last_complete if health else None
    shown["problem"] = health.problem if health and health.failures else None
    if cloud is not None:
        shown["consent_url"] = consent_url(cloud, entry.directory_id, entry.client_id)
    sides = found.sides if found else ()
    shown["examination"] = {side: summary(found, side) for side in sides} or None
    if as_json:
        print_json(shown)
        return
    print_table(entry.name, ("", ""), [(key, _text(value)) for key, value in shown.items()])


@tenant.command("remove")
def remove(
    context: typer.Context,
    name: str,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask, and do not look at standard input.")
    ] = False,
) -> None:
    """Stop watching a tenant and delete everything known about it; or a set-up that was left.

    It asks at a terminal only. Elsewhere it goes on, unless standard input says something else
    than yes.
    """
    from monitor.cli.auditing import entry as line_of

    with wired(context) as app:
        begun = app.store.draft(name)
        if begun is not None and app.store.tenant(name) is None:
            if not yes:
                _confirm(name)
            app.wizard.forget(begun)
            why = "a set-up that was left"
            app.store.put_audit(line_of(app.clock(), "tenant remove", name, name, why=why))
            print(f"The set-up of {name} is forgotten.")
            return
        entry = named(app, name)
        if not yes:
            _confirm(entry.name)
        app.store.remove_tenant(entry.name)
        app.store.put_audit(line_of(app.clock(), "tenant remove", entry.name, entry.name))
        app.wizard.renewals.let_go_all(entry)
    print(f"{entry.name} is no longer watched; nothing in Microsoft's cloud was changed.")


def _confirm(name: str) -> None:
    if sys.stdin.isatty():
        typer.confirm(f"Delete {name} and all that is known about it?", abort=True)
    elif (said := _said_already()) and said.strip().lower() not in ("y", "yes"):
        raise UsageError(
            f"{name} is still watched: standard input did not say yes.",
            remedy="Say --yes to remove it, whatever standard input holds.",
        )


def _said_already() -> str:
    """The line that was piped in; nothing where there is none, for nobody is to be waited for."""
    try:
        ready, _, _ = select.select([sys.stdin], [], [], ANSWER_WITHIN)
        return sys.stdin.readline() if ready else ""
    except (OSError, ValueError):  # a standard input that is no file
        return ""


def named(app: App, name: str) -> Tenant:
    """The tenant of that name.

    Raises:
        UsageError: there is none; names the nearest.
    """
    entry = app.store.tenant(name)
    if entry is None:
        near = nearest(name, [known.name for known in app.store.tenants()])
        hint = f'Did you mean "{near}"?' if near else "See: lapsewatch tenant list"
        raise UsageError(f'There is no tenant "{printable(name)}".', remedy=hint)
    return entry


def tagged(app: App, tag: str | None) -> list[Tenant]:
    """The tenants with that tag, in whatever capitals; all where it is None.

    Raises:
        UsageError: no tenant has it; names the nearest.
    """
    found = app.store.tenants()
    if tag is None:
        return found
    chosen = [one for one in found if tag.casefold() in (word.casefold() for word in one.tags)]
    if not chosen:
        near = nearest(tag, {word for one in found for word in one.tags})
        hint = f'Did you mean "{near}"?' if near else "See: lapsewatch tenant list --json"
        raise UsageError(f'No tenant has the tag "{printable(tag)}".', remedy=hint)
    return chosen


def _shown(entry: Tenant, now: datetime) -> dict[str, Any]:
    """A tenant for output: references are shown, values are never known here."""
    shown = asdict(entry)
    shown["recipients"] = [recipient.address for recipient in entry.recipients]
    shown["shadow_until"] = iso(entry.shadow_until) if entry.in_shadow(now) else None
    return shown


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={_text(inner)}" for key, inner in value.items() if inner)
    if isinstance(value, list | tuple):
        return ", ".join(_text(inner) for inner in value) or "-"
    return "-" if value is None else str(value)
