"""Runs: what was told stays told, and what still waits gives way to what is true now."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.errors import StoreError
from monitor.model import (
    HeldSlot,
    MailKind,
    OutboxMail,
    OutboxState,
    Receipt,
    Told,
    WaitingMail,
)
from monitor.store import Store

ANN = "ann@contoso.example"
RUN = f"{ANN}|Europe/Berlin|2026-03-02"
NEXT = f"{ANN}|Europe/Berlin|2026-03-03"
ELSEWHERE = f"{ANN}|Asia/Tokyo|2026-03-02"
KEY = ("contoso", "app-1/secret/key-1", 1)


def write(store: Store, make, *mails: OutboxMail, **options: Any) -> list[str]:
    """Write a run; returns the ids of what was added."""
    options.setdefault("recipient", ANN)
    options.setdefault("tenants", ["contoso", "fabrikam"])
    added = store.write_run(mails, at=make.now, **options)
    assert added is not None, "the decision was out of date"
    return [mail.id for mail in added]


def states(store: Store) -> dict[str, OutboxState]:
    """The state of each mail."""
    return {mail.id: mail.state for mail in store.outbox()}


def claim(store: Store, make) -> OutboxMail:
    """Claim the next mail."""
    [mail] = store.claim(
        make.now, owner="me", lease=timedelta(minutes=2), owner_is_dead=lambda _: False, limit=1
    )
    return mail


def send(store: Store, make) -> OutboxMail:
    """Claim the next mail and have it accepted."""
    mail = claim(store, make)
    assert store.mark_sent(mail.id, mail.lease_token or "", Receipt("250", make.now))
    return mail


def test_a_notice_is_told_once_it_is_in_flight_and_not_before(store: Store, make) -> None:
    """Waiting and given up is not told; sending and sent is."""
    store.enqueue([make.mail(make.notice(level=-14))])
    assert store.told(ANN, ["contoso"]) == {}
    mail = claim(store, make)
    assert store.told(ANN, ["contoso"]) == {KEY: Told(-14)}
    store.mark_dead(mail.id, mail.lease_token or "", error="550", cause="recipient_unknown")
    assert store.told(ANN, ["contoso"]) == {}
    store.enqueue([make.mail(make.notice(level=-7))])
    send(store, make)
    assert store.told(ANN, ["contoso"]) == {KEY: Told(-7)}


def test_a_waiting_welcome_gives_way_to_a_reminder_about_the_same(store: Store, make) -> None:
    """Its words promise a silence that is over; a welcome about the same stays as it is."""
    welcome = make.mail(make.notice(), kind=MailKind.WELCOME)
    assert write(store, make, welcome) == [welcome.id]
    assert write(store, make, make.mail(make.notice(), kind=MailKind.WELCOME)) == []
    reminder = make.mail(make.notice())
    assert write(store, make, reminder) == [reminder.id]
    assert states(store)[welcome.id] is OutboxState.WITHDRAWN


def test_a_second_welcome_is_refused_whatever_the_first_was_about(store: Store, make) -> None:
    """Another replica had other facts; a reminder about another credential is no such thing."""
    store.enqueue([make.mail(make.notice("gone"), kind=MailKind.WELCOME)])
    send(store, make)
    second = make.mail(make.notice(), kind=MailKind.WELCOME)
    options = {"recipient": ANN, "tenants": ["contoso"], "at": make.now}
    assert store.write_run([second], **options) is None
    assert write(store, make, make.mail(make.notice())) != []


def test_told_is_the_highest_level_and_covered_is_apart(store: Store, make) -> None:
    """A covered notice has no level of its own."""
    store.enqueue(
        [
            make.mail(make.notice(level=3), make.notice("other", level=-30)),
            make.mail(make.notice(level=-60)),
            make.mail(make.notice("other", kind=MailKind.COVERED, level=99)),
            make.mail(make.notice("third", kind=MailKind.COVERED)),
        ]
    )
    for _ in range(4):
        send(store, make)
    assert store.told(ANN, ["contoso"]) == {
        KEY: Told(3),
        ("contoso", "other", 1): Told(-30, covered=True),
        ("contoso", "third", 1): Told(covered=True),
    }


def test_told_is_by_recipient_tenant_and_life(store: Store, make) -> None:
    """Upper and lower case are one recipient; another address has no history."""
    store.enqueue(
        [
            make.mail(
                make.notice(recipient="ANN@Contoso.Example"),
                make.notice(life=2, level=-1),
                make.notice(tenant="fabrikam", level=-3),
                make.notice(recipient="ben@contoso.example", level=0),
            )
        ]
    )
    send(store, make)
    assert store.told("Ann@contoso.example", ["contoso"]) == {
        KEY: Told(-30),
        ("contoso", "app-1/secret/key-1", 2): Told(-1),
    }
    assert set(store.told(ANN, ["contoso", "fabrikam"])) >= {("fabrikam", KEY[1], 1)}
    assert store.told(ANN, []) == {}
    assert store.told("cat@contoso.example", ["contoso"]) == {}


def test_a_run_replaces_what_still_waits(store: Store, make) -> None:
    """Three days without mail end in one digest, not in three."""
    first = make.mail(make.notice(level=-30), run_key=RUN)
    second = make.mail(make.notice(level=-14, stage="14"), run_key=NEXT)
    assert write(store, make, first) == [first.id]
    assert write(store, make, second, recipient="ANN@contoso.example") == [second.id]
    assert states(store) == {
        first.id: OutboxState.WITHDRAWN,
        second.id: OutboxState.PENDING,
    }


def test_a_run_replaces_what_was_given_up_even_when_it_says_the_same(store: Store, make) -> None:
    """The next daily run is a dead digest's second chance."""
    first = make.mail(make.notice(), run_key=RUN)
    write(store, make, first)
    mail = claim(store, make)
    store.mark_dead(mail.id, mail.lease_token or "", error="550", cause="recipient_unknown")
    second = make.mail(make.notice(), run_key=NEXT)
    assert write(
        store,
        make,
        second,
    ) == [second.id]
    assert states(store) == {
        first.id: OutboxState.WITHDRAWN,
        second.id: OutboxState.PENDING,
    }


