"""`audit`: who did what; and the lines of it that commands write."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from monitor.cli.tenants import AsJson
from monitor.cli.terminal import iso, print_json, when, wired
from monitor.fields.problems import printable

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.model.acts import AuditEntry
    from monitor.wiring import App

HOW = "command"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("audit")(audit)


def audit(
    context: typer.Context,
    only: Annotated[str | None, typer.Option("--tenant", help="About this tenant.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many lines.", min=1, max=100_000)] = 200,
    as_json: AsJson = False,
) -> None:
    """List who did what, when and why: by links in mails, by commands. Newest first."""
    with wired(context) as app:
        found = app.store.audit(only, limit)
        zone = ZoneInfo(app.configuration.operator_zone)
    if as_json:
        print_json([_shape(one) for one in found])
        return
    for one in found:
        about = f" {one.about}" if one.about else ""
        why = f": {one.why}" if one.why else ""
        told = f"{one.who}: {one.what}{about} ({one.how}){why}"
        print(f"{when(one.at, zone)}  {printable(told, 600)}")
    if not found:
        print("Nobody has done anything yet that is kept here.")


def entry(
    at: datetime, what: str, tenant: str | None, about: str, *, why: str = "", by: str | None = None
) -> AuditEntry:
    """The line of a command: by whoever is named, else by the user on this machine."""
    from monitor.model.acts import AuditEntry

    who = by or f"{_user()}@{socket.gethostname()}"
    return AuditEntry(at, printable(who, 200), what, tenant, about, why, HOW)


def record(
    app: App, what: str, tenant: str | None, about: str, *, why: str = "", by: str | None = None
) -> None:
    """Keep the line of a command; see `entry`.

    Raises:
        StoreError: the database cannot be used.
    """
    app.store.put_audit(entry(app.clock(), what, tenant, about, why=why, by=by))


def _user() -> str:
    from monitor.cli.silencing import user

    return user()


def _shape(one: AuditEntry) -> dict[str, str | None]:
    return {
        "at": iso(one.at),
        "who": one.who,
        "what": one.what,
        "tenant": one.tenant,
        "about": one.about,
        "why": one.why,
        "how": one.how,
    }
