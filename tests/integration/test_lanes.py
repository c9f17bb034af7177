"""Whose turn it is where a mailbox may send thirty a minute and much waits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from monitor.model import MailKind, OutboxMail
from monitor.store.lanes import Place, merged
from tests.faults.house import House
from tests.faults.office import Office
from tests.integration.conftest import Make

MINUTE = timedelta(minutes=1)
LIMIT = 30


def alarm(make: Make, number: int) -> OutboxMail:
    """An alarm about a tenant of its own, to somebody of its own."""
    return make.mail(
        kind=MailKind.CANNOT_CHECK, path="operator", scope=f"tenant:t{number}",
        recipient=f"alarm-{number}@msp.example", tenants=(f"t{number}",),
    )  # fmt: skip


def digest(make: Make, name: str, *, urgent: bool) -> OutboxMail:
    """A digest by the operator's path."""
    mail = make.mail(path="operator", recipient=f"{name}@msp.example")
    return replace(mail, mail=replace(mail.mail, urgent=urgent))


def test_in_a_storm_of_alarms_urgent_digests_go_within_a_minute_or_two(
    tmp_path: Path, store_url: str, make: Make
) -> None:
    """500 alarms to 500 people, 20 urgent digests, 100 others; 30 a minute by a real server."""
    with Office() as office:
        house = House(tmp_path, store_url, office, make.now)
        settings = tmp_path / "lapsewatch.toml"
        settings.write_text(settings.read_text() + "rate_per_minute = 30\n")
        house.app.close()
        house.start()
        house.app.make_database()
        mails = [alarm(make, number) for number in range(500)]
        mails += [digest(make, f"plain-{number}", urgent=False) for number in range(100)]
        mails += [digest(make, f"urgent-{number}", urgent=True) for number in range(20)]
        house.app.store.enqueue(mails)
        minutes: list[Counter[str]] = []
        while sum(map(len, minutes)) == 0 or minutes[-1]:
            seen = len(office.letters)
            house.app.outgoing.deliver()
            minutes.append(Counter(one.to.partition("-")[0] for one in office.letters[seen:]))
            house.now += MINUTE
        house.close()
    assert minutes[0] == Counter(alarm=12, urgent=12, plain=6)
    assert minutes[1] == Counter(urgent=8, alarm=15, plain=7)
    assert all(sum(minute.values()) == LIMIT for minute in minutes[:20])
    assert sum(minutes, Counter()) == Counter(alarm=500, urgent=20, plain=100)


def test_of_any_five_places_each_has_its_own() -> None:
    """As long as all of them wait; after that nobody's place stays empty."""
    lanes = [[(number, name) for number in range(40)] for name in ("alarm", "urgent", "plain")]
    found = [name for _, name in merged(lanes, 120)]
    for start in range(95):
        assert Counter(found[start : start + 5]) == Counter(alarm=2, urgent=2, plain=1)
    assert len(found) == 120


def test_in_the_order_that_was_before_everything_waits_for_the_alarms() -> None:
    """The known-bad variant: all alarms first, so the urgent come after seventeen minutes."""
    lanes: list[list[Place]] = [[(n, "alarm") for n in range(500)], [(0, "urgent")], []]
    before = [name for lane in lanes for _, name in lane]
    assert before.index("urgent") // LIMIT == 16
    assert [name for _, name in merged(lanes, 500)].index("urgent") == 1
