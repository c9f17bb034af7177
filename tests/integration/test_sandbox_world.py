"""The world and its oracle, the settings files, the inbox page, and the sandbox as a process."""

# ruff: noqa: D103 (the names tell)

from __future__ import annotations

import json
import logging
import smtplib
import subprocess
import sys
import threading
import tomllib
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from monitor.sandbox import (
    Cloud,
    Fault,
    InboxMessage,
    Relay,
    SandboxClock,
    Twist,
    World,
    demo_world,
)

INSTANTS = [
    datetime(2026, 11, 23, 7, 55, tzinfo=UTC),
    datetime(2026, 3, 28, 23, 30, tzinfo=UTC),  # Berlin loses an hour that night
    datetime(2026, 10, 24, 22, 30, tzinfo=UTC),  # and gets one here
    datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2028, 2, 29, 12, tzinfo=UTC),
]


@pytest.mark.parametrize("now", INSTANTS, ids=lambda now: f"{now:%Y-%m-%d}")
def test_the_stories_read_the_same_on_any_day(now: datetime) -> None:
    found = demo_world(now).oracle(now)
    assert Counter(found.tenants.values()) == {"ok": 9, "unknown": 3}
    assert {n for n, state in found.tenants.items() if state == "unknown"} == {
        "litware",
        "proseware",
        "alpine",
    }
    noted = {(c.tenant, c.state, c.days_left) for c in found.credentials if c.state != "ok"}
    assert noted >= {
        ("fabrikam", "critical", 5),
        ("adatum", "lapsed", -1),
        ("adatum", "lapsed", -200),
        ("tailspin", "superseded", 6),
        ("wingtip", "warning", 28),
        ("margies", "upcoming", 45),
        ("relecloud", "warning", 11),
        ("relecloud", "warning", 20),
        ("relecloud", "warning", 9),
        ("relecloud", "superseded", 6),
        ("relecloud", "superseded", 4),
        ("relecloud", "critical", 6),
    }
    assert not {c.tenant for c in found.credentials} & {"litware", "proseware", "alpine"}
    failed = {n: c[:3] for n, c in found.canaries.items() if c.result != "ok"}
    assert failed == {"wingtip": ("failed", "AUTH", "smtp_auth_disabled_tenant")}
    mails = [m for m in found.mails if m.kind != "canary"]
    assert sorted(mails) == [
        ("canary_failed", "noc@northwind-msp.example", "wingtip", None),
        ("cannot_check", "noc@northwind-msp.example", "alpine", None),
        ("cannot_check", "noc@northwind-msp.example", "litware", None),
        ("cannot_check", "noc@northwind-msp.example", "proseware", None),
        ("covered", "it@tailspin.example", "tailspin", None),
        ("lapsed", "it@adatum.example", "adatum", "L0"),
        ("reminder", "it@fabrikam.example", "fabrikam", "7"),
        ("reminder", "it@lucerne.example", "lucerne", "14"),
        ("reminder", "it@margies.example", "margies", "60"),
        ("reminder", "it@relecloud.example", "relecloud", "3"),
        ("reminder", "it@wingtip.example", "wingtip", "30"),
    ]
    assert len(found.mails) - len(mails) == len(found.canaries) - 1


@pytest.fixture
def now() -> datetime:
    return INSTANTS[0]


@pytest.fixture
def world(now: datetime) -> World:
    return demo_world(now)


def test_the_oracle_knows_the_exceptions(world: World, now: datetime) -> None:
    contoso = world.tenant("contoso")
    assert contoso.monitor is not None
    app = world.find_app(contoso.monitor.client_id)
    assert app is not None
    own = replace(app.secrets[0], end=now + timedelta(days=2))
    app.secrets = [own, replace(own, key_id="newer", value="x", end=now + timedelta(days=400))]
    states = {c.key_id: c.state for c in world.oracle(now).credentials}
    assert (states[own.key_id], states["newer"]) == ("critical", "ok")
    relecloud = world.tenant("relecloud")
    portal = next(p for p in relecloud.principals if p.name == "Learning portal")
    old, current = portal.saml
    portal.preferred_thumbprint = None  # nobody knows which one is active
    states = {c.key_id: c.state for c in world.oracle(now).credentials}
    assert (states[old.sign_key_id], states[current.sign_key_id]) == ("critical", "ok")
    assert world.oracle(now).aliases[old.verify_key_id] == {old.sign_key_id, old.verify_key_id}


