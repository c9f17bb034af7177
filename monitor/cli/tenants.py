"""`tenant`: who is watched."""

from __future__ import annotations

import select
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.terminal import many, print_json, print_table, wired
from monitor.errors import ImportRowError, UsageError
from monitor.fields.problems import nearest, printable

if TYPE_CHECKING:
    from monitor.model import Tenant
    from monitor.roster import Roster
    from monitor.wiring import App

tenant = typer.Typer(name="tenant", help="The watched tenants.", no_args_is_help=True)
ANSWER_WITHIN = 1.0  # seconds: `echo n |` may start later than this command, but not by much
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(tenant)


@tenant.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A tenants file: TOML, or CSV (*.csv).")],
    as_json: AsJson = False,
) -> None:
    """Add or update tenants from a file. One bad row is reported and stops nothing else."""
    from monitor.roster import read

    with wired(context) as app:
        app.make_database()
        found = read(
            file,
            app.configuration,
            known=app.store.tenants(),
            known_apps=app.store.shared_apps(),
        )
        outcomes = _keep(app, found)
        warnings = [*found.warnings, *_doubts(app, found), *_unheard(app, found)]
    if as_json:
        print_json(
            {
                "tenants": [{"name": name, "outcome": outcome} for name, outcome in outcomes],
                "errors": [
                    {"line": bad.line, "row": bad.row, "error": str(bad)} for bad in found.errors
                ],
                "warnings": warnings,
            }
        )
    else:
        _tell_import(file, outcomes)
    raise typer.Exit(complain_of_rows(file, warnings, found.errors))


def complain_of_rows(file: Path, warnings: Sequence[str], errors: Sequence[ImportRowError]) -> int:
    """Tell what is odd in a file and which rows are bad, a line for each; the exit code."""
    for text in warnings:
        print(f"Warning: {file.name}: {printable(text, 2000)}", file=sys.stderr)
    for bad in errors:
        where = f"{file.name}: line {bad.line}, {bad.row}"
        print(f"Error: {where}: {printable(str(bad), 2000)}", file=sys.stderr)
    return 1 if errors else 0


def _keep(app: App, found: Roster) -> list[tuple[str, str]]:
    """Store what a file holds; each tenant that is in it, or uses an app in it, and the outcome."""
    now = app.clock()
    touched = {name for shared in found.apps for name in app.store.put_shared_app(shared, now=now)}
    outcomes = []
    for entry in found.tenants:
        outcome: str = app.store.put_tenant(entry, now=now)
        # Its [[app]] came first, so the tenant has what changed there already.
        changed = outcome == "unchanged" and entry.name in touched
        outcomes.append((entry.name, "updated" if changed else outcome))
    others = touched - {entry.name for entry in found.tenants}
    return outcomes + [(name, "updated") for name in sorted(others)]


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


@tenant.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the watched tenants."""
    with wired(context) as app:
        tenants = app.store.tenants()
    if as_json:
        print_json([_shown(entry) for entry in tenants])
        return
    rows = [
        (
            entry.name,
            entry.directory_id,
            entry.cloud,
            ", ".join(recipient.address for recipient in entry.recipients) or "(operator)",
            entry.sender.mailbox if entry.sender else "-",
            entry.time_zone,
        )
        for entry in tenants
    ]
    columns = ("Name", "Directory", "Cloud", "Recipients", "Sender", "Time zone")
    print_table(many(len(tenants), "tenant"), columns, rows)


@tenant.command("show")
def show(context: typer.Context, name: str, as_json: AsJson = False) -> None:
    """Show one tenant: its settings, and how far its facts can be trusted."""
    with wired(context) as app:
        entry = named(app, name)
        health = app.store.health().get(entry.name)
        held = len(app.store.credentials(entry.name))
    shown = _shown(entry)
    shown["credentials"] = held
    shown["last_complete_scan"] = health.last_complete if health else None
    shown["problem"] = health.problem if health and health.failures else None
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
    with wired(context) as app:
        begun = app.store.draft(name)
        if begun is not None and app.store.tenant(name) is None:
            if not yes:
                _confirm(name)
            app.wizard.forget(begun)
            print(f"The set-up of {name} is forgotten.")
            return
        entry = named(app, name)
        if not yes:
            _confirm(entry.name)
        app.store.remove_tenant(entry.name)
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


def _shown(entry: Tenant) -> dict[str, Any]:
    """A tenant for output: references are shown, values are never known here."""
    shown = asdict(entry)
    shown["recipients"] = [recipient.address for recipient in entry.recipients]
    return shown


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={_text(inner)}" for key, inner in value.items() if inner)
    if isinstance(value, list | tuple):
        return ", ".join(_text(inner) for inner in value) or "-"
    return "-" if value is None else str(value)
