"""Claims and their leases: stops, crashes, two deliverers, and outcomes nobody can record."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from monitor import process
from monitor.deliver import LEASE, SEND_BUDGET, Outcome
from monitor.errors import StoreError
from monitor.model import OutboxMail, OutboxState
from monitor.store import Store
from tests.integration.conftest import Make
from tests.integration.post_room import CONTOSO, OPERATOR, Post, Room, room

__all__ = ["room"]  # a fixture


def test_a_lease_that_is_nearly_over_is_given_back_before_sending(room: Room, make: Make) -> None:
    """A slow first mail must not let the second be sent by two processes."""
    first, second = make.mail(), make.mail()
    room.put(first, second)

    def slow(path: str, mail: OutboxMail) -> None:
        if mail.id == first.id:
            room.now += LEASE - SEND_BUDGET + timedelta(seconds=1)

    seen: list[timedelta] = []

    def answer(path: str, mail: OutboxMail) -> None:
        claimed = room.row(mail)
        assert claimed.lease_until is not None
        seen.append(claimed.lease_until - room.now)
        slow(path, mail)

    room.post.answer = answer
    assert len(room.run().sent) == 2
    assert all(left >= SEND_BUDGET for left in seen)
    assert room.row(second).attempt == 1  # the time it was given back does not count


def test_a_stop_gives_back_what_is_not_yet_sent(room: Room, make: Make) -> None:
    """As if it had never been claimed; the next start takes it at once."""
    mails = [make.mail() for _ in range(4)]
    room.put(*mails)
    outcome = room.run(stop=lambda: len(room.post.accepted) >= 2)
    assert len(outcome.sent) == 2
    states = Counter(row.state for row in room.store.outbox())
    assert states == {OutboxState.SENT: 2, OutboxState.PENDING: 2}
    assert {row.attempt for row in room.store.outbox(states=[OutboxState.PENDING])} == {0}
    assert room.run(stop=lambda: True) == Outcome()
    assert len(room.run().sent) == 2


FULL = """
CREATE TRIGGER no_room BEFORE UPDATE ON outbox WHEN NEW.state = 'sent'
BEGIN SELECT RAISE(FAIL, 'no room for outcomes'); END
"""


def test_an_outcome_that_cannot_be_recorded_stops_before_the_next_mail(
    room: Room, make: Make, tmp_path: Path
) -> None:
    """Otherwise every tick would mail everybody anew."""
    room.put(*(make.mail() for _ in range(3)))
    with closing(sqlite3.connect(tmp_path / "lapsewatch.db")) as database:
        database.execute(FULL)
        with pytest.raises(StoreError, match="no room"):
            room.run()
        database.execute("DROP TRIGGER no_room")
    assert len(room.post.accepted) == 1
    assert room.post.closed == [CONTOSO]
    room.now += LEASE
    assert len(room.run().sent) == 3
    ids = [mail.message_id for _, mail in room.post.accepted]
    assert max(Counter(ids).values()) == 2  # the one extra copy has the same Message-ID


def test_a_fault_of_ours_in_one_mail_stops_no_other(room: Room, make: Make) -> None:
    """It waits with a reason, and the connection is not trusted any longer."""
    odd, other = make.mail(), make.mail()
    room.put(odd, other)
    room.post.answer = lambda path, mail: ValueError("half a pair") if mail.id == odd.id else None
    outcome = room.run()
    assert [row.id for row in outcome.sent] == [other.id]
    ((waits, why),) = outcome.waiting
    assert (waits.id, "ValueError" in why) == (odd.id, True)
    assert room.post.opened == [CONTOSO, CONTOSO]
    assert room.row(odd).possible_duplicate


def test_what_a_dead_process_had_claimed_is_sent_by_the_next(room: Room, make: Make) -> None:
    """At once, with the same Message-ID, marked as a possible duplicate."""
    mail = make.mail()
    room.put(mail)
    place, pid, _ = process.identity().split("/")
    dead = f"{place}/{pid}/1"
    room.store.claim(room.now, owner=dead, lease=LEASE, owner_is_dead=process.is_dead)
    assert len(room.run().sent) == 1
    ((_, sent),) = room.post.accepted
    assert (sent.message_id, sent.possible_duplicate) == (mail.message_id, True)


def test_what_a_living_process_holds_is_left_to_it(room: Room, make: Make) -> None:
    """Until its lease ends."""
    room.put(make.mail())
    room.store.claim(room.now, owner="elsewhere/1/1", lease=LEASE, owner_is_dead=process.is_dead)
    assert room.run() == Outcome()
    room.now += LEASE
    assert len(room.run().sent) == 1


def test_two_deliverers_on_one_store_send_each_mail_once(store_url: str, make: Make) -> None:
    """More mails than one batch, two threads, one database: no copy, none left."""
    mails = [make.mail(path=(CONTOSO, OPERATOR)[n % 2]) for n in range(130)]
    start = threading.Barrier(2)
    posts = [Post(), Post()]

    def work(number: int) -> None:
        with Store.open(store_url) as store:
            room = Room(store, posts[number])
            start.wait(timeout=30)
            room.deliverer(f"elsewhere/{number}/1").run()

    with Store.open(store_url) as store:
        store.enqueue(mails)
        threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        sent = Counter(mail.id for post in posts for _, mail in post.accepted)
        assert sent == Counter(mail.id for mail in mails)
        assert store.outbox_counts()[OutboxState.SENT] == len(mails)
