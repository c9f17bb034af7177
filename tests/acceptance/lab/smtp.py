"""A submission server on plain sockets: STARTTLS, XOAUTH2, and scripted refusals."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import BinaryIO

from tests.acceptance.lab.entra import SMTP_SCOPE, Entra

GENERIC = "535 5.7.3 Authentication unsuccessful [LO2P123CA0001.GBRP123.PROD.OUTLOOK.COM]"
_CHALLENGE = b64encode(b'{"status":"401","schemes":"Bearer","scope":"x"}').decode()
_KINDS = {
    "CANNOT CHECK": "cannot_check",
    "CANARY FAILED": "canary_failed",
    "CANARY": "canary",
    "RECOVERED": "recovered",
    "COVERED": "covered",
    "RENEWED": "renewed",
    "REMOVED": "removed",
    "LAPSED": "lapsed",
    "ACTION": "reminder",
}


@dataclass(frozen=True)
class Mail:
    """One accepted mail: who signed in, the envelope, and the message."""

    user: str
    sender: str
    recipient: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The parsed message."""
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def kind(self) -> str:
        """The kind of the mail, by the words of its subject."""
        subject = str(self.message["subject"])
        return next((kind for word, kind in _KINDS.items() if word in subject), subject)

    def part(self, kind: str) -> str:
        """The text of the plain or of the html part."""
        body = self.message.get_body((kind,))
        assert body is not None, f"no {kind} part"
        return str(body.get_content())


@dataclass
class Mailbox:
    """A mailbox that an app may send from, and what goes wrong with it."""

    directory_id: str
    auth: str | None = None  # a refusal instead of the check
    challenge: bool = False  # refuse by a 334 with JSON first
    data: str | None = None  # a refusal after the final dot
    drop_after_dot: int = 0  # how many more times to keep the mail and hang up
    rcpt: dict[str, str] = field(default_factory=dict)


@dataclass
class Submission:
    """What all listeners of the lab share."""

    entra: Entra
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    inbox: list[Mail] = field(default_factory=list)
    dropped: list[Mail] = field(default_factory=list)

    def to(self, address: str) -> list[Mail]:
        """The mails that one address has got."""
        return [mail for mail in self.inbox if mail.recipient == address]


@dataclass(frozen=True)
class Manners:
    """How a listener behaves towards everyone."""

    context: ssl.SSLContext | None
    mechanisms: str = "LOGIN XOAUTH2"
    open_relay: bool = False
    greeting: str = "220 lab.example Microsoft ESMTP MAIL Service ready"


