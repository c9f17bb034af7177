"""A tenant that Lapsewatch does not know yet: one app for reading and sending, and its admin."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import httpx
import pytest
from fastapi import FastAPI

from jobs.scheduler import web_app
from monitor.config import load
from monitor.sandbox import Cloud, SandboxClock, World
from monitor.sandbox.draft import Draft
from monitor.sandbox.world import Mailbox
from monitor.web.server import Server, listen
from monitor.web.setup import admission_of
from monitor.wiring import App
from tests.acceptance import newcomer as newcomer_room

NAME = "newcomer"
PAGE = f"/setup/{NAME}"
WRONG = "Wro8Q~ng.value.of.another.app.entirely00"
EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"


@dataclass
class Newcomer(newcomer_room.Newcomer):
    """The wired product and its page, an empty list of tenants, and the directory."""

    app: App
    web: FastAPI
    clock: SandboxClock
    folder: Path

    def link(self) -> str:
        """The path of a new one-time link."""
        return admission_of(self.app).make_link()

    def right_answers(self) -> dict[str, dict[str, str]]:
        """What somebody answers who makes no mistake, by step."""
        return {
            "directory": {"cloud": "sandbox", "directory_id": self.tenant.directory_id},
            "mailbox": {"mailbox": self.mailbox.address, "model": "mailbox"},
            "app": {"client_id": self.registration.app_id},
            "permissions": {},
            "credential": {"form": "secret", "credential": self.secret},
            "enterprise": {"enterprise_object_id": self.principal.object_id},
            "exchange": {},
            "people": {
                "recipients": "it@newcomer.example",
                "time_zone": "Europe/Berlin",
                "canary_to": self.mailbox.address,
            },
            "test": {},
        }

    def new_secret(self, name: str = "second") -> str:
        """Make another secret in Entra; its value."""
        made = self.draft.secret("Lapsewatch monitor", 700, name=name)
        self.registration.secrets.append(made)
        return made.value


@contextmanager
def newcomer(
    folder: Path, *, more: str = "", database_url: str | None = None
) -> Iterator[Newcomer]:
    """The product over a sandbox, with nobody watched.

    Args:
        folder: for its files.
        more: settings beside the sandbox's.
        database_url: an empty or a migrated database; None makes one in the folder.
    """
    clock = SandboxClock()
    draft = Draft(NAME, "Newcomer", clock.now())
    app = draft.monitor()
    draft.tenant.principal_of(app.app_id).graph_roles = ()
    app.asks = (*app.asks, (EXCHANGE, "Role"))
    address = f"noreply@{draft.tenant.domain}"
    draft.tenant.mailboxes.append(Mailbox(address, smtp_auth_disabled=True))
    with Cloud(World([draft.tenant]), clock) as cloud:
        settings = cloud.write_settings(folder)
        settings.write_text(settings.read_text() + more)
        found = load(settings)
        with App(found.on_database(database_url) if database_url else found, clock=clock.now) as it:
            it.make_database()
            web = web_app(it, banner=None, inbox_url=None, host="127.0.0.1")
            yield Newcomer(cloud, draft, app, it, web, clock, folder)


@contextmanager
def served(web: FastAPI) -> Iterator[str]:
    """The page's address, served by the product's own server."""
    ready = threading.Event()
    server = Server(web, lambda _: ready.set(), lambda: None)
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


class Browser:
    """A browser without a window: keeps its cookie, and sends our own forms as one would.

    Args:
        address: of the page.
        link: a one-time link to open; None stays outside.
    """

    def __init__(self, address: str, link: str | None = None) -> None:
        headers = {"Sec-Fetch-Site": "same-origin", "Origin": address}
        self.http = httpx.Client(
            base_url=address, headers=headers, follow_redirects=True, timeout=60
        )
        self.texts: list[str] = []
        if link is not None:
            assert self.http.post(link, data={}, headers=_FORM).status_code == 200

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.close()

    @cached_property
    def form_token(self) -> str:
        """What its forms carry."""
        found = re.search(r'name="csrf" value="(\w+)"', self.get("/setup").text)
        assert found
        return found[1]

    def get(self, path: str) -> httpx.Response:
        """Look at a page."""
        answer = self.http.get(path)
        self.texts.append(answer.text)
        return answer

    def send(self, path: str, **fields: str) -> httpx.Response:
        """Send a form, and look at what comes of it."""
        answer = self.http.post(path, data={"csrf": self.form_token, **fields})
        self.texts.append(answer.text)
        return answer

    def step(self, step: str, action: str = "answer", **fields: str) -> httpx.Response:
        """Send a step of the newcomer's set-up."""
        return self.send(f"/setup/{NAME}", step=step, action=action, **fields)

    def up_to(self, new: Newcomer, last: str) -> None:
        """Answer every step before `last` rightly; the admin does all that is asked."""
        new.consent()
        self.send("/setup", name=NAME)
        for step, fields in new.right_answers().items():
            if step == last:
                return
            if step == "exchange":
                new.run_script()
            answer = self.step(step, **fields)
            assert "Not right yet" not in answer.text, words(answer.text)


def words(page: str) -> str:
    """What a page says."""
    text = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Newcomer]:
    """Nobody is watched."""
    with newcomer(tmp_path) as made:
        yield made


@pytest.fixture
def mine(new: Newcomer) -> Iterator[Browser]:
    """A browser with a session."""
    with served(new.web) as address, Browser(address, new.link()) as made:
        yield made


def watched(new: Newcomer, mine: Browser) -> None:
    """The newcomer as a watched tenant, its test mail seen."""
    mine.up_to(new, "test")
    mine.step("test", "watch")
    mine.send(f"{PAGE}/test", action="arrived")


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
