"""Answers over HTTP: JSON, errors in Microsoft's shapes, and the ways an answer can go wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request

from .clock import SandboxClock
from .faults import Fault, Twist

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PORTAL_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in to the network</title></head>"
    b"<body><h1>Sign in to the network</h1></body></html>"
)


@dataclass(slots=True)
class Reply:
    """An answer before it goes out."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json; charset=utf-8"


def json_reply(payload: object, status: int = 200, headers: Mapping[str, str] = {}) -> Reply:
    """A payload as JSON."""
    return Reply(status, json.dumps(payload).encode(), dict(headers))


def from_fault(fault: Fault, error: Callable[[int, str, str], Reply]) -> Reply | None:
    """The answer that a fault puts in the place of the real one; None if it only twists it."""
    if fault.twist is Twist.HTML:
        return Reply(fault.status or 200, PORTAL_PAGE, dict(fault.headers), "text/html")
    if fault.status is None:
        return None
    reply = error(fault.status, fault.code, fault.message)
    if fault.body is not None:
        reply.body = fault.body
    reply.headers.update(fault.headers)
    return reply


async def deliver(
    send: Send, reply: Reply, clock: SandboxClock, twist: Twist | None = None
) -> None:
    """Send the answer, or break it on the way."""
    transport = _transport(send)
    if twist is Twist.DROP and transport is not None:
        transport.abort()
        return
    body = reply.body
    if twist is Twist.TRUNCATE:
        body = body[: len(body) // 2]
    headers = {
        "date": format_datetime(clock.now(), usegmt=True),
        "content-type": reply.media_type,
        "content-length": str(len(body)),
        "cache-control": "no-store, no-cache",
        **{name.lower(): value for name, value in reply.headers.items()},
    }
    wire = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": wire})
    if twist is Twist.CLOSE and transport is not None:
        half = body[: len(body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        transport.close()
        return
    await send({"type": "http.response.body", "body": body})


def _transport(send: Send) -> asyncio.Transport | None:
    """The connection under uvicorn's `send`: ASGI itself has no word for breaking one."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    return transport if isinstance(transport, asyncio.Transport) else None


class HttpRoom:
    """An ASGI application that answers each request with one Reply."""

    def __init__(self, clock: SandboxClock) -> None:
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        reply, fault = await self.answer(request)
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        await deliver(send, reply, self.clock, fault.twist if fault else None)

    async def answer(self, request: Request) -> tuple[Reply, Fault | None]:
        """The reply, and the fault that shall befall it on the way."""
        raise NotImplementedError
