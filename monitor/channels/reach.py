"""How far a server can be reached: name, address, TLS, and who issued its certificate."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from monitor.channels.network import certificate_name, dial, own_name, resolve, tls_context
from monitor.channels.wire import Wire, WireError, in_words
from monitor.model.evidence import Certificate, Reached, Step


def reach(
    host: str,
    port: int,
    *,
    tls: Literal["none", "tls", "starttls"],
    ca_file: str | None,
    connect_s: float,
    reply_s: float,
) -> Reached:
    """Look a host up, connect to it and greet it by TLS. It never raises, and sends no secret.

    Args:
        host: its certificate must carry this name.
        port: of the server.
        tls: at once, by STARTTLS, or not at all.
        ca_file: the only CAs to trust; None is the system's store.
        connect_s: seconds for a connection to come about.
        reply_s: seconds for each reply.
    """
    step: Step = "dns"
    addresses: tuple[str, ...] = ()
    address = version = ""
    seen: Certificate | None = None
    try:
        found = resolve(host, port)
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        step = "tcp"
        sock, address = dial(host, port, found, connect_s)
        with _Talk(sock, reply_s) as talk:
            if tls != "none":
                step = "tls"
                version, seen = talk.secure(tls_context(ca_file), host, by_word=tls == "starttls")
    except WireError as error:
        problem = error.text
    except OSError as error:
        problem = in_words(error)
    else:
        return Reached(host, port, addresses, address, version, seen)
    if step == "tls":
        seen = _peek(lambda: dial(host, port, found, connect_s)[0], host, tls, reply_s)
    return Reached(host, port, addresses, address, "", seen, step, problem)


class _Talk:
    """A connection that gets as far as TLS, with SMTP's words before it where needed."""

    def __init__(self, sock: socket.socket, reply_s: float) -> None:
        self._wire = Wire(sock, ehlo_name=own_name(), reply_s=reply_s)

    def __enter__(self) -> _Talk:
        return self

    def __exit__(self, *exc: object) -> None:
        self._wire.close()

    def secure(
        self, context: ssl.SSLContext, host: str, *, by_word: bool
    ) -> tuple[str, Certificate | None]:
        """Start TLS; the version, and the certificate."""
        wire = self._wire
        if by_word:
            wire.answer()
            wire.ehlo()
            if not wire.has_extn("starttls"):
                raise WireError("STARTTLS is not offered")
            if wire.secure(context, certificate_name(host)).code != 220:
                raise WireError(f"STARTTLS was refused: {wire.reply.text}")
        else:
            wire.handshake(context, certificate_name(host))
        sock = wire.sock
        raw = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
        return wire.tls_version, _read(raw)


def _peek(
    connect: Callable[[], socket.socket], host: str, tls: str, reply_s: float
) -> Certificate | None:
    """The certificate that did not verify, from a second handshake that trusts anybody.

    Nothing is said over that connection, so nobody learns anything by it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with suppress(OSError, WireError), _Talk(connect(), reply_s) as talk:
        return talk.secure(context, host, by_word=tls == "starttls")[1]
    return None


def _read(raw: bytes | None) -> Certificate | None:
    """The names in a certificate; None where it cannot be read."""
    from cryptography import x509

    if raw is None:
        return None
    try:
        found = x509.load_der_x509_certificate(raw)
        return Certificate(
            found.subject.rfc4514_string(), found.issuer.rfc4514_string(), found.not_valid_after_utc
        )
    except ValueError:
        return None