def test_a_waiting_digest_that_says_the_same_by_the_same_path_stays(store: Store, make) -> None:
    """It keeps its Message-ID and date; the new one is dropped."""
    one, two = make.notice("one"), make.notice("two")
    first = make.mail(one, two, run_key=RUN)
    write(store, make, first)
    assert write(store, make, make.mail(two, one)) == []
    assert states(store) == {first.id: OutboxState.PENDING}
    elsewhere = make.mail(one, two, run_key=NEXT, path="operator")
    assert write(
        store,
        make,
        elsewhere,
    ) == [elsewhere.id]
    assert states(store)[first.id] is OutboxState.WITHDRAWN


def test_a_run_with_nothing_to_say_withdraws_what_waits(store: Store, make) -> None:
    """The credential was renewed meanwhile."""
    first = make.mail(make.notice(), run_key=RUN)
    write(store, make, first)
    assert write(store, make) == []
    assert states(store) == {first.id: OutboxState.WITHDRAWN}


def test_a_run_leaves_alone_what_is_not_its_own(store: Store, make) -> None:
    """Other tenants, other recipients, alarms, other kinds, and what is sent or in flight."""
    sent = make.mail(make.notice("sent"), run_key=RUN)
    store.enqueue([sent])
    send(store, make)
    flying = make.mail(make.notice("flying"), run_key=RUN)
    store.enqueue([flying])
    claim(store, make)
    others = [
        make.mail(make.notice("a", tenant="tailspin"), tenants=("tailspin",), run_key=ELSEWHERE),
        make.mail(
            make.notice("a"),
            recipient="ben@contoso.example",
            run_key="ben@contoso.example|Europe/Berlin|2026-03-02",
        ),
        make.mail(make.notice("a"), kind=MailKind.LAPSED, scope="tenant:contoso", run_key=RUN),
        make.mail(kind=MailKind.CANARY, run_key=RUN),
    ]
    store.enqueue(others)
    before = states(store)
    write(store, make)
    assert states(store) == before


@pytest.mark.parametrize("kind", [MailKind.REMINDER, MailKind.LAPSED, MailKind.COVERED])
def test_all_kinds_of_digest_are_replaced(store: Store, make, kind: MailKind) -> None:
    """Whatever they are called after."""
    store.enqueue([make.mail(make.notice(), kind=kind, run_key=RUN)])
    write(store, make)
    assert set(states(store).values()) == {OutboxState.WITHDRAWN}


