"""The simulated Exchange submission server: what it checks, and in which words it refuses."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from email.policy import default
from email.utils import parseaddr
from typing import Any

from .calls import Calls
from .clock import SandboxClock
from .faults import SmtpFault, take_smtp_fault
from .mailroom import Inbox, InboxMessage
from .tokens import EXCHANGE_AUDIENCES, BadTokenError, TokenDesk
from .world import Mailbox, Relay, Tenant, World

HOST = "FR3P281CA0113.sandbox.outlook.example"
UNSUCCESSFUL = "535 5.7.3 Authentication unsuccessful"
SMTP_AUTH_OFF = (
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the {}. "
    "Visit https://aka.ms/smtp_auth_disabled for more information."
)
BASIC_AUTH_OFF = "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."
NO_LOGON = (
    "430 4.2.0 STOREDRV; mailbox logon failure; STOREDRV.Submission.Exception:"
    "ConnectionFailedTransientException.MapiExceptionLogonFailed; Failed to process message due "
    "to a transient exception with message [BeginDiagnosticData]Cannot open mailbox. "
    "[EndDiagnosticData] [Hostname={}]"
)
NO_SEND_AS = (
    "554 5.2.252 SendAsDenied; {} not allowed to send as {}; STOREDRV.Submission.Exception:"
    "SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a "
    "permanent exception with message [BeginDiagnosticData]Cannot submit message. "
    "[EndDiagnosticData] [Hostname={}]"
)


@dataclass(slots=True)
class Login:
    """Who authenticated in a session."""

    user: str
    tenant: Tenant | None = None
    mailbox: Mailbox | None = None
    object_id: str = ""


class RefusedError(Exception):
    """An authentication that Exchange refuses; the text is the reply."""


class Exchange:
    """The rules behind the submission port; the dialogue is in `dialogue`."""

    def __init__(
        self,
        world: World,
        clock: SandboxClock,
        desk: TokenDesk,
        inbox: Inbox,
        calls: Calls,
        relay: Relay | None = None,
    ) -> None:
        self.world = world
        self.clock = clock
        self.desk = desk
        self.inbox = inbox
        self.calls = calls
        self.relay = relay  # a plain relay lives by other rules

    def suffix(self) -> str:
        """Host, time and id, as Exchange puts them after an error."""
        now = self.clock.now()
        millis = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
        return f"[{HOST} {millis} {uuid.uuid4().hex[:16].upper()}]"

    def ehlo(self, host: str, secure: bool) -> list[str]:
        """The capabilities, in Exchange's order; before TLS there is no AUTH."""
        switches = self.world.exchange
        lines = [f"{host} Hello [127.0.0.1]", "SIZE 157286400", "PIPELINING", "DSN"]
        lines.append("ENHANCEDSTATUSCODES")
        auth = self._auth_line(secure)
        if auth:
            lines.append(auth)
        elif not secure and (self.relay.tls if self.relay else switches.offer_starttls):
            lines.append("STARTTLS")
        # Exchange also offers BINARYMIME and CHUNKING; a client that then sends BDAT would be
        # lost here, so the sandbox keeps silent about them.
        lines += ["8BITMIME", "SMTPUTF8"]
        return [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]

    def _auth_line(self, secure: bool) -> str | None:
        if self.relay is not None:
            ready = secure or not self.relay.tls
            return "AUTH LOGIN PLAIN" if ready and self.relay.user else None
        mechanisms = self.world.exchange.mechanisms
        return "AUTH " + " ".join(mechanisms) if secure and mechanisms else None

    def fault(self, stage: str, login: Login | None) -> SmtpFault | None:
        """What shall go wrong at this stage: the mailbox's own faults first."""
        if login is not None and login.mailbox is not None:
            found = take_smtp_fault(login.mailbox.faults, stage)
            if found is not None:
                return found
        return take_smtp_fault(self.world.exchange.faults, stage)

    def locate(self, user: str) -> Login:
        """The mailbox that a login names, known or not."""
        for tenant in self.world.every_tenant():
            mailbox = tenant.mailbox(user)
            if mailbox is not None:
                return Login(mailbox.address, tenant, mailbox)
        return Login(user)

    def check_token(self, login: Login, token: str) -> None:
        """Accept an XOAUTH2 token for that mailbox, or raise with Exchange's few words."""
        self.calls.add(login.tenant.name if login.tenant else "", "SMTP AUTH")
        if login.tenant is None or login.mailbox is None:
            raise RefusedError(UNSUCCESSFUL)
        try:
            claims = self.desk.read(token)
        except BadTokenError as error:
            raise RefusedError(UNSUCCESSFUL) from error
        if not self._token_fits(claims, login.tenant, login.mailbox):
            raise RefusedError(UNSUCCESSFUL)
        off = _smtp_auth_off(login.tenant, login.mailbox)
        if off:
            raise RefusedError(SMTP_AUTH_OFF.format(off))
        login.object_id = claims["oid"]

    def _token_fits(self, claims: dict[str, Any], tenant: Tenant, mailbox: Mailbox) -> bool:
        object_id = claims.get("oid")
        scoped = mailbox.address in tenant.rbac_scope.get(str(object_id), set())
        return (
            claims["aud"] in EXCHANGE_AUDIENCES
            and claims["tid"] == tenant.directory_id
            and object_id in tenant.registered
            and (scoped or "SMTP.SendAsApp" in claims.get("roles", ()))
        )

    def check_relay(self, user: str, password: str) -> Login:
        """Accept a relay's user, or raise."""
        if self.relay is None:
            raise RefusedError(BASIC_AUTH_OFF)
        if (user, password) != (self.relay.user, self.relay.password):
            text = "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect."
            raise RefusedError(text)
        return Login(user)

    def accept(self, login: Login | None, mail_from: str, rcpt_to: list[str], raw: bytes) -> str:
        """The reply to the end of DATA: the mailbox's permissions, then the inbox."""
        if login is not None and login.tenant is not None and login.mailbox is not None:
            refusal = self._store_refusal(login.tenant, login.mailbox, login.object_id, raw)
            if refusal:
                return refusal
            self.calls.add(login.tenant.name, "SMTP DATA")
        user = login.user if login else ""
        message = InboxMessage(self.clock.now(), user, mail_from, tuple(rcpt_to), raw)
        number = self.inbox.add(message)
        return f"250 2.0.0 OK <{number}.{uuid.uuid4().hex[:12]}@{HOST}> [Hostname={HOST}]"

    def _store_refusal(
        self, tenant: Tenant, mailbox: Mailbox, object_id: str, raw: bytes
    ) -> str | None:
        """The mailbox store speaks only now: a token that AUTH took may still not send."""
        scoped = mailbox.address in tenant.rbac_scope.get(object_id, set())
        if not scoped and object_id not in mailbox.full_access:
            return NO_LOGON.format(HOST)
        author = BytesHeaderParser(policy=default).parsebytes(raw).get("From", "")
        address = parseaddr(str(author))[1].lower()
        allowed = {mailbox.address.lower(), *(a.lower() for a in mailbox.send_as)}
        if address not in allowed:
            return NO_SEND_AS.format(mailbox.address, address or "(nobody)", HOST)
        return None


def read_xoauth2(blob: bytes) -> tuple[str, str]:
    """User and token of an XOAUTH2 response, or raise with the words for a broken one."""
    fields = dict(
        part.partition("=")[::2] for part in blob.decode("utf-8", "replace").split("\x01") if part
    )
    scheme, _, token = fields.get("auth", "").partition(" ")
    if not fields.get("user") or scheme.lower() != "bearer":
        text = "501 5.5.4 Invalid XOAUTH2 auth data"
        raise RefusedError(text)
    return fields["user"], token


def challenge() -> bytes:
    """The JSON that some servers send before they refuse (RFC 7628 style)."""
    detail = {"status": "401", "schemes": "Bearer", "scope": "https://outlook.office365.com/"}
    return base64.b64encode(json.dumps(detail).encode())


def _smtp_auth_off(tenant: Tenant, mailbox: Mailbox) -> str | None:
    """Which switch is off; the mailbox's own setting goes before the organisation's."""
    if mailbox.smtp_auth_disabled is not None:
        return "Mailbox" if mailbox.smtp_auth_disabled else None
    return "Tenant" if tenant.smtp_auth_disabled else None
