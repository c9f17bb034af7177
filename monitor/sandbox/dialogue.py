"""The SMTP dialogue in Exchange's words, on top of aiosmtpd."""

# ruff: noqa: N802 (aiosmtpd finds verbs and hooks by these names)

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
import uuid
from collections import defaultdict
from email.utils import format_datetime

from aiosmtpd.smtp import SMTP, Envelope, Session

from .exchange import (
    HOST,
    UNSUCCESSFUL,
    Exchange,
    Login,
    RefusedError,
    challenge,
    read_xoauth2,
)

_WORDS = {  # aiosmtpd's reply -> Exchange's
    "220 Ready to start TLS": "220 2.0.0 SMTP server ready",
    "250 OK": "250 2.0.0 OK",
    "354 End data with <CR><LF>.<CR><LF>": "354 Start mail input; end with <CRLF>.<CRLF>",
    "503 Already authenticated": "503 5.5.2 Already authenticated",
    "503 Error: send EHLO first": "503 5.5.2 Send hello first",
    "503 Error: send HELO first": "503 5.5.2 Send hello first",
    "503 Error: need MAIL command": "503 5.5.2 Need mail command",
    "503 Error: need RCPT command": "503 5.5.2 Need rcpt command",
    "503 Error: nested MAIL command": "503 5.5.2 Sender already specified",
    "454 TLS not available": "502 5.3.3 Command not implemented",
    "221 Bye": "221 2.0.0 Service closing transmission channel",
}
_WRONG_MECHANISM = "504 5.7.4 Unrecognized authentication type"


class _CancelledError(RefusedError):
    """The client gave up in the middle of AUTH."""


