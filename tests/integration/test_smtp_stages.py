"""Every stage of the SMTP session, failing in every way, on real sockets."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest

from monitor.channels.probe import Path, run_probe
from monitor.errors import TokenError
from monitor.model import CanaryResult, Probe
from tests.integration.smtp_server import (
    DEFAULTS,
    MAILBOX,
    TOKEN,
    Close,
    Hang,
    Reset,
    ScriptedServer,
    diagnose,
)

MESSAGE = b"Subject: canary\r\n\r\nIt works.\r\n"
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
SHORT_S = 0.8


def probe(path: Path, **changes: object) -> Probe:
    """Probe a path as the canary does, with short deadlines."""
    given: dict[str, object] = {
        "token": lambda: TOKEN,
        "message": lambda: MESSAGE,
        "rcpt_to": "canary@msp.example",
        "diagnose": diagnose,
        "now": lambda: NOW,
        "tenant": "contoso",
        "connect_s": 10.0,
        "reply_s": 10.0,
    }
    return run_probe(path, **{**given, **changes})  # type: ignore[arg-type]


def test_a_good_path_passes_every_stage_and_keeps_the_acceptance() -> None:
    """The stages come in their order, each with its time, and the last reply is the evidence."""
    with ScriptedServer().running() as server:
        found = probe(server.path(), message_id="<1@contoso.example>", number=7, attempt=2)
    assert found.result is CanaryResult.OK
    assert (found.cause, found.stage, found.retry) == ("ok", "data", "never")
    assert found.evidence == DEFAULTS["BODY"]
    stages = ["dns", "tcp", "greeting", "starttls", "ehlo", "token", "auth", "mail", "rcpt", "data"]
    assert [timing.stage for timing in found.timings] == stages
    assert all(timing.ok and timing.seconds >= 0 and timing.reply for timing in found.timings)
    assert (found.message_id, found.number, found.attempt) == ("<1@contoso.example>", 7, 2)
    assert "TLSv1.3" in next(t.reply for t in found.timings if t.stage == "starttls")


def test_tls_from_the_start_comes_before_the_greeting() -> None:
    """Port 465: the handshake is a stage of its own, and no STARTTLS is said."""
    with ScriptedServer(tls_at_once=True).running() as server:
        found = probe(server.path())
    assert found.result is CanaryResult.OK
    assert [t.stage for t in found.timings][:4] == ["dns", "tcp", "starttls", "greeting"]
    assert "STARTTLS" not in server.heard


def test_replies_that_come_byte_by_byte_are_understood() -> None:
    """TCP keeps no packets together, so no reply may depend on them."""
    with ScriptedServer(byte_by_byte=True).running() as server:
        assert probe(server.path(), reply_s=5.0).result is CanaryResult.OK


@pytest.mark.parametrize("host", ["nowhere.invalid", "", "a..b", f"{'x' * 70}.example"])
def test_a_name_that_does_not_resolve_fails_at_dns(host: str) -> None:
    """Also names that are no names at all."""
    found = probe(Path(host, 587, MAILBOX))
    assert (found.stage, found.cause, found.retry) == ("dns", "name_not_found", "later")


def test_a_port_that_says_no_fails_at_tcp() -> None:
    """The address tried is part of the evidence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = probe(Path("127.0.0.1", port, MAILBOX))
    assert (found.stage, found.cause) == ("tcp", "connect_refused")
    assert "127.0.0.1" in found.evidence


