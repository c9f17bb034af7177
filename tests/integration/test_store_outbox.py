"""The outbox: each mail is one owner's at a time, and only acceptance makes it sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from monitor.errors import StoreError
from monitor.model import MailKind, OutboxMail, OutboxState, Receipt
from monitor.store import Store

LEASE = timedelta(minutes=2)


def claim(store: Store, now: datetime, owner: str = "me", **options: Any) -> list[OutboxMail]:
    """Claim as an owner among living ones."""
    options.setdefault("owner_is_dead", lambda _: False)
    return store.claim(now, owner=owner, lease=LEASE, **options)


def token(mail: OutboxMail) -> str:
    """The token of a claimed mail."""
    assert mail.lease_token is not None
    return mail.lease_token


def test_a_mail_comes_back_as_it_went_in(store: Store, make) -> None:
    """Every field, the notices in their order."""
    mail = make.mail(
        make.notice("b", level=-7, stage="7"),
        make.notice("a", kind=MailKind.COVERED, recipient="Ann@Contoso.example"),
        scope="tenant:contoso",
        run_key="ann@contoso.example|UTC|2026-03-02",
        tenants=("contoso", "fabrikam"),
        not_before=make.now,
    )
    mail = replace(mail, mail=replace(mail.mail, references=("<1@x>", "<2@x>"), urgent=True))
    store.enqueue([mail])
    assert store.outbox() == [mail]


def test_the_outbox_is_newest_first_and_can_be_narrowed(store: Store, make) -> None:
    """By state, and to so many."""
    mails = [make.mail() for _ in range(5)]
    store.enqueue(mails)
    [taken] = claim(store, make.now, limit=1)
    assert [mail.id for mail in store.outbox(limit=2)] == [mails[4].id, mails[3].id]
    assert [mail.id for mail in store.outbox(states=[OutboxState.SENDING])] == [taken.id]
    assert store.outbox(states=[]) == []
    counts = store.outbox_counts()
    assert set(counts) == set(OutboxState)
    assert (counts[OutboxState.PENDING], counts[OutboxState.SENDING]) == (4, 1)


def test_mails_are_added_all_or_none(store: Store, make) -> None:
    """The second id is taken: the first is not added either."""
    mail = make.mail(make.notice())
    store.enqueue([mail])
    with pytest.raises(StoreError):
        store.enqueue([make.mail(make.notice()), mail])
    assert store.outbox() == [mail]


def test_alarms_are_claimed_first_and_then_the_oldest(store: Store, make) -> None:
    """An alarm does not wait behind a thousand digests."""
    digests = [make.mail() for _ in range(3)]
    alarm = make.mail(kind=MailKind.CANNOT_CHECK, scope="tenant:contoso")
    store.enqueue([*digests, alarm])
    taken = claim(store, make.now, limit=3)
    assert [mail.id for mail in taken] == [alarm.id, digests[0].id, digests[1].id]


def test_a_claim_gives_a_lease_a_token_and_an_attempt(store: Store, make) -> None:
    """And the mail is nobody else's."""
    store.enqueue([make.mail(make.notice())])
    [mail] = claim(store, make.now)
    assert (mail.state, mail.attempt, mail.possible_duplicate) == (OutboxState.SENDING, 1, False)
    assert mail.lease_until == make.now + LEASE
    assert mail.lease_token
    assert mail.notices == (make.notice(),)
    assert claim(store, make.now, owner="other") == []
    assert store.outbox() == [mail]


def test_a_mail_that_is_to_wait_is_claimed_when_its_time_has_come_or_by_force(
    store: Store, make
) -> None:
    """not_before is the first instant at which it is due."""
    later = make.now + timedelta(minutes=30)
    store.enqueue([make.mail(not_before=later)])
    assert claim(store, later - timedelta(microseconds=1)) == []
    [mail] = claim(store, make.now, force=True)
    assert store.release(mail.id, token(mail))
    assert len(claim(store, later)) == 1


def test_a_lease_that_ended_may_be_taken_over_and_the_copy_is_marked(store: Store, make) -> None:
    """Same Message-ID and date, so that a server can tell that it is a copy."""
    store.enqueue([make.mail()])
    [first] = claim(store, make.now)
    assert claim(store, make.now + LEASE - timedelta(seconds=1), owner="other") == []
    [second] = claim(store, make.now + LEASE, owner="other")
    assert second.possible_duplicate
    assert (second.attempt, second.message_id, second.date) == (
        2, first.message_id, first.date,
    )  # fmt: skip
    assert second.lease_token != first.lease_token


def test_the_mails_of_a_dead_owner_are_taken_over_at_once(store: Store, make) -> None:
    """A restart does not wait for the lease of the process that was killed."""
    store.enqueue([make.mail(), make.mail()])
    claim(store, make.now, owner="killed", limit=1)
    claim(store, make.now, owner="alive", limit=1)
    taken = claim(store, make.now, owner="new", owner_is_dead=lambda owner: owner == "killed")
    assert [mail.possible_duplicate for mail in taken] == [True]


