"""`run report`, `forecast` and `status --blind` as people use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.command_line import APP, GUID, Command, command, folder, own_log, ready

__all__ = ["command", "folder", "own_log", "ready"]  # fixtures
SENDER = '[tenant.sender]\nmailbox="noreply@contoso.example"\n'
OPERATOR = '\n[operator]\nrecipients=["noc@msp.example"]\nreport="{day}"\n'


@pytest.fixture
def watched(ready: Command, folder: Path) -> Command:
    """One tenant with a sender of its own; nobody has read it yet."""
    (folder / "tenants.toml").write_text(
        f'[[tenant]]\nname="contoso"\ndirectory_id="{GUID}1"\nclient_id="{APP}"\n'
        f'credential={{secret="env:X"}}\nrecipients=["it@contoso.example"]\n{SENDER}'
    )
    assert ready("tenant", "import", "tenants.toml").code == 0
    return ready


def with_operator(folder: Path, day: str = "mon") -> None:
    """Somebody who gets reports."""
    settings = folder / "lapsewatch.toml"
    settings.write_text(settings.read_text() + OPERATOR.format(day=day))


def test_status_lists_blind_spots_and_the_option_shows_nothing_else(watched: Command) -> None:
    """In words and as JSON; the exit code is that of the status."""
    plain, blind = watched("status"), watched("status", "--blind")
    assert plain.code == blind.code
    assert "Blind spots: " in plain.out
    assert "Needs action" not in blind.out
    spots = watched("status", "--blind", "--json").json["blind_spots"]
    assert {"no_operator", "no_heartbeat", "facts_unknown"} <= {spot["kind"] for spot in spots}
    assert all(spot["words"] and spot["fix"] for spot in spots)
    assert spots == watched("status", "--json").json["blind_spots"]


def test_without_an_operator_nobody_gets_reports(watched: Command) -> None:
    """Said plainly; the exit code is 0, because everything was attempted."""
    said = watched("run", "report")
    assert said.code == 0
    assert "0 reports written." in said.out
    assert "name recipients in [operator]" in said.out
    assert [row for row in watched("forecast", "--json").json if row["kind"] == "report"] == []


def test_a_dry_run_shows_the_report_and_writes_nothing(watched: Command, folder: Path) -> None:
    """One tenant's report may go by that tenant's own sender."""
    with_operator(folder)
    said = watched("run", "report", "--dry-run", "--text")
    assert said.code == 0
    assert "1 report would be sent:" in said.out
    assert "noc@msp.example: [Lapsewatch] WEEKLY REPORT: " in said.out
    assert "Silence is proof only while this list is empty, and it is not." in said.out
    assert watched("status", "--json").json["deliveries"]["waiting"] == 0


def test_the_forecast_lists_reports_without_a_stage(watched: Command, folder: Path) -> None:
    """Four or five in a month; none with --tenant, and none where they are off."""
    with_operator(folder, "sun")
    rows = watched("forecast", "--days", "28", "--json").json
    reports = [row for row in rows if row["kind"] == "report"]
    assert len(reports) in (4, 5)
    assert {(row["to"], row["stage"], row["tenant"], row["key_id"]) for row in reports} == {
        ("noc@msp.example", "", None, None)
    }
    only = watched("forecast", "--days", "28", "--json", "--tenant", "contoso").json
    assert [row for row in only if row["kind"] == "report"] == []
    assert "reports in the next 28 days" in watched("forecast", "--days", "28").out


def test_two_tenants_without_an_operators_sender_get_no_report(
    watched: Command, folder: Path
) -> None:
    """No tenant's sender may carry the other's name; it is a blind spot, and no stuck mail."""
    with_operator(folder)
    (folder / "more.toml").write_text(
        f'[[tenant]]\nname="fabrikam"\ndirectory_id="{GUID}2"\nclient_id="{APP}"\n'
        f'credential={{secret="env:X"}}\nrecipients=["it@fabrikam.example"]\n'
    )
    assert watched("tenant", "import", "more.toml").code == 0
    said = watched("run", "report")
    assert "0 reports written." in said.out
    assert "set a sender in [operator]" in said.out
    kinds = {spot["kind"] for spot in watched("status", "--blind", "--json").json["blind_spots"]}
    assert "no_operator_path" in kinds
