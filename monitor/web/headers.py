"""Security headers on every answer, a request id, HEAD, and the last resort for errors."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor import log

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}
# With no-referrer a browser sends the Origin of its own forms as "null".
SETUP_HEADERS = {"Referrer-Policy": "same-origin"}
_SECRET_BELOW = ("/a/", "/setup/open/")

_log = log.get(__name__)


class Guard:
    """The outermost layer: nothing passes it without the headers, not even a crash.

    Args:
        app: what answers.
        crashed: makes the answer to a request that nobody could answer.
    """

    def __init__(self, app: ASGIApp, crashed: Callable[[Scope], Response]) -> None:
        self._app = app
        self._crashed = crashed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fixed = SECURITY_HEADERS | (SETUP_HEADERS if _is_setup(str(scope["path"])) else {})
        started = False
        head = scope["method"] == "HEAD"
        inner = {**scope, "method": "GET"} if head else dict(scope)
        # Our own: a caller's id could carry anything into the log and the page.
        request_id = secrets.token_hex(8)
        inner["state"] = {**scope.get("state", {}), "request_id": request_id}

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.update({**fixed, "X-Request-ID": request_id})
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(inner, receive, guarded)
        except Exception:
            _log.exception("web.crashed", request_id=request_id, path=shown(str(scope["path"])))
            if started:
                raise  # half an answer is out: closing the connection is all that is left
            await self._crashed(inner)(inner, receive, guarded)


def shown(path: str) -> str:
    """A path as it may stand in a log: whoever holds the token of a link may act by it."""
    for start in _SECRET_BELOW:
        if path.startswith(start):
            return f"{start}…"
    return path[:200]


def _is_setup(path: str) -> bool:
    return path == "/setup" or path.startswith("/setup/")
