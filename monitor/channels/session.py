"""The SMTP session in stages: each is timed, and the reply that decided is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, Self

from monitor.channels import network, sasl
from monitor.channels.message import ascii_address
from monitor.channels.network import certificate_name, dial, is_loopback, resolve, tls_context
from monitor.channels.path import Diagnose, Path, Retry
from monitor.channels.wire import GarbledError, Reply, Wire, WireError, in_words
from monitor.errors import DeliveryError, RemoteError
from monitor.model import StageTiming

CONNECT_S = 10.0
REPLY_S = 30.0
QUIT_S = 2.0

_RECIPIENT_CAUSES = frozenset({"recipient_unknown", "recipient_restricted", "recipient_full"})
_RECIPIENT_CODES = frozenset({450, 452, 550, 551, 552, 553})
_AUTH_OK = 235
_GOODBYE = (221, 421)


class Session:
    """One connection to a submission server, from the name lookup to accepted mails.

    Args:
        path: where to and as whom.
        token: gives the access token; asked once per `open`, after TLS. For `auth="login"` it
            gives the password.
        diagnose: names the cause behind a reply.
        connect_s: seconds for a connection to come about.
        reply_s: seconds for each whole reply.
        clock: seconds from any start; only differences count.

    Raises:
        ValueError: the path signs in and there is no token, or the other way round.
    """

    def __init__(
        self,
        path: Path,
        *,
        token: Callable[[], str] | None,
        diagnose: Diagnose,
        connect_s: float = CONNECT_S,
        reply_s: float = REPLY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if (token is None) != (path.auth == "none"):
            raise ValueError(f"auth={path.auth!r} with{'out' if token is None else ''} a token")
        self.path = path
        self.timings: list[StageTiming] = []
        self.stage: str | None = None
        self._token = token
        self._diagnose = diagnose
        self._connect_s = connect_s
        self._reply_s = reply_s
        self._clock = clock
        self._wire: Wire | None = None
        self._transcript: tuple[str, ...] = ()
        self._note = ""
        self._address_reached = ""
        self._opened = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether a mail can be sent now, as far as we know."""
        return self._wire is not None

    @property
    def transcript(self) -> tuple[str, ...]:
        """What was said, line by line, without token or password."""
        return tuple(self._wire.transcript) if self._wire else self._transcript

    def open(self) -> None:
        """Connect, start TLS and sign in.

        Raises:
            DeliveryError: the first stage that failed, and why.
            RemoteError: the token or password could not be had (stage `token`).
        """
        self.close()
        self.timings.clear()
        try:
            self._connect()
            self._sign_in()
        except RemoteError:
            self.close()
            raise
        except BaseException:
            self._drop()
            raise
        self._opened = len(self.timings)

    def send(self, mail_from: str, rcpt_to: str, data: bytes) -> str:
        """Hand over one mail to one recipient.

        After a refusal the session can go on, unless the server hung up (`is_open`).

        Args:
            mail_from: the envelope's sender.
            rcpt_to: the one recipient.
            data: the message, in ASCII.

        Returns:
            The server's whole reply to the message: its acceptance.

        Raises:
            DeliveryError: it was not accepted; `bad_recipient` and `uncertain` say more.
        """
        with self._envelope(mail_from, rcpt_to) as wire, self._stage("data"):
            self._expect(wire.ask("DATA"), 354)
            self._hand_over(wire, data)
            return self._verdict(wire)

    def rehearse(self, mail_from: str, rcpt_to: str) -> None:
        """Name sender and recipient as `send` does, and take it back: no mail goes out.

        Raises:
            DeliveryError: one of them was refused.
        """
        with self._envelope(mail_from, rcpt_to):
            self._reset()

    def close(self) -> None:
        """Say QUIT, without waiting long for the answer, and hang up."""
        wire = self._wire
        if wire is not None:
            wire.reply_s = min(QUIT_S, self._reply_s)
            with suppress(WireError):
                wire.ask("QUIT")
        self._drop()

    # --- until the server knows us -----------------------------------------------------------

    def _connect(self) -> None:
        host, port = self.path.host, self.path.port
        with self._stage("dns"):
            addresses = resolve(host, port)
            self._note = ", ".join(dict.fromkeys(str(a[4][0]) for a in addresses))
        with self._stage("tcp"):
            sock, address = dial(host, port, addresses, self._connect_s)
            self._note, self._address_reached = f"connected to {address}", address
            self._wire = Wire(
                sock,
                ehlo_name=self.path.ehlo_name or network.own_name(),
                reply_s=self._reply_s,
                clock=self._clock,
            )
        if self.path.tls == "tls":
            with self._stage("starttls"):
                self._live().handshake(tls_context(self.path.ca_file), certificate_name(host))
        with self._stage("greeting"):
            self._expect(self._live().answer(), 220)
        if self.path.tls == "starttls":
            with self._stage("starttls"):
                self._start_tls(self._live())
        with self._stage("ehlo"):
            self._hello(self._live())
            self._check_offer(self._live())

    def _start_tls(self, wire: Wire) -> None:
        self._hello(wire)
        if not wire.has_extn("starttls"):
            # Nothing more is said: no token, no password, no mail without TLS.
            self._fail("STARTTLS is not offered", evidence=wire.reply.text)
        context = tls_context(self.path.ca_file)
        self._expect(wire.secure(context, certificate_name(self.path.host)), 220)
        self._note += f"; {wire.tls_version}"

    def _hello(self, wire: Wire) -> None:
        wire.ehlo()
        self._expect(wire.reply, 250)

    def _check_offer(self, wire: Wire) -> None:
        offered = sasl.mechanisms(wire)
        listed = f"it offers {', '.join(sorted(offered)) or 'no AUTH at all'}"
        if self.path.auth == "xoauth2" and "XOAUTH2" not in offered:
            self._fail(f"the server does not offer XOAUTH2; {listed}", evidence=wire.reply.text)
        if self.path.auth == "login" and not offered & {"PLAIN", "LOGIN"}:
            said = f"504 5.7.4 no mechanism for a password; {listed}"
            self._fail(said, evidence=wire.reply.text)

    def _sign_in(self) -> None:
        if self._token is None:
            return
        wire = self._live()
        with self._stage("token"):
            self._check_privacy(wire)
            token = self._credential(self._token)
            wire.hide(token)
            self._note = "a token" if self.path.auth == "xoauth2" else "a password"
        with self._stage("auth"):
            reply, challenge = sasl.sign_in(wire, self.path, token)
            # smtplib would take 503 for success; nothing but 235 is.
            self._expect(reply, _AUTH_OK, more=challenge and f"\nchallenge: {challenge}")

    def _check_privacy(self, wire: Wire) -> None:
        """See that nobody can listen, before there is anything to hear.

        Whatever the settings say: what counts is the connection as it is.
        """
        if wire.tls_version:
            return
        if self.path.auth == "login" and is_loopback(self._address_reached):
            return
        raise DeliveryError(
            f"{self.path.host}:{self.path.port}: the connection is not encrypted, so that "
            "everybody on the way could read the password; nothing was sent.",
            cause="starttls_required",
            stage=self.stage,
            permanent=True,
            remedy='Set tls = "starttls" (port 587) or "tls" (port 465) for this server.',
        )

    @staticmethod
    def _credential(ask: Callable[[], str]) -> str:
        try:
            return ask()
        except RemoteError as error:
            error.stage = error.stage or "token"
            raise

    # --- a mail ------------------------------------------------------------------------------

    @contextmanager
    def _envelope(self, mail_from: str, rcpt_to: str) -> Iterator[Wire]:
        """MAIL and RCPT; a refusal of what follows leaves the session ready for the next mail."""
        del self.timings[self._opened :]
        try:
            wire = self._live()
            with self._stage("mail"):
                self._expect(wire.ask(f"MAIL FROM:<{self._address(mail_from)}>"), 250)
            with self._stage("rcpt"):
                self._expect(wire.ask(f"RCPT TO:<{self._address(rcpt_to)}>"), 250, 251, 252)
            yield wire
        except DeliveryError:
            self._reset()
            raise
        except BaseException:
            self._drop()
            raise

    def _hand_over(self, wire: Wire, data: bytes) -> None:
        """Send the message; a server that hangs up meanwhile may have said why."""
        try:
            wire.message(data)
        except GarbledError:
            raise
        except WireError as error:
            wire.reply_s = min(QUIT_S, self._reply_s)
            try:
                reply = wire.answer()
            except WireError:
                raise error from None
            self._fail(reply.text, code=reply.code, drop=True)

    def _verdict(self, wire: Wire) -> str:
        """Read the reply to the message. Only 25x is acceptance, only 4xx and 5xx refusal."""
        try:
            reply = wire.answer()
        except WireError as error:
            self._fail_for(error, uncertain=True)
        self._note = reply.text
        if reply.code // 100 in (4, 5):
            self._refused(reply)
        if reply.code // 10 != 25:
            self._fail_for(GarbledError("an unexpected reply", seen=reply.text), uncertain=True)
        return reply.text

    def _address(self, address: str) -> str:
        try:
            return ascii_address(address)
        except ValueError as problem:
            self._fail(f"553 5.1.3 {problem}", code=553)

    def _reset(self) -> None:
        """Make the session ready for the next mail, or give it up."""
        try:
            if self._wire is not None and self._wire.ask("RSET").code != 250:
                self._drop()
        except WireError:
            self._drop()

    def _drop(self) -> None:
        if self._wire is not None:
            self._transcript = tuple(self._wire.transcript)
            self._wire.close()
            self._wire = None

    def _live(self) -> Wire:
        if self._wire is None:
            raise DeliveryError(
                "The connection is not open.", cause="transient_backend", stage=self.stage
            )
        return self._wire

    # --- evidence ----------------------------------------------------------------------------

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Time a stage, and turn whatever goes wrong in it into a DeliveryError."""
        self.stage, self._note = name, ""
        began = self._clock()
        problem: str | None = None
        try:
            yield
        except WireError as error:
            problem = error.seen or error.text
            self._fail_for(error)
        except RemoteError as error:
            problem = error.evidence or error.message
            raise
        except OSError as error:
            problem = in_words(error)
            self._fail(problem, drop=True)
        finally:
            said = self._note if problem is None else problem
            took = max(self._clock() - began, 0.0)
            self.timings.append(StageTiming(name, took, problem is None, said))

    def _expect(self, reply: Reply, *codes: int, more: str = "") -> None:
        self._note = reply.text
        if reply.code in codes:
            return
        if reply.code // 100 in (4, 5) or reply.code in _GOODBYE:
            self._refused(reply, more=more)
        self._fail_for(GarbledError("an unexpected reply", seen=reply.text + more))

    def _refused(self, reply: Reply, *, more: str = "") -> NoReturn:
        if reply.code == 221:
            self._fail_for(WireError("Connection unexpectedly closed", seen=reply.text))
        self._fail(
            reply.text, evidence=reply.text + more, code=reply.code, drop=reply.code in _GOODBYE
        )

    def _fail_for(self, error: WireError, *, uncertain: bool = False) -> NoReturn:
        """Give up a connection that can no longer be understood."""
        garbled = isinstance(error, GarbledError)
        # A goodbye that came before the end says why; half a reply decides nothing.
        told = error.seen if error.seen.startswith("421") and not garbled else error.text
        evidence = f"{error.text}: {error.seen}" if error.seen else error.text
        self._fail(told, evidence=evidence, drop=True, uncertain=uncertain, garbled=garbled)

    def _fail(
        self,
        text: str,
        *,
        evidence: str = "",
        code: int | None = None,
        drop: bool = False,
        uncertain: bool = False,
        garbled: bool = False,
    ) -> NoReturn:
        """Raise what the rules make of a text, with the evidence as it came."""
        if drop:
            self._drop()
        finding = self._diagnose(text, self.stage)
        # What is not SMTP says nothing about the settings; it may well be gone next time.
        retry: Retry = "later" if garbled or uncertain else finding.retry
        shown = evidence or text
        where = f"{self.path.host}:{self.path.port}, {self.stage}"
        raise DeliveryError(
            f"{where}: {' '.join(shown.split())[:500]} ({finding.explanation})",
            cause="unknown" if garbled else finding.cause,
            stage=self.stage,
            evidence=shown if text in shown else f"{text}\n{shown}",
            permanent=retry != "later",
            remedy=finding.fix,
            code=code,
            bad_recipient=self._about_recipient(code, finding.cause),
            uncertain=uncertain,
            retry=retry,
        )

    def _about_recipient(self, code: int | None, cause: str) -> bool:
        """Whether a refusal is about this recipient, so that the path itself works.

        To RCPT a server speaks of the recipient (RFC 5321, 4.3.2), unless the rules know better.
        """
        if code is None or self.stage not in ("rcpt", "data"):
            return False
        unnamed = self.stage == "rcpt" and cause == "unknown"
        return cause in _RECIPIENT_CAUSES or (unnamed and code in _RECIPIENT_CODES)
