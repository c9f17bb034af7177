"""The certificate that a server shows, read without trusting it: only its dates are wanted."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from threading import Timer
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from monitor.channels.network import certificate_name, dial, own_name, resolve
from monitor.channels.wire import Wire, WireError, in_words
from monitor.model import Served

_LINE = 4096  # bytes of an IMAP line
_LINES = 50


def served(
    host: str,
    port: int,
    *,
    starttls: Literal["smtp", "imap"] | None = None,
    connect_s: float,
    read_s: float,
) -> Served:
    """The certificate that a server shows for its name (SNI), expired or untrusted as it may be.

    Args:
        host: its name or address; a private one is as good as any other.
        port: its port.
        starttls: the protocol that begins in clear text there.
        connect_s: seconds until it must have answered.
        read_s: seconds for all that follows.

    Raises:
        WireError: there is none; says what happened.
    """
    sock, _ = dial(host, port, resolve(host, port), connect_s)
    sock.settimeout(read_s)
    # A server that drips would start the time of each read anew.
    watchdog = Timer(read_s, _shut, (sock,))
    watchdog.daemon = True
    watchdog.start()
    try:
        if starttls is not None:
            (_smtp if starttls == "smtp" else _imap)(sock, read_s)
        return _shown(sock, certificate_name(host))
    except OSError as error:  # ssl's errors are of that sort
        raise WireError(f"no certificate was shown: {in_words(error)}") from error
    except ValueError as error:
        raise WireError(f"no certificate can be read there: {error}") from error
    finally:
        watchdog.cancel()
        sock.close()


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _shown(sock: socket.socket, name: str) -> Served:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent: an expired one is to be seen as well
    with context.wrap_socket(sock, server_hostname=name) as tls:
        data = tls.getpeercert(binary_form=True)
    if data is None:
        raise ValueError("the server has none")
    found = x509.load_der_x509_certificate(data)
    # Certificates are known by their SHA-1 everywhere in Entra.
    mark = found.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303
    return Served(found.not_valid_before_utc, found.not_valid_after_utc, mark)


def _smtp(sock: socket.socket, read_s: float) -> None:
    wire = Wire(sock, ehlo_name=own_name(), reply_s=read_s)
    greeting = wire.answer()
    if greeting.code != 220:
        raise WireError(f"the server greets with {greeting.text[:200]}")
    wire.ask(f"EHLO {own_name()}")
    reply = wire.ask("STARTTLS")
    if reply.code != 220:
        raise WireError(f"STARTTLS was refused: {reply.text[:200]}")


def _imap(sock: socket.socket, _read_s: float) -> None:
    _line(sock)
    sock.sendall(b"a STARTTLS\r\n")
    for _ in range(_LINES):
        line = _line(sock)
        if line.startswith("a "):
            if line[2:4].upper() != "OK":
                raise WireError(f"STARTTLS was refused: {line[2:200]}")
            return
    raise WireError("the server does not come to the point")


def _line(sock: socket.socket) -> str:
    """One line; byte by byte, because what follows belongs to TLS."""
    found = bytearray()
    while not found.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte or len(found) > _LINE:
            raise WireError("the server hung up before TLS")
        found += byte
    text = found.decode("ascii", "replace").strip()
    return "".join(char if char.isprintable() else "?" for char in text)
