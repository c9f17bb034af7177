"""What people see of the read-back: verify, doctor, status, page, metrics, and the files."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jobs.find_canaries import find_canaries
from jobs.send_canaries import send_canaries
from monitor.cli.root import run
from monitor.config import load
from monitor.doctor.checks import Check
from monitor.roster import read
from monitor.roster.writing import to_csv, to_toml
from monitor.web.metrics import to_metrics
from monitor.web.page import render_page
from tests.acceptance.command_line import own_log
from tests.integration.stage import Stage, stage
from tests.integration.test_arrival_job import looked_for

__all__ = ["own_log"]  # a fixture

NAME = "Right to look for the canary"


def examined(show: Stage) -> Check | None:
    """The doctor's check of the right to look."""
    reports = asyncio.run(show.app.doctor.examine())
    checks = [one for report in reports if report.target == "contoso" for one in report.checks]
    return next((one for one in checks if one.name == "arrival"), None)


def test_the_doctor_tries_the_right_to_look(tmp_path: Path) -> None:
    """Without it mail still goes out, so it is a warning, with what to grant."""
    tenant = looked_for()
    with stage(tmp_path, tenant) as show:
        good = examined(show)
        assert good is not None
        assert (good.status, good.title) == ("ok", NAME)
        tenant.mail_read.clear()
        bad = examined(show)
        assert bad is not None
        assert (bad.status, bad.cause) == ("warning", "mail_read_missing")
        assert "Application Mail.Read" in bad.fix


def test_the_doctor_says_nothing_where_nobody_looks(tmp_path: Path) -> None:
    """As before."""
    tenant = looked_for()
    assert tenant.sender is not None
    tenant.sender = tenant.sender.__class__(
        tenant.sender.mailbox, tenant.sender.object_id, tenant.sender.sign_in
    )
    with stage(tmp_path, tenant) as show:
        assert examined(show) is None


@pytest.mark.usefixtures("own_log")
def test_verify_finds_the_mail_and_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is confirmed by the read-back."""
    with stage(tmp_path, looked_for()) as show:
        show.at(datetime.now(UTC))  # commands have no other clock
        command = ["--config", str(tmp_path / "lapsewatch.toml"), "tenant", "verify", "contoso"]
        assert run(command) == 0
        out = " ".join(capsys.readouterr().out.split())
        assert "Arrival is proven through Graph" in out
        assert "--arrived" not in out
        assert run([*command, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["result"] == "ok"


def test_status_page_and_metrics_say_what_is_proven_and_what_is_not(tmp_path: Path) -> None:
    """The tenant's is proven; at the operator's nobody looks."""
    with stage(tmp_path, looked_for()) as show:
        send_canaries(show.app)
        report = show.app.report()
        page = render_page(report, zone=ZoneInfo("UTC"), version="test")
        assert "its arrival is being looked for" in page
        assert "arrival is not checked" in page
        assert b"lapsewatch_canary_arrival_seconds{" not in to_metrics(report, version="test")
        find_canaries(show.app)
        report = show.app.report()
        page = render_page(report, zone=ZoneInfo("UTC"), version="test")
        assert "Arrival is proven through Graph" in page
        metrics = to_metrics(report, version="test").decode()
        (line,) = [
            one for one in metrics.splitlines() if one.startswith("lapsewatch_canary_arrival_s")
        ]
        assert 'tenant="contoso"' in line


def test_a_tenants_file_takes_back_what_was_exported(tmp_path: Path) -> None:
    """As TOML and as CSV, with another app's credential."""
    tenant = looked_for(within="45m")
    assert tenant.sender is not None
    tenant.sender = tenant.sender.__class__(
        tenant.sender.mailbox, tenant.sender.object_id, tenant.sender.sign_in, arrival="graph",
        arrival_within="45m", arrival_app=tenant.sender.sign_in,
        arrival_directory=tenant.directory_id,
    )  # fmt: skip
    with stage(tmp_path, tenant) as show:
        known = show.app.store.tenants()
        looking = known[0].sender.arrival if known[0].sender else None
        assert looking is not None
        assert looking.credential is not None
        assert looking.credential.reference.startswith(f"file:{tmp_path}")
        for name, written in (("a.toml", to_toml(known, [])), ("a.csv", to_csv(known, []))):
            file = tmp_path / name
            file.write_text(written, encoding="utf-8")
            taken = read(file, show.configuration)
            assert taken.errors == ()
            assert list(taken.tenants) == known


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('arrival = "imap"', "arrival"),
        ('arrival_within = "30s"', "one minute"),
        ('arrival_app = { client_id = "5d0a0000-0000-4000-8000-000000000001" }', "credential"),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_line(
    tmp_path: Path, line: str, word: str
) -> None:
    """In a tenants file."""
    with stage(tmp_path, looked_for()) as show:
        file = tmp_path / "tenants.toml"
        text = file.read_text(encoding="utf-8").replace('arrival = "graph"', line)
        file.write_text(text, encoding="utf-8")
        (error,) = read(file, show.configuration).errors
        assert word in str(error)
        assert error.line > 1


def test_the_operators_sender_may_be_looked_for_too(tmp_path: Path) -> None:
    """With a credential relative to the settings file."""
    with stage(tmp_path, looked_for()) as show:
        file = tmp_path / "lapsewatch.toml"
        old = "[operator.sender]\n"
        app = '{ client_id = "5d0a0000-0000-4000-8000-000000000001", credential = "file:c" }'
        new = f'{old}arrival = "graph"\narrival_app = {app}\n'
        file.write_text(file.read_text("utf-8").replace(old, new), encoding="utf-8")
        sender = load(file).operator_sender
        assert sender is not None
        assert sender.arrival is not None
        assert sender.arrival.credential is not None
        assert sender.arrival.credential.reference == f"file:{tmp_path / 'c'}"
        assert show.app.configuration.operator_sender is not None
