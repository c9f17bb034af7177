"""A small Graph and token endpoint on real sockets, built on nothing of the product.

What a path answers is written down beforehand; every request is kept to be looked at.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import ssl
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

DIRECTORY = "7b1c0000-0000-4000-8000-000000000001"


@dataclass
class Reply:
    """One answer: JSON (or bytes as they are), or a way to misbehave instead."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    act: Literal["answer", "hang", "reset", "cut"] = "answer"

    @property
    def payload(self) -> bytes:
        """The body's bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Seen:
    """One request that came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]


class GraphServer:
    """Graph in clear text and the token endpoint over TLS, each on a free loopback port.

    `script[path]` is a list of replies: each is given once, but the last one again and again.
    """

    def __init__(self, folder: Path) -> None:
        self.script: dict[str, list[Reply]] = defaultdict(list)
        self.seen: list[Seen] = []
        self.token_script: list[Reply] = []
        self.token_endpoint = ""  # named in place of its own
        self.ca_file = folder / "ca.pem"
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runners: list[web.AppRunner] = []
        self._transports: set[asyncio.WriteTransport] = set()
        self._leaving = asyncio.Event()
        self.graph = ""
        self.authority = ""

    def __enter__(self) -> Self:
        self._thread.start()
        make_certificates(self._folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._folder / "server.pem")
        self.graph = f"http://127.0.0.1:{self._run(self._open(self._graph, None))}"
        self.authority = f"https://127.0.0.1:{self._run(self._open(self._entra, context))}"
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def pages(self, path: str, *pages: list[Any]) -> None:
        """Script a collection of several pages, linked in this order."""
        for number, items in enumerate(pages):
            body: dict[str, Any] = {"value": items}
            if number + 1 < len(pages):
                body["@odata.nextLink"] = f"{self.graph}{path}?$skiptoken=page{number + 1}"
            self.script[path].append(Reply(body))

    def asked(self, path: str) -> list[Seen]:
        """The requests for a path so far."""
        return [request for request in self.seen if request.path == path]

    async def _graph(self, request: web.Request) -> web.StreamResponse:
        await self._keep(request)
        replies = self.script[request.path]
        if not replies:
            return web.json_response({"value": []})
        return await self._give(request, replies.pop(0) if len(replies) > 1 else replies[0])

    async def _entra(self, request: web.Request) -> web.StreamResponse:
        await self._keep(request)
        if request.path.endswith("openid-configuration"):
            here = f"{self.authority}/{request.path.split('/')[1]}"
            return web.json_response(
                {
                    "issuer": f"{here}/v2.0",
                    "authorization_endpoint": f"{here}/oauth2/v2.0/authorize",
                    "token_endpoint": self.token_endpoint or f"{here}/oauth2/v2.0/token",
                }
            )
        replies = self.token_script or [Reply(token())]
        return await self._give(request, replies.pop(0) if len(replies) > 1 else replies[0])

    async def _keep(self, request: web.Request) -> None:
        if isinstance(request.transport, asyncio.WriteTransport):
            self._transports.add(request.transport)
        self.seen.append(await _seen(request))

    async def _give(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        payload = reply.payload
        if reply.act == "hang":
            await self._leaving.wait()
        if reply.act == "reset":
            assert request.transport is not None
            request.transport.abort()
        if reply.act == "cut":
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            response.content_length = len(payload)
            await response.prepare(request)
            await response.write(payload[: len(payload) // 2])
            assert request.transport is not None
            request.transport.close()
            return response
        headers = {"Content-Type": reply.content_type, "request-id": f"r-{len(self.seen)}"}
        return web.Response(body=payload, status=reply.status, headers=headers | reply.headers)

    async def _open(self, handler: Any, context: ssl.SSLContext | None) -> int:
        app = web.Application()
        app.router.add_route("*", "/{anything:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    async def _close(self) -> None:
        self._leaving.set()
        for runner in self._runners:
            await runner.cleanup()
        for transport in self._transports:
            transport.abort()
        # Each layer of a TLS connection takes a turn of the loop to close.
        for _ in range(5):
            await asyncio.sleep(0)

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=30)


def token(tid: str = DIRECTORY, **claims: Any) -> dict[str, Any]:
    """A token endpoint's success; the JWT is signed by nobody."""
    parts: tuple[dict[str, Any], ...] = (
        {"alg": "none"},
        {"tid": tid, "roles": ["Application.Read.All"], **claims},
        {},
    )
    return {
        "token_type": "Bearer",
        "expires_in": 3599,
        "access_token": ".".join(_base64(json.dumps(part).encode()) for part in parts),
    }


def refusal(code: int, error: str = "invalid_client", status: int = 401) -> Reply:
    """A token endpoint's refusal, with its AADSTS code."""
    return Reply(
        {
            "error": error,
            "error_description": f"AADSTS{code}: No. Trace ID: 1 Correlation ID: 2",
            "error_codes": [code],
            "correlation_id": "2",
        },
        status,
    )


def graph_refusal(status: int, code: str, message: str = "No.", **headers: str) -> Reply:
    """Graph's refusal, with its code."""
    body = {"error": {"code": code, "message": message, "innerError": {"request-id": "x"}}}
    return Reply(body, status, {name.replace("_", "-"): text for name, text in headers.items()})


def make_certificates(folder: Path) -> None:
    """A CA (ca.pem), another CA (other.pem), a server's pair and an app's pair (app.pem)."""
    key, ca = _certificate("Test CA", None)
    (folder / "ca.pem").write_bytes(_pem(ca))
    (folder / "other.pem").write_bytes(_pem(_certificate("Other CA", None)[1]))
    server_key, server = _certificate("127.0.0.1", (key, ca))
    (folder / "server.pem").write_bytes(_private(server_key) + _pem(server))
    app_key, app = _certificate("app", None)
    (folder / "app.pem").write_bytes(_private(app_key) + _pem(app))


def _certificate(
    name: str, issuer: tuple[rsa.RSAPrivateKey, x509.Certificate] | None
) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, issued_by = (key, subject) if issuer is None else (issuer[0], issuer[1].subject)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issued_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return key, builder.sign(signer, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def _seen(request: web.Request) -> Seen:
    form = {name: str(text) for name, text in (await request.post()).items()}
    return Seen(request.method, request.path, dict(request.query), dict(request.headers), form)