def test_a_host_that_drops_packets_fails_at_tcp_in_time() -> None:
    """A listener whose queue is full answers nothing, as a firewall does."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        found = probe(Path("127.0.0.1", full.getsockname()[1], MAILBOX), connect_s=0.3)
        for one in waiting:
            one.close()
    assert (found.stage, found.cause, found.retry) == ("tcp", "connect_timeout", "later")


STAGE_OF = {
    "GREETING": "greeting",
    "EHLO": "starttls",
    "STARTTLS": "starttls",
    "EHLO+TLS": "ehlo",
    "AUTH": "auth",
    "MAIL": "mail",
    "RCPT": "rcpt",
    "DATA": "data",
    "BODY": "data",
}


@pytest.mark.parametrize(("verb", "stage"), STAGE_OF.items())
def test_silence_is_a_timeout_of_its_stage(verb: str, stage: str) -> None:
    """Each reply has a deadline, and what hangs is named."""
    with ScriptedServer({verb: Hang()}).running() as server:
        found = probe(server.path(), reply_s=SHORT_S)
    assert (found.stage, found.cause, found.retry) == (stage, "reply_timeout", "later")
    assert "timed out" in found.evidence
    assert [t.ok for t in found.timings][-1] is False


@pytest.mark.parametrize("end", [Reset(), Close()], ids=["reset", "close"])
@pytest.mark.parametrize(("verb", "stage"), STAGE_OF.items())
def test_a_broken_connection_is_transient_at_every_stage(
    verb: str, stage: str, end: Reset | Close
) -> None:
    """Nothing in the settings is wrong when a connection breaks."""
    with ScriptedServer({verb: end}).running() as server:
        found = probe(server.path())
    if (verb, type(end)) == ("GREETING", Reset) and found.stage == "tcp":
        # On a busy machine the reset is there before the client looks at its new connection.
        assert (found.cause, found.retry) == ("transient", "later")
        return
    assert (found.stage, found.cause, found.retry) == (stage, "transient_backend", "later")


REFUSALS = [
    ("GREETING", "421 4.3.2 Service not available", "transient_backend", "later"),
    ("GREETING", "554 5.7.1 No SMTP service here", None, None),
    ("STARTTLS", "454 4.7.0 TLS not available", None, "later"),
    (
        "AUTH",
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
        "Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. [LO4P302CA0005]",
        "smtp_auth_disabled_tenant",
        "after_fix",
    ),
    ("AUTH", "535 5.7.3 Authentication unsuccessful [x]", "generic_oauth_failure", "after_fix"),
    ("AUTH", "454 4.7.0 Temporary authentication failure", None, "later"),
    ("AUTH", "421 4.7.66 TLS 1.0 and 1.1 are not supported.", "tls_too_old", "after_fix"),
    (
        "MAIL",
        "530 5.7.57 Client not authenticated to send mail. Error: 535 5.7.139 Authentication "
        "unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. [FR3P281CA0113]",
        "smtp_auth_disabled_mailbox",
        "after_fix",
    ),
    ("RCPT", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", "recipient_unknown", "never"),
    ("RCPT", "452 4.5.3 Too many recipients", "too_many_recipients", None),
    (
        "BODY",
        "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending",
        "concurrent_limit",
        "later",
    ),
    (
        "BODY",
        "430 4.2.0 STOREDRV; mailbox logon failure; STOREDRV.Submission.Exception:Connection"
        "FailedTransientException.MapiExceptionLogonFailed; Failed to process message",
        "no_mailbox_permission",
        "after_fix",
    ),
    (
        "BODY",
        "554 5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example",
        "send_as_denied",
        "after_fix",
    ),
    ("BODY", "552 5.3.4 Message size exceeds fixed maximum message size", "too_large", "never"),
]


@pytest.mark.parametrize(("verb", "reply", "cause", "retry"), REFUSALS)
def test_a_refusal_is_named_by_its_innermost_reply(
    verb: str, reply: str, cause: str | None, retry: str | None
) -> None:
    """The cause comes from the words and the enhanced code, and the whole reply is kept."""
    with ScriptedServer({verb: reply}).running() as server:
        found = probe(server.path())
    assert (found.result, found.stage) == (CanaryResult.FAILED, STAGE_OF[verb])
    assert found.evidence == reply
    assert cause in (None, found.cause)
    assert retry in (None, found.retry)


def test_the_evidence_alone_leads_to_the_same_cause() -> None:
    """Whoever diagnoses the recorded evidence again must not come to another verdict."""
    cases: list[dict[str, object]] = [{verb: reply} for verb, reply, _, _ in REFUSALS]
    cases += [{verb: end} for verb in STAGE_OF for end in (Close(), Reset())]
    cases += [{"EHLO": "250 mx"}, {"EHLO+TLS": "250-mx\r\n250 AUTH LOGIN"}]
    for script in cases:
        with ScriptedServer(script).running() as server:  # type: ignore[arg-type]
            found = probe(server.path())
        assert diagnose(found.evidence, found.stage).cause == found.cause, script


def test_without_starttls_nothing_more_is_said() -> None:
    """A server that hides STARTTLS gets no token, no password and no mail."""
    with ScriptedServer({"EHLO": "250-mx\r\n250 AUTH LOGIN XOAUTH2"}).running() as server:
        found = probe(server.path())
    assert (found.stage, found.cause, found.retry) == ("starttls", "starttls_required", "after_fix")
    assert [line.split()[0] for line in server.heard] == ["EHLO", "QUIT"]
    assert "AUTH LOGIN XOAUTH2" in found.evidence


@pytest.mark.parametrize("certificate", ["expired", "other-host", "other-ca"])
def test_a_certificate_that_does_not_verify_ends_the_session(certificate: str) -> None:
    """Dates, name and issuer are checked, and no token is asked for."""
    asked: list[str] = []
    with ScriptedServer(certificate=certificate).running() as server:  # type: ignore[arg-type]
        found = probe(server.path(), token=lambda: asked.append("token") or TOKEN)
    assert (found.stage, found.cause, found.retry) == ("starttls", "tls_untrusted", "after_fix")
    assert not asked
    assert [line.split()[0] for line in server.heard] == ["EHLO", "STARTTLS"]


def test_a_ca_file_that_is_not_there_is_said_by_name() -> None:
    """A wrong path in the settings is not a traceback."""
    with ScriptedServer().running() as server:
        found = probe(server.path(ca_file="/nowhere/ca.pem"))
    assert (found.stage, found.cause) == ("starttls", "tls_untrusted")
    assert "/nowhere/ca.pem" in found.evidence


def test_what_was_injected_behind_starttls_is_dropped() -> None:
    """Plain text that arrives with the reply to STARTTLS must not count as said under TLS."""
    injected = b"220 2.0.0 ready\r\n250-mx\r\n250 AUTH PLAIN\r\n235 2.7.0 come in\r\n"
    with ScriptedServer({"STARTTLS": injected}).running() as server:
        found = probe(server.path())
    assert found.result is CanaryResult.OK
    ehlo = next(t.reply for t in found.timings if t.stage == "ehlo")
    assert "XOAUTH2" in ehlo
    assert "PLAIN" not in ehlo


def test_a_server_without_xoauth2_is_named_with_what_it_offers() -> None:
    """The token is not even fetched."""
    asked: list[str] = []
    script = {"EHLO+TLS": "250-mx\r\n250 AUTH LOGIN CRAM-MD5"}
    with ScriptedServer(script).running() as server:
        found = probe(server.path(), token=lambda: asked.append("token") or TOKEN)
    assert (found.stage, found.cause) == ("ehlo", "xoauth2_not_offered")
    assert "CRAM-MD5, LOGIN" in found.evidence
    assert not asked


def test_a_token_that_cannot_be_had_keeps_its_own_cause() -> None:
    """The token endpoint knows better than the mail server."""

    def refuse() -> str:
        raise TokenError(
            "refused", cause="expired_secret", evidence="AADSTS7000222", permanent=True
        )

    with ScriptedServer().running() as server:
        found = probe(server.path(), token=refuse)
    assert (found.stage, found.cause, found.retry) == ("token", "expired_secret", "after_fix")
    assert found.evidence == "AADSTS7000222"
    assert not any(line.startswith("AUTH") for line in server.heard)


def test_an_unforeseen_error_is_a_failed_probe_without_its_text() -> None:
    """A probe never raises, and what nobody foresaw may hold anything."""

    def break_down() -> str:
        raise RuntimeError(TOKEN)

    with ScriptedServer().running() as server:
        found = probe(server.path(), token=break_down)
    assert (found.result, found.cause, found.stage) == (CanaryResult.FAILED, "unknown", "token")
    assert "RuntimeError" in found.evidence
    assert TOKEN not in repr(found)


def test_a_token_never_travels_without_tls() -> None:
    """Such a path cannot even be written down."""
    with pytest.raises(ValueError, match="needs TLS"):
        Path("mx.contoso.example", 25, MAILBOX, tls="none")
