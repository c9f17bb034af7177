"""A scripted SMTP server on real sockets: says anything at any verb, or hangs, resets, lies."""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import functools
import ipaddress
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from monitor.channels.probe import Finding, Path
from monitor.diagnose import Rulebook

TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9." + "Q0FOQVJZ" * 250 + ".c2lnbmF0dXJl"
MAILBOX = "noreply@contoso.example"


class Hang:
    """Say nothing more until the test ends."""


class Reset:
    """Break the connection with a TCP reset."""


@dataclass(frozen=True)
class Close:
    """Say something, perhaps, and close the connection."""

    said: str = ""


Action = str | bytes | Hang | Reset | Close
DEFAULTS: dict[str, Action] = {
    "GREETING": "220 mx.contoso.example ESMTP ready",
    "EHLO": "250-mx.contoso.example Hello\r\n250-SIZE 157286400\r\n250-STARTTLS\r\n250 8BITMIME",
    "EHLO+TLS": "250-mx.contoso.example Hello\r\n250-AUTH LOGIN XOAUTH2\r\n250 8BITMIME",
    "STARTTLS": "220 2.0.0 SMTP server ready",
    "AUTH": "235 2.7.0 Authentication successful",
    "LINE": "235 2.7.0 Authentication successful",
    "MAIL": "250 2.1.0 Sender OK",
    "RCPT": "250 2.1.5 Recipient OK",
    "DATA": "354 Start mail input; end with <CRLF>.<CRLF>",
    "BODY": "250 2.0.0 OK <4711@internal> [Hostname=DB9.eurprd01.prod.outlook.com]",
    "RSET": "250 2.0.0 Resetting",
    "QUIT": Close("221 2.0.0 Service closing transmission channel"),
}


@dataclass
class ScriptedServer:
    """Answers as told: `script` maps a verb to what is said each time, or time by time.

    EHLO after TLS is `EHLO+TLS`, the line after a 334 is `LINE`, the message is `BODY`, and
    `AMID` is said while the message still comes. A str gets its line end, bytes go as they are.
    """

    script: Mapping[str, Action | Sequence[Action]] = field(default_factory=dict)
    certificate: Literal["good", "expired", "other-host", "other-ca"] = "good"
    tls_at_once: bool = False
    byte_by_byte: bool = False
    pause_s: float = 0.0
    heard: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def path(self, **changes: object) -> Path:
        """The path to this server."""
        given: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "mailbox": MAILBOX,
            "ca_file": str(certificates() / "ca.pem"),
            "tls": "tls" if self.tls_at_once else "starttls",
        }
        return Path(**{**given, **changes})  # type: ignore[arg-type]

    @contextlib.contextmanager
    def running(self) -> Iterator[ScriptedServer]:
        """Listen on a free port of 127.0.0.1 until the block ends."""
        self._over = threading.Event()
        self._counts: dict[str, int] = {}
        self._threads: list[threading.Thread] = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            acceptor = threading.Thread(target=self._accept, args=(listener,))
            acceptor.start()
            try:
                yield self
            finally:
                self._over.set()
                listener.shutdown(socket.SHUT_RDWR)
                acceptor.join()
                for thread in self._threads:
                    thread.join()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            _Conversation(self, sock).run()

    def next_action(self, verb: str) -> Action:
        """What is said to a verb this time; after the last of a list, the default."""
        told = self.script.get(verb, DEFAULTS.get(verb, "500 5.3.3 Unrecognized command"))
        if isinstance(told, (str, bytes, Hang, Reset, Close)):
            return told
        count = self._counts.get(verb, 0)
        self._counts[verb] = count + 1
        return told[count] if count < len(told) else DEFAULTS[verb]

    def over(self, seconds: float | None = None) -> bool:
        """Block a hanging conversation until the test ends, or for so many seconds."""
        return self._over.wait(seconds)


