"""Something outside that waits for a heartbeat: an HTTP server on loopback that notes each one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Outsider:
    """What it was asked, and what it answers from now on."""

    url: str = ""
    status: int = 200
    location: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    hold: threading.Event | None = None  # answers only once this is set


@contextmanager
def outsider() -> Iterator[Outsider]:
    """It listens as long as the block runs."""
    this = Outsider()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            this.asked.append((self.command, self.path, body))
            if this.hold is not None:
                this.hold.wait(30)
            self.send_response(this.status)
            if this.location:
                self.send_header("Location", this.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = _answer  # noqa: N815 (the names are the library's)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    this.url = f"http://127.0.0.1:{server.server_address[1]}/8f3b6c1e-secret-part"
    runner = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    runner.start()
    try:
        yield this
    finally:
        if this.hold is not None:
            this.hold.set()
        server.shutdown()
        server.server_close()
        runner.join()
