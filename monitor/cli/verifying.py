"""`verify`: one credential, looked at in Entra at once."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from monitor.cli.auditing import entry
from monitor.cli.silencing import CREDENTIAL_HELP, By, Only, find
from monitor.cli.tenants import AsJson
from monitor.cli.terminal import print_json, wired
from monitor.fields.problems import printable


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("verify")(verify)


def verify(
    context: typer.Context,
    credential: Annotated[str, typer.Argument(help=CREDENTIAL_HELP)],
    only: Only = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Look at one credential in Entra now: renewed, removed, or nothing new yet.

    Where it is over, everybody who was warned is told at once. Exit code 3 where it is not over,
    5 where it cannot be read.
    """
    from monitor.silences import named

    with wired(context) as app:
        one = find(app, credential, only)
        zone = ZoneInfo(app.configuration.operator_zone)
        seen = app.verifications.verify(one, life=one.life, zone=zone)
        why = " ".join(seen.words)
        app.store.put_audit(entry(app.clock(), "verify", one.tenant, named(one), why=why, by=by))
        if seen.over:
            app.deliverer().run()
    if as_json:
        found = {"tenant": one.tenant, "uid": one.uid, "key_id": one.key_id}
        print_json({**found, "result": seen.result, "over": seen.over, "words": list(seen.words)})
    else:
        for text in seen.words:
            print(printable(text, 1000))
    raise typer.Exit(0 if seen.over else 5 if seen.result == "unread" else 3)
