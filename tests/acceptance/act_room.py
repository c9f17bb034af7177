"""A watched tenant with a mail in its inbox, and the page that the links in it lead to."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
from sqlalchemy import inspect, text

from jobs.scan_tenants import scan_tenants
from jobs.scheduler import web_app
from jobs.send_warnings import send_warnings
from monitor.config import load
from monitor.roster import read
from monitor.sandbox import Cloud, SandboxClock, World
from monitor.sandbox.draft import Draft
from monitor.sandbox.world import App as WorldApp
from monitor.store import Store
from monitor.web.server import Server, listen
from monitor.wiring import App

LABELS = {
    "acknowledge": "Acknowledge",
    "snooze": "Snooze",
    "hand over": "Not ours: hand over",
    "verify": "Done: check now",
}


@dataclass
class Room:
    """The wired product, its simulated cloud, and its page."""

    app: App
    cloud: Cloud
    clock: SandboxClock
    draft: Draft
    address: str

    @property
    def invoices(self) -> WorldApp:
        """The app whose secret ends in five days."""
        return next(one for one in self.draft.tenant.apps if one.name == "Invoice mail")

    def cycle(self) -> None:
        """Read the tenant, and tell who is to be told."""
        # In a thread, because a browser's driver has a loop in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: asyncio.run(scan_tenants(self.app))).result()
        send_warnings(self.app)

    def mails(self, kind: str = "") -> list[str]:
        """The text parts that arrived, oldest first."""
        found = [one for one in self.cloud.inbox.messages if one.header("X-Lapsewatch-Kind")]
        wanted = [one for one in found if kind in ("", one.header("X-Lapsewatch-Kind"))]
        return [one.body("plain") or "" for one in wanted]

    def link(self, action: str, mail: int = -1, item: int = 0) -> str:
        """The path of a link in a mail that has some."""
        with_links = [body for body in self.mails() if "/a/" in body]
        found = re.findall(rf"{LABELS[action]}: {self.address}(/a/\S+)", with_links[mail])
        return str(found[item])

    def new_secret(self) -> None:
        """What an admin does in the portal."""
        self.invoices.secrets.append(self.draft.secret("Invoice mail", 700, name="second"))

    def state(self) -> str:
        """A hash over all rows of all tables."""
        return state_of(self.app.store)


def state_of(store: Store) -> str:
    """A hash over all rows of all tables, whatever tables there are."""
    made = hashlib.sha256()
    with store._database.read() as connection:
        for table in sorted(inspect(connection).get_table_names()):
            rows = connection.execute(text(f'SELECT * FROM "{table}"')).all()
            made.update(repr((table, sorted(map(repr, rows)))).encode())
    return made.hexdigest()


@contextmanager
def act_room(folder: Path, *, rules: str = "", shadow: bool = False) -> Iterator[Room]:
    """A room where the first warning was sent.

    `rules` are more lines of its settings; with `shadow` that warning is a welcome.
    """
    clock = SandboxClock()
    draft = Draft("contoso", "Contoso", clock.now())
    draft.monitor()
    draft.sender()
    draft.app("Invoice mail", secrets=[draft.secret("Invoice mail", 5, name="first")])
    draft.app("Website", certificates=[draft.certificate("Website", 12)])
    draft.tenant.recipients = ("it@contoso.example", "bob@contoso.example")
    with listen("127.0.0.1", 0) as listener, Cloud(World([draft.tenant]), clock) as cloud:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = cloud.write_settings(folder)
        more = f'\n[operator]\nbase_url = "{address}"\n'
        settings.write_text(settings.read_text() + more + rules)
        configuration = load(settings)
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            for tenant in read(folder / "tenants.toml", configuration).tenants:
                until = app.clock() + timedelta(days=14) if shadow else None
                app.store.put_tenant(replace(tenant, shadow_until=until), now=app.clock())
            room = Room(app, cloud, clock, draft, address)
            room.cycle()
            web = web_app(app, banner=None, inbox_url=None, host="127.0.0.1")
            ready = threading.Event()
            server = Server(web, lambda _: ready.set(), lambda: None)
            thread = threading.Thread(
                target=server.run, kwargs={"sockets": [listener]}, daemon=True
            )
            thread.start()
            assert ready.wait(10)
            try:
                yield room
            finally:
                server.should_exit = True
                thread.join(10)


class Reader:
    """Somebody who opens links, as a browser does, and presses the button."""

    def __init__(self, address: str) -> None:
        # What Chromium says of a form on a page with no-referrer.
        self.ours = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
        self.http = httpx.Client(base_url=address, timeout=60)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.close()

    def nonce(self, path: str) -> str:
        """What the form on that page carries."""
        found = re.search(r'name="nonce" value="([^"]+)"', self.http.get(path).text)
        assert found
        return found[1]

    def press(self, path: str, **fields: str) -> httpx.Response:
        """Open a page, and send its form."""
        return self.send(path, nonce=self.nonce(path), **fields)

    def send(self, path: str, **fields: str) -> httpx.Response:
        """Send a form without opening its page."""
        return self.http.post(path, data=fields, headers=self.ours)
