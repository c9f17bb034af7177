"""The command line: exit codes, JSON, pipes, bad input, and never a traceback."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog

from monitor.cli.root import run
from monitor.model import (
    CanaryResult,
    Kind,
    Mail,
    MailKind,
    ObjectType,
    ObservedCredential,
    ObservedObject,
    OutboxMail,
    Probe,
    Scan,
    ScanRecord,
)
from monitor.store import Store
from tests.status_samples import HOSTILE_NAMES

ROOT = Path(__file__).parents[2]
GUID = "7b1c0000-0000-4000-8000-00000000000"
APP = "1f3e0000-0000-4000-8000-000000000001"
PLANTED = "Hunter2-8Q~planted-value"
READING = [
    ["status", "--json"],
    ["tenant", "list", "--json"],
    ["tenant", "show", "contoso", "--json"],
    ["run", "warn", "--dry-run", "--json"],
    ["run", "canary", "--dry-run", "--json"],
    ["diagnose", "--json", "535 5.7.3 Authentication unsuccessful"],
]


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON, and nothing else."""
        return json.loads(self.out)


Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """The log that commands set up ends with the test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with spaces and letters beyond ASCII in its name."""
    for name in [name for name in os.environ if name.startswith("LAPSEWATCH_")]:
        monkeypatch.delenv(name)
    here = tmp_path / "Lapse watch ü"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `lapsewatch …` in this process; no command may print a traceback or a secret."""

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert PLANTED not in out + err
        return Said(code, out, err)

    return call


def process(folder: Path, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """Runs `lapsewatch …` as a process of its own."""
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **how.pop("environment", {}),
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *how.pop("python", ()), "-m", "monitor", *arguments],
        capture_output=True, text=True, cwd=folder, env=environment, check=False, timeout=60, **how,
    )  # fmt: skip


@pytest.fixture
def ready(command: Command, folder: Path) -> Command:
    """After `init`."""
    assert command("init").code == 0
    return command


@pytest.fixture
def hostile(ready: Command, folder: Path) -> Command:
    """A watched tenant, and a store full of what others may name their apps."""
    (folder / "tenants.toml").write_text(
        f'[[tenant]]\nname="contoso"\ndirectory_id="{GUID}1"\nclient_id="{APP}"\n'
        'credential={secret="env:NOT_SET"}\nrecipients=["it@contoso.example"]\n'
        '[tenant.sender]\nmailbox="noreply@contoso.example"\n'
    )
    assert ready("tenant", "import", "tenants.toml").code == 0
    now = datetime.now(UTC)
    objects = [
        ObservedObject(ObjectType.APPLICATION, f"object-{n}", bad, bad, credentials=(
            ObservedCredential(Kind.SECRET, f"key-{n}", bad, bad, now, now + timedelta(days=n)),
        ))
        for n, bad in enumerate(HOSTILE_NAMES, start=1)
    ]  # fmt: skip
    bad = "".join(HOSTILE_NAMES)[:3000]
    with Store.open(f"sqlite:///{folder / 'lapsewatch.db'}") as store:
        done = ScanRecord("contoso", now, now, complete=True, notes=(bad,))
        store.record_scan(Scan(done, tuple(objects)), zone=ZoneInfo("UTC"), own=set())
        store.record_scan(
            Scan(ScanRecord("contoso", now, now, complete=False, cause="unknown", problem=bad)),
            zone=ZoneInfo("UTC"), own=set(),
        )  # fmt: skip
        mailbox = "noreply@contoso.example"
        store.record_probe(
            Probe("contoso", mailbox, now, now, CanaryResult.FAILED, "auth", "unknown", bad)
        )
        store.enqueue([OutboxMail("1", Mail(MailKind.REPORT, bad, bad, bad), "it@contoso.example",
                                  ("contoso",), "", "<1@x>", now)])  # fmt: skip
    return ready


# --- exit codes -----------------------------------------------------------------------------------


def test_the_way_of_a_newcomer_ends_with_zero_at_each_step(command: Command) -> None:
    """Without settings an error that says what to do; then init, twice; then all is readable."""
    lost = command("status")
    assert (lost.code, "lapsewatch init" in lost.err, lost.out) == (1, True, "")
    first = command("init")
    assert first.code == 0
    assert "Wrote lapsewatch.toml" in first.out
    again = command("init")
    assert (again.code, "exists and was left as it is" in again.out) == (0, True)
    for arguments in (["status"], ["tenant", "list"], ["db", "check"], ["db", "upgrade"],
                      ["run", "scan"], ["run", "warn"], ["run", "canary"], ["--version"],
                      ["--help"], ["tenant", "--help"]):  # fmt: skip
        assert command(*arguments).code == 0, arguments


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["status", "--nonsense"], ["tenant", "show"], ["run", "nonsense"],
     ["--log-level", "loud", "status"], ["serve", "--port", "many"],
     ["serve", "--port", "99999"], ["tenant", "import"],
     ["status", "extra"]],
)  # fmt: skip
def test_a_wrong_call_ends_with_two(arguments: list[str], ready: Command) -> None:
    """And a hint on standard error."""
    said = ready(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["tenant", "show", "contso"], 'There is no tenant "contso". '),
        (["tenant", "remove", "nobody", "--yes"], 'There is no tenant "nobody"'),
        (["run", "scan", "--tenant", "nobody"], 'There is no tenant "nobody"'),
        (["run", "warn", "--tenant", "\x1b[2J\u202e"], 'There is no tenant "?[2J?"'),
        (["tenant", "import", "missing.toml"], "missing.toml cannot be read"),
        (["tenant", "import", "."], "cannot be read"),
        (["--config", "missing.toml", "status"], "There is no settings file missing.toml"),
        (["--config", ".", "status"], "cannot be read"),
        (["--config", "x" * 5000, "status"], "There is no settings file"),
        (["status", "--html", "."], "cannot be written"),
        (["status", "--html", "missing/page.html"], "cannot be written"),
        (["--config", "/proc/none/x.toml", "init"], "cannot be written"),
        (["serve", "--host", "0.0.0.0"], "allow_without_sign_in"),
    ],
)
def test_an_error_ends_with_one_and_says_what_and_where(
    arguments: list[str], told: str, ready: Command
) -> None:
    """On standard error; nothing half-done on standard output."""
    said = ready(*arguments)
    assert (said.code, said.out) == (1, "")
    assert told.strip() in said.err


def test_a_misspelled_tenant_gets_the_nearest_name(hostile: Command) -> None:
    """People type names by heart."""
    assert 'Did you mean "contoso"?' in hostile("tenant", "show", "contso").err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[databse]\n", 'unknown key "databse"; did you mean "database"?'),
        ("[web\n", "not valid TOML"),
        ('[database]\nurl = "mysql://u:Hunter2-8Q~planted-value@h/db"', "mysql"),
        ('[database]\nurl = "postgresql://u:Hunter2-8Q~planted-value@127.0.0.1:1/db"', "127.0.0.1"),
        ('[database]\nurl = "Hunter2-8Q~planted-value"', "database URL cannot be read"),
        ('[database]\nurl = "sqlite:////nowhere/x.db"', "/nowhere/x.db"),
        ('[operator.sender]\nmailbox="a@b.example"\ncredential="Hunter2-8Q~planted-value"',
         "must be a reference"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("arguments", [["status"], ["run", "scan"], ["serve"], ["health"]])
def test_settings_that_cannot_be_used_are_told_by_every_command(
    text: str, told: str, arguments: list[str], folder: Path, command: Command
) -> None:
    """With exit code 1, and without the password that stands in them."""
    (folder / "lapsewatch.toml").write_text(text)
    said = command(*arguments)
    assert said.code == 1
    assert told in said.err + said.out


def test_a_database_that_is_none_is_told(folder: Path, ready: Command) -> None:
    """Not SQLite at all, an empty file, a newer version."""
    (folder / "lapsewatch.db").write_bytes(b"no database" * 1000)
    assert "is not a SQLite database" in ready("status").err
    (folder / "lapsewatch.db").write_bytes(b"")
    said = ready("status")
    assert (said.code, "lapsewatch db upgrade" in said.err) == (1, True)


def test_the_exit_code_of_status_is_that_of_the_report(hostile: Command) -> None:
    """6: a canary fails, which outranks the unknown tenant and what needs action."""
    assert hostile("status").code == hostile("status", "--json").json["exit_code"] == 6


# --- import ---------------------------------------------------------------------------------------


def test_an_import_stores_good_rows_tells_bad_ones_and_ends_with_one(
    folder: Path, ready: Command
) -> None:
    """The line stands in the message; a second import changes nothing."""
    (folder / "t.csv").write_text(
        f"name,directory_id,client_id,secret\na,{GUID}1,{APP},env:X\nb,common,{APP},{PLANTED}\n"
    )
    said = ready("tenant", "import", "t.csv")
    assert said.code == 1
    assert "1 added" in said.out
    assert "t.csv: line 3, b: directory_id: must be a GUID" in said.err
    again = ready("tenant", "import", "t.csv", "--json")
    assert again.code == 1
    assert again.json["tenants"] == [{"name": "a", "outcome": "unchanged"}]
    assert {bad["line"] for bad in again.json["errors"]} == {3}
    assert [row["name"] for row in ready("tenant", "list", "--json").json] == ["a"]


def test_a_tenant_can_be_shown_and_removed(hostile: Command) -> None:
    """Removing asks only on a terminal; nothing about it stays."""
    shown = hostile("tenant", "show", "contoso")
    assert (shown.code, GUID in shown.out) == (0, True)
    assert hostile("tenant", "remove", "contoso").code == 0
    assert hostile("tenant", "list", "--json").json == []
    assert hostile("status", "--json").json["credentials"] == []


# --- output ---------------------------------------------------------------------------------------


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


def test_the_settings_may_be_named_by_a_variable_and_an_option_wins(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LAPSEWATCH_CONFIG, as containers use it; `init` writes it there."""
    monkeypatch.setenv("LAPSEWATCH_CONFIG", str(folder / "etc" / "named.toml"))
    assert command("init").code == 0
    assert (folder / "etc" / "lapsewatch.db").exists()
    assert command("status").code == 0
    assert command("--config", "missing.toml", "status").code == 1


