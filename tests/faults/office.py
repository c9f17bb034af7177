"""A small mail server on loopback that can be busy, forget to answer, or not know an address."""

from __future__ import annotations

import socketserver
import threading
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Self

OPEN, BUSY, MUTE, GONE = "open", "busy", "mute", "gone"


@dataclass(frozen=True)
class Letter:
    """A mail that the server has taken."""

    to: str
    message_id: str
    kind: str
    raw: bytes


@dataclass
class Office:
    """A real SMTP server of this process.

    Attributes:
        mood: `open`; `busy` (451 to every sender); `mute` (takes the mail and hangs up before it
            says so); `gone` (hangs up at once).
        unknown: addresses that it refuses for good.
        letters: what it has taken, oldest first.
    """

    mood: str = OPEN
    unknown: set[str] = field(default_factory=set)
    letters: list[Letter] = field(default_factory=list)

    def __enter__(self) -> Self:
        office = self

        class Clerk(_Clerk):
            def __init__(self, *args: object) -> None:
                self.office = office
                super().__init__(*args)  # type: ignore[arg-type]

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Clerk)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def anew(self) -> None:
        """As on the first day."""
        self.mood, self.unknown, self.letters = OPEN, set(), []


class _Clerk(socketserver.StreamRequestHandler):
    office: Office
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """One connection."""
        if self.office.mood == GONE:
            return None
        self._say("220 office.example ready")
        to = ""
        while line := self.rfile.readline():
            word = line.split(None, 1)[0].upper().decode() if line.strip() else ""
            if word == "QUIT":
                return self._say("221 2.0.0 bye")
            if word == "EHLO":
                self._say("250-office.example\r\n250 8BITMIME")
            elif word == "MAIL" and self.office.mood == BUSY:
                self._say("451 4.7.0 Temporary server error. Please try again later")
            elif word == "RCPT":
                to = line.decode().partition("<")[2].partition(">")[0].lower()
                known = to not in self.office.unknown
                self._say("250 2.1.5 ok" if known else "550 5.1.1 User unknown")
            elif word == "DATA":
                self._say("354 go on")
                self._take(to)
                if self.office.mood == MUTE:
                    return None
                self._say("250 2.0.0 taken")
            else:
                self._say("250 2.0.0 ok")
        return None

    def _take(self, to: str) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        raw = b"".join(lines)
        head = message_from_bytes(raw)
        about = str(head["Message-ID"]), str(head["X-Lapsewatch-Kind"])
        self.office.letters.append(Letter(to, *about, raw))

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")