def test_the_oracle_follows_what_is_broken(world: World, now: datetime) -> None:
    assert world.operator is not None
    lucerne = world.tenant("lucerne")
    lucerne.faults[:] = [Fault("/applications", times=5, status=429)]
    assert world.oracle(now).tenants["lucerne"] == "unknown"
    lucerne.faults[:] = [Fault("/servicePrincipals", times=1, twist=Twist.EMPTY_PAGE)]
    assert world.oracle(now).tenants["lucerne"] == "ok"
    world.tenant("woodgrove").rbac_scope.clear()
    world.tenant("tailspin").mailboxes[0].full_access.clear()
    world.tenant("contoso").registered.clear()
    canaries = world.oracle(now).canaries
    assert canaries["woodgrove"][:3] == ("failed", "AUTH", "generic_oauth_failure")
    assert canaries["contoso"][:3] == ("failed", "AUTH", "generic_oauth_failure")
    assert canaries["tailspin"][:3] == ("failed", "DATA", "no_mailbox_permission")
    # No path is left for these, so nothing about them can be sent.
    world.operator.tenant.smtp_auth_disabled = True
    kinds = {(m.kind, m.tenant) for m in world.oracle(now).mails}
    assert ("reminder", "fabrikam") in kinds
    assert not {k for k in kinds if k[0] in ("canary_failed", "cannot_check")}
    assert ("reminder", "wingtip") not in kinds
    world.operator.relay = Relay()
    found = world.oracle(now)
    assert "(operator)" not in found.canaries
    assert {("reminder", "wingtip"), ("cannot_check", "litware")} <= {
        (m.kind, m.tenant) for m in found.mails
    }
    world.operator = None
    kinds = {(m.kind, m.to) for m in world.oracle(now).mails}
    assert ("cannot_check", "it@proseware.example") in kinds
    assert "canary_failed" not in {kind for kind, _ in kinds}


def test_one_recipient_of_two_tenants_gets_one_digest(world: World, now: datetime) -> None:
    for name in ("wingtip", "margies"):
        world.tenant(name).recipients = ("all@northwind-msp.example",)
    mails = [m for m in world.oracle(now).mails if m.to == "all@northwind-msp.example"]
    assert mails == [("reminder", "all@northwind-msp.example", "margies, wingtip", "30")]


def test_settings_files(world: World, tmp_path: Path) -> None:
    with Cloud(world, SandboxClock()) as cloud:
        path = cloud.write_settings(tmp_path / "new", base_url="http://127.0.0.1:9")
        settings = tomllib.loads(path.read_text())
        assert settings["clouds"]["sandbox"]["smtp_port"] == cloud.smtp_port
        assert settings["clouds"]["sandbox"]["authority"] == cloud.entra_url
    assert settings["operator"]["base_url"] == "http://127.0.0.1:9"
    assert settings["operator"]["sender"]["mailbox"] == "noc@northwind-msp.example"
    folder = path.parent
    assert (folder / "ca.pem").read_text().startswith("-----BEGIN CERTIFICATE")
    tenants = tomllib.loads((folder / "tenants.toml").read_text())["tenant"]
    assert [t["name"] for t in tenants] == [t.name for t in world.tenants]
    for tenant, row in zip(world.tenants, tenants, strict=True):
        (reference,) = row["credential"].values()
        secret = folder / reference.removeprefix("file:")
        assert secret.stat().st_mode & 0o777 == 0o600
        sign_in = tenant.monitor
        assert sign_in is not None
        assert secret.read_bytes() == (sign_in.pem or (sign_in.secret or "").encode())


