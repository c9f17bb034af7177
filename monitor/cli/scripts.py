"""`tenant script`: the PowerShell script that sets a sender up in Exchange Online."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.tenants import named, tenant
from monitor.cli.terminal import wired, write_new_file
from monitor.errors import UsageError
from monitor.fields.problems import printable
from monitor.model import OPERATOR
from monitor.onboard import ExchangeSetup, Form, Model, exchange_setup, sender_setup
from monitor.powershell import file_bytes

if TYPE_CHECKING:
    from monitor.wiring import App


_Name = Annotated[
    str | None, typer.Argument(help='The tenant; "(operator)" is the operator\'s own sender.')
]
_Model = Annotated[
    Model,
    typer.Option(
        help="How Exchange lets the app send: mailbox (FullAccess, with SMTP.SendAsApp granted "
        "in Entra) or rbac (a role for this mailbox only, with nothing granted in Entra)."
    ),
]
_Check = Annotated[
    bool, typer.Option("--check", help="A script that only reads, and says what is wrong.")
]
_Undo = Annotated[
    bool, typer.Option("--undo", help="A script that takes back what the set-up made.")
]
_ObjectId = Annotated[
    str | None,
    typer.Option(help="Object ID under Enterprise applications, if not in the tenants file."),
]
_Operator = Annotated[
    bool, typer.Option("--operator", help="For the operator's own sender, not a tenant's.")
]
_Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")]
_Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")]


def register(app: typer.Typer) -> None:
    """Add the command of this module; `tenant` itself is in the tree already."""
    del app
    tenant.command("script")(script)


def script(
    context: typer.Context,
    name: _Name = None,
    model: _Model = Model.MAILBOX,
    check: _Check = False,
    undo: _Undo = False,
    object_id: _ObjectId = None,
    operator: _Operator = False,
    output: _Output = None,
    force: _Force = False,
) -> None:
    """Print the PowerShell script that sets a sender up in Exchange. It holds no secret."""
    from monitor.render import exchange_script

    if check and undo:
        raise typer.BadParameter("is one script, and --undo another", param_hint="--check")
    form = Form.CHECK if check else Form.UNDO if undo else Form.SETUP
    if operator and name not in (None, OPERATOR):
        raise typer.BadParameter("is one sender, and --operator another", param_hint="NAME")
    if name is None and not operator:
        raise typer.BadParameter("names no tenant; or say --operator", param_hint="NAME")
    with wired(context) as app:
        if name is None or name == OPERATOR:
            setup = _of_operator(app, model, object_id)
        else:
            setup = _of_tenant(app, name, model, object_id)
    text = exchange_script(setup, form)
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text, force=force)


def _of_tenant(app: App, name: str, model: Model, object_id: str | None) -> ExchangeSetup:
    entry = named(app, name)
    return exchange_setup(
        entry,
        app.configuration.clouds,
        model=model,
        object_id=object_id,
        objects=[found for _, found in app.store.objects(entry.name)],
    )


def _of_operator(app: App, model: Model, object_id: str | None) -> ExchangeSetup:
    """The operator's sender, with what a scan of its directory found if that is watched."""
    tenants = app.store.tenants()
    found = [one for one in app.carriers.senders(tenants) if one.tenant == OPERATOR]
    if not found:
        raise UsageError(
            "The operator has no sender that sends by OAuth.",
            remedy="Add [operator.sender] with mailbox, client_id and credential to the settings.",
        )
    (sender,) = found
    objects = [
        seen
        for tenant in tenants
        if tenant.directory_id == sender.directory_id
        for _, seen in app.store.objects(tenant.name)
    ]
    return sender_setup(sender, model=model, object_id=object_id, objects=objects)


def _write(output: Path, text: str, *, force: bool) -> None:
    data = file_bytes(text)
    write_new_file(output, data, force=force)
    print(f"Wrote {printable(str(output), 300)}")
    print(f"SHA-256 {hashlib.sha256(data).hexdigest()}")
    print(
        "Next: an Exchange administrator runs it in PowerShell. See docs/how-to/set-up-exchange.md"
    )
