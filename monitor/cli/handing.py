"""`hand-over`: somebody else hears of a credential from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.auditing import entry
from monitor.cli.silencing import CREDENTIAL_HELP, By, Only, Reason, asked_by, find
from monitor.cli.tenants import AsJson
from monitor.cli.terminal import iso, print_json, wired
from monitor.errors import UsageError
from monitor.fields.problems import printable

if TYPE_CHECKING:
    from monitor.model import Credential
    from monitor.model.acts import HandOver
    from monitor.silences import Asked
    from monitor.wiring import App


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("hand-over")(hand_over)


def hand_over(
    context: typer.Context,
    credential: Annotated[str, typer.Argument(help=CREDENTIAL_HELP)],
    to: Annotated[str | None, typer.Option("--to", help="The mail address of whoever it is.")] = (
        None
    ),
    undo: Annotated[bool, typer.Option("--undo", help="Take the hand-over back.")] = False,
    only: Only = None,
    reason: Reason = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Hand a credential over: this address is told of it until it is renewed.

    With --by ADDRESS that recipient is told of it no more. A ticket queue is told as before.
    """
    if (to is None) is not undo:
        raise typer.BadParameter("say either --to ADDRESS or --undo", param_hint="--to")
    with wired(context) as app:
        asked = asked_by(app, by, reason)
        one = find(app, credential, only)
        kept = None if to is None else _give(app, one, to.strip(), asked, by)
        if kept is None:
            _take_back(app, one, asked, by)
    if as_json:
        print_json(_shape(one, kept))
    else:
        print(_told(one, kept))


def _give(app: App, one: Credential, to: str, asked: Asked, by: str | None) -> HandOver:
    from monitor.addresses import is_address
    from monitor.handing import given
    from monitor.silences import named

    if not is_address(to):
        raise UsageError(
            f'"{printable(to, 100)}" is no mail address.', remedy="Write it like eve@msp.example."
        )
    made = given(one, to, asked, app.store.hand_overs().get((one.tenant, one.uid, one.life)))
    about = f"{named(one)} to {to}"
    line = entry(asked.now, "hand over", one.tenant, about, why=asked.reason, by=by)
    app.store.put_hand_over(made, line)
    return made


def _take_back(app: App, one: Credential, asked: Asked, by: str | None) -> None:
    from monitor.silences import named

    what = "take a hand-over back"
    line = entry(asked.now, what, one.tenant, named(one), why=asked.reason, by=by)
    if not app.store.remove_hand_over(one.tenant, one.uid, one.life, line):
        raise UsageError(f"{printable(named(one), 200)} was not handed over.")


def _told(one: Credential, kept: HandOver | None) -> str:
    from monitor.silences import named

    shown = printable(named(one), 200)
    if kept is None:
        return f"{shown}: the hand-over is taken back; whoever was told before is told again."
    return f"{shown}: handed over to {printable(kept.to, 254)}, who is told of it from now on."


def _shape(one: Credential, kept: HandOver | None) -> dict[str, str | None]:
    return {
        "tenant": one.tenant,
        "uid": one.uid,
        "key_id": one.key_id,
        "app_name": one.app_name,
        "to": kept.to if kept else None,
        "author": kept.author if kept else None,
        "reason": kept.remark if kept else None,
        "at": iso(kept.at) if kept else None,
    }