def test_the_inbox_page(world: World) -> None:
    nasty = (
        b"Subject: <script>alert(1)</script>\r\nFrom: a@b.example\r\n"
        b"Content-Type: text/html\r\n\r\n"
        b'<p title="x">"</p></iframe><script>alert(2)</script>'
    )
    with Cloud(world, SandboxClock()) as cloud:
        assert "No mail yet" in requests.get(cloud.inbox_url, timeout=10).text
        for subject in (nasty, b"Subject: second\r\n\r\ntext <b>"):
            cloud.inbox.add(InboxMessage(INSTANTS[0], "me", "a", ("you@c.example",), subject))
        listing = requests.get(cloud.inbox_url, timeout=10)
        first = requests.get(f"{cloud.inbox_url}/1", timeout=10).text
        second = requests.get(f"{cloud.inbox_url}/2", timeout=10).text
        missing = requests.get(f"{cloud.inbox_url}/3", timeout=10)
    assert "default-src 'none'" in listing.headers["Content-Security-Policy"]
    assert listing.text.index("second") < listing.text.index("&lt;script&gt;")
    assert "<script" not in listing.text + first
    assert '<iframe title="HTML part" sandbox srcdoc="&lt;p title=&quot;x&quot;' in first
    assert first.count("</iframe>") == 1
    assert "text &lt;b&gt;" in second
    assert missing.status_code == 404


def test_clouds_side_by_side_stop_clean(now: datetime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    before = threading.active_count()
    worlds = [demo_world(now) for _ in range(3)]
    with (
        Cloud(worlds[0], SandboxClock()) as one,
        Cloud(worlds[1], SandboxClock(), graph_tls=True) as two,
        Cloud(worlds[2], SandboxClock()) as three,
    ):
        ports = {c.smtp_port for c in (one, two, three)}
        assert len(ports) == 3
        url = f"{two.graph_url}/v1.0/applications"
        assert url.startswith("https://")
        with requests.Session() as session:
            session.trust_env = False
            assert session.get(url, verify=str(two.ca_file), timeout=10).status_code == 401
        hanging = smtplib.SMTP(one.smtp_host, one.smtp_port, timeout=10)
    hanging.close()
    assert threading.active_count() == before
    assert not [r for r in caplog.records if r.threadName == "sandbox-cloud"]


@pytest.mark.parametrize("by_signal", [True, False], ids=["SIGTERM", "end of stdin"])
def test_a_process_of_its_own(tmp_path: Path, by_signal: bool) -> None:
    command = [sys.executable, "-m", "monitor.sandbox", "--folder", str(tmp_path), "--apps", "3"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        at = json.loads(process.stdout.readline())
        assert Path(at["settings"]).is_file()
        assert "mails accepted" in requests.get(at["inbox_url"], timeout=10).text
        if by_signal:
            process.terminate()
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_the_journal_is_written_before_the_reply(tmp_path: Path, world: World) -> None:
    assert world.operator is not None
    world.operator.relay = Relay(tls=False)
    journal = tmp_path / "inbox.jsonl"
    with (
        Cloud(world, SandboxClock(), inbox_journal=journal) as cloud,
        smtplib.SMTP(cloud.smtp_host, cloud.relay_port or 0, timeout=10) as client,
    ):
        text = "Message-ID: <7@x.example>\r\nSubject: one\r\nDate: Mon, 23 Nov 2026 08:00:00 +0000"
        client.sendmail("a@x.example", ["b@x.example"], f"{text}\r\n\r\nx")
        (line,) = map(json.loads, journal.read_text().splitlines())
    assert (line["message_id"], line["subject"]) == ("<7@x.example>", "one")
    assert (line["rcpt_to"], line["auth_user"]) == (["b@x.example"], "")
    assert line["date"].startswith("Mon, 23 Nov 2026")
    assert line["received_at"].endswith("+00:00")
