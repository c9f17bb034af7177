"""A small HTTP server on a free port of loopback, with TLS where wanted, that can be switched."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_JSON = "application/json;odata.metadata=minimal;charset=utf-8"


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """What a server says. `cut` promises that many bytes more than it sends."""

    status: int = 200
    body: Any = None
    kind: str = _JSON
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0

    def encoded(self) -> bytes:
        """The body in bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


HTML = Reply(
    200, b"<!DOCTYPE html><html><body>Please sign in to the proxy</body></html>", "text/html"
)


def refused_port() -> tuple[socket.socket, int]:
    """A port that answers no for as long as the socket is kept."""
    kept = socket.socket()
    kept.bind(("127.0.0.1", 0))
    return kept, kept.getsockname()[1]


class HttpServer:
    """Answers each request with what `answer` says, and keeps a log of the requests."""

    def __init__(
        self, answer: Callable[[Request], Reply], context: ssl.SSLContext | None = None
    ) -> None:
        """Listen at once."""
        self.log: list[tuple[Request, int]] = []
        self._server = _Threads(("127.0.0.1", 0), _handler(answer, self.log))
        self._server.context = context
        self.port = self._server.server_address[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None:  # in the connection's own thread
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        if self.context is not None:
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not news."""


def _handler(
    answer: Callable[[Request], Reply], log: list[tuple[Request, int]]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = urlsplit(self.path)
            request = Request(
                self.command,
                asked.path,
                {key: values[0] for key, values in parse_qs(asked.query).items()},
                {key: values[0] for key, values in parse_qs(body.decode("latin-1")).items()},
                {key.lower(): value for key, value in self.headers.items()},
            )
            reply = answer(request)
            log.append((request, reply.status))
            content = reply.encoded()
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(content) + reply.cut))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = self.close_connection or bool(reply.cut)

        def log_message(self, *arguments: Any) -> None:
            """Silent: the log is a list."""

    return Handler
