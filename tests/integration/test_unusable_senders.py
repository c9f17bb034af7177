"""A mail path that the settings no longer allow to be built: told as failed, never left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.send_canaries import send_canaries
from jobs.send_warnings import deliver
from monitor.cli.root import run
from monitor.config import load
from monitor.errors import DeliveryError
from monitor.model import OPERATOR, CanaryResult
from monitor.status import StatusReport
from monitor.wiring import App
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage, story

SEVEN = SIX + HOUR
SAID = 'The settings know no cloud "other", which contoso needs. '


@contextmanager
def without_its_cloud(folder: Path) -> Iterator[Stage]:
    """A proven sender in a cloud of its own, which then goes from the settings."""
    with stage(folder, story("contoso", SIX), at=SEVEN) as show:
        show.scan()
        assert show.canaries()["contoso"] is CanaryResult.OK
        (tenant,) = show.app.store.tenants()
        assert tenant.sender is not None
        moved = replace(tenant, sender=replace(tenant.sender, cloud="other"))
        show.app.store.put_tenant(moved, now=show.clock.now())
        yield show


def exit_code(report: StatusReport) -> tuple[int, str, str | None, str | None]:
    """What the report says about contoso's path."""
    (row,) = [row for row in report.canaries if row.tenant == "contoso"]
    return report.exit_code, str(row.result), row.stage, row.evidence


def test_a_sender_whose_cloud_is_gone_is_failed_at_once(tmp_path: Path) -> None:
    """Whatever its last canary showed: that was before the settings were changed."""
    with without_its_cloud(tmp_path) as show:
        code, result, stage_, evidence = exit_code(show.app.report())
        assert (code, result, stage_) == (6, "failed", "token")
        assert (evidence or "").startswith(SAID)
        assert "the mail path fails for 1 of 2" in show.app.report().verdict.lower()


def test_its_canary_fails_with_the_reason_and_alarms_by_another_path(tmp_path: Path) -> None:
    """Nothing is opened; the others are proven; once only."""
    with without_its_cloud(tmp_path) as show:
        show.clock.advance(MINUTE)
        probes = {probe.tenant: probe for probe in send_canaries(show.app)}
        assert probes[OPERATOR].result is CanaryResult.OK
        assert probes["contoso"].evidence.startswith(SAID)
        assert probes["contoso"].timings == ()
        deliver(show.app)
        send_canaries(show.app)
        deliver(show.app)
        assert show.inbox("canary_failed") == ["noc@msp.example"]
        assert exit_code(show.app.report())[:2] == (6, "failed")


def test_its_path_carries_no_mail(tmp_path: Path) -> None:
    """Warnings go by the operator, as for a tenant without a sender; and mails of old wait."""
    with without_its_cloud(tmp_path) as show:
        assert set(show.app.carriers.paths().identity) == {"operator"}
        with pytest.raises(DeliveryError, match="know no cloud"):
            show.app.carriers.connect("tenant:contoso")


def test_the_commands_say_why_and_status_exits_with_six(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here the clock is the machine's own, as it is for everybody."""
    with without_its_cloud(tmp_path):
        settings = ["--config", str(tmp_path / "lapsewatch.toml")]
        assert run([*settings, "run", "canary", "--dry-run"]) == 0
        assert f"contoso: noreply@contoso.example: {SAID}" in capsys.readouterr().out
        assert run([*settings, "run", "canary", "--tenant", "contoso"]) == 0
        assert f"FAILED at token: {SAID}" in capsys.readouterr().out
        assert run([*settings, "status"]) == 6


def test_it_is_proven_again_when_its_cloud_is_back(tmp_path: Path) -> None:
    """In the settings of the next process."""
    with without_its_cloud(tmp_path) as show:
        show.clock.advance(MINUTE)
        assert {p.tenant: p.result for p in send_canaries(show.app)}["contoso"] == "failed"
        file = tmp_path / "lapsewatch.toml"
        text = file.read_text(encoding="utf-8")
        table = re.search(r"^\[clouds\.\w+\]\n([^\[]*)", text, re.MULTILINE)
        assert table is not None
        file.write_text(f"{text}\n[clouds.other]\n{table[1]}")
        show.clock.advance(HOUR)
        with App(load(file), clock=show.clock.now) as app:
            assert {p.tenant: p.result for p in send_canaries(app)}["contoso"] == "ok"
            assert exit_code(app.report())[:2] == (0, "ok")


def test_an_operators_sender_that_cannot_be_told_is_failed(tmp_path: Path) -> None:
    """Its directory is not in the settings, and no watched tenant uses its app."""
    with stage(tmp_path, story("contoso", SIX), at=SEVEN) as show:
        file = tmp_path / "lapsewatch.toml"
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        assert sum(line.startswith("directory_id") for line in lines) == 1
        file.write_text("".join(x for x in lines if not x.startswith("directory_id")))
        with App(load(file), clock=show.clock.now) as app:
            (row,) = [row for row in app.report().canaries if row.tenant == OPERATOR]
            assert (row.result, row.stage) == (CanaryResult.FAILED, "token")
            assert "directory_id: is missing" in (row.evidence or "")
            assert app.report().exit_code == 6
            assert "operator" not in app.carriers.paths().identity
            probes = {probe.tenant: probe for probe in send_canaries(app)}
            assert probes[OPERATOR].result is CanaryResult.FAILED
            assert probes["contoso"].result is CanaryResult.OK