def test_a_decision_that_was_overtaken_writes_nothing(store: Store, make) -> None:
    """The old digest went out between the look at the ledger and this transaction.

    Not even the part that is still true: its mail also holds what was told.
    """
    first = make.mail(make.notice(level=-30), run_key=RUN)
    write(store, make, first)
    waits = make.mail(make.notice("waits"), run_key=RUN)
    claim(store, make)
    store.enqueue([waits])
    slot = held(store, make)
    more = make.mail(make.notice(level=-30), make.notice("new"), run_key=NEXT)
    apart = make.mail(make.notice("apart"), run_key=NEXT)
    offered = {"recipient": ANN, "tenants": ["contoso"], "at": make.now, "slot": slot}
    assert store.write_run([apart, more], **offered) is None
    assert states(store) == {first.id: OutboxState.SENDING, waits.id: OutboxState.PENDING}
    assert store.last_finished("warn", RUN) is None
    covered = make.mail(make.notice(kind=MailKind.COVERED), kind=MailKind.COVERED, run_key=NEXT)
    urgent = make.mail(make.notice(level=-7), run_key=NEXT)
    assert write(store, make, covered, urgent, slot=slot) == [covered.id, urgent.id]
    assert store.last_finished("warn", RUN) == make.now


def held(store: Store, make, owner: str = "me") -> HeldSlot:
    """A slot of this recipient, taken."""
    assert store.take_slot(
        "warn", RUN, make.now, now=make.now, owner=owner, lease=timedelta(minutes=5),
        owner_is_dead=lambda _: True,
    )  # fmt: skip
    return HeldSlot("warn", RUN, make.now, owner)


def test_a_run_whose_slot_went_to_another_process_writes_nothing(store: Store, make) -> None:
    """It hung longer than its lease, and the other one has done the work or is at it."""
    mine = held(store, make)
    held(store, make, owner="other")
    offered = {"recipient": ANN, "tenants": ["contoso"], "at": make.now}
    mail = make.mail(make.notice(), run_key=RUN)
    assert store.write_run([mail], slot=mine, **offered) is None
    theirs = replace(mine, owner="other")
    assert store.write_run([mail], slot=theirs, **offered) == [mail]
    again = make.mail(make.notice("more"), run_key=RUN)
    assert store.write_run([again], slot=theirs, **offered) is None


def test_what_may_have_been_accepted_is_not_said_again_in_other_words(store: Store, make) -> None:
    """Its answer was lost: it is sent again as it is, and counts as told until that is known."""
    first = make.mail(make.notice(level=-30), make.notice("other", level=-30), run_key=RUN)
    write(store, make, first)
    mail = claim(store, make)
    store.mark_retry(
        mail.id, mail.lease_token or "", not_before=make.now, error="no answer",
        cause="reply_timeout", uncertain=True,
    )  # fmt: skip
    assert store.told(ANN, ["contoso"])[KEY] == Told(-30)
    urgent = make.mail(make.notice(level=-14, stage="14"), run_key=NEXT)
    assert write(store, make, urgent) == [urgent.id]
    assert states(store) == {first.id: OutboxState.PENDING, urgent.id: OutboxState.PENDING}
    again = claim(store, make)
    assert (again.id, again.message_id) == (urgent.id, urgent.message_id)
    again = claim(store, make)
    store.mark_dead(again.id, again.lease_token or "", error="550", cause="recipient_unknown")
    assert write(store, make) == []
    assert states(store)[first.id] is OutboxState.WITHDRAWN
    # Refused in the end: what it said was not told, for all that is known, and goes anew.
    assert ("contoso", "other", 1) not in store.told(ANN, ["contoso"])


def test_a_changed_zone_replaces_what_waits_in_the_old_one(store: Store, make) -> None:
    """The recipient is the same, and so is what they would be told."""
    old = make.mail(make.notice(), run_key=ELSEWHERE)
    store.enqueue([old])
    new = make.mail(make.notice(level=-14, stage="14"), run_key=RUN)
    assert write(store, make, new) == [new.id]
    assert states(store) == {old.id: OutboxState.WITHDRAWN, new.id: OutboxState.PENDING}


