"""`tenant script`: the PowerShell script that sets a sender up in Exchange Online."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.tenants import named, tenant
from monitor.cli.terminal import wired, write_new_file
from monitor.fields.problems import printable
from monitor.onboard import Form, Model, exchange_setup
from monitor.powershell import file_bytes


def register(app: typer.Typer) -> None:
    """Add the command of this module; `tenant` itself is in the tree already."""
    del app
    tenant.command("script")(script)


def script(
    context: typer.Context,
    name: str,
    model: Annotated[
        Model,
        typer.Option(
            help="How Exchange lets the app send: mailbox (FullAccess, with SMTP.SendAsApp granted "
            "in Entra) or rbac (a role for this mailbox only, with nothing granted in Entra)."
        ),
    ] = Model.MAILBOX,
    check: Annotated[
        bool, typer.Option("--check", help="A script that only reads, and says what is wrong.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="A script that takes back what the set-up made.")
    ] = False,
    object_id: Annotated[
        str | None,
        typer.Option(help="Object ID under Enterprise applications, if not in the tenants file."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this file.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file if it is there.")
    ] = False,
) -> None:
    """Print the PowerShell script that sets a sender up in Exchange. It holds no secret."""
    from monitor.render import exchange_script

    if check and undo:
        raise typer.BadParameter("is one script, and --undo another", param_hint="--check")
    form = Form.CHECK if check else Form.UNDO if undo else Form.SETUP
    with wired(context) as app:
        entry = named(app, name)
        setup = exchange_setup(
            entry,
            app.configuration.clouds,
            model=model,
            object_id=object_id,
            objects=[found for _, found in app.store.objects(entry.name)],
        )
    text = exchange_script(setup, form)
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text, force=force)


def _write(output: Path, text: str, *, force: bool) -> None:
    data = file_bytes(text)
    write_new_file(output, data, force=force)
    print(f"Wrote {printable(str(output), 300)}")
    print(f"SHA-256 {hashlib.sha256(data).hexdigest()}")
    print(
        "Next: an Exchange administrator runs it in PowerShell. See docs/how-to/set-up-exchange.md"
    )
