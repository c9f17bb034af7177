"""The rules name the right cause, in any wording, and no text upsets them.

The replies themselves stand in `replies_*.py`, one table per protocol.
"""
# ruff: noqa: E501  (replies are shown as servers send them)

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.replies import BOOK, CASES, VOCABULARY
from tests.unit.replies_unseen import Unseen, unseen


@pytest.mark.parametrize(("rule", "text"), CASES)
def test_wording_leads_to_its_rule(rule: str, text: str) -> None:
    """Each wording is matched by the rule it was written for."""
    name, _, stage = rule.partition("@")
    found = BOOK.diagnose(text, stage=stage or None)
    assert found.rule == name
    assert not (found.also and found.certain)


@pytest.mark.parametrize(("rule", "text"), CASES)
def test_wording_survives_being_wrapped(rule: str, text: str) -> None:
    """Wrapping in another program's JSON log and upper case change nothing."""
    if rule.startswith(("accepted", "web_page")):
        return
    name, _, stage = rule.partition("@")
    # Upper case would spoil a spelled line end.
    said = text if "\\" in text else text.upper()
    wrapped = json.dumps({"log": f"mailer[12]: ERROR could not send:\r\n {said}"})
    assert BOOK.diagnose(wrapped, stage=stage or None).rule == name


def test_bare_refusal_names_several_causes() -> None:
    """A bare 5.7.3 is several causes, and says so."""
    found = BOOK.diagnose("535 5.7.3 Authentication unsuccessful")
    assert (found.cause, found.certain) == ("generic_oauth_failure", False)
    assert {"no_mailbox_permission", "sp_not_in_exchange", "object_id_mismatch"} < set(found.also)
    assert {"consent_missing", "propagating"} < set(found.also)


@pytest.mark.parametrize(
    ("text", "retry", "rule"),
    [
        ("599 5.9.9 something new", "after_fix", "unknown_5xx"),
        ("550 no idea", "after_fix", "unknown_5xx"),
        ("(450, b'later maybe')", "later", "unknown_4xx"),
        ("4.6.9 odd", "later", "unknown_4xx"),
        ("AADSTS9999999: something new", "after_fix", "unknown"),
        ("hello", "after_fix", "unknown"),
        ("", "after_fix", "unknown"),
    ],
)
def test_unknown_stays_unknown(text: str, retry: str, rule: str) -> None:
    """What matches nothing is shown, never guessed; its class sets the retry."""
    found = BOOK.diagnose(text, stage="rcpt")
    assert (found.cause, found.retry, found.rule) == ("unknown", retry, rule)
    assert found.certain is False
    assert found.also == ()
    assert found.stage == "rcpt"
    assert text.strip("(") in found.explanation


def test_unknown_hides_secrets() -> None:
    """A token in an unknown text is not repeated."""
    token = "eyJ0eXAi" * 20
    shown = BOOK.diagnose(f"odd: Bearer {token} client_secret=p8Q~verysecret {token}").explanation
    assert "eyJ" not in shown
    assert "verysecret" not in shown
    assert "odd:" in shown


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        # The inner code decides, the basic code never.
        ("430 5.7.57 Client not authenticated. Error: 250 5.7.139 SmtpClientAuthentication is"
         " disabled for the Mailbox", "smtp_auth_disabled_mailbox"),
        ("530 5.7.57 Client not authenticated to send mail. Error: 535 5.7.8 x",
         "generic_oauth_failure"),
        ("451 4.4.0 Primary target IP address responded with: 550 5.1.1 x", "recipient_unknown"),
        ("421 4.4.1 Connection timed out, then 550 5.1.1 x", "recipient_unknown"),
        ("550 5.4.300 Message expired -> 450 4.4.317 certificate-expired", "remote_tls"),
        ("Remote server returned '550 5.1.10 unfortunate' (from 10.5.7.3, v5.7.3.1)",
         "recipient_unknown"),
        # An error inside an accepting answer.
        ('200 OK {"error":"invalid_client","error_codes":[7000222]}', "expired_secret"),
        ("250 2.0.0 OK then 535 5.7.139 basic authentication is disabled", "basic_auth_off"),
        # An HTML NDR is judged by its code.
        ("<html><body>Your message to <b>a@x</b> failed: 550&nbsp;5.1.10 x</body></html>",
         "recipient_unknown"),
        ("SmtpClientAuthentication\u00a0is\r\n disabled\x00for the\u200b Tenant",
         "smtp_auth_disabled_tenant"),
        (r'{"d":"AADSTS7000215: Invalid client secret\u0027s \"value\""}', "wrong_secret"),
    ],
)  # fmt: skip
def test_innermost_code_and_words_decide(text: str, cause: str) -> None:
    """Neither the basic code nor an outer code misleads."""
    assert BOOK.diagnose(text).cause == cause


