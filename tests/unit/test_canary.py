"""When a sender's probes alarm, are tried again, and close their alarm."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.canary import FAILURES_TO_ALARM, advance, after, due, next_retry
from monitor.model import CanaryResult, Probe, SenderHealth

SLOT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def probe(
    at: datetime = SLOT,
    retry: Literal["never", "later", "after_fix"] = "later",
    result: CanaryResult = CanaryResult.FAILED,
) -> Probe:
    """A probe that took two seconds."""
    return Probe(
        tenant="contoso",
        mailbox="noreply@contoso.example",
        started_at=at,
        finished_at=at + timedelta(seconds=2),
        result=result,
        stage="auth",
        cause="ok" if result is CanaryResult.OK else "some_cause",
        evidence="…",
        retry=retry,
    )


GOOD = probe(result=CanaryResult.OK, retry="never")


def test_a_good_probe_says_nothing() -> None:
    """Silence is proof, when it is written down."""
    verdict = after(None, GOOD)
    assert (verdict.alarm, verdict.retry_at) == ("none", None)
    assert advance(None, GOOD).last_ok == GOOD.finished_at


@pytest.mark.parametrize("retry", ["after_fix", "never"])
def test_a_definite_cause_alarms_at_once(retry: Literal["after_fix", "never"]) -> None:
    """Waiting does not switch SMTP AUTH on."""
    verdict = after(None, probe(retry=retry))
    assert (verdict.alarm, verdict.retry_at) == ("open", None)
    assert "some_cause" in verdict.reason


def test_a_passing_cause_is_tried_after_15_minutes_and_after_an_hour_and_then_alarms() -> None:
    """The third failure in a row is no accident."""
    first = probe()
    verdict = after(None, first)
    assert (verdict.alarm, verdict.retry_at) == ("none", first.finished_at + 15 * MINUTE)
    health = advance(None, first)
    second = probe(SLOT + 15 * MINUTE)
    verdict = after(health, second)
    assert (verdict.alarm, verdict.retry_at) == ("none", first.finished_at + 60 * MINUTE)
    health = advance(health, second)
    third = probe(SLOT + 60 * MINUTE)
    verdict = after(health, third)
    assert (verdict.alarm, verdict.retry_at) == ("open", None)
    assert advance(health, third).alarm_opened_at == third.finished_at


def test_a_definite_cause_among_passing_ones_alarms_at_once() -> None:
    """The newest evidence counts."""
    health = advance(None, probe())
    assert after(health, probe(SLOT + 15 * MINUTE, retry="after_fix")).alarm == "open"


@pytest.mark.parametrize("retry", ["later", "after_fix"])
def test_an_alarm_opens_once_per_outage(retry: Literal["later", "after_fix"]) -> None:
    """It stands until a good probe, however often it fails meanwhile."""
    health = advance(None, probe(retry="after_fix"))
    verdict = after(health, probe(SLOT + DAY, retry=retry))
    assert (verdict.alarm, verdict.retry_at) == ("none", None)
    assert advance(health, probe(SLOT + DAY, retry=retry)).alarm_opened_at == health.alarm_opened_at


def test_a_good_probe_closes_the_alarm_and_starts_afresh() -> None:
    """The next outage alarms again."""
    health = advance(None, probe(retry="after_fix"))
    assert after(health, GOOD).alarm == "close"
    healed = advance(health, GOOD)
    assert (healed.failures, healed.first_failure_at, healed.alarm_opened_at) == (0, None, None)
    assert after(healed, GOOD).alarm == "none"
    assert after(healed, probe(retry="after_fix")).alarm == "open"


def test_a_good_probe_between_failures_ends_the_row() -> None:
    """Two failures, a success and two failures are not three in a row."""
    health = advance(advance(None, probe()), probe(SLOT + 15 * MINUTE))
    health = advance(health, probe(SLOT + 60 * MINUTE, result=CanaryResult.OK))
    for index in range(FAILURES_TO_ALARM - 1):
        failed = probe(SLOT + DAY + index * 15 * MINUTE)
        assert after(health, failed).alarm == "none"
        health = advance(health, failed)


def test_an_unconfirmed_probe_neither_opens_nor_closes() -> None:
    """Accepted is not failed, and unseen is not proven."""
    unconfirmed = probe(result=CanaryResult.UNCONFIRMED, retry="never")
    assert after(None, unconfirmed).alarm == "none"
    alarmed = advance(None, probe(retry="after_fix"))
    assert after(alarmed, unconfirmed).alarm == "none"
    assert advance(alarmed, unconfirmed).alarm_opened_at is not None


def test_a_retry_that_came_late_is_not_followed_by_the_next_at_once() -> None:
    """After an outage of the monitor two retries would be due together."""
    health = advance(None, probe())
    late = probe(SLOT + timedelta(hours=5))
    assert after(health, late).retry_at == late.finished_at + 15 * MINUTE


def test_a_sender_is_due_at_its_daily_time_and_once() -> None:
    """What was probed since the slot is done."""
    assert due(None, SLOT, SLOT)
    assert due(None, SLOT, SLOT + DAY / 2)
    assert not due(None, SLOT, SLOT - MINUTE)
    assert not due(None, None, SLOT)
    done = advance(None, GOOD)
    assert not due(done, SLOT, SLOT + 12 * 60 * MINUTE)
    assert due(done, SLOT + DAY, SLOT + DAY)


def test_a_failed_sender_is_due_again_at_its_retry() -> None:
    """And not before."""
    health = advance(None, probe())
    retry_at = next_retry(health)
    assert retry_at is not None
    assert not due(health, SLOT, retry_at - MINUTE)
    assert due(health, SLOT, retry_at)


def test_nothing_is_retried_once_the_alarm_stands_or_the_cause_is_definite() -> None:
    """Then people act, and the daily probe sees it."""
    definite = advance(None, probe(retry="after_fix"))
    assert next_retry(definite) is None
    assert next_retry(replace(definite, alarm_opened_at=None)) is None
    assert next_retry(None) is None
    assert next_retry(SenderHealth(tenant="contoso", mailbox="x@contoso.example")) is None


RESULTS = st.sampled_from(
    [("ok", "never"), ("failed", "later"), ("failed", "after_fix"), ("unconfirmed", "never")]
)


@settings(deadline=None)
@given(st.lists(RESULTS, max_size=30))
def test_alarms_open_and_close_in_turn_and_no_outage_is_kept_quiet(
    history: list[tuple[str, Literal["never", "later", "after_fix"]]],
) -> None:
    """For any history of probes, each at the time that was asked for."""
    health: SenderHealth | None = None
    at, opened = SLOT, False
    row = 0
    for result, retry in history:
        newest = probe(at, retry=retry, result=CanaryResult(result))
        verdict = after(health, newest)
        health = advance(health, newest)
        row = {"ok": 0, "failed": row + 1}.get(result, row)
        assert verdict.alarm != ("open" if opened else "close")
        opened = {"open": True, "close": False}.get(verdict.alarm, opened)
        assert opened == (health.alarm_opened_at is not None)
        if row >= FAILURES_TO_ALARM or (result, retry) == ("failed", "after_fix"):
            assert opened
        if result == "ok":
            assert not opened
        assert verdict.retry_at == (next_retry(health) if result == "failed" else None)
        assert verdict.retry_at is None or verdict.retry_at > newest.finished_at
        at = verdict.retry_at or at + DAY
