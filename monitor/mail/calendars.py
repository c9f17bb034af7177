"""The end dates of a digest as a calendar file (RFC 5545), so that they stand in the calendar."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from monitor.mail import guides, words
from monitor.mail.views import DigestItem, Frame
from monitor.model import Attachment, MailKind

if TYPE_CHECKING:
    from icalendar import Event

MOST = 100  # dates in one file: more would bury the calendar
REMIND = (7, 1)  # days before the end
_COUNTED_FROM = date(2020, 1, 1)


def calendar(items: Sequence[DigestItem], frame: Frame) -> Attachment | None:
    """The ends to come of a digest's first items as whole days in the recipient's zone.

    The same credential and life has the same UID in every mail, and a later mail the higher
    SEQUENCE, so that a calendar keeps one entry and moves it. None where nothing ends any more.
    """
    coming = [(item, end) for item in items if (end := _coming_end(item, frame))][:MOST]
    if not coming:
        return None
    # Here, because the library takes a tenth of a second that most commands do not need.
    from icalendar import Calendar

    made = Calendar()
    made.add("prodid", "-//Lapsewatch//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    for item, end in coming:
        made.add_component(_event(item, end, frame))
    return Attachment(
        "lapsewatch.ics", "text/calendar; charset=utf-8; method=PUBLISH", made.to_ical()
    )


def event_uid(tenant: str, uid: str, life: int) -> str:
    """The UID of a credential's end in every calendar."""
    text = "\0".join((tenant, uid, str(life)))
    return f"{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:32]}@lapsewatch"


def _coming_end(item: DigestItem, frame: Frame) -> datetime | None:
    """The end of what a calendar has a place for."""
    end = item.notice.credential.end
    comes = item.notice.kind is not MailKind.COVERED and end is not None and end > frame.now
    return end if comes else None


def _event(item: DigestItem, end: datetime, frame: Frame) -> Event:
    from icalendar import Alarm, Event

    one, event = item.notice.credential, Event()
    day, today = words.local(end, frame.zone).date(), words.local(frame.now, frame.zone).date()
    app = words.plain(one.app_name) or "(no name)"
    what = f"{words.kind_word(one.kind)} of {app} in {words.plain(one.tenant)}"
    event.add("uid", event_uid(one.tenant, one.uid, one.life))
    event.add("dtstamp", frame.now.replace(microsecond=0))
    event.add("sequence", (today - _COUNTED_FROM).days)
    event.add("dtstart", day)
    event.add("transp", "TRANSPARENT")
    event.add("summary", f"Ends: {what}")
    event.add("description", _description(item, frame))
    for days in REMIND:
        if day - timedelta(days=days) > today:
            alarm = Alarm()
            alarm.add("action", "DISPLAY")
            alarm.add("trigger", timedelta(days=-days))
            alarm.add("description", f"Ends {words.relative_days(days)}: {what}")
            event.add_component(alarm)
    return event


def _description(item: DigestItem, frame: Frame) -> str:
    one, cloud = item.notice.credential, frame.clouds.get(item.tenant.cloud)
    lines = [f"It ends on {frame.date(one.end)}.", f"App id: {words.plain(one.app_id or 'none')}"]
    if one.name:
        lines.append(f"Name: {words.plain(one.name)}")
    if one.key_id:
        lines.append(f"Key id: {words.plain(one.key_id)}")
    if cloud is not None:
        lines.append(guides.portal_link(cloud, item.tenant, one))
    return "\n".join(lines)
