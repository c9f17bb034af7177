"""Exchange's limits: 30 mails a minute from a mailbox, whoever sends, restarted or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from threading import Lock

import pytest

from jobs.send_canaries import send_canaries
from monitor.mailings import Foreseen
from monitor.model import MailKind, OutboxMail, OutboxState
from monitor.pace import HELD, MINUTE, MailboxFullError, Pace
from monitor.routes import Paths, Rate
from monitor.store import Store
from monitor.stretch import departures, stretched
from tests.integration.conftest import Make
from tests.integration.post_room import CONTOSO, OPERATOR, Room, room
from tests.integration.stage import stage, story

__all__ = ["room"]  # a fixture
LIMIT = 30
RATE = Rate("noreply@contoso.example", LIMIT)
STEP = timedelta(seconds=1)
Admit = Callable[[datetime], datetime | None]


@contextmanager
def stores(url: str, number: int) -> Iterator[list[Store]]:
    """So many processes' ways to one database."""
    opened = [Store.open(url) for _ in range(number)]
    try:
        yield opened
    finally:
        for one in opened:
            one.close()


def most_in_a_minute(sent: list[datetime]) -> int:
    """The most that any sliding minute holds."""
    return max((sum(start <= at < start + MINUTE for at in sent) for start in sent), default=0)


def race(admits: list[Admit], seconds: int) -> list[datetime]:
    """All of them ask as fast as they can, each second of a clock that is passed in."""
    sent: list[datetime] = []
    guard = Lock()

    def ask(admit: Admit, now: datetime) -> None:
        while admit(now) is None:
            with guard:
                sent.append(now)

    with ThreadPoolExecutor(len(admits)) as pool:
        for second in range(0, seconds, 7):
            now = Make.now + second * STEP
            list(pool.map(ask, admits, [now] * len(admits)))
    return sent


def test_two_processes_never_send_more_than_the_limit_in_any_minute(store_url: str) -> None:
    """In none of the sliding minutes of five, and in all as many as are allowed."""
    with stores(store_url, 2) as opened:
        admits = [partial(Pace(one).admit, RATE) for one in opened]
        sent = race(admits, 300)
    assert most_in_a_minute(sent) == LIMIT
    assert len(sent) == 5 * LIMIT


def test_a_count_of_their_own_would_let_two_processes_send_twice_as_much() -> None:
    """The known-bad variant: each process counts for itself."""

    def counting() -> Admit:
        mine: list[datetime] = []

        def admit(now: datetime) -> datetime | None:
            mine[:] = [at for at in mine if at > now - MINUTE]
            if len(mine) >= LIMIT:
                return mine[0] + MINUTE
            mine.append(now)
            return None

        return admit

    assert most_in_a_minute(race([counting(), counting()], 120)) == 2 * LIMIT


def test_who_is_told_to_wait_is_told_until_when(store: Store) -> None:
    """Until the oldest of the minute is a minute old; then there is room for one more."""
    pace, now = Pace(store), Make.now
    for second in range(LIMIT):
        assert pace.admit(RATE, now + second * STEP) is None
    later = now + LIMIT * STEP
    assert pace.admit(RATE, later) == now + MINUTE
    assert pace.admit(RATE, later, count=3) == now + 2 * STEP + MINUTE
    assert pace.admit(RATE, now + MINUTE) is None
    assert pace.admit(RATE, now + MINUTE) == now + STEP + MINUTE
    assert pace.admit(replace(RATE, mailbox="other@contoso.example"), later) is None


def test_a_clock_that_was_ahead_blocks_nobody(store: Store) -> None:
    """What was taken in a year that is not come does not count."""
    ahead = Make.now + timedelta(days=400)
    for _ in range(LIMIT):
        assert Pace(store).admit(RATE, ahead) is None
    assert Pace(store).admit(RATE, Make.now) is None


def rated(room: Room) -> None:
    """Both paths get a limit of 30; they are different mailboxes."""
    rates = {CONTOSO: RATE, OPERATOR: Rate("noc@msp.example", LIMIT)}
    room.paths = replace(room.paths, rates=rates)


def states(room: Room) -> dict[str, list[OutboxMail]]:
    """Sent and pending mails of the outbox."""
    rows = room.store.outbox(limit=500)
    return {
        state: [row for row in rows if row.state.value == state] for state in ("sent", "pending")
    }


def test_what_is_over_the_limit_waits_without_having_failed(room: Room, make: Make) -> None:
    """It has a time and no attempt, and no error that somebody would look for."""
    rated(room)
    room.put(*[make.mail() for _ in range(100)])
    outcome = room.run()
    assert (len(outcome.sent), len(outcome.waiting)) == (LIMIT, 70)
    for row in states(room)["pending"]:
        assert (row.attempt, row.last_error, row.last_cause) == (0, None, None)
        assert row.not_before == room.now + MINUTE
    assert {why for _, why in outcome.waiting} == {
        "Its mailbox has sent all it may send in a minute; it goes as soon as there is room."
    }