class _Conversation:
    def __init__(self, server: ScriptedServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.buffer = b""
        self.secure = False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(20)

    def run(self) -> None:
        try:
            if self.server.tls_at_once:
                self.wrap()
            self.say("GREETING")
            while True:
                line = self.until(b"\r\n").decode("utf-8", "replace")
                self.server.heard.append(line)
                self.answer(line.partition(" ")[0].upper())
        finally:
            self.sock.close()

    def answer(self, verb: str) -> None:
        if verb == "EHLO" and self.secure:
            verb = "EHLO+TLS"
        said = self.say(verb)
        if verb == "STARTTLS" and said.startswith(b"220"):
            self.wrap()
        while verb in ("AUTH", "LINE") and said.startswith(b"334"):
            self.server.heard.append(self.until(b"\r\n").decode())
            said = self.say("LINE")
        if verb == "DATA" and "AMID" in self.server.script:
            self.sock.recv(1)
            self.say("AMID")
            self.server.over()
            raise EOFError
        if verb == "DATA" and said.startswith(b"354"):
            self.server.bodies.append(self.until(b"\r\n.\r\n"))
            self.say("BODY")

    def say(self, verb: str) -> bytes:
        action = self.server.next_action(verb)
        if isinstance(action, Hang):
            self.server.over()
            raise EOFError
        if isinstance(action, Reset):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise EOFError
        text = action.said if isinstance(action, Close) else action
        data = text if isinstance(text, bytes) else f"{text}\r\n".encode()
        if text:
            self.send(data)
        if isinstance(action, Close):
            self.sock.shutdown(socket.SHUT_WR)
            raise EOFError
        return data

    def send(self, data: bytes) -> None:
        if not self.server.byte_by_byte:
            self.sock.sendall(data)
            return
        for index in range(len(data)):
            self.sock.sendall(data[index : index + 1])
            if self.server.pause_s and self.server.over(self.server.pause_s):
                raise EOFError

    def until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            chunk = self.sock.recv(65_536)
            if not chunk:
                raise EOFError
            self.buffer += chunk
        data, _, self.buffer = self.buffer.partition(end)
        return data

    def wrap(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates() / f"{self.server.certificate}.pem")
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.secure = True


@functools.cache
def certificates() -> FilePath:
    """A folder with an ephemeral CA (`ca.pem`) and server certificates, good and bad."""
    folder = tempfile.TemporaryDirectory(prefix="lapsewatch-test-ca-")
    atexit.register(folder.cleanup)
    place = FilePath(folder.name)
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    ca_key, ca = _certify("Test CA", now - day, now + day)
    other_key, other = _certify("Other CA", now - day, now + day)
    (place / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    kinds = {
        "good": ("127.0.0.1", now - day, now + day, ca_key, ca),
        "expired": ("127.0.0.1", now - 9 * day, now - day, ca_key, ca),
        "other-host": ("192.0.2.1", now - day, now + day, ca_key, ca),
        "other-ca": ("127.0.0.1", now - day, now + day, other_key, other),
    }
    for kind, (address, start, end, issuer_key, issuer) in kinds.items():
        key, leaf = _certify(
            "mx.contoso.example", start, end, address=address, issuer=(issuer_key, issuer)
        )
        (place / f"{kind}.pem").write_bytes(_pem(key) + leaf.public_bytes(_PEM))
    return place


_PEM = serialization.Encoding.PEM


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _certify(
    name: str,
    start: dt.datetime,
    end: dt.datetime,
    *,
    address: str | None = None,
    issuer: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None = None,
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if address is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return key, builder.sign(issuer[0] if issuer else key, hashes.SHA256())


@functools.cache
def _rules() -> Rulebook:
    file = FilePath(__file__).parents[2] / "monitor" / "diagnose_rules.toml"
    return Rulebook.parse(file.read_text(encoding="utf-8"))


def diagnose(text: str, stage: str | None) -> Finding:
    """The product's own rules."""
    return _rules().diagnose(text, stage=stage)
