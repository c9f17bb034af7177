"""`tenant accept`: a scan in which many credentials are gone may count."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.auditing import record
from monitor.cli.silencing import By, asked_by
from monitor.cli.tenants import AsJson, named, tenant
from monitor.cli.terminal import print_json, wired

Reason = Annotated[str, typer.Option(help="Why; it is kept with your name.")]


def register(app: typer.Typer) -> None:
    """Add the command of this module; `tenant` itself is in the tree already."""
    del app
    tenant.command("accept")(accept)


def accept(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The tenant.")],
    by: By = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Say that it was meant that many credentials of a tenant are gone: the next scan counts.

    It holds for one complete scan, and for a day at most.
    """
    from monitor.model import Acceptance

    with wired(context) as app:
        entry, who = named(app, name), asked_by(app, by, reason)
        app.store.put_acceptance(Acceptance(entry.name, who.author, who.reason, who.now))
        record(app, "tenant accept", entry.name, entry.name, why=who.reason, by=by)
    if as_json:
        print_json({"name": entry.name, "by": who.author, "reason": who.reason})
        return
    print(f"The next complete scan of {entry.name} counts, whatever is gone in it (within a day).")
    print(f"Read it now: lapsewatch run scan --tenant {entry.name}")