def test_the_round_goes_on_with_other_mailboxes(room: Room, make: Make) -> None:
    """The customer's mailbox is full: the operator's alarms go all the same."""
    rated(room)
    mails = [make.mail() for _ in range(60)]
    alarm = make.mail(kind=MailKind.CANNOT_CHECK, path=OPERATOR, scope="tenant:x")
    room.put(*mails, alarm)
    room.run()
    assert room.row(alarm).state is OutboxState.SENT
    assert len(states(room)["sent"]) == LIMIT + 1


def test_a_restart_and_another_replica_share_the_limit(room: Room, make: Make) -> None:
    """A hundred mails take four minutes, whoever sends them; each goes once."""
    rated(room)
    room.put(*[make.mail() for _ in range(100)])
    start, sent = room.now, []
    while len(sent) < 100:
        for owner in ("one|1", "two|2"):
            done = room.deliverer(owner).run()
            sent += [room.now] * len(done.sent)
        room.now += 30 * STEP
    assert most_in_a_minute(sent) == LIMIT
    assert room.now - start <= 4 * MINUTE
    assert len({mail.id for _, mail in room.post.accepted}) == len(room.post.accepted) == 100


def test_even_a_forced_round_keeps_to_the_limit(room: Room, make: Make) -> None:
    """`run warn` by hand tries what waits for a retry, but Exchange would refuse the 31st."""
    rated(room)
    room.put(*[make.mail() for _ in range(40)])
    room.run()
    assert room.run(force=True).sent == []
    assert len(room.post.accepted) == LIMIT


def test_another_thread_that_sends_by_the_mailbox_is_waited_for(room: Room, make: Make) -> None:
    """One connection of a process to a mailbox at a time, beside its canary."""
    rated(room)
    room.put(make.mail(), make.mail(path=OPERATOR))
    deliverer = room.deliverer()
    with deliverer._pace.alone(RATE) as free:
        assert free
        outcome = deliverer.run()
    assert [path for path, _ in room.post.accepted] == [OPERATOR]
    assert [row.path for row, _ in outcome.waiting] == [CONTOSO]
    room.now += HELD
    assert len(room.run().sent) == 1


def test_a_path_without_a_rate_is_not_slowed_down(room: Room, make: Make) -> None:
    """The operator's own relay knows its limits itself."""
    room.put(*[make.mail() for _ in range(100)])
    assert len(room.run().sent) == 100


def test_canaries_count_and_wait_their_turn(tmp_path, make: Make) -> None:
    """A mailbox that has sent its 30 sends its test mail a minute later; by hand it is told."""
    now = datetime.fromisoformat("2026-11-23T07:00:00+00:00")
    with stage(tmp_path, story("contoso", now, 90), at=now) as here:
        [rate] = [r for p, r in here.app.carriers.paths().rates.items() if p == CONTOSO]
        assert rate.per_minute == LIMIT
        for _ in range(LIMIT):
            assert here.app.outgoing.pace.admit(rate, now) is None
        assert "contoso" not in here.canaries()
        with pytest.raises(Exception, match="may send in a minute"):
            send_canaries(here.app, only="contoso")
        sender = next(s for s in here.app.carriers.senders() if s.tenant == "contoso")
        with pytest.raises(MailboxFullError):
            here.app.canaries.probe(sender)
        here.at(now + MINUTE)
        assert here.canaries() == {"contoso": "ok"}
        left = [here.app.outgoing.pace.admit(rate, now + MINUTE) for _ in range(LIMIT)]
        assert left.count(None) == LIMIT - 1


@pytest.mark.parametrize("tick", [1, 20, 30])
def test_what_is_foreseen_of_a_stretched_run_is_what_then_happens(store: Store, tick: int) -> None:
    """By the table that real sending asks, tick by tick: the last leaves in the minute named."""
    due = [
        Foreseen(Make.now, f"r{n}@x.example", MailKind.REMINDER, "30", "contoso", mail=n)
        for n in range(1, 143)
    ]
    paths = Paths({CONTOSO: ("contoso",)}, rates={CONTOSO: RATE})
    (run,) = stretched(departures(due, paths))
    pace, now, left = Pace(store), Make.now, 0
    while True:
        while left < len(due) and pace.admit(RATE, now) is None:
            left += 1
        if left == len(due):
            break
        now += tick * STEP
    assert (run.at, run.mails, run.rate) == (Make.now, 142, RATE)
    assert run.leaves_by - MINUTE <= now <= run.leaves_by
