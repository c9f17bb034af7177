"""What the status says about mail that no server has accepted: all are counted, some listed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from itertools import product

from monitor.model import OutboxCounts, OutboxState
from monitor.store import Store

OPEN = (OutboxState.PENDING, OutboxState.SENDING, OutboxState.DEAD)


def test_every_mail_that_was_not_accepted_is_counted(store: Store, make) -> None:
    """Thousands as well as one; what was sent or withdrawn is no longer open."""
    kinds = [(OutboxState.DEAD, "tenant:a", 350), (OutboxState.PENDING, "", 300),
             (OutboxState.PENDING, "tenant:a", 250), (OutboxState.SENDING, "tenant:a", 3),
             (OutboxState.SENT, "tenant:a", 5), (OutboxState.WITHDRAWN, "", 7)]  # fmt: skip
    store.enqueue(
        [make.mail(state=state, path=path) for state, path, number in kinds for _ in range(number)]
    )
    counts, listed = store.open_mails(make.now, limit=2)
    assert counts == OutboxCounts(pending=250, sending=3, without_path=300, overdue=0, dead=350)
    assert counts.waiting == 553
    assert len(listed) == 8


def test_an_empty_outbox_counts_nothing(store: Store, make) -> None:
    """Zeros, not nothing at all."""
    assert store.open_mails(make.now) == (OutboxCounts(), [])


def test_the_numbers_agree_with_the_rule_for_one_mail(store: Store, make) -> None:
    """Overdue is asked in the database for all of them, and of a mail for the list: one rule."""
    hour, second = timedelta(hours=1), timedelta(seconds=1)
    mails = [
        make.mail(state=state, path=path, date=make.now - age, attempt=attempt)
        for state, path, age, attempt in product(
            OutboxState, ("", "operator"), (0 * hour, hour, hour + second), (0, 2, 3)
        )
    ]
    store.enqueue(mails)
    counts, listed = store.open_mails(make.now, limit=1000)
    assert {mail.id for mail in listed} == {mail.id for mail in mails if mail.state in OPEN}
    waits = [mail for mail in mails if mail.state in OPEN[:2]]
    assert asdict(counts) == {
        "pending": sum(m.state is OutboxState.PENDING and m.path != "" for m in waits),
        "sending": sum(m.state is OutboxState.SENDING and m.path != "" for m in waits),
        "without_path": sum(m.path == "" for m in waits),
        "overdue": sum(mail.is_overdue(make.now) for mail in mails),
        "dead": sum(mail.state is OutboxState.DEAD for mail in mails),
    }
    assert counts.overdue == 2 * (1 * 3 + 2 * 1)


def test_the_list_has_the_worst_first_and_of_each_the_oldest(store: Store, make) -> None:
    """A hundred that were refused for good do not hide the one that waits since yesterday."""
    dead = [make.mail(state=OutboxState.DEAD) for _ in range(100)]
    fresh, late = make.mail(), make.mail(date=make.now - timedelta(days=1))
    later, lost = make.mail(date=make.now - timedelta(days=2)), make.mail(path="")
    store.enqueue([*dead, fresh, late, later, lost])
    _, listed = store.open_mails(make.now, limit=2)
    assert [mail.id for mail in listed] == [
        mail.id for mail in (dead[0], dead[1], lost, late, later, fresh)
    ]
