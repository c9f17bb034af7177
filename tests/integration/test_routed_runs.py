"""Rules and wishes in the real jobs: who is told of what, how, and when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from monitor.model import Recipient
from monitor.sandbox.draft import Draft
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage, story

DAY = timedelta(days=1)
FRIDAY = SIX + 4 * DAY
OWNERS = '\n[[route]]\nto = ["owners"]\n'
CRITICAL = '\n[[route]]\nto = ["tickets@msp.example"]\nseverity = "critical"\n'
TICKET = '\n[[recipient]]\naddress = "tickets@msp.example"\nmode = "ticket"\nsend_hour = 8\n'


def subjects(show: Stage, to: str) -> list[str]:
    """Of all mails about credentials to somebody."""
    return [
        message.header("Subject") or ""
        for message in show.cloud.inbox.messages
        if message.rcpt_to[0] == to
        and message.header("X-Lapsewatch-Kind") in ("reminder", "lapsed", "covered")
    ]


def wish(show: Stage, **wishes: object) -> None:
    """Contoso's recipient wishes to be told in some way."""
    tenant = show.app.store.tenant("contoso")
    assert tenant is not None
    told = Recipient("it@contoso.example", **wishes)  # type: ignore[arg-type]
    show.app.store.put_tenant(replace(tenant, recipients=(told,)), now=show.clock.now())


def days(show: Stage, count: int, start: int = 0) -> list[tuple[int, str, str]]:
    """Scan, and warn at nine, each day: the day, to whom, and of which kind."""
    said = []
    for day in range(start, start + count):
        show.at(SIX + day * DAY)
        show.scan()
        show.at(SIX + day * DAY + 3 * HOUR)
        said += [(day, *mail) for mail in show.warn()]
    return said


def test_owners_are_told_and_a_disabled_one_falls_through(tmp_path: Path) -> None:
    """The account is looked at in each scan; without it the tenant's recipients are told."""
    tenant = story("contoso", SIX, 8)
    with stage(tmp_path, tenant, rules=OWNERS) as show:
        assert days(show, 1) == [(0, "kim@contoso.example", "reminder")]
        for app in tenant.apps:
            app.owners = [replace(owner, enabled=False) for owner in app.owners]
        assert days(show, 1, 1) == [(1, "it@contoso.example", "reminder")]


def test_owners_of_an_enterprise_app_hear_of_its_saml_certificate(tmp_path: Path) -> None:
    """It hangs on the service principal, which has owners of its own."""
    draft = Draft("contoso", "Contoso", SIX)
    draft.monitor()
    draft.sender()
    signing = draft.saml("Expense reports", 8)
    draft.enterprise_app(
        "Expense reports", saml=[signing], preferred_thumbprint=signing.thumbprint,
        sso_mode="saml", owners=[draft.admin],
    )  # fmt: skip
    with stage(tmp_path, draft.tenant, rules=OWNERS) as show:
        assert days(show, 1) == [(0, "kim@contoso.example", "reminder")]


def test_owners_of_another_domain_or_unreadable_ones_fall_through(tmp_path: Path) -> None:
    """The scan says which right is missing."""
    tenant = story("contoso", SIX, 8, 9)
    tenant.apps[-1].owners = [replace(tenant.apps[-1].owners[0], upn="kim@evil.example")]
    tenant.apps[-2].owners = [replace(tenant.apps[-2].owners[0], hidden=True)]
    with stage(tmp_path, tenant, rules=OWNERS) as show:
        assert days(show, 1) == [(0, "it@contoso.example", "reminder")]
        health = show.app.store.tenant_health("contoso")
        assert health is not None
        assert health.record is not None
        assert any("User.ReadBasic.All" in note for note in health.record.notes)


def test_notes_name_who_is_told(tmp_path: Path) -> None:
    """Only what stands behind NotifyEmail=."""
    tenant = story("contoso", SIX, 8)
    tenant.apps[-1].notes = "a b c\nNotifyEmail=team@contoso.example, other@evil.example"
    with stage(tmp_path, tenant, rules='\n[[route]]\nto = ["notes"]\n') as show:
        assert days(show, 1) == [(0, "team@contoso.example", "reminder")]


def test_a_graver_credential_moves_to_another_run_and_nobody_hears_a_stage_twice(
    tmp_path: Path,
) -> None:
    """The ticket queue hears from the seventh day on, with one token for all stages."""
    with stage(tmp_path, story("contoso", SIX, 9), rules=CRITICAL + TICKET) as show:
        assert days(show, 12) == [
            (0, "it@contoso.example", "reminder"),
            (2, "tickets@msp.example", "reminder"),
            (6, "tickets@msp.example", "reminder"),
            (8, "tickets@msp.example", "reminder"),
            (9, "tickets@msp.example", "reminder"),
            (10, "tickets@msp.example", "lapsed"),
        ]
        tokens = {subject.split()[0] for subject in subjects(show, "tickets@msp.example")}
        assert len(tokens) == 1
        assert tokens.pop().startswith("[LW-")


