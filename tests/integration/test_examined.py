"""The doctor after each failure: before the alarm, in time, and to a dead host only once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from jobs.scan_tenants import scan_tenants
from jobs.send_warnings import deliver
from monitor.config import load
from monitor.doctor.checks import Report
from monitor.doctor.consult import CRASHED, SHARED, TOO_LATE, Consultation, Failure, Look
from monitor.model import (
    OPERATOR,
    CanaryResult,
    Examination,
    ExchangePoint,
    ExchangeResult,
    Probe,
)
from monitor.sandbox import Fault, SmtpFault
from monitor.sandbox.world import Tenant as WorldTenant
from monitor.shape import as_json
from monitor.wiring import App
from tests.integration.stage import HOUR, SIX, Stage, stage, story

SEVEN = SIX + HOUR
TOKEN_HANGS = Fault("*", delay=60)


def wrong_object_id(name: str) -> WorldTenant:
    """The app registration's object id was registered, and configured: a bare 535 5.7.3."""
    tenant = story(name, SIX)
    app = next(one for one in tenant.apps if one.name == "Lapsewatch mail")
    assert tenant.sender is not None
    tenant.registered = {app.object_id}
    tenant.sender = replace(tenant.sender, object_id=app.object_id)
    return tenant


def mails(show: Stage, kind: str) -> list[str]:
    """Deliver, and give the text of what arrived of a kind."""
    deliver(show.app)
    return [
        message.body("plain") or ""
        for message in show.cloud.inbox.messages
        if message.header("X-Lapsewatch-Kind") == kind
    ]


@contextmanager
def with_deadlines(show: Stage, folder: Path, **seconds: int) -> Iterator[Stage]:
    """The same store and cloud with shorter deadlines."""
    file = folder / "lapsewatch.toml"
    table = "\n".join(f'{name} = "{value}s"' for name, value in seconds.items())
    file.write_text(f"{file.read_text()}\n[deadlines]\n{table}\n", encoding="utf-8")
    with App(load(file), clock=show.clock.now) as app:
        yield replace(show, app=app)


# --- what is told -----------------------------------------------------------------------------


def test_the_alarm_of_a_bare_refusal_names_both_object_ids(tmp_path: Path) -> None:
    """The doctor's cause, evidence, fix and command, with the server's reply beside them."""
    tenant = wrong_object_id("contoso")
    assert tenant.sender is not None
    wrong = tenant.sender.object_id
    right = next(one.object_id for one in tenant.principals if one.name == "Lapsewatch mail")
    with stage(tmp_path, tenant, at=SEVEN) as show:
        assert show.canaries()["contoso"] is CanaryResult.FAILED
        (text,) = mails(show, "canary_failed")
        rows = json.loads(json.dumps(as_json(show.app.report())))["canaries"]
        (row,) = [one for one in rows if one["tenant"] == "contoso"]
    assert wrong in text
    assert right in text
    assert "535 5.7.3" in text
    assert (
        f"New-ServicePrincipal -AppId '{tenant.sender.sign_in.client_id}' -ObjectId '{right}'"
        in (text.replace("\n", " "))
    )
    assert row["cause"] == "generic_oauth_failure"
    assert row["examination"]["cause"] == "object_id_mismatch"
    assert wrong in row["examination"]["evidence"]


def test_a_success_ends_the_report(tmp_path: Path) -> None:
    """What is mended is not shown as broken."""
    tenant = story("contoso", SIX)
    tenant.mailboxes[0].smtp_auth_disabled = True
    with stage(tmp_path, tenant, at=SEVEN) as show:
        show.canaries()
        found = show.app.store.examinations()["contoso"]
        assert [one.cause for one in found.findings if one.status == "failed"] == [
            "smtp_auth_disabled_mailbox"
        ]
        tenant.mailboxes[0].smtp_auth_disabled = False
        show.clock.advance(2 * HOUR)
        assert show.canaries()["contoso"] is CanaryResult.OK
        assert show.app.store.examinations() == {}


def test_a_scan_that_failed_is_examined_for_its_alarm(tmp_path: Path) -> None:
    """A 403 of Graph is a consent that is missing, and the mail has the page that grants it."""
    tenant = story("contoso", SIX)
    next(one for one in tenant.principals if one.name == "Lapsewatch monitor").graph_roles = ()
    with stage(tmp_path, tenant) as show:
        assert show.scan()["contoso"].cause == "permission_missing"
        (text,) = mails(show, "cannot_check")
        found = show.app.store.examinations()["contoso"]
    assert found.sides == ("reading",)
    assert "admin consent missing" in text


