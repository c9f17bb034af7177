"""Runs: what was told stays told, and what still waits gives way to what is true now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from monitor.errors import StoreError
from monitor.model import MailKind, OutboxMail, OutboxState, Receipt
from monitor.store import Store

ANN = "ann@contoso.example"
RUN = f"{ANN}|Europe/Berlin|2026-03-02"
NEXT = f"{ANN}|Europe/Berlin|2026-03-03"
ELSEWHERE = f"{ANN}|Asia/Tokyo|2026-03-02"
KEY = ("contoso", "app-1/secret/key-1", 1)


def write(store: Store, make, *mails: OutboxMail, run_key: str = RUN, **options: Any) -> list[str]:
    """Write a run; returns the ids of what was added."""
    options.setdefault("recipient", ANN)
    options.setdefault("slot", None)
    return [m.id for m in store.write_run(mails, run_key=run_key, at=make.now, **options)]


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
    assert store.told(ANN, ["contoso"]) == {KEY: (-14, False)}
    store.mark_dead(mail.id, mail.lease_token or "", error="550", cause="recipient_unknown")
    assert store.told(ANN, ["contoso"]) == {}
    store.enqueue([make.mail(make.notice(level=-7))])
    send(store, make)
    assert store.told(ANN, ["contoso"]) == {KEY: (-7, False)}


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
        KEY: (3, False),
        ("contoso", "other", 1): (-30, True),
        ("contoso", "third", 1): (None, True),
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
        KEY: (-30, False),
        ("contoso", "app-1/secret/key-1", 2): (-1, False),
    }
    assert set(store.told(ANN, ["contoso", "fabrikam"])) >= {("fabrikam", KEY[1], 1)}
    assert store.told(ANN, []) == {}
    assert store.told("cat@contoso.example", ["contoso"]) == {}


def test_a_run_replaces_what_still_waits(store: Store, make) -> None:
    """Three days without mail end in one digest, not in three."""
    first = make.mail(make.notice(level=-30), run_key=RUN)
    second = make.mail(make.notice(level=-14, stage="14"), run_key=NEXT)
    assert write(store, make, first) == [first.id]
    assert write(store, make, second, run_key=NEXT, recipient="ANN@contoso.example") == [second.id]
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
    assert write(store, make, second, run_key=NEXT) == [second.id]
    assert states(store) == {
        first.id: OutboxState.WITHDRAWN,
        second.id: OutboxState.PENDING,
    }


def test_a_waiting_digest_that_says_the_same_by_the_same_path_stays(store: Store, make) -> None:
    """It keeps its Message-ID and date; the new one is dropped."""
    one, two = make.notice("one"), make.notice("two")
    first = make.mail(one, two, run_key=RUN)
    write(store, make, first)
    assert write(store, make, make.mail(two, one, run_key=NEXT), run_key=NEXT) == []
    assert states(store) == {first.id: OutboxState.PENDING}
    elsewhere = make.mail(one, two, run_key=NEXT, path="operator")
    assert write(store, make, elsewhere, run_key=NEXT) == [elsewhere.id]
    assert states(store)[first.id] is OutboxState.WITHDRAWN


def test_a_run_with_nothing_to_say_withdraws_what_waits(store: Store, make) -> None:
    """The credential was renewed meanwhile."""
    first = make.mail(make.notice(), run_key=RUN)
    write(store, make, first)
    assert write(store, make, run_key=NEXT) == []
    assert states(store) == {first.id: OutboxState.WITHDRAWN}


def test_a_run_leaves_alone_what_is_not_its_own(store: Store, make) -> None:
    """Other zones, other recipients, alarms, other kinds, and what is sent or in flight."""
    sent = make.mail(make.notice("sent"), run_key=RUN)
    store.enqueue([sent])
    send(store, make)
    flying = make.mail(make.notice("flying"), run_key=RUN)
    store.enqueue([flying])
    claim(store, make)
    others = [
        make.mail(make.notice("a"), run_key=ELSEWHERE),
        make.mail(
            make.notice("a"),
            recipient="ben@contoso.example",
            run_key="ben@contoso.example|Europe/Berlin|2026-03-02",
        ),
        make.mail(make.notice("a"), kind=MailKind.LAPSED, scope="tenant:contoso", run_key=RUN),
        make.mail(kind=MailKind.CANARY, run_key=RUN),
        make.mail(make.notice("a"), kind=MailKind.REMINDER, run_key=None),
    ]
    store.enqueue(others)
    before = states(store)
    write(store, make, run_key=NEXT)
    assert states(store) == before


@pytest.mark.parametrize("kind", [MailKind.REMINDER, MailKind.LAPSED, MailKind.COVERED])
def test_all_kinds_of_digest_are_replaced(store: Store, make, kind: MailKind) -> None:
    """Whatever they are called after."""
    store.enqueue([make.mail(make.notice(), kind=kind, run_key=RUN)])
    write(store, make, run_key=NEXT)
    assert set(states(store).values()) == {OutboxState.WITHDRAWN}


def test_what_was_told_while_the_run_was_decided_is_not_said_again(store: Store, make) -> None:
    """The old digest went out between the look at the ledger and this transaction."""
    first = make.mail(make.notice(level=-30), run_key=RUN)
    write(store, make, first)
    decided = make.mail(make.notice(level=-30), run_key=NEXT)
    more = make.mail(make.notice(level=-30), make.notice("new"), run_key=NEXT)
    claim(store, make)
    assert write(store, make, decided, more, run_key=NEXT) == [more.id]
    covered = make.mail(make.notice(kind=MailKind.COVERED), kind=MailKind.COVERED, run_key=NEXT)
    urgent = make.mail(make.notice(level=-7), run_key=NEXT)
    assert write(store, make, covered, urgent, run_key=NEXT) == [covered.id, urgent.id]


def test_a_run_finishes_its_slot_and_a_failed_run_does_not(store: Store, make) -> None:
    """One transaction: here the second mail's id is taken."""
    taken = make.mail(run_key=None)
    store.enqueue([taken])
    waiting = make.mail(make.notice(), run_key=RUN)
    write(store, make, waiting)
    slot = ("warn", RUN, make.now)
    store.take_slot(
        *slot, now=make.now, owner="me", lease=timedelta(minutes=5), owner_is_dead=lambda _: False
    )
    new = make.mail(make.notice(level=0), run_key=NEXT)
    with pytest.raises(StoreError):
        write(store, make, new, taken, run_key=NEXT, slot=slot)
    assert states(store)[waiting.id] is OutboxState.PENDING
    assert new.id not in states(store)
    assert store.last_finished("warn", RUN) is None
    write(store, make, new, run_key=NEXT, slot=slot)
    assert store.last_finished("warn", RUN) == make.now


def test_a_run_about_one_tenant_withdraws_nothing_about_others(store: Store, make) -> None:
    """`run warn --tenant`: what waits for another tenant still goes out."""
    other = make.mail(make.notice(tenant="fabrikam"), tenants=("fabrikam",), run_key=RUN)
    old = make.mail(make.notice(), run_key=RUN)
    store.enqueue([other, old])
    new = make.mail(make.notice(level=-7, stage="7"), run_key=RUN)
    assert write(store, make, new, only={"contoso"}) == [new.id]
    assert states(store) == {
        other.id: OutboxState.PENDING, old.id: OutboxState.WITHDRAWN, new.id: OutboxState.PENDING,
    }  # fmt: skip


def test_a_run_about_one_tenant_does_not_repeat_a_waiting_digest_of_several(
    store: Store, make
) -> None:
    """The wider digest stays, because the other tenant's warnings are in it."""
    both = make.mail(
        make.notice(), make.notice(tenant="fabrikam"), tenants=("contoso", "fabrikam"), run_key=RUN
    )
    store.enqueue([both])
    assert write(store, make, make.mail(make.notice(), run_key=RUN), only={"contoso"}) == []
    assert states(store) == {both.id: OutboxState.PENDING}
