"""A tenant is taken over in shadow: one welcome, silence, then the reminders; nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from jobs.send_warnings import deliver
from monitor.model import OutboxState, Recipient, Tenant
from monitor.sandbox import SmtpFault
from monitor.sandbox.world import Tenant as WorldTenant
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage, story

DAY = timedelta(days=1)
DOWN = SmtpFault("RCPT", reply="451 4.7.500 Server busy. Please try again later")
ME = "it@contoso.example"


def the(show: Stage, name: str = "contoso") -> Tenant:
    """A tenant as the store holds it."""
    found = show.app.store.tenant(name)
    assert found is not None
    return found


def change(show: Stage, name: str = "contoso", **about: object) -> None:
    """The tenant with another value."""
    show.app.store.put_tenant(replace(the(show, name), **about), now=show.clock.now())  # type: ignore[arg-type]


def morning(show: Stage, day: int) -> list[tuple[str, str]]:
    """What is written at eight o'clock so many days on, after a scan."""
    show.at(SIX + day * DAY + HOUR)
    show.scan()
    show.at(SIX + day * DAY + 2 * HOUR)
    return show.warn()


def shaded(show: Stage, days: float = 14) -> None:
    """Contoso is in shadow from six o'clock on, for so many days."""
    change(show, shadow_until=SIX + days * DAY)


def busy(*days: int) -> WorldTenant:
    """Contoso, whose mails wait."""
    tenant = story("contoso", SIX, *days)
    tenant.mailboxes[0].faults.append(DOWN)
    return tenant


def bodies(show: Stage) -> list[str]:
    """What the last mails said, as text."""
    return [str(message.parsed.get_body(("plain",))) for message in show.cloud.inbox.messages]


def test_one_welcome_then_silence_then_the_reminders_go_on(tmp_path: Path) -> None:
    """Day by day, with real mail; the second day of the silence would have had a reminder."""
    with stage(tmp_path, story("contoso", SIX, 8, 20, -3)) as show:
        shaded(show)
        diary = {day: morning(show, day) for day in range(17)}
        told = {day: kinds for day, rows in diary.items() if (kinds := [k for _, k in rows])}
        assert told == {0: ["welcome"], 14: ["lapsed"], 15: ["lapsed"]}  # a week after the lapse
        welcome, after, _ = [b for b in bodies(show) if "You get this mail" in b]
        assert "contoso is newly watched: 1 secret expired, 2 secrets need renewal." in welcome
        assert "App 8" in after
        assert "App 20" in after


def test_without_the_shadow_the_same_fortnight_has_its_reminders(tmp_path: Path) -> None:
    """The known-bad variant of the test above: it is the shadow that keeps the silence."""
    with stage(tmp_path, story("contoso", SIX, 8, 20, -3)) as show:
        kinds = [kind for day in range(14) for _, kind in morning(show, day)]
        assert kinds[0] == "lapsed"
        assert len(kinds) > 3


def test_a_recipient_added_later_has_a_welcome_of_their_own(tmp_path: Path) -> None:
    """The first one is not written to again."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        shaded(show)
        assert morning(show, 0) == [(ME, "welcome")]
        change(show, recipients=(Recipient(ME), Recipient("new@contoso.example")))
        assert morning(show, 1) == [("new@contoso.example", "welcome")]
        assert morning(show, 2) == []


def test_alarms_are_not_held_back(tmp_path: Path) -> None:
    """That a tenant cannot be read is news in any light."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        shaded(show)
        change(show, client_id="00000000-0000-4000-8000-00000000dead")
        show.scan()
        deliver(show.app)
        assert show.inbox("cannot_check") == ["noc@msp.example"]


def test_a_waiting_welcome_becomes_a_reminder_when_its_tenant_goes_live(tmp_path: Path) -> None:
    """At the next tick, because today's run was due: nobody reads that it would be quiet."""
    tenant = busy(5)
    with stage(tmp_path, tenant) as show:
        shaded(show)
        assert morning(show, 0) == [(ME, "welcome")]
        change(show, shadow_until=None)
        tenant.mailboxes[0].faults.clear()
        show.clock.advance(HOUR)
        deliver(show.app)
        assert (show.inbox("welcome"), show.inbox("reminder")) == ([], [ME])


