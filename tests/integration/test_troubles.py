"""What an alarm was about is known after its end: from when, until when, and why."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.model import AlarmChange, CanaryResult, Probe
from monitor.routes import sender_scope
from monitor.store import AlarmWrite, Store
from monitor.store.troubles import Trouble
from tests.integration.conftest import Make

HOUR = timedelta(hours=1)
BOX = "NoReply@contoso.example"
TENANT, SENDER = "tenant:contoso", sender_scope("contoso", BOX)
OPEN, CLOSE = AlarmChange.OPEN, AlarmChange.CLOSE


def scan(
    store: Store, make: Make, hours: int, cause: str | None, alarm: AlarmChange | None
) -> None:
    """An attempt so many hours from the start; without a cause it is complete."""
    at = make.now + hours * HOUR
    write = AlarmWrite(alarm, TENANT, at) if alarm else None
    seen = make.scan(complete=cause is None, hours=hours, cause=cause)
    store.record_scan(seen, zone=make.zone, alarm=write)


def test_a_tenants_trouble_is_its_failures_in_a_row(store: Store, make: Make) -> None:
    """Not an older one, and not a failure after the end."""
    store.put_tenant(make.tenant(), now=make.now)
    steps = [
        (0, "wrong_secret", OPEN), (1, None, CLOSE), (2, "transient", None),
        (3, "connect_refused", OPEN), (4, None, CLOSE), (5, "transient", None),
    ]  # fmt: skip
    for hours, cause, alarm in steps:
        scan(store, make, hours, cause, alarm)
    over = Trouble(make.now + 2 * HOUR, make.now + 4 * HOUR, "connect_refused")
    assert store.troubles([TENANT, "tenant:other"]) == {TENANT: over}


def test_a_trouble_of_many_attempts_is_read_to_its_beginning(store: Store, make: Make) -> None:
    """More of them than are read at once."""
    store.put_tenant(make.tenant(), now=make.now)
    for hours in range(230):
        scan(store, make, hours, "transient", None if hours else OPEN)
    scan(store, make, 230, None, CLOSE)
    assert store.troubles([TENANT])[TENANT].since == make.now


def test_a_senders_trouble_is_its_probes(store: Store, make: Make) -> None:
    """Its scope knows the mailbox in lower case only; what proves nothing does not count."""

    def probe(at: datetime, result: CanaryResult, cause: str, alarm: AlarmChange | None) -> None:
        seen = Probe("contoso", BOX, at, at, result, "auth", cause, "said", retry="after_fix")
        store.record_probe(seen, AlarmWrite(alarm, SENDER, at) if alarm else None)

    store.put_tenant(make.tenant(), now=make.now)
    probe(make.now, CanaryResult.FAILED, "wrong_secret", OPEN)
    probe(make.now + HOUR, CanaryResult.FAILED, "expired_secret", None)
    probe(make.now + 2 * HOUR, CanaryResult.UNCONFIRMED, "ok", None)
    probe(make.now + 3 * HOUR, CanaryResult.OK, "ok", CLOSE)
    over = Trouble(make.now, make.now + 3 * HOUR, "expired_secret")
    assert store.troubles([SENDER]) == {SENDER: over}


def test_an_alarm_without_an_attempt_says_its_own_times(store: Store, make: Make) -> None:
    """And one that stands is not over."""
    store.write_alarm(AlarmWrite(OPEN, TENANT, make.now))
    assert store.troubles([TENANT]) == {}
    store.write_alarm(AlarmWrite(CLOSE, TENANT, make.now + HOUR))
    assert store.troubles([TENANT]) == {TENANT: Trouble(make.now, make.now + HOUR)}
