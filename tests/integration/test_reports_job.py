"""The report as a job: once for each slot and recipient, by the operator's path, never lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from jobs.send_reports import plan_reports, send_reports
from monitor.compose import outbox_row
from monitor.model import (
    CanaryResult,
    HeldSlot,
    Mail,
    MailKind,
    NoticeKey,
    OutboxMail,
    OutboxState,
    Probe,
    Receipt,
    RefusedAddress,
)
from monitor.sandbox.faults import SmtpFault
from monitor.store import Store
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage, story

NOC = "noc@msp.example"
DUE = SIX + 2 * HOUR  # Monday, 08:00 in Berlin


def ready(show: Stage) -> None:
    """Everything was read and proven an hour before."""
    show.at(DUE - HOUR)
    show.scan()
    show.canaries()
    show.at(DUE - MINUTE)


def tick(show: Stage) -> list[str]:
    """One tick of the job: who a report was written to."""
    return [mail.recipient for mail in send_reports(show.app, due_only=True)]


def test_a_report_goes_once_on_monday_at_the_operators_hour(tmp_path: Path) -> None:
    """By the operator's path, with every tenant in it; a restart sends no second one."""
    with stage(tmp_path, story("contoso", SIX, 20), story("fabrikam", SIX)) as show:
        ready(show)
        assert tick(show) == []
        show.clock.advance(2 * MINUTE)
        assert tick(show) == [NOC]
        assert tick(show) == []
        again = show.restarted()
        assert tick(again) == []
        assert show.inbox("report") == [NOC]
        (row,) = [m for m in show.app.store.outbox() if m.mail.kind is MailKind.REPORT]
        assert (row.state, row.path) == (OutboxState.SENT, "operator")
        assert set(row.tenants) == {"contoso", "fabrikam"}
        assert "contoso" in row.mail.text
        assert "1 needs action" in row.mail.subject
        show.clock.advance(24 * HOUR)
        assert tick(show) == []
        show.clock.advance(6 * 24 * HOUR)
        show.scan()
        assert tick(show) == [NOC]


def test_what_the_forecast_says_of_reports_is_what_goes(tmp_path: Path) -> None:
    """Three weeks, hour by hour."""
    with stage(tmp_path, story("contoso", SIX)) as show:
        ready(show)
        now, until = show.clock.now(), show.clock.now() + timedelta(days=21)
        foreseen = show.app.reports.coming({}, now=now, until=until)
        sent = []
        while show.clock.now() <= until:
            show.scan(due_only=False) if not sent else None
            sent += [(show.clock.now(), to) for to in tick(show)]
            show.clock.advance(HOUR)
        assert [to for _, to in sent] == [to for _, to in foreseen] == [NOC] * 3
        for (at, _), (wanted, _) in zip(sent, foreseen, strict=True):
            assert timedelta(0) <= at - wanted <= HOUR


def test_a_report_waits_in_the_outbox_and_a_newer_one_takes_its_place(tmp_path: Path) -> None:
    """After three weeks without mail there is one report, not a pile."""
    with stage(tmp_path, story("contoso", SIX)) as show:
        ready(show)
        server = show.cloud.world.exchange
        server.faults.append(SmtpFault("CONNECT", drop=True))
        for _ in range(3):
            show.clock.advance(2 * MINUTE)
            assert tick(show) == [NOC]
            show.clock.advance(timedelta(days=7))
        states = [m.state for m in show.app.store.outbox() if m.mail.kind is MailKind.REPORT]
        assert sorted(map(str, states)) == ["pending", "withdrawn", "withdrawn"]
        server.faults.clear()
        show.clock.advance(HOUR)
        show.app.deliverer().run(force=True)
        assert show.inbox("report") == [NOC]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """And says what would go."""
    with stage(tmp_path, story("contoso", SIX)) as show:
        ready(show)
        (mail,) = plan_reports(show.app)
        assert mail.recipient == NOC
        assert [m for m in show.app.store.outbox() if m.mail.kind is MailKind.REPORT] == []


# --- the store ------------------------------------------------------------------------------------


