"""A small Azure Key Vault over TLS, built on nothing of the product.

It speaks the REST API as documented: a request without a token gets a 401 whose challenge names
the authority and the resource, and only then a token is looked at.
https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
"""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

BEARER = "a-token-for-the-vault"
DIRECTORY = "7b1c0000-0000-4000-8000-000000000001"


@dataclass
class Answer:
    """What a secret's name gets instead of a secret."""

    status: int
    code: str = ""
    inner: str = ""
    message: str = "No."
    body: bytes | None = None


@dataclass
class VaultServer:
    """A vault on a free loopback port; `secrets` and `answers` go by "NAME" or "NAME/VERSION"."""

    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    resource: str = "https://vault.azure.net"
    seen: list[tuple[str, str | None]] = field(default_factory=list)  # path, token
    leaving: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "server.pem")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply(self, target: str, token: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a GET."""
        parts = urlsplit(target)
        name = parts.path.removeprefix("/secrets/").rstrip("/")
        self.seen.append((name, token))
        if token != BEARER:
            where = f"https://login.microsoftonline.com/{DIRECTORY}"
            challenge = f'Bearer authorization="{where}", resource="{self.resource}"'
            body = _error("Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
            return 401, {"WWW-Authenticate": challenge}, body
        if "api-version" not in parse_qs(parts.query):
            return 400, {}, _error("BadParameter", "api-version must be specified")
        return self._known(name)

    def _known(self, name: str) -> tuple[int, dict[str, str], bytes]:
        answer = self.answers.get(name)
        if answer is not None:
            body = answer.body
            if body is None:
                body = _error(answer.code, answer.message, answer.inner)
            return answer.status, {}, body
        if name not in self.secrets:
            told = f"A secret with (name/id) {name} was not found in this key vault."
            return 404, {}, _error("SecretNotFound", told)
        named = name if "/" in name else f"{name}/1"
        found = {"value": self.secrets[name], "id": f"{self.url}/secrets/{named}",
                 "attributes": {"enabled": True, "created": 1, "updated": 1}}  # fmt: skip
        return 200, {}, json.dumps(found).encode()


def _error(code: str, message: str, inner: str = "") -> bytes:
    error: dict[str, Any] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return json.dumps({"error": error}).encode()


def _handler(vault: VaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization") or ""
            token = authorization.removeprefix("Bearer ") or None
            if "/secrets/hang" in self.path and token:
                vault.seen.append(("hang", token))
                vault.leaving.wait()
                return
            status, headers, body = vault.reply(self.path, token)
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler
