"""`channel`: the operator's other ways out, listed and tried."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.tenants import AsJson
from monitor.cli.terminal import print_json, wired

if TYPE_CHECKING:
    from monitor.model import OutboxMail
    from monitor.model.channels import ChannelSpec
    from monitor.wiring import App

channel = typer.Typer(
    name="channel", help="Ways out beside mail: list them, try one.", no_args_is_help=True,
    rich_markup_mode=None,
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(channel)


@channel.command("list")
def listed(context: typer.Context, as_json: AsJson = False) -> None:
    """List the channels of the settings, and which of them stand in for mail."""
    with wired(context) as app:
        order = app.configuration.fallback
        rows = [
            {
                "name": spec.name,
                "kind": spec.kind,
                "fallback": order.index(spec.name) + 1 if spec.name in order else None,
            }
            for spec in app.configuration.channels
        ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        place = f", fallback {row['fallback']}" if row["fallback"] else ""
        print(f"{row['name']}: {row['kind']}{place}")
    if not rows:
        print("There are no channels. docs/how-to/use-other-channels.md says how to add one.")


@channel.command("test")
def tried(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The channel.")],
    to: Annotated[
        str | None, typer.Option(help="For graph and smtp: to whom (default: the operator).")
    ] = None,
) -> None:
    """Send a test message through a channel, and show what came back."""
    with wired(context) as app:
        spec = app.outgoing.outlets.named(name)
        mail = _test_mail(app, spec, to)
        with app.outgoing.outlets.open(spec) as opened:
            receipt = opened.send(mail)
    print(f"{name} took the test message: {receipt.reply}")


def _test_mail(app: App, spec: ChannelSpec, to: str | None) -> OutboxMail:
    """A message of the kind that the channel is for."""
    from monitor.compose import outbox_row
    from monitor.model import Mail, MailKind

    people = app.configuration.operator_recipients
    recipient = to or (people[0].address if people else "")
    if spec.carries_mail and not recipient:
        raise typer.BadParameter("say to whom: --to ADDRESS", param_hint="--to")
    text = f"This is a test of the channel {spec.name}. Nothing is to be done.\n"
    mail = Mail(
        MailKind.MAIL_PATH_BROKEN, f"[Lapsewatch] TEST of the channel {spec.name}", text,
        f"<p>{text}</p>",
    )  # fmt: skip
    row = outbox_row(mail, recipient, (), spec.name, app.clock(), domain="lapsewatch.invalid")
    return replace(row, scope="test")
