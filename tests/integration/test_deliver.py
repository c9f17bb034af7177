"""Claim, send, record: every answer of a server leads to the one right next step."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from monitor import process
from monitor.deliver import (
    LEASE,
    LONGEST_RETRY,
    SEND_BUDGET,
    TRIES_BEFORE_OTHER_PATH,
    Channel,
    Deliverer,
    Outcome,
    backoff,
)
from monitor.errors import DeliveryError, SecretError, StoreError
from monitor.model import MailKind, OutboxMail, OutboxState, Receipt
from monitor.routes import Paths, sender_scope
from monitor.store import Store
from tests.integration.conftest import Make

CONTOSO, OPERATOR = "tenant:contoso", "operator"
MINUTE = timedelta(minutes=1)


def refused(**about: object) -> DeliveryError:
    """A refusal: by default one that may pass."""
    plain: dict[str, object] = {"cause": "smtp_busy", "stage": "mail", "evidence": "451 4.7.0"}
    return DeliveryError("451 4.7.0 Try again later", **{**plain, **about})  # type: ignore[arg-type]


PASSING = refused()
DEFINITE = refused(permanent=True, cause="smtp_auth_disabled_tenant", stage="auth")
BAD_RECIPIENT = refused(permanent=True, bad_recipient=True, cause="recipient_unknown", stage="rcpt")
SLOW_RECIPIENT = refused(bad_recipient=True, cause="mailbox_full", stage="rcpt")
LOST_ANSWER = refused(uncertain=True, cause="reply_timeout", stage="data")


@dataclass
class Post:
    """All channels of a test: what each was given, and what each answers.

    `answer` says what becomes of a mail on a path: None accepts it, an error refuses it.
    """

    answer: Callable[[str, OutboxMail], Exception | None] = lambda path, mail: None
    accepted: list[tuple[str, OutboxMail]] = field(default_factory=list)
    tried: list[tuple[str, str]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    now: datetime = Make.now

    def connect(self, path: str) -> Channel:
        """The channel of a path."""
        return _Channel(self, path)


@dataclass
class _Channel:
    post: Post
    path: str

    def __enter__(self) -> Self:
        self.post.opened.append(self.path)
        return self

    def __exit__(self, *exc: object) -> None:
        self.post.closed.append(self.path)

    def send(self, mail: OutboxMail) -> Receipt:
        self.post.tried.append((self.path, mail.id))
        error = self.post.answer(self.path, mail)
        if error is not None:
            raise error
        self.post.accepted.append((self.path, mail))
        return Receipt("250 2.0.0 OK", self.post.now)


@dataclass
class Room:
    """A store, a post, paths that exist, and a clock that a test moves."""

    store: Store
    post: Post = field(default_factory=Post)
    paths: Paths = field(default_factory=lambda: there(CONTOSO, OPERATOR))
    now: datetime = Make.now

    def deliverer(self, owner: str | None = None) -> Deliverer:
        """A deliverer of this process, or of another owner."""
        return Deliverer(
            self.store, paths=lambda: self.paths, connect=self.post.connect,
            clock=lambda: self.now, owner=owner or process.identity(),
        )  # fmt: skip

    def run(self, **how: object) -> Outcome:
        """One round."""
        return self.deliverer().run(**how)  # type: ignore[arg-type]

    def put(self, *mails: OutboxMail) -> None:
        """Mails into the outbox."""
        self.store.enqueue(mails)

    def row(self, mail: OutboxMail) -> OutboxMail:
        """What the store holds of a mail now."""
        return next(row for row in self.store.outbox() if row.id == mail.id)


def there(*names: str, broken: Sequence[str] = ()) -> Paths:
    """Paths that exist."""
    return Paths({name: (name,) for name in names}, frozenset(broken))


@pytest.fixture
def room(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Room]:
    """A room over a fresh SQLite store."""
    file = tmp_path / "lapsewatch.db"
    shutil.copy(migrated_sqlite, file)
    with Store.open(f"sqlite:///{file}") as store:
        yield Room(store)


def test_an_accepted_mail_is_sent_once_and_its_notices_are_told(room: Room, make: Make) -> None:
    """With the server's answer as evidence."""
    mail = make.mail(make.notice())
    room.put(mail)
    assert [row.id for row in room.run().sent] == [mail.id]
    row = room.row(mail)
    assert (row.state, row.reply, row.sent_at) == (OutboxState.SENT, "250 2.0.0 OK", room.post.now)
    assert room.store.told(mail.recipient, ["contoso"])
    assert room.run() == Outcome()
    assert len(room.post.accepted) == 1