class SmtpServer:
    """A listener on a free port of loopback; while it is down, its port refuses."""

    def __init__(self, shared: Submission, manners: Manners, *, up: bool = True) -> None:
        """Take a port, and listen if `up`."""
        self.shared, self.manners = shared, manners
        self._socket = self._bound(0)
        self.port = self._socket.getsockname()[1]
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        if up:
            self.start()

    @staticmethod
    def _bound(port: int) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", port))
        return made

    def start(self) -> None:
        """Listen."""
        self._socket.listen(64)
        self._socket.settimeout(0.05)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop for good."""
        self._closed.set()
        if self._thread:
            self._thread.join()
        self._socket.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        session = _Session(self, connection)
        try:
            session.run()
        except (OSError, EOFError):
            pass  # the client hung up, or did not like our certificate
        finally:
            session.close()


class _Session:
    def __init__(self, server: SmtpServer, connection: socket.socket) -> None:
        self.shared, self.manners = server.shared, server.manners
        self.connection, self.reader = connection, connection.makefile("rb")
        self.secure, self.user, self.sender = False, "", ""
        self.box: Mailbox | None = None
        self.recipients: list[str] = []

    def close(self) -> None:
        for open_one in (self.reader, self.connection):
            with suppress(OSError):
                open_one.close()

    def say(self, text: str) -> None:
        self.connection.sendall(text.encode() + b"\r\n")

    def line(self) -> str:
        raw = _read(self.reader)
        return raw.decode("latin-1").rstrip("\r\n")

    def run(self) -> None:
        self.say(self.manners.greeting)
        verbs: dict[str, Callable[[str], None]] = {
            "EHLO": self.ehlo, "HELO": lambda _: self.say("250 lab"), "STARTTLS": self.starttls,
            "AUTH": self.auth, "MAIL": self.mail, "RCPT": self.rcpt, "DATA": self.data,
            "RSET": self.rset, "NOOP": lambda _: self.say("250 2.0.0 OK"),
        }  # fmt: skip
        while True:
            verb, _, rest = self.line().partition(" ")
            if verb.upper() == "QUIT":
                self.say("221 2.0.0 Service closing transmission channel")
                return
            act = verbs.get(verb.upper())
            if act:
                act(rest)
            else:
                self.say("500 5.3.3 Unrecognized command")

    def ehlo(self, _: str) -> None:
        extensions = ["lab.example Hello [127.0.0.1]", "SIZE 157286400", "PIPELINING", "8BITMIME"]
        if self.secure and self.manners.mechanisms:
            extensions.append(f"AUTH {self.manners.mechanisms}")
        elif self.manners.context and not self.secure:
            extensions.append("STARTTLS")
        for extension in extensions:
            self.say(f"250-{extension}")
        self.say("250 ENHANCEDSTATUSCODES")

    def starttls(self, _: str) -> None:
        if self.manners.context is None:
            self.say("500 5.3.3 Unrecognized command 'STARTTLS'")
            return
        self.say("220 2.0.0 SMTP server ready")
        self.reader.close()
        self.connection = self.manners.context.wrap_socket(self.connection, server_side=True)
        self.reader, self.secure = self.connection.makefile("rb"), True

    def auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        if not self.secure or mechanism.upper() != "XOAUTH2":
            self.say("504 5.7.4 Unrecognized authentication type")
            return
        if not initial:
            self.say("334 ")
            initial = self.line()
        user, refusal = self._verdict(initial)
        box = self.shared.mailboxes.get(user)
        if refusal and box and box.challenge:
            self.say(f"334 {_CHALLENGE}")
            if self.line():
                refusal = "501 5.5.4 An empty line was expected"
        if refusal:
            self.say(refusal)
        else:
            self.user, self.box = user, box
            self.say("235 2.7.0 Authentication successful")

    def _verdict(self, blob: str) -> tuple[str, str | None]:
        try:
            user, bearer, *rest = b64decode(blob, validate=True).decode().split("\x01")
        except (BadBase64, ValueError):
            return "", "501 5.5.4 Invalid XOAUTH2 auth data"
        user, token = user.removeprefix("user="), bearer.removeprefix("auth=Bearer ")
        box, known = self.shared.mailboxes.get(user), self.shared.entra.tokens.get(token)
        if box and box.auth:
            return user, box.auth
        good = box and known and known.scope == SMTP_SCOPE and rest == ["", ""]
        return user, None if good and known.directory_id == box.directory_id else GENERIC

    def mail(self, rest: str) -> None:
        if not self.user and not self.manners.open_relay:
            self.say("530 5.7.57 Client not authenticated to send mail.")
            return
        self.sender = _address(rest)
        self.say("250 2.1.0 Sender OK")

    def rcpt(self, rest: str) -> None:
        address = _address(rest)
        refusal = self.box.rcpt.get(address) if self.box else None
        if refusal is None:
            self.recipients.append(address)
        self.say(refusal or "250 2.1.5 Recipient OK")

    def rset(self, _: str) -> None:
        self.recipients.clear()
        self.say("250 2.0.0 Resetting")

    def data(self, _: str) -> None:
        if not self.recipients:
            self.say("503 5.5.1 Bad sequence of commands")
            return
        self.say("354 Start mail input; end with <CRLF>.<CRLF>")
        lines: list[bytes] = []
        while (line := _read(self.reader)) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        mails = [Mail(self.user, self.sender, each, b"".join(lines)) for each in self.recipients]
        self.recipients.clear()
        if self.box and self.box.data:
            self.say(self.box.data)
        elif self.box and self.box.drop_after_dot:
            self.box.drop_after_dot -= 1
            self.shared.dropped.extend(mails)
            self.connection.shutdown(socket.SHUT_RDWR)
            raise EOFError
        else:
            self.shared.inbox.extend(mails)
            self.say(f"250 2.0.0 OK <{len(self.shared.inbox)}> [Hostname=lab.example]")


def _read(reader: BinaryIO) -> bytes:
    line = reader.readline(20_000)
    if not line.endswith(b"\n"):
        raise EOFError
    return line


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
