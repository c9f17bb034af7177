"""Carrying mails: refusals of one recipient, lost answers, reuse, and what is on the wire."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from monitor.channels.probe import Session
from monitor.channels.relay import RelayChannel
from monitor.channels.smtp_oauth import SmtpOAuthChannel
from monitor.errors import DeliveryError, TokenError
from monitor.model import Mail, MailKind, OutboxMail, Receipt, Relay
from tests.integration.smtp_server import (
    DEFAULTS,
    MAILBOX,
    TOKEN,
    Action,
    Close,
    Hang,
    Reset,
    ScriptedServer,
    certificates,
    diagnose,
)

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
MAIL = OutboxMail(
    id="row-1",
    mail=Mail(MailKind.REMINDER, "Secret ends in 5 days", "Renew it.\n", "<p>Renew it.</p>"),
    recipient="it@contoso.example",
    tenants=("contoso",),
    path="tenant:contoso",
    message_id="<row-1@contoso.example>",
    date=NOW,
)
OTHER = replace(MAIL, id="row-2", recipient="cto@contoso.example", message_id="<row-2@x.example>")


def channel(server: ScriptedServer, reply_s: float = 10.0) -> SmtpOAuthChannel:
    """A channel to a server."""
    return SmtpOAuthChannel(
        server.path(), token=lambda: TOKEN, diagnose=diagnose, clock=lambda: NOW, reply_s=reply_s
    )


def refused(carrier: SmtpOAuthChannel | RelayChannel, mail: OutboxMail = MAIL) -> DeliveryError:
    """Send a mail that is not accepted."""
    with pytest.raises(DeliveryError) as caught:
        carrier.send(mail)
    return caught.value


def test_several_mails_share_one_connection_and_one_token() -> None:
    """Exchange allows three connections per mailbox; one is enough."""
    asked: list[str] = []
    with ScriptedServer().running() as server:
        carrier = SmtpOAuthChannel(
            server.path(),
            token=lambda: asked.append("token") or TOKEN,  # type: ignore[func-returns-value]
            diagnose=diagnose,
            clock=lambda: NOW,
        )
        with carrier:
            receipts = [carrier.send(mail) for mail in (MAIL, OTHER, MAIL)]
    assert receipts[0] == Receipt(reply=str(DEFAULTS["BODY"]), accepted_at=NOW)
    assert (server.connections, len(asked), len(server.bodies)) == (1, 1, 3)
    assert server.bodies[0] == server.bodies[2] != server.bodies[1]


def test_the_envelope_and_the_header_name_the_mailbox() -> None:
    """Any other sender would be refused by Exchange."""
    with ScriptedServer().running() as server, channel(server) as carrier:
        carrier.send(MAIL)
    assert f"MAIL FROM:<{MAILBOX}>" in server.heard
    assert "RCPT TO:<it@contoso.example>" in server.heard
    assert MAILBOX in message_from_bytes(server.bodies[0], policy=policy.default)["From"]


@pytest.mark.parametrize(
    "reply",
    ["550 5.1.1 User unknown", "550 5.1.10 Recipient not found", "553 no such person here"],
)
def test_a_bad_recipient_does_not_hinder_the_next_mail(reply: str) -> None:
    """The path works: the same session goes on after RSET."""
    script: dict[str, list[Action]] = {"RCPT": [reply]}
    with ScriptedServer(script).running() as server, channel(server) as carrier:
        error = refused(carrier)
        carrier.send(OTHER)
    assert (error.stage, error.bad_recipient, error.permanent) == ("rcpt", True, True)
    assert (error.code, error.evidence, error.uncertain) == (int(reply[:3]), reply, False)
    assert server.connections == 1
    assert "RSET" in server.heard
    assert len(server.bodies) == 1


@pytest.mark.parametrize("reply", ["452 4.2.2 The recipient's mailbox is full", "450 later"])
def test_a_recipient_who_is_refused_for_now_is_tried_again_and_hinders_nobody(reply: str) -> None:
    """It is about them, and it may pass."""
    with ScriptedServer({"RCPT": [reply]}).running() as server, channel(server) as carrier:
        error = refused(carrier)
        carrier.send(OTHER)
    assert (error.bad_recipient, error.permanent, error.retry) == (True, False, "later")
    assert server.connections == 1


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("RCPT", "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"),
        ("RCPT", "530 5.7.57 Client not authenticated to send mail."),
        ("RCPT", "451 4.7.0 Temporary server error. Please try again later."),
        ("MAIL", "550 5.1.8 Access denied, bad outbound sender"),
        ("BODY", "554 5.2.252 SendAsDenied; a@x not allowed to send as b@x"),
        ("BODY", "451 4.3.0 mailbox unavailable"),
    ],
)
def test_a_refusal_that_is_not_about_the_recipient_is_not_laid_at_their_door(
    verb: str, reply: str
) -> None:
    """To give a person up because the path is broken would lose warnings."""
    with ScriptedServer({verb: reply}).running() as server, channel(server) as carrier:
        assert refused(carrier).bad_recipient is False


def test_a_transient_refusal_can_be_tried_again_on_the_same_session() -> None:
    """451 is not permanent, and RSET makes the session ready."""
    script: dict[str, list[Action]] = {"BODY": ["451 4.7.0 Temporary server error. PRX4"]}
    with ScriptedServer(script).running() as server, channel(server) as carrier:
        error = refused(carrier)
        carrier.send(MAIL)
    assert (error.permanent, error.retry, error.uncertain) == (False, "later", False)
    assert server.connections == 1


@pytest.mark.parametrize(
    "end",
    [Reset(), Close(), Hang(), b"garbage\r\n", "354 more", "221 bye", b"250-half of it\r\n"],
    ids=["reset", "close", "hang", "garbage", "354", "221", "half"],
)
def test_an_answer_that_was_lost_after_the_final_dot_is_uncertain(end: Action) -> None:
    """The server may have the mail; only a new try with the same Message-ID is safe."""
    with ScriptedServer({"BODY": [end]}).running() as server, channel(server, 0.8) as carrier:
        error = refused(carrier)
        assert (error.stage, error.uncertain, error.permanent) == ("data", True, False)
        carrier.send(MAIL)
    assert server.connections == 2
    assert server.bodies[0] == server.bodies[1]


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_what_breaks_before_the_final_dot_is_certain(verb: str) -> None:
    """The server cannot have taken a mail that it has not got."""
    with ScriptedServer({verb: Reset()}).running() as server, channel(server) as carrier:
        assert refused(carrier).uncertain is False


def test_a_server_that_accepts_and_then_resets_has_accepted() -> None:
    """What comes after the 250 changes nothing."""
    script: dict[str, Action] = {"QUIT": Reset()}
    with ScriptedServer(script).running() as server, channel(server) as carrier:
        receipt = carrier.send(MAIL)
    assert receipt.reply == DEFAULTS["BODY"]


@pytest.mark.parametrize("said", ["421 4.4.1 Connection timed out", ""])
def test_a_connection_that_the_server_closed_while_idle_is_replaced(said: str) -> None:
    """Nothing of the mail had been said, so it goes over a new connection at once."""
    accepted = f"{DEFAULTS['BODY']}\r\n"
    script: dict[str, list[Action]] = {"BODY": [Close((accepted + said).strip())]}
    with ScriptedServer(script).running() as server, channel(server) as carrier:
        carrier.send(MAIL)
        carrier.send(OTHER)
    assert server.connections == 2
    assert len(server.bodies) == 2


def test_a_server_that_refuses_amid_the_message_is_heard() -> None:
    """Its reason is worth more than the broken pipe that follows."""
    script: dict[str, Action] = {"AMID": "552 5.3.4 Message too big for system"}
    with (
        ScriptedServer(script).running() as server,
        Session(server.path(), token=lambda: TOKEN, diagnose=diagnose, reply_s=1.0) as session,
    ):
        session.open()
        with pytest.raises(DeliveryError) as caught:
            session.send(MAILBOX, "it@contoso.example", (b"x" * 998 + b"\r\n") * 16_000)
    error = caught.value
    assert (error.stage, error.code, error.cause) == ("data", 552, "too_large")
    assert (error.uncertain, session.is_open) == (False, False)


def test_the_failure_of_a_first_connection_is_not_tried_twice() -> None:
    """Retries belong to the outbox."""
    with ScriptedServer({"MAIL": Close()}).running() as server, channel(server) as carrier:
        refused(carrier)
    assert server.connections == 1


def test_a_token_error_comes_through_with_its_stage() -> None:
    """The outbox must see why the path is broken."""

    def refuse() -> str:
        raise TokenError("no", cause="wrong_secret", permanent=True)

    with ScriptedServer().running() as server:
        carrier = SmtpOAuthChannel(
            server.path(), token=refuse, diagnose=diagnose, clock=lambda: NOW
        )
        with carrier, pytest.raises(TokenError) as caught:
            carrier.send(MAIL)
    assert (caught.value.stage, caught.value.cause) == ("token", "wrong_secret")


@pytest.mark.parametrize(
    "address",
    [
        "a@x.example>\r\nRCPT TO:<evil@x.example",
        "a@x.example> NOTIFY=NEVER <b@x.example",
        "no-at-sign",
        "dörte@x.example",
        "a b@x.example",
        "",
    ],
)
def test_an_address_that_is_none_is_a_bad_recipient_and_never_on_the_wire(address: str) -> None:
    """A recipient comes from settings, but also from owners of applications."""
    with ScriptedServer().running() as server, channel(server) as carrier:
        error = refused(carrier, replace(MAIL, recipient=address))
        assert (error.bad_recipient, error.permanent) == (True, True)
        carrier.send(OTHER)
    assert [x for x in server.heard if x.startswith("RCPT")] == ["RCPT TO:<cto@contoso.example>"]


def test_an_international_domain_goes_out_as_its_ascii_form() -> None:
    """So no server needs SMTPUTF8."""
    with ScriptedServer().running() as server, channel(server) as carrier:
        carrier.send(replace(MAIL, recipient="it@müller.example"))
    assert "RCPT TO:<it@xn--mller-kva.example>" in server.heard


def test_a_line_of_one_dot_does_not_end_the_message() -> None:
    """RFC 5321 4.5.2: leading dots are doubled, and bare CR and LF become line ends."""
    data = b".first\r\nSubject: x\r\n\r\none\n.\ntwo\r.\r\rthree\r\n..four"
    with (
        ScriptedServer().running() as server,
        Session(server.path(), token=lambda: TOKEN, diagnose=diagnose) as session,
    ):
        session.open()
        session.send(MAILBOX, "it@contoso.example", data)
    wire = server.bodies[0]
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", wire)
    plain = re.sub(rb"(?m)^\.\.", b".", wire)
    assert plain == b".first\r\nSubject: x\r\n\r\none\r\n.\r\ntwo\r\n.\r\n\r\nthree\r\n..four"


def test_a_mail_with_dots_arrives_as_it_was_written() -> None:
    """Through the whole channel, not only the wire."""
    text = "Hello\n.\n..\nQUIT\n.end\n"
    mail = replace(MAIL, mail=replace(MAIL.mail, text=text))
    with ScriptedServer().running() as server, channel(server) as carrier:
        carrier.send(mail)
    unstuffed = re.sub(rb"(?m)^\.", b"", server.bodies[0])
    body = message_from_bytes(unstuffed, policy=policy.default).get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == text


def test_a_relay_without_user_sends_without_signing_in() -> None:
    """An internal relay knows us by our address."""
    script: dict[str, Action] = {"EHLO": "250 mx"}
    with ScriptedServer(script).running() as server:
        carrier = RelayChannel(
            Relay("127.0.0.1", server.port, tls="none"),
            mailbox=MAILBOX,
            password=None,
            diagnose=diagnose,
            clock=lambda: NOW,
        )
        with carrier:
            assert carrier.send(MAIL).reply == DEFAULTS["BODY"]
    assert not [line for line in server.heard if line.startswith(("AUTH", "STARTTLS"))]


def test_a_relay_signs_in_as_its_user_and_sends_as_the_mailbox() -> None:
    """The two are different names."""
    script: dict[str, Action] = {"EHLO+TLS": "250-mx\r\n250 AUTH PLAIN"}
    with ScriptedServer(script).running() as server:
        carrier = RelayChannel(
            Relay("127.0.0.1", server.port, user="smtp-user"),
            mailbox=MAILBOX,
            password="geheim-und-lang",
            diagnose=diagnose,
            clock=lambda: NOW,
            ca_file=str(certificates() / "ca.pem"),
        )
        with carrier:
            carrier.send(MAIL)
    assert [x for x in server.heard if x.startswith("AUTH PLAIN")]
    assert f"MAIL FROM:<{MAILBOX}>" in server.heard


def test_a_relay_that_was_promised_tls_gets_nothing_without_it() -> None:
    """There is no way down from STARTTLS, for passwords as for tokens."""
    script: dict[str, Action] = {"EHLO": "250-mx\r\n250 AUTH PLAIN"}
    with ScriptedServer(script).running() as server:
        carrier = RelayChannel(
            Relay("127.0.0.1", server.port, user="smtp-user"),
            mailbox=MAILBOX,
            password="geheim-und-lang",
            diagnose=diagnose,
            clock=lambda: NOW,
        )
        with carrier:
            refused(carrier)
    assert [line.split()[0] for line in server.heard] == ["EHLO", "QUIT"]
