"""What the store says was told about the end of things, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import event

from monitor.hearers import OLDEST, Hearers
from monitor.model import MailKind, OutboxMail, OutboxState, Receipt, Told
from monitor.store import Store

ANN = "ann@contoso.example"
KEY = ("contoso", "app-1/secret/key-1", 1)


def accept(store: Store, make) -> None:
    """A server accepts the next mail."""
    [taken] = store.claim(
        make.now, owner="me", lease=timedelta(minutes=2), owner_is_dead=lambda _: False, limit=1
    )
    assert store.mark_sent(taken.id, taken.lease_token or "", Receipt("250 OK", make.now))


def send(store: Store, make, mail: OutboxMail) -> Told:
    """A mail is accepted; returns what is told of the credential after it."""
    store.enqueue([mail])
    accept(store, make)
    return store.told(ANN, ["contoso"])[KEY]


def test_the_newest_of_stages_and_ends_decides_whether_it_is_over(store: Store, make) -> None:
    """A later stage opens it again; the level stays what it was."""
    gone = make.notice(kind=MailKind.REMOVED, level=-1_000_000)
    assert send(store, make, make.mail(make.notice())) == Told(-30)
    assert send(store, make, make.mail(gone)) == Told(-30, closed=True)
    assert send(store, make, make.mail(make.notice(level=-14))) == Told(-14)
    assert send(store, make, make.mail(gone)) == Told(-14, closed=True)


def test_a_renewal_in_the_last_week_is_a_covered_word_and_others_are_not(
    store: Store, make
) -> None:
    """Eight days before the end, and after it, it is none."""
    for level in (-8, 1, -1_000_000):
        early = make.mail(make.notice(kind=MailKind.RENEWED, level=level))
        assert not send(store, make, early).covered
    near = make.mail(make.notice(kind=MailKind.RENEWED, level=-7))
    assert send(store, make, near).covered


def test_an_unexpected_word_is_no_stage_and_ends_nothing(store: Store, make) -> None:
    """Whatever its level is."""
    odd = make.mail(make.notice(kind=MailKind.UNEXPECTED, level=5))
    assert send(store, make, odd) == Told(unexpected=True)
    assert send(store, make, make.mail(make.notice())) == Told(-30, unexpected=True)


def test_an_end_that_was_told_meanwhile_is_refused(store: Store, make) -> None:
    """Another replica said it; and nobody hears the end of what they never heard of."""
    end = make.mail(make.notice(kind=MailKind.RENEWED), kind=MailKind.RENEWED)
    options = {"recipient": ANN, "tenants": ["contoso"], "at": make.now}
    assert store.write_run([end], **options) is None
    send(store, make, make.mail(make.notice()))
    assert store.write_run([end], **options) == [end]
    accept(store, make)
    again = make.mail(make.notice(kind=MailKind.RENEWED), kind=MailKind.RENEWED)
    assert store.write_run([again], **options) is None


def test_everybody_who_heard_of_a_tenant_is_named_once(store: Store, make) -> None:
    """However the address is spelled."""
    other = make.notice("other", recipient="ANN@contoso.example")
    store.enqueue([make.mail(make.notice(), other), make.mail(make.notice(tenant="fabrikam"))])
    found = [(address.casefold(), name) for address, name in store.heard_about()]
    assert found == [(ANN, "contoso"), (ANN, "fabrikam")]


def test_pairs_are_found_however_many_and_in_whatever_order(store: Store, make) -> None:
    """Hops through the index find what reading all notices finds; nobody, where there are none."""
    assert store.heard_about() == []
    pairs = [(f"p{who}@x.example", f"t{who * 7 % 5}{more}") for who in range(9) for more in "ab"]
    for address, tenant in reversed(pairs):
        notices = [make.notice(f"k{n}", tenant=tenant, recipient=address) for n in range(3)]
        store.enqueue([make.mail(*notices, tenants=(tenant,))])
    assert store.heard_about() == sorted(pairs)


@contextmanager
def asked(store: Store) -> Iterator[list[str]]:
    """The statements that the database gets."""
    seen: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(store._database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(store._database.engine, "before_cursor_execute", note)


def test_who_heard_of_what_is_asked_only_after_a_new_mail(store: Store, make) -> None:
    """An idle minute reads one number; within the hour all is read again, whatever it says."""
    clock = [make.now]
    hearers = Hearers(store, lambda: clock[-1])
    store.enqueue([make.mail(make.notice())])
    assert hearers.all() == [(ANN, "contoso")]
    with asked(store) as seen:
        assert hearers.all() == [(ANN, "contoso")]
    assert not any("notice" in one for one in seen)
    store.enqueue([make.mail(make.notice(tenant="fabrikam"))])
    assert hearers.all() == [(ANN, "contoso"), (ANN, "fabrikam")]
    for later in (OLDEST, -OLDEST):
        clock.append(make.now + later)
        with asked(store) as seen:
            hearers.all()
        assert any("notice" in one for one in seen)


def test_a_part_of_what_is_due_takes_only_the_place_of_what_it_knows(store: Store, make) -> None:
    """A digest that another process wrote meanwhile stays, and the part is decided anew."""
    known, meanwhile = make.mail(make.notice()), make.mail(make.notice("more"))
    store.enqueue([known, meanwhile])
    part = make.mail(make.notice(level=-7))
    offered = {"recipient": ANN, "tenants": ["contoso"], "at": make.now}
    assert store.write_run([part], replaces=[known.id], **offered) is None
    assert store.outbox_counts()[OutboxState.PENDING] == 2
    assert store.write_run([part], replaces=[known.id, meanwhile.id], **offered) == [part]
