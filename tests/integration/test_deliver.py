"""Claim, send, record: what is accepted, what is refused, and when a mail is tried again."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from monitor.deliver import LONGEST_RETRY, Outcome, backoff
from monitor.errors import DeliveryError
from monitor.model import MailKind, OutboxState
from tests.integration.conftest import Make
from tests.integration.post_room import (
    BAD_RECIPIENT,
    CONTENT,
    CONTOSO,
    GREYLISTED,
    MINUTE,
    OPERATOR,
    PASSING,
    SLOW_RECIPIENT,
    Room,
    refused,
    room,
    there,
)

__all__ = ["room"]  # a fixture


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


def test_forcing_tries_once_what_is_to_wait(room: Room, make: Make) -> None:
    """`run warn` by hand does not wait half an hour, and does not try for ever either."""
    room.paths = there(CONTOSO)
    room.post.answer = lambda path, mail: PASSING
    room.put(make.mail())
    room.run()
    room.run(force=True)
    assert len(room.post.tried) == 2
