"""Names, addresses and TLS: what comes before the first word of SMTP."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from monitor.channels.wire import WireError, in_words

MAX_ADDRESSES = 8


def own_name() -> str:
    """This machine's name, if a server would take it (`socket.getfqdn` could hang on DNS)."""
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9.-]{1,255}", name) else "localhost"


def resolve(host: str, port: int) -> list[Any]:
    """All addresses of a host; the resolver's own timeouts apply.

    Raises:
        WireError: there are none.
    """
    if not host:
        raise WireError("name resolution failed: the host is empty")
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise WireError(f"name resolution failed: {error}") from error


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, the certificate and the host name checked (RFC 8314, 3 and 4).

    Args:
        ca_file: PEM file of the only CAs to trust; None is the system's store.

    Raises:
        WireError: the file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        text = f"certificate verify failed: the CA file {ca_file} cannot be used ({error})"
        raise WireError(text) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def certificate_name(host: str) -> str:
    """The name that the certificate must carry; a final dot is only DNS's."""
    return host.rstrip(".")


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine's own, so that nobody else hears what is said."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def dial(
    host: str, port: int, addresses: Sequence[Any], connect_s: float
) -> tuple[socket.socket, str]:
    """Connect to the first address that answers.

    Args:
        host: the name, for the message only.
        port: the port, for the message only.
        addresses: what `socket.getaddrinfo` gave; the time is shared among them.
        connect_s: seconds for all of them together.

    Returns:
        The connected socket, and the address that it reached.

    Raises:
        WireError: none answered; the text names each address and its error.
    """
    until = time.monotonic() + connect_s
    problems: list[str] = []
    tried = addresses[:MAX_ADDRESSES]
    for index, (family, kind, protocol, _, address) in enumerate(tried):
        share = max(until - time.monotonic(), 0.01) / (len(tried) - index)
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:
            problems.append(f"{address[0]}: {in_words(error)}")
            continue
        try:
            sock.settimeout(share)
            sock.connect(address)
        except OSError as error:
            sock.close()
            problems.append(f"{address[0]}: {in_words(error)}")
            continue
        return sock, str(address[0])
    raise WireError("; ".join(problems) or f"no address for {host}:{port}")
