"""In a world where nobody acts, the mails that were foreseen are the mails that then come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import groupby

import pytest

from jobs.send_warnings import JOB
from monitor.demo import Demo, day_by_day, demo
from monitor.forecast import forecast
from monitor.mailings import Foreseen, canaries, mailings
from monitor.model import OutboxState

KINDS = ("reminder", "lapsed", "covered", "welcome", "canary")
# A mail: recipient, local date, and what it says of which credential at which stage; a canary's
# date is that of its sender's zone, and it says nothing.
Post = Counter[tuple[str, date, frozenset[tuple[str, str, str]]]]


def foreseen(show: Demo, until: datetime) -> list[Foreseen]:
    """What `forecast` foresees from now on."""
    app, now = show.app, show.clock.now()
    outlook = app.runs.outlook(app.store.last_slots(JOB))
    tenants, at = app.store.tenants(), app.configuration.settings.defaults.canary_at
    proofs = canaries(
        app.carriers.senders(tenants), app.store.sender_health(),
        daily_at=at, now=now, until=until,
    )  # fmt: skip
    return mailings(forecast(outlook, now=now, until=until), app.carriers.paths(tenants), proofs)


def as_post(mails: Iterable[Foreseen]) -> Post:
    """Mail by mail."""
    found: Post = Counter()
    for _, group in groupby(sorted(mails, key=lambda one: one.mail), key=lambda one: one.mail):
        said = list(group)
        notices = frozenset(
            (one.tenant, one.credential.uid, one.stage) for one in said if one.credential
        )
        found[said[0].to, said[0].at.date(), notices] += 1
    return found


def lived(show: Demo, days: int, since: datetime) -> Post:
    """What arrived after `since`, in the same shape."""
    sent = {m.message_id: m for m in show.app.store.outbox(states=[OutboxState.SENT], limit=10_000)}
    found: Post = Counter()
    for message in show.cloud.inbox.messages:
        kind = message.header("X-Lapsewatch-Kind")
        if message.received_at <= since or kind not in KINDS:
            continue
        row = sent.get(message.message_id)
        notices = row.notices if row else ()
        said = frozenset((one.tenant, one.uid, one.stage) for one in notices)
        for to in message.rcpt_to:
            found[to, message.received_at.date(), said] += 1
    return found


def check(days: int) -> tuple[Post, Post]:
    """Foresee after the first day, live the rest, and compare."""
    with demo() as show:
        diary = day_by_day(show, days)
        next(diary)
        since = show.clock.now()
        expected = as_post(foreseen(show, since + timedelta(days=days - 1)))
        for _ in diary:
            pass
        found = lived(show, days, since)
    return expected, found


def test_a_week_comes_as_it_was_foreseen() -> None:
    """All the demo's customers, mail by mail: recipient, day, and each notice."""
    expected, found = check(8)
    assert found == expected
    assert len([1 for _, _, said in found if said]) > 5


@pytest.mark.properties
def test_two_months_come_as_they_were_foreseen() -> None:
    """The long form."""
    expected, found = check(60)
    assert found == expected
