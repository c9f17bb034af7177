"""What commands refuse, and say, instead of guessing or crashing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.command_line import APP, GUID, ROOT, Command, command, folder, own_log, ready

__all__ = ["command", "folder", "own_log", "ready"]  # fixtures


def tenants(*names: str) -> str:
    """A tenants file whose secrets are not there."""
    return "".join(
        f'[[tenant]]\nname="{name}"\ndirectory_id="{GUID}{number}"\nclient_id="{APP}"\n'
        'credential={secret="env:NOT_SET"}\n'
        for number, name in enumerate(names, start=1)
    )


@pytest.fixture
def watched(ready: Command, folder: Path) -> Command:
    """With three tenants."""
    (folder / "tenants.toml").write_text(tenants("alpha", "beta", "gone"))
    assert ready("tenant", "import", "tenants.toml").code == 0
    return ready


def names(command: Command) -> list[str]:
    """Who is watched."""
    return sorted(entry["name"] for entry in command("tenant", "list", "--json").json)


def with_input(folder: Path, shell: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of shell, in which {} is `lapsewatch`."""
    return subprocess.run(
        ["/bin/sh", "-c", shell.format(f'"{sys.executable}" -m monitor')],
        capture_output=True, text=True, cwd=folder, check=False, timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize("job", ["scan", "warn", "canary"])
def test_an_empty_tenant_name_is_not_every_tenant(job: str, watched: Command) -> None:
    """`--tenant "$NAME"` with NAME unset must not touch the others."""
    said = watched("run", job, "--tenant", "")
    assert said.code == 1
    assert 'There is no tenant "".' in said.err
    assert watched("tenant", "show", "alpha", "--json").json["last_complete_scan"] is None


@pytest.mark.parametrize(
    "arguments",
    [("--log-level", "bogus", "status"), ("--log-level", "bogus", "diagnose", "550 x"),
     ("status", "--json", "--csv")],
)  # fmt: skip
def test_what_makes_no_sense_is_a_usage_error(arguments: tuple[str, ...], ready: Command) -> None:
    """The same in every command, and nothing wins in silence."""
    said = ready(*arguments)
    assert (said.code, said.out) == (2, "")


@pytest.mark.parametrize("answer", ["n", "no", "beta"])
def test_a_tenant_stays_when_standard_input_does_not_say_yes(
    answer: str, watched: Command, folder: Path
) -> None:
    """Also where it is no terminal: somebody said so, or it is the list of a loop."""
    done = with_input(folder, f"echo {answer} | {{}} tenant remove gone")
    assert done.returncode == 1
    assert "gone is still watched: standard input did not say yes." in done.stderr
    assert "--yes" in done.stderr
    assert names(watched) == ["alpha", "beta", "gone"]


@pytest.mark.parametrize(
    "line", ["echo y | {} tenant remove gone", "echo n | {} tenant remove --yes gone",
             "{} tenant remove gone </dev/null", "{} tenant remove gone <&-"],
)  # fmt: skip
def test_a_tenant_goes_when_nothing_speaks_against_it(
    line: str, watched: Command, folder: Path
) -> None:
    """Without a terminal nobody is asked."""
    done = with_input(folder, line)
    assert done.returncode == 0, done.stderr
    assert names(watched) == ["alpha", "beta"]


@pytest.mark.parametrize("arguments", ["status", "status --json", "--help", "diagnose '550 x'"])
def test_output_that_cannot_be_written_is_said(
    arguments: str, ready: Command, folder: Path
) -> None:
    """A full disk is no fault of the program."""
    done = with_input(folder, f"{{}} {arguments} >/dev/full")
    assert done.returncode == 1
    said = "Error: Nothing can be written to standard output: No space left on device.\n"
    assert done.stderr == said


def test_what_was_read_is_told_although_one_could_not_be_recorded(
    watched: Command, folder: Path
) -> None:
    """First the others, then the error; in JSON too."""
    with closing(sqlite3.connect(folder / "lapsewatch.db", isolation_level=None)) as database:
        database.execute(
            "CREATE TRIGGER removed BEFORE INSERT ON scan WHEN NEW.tenant = 'gone' "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    said = watched("run", "scan")
    assert said.code == 1
    assert [line.partition(":")[0] for line in said.out.splitlines()] == ["alpha", "beta"]
    assert "Error: " in said.err
    again = watched("run", "scan", "--json")
    assert (again.code, [found["tenant"] for found in again.json]) == (1, ["alpha", "beta"])


def test_two_folders_with_odd_names_share_no_database(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each is told where its database really is."""
    for name in ("a?1", "a?2", "a#3", "a%254"):
        home = folder / name
        home.mkdir()
        monkeypatch.chdir(home)
        said = command("init")
        assert f"sqlite:///{home}/lapsewatch.db" in said.out
        assert (home / "lapsewatch.db").is_file()
        assert names(command) == []
        (home / "tenants.toml").write_text(tenants("alpha"))
        assert command("tenant", "import", "tenants.toml").code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["a#3", "a%254", "a?1", "a?2"]
