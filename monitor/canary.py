"""Judges the probes of a sender: when to alarm, when to try again, when all is well again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.model import (
    ARRIVAL_STAGE,
    CLOCK_SLACK,
    AlarmChange,
    CanaryResult,
    Probe,
    SenderHealth,
)
from monitor.timetable import latest_daily

# When a failure that waiting may heal is probed again, counted from the first failure.
RETRY_AFTER = (timedelta(minutes=15), timedelta(hours=1))
# A retry that comes late must not be followed by the next at once: it would prove nothing new.
BETWEEN_RETRIES = timedelta(minutes=15)
# A probe from cron takes now a second less, now a second more than the one before.
TOLERANCE = timedelta(minutes=1)
FAILURES_TO_ALARM = len(RETRY_AFTER) + 1
# One that was accepted and did not arrive was waited for half an hour already; nobody is told of
# what else was lost meanwhile.
MISSED_TO_ALARM = 2
# While an alarm stands somebody may be mending the path. Who did wants to hear RECOVERED within
# the hour and not tomorrow, and the warnings go back to their own path as soon.
WHILE_ALARMED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a probe: what becomes of the sender's alarm, and for people why."""

    alarm: AlarmChange
    reason: str


def after(before: SenderHealth, probe: Probe) -> Verdict:
    """Judge a probe in the light of what was known.

    A definite cause alarms at once, since waiting does not heal it; one that may pass alarms at
    the third failure that counts, or at the second where the test mail did not arrive. An alarm
    opens once per outage, each further failure keeps it, and a good probe closes it.

    Args:
        before: what the probes before this one say.
        probe: the newest probe.
    """
    alarmed = before.alarm_opened_at is not None
    if probe.result is CanaryResult.OK:
        if alarmed:
            return Verdict(AlarmChange.CLOSE, "The test mail was accepted again.")
        return Verdict(AlarmChange.NONE, "The test mail was accepted.")
    if probe.result is not CanaryResult.FAILED:
        return Verdict(AlarmChange.NONE, "It was accepted, but nobody has seen it arrive.")
    if alarmed:
        return Verdict(AlarmChange.KEEP, "It fails still; the alarm stands.")
    if probe.retry != "later":
        return Verdict(AlarmChange.OPEN, f"It failed ({probe.cause}), and waiting does not help.")
    failures = counted(before, probe).failures
    if failures >= (MISSED_TO_ALARM if probe.stage == ARRIVAL_STAGE else FAILURES_TO_ALARM):
        times = f"{failures} times in a row"
        return Verdict(AlarmChange.OPEN, f"It failed {times}, the last time with {probe.cause}.")
    return Verdict(AlarmChange.NONE, f"It failed ({probe.cause}); it is tried again.")


def counted(before: SenderHealth, probe: Probe) -> SenderHealth:
    """What is known with a probe in it; the alarm is left as it was.

    A failure counts only as late as its retry was planned: three quick ones by hand are one
    outage seen three times, and no reason to wake anybody.
    """
    known = replace(before, last=probe)
    if probe.result is CanaryResult.OK:
        return replace(
            known, last_ok=probe.finished_at, failures=0, first_failure_at=None, counted_at=None
        )
    planned = _counts_from(before)
    if before.counted_at is not None and before.counted_at > probe.finished_at + CLOCK_SLACK:
        planned = None  # counted while the clock was ahead
    too_early = planned is not None and probe.finished_at < planned - TOLERANCE
    if probe.result is not CanaryResult.FAILED or too_early:
        return known
    return replace(
        known,
        failures=before.failures + 1,
        first_failure_at=before.first_failure_at or probe.finished_at,
        counted_at=probe.finished_at,
    )


def next_retry(health: SenderHealth) -> datetime | None:
    """When a sender is probed again without waiting for its daily time; None if it is not.

    Args:
        health: what is known, the last probe included.
    """
    last = health.last
    if last is None:
        return None
    if health.alarm_opened_at is not None:
        return last.finished_at + WHILE_ALARMED
    if last.result is not CanaryResult.FAILED:
        return None
    if last.retry != "later":
        return last.finished_at + WHILE_ALARMED
    return _counts_from(health)


def due_slot(
    health: SenderHealth,
    *,
    daily_at: time,
    zone: ZoneInfo,
    changed_at: datetime | None,
    now: datetime,
) -> datetime | None:
    """The slot for which a sender is to be probed now; None when it is not.

    That is the newest of these that no probe has followed yet: today's daily time, the retry
    after a failure, and a change of the settings, because it may be the fix.

    Args:
        health: what is known; an empty one where the sender was never probed.
        daily_at: the wall time of the daily probe.
        zone: the zone of that time.
        changed_at: when the sender's tenant was last changed; None where nobody keeps that.
        now: the current instant.
    """
    daily = latest_daily(now, daily_at, zone)
    slots = [daily, next_retry(health)]
    # A new sender waits for its time of day; after it, a change also lets it be proven today
    # whose daily slot is used up (by the same mailbox in other letters).
    if _is_bad(health) or (health.last is None and daily is not None):
        slots.append(changed_at)
    if health.last is not None and health.last.started_at > now + CLOCK_SLACK:
        # Recorded while the clock was ahead; nobody waits until that comes true.
        health, slots = SenderHealth(health.tenant, health.mailbox), [daily]
    since = health.last.started_at if health.last else None
    due = [at for at in slots if at is not None and at <= now and (since is None or since < at)]
    return max(due, default=None)


def _is_bad(health: SenderHealth) -> bool:
    failed = health.last is not None and health.last.result is CanaryResult.FAILED
    return failed or health.alarm_opened_at is not None


def _counts_from(health: SenderHealth) -> datetime | None:
    """From when on a further failure counts; None where the next one is the first in a row."""
    if not health.failures or health.first_failure_at is None or health.counted_at is None:
        return None
    step = min(health.failures, len(RETRY_AFTER)) - 1
    return max(health.first_failure_at + RETRY_AFTER[step], health.counted_at + BETWEEN_RETRIES)
