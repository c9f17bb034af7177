"""`links`: what the links in mails still open, and taking them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from monitor.cli.auditing import entry
from monitor.cli.silencing import CREDENTIAL_HELP, By, Only, Reason, asked_by, find
from monitor.cli.tenants import AsJson, named
from monitor.cli.terminal import iso, many, print_json, print_table, when, wired

if TYPE_CHECKING:
    from monitor.model import Credential
    from monitor.model.acts import Link

links = typer.Typer(name="links", help="The links in mails: what they open, and taking them back.")
Recipient = Annotated[str | None, typer.Option("--recipient", help="In mails to this address.")]
About = Annotated[
    str | None, typer.Option("--credential", help=f"About this one. {CREDENTIAL_HELP}")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(links)


@links.command("list")
def list_(
    context: typer.Context,
    credential: About = None,
    recipient: Recipient = None,
    only: Only = None,
    as_json: AsJson = False,
) -> None:
    """List the links that can still be used: for what, by whom, until when; never a link itself."""
    with wired(context) as app:
        one = None if credential is None else find(app, credential, only)
        tenant = one.tenant if one else (None if only is None else named(app, only).name)
        now = app.clock()
        found = app.store.open_links(tenant, one.uid if one else None, to=recipient, now=now)
        known = {(each.tenant, each.uid): each for each in app.store.credentials(tenant)}
        zone = ZoneInfo(app.configuration.operator_zone)
    if as_json:
        print_json([_shape(each, known.get((each.tenant, each.uid))) for each in found])
        return
    rows = [
        (each.tenant, _what(each, known.get((each.tenant, each.uid))), str(each.action),
         each.recipient, when(each.expires_at, zone))
        for each in found
    ]  # fmt: skip
    columns = ("Tenant", "About", "To do", "Who", "Until")
    print_table(many(len(found), "link"), columns, rows)


@links.command("revoke")
def revoke(
    context: typer.Context,
    credential: About = None,
    recipient: Recipient = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    only: Only = None,
    reason: Reason = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Take links back: they open nothing from now on. The next mail brings new ones.

    With --credential and --recipient only those that are both. --tenant narrows it down.
    """
    from monitor.silences import named as shown

    if every is bool(credential or recipient):
        told = "say --credential, --recipient or --all"
        raise typer.BadParameter(told, param_hint="--all")
    with wired(context) as app:
        one = None if credential is None else find(app, credential, only)
        tenant = one.tenant if one else (None if only is None else named(app, only).name)
        asked = asked_by(app, by, reason)
        about = ["about " + shown(one)] if one else [f"about {tenant}"] if tenant else []
        about += [f"to {recipient}"] if recipient else []
        line = entry(
            asked.now, "revoke links", tenant, " ".join(about) or "all", why=asked.reason, by=by
        )
        number = app.store.revoke_links(
            tenant, one.uid if one else None, to=recipient, now=asked.now, entry=line
        )
    if as_json:
        print_json({"revoked": number})
    else:
        print(f"{many(number, 'link')} revoked.")


def _what(link: Link, one: Credential | None) -> str:
    return f"{one.app_name} ({one.key_id or one.uid})" if one else link.uid


def _shape(link: Link, one: Credential | None) -> dict[str, str | None]:
    return {
        "tenant": link.tenant,
        "uid": link.uid,
        "app_name": one.app_name if one else None,
        "key_id": one.key_id if one else None,
        "action": str(link.action),
        "recipient": link.recipient,
        "made_at": iso(link.made_at),
        "expires_at": iso(link.expires_at),
    }
