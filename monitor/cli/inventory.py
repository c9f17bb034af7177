"""`note` and `item`: what people keep about credentials, and dates that Graph cannot see."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from monitor.cli.tenants import AsJson, named
from monitor.cli.terminal import iso, many, print_json, print_table, when, wired
from monitor.errors import UsageError
from monitor.fields.problems import explain, printable
from monitor.model import Kind

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.model import Item, Note, Tenant, WatchedItem
    from monitor.roster.inventory import ItemTable, NoteTable
    from monitor.wiring import App

note = typer.Typer(name="note", help="Where the new values go.", no_args_is_help=True)
item = typer.Typer(name="item", help="Dates that Graph cannot see.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The tenant's name.")]
Of = Annotated[str | None, typer.Argument(help="Of this tenant alone.")]
AppName = Annotated[str, typer.Argument(help="A client id, or a name; * stands for any letters.")]
Kinds = Annotated[str | None, typer.Option("--kind", help="Only its credentials of this kind.")]
KeyId = Annotated[str | None, typer.Option("--key-id", help="Only the credential with this id.")]
Where = Annotated[
    list[str] | None, typer.Option("--where", help="A place to enter the new value at; repeat it.")
]
UsedBy = Annotated[list[str] | None, typer.Option("--used-by", help="What uses it; repeat it.")]
Owner = Annotated[str | None, typer.Option("--owner", help="Who looks after it.")]
Runbook = Annotated[str | None, typer.Option("--runbook", help="An https address.")]
Remark = Annotated[str | None, typer.Option("--remark", help="Anything else.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(note)
    app.add_typer(item)


# --- notes ---------------------------------------------------------------------------------------


@note.command("set")
def set_note(
    context: typer.Context,
    tenant: Name,
    app_name: AppName,
    kind: Kinds = None,
    key_id: KeyId = None,
    where: Where = None,
    used_by: UsedBy = None,
    owner: Owner = None,
    runbook: Runbook = None,
    remark: Remark = None,
) -> None:
    """Keep who uses an app's credentials, and where a new value is entered.

    It takes the place of the note about the same credentials. An import lets it be, unless the
    file has one about the same.
    """
    said = _said(where, used_by, owner, runbook, remark)
    with wired(context) as app:
        entry = named(app, tenant)
        made = _note(entry, {"app": app_name, "kind": kind, "key_id": key_id, **said}, by_hand=True)
        app.store.put_note(made)
        known = app.store.credentials(entry.name)
    from monitor.inventory import Notes

    found = sum(Notes([made]).of(one) is not None for one in known)
    print(f"Kept. It is about {many(found, 'credential')} of {entry.name} now.")


@note.command("list")
def list_notes(context: typer.Context, tenant: Of = None, as_json: AsJson = False) -> None:
    """List the notes."""
    with wired(context) as app:
        found = app.store.notes(named(app, tenant).name if tenant else None)
    if as_json:
        print_json([_plain(asdict(one)) for one in found])
        return
    rows = [
        (
            one.tenant,
            " ".join(filter(None, (one.app, one.kind and str(one.kind), one.key_id))),
            "; ".join(f"{n}. {place}" for n, place in enumerate(one.where, start=1)),
            ", ".join(one.used_by),
            one.owner or "-",
            one.runbook or "-",
        )
        for one in found
    ]
    columns = ("Tenant", "About", "Enter it at", "Used by", "Kept by", "Runbook")
    print_table(many(len(found), "note"), columns, rows)


@note.command("remove")
def remove_note(
    context: typer.Context,
    tenant: Name,
    app_name: AppName,
    kind: Kinds = None,
    key_id: KeyId = None,
) -> None:
    """Forget the note about exactly these credentials."""
    with wired(context) as app:
        entry = named(app, tenant)
        gone = _note(entry, {"app": app_name, "kind": kind, "key_id": key_id}, by_hand=True)
        if not app.store.remove_note(gone):
            raise UsageError(
                f'{entry.name} has no note about "{printable(app_name)}" with these options.',
                remedy=f"See: lapsewatch note list {entry.name}",
            )
    print("Removed.")


def _note(entry: Tenant, keys: Mapping[str, Any], *, by_hand: bool) -> Note:
    from monitor.roster import NoteTable

    table: NoteTable = _table(NoteTable, {"tenant": entry.name, **keys})
    return table.noun(by_hand=by_hand)


# --- items ---------------------------------------------------------------------------------------


@item.command("add")
def add_item(
    context: typer.Context,
    tenant: Name,
    name: Annotated[str, typer.Argument(help="What it is called.")],
    end: Annotated[
        str | None, typer.Option("--end", help="A date in the tenant's zone, or an instant.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="host:port that shows the certificate.")
    ] = None,
    starttls: Annotated[
        str | None, typer.Option("--starttls", help="smtp or imap, if it begins in clear text.")
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", help="certificate, apple_push, contract, domain or other."),
    ] = None,
    where: Where = None,
    used_by: UsedBy = None,
    owner: Owner = None,
    runbook: Runbook = None,
    remark: Remark = None,
) -> None:
    """Watch a date that Graph cannot see; or change the one of that name.

    With --host the certificate that is served there is read now, and at each scan.
    """
    from monitor.roster import ItemTable

    said = _said(where, used_by, owner, runbook, remark)
    keys = {"name": name, "end": end, "host": host, "starttls": starttls, **said}
    keys["sort"] = sort or ("certificate" if host else "other")
    with wired(context) as app:
        entry = named(app, tenant)
        table: ItemTable = _table(ItemTable, {"tenant": entry.name, **keys})
        for key, told in table.problems():
            raise UsageError(f"--{key}: {told}.")
        zone = ZoneInfo(entry.time_zone)
        made = table.noun(zone, by_hand=True)
        app.store.put_item(made, zone=zone, now=app.clock())
        _tell_item(app, entry, made)


def _tell_item(app: App, entry: Tenant, made: Item) -> None:
    """What is known of an item right after it was kept; a server is asked for it."""
    zone, end = ZoneInfo(entry.time_zone), made.end
    if made.host:
        for reading in app.items.look(entry, only=made.name):
            end = reading.served.end if reading.served else None
            if reading.problem:
                told = f"{made.host} cannot be read now: {printable(reading.problem, 400)}"
                print(f"Warning: {told}. Each scan tries again.", file=sys.stderr)
    ends = f": it ends {when(end, zone)}" if end else ""
    print(f"{printable(made.name, 200)} is watched{ends}.")


@item.command("list")
def list_items(context: typer.Context, tenant: Of = None, as_json: AsJson = False) -> None:
    """List the watched dates."""
    with wired(context) as app:
        found = app.store.items(named(app, tenant).name if tenant else None)
        ends = {
            (one.tenant, one.object_id): one.end
            for one in app.store.credentials()
            if one.kind is Kind.ITEM
        }
        zone = ZoneInfo(app.configuration.operator_zone)
    if as_json:
        print_json([_item_shape(one, ends) for one in found])
        return
    rows = [
        (
            one.item.tenant,
            one.item.name,
            str(one.item.sort),
            when(end, zone) if (end := _end(one, ends)) else "-",
            one.item.host or "-",
            one.unread or "",
        )
        for one in found
    ]
    columns = ("Tenant", "Name", "Sort", "Ends", "Read from", "Problem")
    print_table(many(len(found), "watched date"), columns, rows)


@item.command("remove")
def remove_item(
    context: typer.Context,
    tenant: Name,
    name: Annotated[str, typer.Argument(help="What it is called.")],
) -> None:
    """Stop watching a date."""
    with wired(context) as app:
        entry = named(app, tenant)
        if not app.store.remove_item(entry.name, name, now=app.clock()):
            raise UsageError(
                f'{entry.name} has no watched date "{printable(name)}".',
                remedy=f"See: lapsewatch item list {entry.name}",
            )
    print(f"{printable(name, 200)} is no longer watched.")


def _end(one: WatchedItem, ends: Mapping[tuple[str, str], datetime | None]) -> datetime | None:
    """The end as the facts have it; that of a host was read there."""
    return one.item.end or ends.get((one.item.tenant, one.item.object_id))


def _item_shape(
    one: WatchedItem, ends: Mapping[tuple[str, str], datetime | None]
) -> dict[str, Any]:
    return {
        **_plain(asdict(one.item)),
        "end": iso(_end(one, ends)),
        "key_id": one.item.object_id,
        "read_at": iso(one.read_at),
        "problem": one.unread,
    }


# --- both ----------------------------------------------------------------------------------------


def _said(
    where: Sequence[str] | None,
    used_by: Sequence[str] | None,
    owner: str | None,
    runbook: str | None,
    remark: str | None,
) -> dict[str, Any]:
    return {
        "where": tuple(where or ()),
        "used_by": tuple(used_by or ()),
        "owner": owner,
        "runbook": runbook,
        "remark": remark,
    }


def _table(table: type[Any], keys: Mapping[str, Any]) -> Any:
    """The checked keys, by the rules of the tenants file.

    Raises:
        UsageError: a value is not what it must be.
    """
    from pydantic import ValidationError

    try:
        return table.model_validate(
            {key: value for key, value in keys.items() if value is not None}
        )
    except ValidationError as error:
        raise UsageError("; ".join(explain(error, table))) from None


def _plain(shown: dict[str, Any]) -> dict[str, Any]:
    return {
        key: iso(value)
        if key == "end"
        else str(value)
        if key in ("kind", "sort") and value
        else value
        for key, value in shown.items()
    }
