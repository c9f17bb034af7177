"""`forecast`: which mails are going to be sent, and what they say."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from monitor.cli.tenants import AsJson, named
from monitor.cli.terminal import iso, many, print_json, print_table, when, wired
from monitor.fields.problems import printable
from monitor.model import MailKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.decide import Key
    from monitor.mailings import Foreseen
    from monitor.model.acts import HandOver
    from monitor.stretch import Departure, Stretch
    from monitor.wiring import App

_STRETCHED = 10  # runs that are named one by one


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("forecast")(forecast)


def forecast(
    context: typer.Context,
    days: Annotated[int, typer.Option(help="How far to look ahead.", min=1, max=3650)] = 60,
    only: Annotated[str | None, typer.Option("--tenant", help="Only this tenant.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="As if every tenant in shadow went live now.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say who will be told what and when, if nothing is renewed, added or removed.

    It writes and sends nothing. A run of today that is still to be made up is shown as now. Where
    a mailbox's limit stretches a run, it says when the last mail leaves.
    """
    from jobs.send_warnings import JOB
    from monitor.forecast import forecast as foresee
    from monitor.mailings import mailings
    from monitor.stretch import departures, stretched

    with wired(context) as app:
        name = None if only is None else named(app, only).name
        now = app.clock().replace(microsecond=0)
        known = app.runs.outlook(app.store.last_slots(JOB), only=name)
        until = now + timedelta(days)
        notices = foresee(known.live() if live else known, now=now, until=until)
        others = _canaries(app, name, now, until)
        if name is None:
            others += _reports(app, now, until)
        paths = app.carriers.paths(app.store.tenants())
        coming = mailings(notices, paths, others)
        leaving = departures(coming, paths)
        unread = _unread(app, name)
        zone = ZoneInfo(app.configuration.operator_zone)
        given = app.store.hand_overs()
    if unread:
        print(f"Not in it, because never read yet: {', '.join(unread)}.", file=sys.stderr)
    if as_json:
        print_json([_shape(one, leaving[one.mail], _giver(one, given)) for one in coming])
        return
    print(f"{_in_numbers(coming)} in the next {many(days, 'day')}, if nothing changes.")
    _print_stretched(stretched(leaving), zone)
    coming = [one for one in coming if one.kind is not MailKind.CANARY]  # one a day says little
    if coming:
        columns = ("When", "To", "Kind", "Stage", "Tenant", "Application", "Key id")
        print_table("", columns, [_row(one, zone, _giver(one, given)) for one in coming])


def _in_numbers(coming: Sequence[Foreseen]) -> str:
    notices = [one.mail for one in coming if one.credential is not None]
    kinds = Counter(one.kind for one in coming)
    return (
        f"{many(len(notices), 'notice')} in {many(len(set(notices)), 'mail')}, "
        f"{many(kinds[MailKind.CANARY], 'test mail')}, {many(kinds[MailKind.REPORT], 'report')}"
    )


def _unread(app: App, only: str | None) -> list[str]:
    """The tenants that nothing is known of, so that nothing can be foreseen."""
    health = app.store.health()
    chosen = [one.name for one in app.store.tenants() if one.active and only in (None, one.name)]
    return [name for name in chosen if name not in health or health[name].facts_at is None]


def _canaries(app: App, only: str | None, now: datetime, until: datetime) -> list[Foreseen]:
    from monitor.mailings import canaries

    senders = app.carriers.senders(app.store.tenants())
    chosen = [sender for sender in senders if only in (None, sender.tenant)]
    at, known = app.configuration.settings.defaults.canary_at, app.store.sender_health()
    return list(canaries(chosen, known, daily_at=at, now=now, until=until))


def _print_stretched(runs: Sequence[Stretch], zone: ZoneInfo) -> None:
    """Say of each run that a mailbox's limit stretches when its last mail leaves."""
    for one in runs[:_STRETCHED]:
        last = f"{one.leaves_by.astimezone(zone):%H:%M}"
        print(
            f"{many(one.mails, 'mail')} at {when(one.at, zone)} by {printable(one.rate.mailbox)}: "
            f"the last leaves about {last} ({one.rate.per_minute} a minute)."
        )
    if len(runs) > _STRETCHED:
        print(f"And {many(len(runs) - _STRETCHED, 'more such run')}: see leaves_by with --json.")


def _giver(one: Foreseen, given: Mapping[Key, HandOver]) -> HandOver | None:
    """The hand-over by which somebody is told."""
    known = one.credential
    found = given.get((known.tenant, known.uid, known.life)) if known else None
    told = found is not None and found.holds and found.to.casefold() == one.to.casefold()
    return found if told else None


def _shape(
    one: Foreseen, leaving: Departure, given: HandOver | None
) -> dict[str, str | int | None]:
    known = one.credential
    return {
        "at": iso(one.at),
        "to": one.to,
        "kind": str(one.kind),
        "stage": str(one.stage),
        "tenant": one.tenant or None,
        "app_name": known.app_name if known else None,
        "key_id": known.key_id if known else None,
        "mail": one.mail,
        "leaves_by": iso(leaving.leaves_by),
        "mailbox": leaving.rate.mailbox if leaving.rate else None,
        "handed_over": given.author if given else None,
    }


def _reports(app: App, now: datetime, until: datetime) -> list[Foreseen]:
    from jobs.send_reports import JOB
    from monitor.mailings import Foreseen

    coming = app.reports.coming(app.store.last_slots(JOB), now=now, until=until)
    return [Foreseen(at, to, MailKind.REPORT, "", "") for at, to in coming]


def _row(one: Foreseen, zone: ZoneInfo, given: HandOver | None) -> tuple[str, ...]:
    known = one.credential
    app, key = (known.app_name, known.key_id) if known else ("", None)
    at = when(one.at, zone)
    to = f"{one.to} (handed over by {given.author} on {given.at.date()})" if given else one.to
    return at, to, str(one.kind), one.stage, one.tenant, app, (key or "-")[:8]
