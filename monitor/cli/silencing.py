"""`ack` and `snooze`: silence that somebody asks for."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from monitor.cli.auditing import entry
from monitor.cli.tenants import AsJson, named
from monitor.cli.terminal import iso, print_json, when, wired
from monitor.errors import UsageError
from monitor.fields.problems import printable

if TYPE_CHECKING:
    from monitor.model import Credential
    from monitor.silences import Asked, Silence
    from monitor.wiring import App

LISTED = 8  # candidates that an error names
CREDENTIAL_HELP = "A key id, the start of one, or a uid as `lapsewatch status --json` shows it."
Only = Annotated[str | None, typer.Option("--tenant", help="Of this tenant.")]
Reason = Annotated[str, typer.Option(help="Why; the page shows it.")]
By = Annotated[str | None, typer.Option(help="Who asks (default: your user name).")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("ack")(ack)
    app.command("snooze")(snooze)


def ack(
    context: typer.Context,
    credential: Annotated[str | None, typer.Argument(help=CREDENTIAL_HELP)] = None,
    only: Only = None,
    reason: Reason = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Acknowledge what is known: quiet for everybody until a credential's next stage.

    With --tenant alone, all that is lapsed or due in that tenant. It stays in the status.
    """
    from monitor.silences import acknowledged, due

    if credential is None and only is None:
        raise typer.BadParameter("name one, or say --tenant NAME", param_hint="CREDENTIAL")
    with wired(context) as app:
        asked = asked_by(app, by, reason)
        if credential is not None:
            chosen = [find(app, credential, only)]
        else:
            whose = named(app, only or "")
            chosen = due(app.store.credentials(whose.name), whose, asked.now)
        tenants = {tenant.name: tenant for tenant in app.store.tenants()}
        standing = app.store.snoozes()
        made = [acknowledged(one, tenants[one.tenant], standing, asked) for one in chosen]
        _keep(app, made, as_json=as_json, by=by)


def snooze(
    context: typer.Context,
    credential: Annotated[str, typer.Argument(help=CREDENTIAL_HELP)],
    until: Annotated[
        str | None, typer.Option(help="Quiet until this date, in the tenant's zone: YYYY-MM-DD.")
    ] = None,
    lasting: Annotated[
        str | None, typer.Option("--for", help='Quiet for so long, such as "30d".')
    ] = None,
    only: Only = None,
    reason: Reason = "",
    by: By = None,
    past_lapse: Annotated[
        bool,
        typer.Option("--confirm-past-lapse", help="Quiet past its end as well: that is meant."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Keep a credential quiet for everybody until a date, whatever stage it reaches."""
    from monitor.silences import snoozed

    if (until is None) is (lasting is None):
        raise typer.BadParameter("say either --until DATE or --for 30d", param_hint="--until")
    with wired(context) as app:
        asked = asked_by(app, by, reason)
        one = find(app, credential, only)
        end = _end(asked.now, until, lasting, ZoneInfo(named(app, one.tenant).time_zone))
        _keep(
            app, [snoozed(one, app.store.snoozes(), asked, end, past_lapse=past_lapse)],
            as_json=as_json, by=by,
        )  # fmt: skip


def asked_by(app: App, by: str | None, reason: str) -> Asked:
    """Who asks for something at the command line, why, and when."""
    from monitor.silences import Asked

    author = printable(by if by is not None else user(), 100).strip()
    why = printable(reason, 500).strip() or "no reason given"
    return Asked(author or "somebody", why, app.clock().replace(microsecond=0))


def user() -> str:
    """Who runs this command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"user {os.getuid()}"


def _end(now: datetime, until: str | None, lasting: str | None, zone: ZoneInfo) -> datetime:
    """The instant that the options name.

    Raises:
        BadParameter: they name none.
    """
    from monitor.fields import duration
    from monitor.timetable import daily_instant

    try:
        if lasting is not None:
            return now + duration(lasting)
        return daily_instant(date.fromisoformat((until or "").strip()), time(0), zone)
    except OverflowError:
        raise typer.BadParameter("is too far ahead", param_hint="--for or --until") from None
    except ValueError as error:
        if lasting is not None:
            raise typer.BadParameter(str(error), param_hint="--for") from None
        raise typer.BadParameter("must be a date like 2026-12-31", param_hint="--until") from None


def find(app: App, text: str, only: str | None) -> Credential:
    """The one credential that a text names.

    Raises:
        UsageError: none or several; lists those that may be meant.
    """
    from monitor.silences import due, matching

    where = None if only is None else named(app, only)
    known = app.store.credentials(where.name if where else None)
    found = matching(known, text)
    if len(found) == 1:
        return found[0]
    shown = printable(text, 80)
    if found:
        told = f'"{shown}" fits {len(found)} credentials'
        raise UsageError(
            f"{told}: {_listed(found)}.", remedy="Say more of it, or add --tenant NAME."
        )
    tenants = [where] if where else app.store.tenants()
    alike = [one for one in known if text.strip().casefold() in one.app_name.casefold()]
    now = app.clock()
    near = alike or [
        one
        for tenant in tenants
        for one in due([one for one in known if one.tenant == tenant.name], tenant, now)
    ]
    listed = f" Perhaps: {_listed(near)}." if near else ""
    raise UsageError(
        f'There is no credential "{shown}".{listed}',
        remedy="All of them, with key id and uid: lapsewatch status --json",
    )


def _listed(found: Sequence[Credential]) -> str:
    from monitor.silences import named as shown

    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return "; ".join(printable(shown(one), 160) for one in found[:LISTED]) + more


def _keep(app: App, made: Sequence[Silence], *, as_json: bool, by: str | None) -> None:
    """Store what is new, and say what it comes to."""
    from monitor.silences import named as shown

    for one in made:
        if one.new:
            what = "acknowledge" if one.stage is not None else "snooze"
            about, kept = shown(one.credential), one.snooze
            line = entry(kept.created_at, what, kept.tenant, about, why=kept.reason, by=by)
            app.store.put_snooze(kept, line)
    if as_json:
        print_json([_shape(one) for one in made])
        return
    zone = ZoneInfo(app.configuration.operator_zone)
    for one in made:
        print(_told(one, zone))
    if not made:
        print("Nothing is lapsed or due there: there is nothing to acknowledge.")


def _told(one: Silence, zone: ZoneInfo) -> str:
    from monitor.silences import named as shown

    word = "acknowledged" if one.stage is not None else "snoozed"
    at = f" at stage {one.stage}" if one.stage is not None else ""
    by = "" if one.new else f" already, by {printable(one.snooze.author, 100)}"
    quiet = (
        f"quiet for everybody until {when(one.until, zone)}"
        if one.until is not None
        else "quiet for good; it stays in the status until it is renewed or removed"
    )
    return f"{printable(shown(one.credential), 200)}: {word}{at}{by}; {quiet}."


def _shape(one: Silence) -> dict[str, str | bool | None]:
    known = one.credential
    return {
        "tenant": known.tenant,
        "uid": known.uid,
        "key_id": known.key_id,
        "app_name": known.app_name,
        "silence": "acknowledged" if one.stage is not None else "snoozed",
        "new": one.new,
        "stage": None if one.stage is None else str(one.stage),
        "until": iso(one.until),
        "author": one.snooze.author,
        "reason": one.snooze.reason,
    }
