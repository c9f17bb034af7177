"""`tenant export` and `tenant purge`: all tenants into a file, or one out of everything."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.auditing import entry as line_of
from monitor.cli.tenants import AsJson, Tag, named, tagged, tenant
from monitor.cli.terminal import many, print_json, wired, write_new_file
from monitor.errors import UsageError
from monitor.fields.problems import printable
from monitor.model import PurgedTenant


class Form(StrEnum):
    """How a tenants file is written."""

    TOML = "toml"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the commands of this module; `tenant` itself is in the tree already."""
    del app
    tenant.command("export")(export)
    tenant.command("purge")(purge)


def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to; - prints it.")] = Path("-"),
    tag: Tag = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="toml or csv (default: by the file's name).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write the tenants as a file that `tenant import` takes back unchanged.

    It holds references, and never the value of a secret.
    """
    from monitor.roster.writing import to_csv, to_toml

    with wired(context) as app:
        tenants, apps = tagged(app, tag), app.store.shared_apps()
        notes, items = app.store.notes(), [kept.item for kept in app.store.items()]
    chosen = form or (Form.CSV if file.suffix.lower() == ".csv" else Form.TOML)
    csv = chosen is Form.CSV
    text = to_csv(tenants, apps) if csv else to_toml(tenants, apps, notes, items)
    if str(file) == "-":
        sys.stdout.write(text)
    else:
        write_new_file(file, text.encode("utf-8", "replace"), force=force)
        print(f"Wrote {many(len(tenants), 'tenant')} to {printable(str(file), 300)}.")
    used = sorted({one.app for one in tenants if one.app})
    if csv and (notes or items):
        print(
            "Note: CSV has no place for notes and items; a TOML export has them.", file=sys.stderr
        )
    if csv and used:
        told = f"CSV has no place for the [[app]] entries ({', '.join(used)})"
        print(f"Note: {told}; a TOML export has them.", file=sys.stderr)


def purge(
    context: typer.Context,
    name: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. Needed without a terminal.")] = (
        False
    ),
    as_json: AsJson = False,
) -> None:
    """Delete a tenant and everything that names it, the mails that were sent included.

    `tenant remove` keeps the digests that name other tenants as well; this takes their words
    away. Nothing in Microsoft's cloud is changed.
    """
    with wired(context) as app:
        entry = named(app, name)
        if not yes:
            _ask(entry.name)
        done = app.store.purge_tenant(entry.name, now=app.clock())
        app.wizard.renewals.let_go_all(entry)
        if done is not None:  # its name is to be nowhere, here neither
            app.store.put_audit(line_of(app.clock(), "tenant purge", None, "a tenant"))
    if done is None:  # somebody else was faster
        raise UsageError(f"{printable(name)} is gone already.", remedy="There is nothing to do.")
    if as_json:
        print_json(asdict(done))
        return
    _tell(done)


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"{name} was not purged: nobody is there to ask.", remedy="Say --yes.")
    told = f"Delete {name} for good, with all that is known and was ever said about it?"
    typer.confirm(told, abort=True)


def _tell(done: PurgedTenant) -> None:
    counts = ", ".join(
        many(number, sort.removesuffix("s")) for sort, number in done.counts.items() if number
    )
    print(f"{done.name} is purged: {counts or 'nothing but its entry was there'}.")
    if done.stripped:
        print(f"{many(done.stripped, 'sent mail')} to others lost the words that named it.")
    for other in done.named_by:
        print(
            f"{other} sends from that directory, so its entry still names {done.directory_id}. "
            "Change its [tenant.sender] and import it again."
        )
    print("Backups, logs and files that the entry named are not touched.")
