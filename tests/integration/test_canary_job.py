"""The canaries on the clock: which sender is proven when, and who is told of a broken one."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from jobs.send_canaries import AGAIN, send_canaries
from jobs.send_warnings import deliver
from monitor.cli.root import run
from monitor.config import load
from monitor.errors import LapsewatchError
from monitor.model import OPERATOR, CanaryResult, Tenant
from monitor.sandbox import SmtpFault
from monitor.sandbox.world import Mailbox
from monitor.sandbox.world import Tenant as WorldTenant
from monitor.wiring import App
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage, story

BUSY = SmtpFault("MAIL", reply="451 4.7.500 Server busy. Please try again later")
SEVEN, DAY = SIX + HOUR, timedelta(days=1)


def contoso(show: Stage) -> Tenant:
    """The tenant as it is stored."""
    found = show.app.store.tenant("contoso")
    assert found is not None
    return found


def move(show: Stage, tenant: WorldTenant, address: str) -> Mailbox:
    """Let the tenant send as another mailbox, which exists and may be used."""
    mailbox = Mailbox(address, full_access=set(tenant.mailboxes[0].full_access))
    tenant.mailboxes.append(mailbox)
    stored = contoso(show)
    assert stored.sender is not None
    other = replace(stored, sender=replace(stored.sender, mailbox=address))
    show.app.store.put_tenant(other, now=show.clock.now())
    return mailbox


@contextmanager
def settings_changed(show: Stage, folder: Path, old: str, new: str) -> Iterator[Stage]:
    """The same store and cloud under other settings."""
    file = folder / "lapsewatch.toml"
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    with App(load(file), clock=show.clock.now) as app:
        yield replace(show, app=app)


def told(show: Stage, kind: str) -> list[str]:
    """Deliver, and say who got mails of a kind so far."""
    deliver(show.app)
    return show.inbox(kind)


@contextmanager
def unrecordable(folder: Path, tenant: str) -> Iterator[None]:
    """A database that refuses this tenant's probes, as a full disk would."""
    with closing(sqlite3.connect(folder / "lapsewatch.db", isolation_level=None)) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON probe WHEN NEW.tenant = "
            f"'{tenant}' BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
        yield
        database.execute("DROP TRIGGER full")


# --- when -----------------------------------------------------------------------------------------


def test_a_sender_is_proven_once_a_day_at_its_own_hour(tmp_path: Path) -> None:
    """07:00 in the tenant's zone, whatever time it is elsewhere."""
    tokyo = story("fabrikam", SIX, zone="Asia/Tokyo")
    with stage(tmp_path, story("contoso", SIX), tokyo) as show:
        assert set(show.canaries()) == {"fabrikam"}  # there it is two in the afternoon
        show.at(SEVEN)
        assert set(show.canaries()) == {"contoso", OPERATOR}
        assert show.canaries() == {}
        show.at(SEVEN + DAY)
        assert set(show.canaries()) == {"contoso", "fabrikam", OPERATOR}


def test_another_mailbox_is_proven_on_the_day_it_is_set(tmp_path: Path) -> None:
    """What was proven in the morning is the old one; each has its own alarm."""
    tenant = story("contoso", SIX)
    tenant.smtp_auth_disabled = True
    with stage(tmp_path, tenant, at=SEVEN) as show:
        assert show.canaries()["contoso"] is CanaryResult.FAILED
        assert len(told(show, "canary_failed")) == 1
        show.clock.advance(MINUTE)
        move(show, tenant, "Post@contoso.example")
        assert show.canaries() == {"contoso": CanaryResult.FAILED}
        assert show.canaries() == {}
        assert len(told(show, "canary_failed")) == 2
        assert {row.mailbox for row in show.app.report().canaries if row.tenant == "contoso"} == {
            "Post@contoso.example"
        }


