"""When the doctor's cause is told in place of the reply's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.findings import explains, failed, first_failed, summary
from monitor.model import Examination, Finding

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


def finding(check: str, cause: str | None, status: str = "failed") -> Finding:
    """A check that was not fine."""
    return Finding(check, check, "failed" if status == "failed" else "warning", "seen", cause)


def examination(*found: Finding, note: str = "") -> Examination:
    """A report with these."""
    return Examination("contoso", NOW, ("sending",), found, note)


@pytest.mark.parametrize(
    ("reply", "also", "found", "told"),
    [
        # A reply that says hardly anything gives way to the first thing that is wrong.
        ("generic_oauth_failure", (), ["object_id_mismatch", "sp_not_in_exchange"],
         "object_id_mismatch"),
        ("permission_missing", (), ["consent_missing"], "consent_missing"),
        ("unknown", (), ["clock_skew"], "clock_skew"),
        # A clear one gets evidence and command for the same cause, or stays as it is.
        ("wrong_secret", (), ["clock_skew", "wrong_secret"], "wrong_secret"),
        ("send_as_denied", (), ["tls_intercepted"], None),
        ("smtp_auth_disabled_mailbox", (), ["consent_missing"], None),
        # What the reply may mean as well, and what only a second look tells apart.
        ("assertion_expired", ("clock_skew",), ["clock_skew"], "clock_skew"),
        ("tenant_not_found", (), ["wrong_cloud"], "wrong_cloud"),
        # The doctor's own "unknown" says nothing.
        ("generic_oauth_failure", (), ["unknown"], None),
        ("generic_oauth_failure", (), [], None),
    ],
)  # fmt: skip
def test_the_more_precise_cause_is_told(
    reply: str, also: tuple[str, ...], found: list[str], told: str | None
) -> None:
    """The failure itself is the better witness, unless it says hardly anything."""
    report = examination(*(finding(f"smtp.{n}", cause) for n, cause in enumerate(found)))
    chosen = explains(report, "sending", reply, also)
    assert (chosen.cause if chosen else None) == told


def test_a_side_is_explained_by_what_it_rests_on_only() -> None:
    """Reading is not broken by Exchange, nor sending by Graph; both need clock and authority."""
    found = [
        finding(name, "x")
        for name in ("clock", "authority.tcp", "graph.token", "object_id", "smtp.auth", "mailbox")
    ]
    report = examination(*found)
    assert [one.check for one in failed(report, "reading")] == [
        "clock", "authority.tcp", "graph.token",
    ]  # fmt: skip
    assert [one.check for one in failed(report, "sending")] == [
        "clock", "authority.tcp", "object_id", "smtp.auth", "mailbox",
    ]  # fmt: skip


def test_advice_and_a_doctor_that_did_not_come_to_its_end_explain_nothing() -> None:
    """A warning is no cause, and neither is the examination's own time that ran out."""
    report = examination(
        finding("graph.expiry", "expired_secret", "warning"), finding("program", "reply_timeout")
    )
    assert explains(report, "reading", "unknown") is None
    assert explains(None, "reading", "unknown") is None


def test_a_report_without_a_failure_says_so() -> None:
    """Nothing found is news, too: it may have passed. A note stands for itself."""
    told = summary(examination(), "sending")
    assert told is not None
    assert told["check"] is None
    assert told["evidence"] == "Nothing that it looked at had failed."
    noted = summary(examination(note="Too late."), "sending")
    assert noted is not None
    assert (noted["evidence"], noted["note"]) == (None, "Too late.")
    assert summary(None, "sending") is None
    assert first_failed(examination(), "sending") is None