def test_no_test_mail_is_sent_by_an_examination(tmp_path: Path) -> None:
    """What arrives are canaries and alarms."""
    tenant = story("contoso", SIX)
    tenant.faults.append(Fault("/applications", status=403, code="Authorization_RequestDenied"))
    with stage(tmp_path, tenant) as show:
        assert not show.scan()["contoso"].complete
        assert show.app.store.examinations().keys() == {"contoso"}
        assert show.cloud.inbox.messages == []


def test_an_examination_after_a_test_mail_goes_by_its_own_stages(tmp_path: Path) -> None:
    """No second walk to the mail server, and what only DATA tells is told with its command."""
    tenant = story("contoso", SIX)
    tenant.mailboxes[0].full_access.clear()
    with stage(tmp_path, tenant, at=SEVEN) as show:
        show.canaries()
        (text,) = mails(show, "canary_failed")
        found = show.app.store.examinations()["contoso"].findings
        signed_in = show.cloud.calls.count("contoso", "SMTP AUTH")
    assert "smtp.data" in {one.check for one in found}
    assert "Add-MailboxPermission -Identity 'noreply@contoso.example'" in text
    assert signed_in == 1


def test_a_dry_run_examines_nothing(tmp_path: Path) -> None:
    """It stores nothing, so there is nothing to examine for."""
    tenant = story("contoso", SIX)
    tenant.faults.append(Fault("/applications", status=403))
    with stage(tmp_path, tenant) as show:
        show.scan(dry_run=True)
        assert show.app.store.examinations() == {}


def test_the_operators_sender_is_examined_as_well(tmp_path: Path) -> None:
    """It has no tenant."""
    with stage(tmp_path, story("contoso", SIX), at=SEVEN) as show:
        operator = show.cloud.world.operator
        assert operator is not None
        operator.tenant.mailboxes[0].smtp_auth_disabled = True
        assert show.canaries()[OPERATOR] is CanaryResult.FAILED
        found = show.app.store.examinations()[OPERATOR]
    assert "smtp_auth_disabled_mailbox" in [one.cause for one in found.findings]


# --- in time ----------------------------------------------------------------------------------


def test_a_doctor_that_hangs_lets_the_alarm_go_as_it_would_without(tmp_path: Path) -> None:
    """The tenant's deadline bounds it, and nothing else waits for it."""
    tenant = story("contoso", SIX)
    tenant.mailboxes[0].smtp_auth_disabled = True
    with (
        stage(tmp_path, tenant, story("fabrikam", SIX), at=SEVEN) as show,
        with_deadlines(show, tmp_path, tenant=1) as quick,
    ):
        tenant.faults.append(Fault(delay=60))  # of Graph, which a test mail does not need
        begun = monotonic()
        assert quick.canaries() == {
            "contoso": CanaryResult.FAILED, "fabrikam": CanaryResult.OK, OPERATOR: CanaryResult.OK,
        }  # fmt: skip
        assert monotonic() - begun < 10
        found = quick.app.store.examinations()["contoso"]
        (text,) = mails(quick, "canary_failed")
    assert "SMTP AUTH is off" in text
    assert "The doctor found" not in text
    assert found.note == TOO_LATE or found.findings[0].check == "program"


