"""The pages behind the links in mails: looking changes nothing, and one button acts."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from monitor.web.act.desk import Desk
from monitor.web.act.routes import install
from monitor.web.setup.admission import Guesses
from monitor.wiring import App


def act_pages(app: App) -> Callable[[FastAPI], None]:
    """What adds these pages to the HTTP application."""
    desk = Desk(app)
    return lambda web: install(web, desk, Guesses(), app.configuration.base_url)
