"""`setup-link`: the way into the set-up pages, as long as the page has no sign-in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.terminal import wired

if TYPE_CHECKING:
    from monitor.wiring import App

LONGEST = 24 * 60  # minutes: a link that lies about is a key that lies about


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("setup-link")(setup_link)


def setup_link(
    context: typer.Context,
    minutes: Annotated[
        int, typer.Option(help="How long the link can be opened.", min=1, max=LONGEST)
    ] = 15,
) -> None:
    """Print a link that opens the set-up pages in one browser. It works once."""
    from monitor.liveness import why_not_ready

    with wired(context) as app:
        app.make_database()
        link = new_link(app, address_of(app), minutes=minutes)
        asleep = why_not_ready(app)
    print(link)
    print(f"It works once, within {minutes} minutes. Whoever opens it may add tenants.")
    if asleep:
        print("The page does not seem to run. Start it first: lapsewatch serve")


def address_of(app: App) -> str:
    """Where browsers reach the page, by the settings."""
    web = app.configuration.settings.web
    # "Every address" is where a server listens, and nowhere that a browser can go.
    host = "127.0.0.1" if web.host in ("0.0.0.0", "::") else web.host  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    return app.configuration.base_url or f"http://{host}:{web.port}"


def new_link(app: App, address: str, *, minutes: int = 15) -> str:
    """A new one-time link.

    Args:
        app: the wired product.
        address: of the page.
        minutes: how long it can be opened.

    Raises:
        StoreError: the database cannot be used.
    """
    from monitor.web.setup import admission_of

    path = admission_of(app).make_link(lasts=timedelta(minutes=minutes))
    return f"{address.rstrip('/')}{path}"