def test_runs_of_one_recipient_side_by_side_say_it_once(store_url: str, make) -> None:
    """Two processes, one by hand: whoever is second finds the digest waiting."""
    rounds = 12
    start = threading.Barrier(2)

    def work(number: int) -> None:
        with Store.open(store_url) as store:
            for turn in range(rounds):
                mail = make.mail(
                    make.notice(f"app/{turn}"), recipient=f"{turn}@contoso.example", run_key=RUN
                )
                start.wait(timeout=30)
                store.write_run([mail], recipient=mail.recipient, tenants=["contoso"], at=make.now)

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with Store.open(store_url) as store:
        waiting = Counter(mail.recipient for mail in store.outbox())
    assert waiting == {f"{turn}@contoso.example": 1 for turn in range(rounds)}


def test_what_waits_can_be_taken_back_and_nothing_else(store: Store, make) -> None:
    """Known by whom it is for and what it is about; what is in flight stays."""
    alarm = make.mail(kind=MailKind.CANNOT_CHECK, scope="tenant:contoso")
    digest = make.mail(make.notice(), run_key=RUN)
    flying = make.mail(make.notice("flying"), run_key=RUN)
    store.enqueue([flying])
    claim(store, make)
    store.enqueue([alarm, digest])
    assert store.waiting() == [
        WaitingMail(alarm.id, ANN, ("contoso",), MailKind.CANNOT_CHECK),
        WaitingMail(digest.id, ANN, ("contoso",), MailKind.REMINDER),
    ]
    assert store.withdraw([flying.id, digest.id]) == 1
    assert states(store) == {
        flying.id: OutboxState.SENDING, alarm.id: OutboxState.PENDING,
        digest.id: OutboxState.WITHDRAWN,
    }  # fmt: skip


def test_a_run_finishes_its_slot_and_a_failed_run_does_not(store: Store, make) -> None:
    """One transaction: here the second mail's id is taken."""
    taken = make.mail(run_key=None)
    store.enqueue([taken])
    waiting = make.mail(make.notice(), run_key=RUN)
    write(store, make, waiting)
    slot = held(store, make)
    new = make.mail(make.notice(level=0), run_key=NEXT)
    with pytest.raises(StoreError):
        write(store, make, new, taken, slot=slot)
    assert states(store)[waiting.id] is OutboxState.PENDING
    assert new.id not in states(store)
    assert store.last_finished("warn", RUN) is None
    write(store, make, new, slot=slot)
    assert store.last_finished("warn", RUN) == make.now


def test_a_run_about_one_tenant_withdraws_nothing_about_others(store: Store, make) -> None:
    """`run warn --tenant`: what waits for another tenant still goes out."""
    other = make.mail(make.notice(tenant="fabrikam"), tenants=("fabrikam",), run_key=RUN)
    old = make.mail(make.notice(), run_key=RUN)
    store.enqueue([other, old])
    new = make.mail(make.notice(level=-7, stage="7"), run_key=RUN)
    assert write(store, make, new, tenants=["contoso"]) == [new.id]
    assert states(store) == {
        other.id: OutboxState.PENDING, old.id: OutboxState.WITHDRAWN, new.id: OutboxState.PENDING,
    }  # fmt: skip


def test_a_run_says_nothing_that_a_waiting_digest_of_several_says(store: Store, make) -> None:
    """The wider digest stays, because the other tenant's warnings are in it; the run is told so."""
    both = make.mail(
        make.notice(), make.notice(tenant="fabrikam"), tenants=("contoso", "fabrikam"), run_key=RUN
    )
    store.enqueue([both])
    mine, other = make.mail(make.notice()), make.mail(make.notice(), tenants=("tailspin",))
    about: dict[str, Any] = {"recipient": ANN, "at": make.now}
    assert store.write_run([mine, other], tenants=["contoso", "tailspin"], **about) is None
    assert store.write_run([other], tenants=["tailspin"], **about) == [other]
    assert states(store) == {both.id: OutboxState.PENDING, other.id: OutboxState.PENDING}


def test_what_may_have_been_accepted_counts_as_told_when_it_was_taken_back(
    store: Store, make
) -> None:
    """Its tenant was paused meanwhile: nobody knows that it did not arrive."""
    mail = make.mail(make.notice(), run_key=RUN)
    store.enqueue([mail])
    held_mail = claim(store, make)
    store.mark_retry(
        mail.id, held_mail.lease_token or "", not_before=make.now, error="no answer",
        cause="reply_timeout", uncertain=True,
    )  # fmt: skip
    assert store.withdraw([mail.id]) == 1
    assert store.told(ANN, ["contoso"]) == {KEY: Told(-30)}
