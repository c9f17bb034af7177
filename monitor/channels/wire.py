"""One SMTP connection: smtplib with bounded replies, deadlines and a transcript without secrets."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.log import Hider

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MAX_REPLY = 65_536
SHOWN_REPLY = 4_000
TRANSCRIPT_LINES = 400
_CHUNK = 16_384

_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
# Control characters (a line end is none here), bidi marks and zero-width ones.
_UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_BARE_LINE_END = re.compile(rb"\r\n|\r|\n")


class Reply(NamedTuple):
    """A whole reply: its basic code, and its lines as they came, made safe to show."""

    code: int
    text: str

    @property
    def last_word(self) -> str:
        """What follows the code on the last line; a challenge, after 334."""
        return self.text.rpartition("\n")[2][4:].strip()


class WireError(Exception):
    """The connection gave no usable reply.

    Args:
        text: what happened, in the words that `diagnose` knows.
        seen: what had come until then, made safe to show.
    """

    def __init__(self, text: str, *, seen: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.seen = seen


class GarbledError(WireError):
    """What came is not SMTP (RFC 5321, 4.2), or came unasked."""


class Wire(smtplib.SMTP):
    """A connected SMTP client that reads replies within bounds and remembers them.

    smtplib alone reads without a limit, lets every packet start the timeout anew, and forgets
    the last reply when the server hangs up.

    Args:
        sock: a connected socket, TLS or not; it is closed with the wire.
        ehlo_name: how we call ourselves.
        reply_s: seconds until a whole reply must have come.
        clock: seconds from any start; only differences count.
    """

    ehlo_msg = "EHLO"

    def __init__(
        self,
        sock: socket.socket,
        *,
        ehlo_name: str,
        reply_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(local_hostname=ehlo_name)
        self.sock = sock
        self.reply_s = reply_s
        self.reply = Reply(0, "")
        self.transcript: deque[str] = deque(maxlen=TRANSCRIPT_LINES)
        self._clock = clock
        self._unread = bytearray()
        self._secrets: tuple[str, ...] = ()
        self._hider = Hider(())
        self._veil: str | None = None

    def hide(self, *secrets: str) -> None:
        """Never show these, nor longer pieces of them, whoever says them."""
        self._secrets = (*self._secrets, *secrets)
        self._hider = Hider(self._secrets)

    def ask(self, line: str, *, shown: str | None = None) -> Reply:
        """Send one line and read the reply to it.

        Args:
            line: the command, without line end.
            shown: what the transcript says instead, where the line holds a secret.

        Raises:
            WireError: no usable reply came.
        """
        self._veil = shown
        try:
            self.docmd(line)
        finally:
            self._veil = None
        return self.reply

    def answer(self) -> Reply:
        """Read the next reply: the greeting, or the verdict on a message.

        Raises:
            WireError: no usable reply came.
        """
        self.getreply()
        return self.reply

    def secure(self, context: ssl.SSLContext, host: str) -> Reply:
        """STARTTLS (RFC 3207): forget what came before TLS, and check the certificate.

        Returns:
            The reply to STARTTLS; TLS is on only if its code is 220.

        Raises:
            WireError: no usable reply came.
            OSError: TLS failed (`ssl.SSLError` where it says why).
        """
        reply = self.ask("STARTTLS")
        if reply.code == 220:
            self.handshake(context, host)
        return reply

    def handshake(self, context: ssl.SSLContext, host: str) -> None:
        """Start TLS at once; whatever was said in the clear before is dropped.

        Raises:
            OSError: TLS failed (`ssl.SSLError` where it says why).
        """
        self._unread.clear()
        self.esmtp_features = {}
        sock = self._socket()
        sock.settimeout(self.reply_s)
        self.sock = context.wrap_socket(sock, server_hostname=host)
        self.transcript.append(f"-- {self.tls_version}")

    def message(self, data: bytes) -> None:
        """Send a message after 354, in CRLF, dot-stuffed, with the final dot (RFC 5321, 4.5.2).

        A bare CR or LF becomes a line end, so that no server sees an end that we did not mean.

        Raises:
            WireError: it could not be sent whole; the server has not got the final dot.
        """
        lines = _BARE_LINE_END.sub(b"\r\n", data)
        stuffed = lines.replace(b"\n.", b"\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        if not stuffed.endswith(b"\r\n"):
            stuffed += b"\r\n"
        self._refuse_unasked()
        self.transcript.append(f"C: ({len(data)} bytes of message)")
        self.send(stuffed + b".\r\n")

    @property
    def tls_version(self) -> str:
        """What TLS was agreed on; empty without TLS."""
        return self.sock.version() or "" if isinstance(self.sock, ssl.SSLSocket) else ""

    # --- what smtplib calls ----------------------------------------------------------------

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Send a command; smtplib refuses line ends in it."""
        self._refuse_unasked()
        self.transcript.append("C: " + (self._veil or f"{cmd} {args}".strip()))
        super().putcmd(cmd, args)

    def send(self, s: ReadableBuffer | str) -> None:
        """Send all of it within the time of one reply."""
        data = s.encode("ascii") if isinstance(s, str) else s
        try:
            sock = self._socket()
            sock.settimeout(self.reply_s)
            sock.sendall(data)
        except OSError as error:
            raise self._broken(error) from error

    def getreply(self) -> tuple[int, bytes]:
        """Read one reply of any number of lines, in the form that smtplib wants."""
        lines: list[bytes] = []
        left = MAX_REPLY
        until = self._clock() + self.reply_s
        while True:
            line = self._line(until, left, lines)
            lines.append(line)
            left -= len(line)
            match = _REPLY_LINE.fullmatch(line.rstrip(b"\r\n"))
            if match is None or match[1] != lines[0][:3]:
                seen = self._heard(lines)
                raise GarbledError("what came is not an SMTP reply", seen=seen)
            if match[2] != b"-":
                break
        self.reply = Reply(int(match[1]), self._heard(lines))
        return self.reply.code, b"\n".join(line[4:].strip() for line in lines)

    # --- reading ---------------------------------------------------------------------------

    def _line(self, until: float, left: int, before: Sequence[bytes]) -> bytes:
        while (end := self._unread.find(b"\n")) < 0 and len(self._unread) < left:
            remaining = until - self._clock()
            try:
                if remaining <= 0:
                    raise TimeoutError("timed out")
                sock = self._socket()
                sock.settimeout(remaining)
                chunk = sock.recv(_CHUNK)
            except OSError as error:
                raise self._broken(error, before) from error
            if not chunk:
                raise self._broken(None, before)
            self._unread += chunk
        if end < 0 or end >= left:
            seen = self._heard([*before, bytes(self._unread)])
            self._unread.clear()
            raise GarbledError(f"the reply is longer than {MAX_REPLY} bytes", seen=seen)
        line = bytes(self._unread[: end + 1])
        del self._unread[: end + 1]
        return line

    def _refuse_unasked(self) -> None:
        """See that nothing came since the last reply.

        A reply too many would be taken for the answer to the next command, in the end for the
        acceptance of a mail. A server that says goodbye while nothing is asked is heard.
        """
        sock = self._socket()
        try:
            sock.setblocking(False)
            chunk = sock.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            chunk = None
        except OSError as error:
            raise self._broken(error) from error
        finally:
            sock.settimeout(self.reply_s)
        self._unread += chunk or b""
        if not self._unread and chunk is None:
            return
        seen = self._heard([bytes(self._unread)]) if self._unread else ""
        self._unread.clear()
        if chunk == b"" or seen.startswith(("421", "221")):
            raise WireError("Connection unexpectedly closed", seen=seen)
        raise GarbledError("the server spoke unasked", seen=seen)

    def _socket(self) -> Any:
        if self.sock is None:
            raise OSError("Connection unexpectedly closed")
        return self.sock

    def _broken(self, error: OSError | None, before: Sequence[bytes] = ()) -> WireError:
        """Say how the connection ended, with what had come of a reply."""
        text = "Connection unexpectedly closed" if error is None else in_words(error)
        come = [*before, bytes(self._unread)] if self._unread else list(before)
        self._unread.clear()
        return WireError(text, seen=self._heard(come) if come else "")

    def _heard(self, lines: Sequence[bytes]) -> str:
        """Make what came safe to show, and note it."""
        raw = b"".join(lines)[:MAX_REPLY].decode("utf-8", "replace").replace("\r\n", "\n").strip()
        # First the secrets: what cannot be shown may be a part of one.
        shown = _UNSEEN.sub("�", self.redacted(raw))
        if len(shown) > SHOWN_REPLY:
            shown = f"{shown[:SHOWN_REPLY]}… ({len(raw)} characters)"
        self.transcript.append(f"S: {shown}")
        return shown

    def redacted(self, text: str) -> str:
        """Take the secrets out of a text, and every word that holds a longer piece of one."""
        return self._hider.hide(text)


def in_words(error: OSError) -> str:
    """What a network error says, without the interpreter's own line numbers."""
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "timed out"
    return re.sub(r"\s*\(_ssl\.c:\d+\)", "", str(error)) or type(error).__name__