def test_another_mailbox_of_the_operator_is_proven_on_the_day_it_is_set(tmp_path: Path) -> None:
    """Nobody keeps when the settings were changed, so its slot has to be its own."""
    with stage(tmp_path, story("contoso", SIX), at=SEVEN) as show:
        assert show.canaries()[OPERATOR] is CanaryResult.OK
        operator = show.cloud.world.operator
        assert operator is not None
        (old,) = operator.tenant.mailboxes
        operator.tenant.mailboxes.append(replace(old, address="alarms@msp.example"))
        with settings_changed(
            show, tmp_path, 'mailbox = "noc@msp.example"', 'mailbox = "alarms@msp.example"'
        ) as later:
            assert later.canaries() == {OPERATOR: CanaryResult.OK}
            assert later.canaries() == {}


def test_a_mailbox_that_works_does_not_end_the_alarm_of_another(tmp_path: Path) -> None:
    """Nobody is told RECOVERED about what nobody has proven."""
    tenant = story("contoso", SIX)
    tenant.mailboxes[0].faults.append(SmtpFault("MAIL", reply="550 5.7.60 SendAsDenied"))
    with stage(tmp_path, tenant, at=SEVEN) as show:
        assert show.canaries()["contoso"] is CanaryResult.FAILED
        assert len(told(show, "canary_failed")) == 1
        show.clock.advance(MINUTE)
        move(show, tenant, "post@contoso.example")
        assert show.canaries() == {"contoso": CanaryResult.OK}
        assert told(show, "recovered") == []


def test_a_failed_sender_is_proven_again_as_soon_as_its_tenant_is_changed(tmp_path: Path) -> None:
    """The new secret is tried now, and not after an hour."""
    with stage(tmp_path, story("contoso", SIX), at=SEVEN) as show:
        good = tmp_path / "secrets" / "contoso-sender"
        moved = good.rename(good.with_name("elsewhere"))
        assert show.canaries()["contoso"] is CanaryResult.FAILED
        assert len(told(show, "canary_failed")) == 1
        show.clock.advance(MINUTE)
        assert show.canaries() == {}
        stored = contoso(show)
        assert stored.sender is not None
        assert stored.sender.credential is not None
        credential = replace(stored.sender.credential, reference=f"file:{moved}")
        fixed = replace(stored, sender=replace(stored.sender, credential=credential))
        show.app.store.put_tenant(fixed, now=show.clock.now())
        assert show.canaries() == {"contoso": CanaryResult.OK}
        assert told(show, "recovered") == ["noc@msp.example"]
        assert show.canaries() == {}


# --- alarms ---------------------------------------------------------------------------------------


def test_a_passing_failure_is_proven_again_and_alarms_at_the_third(tmp_path: Path) -> None:
    """After 15 minutes, after an hour, then the alarm, by the operator's path."""
    tenant = story("contoso", SIX)
    tenant.mailboxes[0].faults.append(BUSY)
    with stage(tmp_path, tenant, at=SEVEN) as show:
        assert show.canaries()["contoso"] is CanaryResult.FAILED
        for wait, probed in ((14, False), (2, True), (40, False), (6, True)):
            assert told(show, "canary_failed") == []
            show.clock.advance(wait * MINUTE)
            assert ("contoso" in show.canaries()) is probed
        assert told(show, "canary_failed") == ["noc@msp.example"]
        (alarm,) = [
            message
            for message in show.cloud.inbox.messages
            if message.header("X-Lapsewatch-Kind") == "canary_failed"
        ]
        assert alarm.auth_user == "noc@msp.example"


def test_quick_probes_by_hand_do_not_alarm_nor_stop_the_retries(tmp_path: Path) -> None:
    """A server that is busy for three minutes is no broken path."""
    tenant = story("contoso", SIX)
    tenant.mailboxes[0].faults.append(BUSY)
    with stage(tmp_path, tenant, at=SEVEN) as show:
        for _ in range(4):
            (probe,) = send_canaries(show.app, only="contoso")
            assert probe.result is CanaryResult.FAILED
            show.clock.advance(MINUTE)
        assert told(show, "canary_failed") == []
        for wait in (12, 45):
            show.clock.advance(wait * MINUTE)
            assert show.canaries()["contoso"] is CanaryResult.FAILED
        assert told(show, "canary_failed") == ["noc@msp.example"]


