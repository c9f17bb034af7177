"""The command line: exit codes, bad input, secrets, speed, and never a traceback."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.command_line import (
    APP,
    GUID,
    PLANTED,
    ROOT,
    Command,
    command,
    folder,
    hostile,
    own_log,
    process,
    ready,
)

__all__ = ["command", "folder", "hostile", "own_log", "ready"]  # fixtures


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


def test_diagnose_asks_own_rules_first(command: Command, folder: Path) -> None:
    """Those of --rules, else those of the settings; a mistake in the latter stops nothing."""
    own = "[[rule]]\nid='ours'\ncause='quota'\nwords='budget is used up'\n"
    (folder / "rules.toml").write_text(own)
    text = "550 the budget is used up"
    assert command("diagnose", text, "--json").json["cause"] == "unknown"
    assert command("diagnose", "--rules", "rules.toml", text, "--json").json["rule"] == "ours"
    assert command("init").code == 0
    assert command("diagnose", text, "--json").json["cause"] == "unknown"
    settings = folder / "lapsewatch.toml"
    settings.write_text(settings.read_text() + '\n[diagnose]\nrules = "rules.toml"\n')
    assert command("diagnose", text, "--json").json["rule"] == "ours"
    (folder / "rules.toml").write_text(own.replace("quota", "nothing"))
    said = command("diagnose", "535 5.7.3 no", "--json")
    assert (said.code, said.json["cause"]) == (0, "generic_oauth_failure")
    assert "rule 'ours' (number 1) in line 1" in said.err
    refused = command("diagnose", "--rules", "rules.toml", text)
    assert (refused.code, "rule 'ours'" in refused.err) == (1, True)
    assert command("status").code == 1


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
