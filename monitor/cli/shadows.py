"""`tenant live`: the shadow of tenants ends, and the reminders about them start."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.auditing import entry
from monitor.cli.tenants import AsJson, named, tenant
from monitor.cli.terminal import many, print_json, wired


def register(app: typer.Typer) -> None:
    """Add the command of this module; `tenant` itself is in the tree already."""
    del app
    tenant.command("live")(live)


def live(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="The tenants.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every tenant in shadow.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the reminders about tenants that are in shadow, at their recipients' next run."""
    if bool(names) is everyone:
        raise typer.BadParameter("name tenants, or say --all (not both)", param_hint="NAME")
    with wired(context) as app:
        chosen = app.store.tenants() if everyone else [named(app, name) for name in names or ()]
        ended = {
            one.name: not (everyone and one.pending)  # those are in no shadow yet
            and app.store.end_shadow(one.name, now=app.clock())
            for one in chosen
        }
        for name in (name for name, was in ended.items() if was):
            app.store.put_audit(entry(app.clock(), "tenant live", name, name))
    if as_json:
        rows = [(name, "live" if was else "unchanged") for name, was in ended.items()]
        print_json([{"name": name, "outcome": outcome} for name, outcome in rows])
        return
    begun = [name for name, was in ended.items() if was]
    print(f"{many(len(begun), 'tenant')} went live{': ' if begun else ''}{', '.join(begun)}.")
    for one in chosen:
        if one.pending and ended[one.name]:
            print(f"{one.name} waits for consent; its reminders start when that comes.")
    for name in sorted(ended.keys() - set(begun)) if not everyone else ():
        print(f"{name} was not in shadow.")
