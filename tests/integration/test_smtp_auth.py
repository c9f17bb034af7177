"""Signing in: XOAUTH2 in every form that servers speak, passwords for relays, and no leaks."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator

import pytest

from monitor.channels.network import is_loopback
from monitor.channels.probe import Session
from monitor.errors import DeliveryError
from monitor.model import CanaryResult
from tests.integration.smtp_server import MAILBOX, TOKEN, Action, Close, ScriptedServer, diagnose
from tests.integration.test_smtp_stages import probe

BLOB = base64.b64encode(f"user={MAILBOX}\x01auth=Bearer {TOKEN}\x01\x01".encode()).decode()
PASSWORD = "correct horse battery"
CHALLENGE = base64.b64encode(b'{"status":"401","schemes":"Bearer","scope":"x"}').decode()


def said(server: ScriptedServer, verb: str) -> list[str]:
    """The lines a server heard from `verb` on, without what follows the dialogue."""
    start = next(i for i, line in enumerate(server.heard) if line.startswith(verb))
    return [x for x in server.heard[start:] if not x.startswith(("MAIL", "RCPT", "DATA", "QUIT"))]


def test_the_token_goes_with_the_command() -> None:
    """The initial response saves a round trip; `user=` is the mailbox."""
    with ScriptedServer().running() as server:
        assert probe(server.path()).result is CanaryResult.OK
    assert said(server, "AUTH") == [f"AUTH XOAUTH2 {BLOB}"]


def test_the_documented_example_gives_the_documented_blob() -> None:
    """Microsoft's reference vector for SASL XOAUTH2."""
    token = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA"
    with ScriptedServer().running() as server:
        path = server.path(mailbox="test@contoso.onmicrosoft.com")
        assert probe(path, token=lambda: token).result is CanaryResult.OK
    assert said(server, "AUTH")[0].split()[2] == (
        "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRkZwVUFv"
        "N0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ=="
    )


def test_an_empty_334_is_answered_with_the_blob() -> None:
    """Some servers take the token only when they asked for it."""
    with ScriptedServer({"AUTH": "334 "}).running() as server:
        assert probe(server.path()).result is CanaryResult.OK
    assert said(server, "AUTH") == [f"AUTH XOAUTH2 {BLOB}", BLOB]


def test_a_challenge_is_answered_by_an_empty_line_and_the_final_reply_decides() -> None:
    """Google's form of a refusal: the decoded challenge belongs to the evidence."""
    reply = "535 5.7.3 Authentication unsuccessful"
    script: dict[str, Action] = {"AUTH": f"334 {CHALLENGE}", "LINE": reply}
    with ScriptedServer(script).running() as server:
        found = probe(server.path())
    assert (found.stage, found.cause) == ("auth", "generic_oauth_failure")
    assert said(server, "AUTH")[1] == ""
    assert found.evidence.startswith(reply)
    assert '"status":"401"' in found.evidence


@pytest.mark.parametrize("challenge", ["!!!! no base64 !!!!", "e30", "/////w=="])
def test_a_challenge_that_cannot_be_read_changes_nothing(challenge: str) -> None:
    """Whatever it holds, the final reply decides."""
    reply = "535 5.7.3 Authentication unsuccessful"
    with ScriptedServer({"AUTH": f"334 {challenge}", "LINE": reply}).running() as server:
        assert probe(server.path()).cause == "generic_oauth_failure"


def test_challenges_without_end_end() -> None:
    """A server that only ever asks is not answered for ever."""
    with ScriptedServer({"AUTH": "334 ", "LINE": "334 "}).running() as server:
        found = probe(server.path())
    assert (found.result, found.stage) == (CanaryResult.FAILED, "auth")
    assert len(said(server, "AUTH")) <= 5


def relay(server: ScriptedServer) -> Session:
    """A session that signs in with a password."""
    return Session(
        server.path(auth="login"), token=lambda: PASSWORD, diagnose=diagnose, reply_s=2.0
    )


def test_a_password_goes_by_plain_where_it_is_offered() -> None:
    """RFC 4616: one line."""
    with (
        ScriptedServer({"EHLO+TLS": "250-mx\r\n250 AUTH LOGIN PLAIN"}).running() as server,
        relay(server) as session,
    ):
        session.open()
        session.close()
    blob = base64.b64encode(f"\0{MAILBOX}\0{PASSWORD}".encode()).decode()
    assert said(server, "AUTH") == [f"AUTH PLAIN {blob}"]
    assert PASSWORD not in "\n".join(session.transcript)
    assert blob not in "\n".join(session.transcript)


def test_a_password_goes_by_login_otherwise() -> None:
    """User and password are asked for one after the other."""
    script: dict[str, Action | list[Action]] = {
        "EHLO+TLS": "250-mx\r\n250 AUTH=LOGIN",
        "AUTH": "334 VXNlcm5hbWU6",
        "LINE": ["334 UGFzc3dvcmQ6", "235 2.7.0 fine"],
    }
    with ScriptedServer(script).running() as server, relay(server) as session:
        session.open()
        session.close()
    words = [base64.b64encode(x.encode()).decode() for x in (MAILBOX, PASSWORD)]
    assert said(server, "AUTH") == ["AUTH LOGIN", *words]
    assert words[1] not in "\n".join(session.transcript)


