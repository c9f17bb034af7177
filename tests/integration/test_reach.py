"""How far a server can be reached: real sockets, real certificates."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.channels.probe import run_probe
from monitor.channels.reach import reach
from monitor.model import CanaryResult
from tests.acceptance.lab.authority import Authority
from tests.acceptance.lab.http import HttpServer, Reply, refused_port
from tests.integration.smtp_server import MAILBOX, ScriptedServer, diagnose

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Issues the servers' certificates."""
    return Authority(tmp_path_factory.mktemp("ca"))


def test_a_server_that_answers_is_seen_with_address_version_and_issuer(
    authority: Authority,
) -> None:
    """DNS, TCP and TLS, each with its evidence."""
    server = HttpServer(lambda _: Reply(200, {}), authority.server_context())
    try:
        seen = reach(
            "127.0.0.1", server.port, tls="tls", ca_file=str(authority.ca_file), connect_s=2,
            reply_s=2,
        )  # fmt: skip
    finally:
        server.close()
    assert (seen.failed, seen.address, seen.addresses) == (None, "127.0.0.1", ("127.0.0.1",))
    assert seen.tls.startswith("TLSv1.")
    assert seen.certificate is not None
    assert seen.certificate.issuer.startswith("CN=")


def test_a_certificate_of_an_unknown_issuer_is_refused_and_its_issuer_named(
    authority: Authority, tmp_path: Path
) -> None:
    """Who intercepts TLS is told, though nothing is trusted."""
    stranger = Authority(tmp_path, "Stranger")
    server = HttpServer(lambda _: Reply(200, {}), stranger.server_context())
    try:
        seen = reach(
            "127.0.0.1", server.port, tls="tls", ca_file=str(authority.ca_file), connect_s=2,
            reply_s=2,
        )  # fmt: skip
    finally:
        server.close()
    assert seen.failed == "tls"
    assert "certificate verify failed" in seen.problem
    assert seen.certificate is not None
    assert "Stranger" in seen.certificate.issuer


def test_a_closed_port_and_an_unknown_name_are_told_apart() -> None:
    """The step that failed is named, with the words of the system."""
    kept, port = refused_port()
    with kept:
        closed = reach("127.0.0.1", port, tls="tls", ca_file=None, connect_s=2, reply_s=2)
    unknown = reach("nowhere.invalid", 443, tls="tls", ca_file=None, connect_s=2, reply_s=2)
    assert (closed.failed, unknown.failed) == ("tcp", "dns")
    assert "refused" in closed.problem
    assert unknown.addresses == ()


def test_a_submission_server_is_reached_by_starttls() -> None:
    """The same by SMTP's own words; no AUTH and no MAIL is said."""
    with ScriptedServer().running() as server:
        path = server.path()
        seen = reach(
            path.host, path.port, tls="starttls", ca_file=path.ca_file, connect_s=2, reply_s=2
        )
    assert seen.failed is None
    assert seen.certificate is not None
    assert not [line for line in server.heard if line.startswith(("AUTH", "MAIL"))]


def test_a_rehearsal_names_sender_and_recipient_and_sends_nothing() -> None:
    """Without a message the walk ends after RCPT, and takes the mail back."""
    with ScriptedServer().running() as server:
        found = run_probe(
            server.path(), token=lambda: "token-value", message=None, rcpt_to=MAILBOX,
            diagnose=diagnose, now=lambda: NOW,
        )  # fmt: skip
    assert (found.result, found.stage, found.cause) == (CanaryResult.OK, "rcpt", "ok")
    assert [timing.stage for timing in found.timings][-2:] == ["mail", "rcpt"]
    assert "DATA" not in server.heard
    assert "RSET" in server.heard


def test_a_recipient_that_is_refused_fails_a_rehearsal_too() -> None:
    """The known-bad variant: a rehearsal that says ok to everything."""
    with ScriptedServer({"RCPT": "550 5.1.10 Recipient not found"}).running() as server:
        found = run_probe(
            server.path(), token=lambda: "token-value", message=None, rcpt_to=MAILBOX,
            diagnose=diagnose, now=lambda: NOW,
        )  # fmt: skip
    assert (found.result, found.stage) == (CanaryResult.FAILED, "rcpt")
