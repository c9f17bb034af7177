"""Alarms: raised once, and "recovered" only for those who heard of the trouble."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from monitor.errors import StoreError
from monitor.model import (
    AlarmChange,
    CanaryResult,
    MailKind,
    OutboxMail,
    OutboxState,
    Probe,
    Receipt,
)
from monitor.store import AlarmWrite, Store

SCOPE = "tenant:contoso"
SENDER = "sender:contoso|m@contoso.example"
KINDS = {
    "open": MailKind.CANNOT_CHECK, "keep": MailKind.CANNOT_CHECK, "close": MailKind.RECOVERED,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _contoso(store: Store, make) -> None:
    store.put_tenant(make.tenant(), now=make.now)


def write(store: Store, make, change: str, *who: str, hours: float = 0) -> list[str]:
    """Record a scan that opens, keeps or closes the alarm; returns the ids of the mails offered."""
    at = make.now + timedelta(hours=hours)
    offered = [
        make.mail(kind=KINDS[change], scope=SCOPE, recipient=f"{name}@contoso.example", date=at)
        for name in who or ("ann",)
    ]
    scan = make.scan(hours=hours, complete=change == "close")
    alarm = AlarmWrite(AlarmChange(change), SCOPE, at, tuple(offered))
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
    waiting, given_up = write(store, make, "open", "ann", "ben")
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
    """Once its end was told, the second one is judged by its own mails, not by the first's."""
    [first] = write(store, make, "open")
    accept(store, make)
    [over] = write(store, make, "close", hours=6)
    accept(store, make)
    [second] = write(store, make, "open", hours=12)
    assert store.health()["contoso"].alarm_opened_at == make.now + timedelta(hours=12)
    write(store, make, "close", hours=18)
    assert states(store) == {
        first: OutboxState.SENT,
        over: OutboxState.SENT,
        second: OutboxState.WITHDRAWN,
    }


def test_an_alarm_without_a_mail_stands_too(store: Store, make) -> None:
    """There may be nobody to tell; page and exit code still know."""
    alarm = AlarmWrite(AlarmChange.OPEN, SCOPE, make.now)
    store.record_scan(make.scan(complete=False), zone=make.zone, alarm=alarm)
    assert store.health()["contoso"].alarm_opened_at == make.now


def test_alarms_of_a_tenant_and_of_its_sender_are_apart(store: Store, make) -> None:
    """One may end while the other stands."""
    write(store, make, "open")
    probe = Probe(
        "contoso", "m@contoso.example", make.now, make.now, CanaryResult.FAILED, "auth", "x", "535"
    )
    mail = make.mail(kind=MailKind.CANARY_FAILED, scope=SENDER)
    store.record_probe(probe, AlarmWrite(AlarmChange.OPEN, SENDER, make.now, (mail,)))
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
        store.record_probe(probe, AlarmWrite(AlarmChange.OPEN, SENDER, make.now, (taken,)))
    assert store.probes() == []
    assert store.sender_health() == {}


def accept(store: Store, make) -> None:
    """Claim the next mail and have it accepted."""
    mail = claim(store, make.now)
    store.mark_sent(mail.id, mail.lease_token or "", Receipt("250", make.now))


def test_the_end_is_told_to_those_alone_who_heard_of_the_beginning(store: Store, make) -> None:
    """Ann was told, Ben's address was refused, Cid's mail waits still."""
    ann, ben, cid = write(store, make, "open", "ann", "ben", "cid")
    accept(store, make)
    mail = claim(store, make.now)
    store.mark_dead(mail.id, mail.lease_token or "", error="550", cause="recipient_unknown")
    assert store.heard(SCOPE) == ("ann@contoso.example",)
    over, *_ = write(store, make, "close", "ann", "ben", "cid", hours=6)
    assert states(store) == {
        ann: OutboxState.SENT, ben: OutboxState.WITHDRAWN, cid: OutboxState.WITHDRAWN,
        over: OutboxState.PENDING,
    }  # fmt: skip
    assert store.heard(SCOPE) == ()


def test_what_may_have_been_accepted_counts_as_heard(store: Store, make) -> None:
    """Its answer was lost: the end is told, and the beginning is not sent again after it."""
    [alarm] = write(store, make, "open")
    mail = claim(store, make.now)
    store.mark_retry(
        mail.id, mail.lease_token or "", not_before=make.now, error="no answer",
        cause="reply_timeout", uncertain=True,
    )  # fmt: skip
    assert store.heard(SCOPE) == ("ann@contoso.example",)
    [over] = write(store, make, "close", hours=6)
    assert states(store) == {alarm: OutboxState.WITHDRAWN, over: OutboxState.PENDING}