def test_a_password_is_kept_where_no_mechanism_takes_it() -> None:
    """It is never tried blindly."""
    with (
        ScriptedServer({"EHLO+TLS": "250-mx\r\n250 AUTH GSSAPI"}).running() as server,
        relay(server) as session,
        pytest.raises(DeliveryError) as caught,
    ):
        session.open()
    assert caught.value.cause == "wrong_mechanism"
    assert "GSSAPI" in caught.value.evidence


IN_THE_CLEAR: dict[str, Action] = {"EHLO": "250-mx\r\n250 AUTH PLAIN LOGIN XOAUTH2"}


def test_a_password_goes_without_tls_to_this_machine_only() -> None:
    """What counts is the address that was reached; 0.0.0.0 is not known to be this machine."""
    asked: list[str] = []

    def password() -> str:
        asked.append("asked")
        return PASSWORD

    with ScriptedServer(IN_THE_CLEAR).running() as server:
        path = server.path(auth="login", tls="none", host="0.0.0.0")
        with (
            Session(path, token=password, diagnose=diagnose) as session,
            pytest.raises(DeliveryError) as caught,
        ):
            session.open()
        assert (caught.value.cause, caught.value.permanent) == ("starttls_required", True)
        assert 'tls = "starttls"' in caught.value.remedy
        assert [line.split()[0] for line in server.heard] == ["EHLO", "QUIT"]
        assert asked == []
        path = server.path(auth="login", tls="none")
        with Session(path, token=password, diagnose=diagnose) as session:
            session.open()
    assert asked == ["asked"]
    assert [line for line in server.heard if line.startswith("AUTH PLAIN ")]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_token_goes_nowhere_without_tls_whatever_the_path_says(host: str) -> None:
    """Not even to this machine, and not even if a path could be made that asks for it."""
    with ScriptedServer(IN_THE_CLEAR).running() as server:
        path = server.path(auth="login", tls="none", host=host)
        object.__setattr__(path, "auth", "xoauth2")
        with (
            Session(path, token=lambda: TOKEN, diagnose=diagnose) as session,
            pytest.raises(DeliveryError),
        ):
            session.open()
    assert not [line for line in server.heard if line.startswith("AUTH")]


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False), ("localhost", False), ("", False),
    ],
)  # fmt: skip
def test_only_loopback_is_this_machine(address: str, here: bool) -> None:
    """An address is meant, not a name: a name may lead anywhere."""
    assert is_loopback(address) is here


def _echoes() -> Iterator[tuple[str, dict[str, Action]]]:
    """Servers that repeat what they were told, whole, cut off, or decoded."""
    yield "blob", {"AUTH": f"501 5.5.2 cannot decode '{BLOB}'"}
    yield "piece", {"AUTH": f"500 5.3.3 Unrecognized command '{BLOB[:400]}'"}
    yield "middle", {"AUTH": f"500 line too long: ...{BLOB[700:760]}"}
    yield "token", {"AUTH": f"535 5.7.3 bad token {TOKEN}"}
    echo = base64.b64encode(f'{{"token":"{TOKEN}"}}'.encode()).decode()
    yield "challenge", {"AUTH": f"334 {echo}", "LINE": "535 5.7.3 no"}
    yield "goodbye", {"AUTH": Close(f"421 4.7.0 {BLOB}")}
    yield "garbage", {"AUTH": f"{BLOB}\r\n".encode()}
    yield "later", {"RCPT": f"550 5.1.1 {TOKEN[30:90]}"}


def refusal(session: Session) -> DeliveryError:
    """Go all the way, to wherever it is refused."""
    try:
        with session:
            session.open()
            session.send(MAILBOX, "it@contoso.example", b"x")
    except DeliveryError as error:
        return error
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize("script", [s for _, s in _echoes()], ids=[n for n, _ in _echoes()])
def test_no_part_of_a_token_is_shown_to_anybody(
    script: dict[str, Action], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in evidence, timings, transcript, errors, reprs, logs, nor on the terminal."""
    caplog.set_level(logging.DEBUG)
    with ScriptedServer(script).running() as server:
        found = probe(server.path())
        session = Session(server.path(), token=lambda: TOKEN, diagnose=diagnose, reply_s=10.0)
        error = refusal(session)
    captured = capfd.readouterr()
    shown = [repr(found), repr(session), str(error), repr(error), error.evidence]
    shown += [*session.transcript, repr(session.timings), caplog.text, captured.out, captured.err]
    text = "\n".join(shown)
    for secret in (TOKEN, BLOB):
        pieces = {secret[i : i + 16] for i in range(len(secret) - 16)}
        assert not [piece for piece in pieces if piece in text]
    assert "AUTH XOAUTH2 (token)" in text
