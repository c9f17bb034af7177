"""When a credential is told again if nothing changes."""

from __future__ import annotations

from datetime import date, timedelta

from monitor.mail import words
from monitor.mail.frames import DigestItem, Frame


def next_reminder(item: DigestItem, frame: Frame) -> str:
    """When the next reminder comes, in words, and why where there is none."""
    day = next_day(item, frame)
    if day is None and item.notice.still_used:
        return "none; a newer one is in place"
    quiet = item.tenant.in_shadow(frame.now)
    if day is None:
        once = "once the reminders have started " if quiet else ""
        return f"none of its own; {once}it stays in every digest until it is renewed or deleted"
    late = _too_late(item, day, frame) if quiet else ""
    return words.day(day) + late


def _too_late(item: DigestItem, day: date, frame: Frame) -> str:
    """What to say of a reminder that comes so late that nobody may wait for it."""
    end = item.notice.credential.end
    if end is None or end <= frame.now or (last := words.local(end, frame.zone)).date() > day:
        return ""
    run = words.local(frame.next_run or frame.now, frame.zone).time()
    after = last.date() < day or last.time() <= run
    when = "which is after its end" if after else f"and it ends that day at {last:%H:%M}"
    return f", {when}. Renew it before, or start the reminders now"


def next_day(item: DigestItem, frame: Frame) -> date | None:
    """The local date of the next reminder if nothing changes; None after the last one.

    What comes due while its tenant is in shadow is told by the first run after that.
    """
    due, until = _next_stage(item, frame), item.tenant.shadow_until
    if due is None or until is None or not item.tenant.in_shadow(frame.now):
        return due
    end = words.local(until, frame.zone)
    late = end.time() > words.local(frame.next_run or frame.now, frame.zone).time()
    return max(due, end.date() + timedelta(days=1) if late else end.date())


def _next_stage(item: DigestItem, frame: Frame) -> date | None:
    """The local date of the next stage; None after the last one."""
    notice, tenant = item.notice, item.tenant
    if notice.credential.end is None:
        return None
    end = words.local(notice.credential.end, frame.zone)
    urgency = max(notice.stage.urgency, notice.level)
    if urgency > 0:
        # Lk has urgency 1 + k and comes 7k days after the end; so the next is L(urgency).
        after = urgency <= tenant.weekly_after_lapse
        weekly = end.date() + timedelta(days=7 * urgency)
        return frame.working(weekly, forward=False) if after else None
    smaller = [days for days in tenant.thresholds if days < -urgency]
    if smaller:
        return frame.working(end.date() - timedelta(days=max(smaller)), forward=False)
    if notice.still_used:
        return None
    run = words.local(frame.next_run or frame.now, frame.zone).time()
    late = end.time() > run and end.date() < date.max
    lapse = end.date() + timedelta(days=1) if late else end.date()
    return frame.working(lapse, forward=True)
