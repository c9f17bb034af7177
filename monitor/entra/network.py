"""Which cause a failed connection has, whichever HTTP library reported it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

# Every library wraps the operating system's error in its own; these are where they keep it.
_WRAPPED_IN = (
    "__cause__",
    "__context__",
    "reason",
    "inner_exception",
    "os_error",
    "certificate_error",
)

# By name, because the three HTTP libraries must not be imported only to look at an error.
_BY_NAME = {
    "ClientConnectorDNSError": "name_not_found",
    "NameResolutionError": "name_not_found",
    "ConnectionTimeoutError": "connect_timeout",
    "ConnectTimeoutError": "connect_timeout",
    "ServiceRequestTimeoutError": "connect_timeout",
    "SocketTimeoutError": "reply_timeout",
    "ReadTimeoutError": "reply_timeout",
    "ReadTimeout": "reply_timeout",
    "ServiceResponseTimeoutError": "reply_timeout",
    "ClientPayloadError": "malformed_page",
    "DecodingError": "malformed_page",
    "IncompleteRead": "malformed_page",
}

_UNREACHABLE = "No route to host", "Network is unreachable"


def connection_cause(error: BaseException) -> str | None:
    """The cause id of a connection that failed, or None when the error says nothing of one.

    A broken connection without a better reason is `transient`: the next try may pass.
    """
    causes = {cause for part in _unwrap(error) if (cause := _cause_of(part))}
    order = (
        "tls_untrusted", "name_not_found", "connect_refused", "connect_timeout",
        "malformed_page", "reply_timeout", "transient",
    )  # fmt: skip
    return next((cause for cause in order if cause in causes), None)


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own: no proxy may stand before it."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _cause_of(error: object) -> str | None:
    if isinstance(error, ssl.SSLError):
        return "tls_untrusted"
    if isinstance(error, socket.gaierror):
        return "name_not_found"
    if isinstance(error, ConnectionRefusedError):
        return "connect_refused"
    names = {cls.__name__ for cls in type(error).__mro__}
    for name, cause in _BY_NAME.items():
        if name in names:
            return cause
    if isinstance(error, OSError) and error.strerror and error.strerror in _UNREACHABLE:
        return "connect_timeout"
    if isinstance(error, (ConnectionError, EOFError)) or "ServerDisconnectedError" in names:
        return "transient"
    return None


def _unwrap(error: BaseException) -> Iterator[object]:
    """The error and all that it wraps, each once."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or not isinstance(part, BaseException):
            continue
        seen.add(id(part))
        yield part
        waiting += [getattr(part, name, None) for name in _WRAPPED_IN]
        waiting += list(part.args)
