"""What the store says about one sender among several."""

from __future__ import annotations

from datetime import timedelta

from monitor.model import AlarmChange, CanaryResult, MailKind, Probe, SenderHealth
from monitor.routes import sender_scope
from monitor.store import AlarmWrite, Store

MAILBOX, OTHER = "M@contoso.example", "post@contoso.example"


def failed(store: Store, make, mailbox: str, minutes: int, *, alarm: bool = False) -> Probe:
    """Record a probe that failed so many minutes after now, and an alarm with it."""
    at = make.now + timedelta(minutes=minutes)
    probe = Probe(
        "contoso", mailbox, at, at, CanaryResult.FAILED, "auth", "x", "535", retry="later"
    )
    scope = sender_scope("contoso", mailbox)
    mail = make.mail(kind=MailKind.CANARY_FAILED, scope=scope)
    store.record_probe(probe, AlarmWrite(AlarmChange.OPEN, scope, at, (mail,)) if alarm else None)
    return probe


def test_an_alarm_is_that_of_one_mailbox(store: Store, make) -> None:
    """Of the same tenant's other mailbox none stands."""
    failed(store, make, MAILBOX, 0, alarm=True)
    failed(store, make, OTHER, 1)
    health = store.sender_health()
    assert health["contoso", MAILBOX].alarm_opened_at == make.now
    assert health["contoso", OTHER].alarm_opened_at is None


def test_the_health_of_one_sender_is_that_of_all(store: Store, make) -> None:
    """Read alone, just before it is judged."""
    failed(store, make, MAILBOX, 0, alarm=True)
    last = failed(store, make, MAILBOX, 20)
    failed(store, make, OTHER, 30)
    for key, known in store.sender_health().items():
        assert store.health_of_sender(*key) == known
    assert store.health_of_sender("contoso", MAILBOX).last == last


def test_a_sender_that_was_never_probed_has_an_empty_health(store: Store, make) -> None:
    """But the alarm of the same mailbox in other letters stands for it too."""
    assert store.health_of_sender("contoso", OTHER) == SenderHealth("contoso", OTHER)
    failed(store, make, MAILBOX, 0, alarm=True)
    found = store.health_of_sender("contoso", MAILBOX.upper())
    assert (found.last, found.failures, found.alarm_opened_at) == (None, 0, make.now)


def test_failures_that_come_too_soon_are_recorded_and_not_counted(store: Store, make) -> None:
    """The next one counts a quarter of an hour after the last that did."""
    for minutes, failures, counted in ((0, 1, 0), (5, 1, 0), (13, 1, 0), (15, 2, 15), (30, 2, 15)):
        failed(store, make, MAILBOX, minutes)
        known = store.health_of_sender("contoso", MAILBOX)
        assert known.counted_at == make.now + timedelta(minutes=counted)
        assert (known.failures, known.first_failure_at) == (failures, make.now)
    assert len(store.probes("contoso")) == 5
