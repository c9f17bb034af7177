"""The page's HTTP server: where it listens, when it is ready, and how a signal ends it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from monitor.errors import UsageError


def listen(host: str, port: int) -> socket.socket:
    """The listening socket; opened before anything starts, so that nothing starts in vain.

    Args:
        host: address to listen on.
        port: port to listen on; 0 takes a free one.

    Raises:
        UsageError: nothing can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, UnicodeError) as error:
        why = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        raise UsageError(
            f"The page cannot listen on {host}, port {port}: {why}.",
            remedy="Choose another address with --host and --port, or under [web].",
        ) from None


class Server(uvicorn.Server):
    """A server that says when, and on which port, it is ready, and when a signal ends it.

    Args:
        web: the page.
        ready: called with the page's address once it can be asked.
        ending: called as soon as a signal asks for the end.
    """

    def __init__(
        self, web: FastAPI, ready: Callable[[str], None], ending: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                web,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=10,
            )
        )
        self._ready = ready
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop new work at once, not only when the last connection is closed."""
        self._ending()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Start listening, then tell."""
        await super().startup(sockets=sockets)
        for server in getattr(self, "servers", []):
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                shown = f"[{host}]" if ":" in host else host
                self._ready(f"http://{shown}:{port}/")
