"""Certificates read where they are served: over real sockets, trusted or not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from monitor.channels.served import served
from monitor.channels.wire import WireError
from monitor.model import Served

END = datetime(2020, 1, 31, 12, tzinfo=UTC)  # over for long: its date is wanted all the same
Talk = Callable[[socket.socket], bool]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's context with a self-signed certificate that has expired."""
    folder: Path = tmp_path_factory.mktemp("served")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elsewhere.example")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(END - timedelta(days=90)).not_valid_after(END)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(file)
    return found


def _straight(_: socket.socket) -> bool:
    return True


def _says(greeting: bytes, *turns: tuple[bytes, bytes]) -> Talk:
    """A server that begins in clear text: after each line that begins so, this answer."""

    def talk(sock: socket.socket) -> bool:
        sock.sendall(greeting)
        with sock.makefile("rb") as lines:
            for begins, answer in turns:
                if not lines.readline().upper().startswith(begins):
                    return False
                sock.sendall(answer)
        return b" NO" not in turns[-1][1] and not turns[-1][1].startswith(b"5")

    return talk


SMTP = ((b"EHLO", b"250-mail.example\r\n250 STARTTLS\r\n"), (b"STARTTLS", b"220 go\r\n"))
NO_SMTP = (SMTP[0], (b"STARTTLS", b"502 not here\r\n"))
IMAP = ((b"A STARTTLS", b"* CAPABILITY IMAP4\r\na OK go\r\n"),)
NO_IMAP = ((b"A STARTTLS", b"a NO not here\r\n"),)


@contextmanager
def server(context: ssl.SSLContext | None, talk: Talk = _straight) -> Iterator[int]:
    """One connection on loopback; yields the port."""
    names: list[str | None] = []
    if context is not None:
        context.sni_callback = lambda _sock, name, _context: names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                try:
                    if talk(sock) and context is not None:
                        context.wrap_socket(sock, server_side=True).close()
                except OSError:
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=10)


def ask(port: int, **how: object) -> Served:
    """What is shown there, within a short time."""
    return served("127.0.0.1", port, **{"connect_s": 5, "read_s": 5, **how})


@pytest.mark.parametrize(
    ("starttls", "talk"),
    [
        (None, _straight),
        ("smtp", _says(b"220 mail.example\r\n", *SMTP)),
        ("imap", _says(b"* OK ready\r\n", *IMAP)),
    ],
)
def test_an_untrusted_and_expired_certificate_is_read(
    context: ssl.SSLContext, starttls: str | None, talk: Talk
) -> None:
    """For another name as well: its end is all that is wanted."""
    with server(context, talk) as port:
        found = ask(port, starttls=starttls)
    assert (found.end, found.start) == (END, END - timedelta(days=90))
    assert len(found.thumbprint) == 40


def test_the_server_is_asked_by_its_name(context: ssl.SSLContext) -> None:
    """One address may serve many names, each with a certificate of its own."""
    names: list[str | None] = []
    with server(context) as port:
        context.sni_callback = lambda _sock, name, _context: names.append(name)
        served("localhost", port, connect_s=5, read_s=5)
    assert names == ["localhost"]


@pytest.mark.parametrize(
    ("starttls", "talk", "words"),
    [
        ("smtp", _says(b"220 mail.example\r\n", *NO_SMTP), "STARTTLS was refused: 502"),
        ("smtp", _says(b"554 go away\r\n", (b"X", b"5")), "greets with 554"),
        ("imap", _says(b"* OK ready\r\n", *NO_IMAP), "STARTTLS was refused: NO"),
        (None, _says(b"HTTP/1.1 400 no\r\n", (b"X", b"5")), "no certificate was shown"),
    ],
)
def test_a_server_that_shows_none_says_why(starttls: str | None, talk: Talk, words: str) -> None:
    """In a sentence for the page."""
    with server(None, talk) as port, pytest.raises(WireError, match=words):
        ask(port, starttls=starttls)


def test_a_server_that_says_nothing_is_given_up(context: ssl.SSLContext) -> None:
    """Nobody waits for it longer than allowed."""
    waits = threading.Event()
    with server(context, lambda _: waits.wait(10) and False) as port:
        with pytest.raises(WireError, match="no certificate was shown"):
            ask(port, read_s=0.2)
        waits.set()


def test_a_server_that_is_not_there_is_named() -> None:
    """Refused, or without an address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(WireError, match=r"127\.0\.0\.1"):
        ask(port)
    with pytest.raises(WireError, match="name resolution failed"):
        served("nobody.invalid", 443, connect_s=1, read_s=1)
