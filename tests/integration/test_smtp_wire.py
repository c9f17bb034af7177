"""Replies that are no SMTP: bounded, kept as evidence, never a traceback."""

from __future__ import annotations

import pytest

from monitor.channels.probe import Session
from monitor.errors import DeliveryError
from monitor.model import CanaryResult
from tests.integration.smtp_server import MAILBOX, TOKEN, ScriptedServer, diagnose
from tests.integration.test_smtp_stages import MESSAGE, STAGE_OF, probe

NONSENSE = {
    "another-code-on-the-next-line": b"250-one\r\n251 two\r\n",
    "no-code": b"hello there\r\n",
    "letters-for-a-code": b"2x0 fine\r\n",
    "an-impossible-code": b"999 what\r\n",
    "no-blank-after-the-code": b"2500 fine\r\n",
    "empty-line": b"\r\n\r\n",
    "web-page": b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n",
    "not-ascii": "größer\xa0\r\n".encode(),
    "bytes-of-no-encoding": b"\xff\xfe\x00\x80\r\n",
    "one-line-of-64-kB": b"250 " + b"x" * 65_536 + b"\r\n",
    "a-line-without-end": b"250 " + b"x" * 10_000_000,
    "lines-without-end": b"250-more\r\n" * 1_000_000,
}


@pytest.mark.parametrize("said", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("verb", ["GREETING", "EHLO+TLS", "AUTH", "RCPT", "BODY"])
def test_what_is_no_reply_fails_its_stage_and_is_tried_later(verb: str, said: bytes) -> None:
    """It says nothing about the settings, and its size is nobody's trouble."""
    with ScriptedServer({verb: said}).running() as server:
        found = probe(server.path(), reply_s=10.0)
    assert found.result is CanaryResult.FAILED
    assert (found.stage, found.cause, found.retry) == (STAGE_OF[verb], "unknown", "later")
    assert len(found.evidence) < 5_000


@pytest.mark.parametrize(
    ("verb", "reply"),
    [("AUTH", "503 5.5.1 already authenticated"), ("AUTH", "250 fine"), ("MAIL", "354 go on")],
)
def test_only_the_right_code_is_success(verb: str, reply: str) -> None:
    """A library that takes 503 after AUTH for success would send without being signed in."""
    with ScriptedServer({verb: reply}).running() as server:
        found = probe(server.path())
    assert (found.result, found.stage) == (CanaryResult.FAILED, STAGE_OF[verb])
    assert reply in found.evidence


def test_a_reply_that_drips_is_timed_as_a_whole() -> None:
    """A byte now and then must not put the deadline off for ever."""
    slow = ScriptedServer({"GREETING": "220 " + "x" * 500}, byte_by_byte=True, pause_s=0.05)
    with slow.running() as server:
        found = probe(server.path(), reply_s=0.4)
    assert (found.stage, found.cause) == ("greeting", "reply_timeout")
    assert 0.4 <= found.timings[-1].seconds < 5
    assert "220 x" in found.evidence


def test_a_reply_too_many_is_never_taken_for_an_acceptance() -> None:
    """A stray 250 would answer the next command, and in the end for a mail nobody took."""
    script = {"RCPT": b"250 2.1.5 OK\r\n250 2.0.0 OK once more\r\n"}
    with ScriptedServer(script).running() as server:
        found = probe(server.path())
    assert (found.result, found.stage, found.retry) == (CanaryResult.FAILED, "data", "later")
    assert server.bodies == []


def test_two_acceptances_are_one() -> None:
    """The mail is accepted; the reply too many only costs the connection."""
    script = {"BODY": b"250 2.0.0 OK 1\r\n250 2.0.0 OK 2\r\n"}
    with (
        ScriptedServer(script).running() as server,
        Session(server.path(), token=lambda: TOKEN, diagnose=diagnose, reply_s=10.0) as session,
    ):
        session.open()
        assert session.send(MAILBOX, "it@contoso.example", MESSAGE) == "250 2.0.0 OK 1"
        with pytest.raises(DeliveryError):
            session.send(MAILBOX, "it@contoso.example", MESSAGE)
        assert not session.is_open


@pytest.mark.parametrize("code", ["251 2.1.5 will forward", "252 2.1.5 cannot verify"])
def test_a_recipient_that_is_taken_on_trust_is_taken(code: str) -> None:
    """RFC 5321 4.2.3: 251 and 252 are acceptances."""
    with ScriptedServer({"RCPT": code}).running() as server:
        assert probe(server.path()).result is CanaryResult.OK


def test_a_goodbye_in_midstream_is_a_broken_connection() -> None:
    """221 is success to QUIT and to nothing else."""
    with ScriptedServer({"RCPT": "221 2.0.0 bye"}).running() as server:
        found = probe(server.path())
    assert (found.stage, found.cause) == ("rcpt", "transient_backend")


def test_replies_of_many_lines_are_kept_whole() -> None:
    """The sentence that helps often stands on the second line."""
    reply = "550-5.7.1 Policy\r\n550-5.7.1 ask postmaster@x.example\r\n550 5.7.1 Access denied"
    with ScriptedServer({"RCPT": reply}).running() as server:
        found = probe(server.path())
    assert found.evidence == reply.replace("\r\n", "\n")


def test_marks_that_change_what_people_read_do_not_reach_the_evidence() -> None:
    """Control characters and bidi marks in a reply are shown as what they are: unknown."""
    with ScriptedServer({"RCPT": "550 5.1.1 \x1b[2Jno\u202e such \x07user"}).running() as server:
        found = probe(server.path())
    assert found.evidence == "550 5.1.1 �[2Jno� such �user"


def test_leaving_does_not_wait_for_a_server_that_says_nothing() -> None:
    """QUIT is a courtesy."""
    with ScriptedServer({"QUIT": b""}).running() as server:
        session = Session(server.path(), token=lambda: TOKEN, diagnose=diagnose, reply_s=0.8)
        session.open()
        session.close()
        assert "QUIT" in session.transcript[-1]
