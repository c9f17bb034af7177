"""`tenant discover`: a partner's customers, from Microsoft's lists."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.tenants import AsJson, named, tenant
from monitor.cli.terminal import many, print_json, print_table, wired
from monitor.errors import UsageError
from monitor.fields.problems import nearest, printable

if TYPE_CHECKING:
    from monitor.customers import Customer
    from monitor.discoveries import Discovered
    from monitor.model import SharedApp, Tenant
    from monitor.wiring import App


def register(app: typer.Typer) -> None:
    """Add the command of this module; `tenant` itself is in the tree already."""
    del app
    tenant.command("discover")(discover)


def discover(
    context: typer.Context,
    source: Annotated[
        str | None, typer.Option("--from", help="Only this partner tenant (default: all).")
    ] = None,
    shared: Annotated[
        str | None, typer.Option("--app", help="The [[app]] that new customers are read with.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Say who is new; add nobody.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find the customers of a Microsoft partner, and add those that nobody watches yet.

    They are added as pending, each with the link by which its administrator consents. Exit code:
    1 when a list could not be read.
    """
    with wired(context, works=True) as app:
        partners, chosen = _partners(app, source), _shared_app(app, shared)
        found = asyncio.run(_run(app, partners, chosen, dry_run=dry_run))
    if as_json:
        print_json({"dry_run": dry_run, "partners": [_shape(one) for one in found]})
    else:
        for one in found:
            _tell(one, dry_run=dry_run)
    failed = _complain(found)
    raise typer.Exit(1 if failed else 0)


async def _run(
    app: App, partners: Sequence[Tenant], shared: SharedApp, *, dry_run: bool
) -> list[Discovered]:
    async with app.graph() as reader:
        return [
            await app.discoveries.run(reader, partner, shared, dry_run=dry_run)
            for partner in partners
        ]


def _partners(app: App, source: str | None) -> list[Tenant]:
    if source is not None:
        chosen = named(app, source)
        if not chosen.partner:
            raise UsageError(
                f"{chosen.name} is not marked as a Microsoft partner.",
                remedy="Add partner = true to it in the tenants file, and import that again.",
            )
        return [chosen]
    found = [one for one in app.store.tenants() if one.partner and one.active]
    if not found:
        raise UsageError(
            "No tenant is marked as a Microsoft partner.",
            remedy="Import your own directory as a [[tenant]] with partner = true.",
        )
    return found


def _shared_app(app: App, name: str | None) -> SharedApp:
    apps = {one.name: one for one in app.store.shared_apps()}
    if name is None and len(apps) == 1:
        return next(iter(apps.values()))
    if name in apps:
        return apps[name]
    if not apps:
        raise UsageError(
            "There is no [[app]] that customers could consent to.",
            remedy="Add one with name, client_id and credential to a tenants file, and import it.",
        )
    if name is None:
        raise UsageError(
            f"There are several apps: {', '.join(sorted(apps))}.", remedy="Choose one with --app."
        )
    near = nearest(name, apps)
    hint = f'Did you mean "{near}"?' if near else f"Known: {', '.join(sorted(apps))}."
    raise UsageError(f'There is no [[app]] named "{printable(name)}".', remedy=hint)


def _tell(found: Discovered, *, dry_run: bool) -> None:
    told = "would be added as pending" if dry_run else "added as pending"
    customers = many(len(found.customers), "customer")
    print(f"{found.partner}: {customers}, {len(found.added)} {told}.")
    if found.added:
        known = {one.directory_id: one for one in found.customers}
        rows = [
            (new.name, printable(known[new.directory_id].name, 60), new.directory_id)
            for new, _ in found.added
        ]
        print_table("New", ("Name", "Customer", "Directory"), rows)
        print("Their administrators consent here:")
        for new, link in found.added:
            print(f"  {new.name}: {link}")
        if not dry_run:
            print("Next: send the links. Each is read within a scan interval of its consent.")
    for name, problem in found.lost.items():
        print(f"Warning: access to {name} is lost. {problem}", file=sys.stderr)


def _complain(found: Sequence[Discovered]) -> bool:
    """Say which lists could not be read, and why; tell whether there was one."""
    failed = [
        (one.partner, part.source, error)
        for one in found
        for part in one.lists
        if (error := part.error)
    ]
    for partner, source, error in failed:
        told = f"{partner}: the list {source} could not be read whole. {error.message}"
        print(f"Error: {printable(told, 2000)}", file=sys.stderr)
        if error.remedy:
            print(f"  Next: {printable(error.remedy, 2000)}", file=sys.stderr)
    return bool(failed)


def _shape(found: Discovered) -> dict[str, Any]:
    return {
        "partner": found.partner,
        "lists": [
            {
                "source": str(part.source),
                "entries": len(part.entries),
                "whole": part.error is None,
                "cause": part.error.cause if part.error else None,
                "problem": part.error.message if part.error else None,
                "fix": part.error.remedy if part.error else None,
            }
            for part in found.lists
        ],
        "customers": [_customer(one) for one in found.customers],
        "added": [
            {"name": new.name, "directory_id": new.directory_id, "consent_url": link}
            for new, link in found.added
        ],
        "lost": [{"name": name, "problem": told} for name, told in found.lost.items()],
    }


def _customer(one: Customer) -> dict[str, Any]:
    return {
        "directory_id": one.directory_id,
        "name": one.name,
        "domain": one.domain,
        "sources": [str(source) for source in one.sources],
        "gdap_end": one.gdap_end.isoformat() if one.gdap_end else None,
    }
