"""Renewed, removed, unexpected: the whole way from the directory to the inbox (P21, P24)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from jobs.send_warnings import deliver, send_warnings
from monitor.config import load
from monitor.model import OutboxState, Recipient, Tenant
from monitor.sandbox import SmtpFault
from monitor.sandbox.draft import Draft
from monitor.sandbox.world import Secret
from monitor.sandbox.world import Tenant as WorldTenant
from monitor.wiring import App
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage

DAY = timedelta(days=1)
DOWN = SmtpFault("RCPT", reply="451 4.7.500 Server busy. Please try again later")
ME = "it@contoso.example"


class Room:
    """Contoso with one app, whose only secret ends in 30 days."""

    def __init__(self) -> None:
        self.draft = Draft("contoso", "Contoso", SIX)
        self.draft.monitor()
        self.draft.sender()
        self.app = self.draft.app("Backup", secrets=[self.secret(30)])
        self.tenant: WorldTenant = self.draft.tenant
        self.show: Stage

    def secret(self, days: int) -> Secret:
        """A secret of the app that ends in so many days from the beginning."""
        return self.draft.secret("Backup", days, age=days + 5)

    def rotate(self) -> None:
        """Add one that is valid for years beside the old one."""
        self.app.secrets.append(self.secret(800))

    def change(self, **about: object) -> None:
        """The tenant's entry with another value."""
        entry = self.show.app.store.tenant("contoso")
        assert isinstance(entry, Tenant)
        self.show.app.store.put_tenant(replace(entry, **about), now=self.show.clock.now())  # type: ignore[arg-type]

    def morning(self, day: int) -> list[tuple[str, str]]:
        """What is written at eight o'clock so many days on, after a scan."""
        self.show.at(SIX + day * DAY + HOUR)
        assert self.show.scan()["contoso"].complete
        self.show.at(SIX + day * DAY + 2 * HOUR)
        return self.show.warn()

    def subject(self) -> str:
        """The newest mail's subject."""
        return self.show.app.store.outbox(limit=1)[0].mail.subject


@contextmanager
def room(folder: Path):
    """The product over that world."""
    made = Room()
    with stage(folder, made.tenant) as made.show:
        yield made


def test_a_rotation_ends_with_one_word_to_whoever_was_told(tmp_path: Path) -> None:
    """And the days after it say nothing, until the old one is about to end."""
    with room(tmp_path) as here:
        assert here.morning(0) == [(ME, "reminder")]
        here.rotate()
        assert here.morning(1) == [(ME, "renewed")]
        assert here.subject().startswith('[Lapsewatch] RENEWED: "Backup" secret now valid to ')
        text = here.show.app.store.outbox(limit=1)[0].mail.text
        assert " is still there until " in text
        assert [here.morning(day) for day in (2, 3, 22)] == [[], [], []]
        assert here.morning(23) == [(ME, "covered")]
        assert here.show.inbox("renewed") == [ME]


def test_a_second_tick_and_a_second_process_change_nothing(tmp_path: Path) -> None:
    """P24: a consecutive run finds nothing."""
    with room(tmp_path) as here:
        here.morning(0)
        here.rotate()
        assert here.morning(1) == [(ME, "renewed")]
        before = here.show.app.store.outbox()
        for _ in range(3):
            here.show.scan(due_only=False)
            assert here.show.warn() == []
            assert send_warnings(here.show.restarted().app)[0] == []
        assert here.show.app.store.outbox() == before


def test_a_deletion_is_closed_as_removed(tmp_path: Path) -> None:
    """It is gone, and nothing took its place."""
    with room(tmp_path) as here:
        here.morning(0)
        here.app.secrets.clear()
        assert here.morning(1) == [(ME, "removed")]
        assert here.subject() == '[Lapsewatch] REMOVED: "Backup" secret is gone - contoso'
        assert here.morning(2) == []


def test_a_moved_end_closes_the_life_that_was_told(tmp_path: Path) -> None:
    """Same key, later end: told for the new life again when that comes near."""
    with room(tmp_path) as here:
        here.morning(0)
        here.app.secrets[0] = replace(here.app.secrets[0], end=here.draft.day(60))
        assert here.morning(1) == [(ME, "reminder")], "the new life is due at once"
        here.app.secrets[0] = replace(here.app.secrets[0], end=here.draft.day(400))
        assert here.morning(2) == [(ME, "renewed")]
        assert here.morning(3) == []