def test_a_token_that_is_no_longer_current_changes_nothing(store: Store, make) -> None:
    """The slow owner wakes up after another one took over."""
    store.enqueue([make.mail(make.notice())])
    [slow] = claim(store, make.now)
    [current] = claim(store, make.now + LEASE, owner="other")
    receipt = Receipt("250 late", make.now)
    assert not store.mark_sent(slow.id, token(slow), receipt)
    assert not store.mark_retry(slow.id, token(slow), not_before=make.now, error="e", cause="c")
    assert not store.mark_dead(slow.id, token(slow), error="e", cause="c")
    assert not store.release(slow.id, token(slow))
    assert not store.mark_sent("no-such-mail", token(current), receipt)
    assert store.outbox() == [current]
    assert store.mark_sent(current.id, token(current), receipt)
    assert not store.mark_sent(current.id, token(current), Receipt("250 twice", make.now))
    assert store.outbox()[0].reply == "250 late"


def test_acceptance_is_recorded_with_the_servers_words(store: Store, make) -> None:
    """The receipt is evidence; the lease is over."""
    store.enqueue([make.mail(make.notice())])
    [mail] = claim(store, make.now)
    at = make.now + timedelta(seconds=3)
    assert store.mark_sent(mail.id, token(mail), Receipt("250 2.0.0 Ok\x00", at))
    [sent] = store.outbox(states=[OutboxState.SENT])
    assert (sent.sent_at, sent.reply) == (at, "250 2.0.0 Ok\ufffd")
    assert (sent.lease_token, sent.lease_until) == (None, None)
    assert claim(store, make.now + timedelta(days=9), owner_is_dead=lambda _: True) == []


def test_a_retry_waits_with_its_reason_and_may_change_the_path(store: Store, make) -> None:
    """And says whether the server may have it already."""
    store.enqueue([make.mail(path="tenant:contoso")])
    [mail] = claim(store, make.now)
    later = make.now + timedelta(minutes=5)
    assert store.mark_retry(
        mail.id, token(mail), not_before=later, error="421 busy", cause="throttled",
        path="operator", uncertain=True,
    )  # fmt: skip
    [waiting] = store.outbox()
    assert (waiting.state, waiting.not_before) == (OutboxState.PENDING, later)
    assert (waiting.last_error, waiting.last_cause) == ("421 busy", "throttled")
    assert (waiting.path, waiting.possible_duplicate) == ("operator", True)
    assert claim(store, make.now) == []
    [again] = claim(store, later)
    assert again.attempt == 2


def test_a_dead_mail_is_shown_and_not_claimed(store: Store, make) -> None:
    """Whatever happens to time or owners."""
    store.enqueue([make.mail()])
    [mail] = claim(store, make.now)
    assert store.mark_dead(mail.id, token(mail), error="550 unknown", cause="recipient_unknown")
    [dead] = store.outbox(states=[OutboxState.DEAD])
    assert (dead.last_error, dead.last_cause) == ("550 unknown", "recipient_unknown")
    assert claim(store, make.now + LEASE * 2, force=True, owner_is_dead=lambda _: True) == []


def test_a_released_mail_is_as_if_it_had_not_been_claimed(store: Store, make) -> None:
    """A stop in good order costs no attempt and no mark."""
    store.enqueue([make.mail()])
    before = store.outbox()
    [mail] = claim(store, make.now)
    assert store.release(mail.id, token(mail))
    assert store.outbox() == before


def test_of_many_owners_each_mail_has_exactly_one(store: Store, make) -> None:
    """Four threads claim 400 mails in small bites, all at once."""
    mails = [make.mail(make.notice()) for _ in range(400)]
    store.enqueue(mails)
    start = Barrier(4)

    def drain(owner: str) -> list[str]:
        start.wait()
        mine: list[str] = []
        while taken := claim(store, make.now, owner=owner, limit=7):
            for mail in taken:
                assert store.mark_sent(mail.id, token(mail), Receipt(owner, make.now))
                mine.append(mail.id)
        return mine

    with ThreadPoolExecutor(4) as pool:
        taken = [mail for part in pool.map(drain, "abcd") for mail in part]
    assert sorted(taken) == sorted(mail.id for mail in mails)
    assert {mail.attempt for mail in store.outbox(limit=500)} == {1}
    assert store.outbox_counts()[OutboxState.SENT] == 400


def test_owners_on_connections_of_their_own_do_not_share_a_mail(
    store_url: str, store: Store, make
) -> None:
    """The same with one store per thread, as if they were processes."""
    store.enqueue([make.mail() for _ in range(100)])
    start = Barrier(4)

    def drain(owner: str) -> list[str]:
        with Store.open(store_url) as own:
            start.wait()
            mine: list[str] = []
            while taken := claim(own, make.now, owner=owner, limit=3):
                mine += [mail.id for mail in taken]
            return mine

    with ThreadPoolExecutor(4) as pool:
        taken = [mail for part in pool.map(drain, "abcd") for mail in part]
    assert len(taken) == len(set(taken)) == 100


def test_dates_keep_their_instant_whatever_their_zone(store: Store, make) -> None:
    """What comes back is UTC."""
    local = datetime(2026, 3, 2, 9, 30, 15, 123456, tzinfo=make.zone)
    store.enqueue([make.mail(date=local)])
    [mail] = store.outbox()
    assert mail.date == local
    assert mail.date.tzinfo is UTC