@pytest.mark.parametrize("mode", ["single", "ticket", "digest"])
def test_one_mail_for_each_credential_where_that_is_wished(tmp_path: Path, mode: str) -> None:
    """Each ticket has a token of its own."""
    with stage(tmp_path, story("contoso", SIX, 5, 6, -3)) as show:
        wish(show, mode=mode)
        kinds = sorted(kind for _, _, kind in days(show, 2))
        several = ["lapsed", "reminder", "reminder"]
        assert kinds == (["lapsed"] if mode == "digest" else several)
        found = subjects(show, "it@contoso.example")
        marks = {subject.split()[0] for subject in found if subject.startswith("[LW-")}
        assert len(marks) == (3 if mode == "ticket" else 0)


def test_days_off_are_told_of_before_them_and_nothing_lapses_early(tmp_path: Path) -> None:
    """What Sunday reaches is told on Friday; what ends on Sunday is told as lapsed on Monday."""
    with stage(tmp_path, story("contoso", FRIDAY, 32, 2), at=FRIDAY) as show:
        wish(show, working_days=(0, 1, 2, 3, 4))
        assert days(show, 4, 4) == [
            (4, "it@contoso.example", "reminder"),
            (7, "it@contoso.example", "lapsed"),
        ]
        told = [
            (notice.stage, row.date.day)
            for row in show.app.store.outbox()
            for notice in row.notices
        ]
        assert sorted(told) == [("0", 27), ("30", 27), ("L0", 30)]


def test_what_is_urgent_is_told_right_after_the_scan_and_once(tmp_path: Path) -> None:
    """Not by a second tick, another replica or the daily run; what is not urgent waits."""
    with stage(tmp_path, story("contoso", SIX, 14, 2)) as show:
        wish(show, at_once=True)
        assert [kind for _, _, kind in days(show, 1)] == ["reminder"]
        show.at(SIX + DAY + 10 * MINUTE)  # long before its hour
        show.scan()
        assert show.warn() == [("it@contoso.example", "reminder")]
        assert show.warn() == []
        again = show.restarted()
        assert again.warn() == []
        show.at(SIX + DAY + 3 * HOUR)
        assert show.warn() == []
        told = [notice.stage for row in show.app.store.outbox() for notice in row.notices]
        assert sorted(told) == ["1", "14", "3"]


def test_stages_of_ones_own_replace_the_tenants(tmp_path: Path) -> None:
    """Forty days are no threshold of contoso."""
    with stage(tmp_path, story("contoso", SIX, 41, 14)) as show:
        wish(show, stages=(40,))
        assert days(show, 2) == [
            (0, "it@contoso.example", "reminder"), (1, "it@contoso.example", "reminder"),
        ]  # fmt: skip
        told = [notice.stage for row in show.app.store.outbox() for notice in row.notices]
        assert told == ["40", "40"]


def test_what_is_ignored_is_never_mailed_and_counted_in_the_foot(tmp_path: Path) -> None:
    """Until its review, after which it is told."""
    rule = '\n[[ignore]]\nname = "App -3"\nreason = "x"\nauthor = "kim"\nreview = 2026-11-25\n'
    with stage(tmp_path, story("contoso", SIX, 5, -3), rules=rule) as show:
        assert days(show, 4) == [
            (0, "it@contoso.example", "reminder"),
            (2, "it@contoso.example", "reminder"),
            (3, "it@contoso.example", "lapsed"),
        ]
        text = next(row.mail.text for row in reversed(show.app.store.outbox()))
        assert "1 credential is ignored by rule." in text
        assert "App -3" not in text
        assert "review of 1 ignore rule is due" in show.app.report().verdict


@contextmanager
def queries(show: Stage) -> Iterator[list[str]]:
    """The statements that the database gets."""
    seen: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = show.app.store._database.engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_an_idle_tick_reads_no_facts(tmp_path: Path) -> None:
    """Whom the rules lead to is kept until the tenant is read anew or its entry changes."""
    with stage(tmp_path, story("contoso", SIX, 8), rules=OWNERS) as show:
        days(show, 1)
        with queries(show) as seen:
            assert show.warn() == []
        assert not [
            text for text in seen if "directory_object" in text or "FROM credential" in text
        ]
        show.at(SIX + 7 * HOUR)
        show.scan()
        with queries(show) as seen:
            show.warn()
        assert [text for text in seen if "directory_object" in text]