def test_when_the_new_one_goes_away_the_reminders_go_on(tmp_path: Path) -> None:
    """And the second renewal is told as well."""
    with room(tmp_path) as here:
        here.morning(0)
        here.rotate()
        assert here.morning(1) == [(ME, "renewed")]
        here.app.secrets.pop()
        assert here.morning(2) == []
        assert here.morning(16) == [(ME, "reminder")]
        here.rotate()
        assert here.morning(17) == [(ME, "renewed")]


def test_who_is_no_recipient_any_more_hears_the_end_and_nothing_else(tmp_path: Path) -> None:
    """At the tenant's hour; the new recipient was never told, and hears of no end."""
    with room(tmp_path) as here:
        here.draft.app("Other", secrets=[here.draft.secret("Other", 31)])
        assert here.morning(0) == [(ME, "reminder")]
        here.change(recipients=(Recipient("new@contoso.example"),))
        assert here.morning(1) == [("new@contoso.example", "reminder")]
        here.rotate()
        assert sorted(here.morning(2)) == [(ME, "renewed"), ("new@contoso.example", "renewed")]
        assert here.morning(17) == [("new@contoso.example", "reminder")], "about the other app"
        mine = [row for row in here.show.app.store.outbox() if row.recipient == ME]
        assert "Other" not in mine[0].mail.text


def test_a_paused_tenant_says_nothing_of_ends(tmp_path: Path) -> None:
    """It is not mailed about at all; the end is told when it is watched again."""
    with room(tmp_path) as here:
        here.morning(0)
        here.rotate()
        here.change(paused=True)
        here.show.at(SIX + DAY + 2 * HOUR)
        assert here.show.warn() == []
        here.change(paused=False)
        assert here.morning(2) == [(ME, "renewed")]


def test_in_shadow_the_end_of_what_was_told_is_a_mail_of_its_own_kind(tmp_path: Path) -> None:
    """The welcome was the telling; its end is no second welcome."""
    with room(tmp_path) as here:
        here.change(shadow_until=SIX + 14 * DAY)
        assert here.morning(0) == [(ME, "welcome")]
        here.rotate()
        assert here.morning(1) == [(ME, "renewed")]
        assert here.morning(2) == []


def states(here: Room) -> list[tuple[str, OutboxState]]:
    """Kind and state of every mail, oldest first."""
    return [(str(row.mail.kind), row.state) for row in reversed(here.show.app.store.outbox())]


def test_what_waits_about_a_renewed_one_is_not_sent_when_the_path_heals(tmp_path: Path) -> None:
    """Nobody was told, so nobody needs to hear that it is over."""
    with room(tmp_path) as here:
        here.tenant.mailboxes[0].faults.append(DOWN)
        assert here.morning(0) == [(ME, "reminder")]
        here.rotate()
        here.show.at(SIX + 9 * HOUR)
        here.show.scan()
        here.tenant.mailboxes[0].faults.clear()
        deliver(here.show.app)
        assert states(here) == [("reminder", OutboxState.WITHDRAWN)]
        assert here.morning(1) == []
        assert here.show.inbox("reminder") == []


def test_what_waits_to_somebody_who_was_told_is_replaced_by_the_end(tmp_path: Path) -> None:
    """The next stage waits when the renewal is seen: they hear of the renewal instead."""
    with room(tmp_path) as here:
        here.morning(0)
        here.tenant.mailboxes[0].faults.append(DOWN)
        assert here.morning(16) == [(ME, "reminder")]
        here.rotate()
        here.show.at(SIX + 16 * DAY + 9 * HOUR)
        here.show.scan()
        here.tenant.mailboxes[0].faults.clear()
        deliver(here.show.app)
        assert states(here) == [
            ("reminder", OutboxState.SENT), ("reminder", OutboxState.WITHDRAWN),
            ("renewed", OutboxState.SENT),
        ]  # fmt: skip


def test_of_a_waiting_digest_that_is_true_in_part_the_rest_is_told(tmp_path: Path) -> None:
    """At once, in a digest without the renewed one."""
    with room(tmp_path) as here:
        here.draft.app("Other", secrets=[here.draft.secret("Other", 30)])
        here.tenant.mailboxes[0].faults.append(DOWN)
        here.morning(0)
        here.rotate()
        here.show.at(SIX + 9 * HOUR)
        here.show.scan()
        here.tenant.mailboxes[0].faults.clear()
        deliver(here.show.app)
        assert states(here) == [
            ("reminder", OutboxState.WITHDRAWN), ("reminder", OutboxState.SENT),
        ]  # fmt: skip
        about = {notice.uid for notice in here.show.app.store.outbox(limit=1)[0].notices}
        assert len(about) == 1


