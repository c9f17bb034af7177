"""Which path carries a mail when one fails, is missing, or is the one the mail is about."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.deliver import LONGEST_RETRY, TRIES_BEFORE_OTHER_PATH, Channel, Deliverer
from monitor.errors import DeliveryError, SecretError
from monitor.model import MailKind, OutboxState
from monitor.routes import sender_scope
from tests.integration.conftest import Make
from tests.integration.post_room import (
    CONTENT,
    CONTOSO,
    DEFINITE,
    GREYLISTED,
    LOST_ANSWER,
    MINUTE,
    OPERATOR,
    PASSING,
    Room,
    refused,
    room,
    there,
)

__all__ = ["room"]  # a fixture


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
        return room.post.connect(path)

    mail = make.mail()
    room.put(mail)
    deliverer = Deliverer(
        room.store, paths=lambda: room.paths, connect=connect, clock=lambda: room.now, owner="me"
    )
    assert len(deliverer.run().sent) == 1
    assert room.row(mail).path == OPERATOR


def test_a_lost_answer_keeps_the_path_and_the_message_id(room: Room, make: Make) -> None:
    """It may have been accepted: the next copy must be the same mail in every byte, or so it looks.

    Only after three tries it takes the other path: a middlebox that eats every answer would
    otherwise have it sent for ever, or never.
    """
    mail = make.mail()
    room.put(mail)
    room.post.answer = lambda path, mail: LOST_ANSWER if path == CONTOSO else None
    for _ in range(TRIES_BEFORE_OTHER_PATH - 1):
        room.run(force=True)
    row = room.row(mail)
    assert (row.path, row.message_id, row.date) == (CONTOSO, mail.message_id, mail.date)
    assert row.possible_duplicate
    assert [row.id for row in room.run(force=True).sent] == [mail.id]
    assert [path for path, _ in room.post.tried] == [CONTOSO] * 3 + [OPERATOR]
    ((_, accepted),) = room.post.accepted
    assert (accepted.message_id, accepted.date) == (mail.message_id, mail.date)


@pytest.mark.parametrize("refusal", [CONTENT, GREYLISTED], ids=["data-554", "rcpt-451"])
def test_a_mail_that_every_path_refuses_is_tried_once_on_each_in_a_round(
    refusal: DeliveryError, room: Room, make: Make
) -> None:
    """It must not go to and fro between them while everybody else waits."""
    odd, other = make.mail(), make.mail(recipient="ben@contoso.example")
    room.put(odd)
    room.post.answer = lambda path, mail: refusal if mail.id == odd.id else None
    for _ in range(4):
        before = len(room.post.tried)
        room.run(force=True)
        assert len(room.post.tried) - before <= 2
    assert {path for path, _ in room.post.tried} == {CONTOSO, OPERATOR}
    assert room.row(odd).state is OutboxState.PENDING
    room.put(other)
    assert [row.id for row in room.run(force=True).sent] == [other.id]


NEVER_AT_DATA = refused(code=550, permanent=True, retry="never", stage="data", cause="rejected")
NEVER_AT_MAIL = refused(code=554, permanent=True, retry="never", stage="mail", cause="restricted")


def test_a_refusal_for_good_by_one_path_is_no_refusal_by_the_other(room: Room, make: Make) -> None:
    """A transport rule of the tenant says nothing about the operator's server."""
    mail = make.mail()
    room.put(mail)
    room.post.answer = lambda path, mail: NEVER_AT_DATA if path == CONTOSO else None
    assert [row.id for row in room.run().sent] == [mail.id]
    assert room.row(mail).path == OPERATOR


def test_a_mail_that_every_path_refuses_for_good_is_given_up(room: Room, make: Make) -> None:
    """With the reason; the next daily run gives it another chance."""
    mail = make.mail()
    room.put(mail)
    room.post.answer = lambda path, mail: NEVER_AT_DATA
    assert [row.id for row, _ in room.run().dead] == [mail.id]


def test_a_path_that_refuses_everything_for_good_kills_no_mail(room: Room, make: Make) -> None:
    """ "Access denied" at MAIL is about this machine, not about the recipient."""
    room.paths = there(CONTOSO)
    mails = [make.mail(), make.mail(recipient="ben@contoso.example")]
    room.put(*mails)
    room.post.answer = lambda path, mail: NEVER_AT_MAIL
    room.run()
    assert {room.row(mail).state for mail in mails} == {OutboxState.PENDING}
    room.paths = there(CONTOSO, OPERATOR)
    room.post.answer = lambda path, mail: NEVER_AT_MAIL if path == CONTOSO else None
    assert len(room.run(force=True).sent) == 2


def test_what_was_to_wait_while_the_clock_was_ahead_is_due_when_it_is_right(
    room: Room, make: Make
) -> None:
    """A year ahead for one round; nobody waits for a year."""
    mail = make.mail(kind=MailKind.CANNOT_CHECK, scope="tenant:contoso", path=OPERATOR)
    right = room.now
    room.now += timedelta(days=365)
    room.put(mail)
    room.post.answer = lambda path, mail: PASSING
    room.run()
    room.now = right
    room.post.answer = lambda path, mail: None
    assert [row.id for row in room.run().sent] == [mail.id]


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