def test_a_welcome_that_waits_until_the_shadow_is_over_is_sent_as_a_reminder(
    tmp_path: Path,
) -> None:
    """The mail server was down for the whole time; the credential has lapsed meanwhile."""
    tenant = busy(2)
    with stage(tmp_path, tenant) as show:
        shaded(show, days=3)
        assert morning(show, 0) == [(ME, "welcome")]
        assert morning(show, 2) == [(ME, "welcome")]  # a worse stage takes its place
        tenant.mailboxes[0].faults.clear()
        show.at(SIX + 3 * DAY + 2 * HOUR)
        show.scan()
        show.warn()
        show.clock.advance(HOUR)
        deliver(show.app)
        assert (show.inbox("welcome"), show.inbox("lapsed")) == ([], [ME])


def test_a_welcome_that_may_have_been_read_is_sent_as_it_was(tmp_path: Path) -> None:
    """The server's answer was lost: in other words it would be a second mail."""
    tenant = story("contoso", SIX, 5)
    tenant.mailboxes[0].faults.append(SmtpFault("END", drop=True))
    with stage(tmp_path, tenant) as show:
        shaded(show)
        assert morning(show, 0) == [(ME, "welcome")]
        (row,) = show.app.store.outbox()
        assert row.possible_duplicate
        change(show, shadow_until=None)
        tenant.mailboxes[0].faults.clear()
        show.clock.advance(HOUR)
        deliver(show.app)
        assert (show.inbox("welcome"), show.inbox("reminder")) == ([ME], [])
        assert [mail.state for mail in show.app.store.outbox()] == [OutboxState.SENT]


def test_a_waiting_welcome_about_a_paused_or_removed_tenant_is_taken_back(tmp_path: Path) -> None:
    """As any digest is; a tenant that comes back is told about anew."""
    tenant = busy(5)
    with stage(tmp_path, tenant) as show:
        shaded(show)
        assert morning(show, 0) == [(ME, "welcome")]
        change(show, paused=True)
        deliver(show.app)
        assert [mail.state for mail in show.app.store.outbox()] == [OutboxState.WITHDRAWN]
        change(show, paused=False)
        assert morning(show, 1) == [(ME, "welcome")]
        show.app.store.remove_tenant("contoso")
        deliver(show.app)
        assert show.app.store.outbox() == []


def test_one_address_with_two_zones_gets_one_welcome(tmp_path: Path) -> None:
    """The ledger knows addresses, not zones."""
    here, there = Recipient(ME), Recipient(ME, "America/New_York", 1)
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        shaded(show)
        change(show, recipients=(here, there))
        show.scan()
        show.at(SIX + 1.5 * HOUR)  # half past one in New York
        assert show.warn() == [(ME, "welcome")]
        show.at(SIX + 2 * HOUR)
        assert show.warn() == []


def test_two_replicas_write_one_welcome(tmp_path: Path) -> None:
    """The one that decided before the other had sent decides anew, and is silent."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        shaded(show)
        show.scan()
        show.at(SIX + 2 * HOUR)
        slow = show.restarted().app
        standing = slow.runs.standing()
        (run,) = [run for run in standing.runs if run.address == ME]
        assert slow.runs.plan(run, standing)[0][0].mail.kind == "welcome"
        assert show.warn() == [(ME, "welcome")]
        assert slow.runs.write(run, standing) == []
        assert show.inbox("welcome") == [ME]


def test_the_live_tenants_of_a_recipient_have_their_digest_as_ever(tmp_path: Path) -> None:
    """One run writes a welcome and a reminder, and the next day neither again."""
    with stage(tmp_path, story("contoso", SIX, 5), story("fabrikam", SIX, 5)) as show:
        shaded(show)
        for name in ("contoso", "fabrikam"):
            change(show, name, recipients=(Recipient("noc@msp.example"),), sender=None)
        assert sorted(morning(show, 0)) == [
            ("noc@msp.example", "reminder"), ("noc@msp.example", "welcome"),
        ]  # fmt: skip
        show.clock.advance(MINUTE)
        assert show.warn() == []
        assert morning(show, 1) == []
