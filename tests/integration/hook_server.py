"""A webhook's receiver over TLS on loopback: keeps what it was sent, and answers as it is told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from monitor.sandbox.tls import Authority


@dataclass
class HookServer:
    """A receiver on a free port.

    Args:
        folder: where its certificates go; None speaks plain HTTP.
        status: of every answer.
        drip: sends a byte of its answer now and then, for ever.
    """

    folder: Path | None
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    drip: bool = False
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    leaving: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.ca_file = ""
        if self.folder is not None:
            authority = Authority(self.folder)
            self.ca_file = str(authority.ca_file)
            self._server.socket = authority.server_context().wrap_socket(
                self._server.socket, server_side=True
            )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(hook: HookServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hook.seen.append((dict(self.headers.items()), body))
            if hook.drip:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not hook.leaving.wait(0.05):
                    try:
                        self.wfile.write(b"X")
                    except OSError:
                        return
                return
            self.send_response(hook.status)
            for name, value in hook.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    return Handler
