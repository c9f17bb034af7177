"""The set-up pages: who may use them, and the steps from nothing to a proven tenant."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from monitor.web.setup.admission import Admission
from monitor.web.setup.desk import Desk
from monitor.web.setup.gate import Gate
from monitor.web.setup.pages import Pages
from monitor.web.setup.routes import install
from monitor.wiring import App


def admission_of(app: App) -> Admission:
    """The links and sessions of an installation."""
    return Admission(lambda: app.store, app.clock)


def setup_pages(app: App, read_once: Callable[[str], None]) -> Callable[[FastAPI], None]:
    """What adds the set-up pages to the HTTP application.

    Args:
        app: the wired product.
        read_once: reads one tenant, by name, and records the outcome.
    """
    configuration = app.configuration
    desk = Desk(app, read_once)
    gate = Gate(admission_of(app), app.clock, configuration.base_url)
    pages = Pages(
        desk,
        zone=ZoneInfo(configuration.operator_zone),
        operator_name=configuration.operator_name,
    )
    return lambda web: install(web, desk, gate, pages)
