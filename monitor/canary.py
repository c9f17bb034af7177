"""Judges the probes of a sender: when to alarm, when to try again, when all is well again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from monitor.model import CanaryResult, Probe, SenderHealth

# When a failure that waiting may heal is probed again, counted from the first failure.
RETRY_AFTER = (timedelta(minutes=15), timedelta(hours=1))
# A retry that comes late must not be followed by the next at once: it would prove nothing new.
BETWEEN_RETRIES = timedelta(minutes=15)
FAILURES_TO_ALARM = len(RETRY_AFTER) + 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a probe.

    `alarm` says whether one opens or closes now. `retry_at` is when to probe again before the
    next daily one; None when there is no need to. `reason` is for people.
    """

    alarm: Literal["none", "open", "close"]
    retry_at: datetime | None
    reason: str


def after(before: SenderHealth | None, probe: Probe) -> Verdict:
    """Judge a probe in the light of what was known.

    A definite cause alarms at once, since waiting does not heal it; one that may pass alarms
    when the third probe in a row fails. An alarm opens once per outage; a good probe closes it.

    Args:
        before: what the probes before this one say; None when there was none.
        probe: the newest probe.
    """
    alarmed = before is not None and before.alarm_opened_at is not None
    if probe.result is CanaryResult.OK:
        if alarmed:
            return Verdict("close", None, "The test mail was accepted again.")
        return Verdict("none", None, "The test mail was accepted.")
    if probe.result is not CanaryResult.FAILED:
        return Verdict("none", None, "The test mail was accepted, but nobody has seen it arrive.")
    known = _counted(before, probe)
    if alarmed:
        return Verdict("none", None, "It fails still; the alarm stands.")
    if probe.retry != "later":
        return Verdict("open", None, f"It failed ({probe.cause}), and waiting does not help.")
    if known.failures >= FAILURES_TO_ALARM:
        times = f"{known.failures} times in a row"
        return Verdict("open", None, f"It failed {times}, the last time with {probe.cause}.")
    return Verdict("none", next_retry(known), f"It failed ({probe.cause}); it is tried again.")


def advance(before: SenderHealth | None, probe: Probe) -> SenderHealth:
    """What is known once a probe is counted, with the alarm that its verdict opens or closes."""
    verdict = after(before, probe)
    known = _counted(before, probe)
    if verdict.alarm == "open":
        return replace(known, alarm_opened_at=probe.finished_at)
    if verdict.alarm == "close":
        return replace(known, alarm_opened_at=None)
    return known


def next_retry(health: SenderHealth | None) -> datetime | None:
    """When a failed sender is probed again before its next daily probe; None if it is not.

    Args:
        health: what is known, the last probe included.
    """
    if health is None or health.last is None or health.alarm_opened_at is not None:
        return None
    last = health.last
    waits = last.result is CanaryResult.FAILED and last.retry == "later"
    if not waits or not 1 <= health.failures <= len(RETRY_AFTER):
        return None
    if health.failures == 1:
        return last.finished_at + RETRY_AFTER[0]
    first = health.first_failure_at or last.finished_at
    planned = first + RETRY_AFTER[health.failures - 1]
    return max(planned, last.finished_at + BETWEEN_RETRIES)


def due(health: SenderHealth | None, daily_slot: datetime | None, now: datetime) -> bool:
    """Whether a sender is to be probed now.

    Args:
        health: what is known; None when it was never probed.
        daily_slot: the newest daily time of this sender that is not after `now`; None when
            there was none yet.
        now: the current instant.
    """
    last = health.last if health is not None else None
    if daily_slot is not None and daily_slot <= now and _before(last, daily_slot):
        return True
    retry_at = next_retry(health)
    return retry_at is not None and retry_at <= now


def _before(last: Probe | None, slot: datetime) -> bool:
    return last is None or last.started_at < slot


def _counted(before: SenderHealth | None, probe: Probe) -> SenderHealth:
    """The health with this probe in it, but with the alarm as it was."""
    known = before or SenderHealth(tenant=probe.tenant, mailbox=probe.mailbox)
    known = replace(known, last=probe)
    if probe.result is CanaryResult.OK:
        return replace(known, last_ok=probe.finished_at, failures=0, first_failure_at=None)
    if probe.result is CanaryResult.FAILED:
        first = known.first_failure_at or probe.finished_at
        return replace(known, failures=known.failures + 1, first_failure_at=first)
    return known