class Hang:
    """An examination that comes to no end before it is let go, as a library may hang."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()

    def __call__(self, name: str, probe: Probe | None) -> Report | None:
        """Wait in the thread."""
        self.asked.append(name)
        self.go.wait(20)
        return None


def consult(look: Look, seconds: float = 0.2) -> Consultation:
    """A round in which that is how one looks."""
    return Consultation(look, clock=lambda: SIX, seconds=seconds, at_once=2)


def test_a_hang_is_waited_for_no_longer_than_allowed() -> None:
    """Queueing counts: a place that never becomes free delays nobody twice."""
    doctor = Hang()
    with consult(doctor) as round_:
        asked = [round_.ask(Failure(f"t{n}", "reading", "unknown", "h")) for n in range(6)]
        begun = monotonic()
        found = [round_.result(one) for one in asked]
        assert monotonic() - begun < 2
        assert {one.note for one in found} == {TOO_LATE}
        assert len(doctor.asked) == 2
        doctor.go.set()


def test_the_same_holds_on_an_event_loop() -> None:
    """A scan waits without a thread."""
    doctor = Hang()
    with consult(doctor) as round_:

        async def wait() -> Examination:
            return await round_.wait(round_.ask(Failure("t", "reading", "unknown", "h")))

        assert asyncio.run(wait()).note == TOO_LATE
        doctor.go.set()


# --- a dead host ------------------------------------------------------------------------------


def unreachable(show: Stage, folder: Path, old: str) -> Stage:
    """The same, with a port on which nobody listens."""
    file = folder / "lapsewatch.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, "https://127.0.0.1:9"), encoding="utf-8")
    return replace(show, app=App(load(file), clock=show.clock.now))


def test_a_host_that_is_down_is_examined_once_for_all(tmp_path: Path) -> None:
    """A thousand tenants behind one dead uplink cost one examination, and say so."""
    names = [f"tenant-{number}" for number in range(5)]
    with stage(tmp_path, *(story(name, SIX) for name in names)) as show:
        down = unreachable(show, tmp_path, show.cloud.entra_url)
        with down.app:
            scans = asyncio.run(scan_tenants(down.app, due_only=True))
            found = down.app.store.examinations()
    assert {one.cause for one in scans} == {"connect_refused"}
    assert set(found) == set(names)
    shared = [one for one in found.values() if one.note]
    assert len(shared) == len(names) - 1
    assert {one.note for one in shared} == {SHARED}
    for one in shared:
        assert {finding.check for finding in one.findings} == {"authority.tcp"}
        others = set(names) - {one.target}
        assert not any(name in repr(one) for name in others)


def test_a_host_that_is_well_shares_nothing(tmp_path: Path) -> None:
    """Two tenants whose own token hangs are two stories: each is examined by itself."""
    tenants = [story(name, SIX) for name in ("contoso", "fabrikam")]
    for one in tenants:
        one.token_faults.append(TOKEN_HANGS)
    with (
        stage(tmp_path, *tenants) as show,
        with_deadlines(show, tmp_path, token=1) as quick,
    ):
        scans = quick.scan()
        found = quick.app.store.examinations()
    assert {one.cause for one in scans.values()} == {"reply_timeout"}
    assert [one.note for one in found.values()] == ["", ""]
    for name, one in found.items():
        assert one.target == name
        assert "graph.token" in {finding.check for finding in one.findings}


def test_a_busy_server_is_no_host_that_is_down(tmp_path: Path) -> None:
    """Only what lies between here and a host is shared."""
    tenants = [story(name, SIX) for name in ("contoso", "fabrikam")]
    for one in tenants:
        one.mailboxes[0].faults.append(SmtpFault("MAIL", reply="451 4.7.500 Server busy."))
    with stage(tmp_path, *tenants, at=SEVEN + timedelta(minutes=1)) as show:
        show.canaries()
        assert [one.note for one in show.app.store.examinations().values()] == ["", ""]


@pytest.mark.parametrize("cause", ["unknown", "connect_refused"])
def test_a_doctor_that_crashes_is_a_note_and_no_alarm_less(cause: str) -> None:
    """Whatever its fault is, and also for those who would have shared its report."""

    def broken(name: str, probe: Probe | None) -> Report | None:
        raise RuntimeError(f"a fault of the program at {name} {probe}")

    with consult(broken, seconds=5) as round_:
        asked = [round_.ask(Failure(name, "reading", cause, "h")) for name in "tu"]
        assert [round_.result(one).note for one in asked] == [CRASHED, CRASHED]


def test_what_exchange_said_before_the_last_good_mail_explains_no_new_failure(
    tmp_path: Path,
) -> None:
    """SMTP AUTH was off once; mails have gone since, and now something else is wrong."""
    tenant = story("contoso", SIX)
    with stage(tmp_path, tenant, at=SIX + HOUR) as show:
        [sender] = [one for one in show.app.carriers.senders() if one.tenant == "contoso"]
        off = ExchangePoint("smtp_auth", False, "SMTP AUTH is switched off for this mailbox.")
        told = ExchangeResult(
            "contoso", SIX - timedelta(days=200), sender.directory_id, sender.client_id,
            sender.enterprise_object_id or "", sender.mailbox, "mailbox", (off,),
        )  # fmt: skip
        show.app.store.put_exchange_result(told)
        show.scan()
        show.canaries()
        tenant.registered.clear()
        show.at(SIX + HOUR + timedelta(days=1))
        show.scan()
        show.canaries()
        [mail] = mails(show, "canary_failed")
        assert "Exchange does not know the service principal" in mail
