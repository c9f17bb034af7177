"""The demo finds and tells exactly what the World's own oracle says, and nothing leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.cli.demo import _summary as summary
from monitor.demo import Demo, demo, one_cycle
from monitor.model import CredentialState, MailKind, OutboxState, stage_label
from monitor.shape import as_json
from monitor.web.page import render_page

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def show() -> Iterator[Demo]:
    """The demo after its first cycle; the tests of this module only look."""
    with demo() as stage:
        one_cycle(stage)
        yield stage


def test_every_tenant_is_in_the_state_the_oracle_says(show: Demo) -> None:
    """What was not read completely is unknown, everything else ok."""
    expected = show.world.oracle(show.clock.now())
    found = {row.tenant.name: str(row.state) for row in show.app.report().tenants}
    assert found == expected.tenants


def test_every_credential_is_found_once_in_the_right_state(show: Demo) -> None:
    """Each one of the world's, with its state and days left; none more, none less."""
    expected = show.world.oracle(show.clock.now())
    shown = as_json(show.app.report())["credentials"]
    assert isinstance(shown, list)
    found = Counter(
        (c["tenant"], c["object_type"], c["object_id"], c["kind"], c["state"], c["days_left"])
        for c in shown
    )
    wanted = Counter(
        (c.tenant, c.object_type, c.object_id, c.kind, c.state, c.days_left)
        for c in expected.credentials
    )
    assert found == wanted
    key_ids = {c["key_id"] for c in shown}
    for credential in expected.credentials:
        same = expected.aliases.get(credential.key_id, frozenset({credential.key_id}))
        assert key_ids & {credential.key_id, *same}


def test_federated_credentials_are_listed_with_issuer_and_subject(show: Demo) -> None:
    """Each one of the world's that could be read, in the JSON and on the page."""
    expected = show.world.oracle(show.clock.now()).tenants
    wanted = {
        (tenant.name, app.object_id, trust.name, trust.issuer, trust.subject)
        for tenant in show.world.tenants
        if expected[tenant.name] == "ok"
        for app in tenant.apps
        for trust in app.federated
    }
    shown = as_json(show.app.report())["federated"]
    assert isinstance(shown, list)
    found = {(f["tenant"], f["object_id"], f["name"], f["issuer"], f["subject"]) for f in shown}
    assert found == wanted
    assert wanted
    page = render_page(show.app.report(), zone=ZoneInfo("UTC"), version="test")
    assert all(subject in page for *_, subject in wanted)


def test_what_is_superseded_and_still_used_needs_action_as_its_mail_says(show: Demo) -> None:
    """Lucerne's old secret: the state is its own word, and page and status say what is to do."""
    report = show.app.report()
    (row,) = [row for row in report.action_rows if row.state is CredentialState.SUPERSEDED]
    assert (row.tenant.name, row.credential.name) == ("lucerne", "parcels 2024")
    (mail,) = [m for m in summary(show)["mails"] if m["tenant"] == "lucerne"
               and m["kind"] == "reminder"]  # fmt: skip
    assert "still used" in mail["subject"]
    page = render_page(report, zone=ZoneInfo("UTC"), version="test")
    assert '<span class="tag">still used</span>' in page


def test_every_canary_ends_as_the_oracle_says(show: Demo) -> None:
    """Result, stage and cause of each sender, the operator's among them."""
    expected = show.world.oracle(show.clock.now()).canaries
    found = {row.tenant: row for row in show.app.report().canaries}
    assert found.keys() == expected.keys()
    for tenant, wanted in expected.items():
        row = found[tenant]
        assert str(row.result) == wanted.result, tenant
        assert str(row.arrival.state) == wanted.arrival, tenant
        if wanted.result == "failed":
            assert (stage_label(row.stage), row.cause) == (wanted.stage, wanted.cause)


def test_exactly_the_right_mails_reach_the_right_people(show: Demo) -> None:
    """Each mail the oracle wants arrives once, and no other one does."""
    expected = show.world.oracle(show.clock.now()).mails
    wanted = Counter((mail.kind, mail.to, mail.tenant) for mail in expected)
    found = Counter((m["kind"], m["to"], ", ".join(m["tenants"])) for m in summary(show)["mails"])
    assert found == wanted


def test_no_mail_names_another_tenant_than_its_sender_may(show: Demo) -> None:
    """What a tenant's own mailbox sends holds no other tenant's name or domain."""
    others = {tenant.name: tenant for tenant in show.world.tenants}
    for message in show.cloud.inbox.messages:
        home = next(
            (t for t in others.values() if t.sender and t.sender.mailbox == message.auth_user), None
        )
        if home is None:
            continue
        text = (message.body("plain") or "").lower() + message.subject.lower()
        for name, tenant in others.items():
            if name != home.name:
                assert tenant.directory_id not in text
                assert tenant.domain.lower() not in text


def test_a_second_cycle_at_the_same_hour_tells_nothing_twice() -> None:
    """Only the canaries go again, because each run of theirs is a proof of its own."""
    with demo() as stage:
        one_cycle(stage)
        before = len(stage.cloud.inbox.messages)
        one_cycle(stage)
        again = [message.header("X-Lapsewatch-Kind") for message in stage.cloud.inbox.messages]
        assert set(again[before:]) == {"canary"}


def test_the_whole_cycle_is_the_same_on_both_databases(empty_url: str) -> None:
    """SQLite and PostgreSQL: every state and every mail is what the oracle says."""
    with demo(empty_url) as stage:
        one_cycle(stage)
        expected = stage.world.oracle(stage.clock.now())
        report = stage.app.report()
        assert {row.tenant.name: str(row.state) for row in report.tenants} == expected.tenants
        assert report.credential_counts() == Counter(c.state for c in expected.credentials)
        wanted = Counter((mail.kind, mail.to, mail.tenant) for mail in expected.mails)
        found = Counter(
            (m["kind"], m["to"], ", ".join(m["tenants"])) for m in summary(stage)["mails"]
        )
        assert found == wanted


def test_days_go_by_and_each_stage_is_told_once() -> None:
    """Twelve days: the oracle's tenants hold on each, and no stage is told twice or backwards."""
    with demo() as stage:
        for day in range(12):
            if day:
                stage.clock.advance(timedelta(days=1))
            one_cycle(stage)
            expected = stage.world.oracle(stage.clock.now())
            found = {row.tenant.name: str(row.state) for row in stage.app.report().tenants}
            readable = {name: state for name, state in expected.tenants.items() if state == "ok"}
            assert {name: found[name] for name in readable} == readable, f"day {day}"
        rows = stage.app.store.outbox(states=[OutboxState.SENT], limit=1000)
        levels: dict[tuple[str, str, int, str], int] = {}
        for row in sorted(rows, key=lambda sent: sent.date):
            for notice in row.notices:
                if notice.kind is MailKind.COVERED:
                    continue
                key = (notice.tenant, notice.uid, notice.life, notice.recipient)
                assert notice.level > levels.get(key, -4000), f"{notice.stage} of {key} again"
                levels[key] = notice.level
        assert len(levels) > 10


def test_the_command_prints_the_summary_and_exits_with_the_status(tmp_path: Path) -> None:
    """`lapsewatch demo --once --json` is what a newcomer runs first."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "demo", "--once", "--json"],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=120,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert done.returncode == found["exit_code"] == 6
    assert {"tenants", "credentials", "canaries", "mails", "exit_code"} <= found.keys()
    assert {"kind", "to", "subject", "tenant"} <= found["mails"][0].keys()
    assert "Nothing leaves" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
