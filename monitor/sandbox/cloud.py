"""Starts and stops the simulated cloud: all servers on loopback, in one background thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from weakref import WeakSet

import uvicorn

from .calls import Calls
from .clock import SandboxClock
from .dialogue import Dialogue
from .entra import Entra
from .exchange import Exchange
from .graph import Graph
from .inbox import InboxRoom
from .mailroom import Inbox
from .settings import Addresses, write_settings
from .tls import Authority
from .tokens import TokenDesk
from .world import Relay, World

HOST = "127.0.0.1"
_THREAD = "sandbox-cloud"
_LOGGERS = ("uvicorn.error", "mail.log", "asyncio")


class _Listener(NamedTuple):
    """A bound socket and its port."""

    socket: socket.socket
    number: int


class Cloud:
    """The servers of one world. Use it as a context manager; several may run side by side."""

    def __init__(
        self,
        world: World,
        clock: SandboxClock,
        *,
        graph_tls: bool = False,
        inbox_journal: Path | None = None,
    ) -> None:
        self.world = world
        self.clock = clock
        self.calls = Calls()
        self.inbox = Inbox(inbox_journal)
        self._graph_tls = graph_tls
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._dialogues: WeakSet[Dialogue] = WeakSet()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Start everything, and come back when every port answers."""
        folder = self._stack.enter_context(
            tempfile.TemporaryDirectory(prefix="lapsewatch-sandbox-")
        )
        self._authority = Authority(Path(folder))
        self._desk = TokenDesk(self.clock)
        self._bind()
        self._thread = threading.Thread(target=self._run, name=_THREAD, daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self.__exit__(None, None, None)
            raise self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything; connections still open are cut."""
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()
        self._stack.close()

    @property
    def entra_url(self) -> str:
        """The authority, over TLS."""
        return f"https://{HOST}:{self._entra_port.number}"

    @property
    def graph_url(self) -> str:
        """Microsoft Graph, in the clear unless `graph_tls` was asked for."""
        scheme = "https" if self._graph_tls else "http"
        return f"{scheme}://{HOST}:{self._graph_port.number}"

    @property
    def inbox_url(self) -> str:
        """The page that shows accepted mails."""
        return f"http://{HOST}:{self._inbox_port.number}/inbox"

    @property
    def smtp_host(self) -> str:
        """The submission host."""
        return HOST

    @property
    def smtp_port(self) -> int:
        """The submission port (STARTTLS)."""
        return self._smtp_port.number

    @property
    def relay_port(self) -> int | None:
        """The port of the operator's plain relay, if the world has one."""
        return None if self._relay_port is None else self._relay_port.number

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority behind all TLS here."""
        return self._authority.ca_file

    def write_settings(self, folder: Path, *, base_url: str = "http://127.0.0.1:8080") -> Path:
        """Write the files by which Lapsewatch finds this cloud; return lapsewatch.toml."""
        at = Addresses(
            self.entra_url,
            self.graph_url,
            self.smtp_host,
            self.smtp_port,
            self.relay_port,
            self.ca_file,
        )
        return write_settings(folder, self.world, at, base_url)

    def _bind(self) -> None:
        """Take the ports before the thread starts, so that the addresses are known at once."""
        operator = self.world.operator
        self._relay = operator.relay if operator else None
        self._entra_port = self._listen()
        self._graph_port = self._listen()
        self._inbox_port = self._listen()
        self._smtp_port = self._listen()
        self._relay_port = self._listen() if self._relay else None

    def _listen(self) -> _Listener:
        """A port of its own; its number outlives the socket."""
        opened = self._stack.enter_context(socket.create_server((HOST, 0), backlog=512))
        return _Listener(opened, int(opened.getsockname()[1]))

    def _run(self) -> None:
        quiet = _Quiet()
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(quiet)
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # handed to the thread that waits
            self._failure = error
        finally:
            for name in _LOGGERS:
                logging.getLogger(name).removeFilter(quiet)
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        entra = Entra(self.world, self.clock, self._desk, self.calls)
        graph = Graph(self.world, self.clock, self._desk, self.calls, self.inbox)
        page = InboxRoom(self.inbox, self.clock)
        rooms = [
            await self._start_http(entra, self._entra_port, tls=True),
            await self._start_http(graph, self._graph_port, tls=self._graph_tls),
            await self._start_http(page, self._inbox_port, tls=False),
        ]
        ports = [await self._start_smtp(self._smtp_port, None)]
        if self._relay_port is not None:
            ports.append(await self._start_smtp(self._relay_port, self._relay))
        self._ready.set()
        await self._stop.wait()
        for port in ports:
            port.close()
        for room in rooms:
            room.force_exit = True  # do not wait for answers that a fault delays
        await asyncio.gather(*(room.shutdown() for room in rooms))
        protocols = [protocol for room in rooms for protocol in room.server_state.connections]
        await _cut([*protocols, *self._dialogues])
        await _cancel_the_rest()

    async def _start_http(
        self, app: Callable[..., Awaitable[None]], listener: _Listener, *, tls: bool
    ) -> uvicorn.Server:
        files: dict[str, Any] = {}
        if tls:
            files["ssl_certfile"] = str(self._authority.cert_file)
            files["ssl_keyfile"] = str(self._authority.key_file)
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=60,
            **files,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener.socket])
        return server

    async def _start_smtp(self, listener: _Listener, relay: Relay | None) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        exchange = Exchange(self.world, self.clock, self._desk, self.inbox, self.calls, relay)
        offers = relay.tls if relay else self.world.exchange.offer_starttls
        tls = self._authority.server_context() if offers else None

        def open_dialogue() -> Dialogue:
            dialogue = Dialogue(exchange, tls, loop)
            self._dialogues.add(dialogue)
            return dialogue

        return await loop.create_server(open_dialogue, sock=listener.socket)


class _Quiet(logging.Filter):
    """Keeps the servers' own remarks out of the product's log; it is their thread's alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let through what comes from elsewhere, and errors."""
        return record.threadName != _THREAD or record.levelno >= logging.ERROR


async def _cut(protocols: list[Any]) -> None:
    """End connections at once: a polite end of TLS would wait for the other side."""
    for protocol in protocols:
        transport = getattr(protocol, "transport", None)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
    for _ in range(5):  # the loss of a TLS connection takes some rounds to come through
        await asyncio.sleep(0)


async def _cancel_the_rest() -> None:
    """End open dialogues and delayed answers, and wait until they are gone."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.sleep(0)