@pytest.mark.parametrize("reply", ["451 4.7.500 Server busy.", "550 5.7.60 SendAsDenied"])
def test_while_an_alarm_stands_the_path_is_proven_every_hour(tmp_path: Path, reply: str) -> None:
    """So RECOVERED comes within the hour; the alarm itself is told once."""
    tenant = story("contoso", SIX)
    tenant.mailboxes[0].faults.append(SmtpFault("MAIL", reply=reply))
    with stage(tmp_path, tenant, at=SEVEN) as show:
        while told(show, "canary_failed") == []:
            assert show.clock.now() < SEVEN + 62 * MINUTE
            show.canaries()
            show.clock.advance(MINUTE)
        for _ in range(3):
            show.clock.advance(58 * MINUTE)
            assert show.canaries() == {}
            show.clock.advance(2 * MINUTE)
            assert show.canaries() == {"contoso": CanaryResult.FAILED}
        tenant.mailboxes[0].faults.clear()
        show.clock.advance(61 * MINUTE)
        assert show.canaries() == {"contoso": CanaryResult.OK}
        assert told(show, "recovered") == told(show, "canary_failed") == ["noc@msp.example"]
        (over,) = [row for row in show.app.store.outbox() if row.mail.kind.value == "recovered"]
        assert "What had failed: " in over.mail.text
        show.at(SEVEN + DAY)
        assert show.canaries()["contoso"] is CanaryResult.OK
        assert told(show, "recovered") == ["noc@msp.example"]


def test_an_address_that_is_added_while_an_alarm_stands_hears_of_it(tmp_path: Path) -> None:
    """Each further failure tells those who have not heard; nobody hears twice."""
    tenant = story("contoso", SIX)
    tenant.smtp_auth_disabled = True
    with stage(tmp_path, tenant, at=SEVEN) as show:
        show.canaries()
        assert told(show, "canary_failed") == ["noc@msp.example"]
        with settings_changed(
            show,
            tmp_path,
            'recipients = ["noc@msp.example"]',
            'recipients = ["noc@msp.example", "ann@msp.example"]',
        ) as later:
            later.clock.advance(61 * MINUTE)
            assert later.canaries() == {"contoso": CanaryResult.FAILED}
            assert told(later, "canary_failed") == ["noc@msp.example", "ann@msp.example"]


def test_a_probe_is_judged_by_what_is_known_when_it_ends(tmp_path: Path) -> None:
    """A run by hand has ended the alarm meanwhile, so this failure is a new one."""
    tenant = story("contoso", SIX)
    tenant.smtp_auth_disabled = True
    with stage(tmp_path, tenant, at=SEVEN) as show:
        show.canaries()
        assert told(show, "canary_failed") == ["noc@msp.example"]
        show.clock.advance(61 * MINUTE)
        turn, once = threading.Lock(), [True]

        def meanwhile() -> bool:
            """Asked before each probe, when what is due has been read."""
            with turn:
                if once:
                    once.clear()
                    tenant.smtp_auth_disabled = False
                    (probe,) = send_canaries(show.app, only="contoso")
                    assert probe.result is CanaryResult.OK
                    tenant.smtp_auth_disabled = True
            return False

        (probe,) = send_canaries(show.app, due_only=True, stop=meanwhile)
        assert probe.result is CanaryResult.FAILED
        health = show.app.store.health_of_sender("contoso", probe.mailbox)
        assert health.alarm_opened_at is not None
        # The good news was still waiting, so for its reader the path was broken all the time.
        assert told(show, "recovered") == []
        assert told(show, "canary_failed") == ["noc@msp.example"]