def test_diagnose_reads_anything(
    command: Command, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """An argument, standard input, bytes that are no text; it needs no settings."""
    said = command("diagnose", "--json", "AADSTS7000222: The provided client secret keys expired")
    assert (said.code, said.json["retry"]) == (0, "after_fix")
    assert {"cause", "also", "stage", "retry", "certain", "explanation", "fix", "rule"} <= set(
        said.json
    )
    for text in (b"\xff\xfe\x00 535 5.7.3", b"", b"x" * 1_000_000):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))
        assert command("diagnose", "--json", "-").json["cause"]


# --- secrets and speed ----------------------------------------------------------------------------


def test_no_command_takes_a_secret_as_an_argument(command: Command) -> None:
    """Everybody on the machine could read it in the list of processes."""
    pages = [("--help",)]
    words = ("init", "serve", "status", "diagnose", "health", "demo")
    pages += [(word, "--help") for word in words]
    pages += [("tenant", word, "--help") for word in ("import", "list", "show", "remove")]
    pages += [("run", word, "--help") for word in ("scan", "warn", "canary")]
    for page in pages:
        said = command(*page)
        assert said.code == 0
        for option in ("--secret", "--password", "--token", "--key"):
            assert option not in said.out


def test_help_and_list_do_not_load_what_they_do_not_need(folder: Path) -> None:
    """msgraph alone takes half a second; nobody should wait for it to read a help page."""
    heavy = {"msgraph", "azure", "msal", "sqlmodel", "sqlalchemy", "fastapi", "jinja2", "uvicorn",
             "apscheduler", "kiota_abstractions", "aiohttp"}  # fmt: skip
    for arguments in (["--help"], ["status", "--help"], ["--version"]):
        done = process(folder, *arguments, python=("-X", "importtime"))
        loaded = {line.rpartition("|")[2].strip().partition(".")[0]
                  for line in done.stderr.splitlines()}  # fmt: skip
        assert "typer" in loaded
        assert not heavy & loaded
    (folder / "lapsewatch.toml").write_text("")
    done = process(folder, "init")
    done = process(folder, "tenant", "list", python=("-X", "importtime"))
    loaded = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert done.returncode == 0
    assert not {"msgraph", "azure", "msal", "fastapi", "uvicorn", "apscheduler"} & loaded


def test_a_fault_of_the_program_is_one_message(
    hostile: Command, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row that nobody should be able to write: no traceback, no values, exit code 1."""
    with sqlite3.connect(folder / "lapsewatch.db") as database:
        database.execute(f"UPDATE tenant SET document = '{{\"{PLANTED}\": 1}}'")
    database.close()
    said = hostile("status")
    assert said.code == 1
    assert "fault of the program" in said.err


def test_two_commands_at_once_wait_for_each_other(hostile: Command, folder: Path) -> None:
    """Two imports of one file at the same moment, on SQLite."""
    begun = time.monotonic()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "monitor", "tenant", "import", "tenants.toml"],
            cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]  # fmt: skip
    assert [one.wait(60) for one in both] == [0, 0]
    assert time.monotonic() - begun < 60
