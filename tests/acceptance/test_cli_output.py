"""What commands print: JSON, tables, CSV, into pipes and closed streams, in any surroundings."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.cli.reports import print_report
from tests.acceptance.command_line import (
    ROOT,
    Command,
    command,
    folder,
    hostile,
    own_log,
    process,
    ready,
)
from tests.status_samples import HOSTILE_NAMES, stalled_morning

__all__ = ["command", "folder", "hostile", "own_log", "ready"]  # fixtures

READING = [
    ["status", "--json"],
    ["tenant", "list", "--json"],
    ["tenant", "show", "contoso", "--json"],
    ["run", "warn", "--dry-run", "--json"],
    ["run", "canary", "--dry-run", "--json"],
    ["diagnose", "--json", "535 5.7.3 Authentication unsuccessful"],
]


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_every_reading_command_prints_json_whatever_names_hold(
    arguments: list[str], hostile: Command
) -> None:
    """Valid, ASCII, and nothing else on standard output."""
    said = hostile(*arguments)
    assert said.json is not None
    assert said.out.isascii()


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["status", "--all"], ["tenant", "show", "contoso"], ["tenant", "list"],
     ["run", "warn", "--dry-run"]],
)  # fmt: skip
def test_tables_hold_nothing_that_moves_a_terminal(arguments: list[str], hostile: Command) -> None:
    """No escape sequences, no bidi marks, no carriage returns, no markup that is taken for one."""
    said = hostile(*arguments)
    assert not {c for c in said.out if ord(c) < 32 and c != "\n"}
    assert not set("\x7f\u202e\u2066\u200b\ufeff") & set(said.out)


def test_csv_and_html_hold_every_credential(hostile: Command, folder: Path) -> None:
    """Beside each other, from one report."""
    rows = list(csv.DictReader(io.StringIO(hostile("status", "--csv").out)))
    assert len(rows) == len(HOSTILE_NAMES)
    said = hostile("status", "--html", "page.html")
    assert said.code == 6
    assert "<script>alert" not in (folder / "page.html").read_text()


def test_health_is_one_line(ready: Command) -> None:
    """For a container's health check."""
    said = ready("health")
    assert (said.code, said.out) == (1, "the scheduler has not ticked yet\n")


def test_a_reader_that_goes_away_is_no_error(hostile: Command, folder: Path) -> None:
    """`lapsewatch status --json | head -1`."""
    lapsewatch = f'"{sys.executable}" -m monitor'
    for arguments in ("status --json", "status --all", "--help", "status --csv"):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{lapsewatch} {arguments} | head -c 1"],
            capture_output=True, text=True, cwd=folder, check=False, timeout=60,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.stderr == "", arguments


def test_closed_streams_are_no_crash(hostile: Command, folder: Path) -> None:
    """As cron and some supervisors start programs."""
    lapsewatch = f'"{sys.executable}" -m monitor'
    for arguments in ("status >&-", "status --json >&- 2>&-", "diagnose <&-",
                      "tenant remove contoso <&-"):  # fmt: skip
        done = subprocess.run(
            ["/bin/sh", "-c", f"{lapsewatch} {arguments}"],
            capture_output=True, text=True, cwd=folder, check=False, timeout=60,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        assert done.returncode in (0, 6), (arguments, done.stderr)


@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"NO_COLOR": "1"}, {"COLUMNS": "1"},
     {"TZ": "Nonsense/Zone"}, {"TERM": "dumb"}],
    ids=str,
)  # fmt: skip
def test_the_surroundings_change_no_fact(
    environment: dict[str, str], hostile: Command, folder: Path
) -> None:
    """Locale, encoding, colours, width, zone: the report is there, in plain letters."""
    done = process(folder, "status", "--all", environment=environment)
    assert done.returncode == 6
    assert "Traceback" not in done.stderr
    assert "contoso" in done.stdout
    assert "\x1b" not in done.stdout


def test_the_terminal_lists_the_mails_and_the_work_that_are_stuck(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the reason, and not what is merely on its way."""
    print_report(stalled_morning(), ZoneInfo("Europe/Berlin"))
    said = " ".join(capsys.readouterr().out.split())
    assert "Mails that are stuck" in said
    assert "421 4.3.2" in said
    assert "RESOLVED" not in said
    assert "Work that is not done" in said
    assert "it@contoso.example" in said