def test_an_end_that_waits_and_did_not_last_is_taken_back(tmp_path: Path) -> None:
    """The new one is gone again before anybody heard of it."""
    with room(tmp_path) as here:
        here.morning(0)
        here.rotate()
        here.tenant.mailboxes[0].faults.append(DOWN)
        assert here.morning(1) == [(ME, "renewed")]
        here.app.secrets.pop()
        here.show.at(SIX + DAY + 9 * HOUR)
        here.show.scan()
        here.tenant.mailboxes[0].faults.clear()
        deliver(here.show.app)
        assert states(here)[-1] == ("renewed", OutboxState.WITHDRAWN)


def test_an_end_stands_in_the_digest_beside_what_is_due(tmp_path: Path) -> None:
    """One mail: what is due first, then what is done."""
    with room(tmp_path) as here:
        here.morning(0)
        here.rotate()
        here.draft.app("Other", secrets=[here.draft.secret("Other", 29)])
        assert here.morning(1) == [(ME, "reminder")]
        text = here.show.app.store.outbox(limit=1)[0].mail.text
        assert text.index("Other") < text.index("Done since the last mail") < text.index("Backup")
        assert here.morning(2) == []


def test_what_lapsewatch_signs_in_with_is_not_done_by_a_newer_one_in_entra(tmp_path: Path) -> None:
    """Its reminders go on until the new value is here."""
    with room(tmp_path) as here:
        monitor = here.tenant.monitor
        assert monitor is not None
        own = next(
            app for app in here.tenant.apps
            if any(secret.key_id == monitor.key_id for secret in app.secrets)
        )  # fmt: skip
        index = next(i for i, one in enumerate(own.secrets) if one.key_id == monitor.key_id)
        own.secrets[index] = replace(own.secrets[index], end=here.draft.day(30))
        here.morning(0)
        own.secrets.append(
            replace(own.secrets[index], key_id="0" * 8, hint="zzz", end=here.draft.day(800))
        )
        here.app.secrets.clear()
        assert here.morning(1) == [(ME, "removed")], "only the other one"
        closed = here.show.app.store.outbox(limit=1)[0].notices
        assert [notice.uid.split("/")[0] for notice in closed] == [here.app.object_id]


def with_rule(show: Stage, rule: str) -> Stage:
    """The same folder under a process whose settings have a rule."""
    path = show.configuration.path
    assert path is not None
    path.write_text(path.read_text("utf-8") + rule, "utf-8")
    configuration = load(path)
    return replace(show, app=App(configuration, clock=show.clock.now), configuration=configuration)


def test_what_a_rule_forbids_is_told_once_in_a_mail_of_its_own(tmp_path: Path) -> None:
    """Beside the reminder, with the rule's reason; the next day it is not said again."""
    with room(tmp_path) as here:
        rule = '\n[[forbid]]\napp = "back*"\nkind = "secret"\nreason = "Certificates only."\n'
        here.show = with_rule(here.show, rule)
        assert sorted(here.morning(0)) == [(ME, "reminder"), (ME, "unexpected")]
        (odd,) = [
            row for row in here.show.app.store.outbox() if row.mail.kind.value == "unexpected"
        ]
        assert odd.mail.subject == (
            '[Lapsewatch] UNEXPECTED: secret on "Backup" should not be there - contoso'
        )
        assert "Certificates only." in odd.mail.text
        assert "It may stay? Ask " in odd.mail.text  # the operator, who has the settings
        assert odd.mail.urgent
        assert here.morning(1) == []
        here.rotate()
        assert sorted(here.morning(2)) == [(ME, "renewed"), (ME, "unexpected")]


def test_a_rule_for_an_empty_tenant_says_nothing(tmp_path: Path) -> None:
    """And the minute after costs nothing."""
    with room(tmp_path) as here:
        here.show = with_rule(here.show, '\n[[forbid]]\ntenant = "fab*"\nreason = "No."\n')
        assert here.morning(0) == [(ME, "reminder")]
        here.show.clock.advance(MINUTE)
        assert here.show.warn() == []
