"""The warnings follow the roster: who is no longer to be told is not; nobody is told twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from jobs.send_warnings import send_warnings
from monitor.model import OutboxState, Recipient, Tenant
from monitor.sandbox import SmtpFault
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage, story

DOWN = SmtpFault("RCPT", reply="451 4.7.500 Server busy. Please try again later")


def the(show: Stage, name: str) -> Tenant:
    """A tenant as the store holds it."""
    found = show.app.store.tenant(name)
    assert found is not None
    return found


def change(show: Stage, name: str, **about: object) -> None:
    """Import a tenant with another value."""
    show.app.store.put_tenant(replace(the(show, name), **about), now=show.clock.now())  # type: ignore[arg-type]


def states(show: Stage) -> list[tuple[str, OutboxState]]:
    """Every mail's recipient and state, oldest first."""
    return [(row.recipient, row.state) for row in reversed(show.app.store.outbox())]


def waiting_digest(show: Stage) -> None:
    """Contoso's digest is written, and its server is busy."""
    show.scan()
    show.at(SIX + 2 * HOUR)
    assert show.warn() == [("it@contoso.example", "reminder")]
    assert states(show) == [("it@contoso.example", OutboxState.PENDING)]


def busy(name: str) -> object:
    """A tenant with a credential near its end, whose mails wait."""
    tenant = story(name, SIX, 5)
    tenant.mailboxes[0].faults.append(DOWN)
    return tenant


def test_a_removed_recipient_does_not_get_what_waited(tmp_path: Path) -> None:
    """The next in line hears of it at their next run."""
    tenant = busy("contoso")
    with stage(tmp_path, tenant) as show:
        waiting_digest(show)
        change(show, "contoso", recipients=(Recipient("new@contoso.example"),))
        tenant.mailboxes[0].faults.clear()
        show.clock.advance(HOUR)
        assert show.warn() == [("new@contoso.example", "reminder")]
        assert show.inbox("reminder") == ["new@contoso.example"]
        assert states(show)[0] == ("it@contoso.example", OutboxState.WITHDRAWN)


def test_what_waited_about_a_paused_tenant_is_not_sent(tmp_path: Path) -> None:
    """And is told anew when it is watched again."""
    tenant = busy("contoso")
    with stage(tmp_path, tenant) as show:
        waiting_digest(show)
        change(show, "contoso", paused=True)
        tenant.mailboxes[0].faults.clear()
        show.clock.advance(HOUR)
        assert show.warn() == []
        assert show.inbox("reminder") == []
        change(show, "contoso", paused=False)
        show.at(SIX + 26 * HOUR)
        show.scan()
        assert show.warn() == [("it@contoso.example", "reminder")]


def test_a_changed_zone_tells_once(tmp_path: Path) -> None:
    """What waited in the old zone gives way to the run of the new one."""
    tenant = busy("contoso")
    with stage(tmp_path, tenant) as show:
        waiting_digest(show)
        change(show, "contoso", time_zone="Europe/Athens")
        show.scan()
        tenant.mailboxes[0].faults.clear()
        show.clock.advance(2 * MINUTE)
        show.warn()
        show.clock.advance(HOUR)
        show.warn()
        assert show.inbox("reminder") == ["it@contoso.example"]


def test_a_tenant_imported_in_the_day_is_told_about_once_it_was_read(tmp_path: Path) -> None:
    """Its recipient's hour is over, so the run is made up; but not before there are facts."""
    with stage(tmp_path, story("contoso", SIX, 5), story("fabrikam", SIX, 5)) as show:
        fabrikam = the(show, "fabrikam")
        show.app.store.remove_tenant("fabrikam")
        show.scan()
        show.at(SIX + 5 * HOUR)
        assert show.warn() == [("it@contoso.example", "reminder")]
        show.app.store.put_tenant(fabrikam, now=show.clock.now())
        show.clock.advance(MINUTE)
        assert show.warn() == []
        assert show.scan().keys() == {"fabrikam"}
        assert show.warn() == [("it@fabrikam.example", "reminder")]


def test_a_tenant_whose_entry_changed_is_read_at_once(tmp_path: Path) -> None:
    """Somebody mended the credential, and wants to know whether it works."""
    with stage(tmp_path, story("contoso", SIX)) as show:
        show.scan()
        show.clock.advance(MINUTE)
        assert show.scan() == {}
        change(show, "contoso", tags=("gold",))
        assert show.scan().keys() == {"contoso"}
        assert show.scan() == {}


def test_a_digest_that_cannot_be_written_is_told_and_stops_no_other(tmp_path: Path) -> None:
    """A zone that this machine does not know, in a database restored from another."""
    with stage(tmp_path, story("contoso", SIX, 5), story("fabrikam", SIX, 5)) as show:
        show.scan()
        change(show, "contoso", time_zone="Africa/Atlantis", sender=None)
        show.at(SIX + 2 * HOUR)
        _, outcome = send_warnings(show.app)
        assert outcome.unwritten == ["it@contoso.example"]
        assert [mail.recipient for mail in outcome.sent] == ["it@fabrikam.example"]


def test_a_second_process_by_hand_says_nothing_twice(tmp_path: Path) -> None:
    """`run warn` beside the service, again and again."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        show.scan()
        show.at(SIX + 2 * HOUR)
        assert len(send_warnings(show.app)[0]) == 1
        assert show.warn() == []
        assert send_warnings(show.restarted().app)[0] == []
        assert show.inbox("reminder") == ["it@contoso.example"]


def test_a_slot_that_is_done_costs_no_decision(tmp_path: Path) -> None:
    """A minute later, and after a failed delivery, nothing is written anew."""
    tenant = busy("contoso")
    with stage(tmp_path, tenant) as show:
        waiting_digest(show)
        (row,) = show.app.store.outbox()
        show.clock.advance(timedelta(minutes=1))
        assert show.warn() == []
        assert [mail.id for mail in show.app.store.outbox()] == [row.id]
