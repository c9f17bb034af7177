"""Alarms: raised once, and "recovered" only for those who heard of the trouble."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from monitor.errors import StoreError
from monitor.model import CanaryResult, MailKind, OutboxMail, OutboxState, Probe, Receipt
from monitor.store import AlarmWrite, Store

SCOPE = "tenant:contoso"
KINDS = {"open": MailKind.CANNOT_CHECK, "close": MailKind.RECOVERED}


@pytest.fixture(autouse=True)
def _contoso(store: Store, make) -> None:
    store.put_tenant(make.tenant())


def write(store: Store, make, change: str, hours: float = 0, mails: int = 1) -> list[str]:
    """Record a scan that opens or closes the alarm; returns the ids of the mails offered."""
    offered = [make.mail(kind=KINDS[change], scope=SCOPE) for _ in range(mails)]
    at = make.now + timedelta(hours=hours)
    scan = make.scan(hours=hours, complete=change == "close")
    alarm = AlarmWrite("open" if change == "open" else "close", SCOPE, at, tuple(offered))
    store.record_scan(scan, zone=make.zone, alarm=alarm)
    return [mail.id for mail in offered]


def states(store: Store) -> dict[str, OutboxState]:
    """The state of each mail."""
    return {mail.id: mail.state for mail in store.outbox()}


def claim(store: Store, now: datetime) -> OutboxMail:
    """Claim the next mail."""
    [mail] = store.claim(
        now, owner="me", lease=timedelta(minutes=2), owner_is_dead=lambda _: False, limit=1
    )
    return mail


def test_an_alarm_is_remembered_and_its_mail_waits(store: Store, make) -> None:
    """Together with the scan that caused it."""
    [mail] = write(store, make, "open")
    assert states(store) == {mail: OutboxState.PENDING}
    assert store.health()["contoso"].alarm_opened_at == make.now


def test_an_alarm_that_stands_is_not_raised_again(store: Store, make) -> None:
    """It keeps its first time, and nobody gets a second mail."""
    [mail] = write(store, make, "open")
    write(store, make, "open", hours=6)
    assert states(store) == {mail: OutboxState.PENDING}
    assert store.health()["contoso"].alarm_opened_at == make.now


def test_an_alarm_that_nobody_heard_of_is_withdrawn_without_a_word(store: Store, make) -> None:
    """What waited or was given up goes; "recovered" is not sent."""
    waiting, given_up = write(store, make, "open", mails=2)
    mail = claim(store, make.now)
    store.mark_dead(mail.id, mail.lease_token or "", error="550", cause="recipient_unknown")
    write(store, make, "close", hours=6)
    assert states(store) == {
        waiting: OutboxState.WITHDRAWN,
        given_up: OutboxState.WITHDRAWN,
    }
    assert store.health()["contoso"].alarm_opened_at is None


def test_who_heard_of_the_alarm_hears_of_its_end(store: Store, make) -> None:
    """The mail was accepted."""
    [alarm] = write(store, make, "open")
    mail = claim(store, make.now)
    store.mark_sent(mail.id, mail.lease_token or "", Receipt("250", make.now))
    [recovered] = write(store, make, "close", hours=6)
    assert states(store) == {alarm: OutboxState.SENT, recovered: OutboxState.PENDING}


def test_an_alarm_in_flight_counts_as_heard(store: Store, make) -> None:
    """Nobody can call it back any more."""
    [alarm] = write(store, make, "open")
    claim(store, make.now)
    [recovered] = write(store, make, "close", hours=6)
    assert states(store) == {alarm: OutboxState.SENDING, recovered: OutboxState.PENDING}


def test_the_end_of_an_alarm_that_does_not_stand_is_not_told(store: Store, make) -> None:
    """Closing twice, or without an opening, changes nothing."""
    write(store, make, "close")
    assert states(store) == {}


def test_an_alarm_can_come_back(store: Store, make) -> None:
    """The second one is judged by its own mails, not by those of the first."""
    [first] = write(store, make, "open")
    mail = claim(store, make.now)
    store.mark_sent(mail.id, mail.lease_token or "", Receipt("250", make.now))
    [over] = write(store, make, "close", hours=6)
    [second] = write(store, make, "open", hours=12)
    assert store.health()["contoso"].alarm_opened_at == make.now + timedelta(hours=12)
    write(store, make, "close", hours=18)
    assert states(store) == {
        first: OutboxState.SENT,
        over: OutboxState.PENDING,
        second: OutboxState.WITHDRAWN,
    }


def test_an_alarm_without_a_mail_stands_too(store: Store, make) -> None:
    """There may be nobody to tell; page and exit code still know."""
    write(store, make, "open", mails=0)
    assert store.health()["contoso"].alarm_opened_at == make.now


def test_alarms_of_a_tenant_and_of_its_sender_are_apart(store: Store, make) -> None:
    """One may end while the other stands."""
    write(store, make, "open")
    probe = Probe(
        "contoso", "m@contoso.example", make.now, make.now, CanaryResult.FAILED, "auth", "x", "535"
    )
    mail = make.mail(kind=MailKind.CANARY_FAILED, scope="sender:contoso")
    store.record_probe(probe, AlarmWrite("open", "sender:contoso", make.now, (mail,)))
    write(store, make, "close", hours=6)
    assert store.health()["contoso"].alarm_opened_at is None
    [health] = store.sender_health().values()
    assert health.alarm_opened_at == make.now


def test_probe_and_alarm_are_written_together_or_not_at_all(store: Store, make) -> None:
    """The alarm's mail cannot be added: its id is taken."""
    taken = make.mail()
    store.enqueue([taken])
    probe = Probe(
        "contoso", "m@contoso.example", make.now, make.now, CanaryResult.FAILED, "auth", "x", "535"
    )
    with pytest.raises(StoreError):
        store.record_probe(probe, AlarmWrite("open", "sender:contoso", make.now, (taken,)))
    assert store.probes() == []
    assert store.sender_health() == {}