def test_while_its_canary_fails_a_tenants_warnings_go_by_the_operator(tmp_path: Path) -> None:
    """And come back to its own path when that works again."""
    tenant = story("contoso", SIX, 5)
    tenant.smtp_auth_disabled = True
    with stage(tmp_path, tenant) as show:
        show.scan()
        show.at(SIX + 2 * HOUR)
        show.canaries()
        assert show.warn() == [("it@contoso.example", "reminder")]
        (reminder,) = [m for m in show.cloud.inbox.messages if "it@contoso" in m.rcpt_to[0]]
        assert reminder.auth_user == "noc@msp.example"


# --- trouble --------------------------------------------------------------------------------------


def test_a_sender_that_cannot_sign_in_stops_no_other(tmp_path: Path) -> None:
    """Its secret's file is missing: that is a failed proof with its cause, not a crash."""
    with stage(tmp_path, story("contoso", SIX), story("fabrikam", SIX), at=SEVEN) as show:
        (tmp_path / "secrets" / "contoso-sender").unlink()
        assert show.canaries() == {
            "contoso": CanaryResult.FAILED, "fabrikam": CanaryResult.OK, OPERATOR: CanaryResult.OK,
        }  # fmt: skip
        rows = {row.tenant: row for row in show.app.report().canaries}
        assert (rows["contoso"].stage, rows["contoso"].cause) == ("token", "secret_missing")


def test_a_probe_that_cannot_be_recorded_stops_no_other_and_is_done_anew(tmp_path: Path) -> None:
    """It is told, it proves nothing, and it is tried again in minutes, not tomorrow."""
    broken = story("fabrikam", SIX)
    broken.smtp_auth_disabled = True
    with stage(tmp_path, story("contoso", SIX), broken, at=SEVEN) as show:
        with unrecordable(tmp_path, "contoso"):
            with pytest.raises(LapsewatchError, match=r"contoso: .*full"):
                show.canaries()
            rows = {row.tenant: row.result for row in show.app.report().canaries}
            assert rows == {
                "contoso": CanaryResult.NEVER, "fabrikam": CanaryResult.FAILED,
                OPERATOR: CanaryResult.OK,
            }  # fmt: skip
            assert told(show, "canary_failed") == ["noc@msp.example"]
        assert show.canaries() == {}
        show.clock.advance(AGAIN)
        assert show.canaries() == {"contoso": CanaryResult.OK}
        assert show.canaries() == {}


def test_a_probe_that_crashes_stops_no_other(tmp_path: Path) -> None:
    """A zone that this machine does not know, in a database restored from another."""
    with stage(tmp_path, story("contoso", SIX), story("fabrikam", SIX), at=SEVEN) as show:
        odd = replace(contoso(show), time_zone="Africa/Atlantis")
        show.app.store.put_tenant(odd, now=show.clock.now())
        for due_only in (True, False):
            with pytest.raises(LapsewatchError, match="contoso: a fault of the program"):
                send_canaries(show.app, due_only=due_only)
        proven = [probe.tenant for probe in show.app.store.probes()]
        assert sorted(proven) == [OPERATOR, OPERATOR, "fabrikam", "fabrikam"]


@pytest.fixture
def own_log() -> Iterator[None]:
    """The log that commands set up ends with the test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("own_log")
def test_the_command_sends_the_alarms_of_the_others_before_it_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says which canary it was about, in words."""
    now = datetime.now(UTC)  # commands have no other clock
    broken = story("fabrikam", now)
    broken.smtp_auth_disabled = True
    with stage(tmp_path, story("contoso", now), broken, at=now) as show:
        with unrecordable(tmp_path, "contoso"):
            code = run(["--config", str(tmp_path / "lapsewatch.toml"), "run", "canary"])
        err = capsys.readouterr().err
        assert code == 1
        assert "Not every canary could be sent and recorded. contoso: " in err
        assert "Traceback" not in err
        assert show.inbox("canary_failed") == ["noc@msp.example"]