# Collected from public bug reports and lists of bounces after the rules were first written; the
# Recip* names, the maildir and the assertion under 50012 made a rule wider.
FOUND_LATER = r"""
recipient_unknown | Reason: [{LED=550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found};{MSG=};{FQDN=}]
too_many_recipients | 550 5.5.3 RESOLVER.ADR.RecipLimit; too many recipients
recipient_restricted | LED=550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized
too_large | 550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient
too_large | 554 5.3.4 Message too big for system
dns_failure | 550 5.7.0 Proxy session setup failed on Frontend with '554 5.4.4 SMTPSEND.DNS.NonExistent'
spf_dmarc | 550 5.7.15 Access denied, sending domain does not meet the required authentication level
spf_dmarc | host mx said: 550-5.7.26 Unauthenticated email from x is not accepted due to DMARC policy
throttled | 421-4.7.28 Gmail has detected an unusual rate of unsolicited email
recipient_full | 5.7.0 x-unix; maildrop: maildir over quota
generic_oauth_failure | R:535 5.7.3 Authentication unsuccessful [ROAP284CA0191.BRAP284.PROD.OUTLOOK.COM]
generic_oauth_failure | MailKit.Security.AuthenticationException: 535: 5.7.3 Authentication unsuccessful
smtp_auth_disabled_tenant | Send Error: Invalid login: 535 5.7.139 SmtpClientAuthentication is disabled for the Tenant
not_authenticated | Reported error: 530 5.7.57 SMTP; Client was not authenticated to send anonymous mail
no_credential_sent | ServerError: invalid_client: 7000218 - AADSTS7000218: The request body must contain
no_credential_sent | AADSTS7000216: 'client_assertion', 'client_secret' or 'request' is required for the grant
assertion_malformed | "error_codes":[70002,50012] AADSTS50012: Client assertion audience claim does not match
"""


@pytest.mark.parametrize("line", FOUND_LATER.strip().splitlines())
def test_wordings_found_later(line: str) -> None:
    """The rules hold for wordings nobody looked at while writing them."""
    cause, text = line.split(" | ", 1)
    assert BOOK.diagnose(text).cause == cause


def test_stage_is_the_callers_else_the_rules() -> None:
    """A known stage is kept and sharpens the answer."""
    assert BOOK.diagnose("AADSTS650052").stage == "token"
    assert BOOK.diagnose("AADSTS650052", stage="graph").stage == "graph"
    assert BOOK.diagnose("timed out", stage="tcp").cause == "connect_timeout"
    assert BOOK.diagnose("timed out", stage="data").cause == "reply_timeout"
    assert BOOK.diagnose("timed out").also == ("reply_timeout",)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.text() | st.sampled_from([text for _, text in CASES]), max_size=4),
    st.none() | st.sampled_from(["auth", "tcp", "graph", ""]) | st.text(),
)
def test_any_text_has_a_cause_of_the_vocabulary(parts: list[str], stage: str | None) -> None:
    """No text makes it raise or leave the vocabulary."""
    found = BOOK.diagnose("\n".join(parts), stage=stage)
    assert {found.cause, *found.also} <= VOCABULARY
    assert found.cause not in found.also
    assert found.explanation
    assert found.fix
    assert found.rule
    assert not (found.certain and found.also)


@pytest.mark.parametrize(
    "piece",
    ["a", "\0\x01", "<", "5.7.3 ", "535-5.7.3 x\n", "AADSTS70002 ", "connect ", "certificate ",
     "tenant ", "storedrv ", "0, ", "error_codes ", "<a ", "<html>", "&#", "\\u0041", "2.0.0 ",
     "\n", "\ud800", "dns domain ", "Bearer a"],
)  # fmt: skip
def test_hostile_text_is_quick(piece: str) -> None:
    """A megabyte made to be slow takes no time."""
    text = piece * (1_000_000 // len(piece))
    before = time.thread_time()
    assert BOOK.diagnose(text).cause in VOCABULARY
    assert time.thread_time() - before < 1.0  # about 0.07 s of its own, however busy the machine


def test_the_end_of_a_long_text_counts() -> None:
    """The innermost error of a long trace is seen."""
    text = "Traceback\n" * 100_000 + "535 5.7.139 basic authentication is disabled"
    assert BOOK.diagnose(text).cause == "basic_auth_off"


@pytest.mark.parametrize("wording", unseen(), ids=lambda wording: wording.text[:60])
def test_wordings_that_no_rule_was_written_after_lead_to_the_right_cause(wording: Unseen) -> None:
    """The rules know the sense; where a text fits several causes, the diagnosis says so."""
    found = BOOK.diagnose(wording.text, stage=wording.stage)
    assert found.cause == wording.cause
    assert set(wording.also) <= set(found.also)