def report_to(store: Store, make, who: str = NOC) -> OutboxMail:
    """A report that could be written."""
    mail = Mail(MailKind.REPORT, "[Lapsewatch] WEEKLY REPORT: x", "text", "<p>html</p>")
    return outbox_row(mail, who, ("contoso",), "operator", make.now, domain="msp.example")


def test_only_who_holds_the_slot_writes_the_report(store: Store, make) -> None:
    """Two replicas; the second finds it done. The slot is finished with the row, or not at all."""

    def take(owner: str) -> bool:
        return store.take_slot(
            "report", "noc", make.now, now=make.now, owner=owner, lease=HOUR,
            owner_is_dead=lambda _: False,
        )  # fmt: skip

    assert take("one")
    assert not take("two")
    thief = HeldSlot("report", "noc", make.now, "two")
    assert not store.write_report(report_to(store, make), at=make.now, slot=thief)
    assert store.outbox() == []
    mine = HeldSlot("report", "noc", make.now, "one")
    assert store.write_report(report_to(store, make), at=make.now, slot=mine)
    assert not store.write_report(report_to(store, make), at=make.now, slot=mine)
    assert len(store.outbox()) == 1
    assert store.last_slots("report") == {"noc": make.now}


def test_an_older_report_gives_way_unless_it_may_have_been_accepted(store: Store, make) -> None:
    """Of the same recipient only; other mails are left alone."""
    first, other, digest = (
        report_to(store, make),
        report_to(store, make, "ann@x.example"),
        make.mail(),
    )
    store.enqueue([digest])
    for mail in (first, other):
        store.write_report(mail, at=make.now)
    store.write_report(report_to(store, make), at=make.now)
    states = {mail.id: mail.state for mail in store.outbox()}
    assert states[first.id] is OutboxState.WITHDRAWN
    assert states[other.id] is states[digest.id] is OutboxState.PENDING


def test_a_week_counts_what_was_tested_and_accepted_in_it(store: Store, make) -> None:
    """Nothing of before, nothing that waits; the median of good tests, the longest wait."""
    store.put_tenant(make.tenant(), now=make.now)
    for days, seconds, result in ((1, 2, "ok"), (2, 4, "ok"), (3, 9, "failed"), (8, 1, "ok")):
        at = make.now - timedelta(days=days)
        store.record_probe(
            Probe("contoso", "m@contoso.example", at, at + timedelta(seconds=seconds),
                  CanaryResult(result), "data", "ok", "250")
        )  # fmt: skip
    notice: NoticeKey = make.notice()
    for number, (written, took) in enumerate(((1, 0), (2, 3), (9, 0))):
        at = make.now - timedelta(days=written)
        mail = make.mail(notice, date=at)
        store.enqueue([mail])
        (claimed,) = store.claim(
            at, owner=f"o{number}", lease=HOUR, owner_is_dead=lambda _: False, force=True
        )
        store.mark_sent(mail.id, claimed.lease_token or "", Receipt("250", at + took * HOUR))
    store.enqueue([make.mail()])
    week = store.week(make.now - timedelta(days=7), make.now, slow=HOUR)
    assert (week.canaries, week.canaries_failed, week.canary_seconds) == (3, 1, 3.0)
    assert (dict(week.mails), week.warnings) == ({"reminder": 2}, 2)
    assert (week.waited, week.longest_wait) == (1, 3 * HOUR)


def test_an_address_is_known_bad_until_it_accepts_a_mail(store: Store, make) -> None:
    """The oldest refusal says since when, the newest why; another address is another."""
    old = make.mail(state=OutboxState.DEAD, last_error="550 one", date=make.now - HOUR)
    new = make.mail(state=OutboxState.DEAD, last_error="550 two", recipient="ANN@contoso.example")
    store.enqueue([old, new])
    (found,) = store.refused_addresses()
    assert found == RefusedAddress("ANN@contoso.example", make.now - HOUR, "550 two", ("contoso",))
    later = make.mail()
    store.enqueue([later])
    (claimed,) = store.claim(make.now, owner="o", lease=HOUR, owner_is_dead=lambda _: False)
    store.mark_sent(later.id, claimed.lease_token or "", Receipt("250", make.now))
    assert store.refused_addresses() == []
