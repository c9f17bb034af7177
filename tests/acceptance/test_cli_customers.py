"""`tenant import --dry-run`, `export`, `purge` and `--tag`, as people call them."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
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
    own_log,
    process,
    ready,
)

__all__ = ["command", "folder", "own_log", "ready"]  # fixtures


def row(name: str, number: int, *more: str) -> str:
    """A [[tenant]]."""
    keys = [f'name = "{name}"', f'directory_id = "{GUID}{number}"', *more]
    return "\n".join(["[[tenant]]", *keys]) + "\n"


OWN = (f'client_id = "{APP}"', 'credential = { secret = "env:X" }')
SHARED = f'[[app]]\nname = "msp"\nclient_id = "{APP}"\ncredential = {{ secret = "env:MSP" }}\n'


def write(folder: Path, *parts: str, name: str = "tenants.toml") -> str:
    """A tenants file; returns its name."""
    (folder / name).write_text("".join(parts))
    return name


def test_a_dry_run_says_what_the_import_would_do_and_changes_nothing(
    ready: Command, folder: Path
) -> None:
    """Word for word what the import then does; the errors too, and the same exit code."""
    users = row("a", 1, 'app = "msp"'), row("b", 2, 'app = "msp"'), row("c", 3, *OWN)
    assert ready("tenant", "import", write(folder, SHARED, *users)).code == 0
    before = ready("tenant", "list", "--json").json
    changed = write(
        folder, SHARED.replace("env:MSP", "env:NEW"), users[0], row("c", 4, *OWN),
        row("d", 5, *OWN), row("e", 6, *OWN, 'colour = "red"'),
    )  # fmt: skip

    said = ready("tenant", "import", changed, "--dry-run", "--json")

    assert said.code == 1
    assert "colour" in said.err
    assert ready("tenant", "list", "--json").json == before
    real = ready("tenant", "import", changed, "--json")
    assert real.json == said.json | {"dry_run": False}
    outcomes = {one["name"]: one["outcome"] for one in real.json["tenants"]}
    assert outcomes == {"a": "updated", "b": "updated", "c": "replaced", "d": "added"}


def test_a_dry_run_in_words_names_each_change(ready: Command, folder: Path) -> None:
    """Not those that stay as they are."""
    assert ready("tenant", "import", write(folder, row("a", 1, *OWN))).code == 0
    file = write(folder, row("a", 1, *OWN), row("b", 2, *OWN))
    said = ready("tenant", "import", file, "-n")
    assert said.out.splitlines() == [
        "b would be added.", "tenants.toml: 2 tenants, 1 unchanged. Nothing was changed.",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["toml", "csv"])
def test_an_export_is_imported_unchanged(ready: Command, folder: Path, form: str) -> None:
    """Through a file of either form, and through standard output."""
    users = row("a", 1, 'app = "msp"', 'tags = ["gold", "two words"]'), row("c", 3, *OWN)
    assert ready("tenant", "import", write(folder, SHARED, *users)).code == 0
    said = ready("tenant", "export", f"out.{form}")
    assert said.code == 0
    assert ("TOML export has them" in said.err) == (form == "csv")
    printed = ready("tenant", "export", "--format", form).out
    assert printed.replace("\r\n", "\n") == (folder / f"out.{form}").read_text()

    again = ready("tenant", "import", f"out.{form}", "--json")

    assert again.code == 0
    assert {one["outcome"] for one in again.json["tenants"]} == {"unchanged"}
    assert len(again.json["tenants"]) == 2


def test_an_export_overwrites_nothing_unless_told_to(ready: Command, folder: Path) -> None:
    """What is there stays as it is, and the message says how to overwrite it."""
    assert ready("tenant", "import", write(folder, row("a", 1, *OWN))).code == 0
    (folder / "mine.toml").write_text("mine")
    said = ready("tenant", "export", "mine.toml")
    assert said.code == 1
    assert "--force" in said.err
    assert (folder / "mine.toml").read_text() == "mine"
    assert ready("tenant", "export", "mine.toml", "--force").code == 0
    assert "[[tenant]]" in (folder / "mine.toml").read_text()


def test_an_export_holds_no_value_of_a_secret(ready: Command, folder: Path) -> None:
    """A secret in the file that is named, and in the environment, is in neither form."""
    (folder / "secret").write_text(PLANTED)
    (folder / "secret").chmod(0o600)
    held = f'client_id = "{APP}"', 'credential = { secret = "file:secret" }'
    assert ready("tenant", "import", write(folder, row("a", 1, *held))).code == 0
    for form in ("toml", "csv"):  # the fixture looks for the planted value
        assert "file:" in ready("tenant", "export", "--format", form).out


def test_a_tag_chooses_tenants(ready: Command, folder: Path) -> None:
    """In list and export; one that nobody has is a mistake, and the nearest is named."""
    rows = row("a", 1, *OWN, 'tags = ["Gold"]'), row("b", 2, *OWN)
    assert ready("tenant", "import", write(folder, *rows)).code == 0
    listed = ready("tenant", "list", "--tag", "gold", "--json").json
    assert [one["name"] for one in listed] == ["a"]
    assert '"b"' not in ready("tenant", "export", "--tag", "gold").out
    said = ready("tenant", "list", "--tag", "glod")
    assert said.code == 1
    assert 'Did you mean "Gold"?' in said.err


def test_a_purge_prints_what_it_deleted(ready: Command, folder: Path) -> None:
    """In words and as JSON; afterwards there is no such tenant."""
    rows = row("a", 1, *OWN), row("b", 2, *OWN)
    assert ready("tenant", "import", write(folder, *rows)).code == 0
    assert ready("run", "scan", "--tenant", "a").code == 0  # it fails, which leaves a trace
    said = ready("tenant", "purge", "a", "--yes")
    assert said.code == 0
    assert said.out.startswith("a is purged: 1 scan, ")
    assert ready("tenant", "purge", "b", "--yes", "--json").json["directory_id"] == f"{GUID}2"
    assert ready("tenant", "list", "--json").json == []
    assert ready("tenant", "purge", "a", "--yes").code == 1


def test_a_purge_without_a_terminal_needs_yes(ready: Command, folder: Path) -> None:
    """Whatever standard input says; nothing is deleted."""
    assert ready("tenant", "import", write(folder, row("a", 1, *OWN))).code == 0
    done = process(folder, "tenant", "purge", "a", input="y\n")
    assert done.returncode == 1
    assert "Say --yes" in done.stderr
    assert len(ready("tenant", "list", "--json").json) == 1


@pytest.mark.parametrize(("answer", "left"), [(b"n\n", 1), (b"y\n", 0)])
def test_a_purge_asks_at_a_terminal(ready: Command, folder: Path, answer: bytes, left: int) -> None:
    """A real pseudo-terminal; only a yes deletes."""
    assert ready("tenant", "import", write(folder, row("a", 1, *OWN))).code == 0
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", "tenant", "purge", "a"], stdin=theirs,
        stdout=theirs, stderr=theirs, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as running:  # fmt: skip
        os.close(theirs)
        os.write(ours, answer)
        running.wait(60)
    os.close(ours)
    assert len(ready("tenant", "list", "--json").json) == left
