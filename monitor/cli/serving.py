"""`serve`: the service on the clock, with its page."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.setup_link import new_link
from monitor.cli.terminal import settings
from monitor.errors import UsageError

if TYPE_CHECKING:
    from monitor.wiring import App

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("serve")(serve)


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", min=0, max=65535)] = None,
) -> None:
    """Run the service: scans, canaries and warnings on the clock, and the status page."""
    from jobs.scheduler import Service
    from monitor.wiring import App

    configuration = settings(context, quiet=False)
    web = configuration.settings.web
    address = host or web.host
    if address not in LOOPBACK and not web.allow_without_sign_in:
        raise UsageError(
            f"The page has no sign-in yet, so it does not listen on {address}.",
            remedy="Listen on 127.0.0.1; or put it behind a proxy that asks who is there, and set "
            "allow_without_sign_in = true in [web].",
        )
    with App(configuration) as app:
        app.make_database()
        app.sealed.check()
        Service(
            app,
            host=address,
            port=web.port if port is None else port,
            on_ready=(lambda url: _invite(app, url)) if sys.stdout.isatty() else None,
        ).run()


def _invite(app: App, url: str) -> None:
    """Print the way in, to a person and never into a log."""
    print(f"Status page: {url}")
    print(f"To add tenants, open within 15 minutes: {new_link(app, url)}")