def test_mails_of_one_path_share_a_connection_that_is_closed(room: Room, make: Make) -> None:
    """And no connection is opened for a path without mail."""
    room.put(make.mail(), make.mail(), make.mail(path=OPERATOR))
    room.run()
    assert Counter(room.post.opened) == {CONTOSO: 1, OPERATOR: 1}
    assert Counter(room.post.closed) == Counter(room.post.opened)


def test_alarms_go_first(room: Room, make: Make) -> None:
    """However many digests wait."""
    digests = [make.mail(path=OPERATOR) for _ in range(3)]
    alarm = make.mail(kind=MailKind.CANNOT_CHECK, scope="tenant:contoso", path=OPERATOR)
    room.put(*digests, alarm)
    room.run()
    assert room.post.tried[0] == (OPERATOR, alarm.id)


def test_waiting_doubles_up_to_half_an_hour() -> None:
    """1, 2, 4, 8, 16, then 30 minutes for ever, also after weeks."""
    minutes = [backoff(attempt) / MINUTE for attempt in (0, 1, 2, 3, 4, 5, 6, 7, 50, 10_000)]
    assert minutes == [1, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert LONGEST_RETRY == 30 * MINUTE


def test_a_passing_failure_is_tried_again_later_by_the_same_path(room: Room, make: Make) -> None:
    """Not before its time; with the reason on the row."""
    room.post.answer = lambda path, mail: PASSING
    mail = make.mail()
    room.put(mail)
    ((waits, why),) = room.run().waiting
    assert waits.id == mail.id
    assert "451 4.7.0" in why
    row = room.row(mail)
    assert (row.state, row.path, row.attempt) == (OutboxState.PENDING, CONTOSO, 1)
    assert (row.not_before, row.last_cause) == (room.now + MINUTE, "smtp_busy")
    room.now += MINUTE - timedelta(seconds=1)
    assert room.run() == Outcome()
    room.now += timedelta(seconds=1)
    room.post.answer = lambda path, mail: None
    assert [row.id for row in room.run().sent] == [mail.id]


def test_a_failure_of_the_path_costs_the_mails_behind_it_no_try_of_their_own(
    room: Room, make: Make
) -> None:
    """They would only fail the same way; none is lost."""
    room.paths = there(CONTOSO)
    room.post.answer = lambda path, mail: PASSING
    mails = [make.mail() for _ in range(4)]
    room.put(*mails)
    assert len(room.run().waiting) == 4
    assert len(room.post.tried) == 1
    assert {room.row(mail).not_before for mail in mails} == {room.now + MINUTE}


GREYLISTED = refused(code=451, cause="greylisted", stage="rcpt", evidence="451 4.7.1 Greylisted")
CONTENT = refused(code=554, permanent=True, cause="content_rejected", stage="data")
BUSY_AT_MAIL = refused(code=451, stage="mail")


@pytest.mark.parametrize("refusal", [GREYLISTED, CONTENT], ids=["rcpt-451", "data-554"])
def test_a_refusal_of_one_mail_holds_up_no_other(
    refusal: DeliveryError, room: Room, make: Make
) -> None:
    """Each mail is judged alone, round after round, also where every mail of a batch waits."""
    room.paths = there(CONTOSO)
    odd = make.mail(recipient="grey@contoso.example")
    others = [make.mail(recipient=f"{n}@contoso.example") for n in range(3)]
    room.put(odd, *others)
    room.post.answer = lambda path, mail: refusal if mail.id == odd.id else None
    outcome = room.run()
    assert {row.id for row in outcome.sent} == {mail.id for mail in others}
    assert [row.id for row, _ in outcome.waiting] == [odd.id]
    assert room.row(odd).state is OutboxState.PENDING
    later = make.mail(recipient="later@contoso.example")
    room.put(later)
    assert [row.id for row in room.run(force=True).sent] == [later.id]
    assert [mail for _, mail in room.post.tried][-2:] == [later.id, odd.id]  # it goes last


def test_a_refusal_before_the_recipient_is_named_is_about_the_path(room: Room, make: Make) -> None:
    """At MAIL every other mail would be refused the same way: one try is enough."""
    room.paths = there(CONTOSO)
    room.put(*(make.mail() for _ in range(3)))
    room.post.answer = lambda path, mail: BUSY_AT_MAIL
    assert len(room.run().waiting) == 3
    assert len(room.post.tried) == 1


def test_a_definite_failure_takes_the_other_path_at_once(room: Room, make: Make) -> None:
    """In the same round; the mail keeps its Message-ID and date."""
    room.post.answer = lambda path, mail: DEFINITE if path == CONTOSO else None
    mails = [make.mail(), make.mail()]
    room.put(*mails)
    outcome = room.run()
    assert {row.id for row in outcome.sent} == {mail.id for mail in mails}
    assert outcome.waiting == []
    assert {path for path, _ in room.post.accepted} == {OPERATOR}
    assert {mail.message_id for _, mail in room.post.accepted} == {m.message_id for m in mails}
    assert {mail.date for _, mail in room.post.accepted} == {Make.now}


def test_a_passing_failure_takes_the_other_path_after_three_tries(room: Room, make: Make) -> None:
    """A server that is busy for an hour is no reason to be silent for an hour."""
    room.post.answer = lambda path, mail: PASSING if path == CONTOSO else None
    mail = make.mail()
    room.put(mail)
    waits = []
    for _ in range(TRIES_BEFORE_OTHER_PATH):
        before = room.now
        room.run()
        row = room.row(mail)
        if row.state is OutboxState.PENDING and row.not_before is not None:
            waits.append((row.not_before - before) / MINUTE)
            room.now = row.not_before
    assert waits == [1, 2]
    assert [path for path, _ in room.post.tried] == [CONTOSO] * 3 + [OPERATOR]
    assert room.row(mail).state is OutboxState.SENT


def test_where_every_path_fails_the_mail_waits_and_is_tried_for_ever(
    room: Room, make: Make
) -> None:
    """Three days without mail: never dropped, never more often than once in half an hour."""
    room.post.answer = lambda path, mail: DEFINITE
    mail = make.mail()
    room.put(mail)
    end = room.now + timedelta(days=3)
    while room.now < end:
        room.run()
        row = room.row(mail)
        assert row.state is OutboxState.PENDING
        assert row.not_before is not None
        assert row.not_before - room.now <= LONGEST_RETRY
        room.now = max(row.not_before, room.now + MINUTE)
    assert 140 < room.row(mail).attempt < 320
    room.post.answer = lambda path, mail: None
    assert len(room.run(force=True).sent) == 1
    ((_, accepted),) = room.post.accepted
    assert accepted.message_id == mail.message_id


def test_a_path_that_cannot_even_be_opened_is_a_failure_like_any(room: Room, make: Make) -> None:
    """Its secret is missing: a definite cause, so the other path carries the mail."""

    def connect(path: str) -> Channel:
        if path == CONTOSO:
            raise SecretError("There is no file secrets/contoso.")
        return _Channel(room.post, path)

    mail = make.mail()
    room.put(mail)
    deliverer = Deliverer(
        room.store, paths=lambda: room.paths, connect=connect, clock=lambda: room.now, owner="me"
    )
    assert len(deliverer.run().sent) == 1
    assert room.row(mail).path == OPERATOR


def test_a_bad_recipient_is_given_up_and_the_others_are_served(room: Room, make: Make) -> None:
    """550 for one delays nobody; the row stays as evidence that it could not be told."""
    bad = make.mail(recipient="gone@contoso.example")
    others = [make.mail(recipient=f"{n}@contoso.example") for n in range(3)]
    room.put(others[0], bad, *others[1:])
    room.post.answer = lambda path, mail: BAD_RECIPIENT if mail.id == bad.id else None
    outcome = room.run()
    assert {row.id for row in outcome.sent} == {mail.id for mail in others}
    assert [row.id for row, _ in outcome.dead] == [bad.id]
    row = room.row(bad)
    assert (row.state, row.last_cause) == (OutboxState.DEAD, "recipient_unknown")
    assert room.post.opened == [CONTOSO]
    room.now += timedelta(days=1)
    assert room.run() == Outcome()


def test_a_recipient_that_may_come_back_waits_alone(room: Room, make: Make) -> None:
    """A full mailbox says nothing about the path."""
    slow, other = make.mail(), make.mail()
    room.put(slow, other)
    room.post.answer = lambda path, mail: SLOW_RECIPIENT if mail.id == slow.id else None
    outcome = room.run()
    assert [row.id for row in outcome.sent] == [other.id]
    assert [row.id for row, _ in outcome.waiting] == [slow.id]
    assert room.row(slow).path == CONTOSO


def test_a_lost_answer_keeps_the_path_and_the_message_id(room: Room, make: Make) -> None:
    """It may have been accepted: the next copy must be the same mail in every byte, or so it looks.

    Even after many tries it does not wander to another path.
    """
    mail = make.mail()
    room.put(mail)
    room.post.answer = lambda path, mail: LOST_ANSWER
    for _ in range(TRIES_BEFORE_OTHER_PATH + 2):
        room.run(force=True)
    row = room.row(mail)
    assert (row.path, row.message_id, row.date) == (CONTOSO, mail.message_id, mail.date)
    assert row.possible_duplicate
    room.post.answer = lambda path, mail: None
    assert len(room.run(force=True).sent) == 1
    assert {path for path, _ in room.post.tried} == {CONTOSO}


def test_without_a_path_a_mail_waits_and_goes_when_one_appears(room: Room, make: Make) -> None:
    """It is neither lost nor sent by somebody else's mailbox."""
    room.paths = there("tenant:fabrikam")
    mail = make.mail(path="")
    room.put(mail)
    ((waits, why),) = room.run().waiting
    assert waits.id == mail.id
    assert "waits" in why
    assert room.row(mail).path == ""
    assert room.post.tried == []
    room.paths = there(CONTOSO)
    room.now += LONGEST_RETRY
    assert [row.id for row in room.run().sent] == [mail.id]
    assert room.post.tried == [(CONTOSO, mail.id)]


def test_a_path_that_is_gone_hands_its_mail_to_another(room: Room, make: Make) -> None:
    """The sender was taken out of the settings while mail waited."""
    mail = make.mail()
    room.put(mail)
    room.paths = there(OPERATOR)
    assert len(room.run().sent) == 1
    assert room.post.tried == [(OPERATOR, mail.id)]


def test_a_digest_about_two_tenants_never_wanders_to_a_tenants_path(room: Room, make: Make) -> None:
    """Not even when the operator's path fails for good."""
    mail = make.mail(path=OPERATOR, tenants=("contoso", "fabrikam"))
    room.put(mail)
    room.paths = there(OPERATOR, CONTOSO, "tenant:fabrikam")
    room.post.answer = lambda path, mail: DEFINITE
    for _ in range(5):
        room.run(force=True)
    assert {path for path, _ in room.post.tried} == {OPERATOR}
    assert room.row(mail).state is OutboxState.PENDING


@pytest.mark.parametrize("about", ["contoso", "(operator)"])
def test_an_alarm_never_wanders_to_the_path_it_is_about(about: str, room: Room, make: Make) -> None:
    """Where the other path fails as well it waits."""
    subject, carrier = (CONTOSO, OPERATOR) if about == "contoso" else (OPERATOR, CONTOSO)
    alarm = make.mail(
        kind=MailKind.CANARY_FAILED, scope=sender_scope(about, "m@contoso.example"), path=carrier,
        tenants=("contoso",),
    )  # fmt: skip
    room.put(alarm)
    room.post.answer = lambda path, mail: DEFINITE
    for _ in range(5):
        room.run(force=True)
    assert {path for path, _ in room.post.tried} == {carrier} != {subject}


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


def test_forcing_tries_once_what_is_to_wait(room: Room, make: Make) -> None:
    """`run warn` by hand does not wait half an hour, and does not try for ever either."""
    room.paths = there(CONTOSO)
    room.post.answer = lambda path, mail: PASSING
    room.put(make.mail())
    room.run()
    room.run(force=True)
    assert len(room.post.tried) == 2


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
