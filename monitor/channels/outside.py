"""HTTPS to an address that somebody wrote into the settings, and never to one of our own network.

Every address that the name has must be a public one; the connection goes to an address that was
checked, so that a name that changes between the check and the connection gains nothing. No
redirect is followed. Source: OWASP, Server-Side Request Forgery Prevention Cheat Sheet.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

from monitor.channels.network import dial, resolve, tls_context
from monitor.channels.wire import WireError, in_words
from monitor.errors import DeliveryError

SECONDS = 10.0
LARGEST = 64_000  # bytes of an answer, and of what is sent
PORTS = (443, 8443)
_NAT64 = IPv6Network("64:ff9b::/96")
Resolve = Callable[[str, int], list[Any]]


class RefusedAddressError(DeliveryError):
    """An address that nothing may be sent to; trying again cannot help."""

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message, cause="unknown", stage="tcp", permanent=True, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: its status, and the beginning of its words."""

    status: int
    reason: str
    body: bytes


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet, in whatever way it is written."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inner is None and found in _NAT64:
            return is_public(".".join(str(byte) for byte in found.packed[-4:]))
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not (found.is_multicast or found.is_reserved)


def checked_addresses(
    host: str, port: int, *, allow_private: bool, lookup: Resolve = resolve
) -> list[Any]:
    """The addresses of a host, all of which may be connected to.

    Raises:
        RefusedAddressError: one of them is private.
        DeliveryError: there are none.
    """
    try:
        found = lookup(host, port)
    except WireError as error:
        raise DeliveryError(str(error), cause="name_not_found", stage="dns") from None
    for *_, address in found:
        if not allow_private and not is_public(str(address[0])):
            raise RefusedAddressError(
                f"{host} is at a private address ({address[0]}), so nothing was sent.",
                remedy="Set allow_private = true for this channel if that is meant.",
            )
    return found


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_private: bool = False,
    any_port: bool = False,
    ca_file: str | None = None,
    seconds: float = SECONDS,
    lookup: Resolve = resolve,
) -> Answer:
    """POST once, to a checked address, within `seconds` for all of it.

    Raises:
        RefusedAddressError: nothing may be sent there.
        DeliveryError: no answer came; `uncertain` where the server may have taken it.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    _refuse(parts.scheme, "@" in parts.netloc, host, port, any_port=any_port)
    addresses = checked_addresses(host, port, allow_private=allow_private, lookup=lookup)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sock = _connect(host, port, addresses, ca_file, seconds)
    # A deadline for all of it: a server that sends a byte now and then would hold us for ever.
    over = threading.Event()
    watch = threading.Timer(seconds, _hang_up, [sock, over])
    watch.daemon = True
    watch.start()
    try:
        answer = _talk(sock, host, port, path, body, headers)
        if over.is_set():  # what was cut off can look like an answer
            raise _no_answer(host, "timeout", sent=True)
        return answer
    finally:
        watch.cancel()
        sock.close()


def _refuse(scheme: str, named_user: bool, host: str, port: int, *, any_port: bool) -> None:
    if scheme != "https" or named_user or not host:
        raise RefusedAddressError(
            "Nothing is sent to an address that is not plain https.",
            remedy="Write it as https://HOST/PATH, without a user name.",
        )
    if port not in PORTS and not any_port:
        raise RefusedAddressError(
            f"Nothing is sent to port {port}, only to 443 and 8443.",
            remedy="Set any_port = true for this channel if that is meant.",
        )


def _connect(
    host: str, port: int, addresses: Sequence[Any], ca_file: str | None, seconds: float
) -> ssl.SSLSocket:
    plain: socket.socket | None = None
    try:
        context = tls_context(ca_file)
        plain, _ = dial(host, port, addresses, seconds)
        plain.settimeout(seconds)
        return context.wrap_socket(plain, server_hostname=host)
    except WireError as error:
        raise _not_reached(host, str(error)) from None
    except OSError as error:
        if plain is not None:
            plain.close()
        raise _not_reached(host, in_words(error)) from None


def _not_reached(host: str, told: str) -> DeliveryError:
    untrusted = "certificate" in told.lower()
    return DeliveryError(
        f"{host} cannot be reached: {told}.",
        cause="tls_untrusted" if untrusted else "connect_refused",
        stage="tcp",
        evidence=told,
        permanent=untrusted,
    )


def _hang_up(sock: ssl.SSLSocket, over: threading.Event) -> None:
    over.set()
    with suppress(OSError):  # it is over already
        sock.shutdown(socket.SHUT_RDWR)


def _talk(
    sock: ssl.SSLSocket, host: str, port: int, path: str, body: bytes, headers: Mapping[str, str]
) -> Answer:
    connection = http.client.HTTPSConnection(host, port)
    connection.sock = sock
    sent = False
    try:
        connection.request("POST", path, body, dict(headers))
        sent = True
        answer = connection.getresponse()
        return Answer(answer.status, answer.reason[:200], answer.read(LARGEST))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _no_answer(host, type(error).__name__, sent=sent) from None


def _no_answer(host: str, why: str, *, sent: bool) -> DeliveryError:
    return DeliveryError(
        f"{host} gave no usable answer ({why}).",
        cause="reply_timeout",
        stage="data",
        uncertain=sent,
    )