def test_a_corrected_address_hears_of_an_alarm_that_stands(store: Store, make) -> None:
    """The wrong one was refused; nobody would have been told until the outage was over."""
    [wrong] = write(store, make, "open", "typo")
    mail = claim(store, make.now)
    store.mark_dead(mail.id, mail.lease_token or "", error="550", cause="recipient_unknown")
    [right] = write(store, make, "keep", "ann", hours=1)
    assert states(store) == {wrong: OutboxState.WITHDRAWN, right: OutboxState.PENDING}
    write(store, make, "keep", "ann", hours=2)
    assert set(states(store)) == {wrong, right}


def test_an_added_address_hears_of_it_and_the_others_are_not_told_twice(store: Store, make) -> None:
    """However their address is spelled."""
    [ann] = write(store, make, "open", "ann")
    accept(store, make)
    _, ben = write(store, make, "keep", "ANN", "ben", hours=1)
    assert states(store) == {ann: OutboxState.SENT, ben: OutboxState.PENDING}
    accept(store, make)
    write(store, make, "keep", "ann", "ben", "BEN", hours=2)
    assert set(states(store)) == {ann, ben}


def test_an_address_that_was_refused_is_tried_anew_after_a_day(store: Store, make) -> None:
    """It may exist by now; more often would only be refused more often."""
    [first] = write(store, make, "open", "new.hire")
    mail = claim(store, make.now)
    store.mark_dead(mail.id, mail.lease_token or "", error="550", cause="recipient_unknown")
    write(store, make, "keep", "new.hire", hours=23)
    assert states(store) == {first: OutboxState.DEAD}
    [second] = write(store, make, "keep", "new.hire", hours=24)
    assert states(store) == {first: OutboxState.WITHDRAWN, second: OutboxState.PENDING}


def test_an_alarm_that_does_not_stand_is_not_kept(store: Store, make) -> None:
    """Another process closed it meanwhile."""
    write(store, make, "keep")
    assert states(store) == {}


def test_alarms_about_what_is_no_longer_watched_end_without_a_word(store: Store, make) -> None:
    """The mailbox of a sender was changed: what waits about the old one goes."""
    [tenant] = write(store, make, "open")
    probe = Probe(
        "contoso", "m@contoso.example", make.now, make.now, CanaryResult.FAILED, "auth", "x", "535"
    )
    told, waits = (
        make.mail(kind=MailKind.CANARY_FAILED, scope=SENDER, recipient=who)
        for who in ("ann@contoso.example", "ben@contoso.example")
    )
    store.record_probe(probe, AlarmWrite(AlarmChange.OPEN, SENDER, make.now, (told, waits)))
    accept(store, make)
    accept(store, make)
    assert store.end_alarms_except({SENDER}, "sender:", make.now) == []
    other = {"sender:contoso|new@contoso.example"}
    assert store.end_alarms_except(other, "sender:", make.now) == [SENDER]
    assert states(store) == {
        tenant: OutboxState.SENT, told.id: OutboxState.SENT, waits.id: OutboxState.WITHDRAWN,
    }  # fmt: skip
    assert store.health()["contoso"].alarm_opened_at == make.now


def test_an_alarm_that_comes_back_before_its_end_was_told_goes_on(store: Store, make) -> None:
    """Or the last word would be a false all-clear; and nobody hears of the beginning twice."""
    ann, _ = write(store, make, "open", "ann", "ben")
    accept(store, make)
    [over] = write(store, make, "close", "ann", hours=1)
    _, ben = write(store, make, "open", "ann", "ben", hours=2)
    found = states(store)
    assert (found[ann], found[over], found[ben]) == (
        OutboxState.SENT, OutboxState.WITHDRAWN, OutboxState.PENDING,
    )  # fmt: skip
    assert store.heard(SCOPE) == ("ann@contoso.example",)
    [end] = write(store, make, "close", "ann", hours=3)
    assert states(store)[end] is OutboxState.PENDING


def test_an_end_whose_alarm_came_back_in_flight_is_not_sent_again(store: Store, make) -> None:
    """The server was busy just when the tenant failed anew."""
    write(store, make, "open")
    accept(store, make)
    [over] = write(store, make, "close", hours=1)
    mail = claim(store, make.now)
    [second] = write(store, make, "open", hours=2)
    store.mark_retry(
        mail.id, mail.lease_token or "", not_before=make.now, error="busy", cause="smtp_busy"
    )
    assert claim(store, make.now + timedelta(hours=3)).id == second
    assert states(store)[over] is OutboxState.WITHDRAWN


def test_an_alarm_that_ended_while_its_mail_was_in_flight_is_not_sent_again(
    store: Store, make
) -> None:
    """Its end was told, because it may have been accepted."""
    [alarm] = write(store, make, "open")
    mail = claim(store, make.now)
    [over] = write(store, make, "close", hours=1)
    store.mark_retry(
        mail.id, mail.lease_token or "", not_before=make.now, error="busy", cause="smtp_busy"
    )
    later = make.now + timedelta(hours=2)
    assert claim(store, later).id == over
    assert states(store)[alarm] is OutboxState.WITHDRAWN
