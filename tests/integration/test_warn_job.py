"""The warnings follow the roster: who is no longer to be told is not; nobody is told twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from jobs.send_warnings import deliver, send_warnings
from monitor.model import (
    OPERATOR,
    CredentialRef,
    MailKind,
    OutboxState,
    Recipient,
    Scan,
    ScanRecord,
    Tenant,
    TenantState,
)
from monitor.sandbox import SmtpFault
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage, story

KIND = "X-Lapsewatch-Kind"
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


def test_a_digest_that_also_spoke_of_a_paused_tenant_is_written_anew(tmp_path: Path) -> None:
    """At once, about the others: today's run is over, and tomorrow may be after the lapse."""
    shared = Recipient("noc@msp.example")
    tenants = [story("contoso", SIX, 1), story("fabrikam", SIX, 1)]
    with stage(tmp_path, *tenants) as show:
        for name in ("contoso", "fabrikam"):
            change(show, name, recipients=(shared,), sender=None)
        show.cloud.world.operator.tenant.mailboxes[0].faults.append(DOWN)  # type: ignore[union-attr]
        show.scan()
        show.at(SIX + 2 * HOUR)
        assert show.warn() == [("noc@msp.example", "reminder")]
        change(show, "fabrikam", paused=True)
        show.cloud.world.operator.tenant.mailboxes[0].faults.clear()  # type: ignore[union-attr]
        show.clock.advance(MINUTE)
        deliver(show.app)
        show.clock.advance(HOUR)
        deliver(show.app)
        (message,) = [m for m in show.cloud.inbox.messages if "reminder" in str(m.header(KIND))]
        assert "contoso" in message.subject
        assert "fabrikam" not in str(message.parsed.get_body())


def test_a_removed_recipient_gets_nothing_from_any_tick(tmp_path: Path) -> None:
    """Also not from the one that only delivers."""
    tenant = busy("contoso")
    with stage(tmp_path, tenant) as show:
        waiting_digest(show)
        change(show, "contoso", recipients=(Recipient("new@contoso.example"),))
        tenant.mailboxes[0].faults.clear()
        show.clock.advance(HOUR)
        deliver(show.app)
        assert show.inbox("reminder") == []
        assert states(show)[0] == ("it@contoso.example", OutboxState.WITHDRAWN)


def test_two_runs_of_one_address_leave_nothing_unsaid(tmp_path: Path) -> None:
    """A waiting digest of the one speaks for a tenant of the other, and for no more than that."""
    here, there = Recipient("a@m.example"), Recipient("a@m.example", "America/New_York", 1)
    names = ("both", "west", "east")
    with stage(tmp_path, *(story(name, SIX, 5) for name in names)) as show:
        change(show, "both", recipients=(here, there), sender=None)
        change(show, "west", recipients=(there,), sender=None)
        change(show, "east", recipients=(here,), sender=None)
        show.cloud.world.operator.tenant.mailboxes[0].faults.append(DOWN)  # type: ignore[union-attr]
        show.scan()
        show.at(SIX + 1.5 * HOUR)  # half past one in New York
        assert len(show.warn()) == 1
        show.at(SIX + 2 * HOUR)
        assert len(show.warn()) == 1
        about = {row.tenants for row in show.app.store.outbox()}
        assert about == {("both", "west"), ("east",)}


def test_after_the_clock_was_ahead_everything_is_due_again(tmp_path: Path) -> None:
    """Nothing waits until the wrong time comes true, and nothing is called fresh meanwhile."""
    with stage(tmp_path, story("contoso", SIX, 50)) as show:
        show.at(SIX + timedelta(days=30, hours=3))
        show.scan()
        show.canaries()
        show.at(SIX + 3 * HOUR)
        (row,) = show.app.report().tenants
        assert row.state is TenantState.UNKNOWN
        assert all(canary.stale for canary in show.app.report().canaries)
        assert show.scan()["contoso"].complete
        assert set(show.canaries()) == {"contoso", OPERATOR}
        assert show.app.report().tenants[0].state is TenantState.OK
        assert show.scan() == {}


def test_a_failure_of_a_credential_that_was_corrected_meanwhile_alarms_nobody(
    tmp_path: Path,
) -> None:
    """And the corrected one is tried at once, not after an hour."""
    tenant = story("contoso", SIX)
    with stage(tmp_path, tenant) as show:
        good = the(show, "contoso")
        change(show, "contoso", credential=CredentialRef("secret", "file:/nowhere/x"))
        stale = the(show, "contoso")
        show.clock.advance(MINUTE)
        scan = failed_scan(show)
        show.clock.advance(MINUTE)
        show.app.store.put_tenant(good, now=show.clock.now())
        show.clock.advance(MINUTE)
        show.app.scans.record(stale, replace_end(scan, show), ())
        assert show.app.store.outbox() == []
        assert show.scan()["contoso"].complete


def test_a_failure_is_alarmed_though_the_reminders_were_started_meanwhile(tmp_path: Path) -> None:
    """`tenant live` is no correction of what could not be read."""
    with stage(tmp_path, story("contoso", SIX)) as show:
        change(show, "contoso", shadow_until=show.clock.now() + timedelta(days=14))
        stale = the(show, "contoso")
        show.clock.advance(MINUTE)
        scan = failed_scan(show)
        assert show.app.store.end_shadow("contoso", now=show.clock.now())
        show.app.scans.record(stale, replace_end(scan, show), ())
        assert [mail.mail.kind for mail in show.app.store.outbox()] == [MailKind.CANNOT_CHECK]


def failed_scan(show: Stage) -> Scan:
    """An attempt that began now and found the credential wrong."""
    now = show.clock.now()
    record = ScanRecord(
        "contoso", now, now, complete=False, cause="wrong_secret", retry="after_fix"
    )
    return Scan(record)


def replace_end(scan: Scan, show: Stage) -> Scan:
    """The same attempt, ending now."""
    return replace(scan, record=replace(scan.record, finished_at=show.clock.now()))