class _Hooks:
    """What aiosmtpd asks while it keeps the order of the verbs."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def handle_EHLO(
        self,
        server: Dialogue,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        _responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        return self._exchange.ehlo(server.hostname, session.ssl is not None)

    async def handle_MAIL(
        self,
        _server: Dialogue,
        _session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender OK"

    async def handle_RCPT(
        self,
        _server: Dialogue,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient OK"

    async def handle_DATA(self, server: Dialogue, _session: Session, envelope: Envelope) -> str:
        reply = await server.stage("END")
        if reply is not None:
            return reply
        content = envelope.original_content or b""
        recipients = [str(address) for address in envelope.rcpt_tos]
        return self._exchange.accept(
            server.login, str(envelope.mail_from or ""), recipients, content
        )


class Dialogue(SMTP):
    """One connection. It knows who logged in, and what the last refusal was."""

    # A token makes AUTH lines of some 3 kB; aiosmtpd's 512 and 1001 would cut them off.
    line_length_limit = 16384
    command_size_limit = 12288

    def __init__(
        self, exchange: Exchange, tls: ssl.SSLContext | None, loop: asyncio.AbstractEventLoop
    ) -> None:
        now = format_datetime(exchange.clock.now())
        ident = f"Microsoft ESMTP MAIL Service ready at {now} [{uuid.uuid4().hex[:16].upper()}]"
        super().__init__(
            _Hooks(exchange),
            hostname=HOST,
            ident=ident,
            tls_context=tls,
            enable_SMTPUTF8=True,
            data_size_limit=157286400,
            auth_required=False,
            loop=loop,
        )
        self.command_size_limits = defaultdict(lambda: 12288)
        self.exchange = exchange
        self.login: Login | None = None
        self._refusal: str | None = None
        self._greeted = False

    async def push(self, status: str | bytes) -> None:
        """Send a reply, the first one (the greeting) and aiosmtpd's own in other words."""
        text = status.decode() if isinstance(status, bytes) else status
        if not self._greeted:
            self._greeted = True
            text = await self.stage("CONNECT") or text
        text = _WORDS.get(text, text)
        if text.startswith('500 Error: command "'):
            text = f"500 5.3.3 Unrecognized command {text.split(chr(34))[1]!r} [{HOST}]"
        await super().push(text)

    async def stage(self, name: str) -> str | None:
        """Play a stage's fault; the reply to give instead of the real one, if any."""
        fault = self.exchange.fault(name, self.login)
        if fault is None:
            return None
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.drop:
            if isinstance(self.transport, asyncio.WriteTransport):
                self.transport.abort()
            raise asyncio.CancelledError  # ends this connection's task without a word
        return fault.reply

    async def smtp_EHLO(self, hostname: str) -> None:
        """EHLO, unless a fault answers."""
        await self._unless("EHLO") or await super().smtp_EHLO(hostname)

    async def smtp_STARTTLS(self, arg: str) -> None:
        """STARTTLS, unless a fault answers."""
        await self._unless("STARTTLS") or await super().smtp_STARTTLS(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:
        """MAIL is for those who are logged in; after a failed AUTH the refusal nests it."""
        open_relay = self.exchange.relay is not None and self.exchange.relay.user is None
        if self.login is None and not open_relay:
            cause = f" Error: {self._refusal}" if self._refusal else f" [{HOST}]"
            await self.push(f"530 5.7.57 Client not authenticated to send mail.{cause}")
            return
        await self._unless("MAIL") or await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        """RCPT, unless a fault answers."""
        await self._unless("RCPT") or await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        """DATA, unless a fault answers."""
        await self._unless("DATA") or await super().smtp_DATA(arg)

    async def smtp_AUTH(self, arg: str) -> None:
        """XOAUTH2 in both forms; LOGIN is there to be refused (or for a relay)."""
        if await self.check_helo_needed("EHLO"):
            return
        if self.login is not None:
            await self.push("503 Already authenticated")
            return
        words = arg.split() if arg else [""]
        mechanism = words[0].upper()  # Exchange does not mind lower case
        offered = any("AUTH" in line for line in self.exchange.ehlo(HOST, self._secure))
        if not offered or mechanism not in self._mechanisms():
            await self.push(f"{_WRONG_MECHANISM} [{HOST}]")
            return
        try:
            await self._authenticate_by(mechanism, words[1] if len(words) > 1 else None)
        except RefusedError as refusal:
            await self._refuse(str(refusal), can_challenge=not isinstance(refusal, _CancelledError))
        else:
            await self.push("235 2.7.0 Authentication successful")

    @property
    def _secure(self) -> bool:
        return self._tls_protocol is not None

    def _mechanisms(self) -> tuple[str, ...]:
        if self.exchange.relay is not None:
            return ("LOGIN", "PLAIN")
        return self.exchange.world.exchange.mechanisms

    async def _authenticate_by(self, mechanism: str, initial: str | None) -> None:
        if mechanism == "XOAUTH2":
            blob = _decode(initial) if initial else await self._ask(b"")
            user, token = read_xoauth2(blob)
            login = self.exchange.locate(user)
            await self._auth_fault(login)
            self.exchange.check_token(login, token)
        elif mechanism == "PLAIN":
            blob = _decode(initial) if initial else await self._ask(b"")
            user, _, password = blob.decode("utf-8", "replace").lstrip("\0").partition("\0")
            login = self.exchange.check_relay(user, password)
        else:
            name = _decode(initial) if initial else await self._ask(base64.b64encode(b"Username:"))
            word = await self._ask(base64.b64encode(b"Password:"))
            login = self.exchange.check_relay(name.decode(), word.decode())
        self.login = login

    async def _auth_fault(self, login: Login) -> None:
        """A fault of the mailbox that somebody logs in to."""
        self.login = login
        try:
            reply = await self.stage("AUTH")
        finally:
            self.login = None
        if reply is not None:
            raise RefusedError(reply)

    async def _refuse(self, reply: str, *, can_challenge: bool) -> None:
        switches = self.exchange.world.exchange
        if switches.auth_fail_delay:
            await asyncio.sleep(switches.auth_fail_delay)
        if switches.challenge_on_failure and can_challenge and reply.startswith("535"):
            await self.push(b"334 " + challenge())
            await self._reader.readline()  # the client's empty line
        self._refusal = reply if reply.endswith("]") else f"{reply} {self.exchange.suffix()}"
        await self.push(self._refusal)

    async def _ask(self, prompt: bytes) -> bytes:
        """A 334 and the client's line; `*` cancels, which Office 365 answers by 535."""
        await self.push(b"334 " + prompt)
        line = (await self._reader.readline()).strip()
        if line == b"*":
            raise _CancelledError(UNSUCCESSFUL)
        return _decode(line.decode("ascii", "replace"))

    async def _unless(self, name: str) -> bool:
        """Whether a fault has answered in the place of the verb."""
        reply = await self.stage(name)
        if reply is not None:
            await self.push(reply)
        return reply is not None


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        words = "501 5.5.4 Invalid base64 data"
        raise RefusedError(words) from error
