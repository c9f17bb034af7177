"""When the mails to come leave, by the limits of their mailboxes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitor.mailings import Foreseen
from monitor.model import OPERATOR, MailKind
from monitor.routes import Paths, Rate
from monitor.stretch import Stretch, departures, stretched

AT = datetime(2026, 3, 2, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOREPLY, NOC = Rate("noreply@contoso.example", 30), Rate("noc@msp.example", 2)
PATHS = Paths(
    {"tenant:contoso": ("contoso",), "operator": ("operator",)},
    rates={"tenant:contoso": NOREPLY, "operator": NOC},
)


def mails(count: int, at: datetime = AT, tenant: str = "contoso", first: int = 1) -> list[Foreseen]:
    """So many reminders at one instant, each a mail of its own."""
    kind = MailKind.REMINDER
    return [
        Foreseen(at, f"r{number}@contoso.example", kind, "30", tenant, mail=first + number)
        for number in range(count)
    ]


def test_a_run_over_the_limit_says_when_its_last_mail_leaves() -> None:
    """142 mails, 30 a minute: five minutes."""
    leaving = departures(mails(142), PATHS)
    assert stretched(leaving) == [Stretch(AT, 142, AT + 5 * MINUTE, NOREPLY)]
    assert leaving[30].leaves_by == AT
    assert leaving[31].leaves_by == AT + 2 * MINUTE


def test_a_run_within_the_limit_is_not_stretched() -> None:
    """Nor is one by a path without a limit."""
    assert stretched(departures(mails(30), PATHS)) == []
    free = Paths({"operator": ("relay",)})
    assert {one.leaves_by for one in departures(mails(99), free).values()} == {AT}


def test_what_a_mailbox_sent_just_before_takes_room_whoever_asked_for_it() -> None:
    """Canaries, reports and other recipients' runs, half a minute earlier; another's do not."""
    proof = Foreseen(AT, "canary@msp.example", MailKind.CANARY, "", OPERATOR, mail=1)
    report = Foreseen(AT + MINUTE / 2, "noc@msp.example", MailKind.REPORT, "", "", mail=2)
    later = mails(2, AT + MINUTE / 2, tenant="fabrikam", first=3)  # has no sender of its own
    leaving = departures([proof, report, *later, *mails(1, AT + MINUTE / 2, first=9)], PATHS)
    assert [leaving[number].leaves_by - AT for number in (1, 2, 3, 4, 9)] == [
        timedelta(0), MINUTE / 2, 2 * MINUTE, 2.5 * MINUTE, MINUTE / 2,
    ]  # fmt: skip


def test_the_notices_of_one_mail_take_room_once() -> None:
    """They share its number."""
    one = mails(1)[0]
    assert len(departures([one] * 60, PATHS)) == 1
    assert stretched(departures([one] * 60, PATHS)) == []
