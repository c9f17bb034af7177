"""`tenant script`: what it prints, and where it writes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.model import ObjectType, ObservedObject, Scan, ScanRecord
from monitor.store import Store
from tests.acceptance.command_line import (
    APP,
    GUID,
    ROOT,
    Command,
    command,
    folder,
    hostile,
    own_log,
    process,
    ready,
)
from tests.powershell_tokens import tokens

__all__ = ["command", "folder", "hostile", "own_log", "ready"]  # fixtures

OBJECT = "c0de0000-0000-4000-8000-000000000001"
CALL = ("tenant", "script", "contoso", "--object-id", OBJECT)


@pytest.mark.parametrize("model", [[], ["--model", "mailbox"], ["--model", "rbac"]], ids=str)
@pytest.mark.parametrize("form", [[], ["--check"], ["--undo"]], ids=str)
def test_the_script_goes_to_standard_output_and_nothing_else_does(
    model: list[str], form: list[str], hostile: Command
) -> None:
    """So that it can be redirected, or copied."""
    said = hostile(*CALL, *model, *form)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("#Requires -Version 5.1\n")
    assert f"$ObjectId = '{OBJECT}'" in said.out
    assert "$Mailbox = 'noreply@contoso.example'" in said.out
    assert tokens(said.out)
    assert "NOT_SET" not in said.out


def test_models_and_forms_are_different_scripts(hostile: Command) -> None:
    """Six of them; without a model it is the mailbox permission."""
    found = {
        hostile(*CALL, "--model", model, *form).out
        for model in ("mailbox", "rbac")
        for form in ([], ["--check"], ["--undo"])
    }
    assert len(found) == 6
    assert "Add-MailboxPermission" in hostile(*CALL).out


def test_a_file_is_as_windows_powershell_reads_it(hostile: Command, folder: Path) -> None:
    """With the mark of UTF-8 and Windows line ends; its checksum is said."""
    said = hostile(*CALL, "--output", "set up.ps1")
    data = (folder / "set up.ps1").read_bytes()
    assert said.code == 0
    assert data.startswith(b"\xef\xbb\xbf#Requires")
    assert data.count(b"\n") == data.count(b"\r\n") > 100
    assert data.decode("utf-8-sig").replace("\r\n", "\n") == hostile(*CALL).out
    assert hashlib.sha256(data).hexdigest() in said.out
    assert [path.name for path in folder.glob("*.ps1*")] == ["set up.ps1"]


def test_a_file_that_is_there_is_overwritten_only_when_told(hostile: Command, folder: Path) -> None:
    """It may be the only copy of somebody's own script."""
    (folder / "x.ps1").write_text("mine")
    said = hostile(*CALL, "--output", "x.ps1")
    assert (said.code, said.out) == (1, "")
    assert "x.ps1 is there already, and was left as it is" in said.err
    assert "--force" in said.err
    assert (folder / "x.ps1").read_text() == "mine"
    assert hostile(*CALL, "--output", "x.ps1", "--force").code == 0
    assert "Requires" in (folder / "x.ps1").read_text("utf-8-sig")
    assert hostile(*CALL, "--output", "new.ps1", "--force").code == 0
    assert sorted(path.name for path in folder.glob("*.ps1*")) == ["new.ps1", "x.ps1"]


@pytest.mark.parametrize("force", [[], ["--force"]], ids=str)
@pytest.mark.parametrize("target", ["target", "missing", "."])
def test_a_symbolic_link_is_never_followed(
    target: str, force: list[str], hostile: Command, folder: Path
) -> None:
    """Not to a file, not to a place where none is yet, not to a folder; --force or not."""
    (folder / "target").write_text("mine")
    (folder / "link.ps1").symlink_to(target)
    said = hostile(*CALL, "--output", "link.ps1", *force)
    assert (said.code, said.out) == (1, "")
    assert "link.ps1 is a symbolic link. " in said.err.replace("\n  Next:", "") + " "
    assert (folder / "target").read_text() == "mine"
    assert not (folder / "missing").exists()
    assert (folder / "link.ps1").is_symlink()


@pytest.mark.parametrize("force", [[], ["--force"]], ids=str)
@pytest.mark.parametrize(
    ("place", "told"),
    [
        (".", "is a folder"), ("/dev/null", "is no file"),
        ("missing/x.ps1", "There is no folder missing"), ("lapsewatch.toml/x", "cannot be written"),
        ("/proc/none/x.ps1", "There is no folder /proc/none"),
        ("x" * 300, "cannot be written: File name too long"),
        ("\x1b[2J/x", "There is no folder ?[2J"),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_written_is_told(
    place: str, told: str, force: list[str], hostile: Command
) -> None:
    """What it is, and where."""
    said = hostile(*CALL, "--output", place, *force)
    assert (said.code, said.out) == (1, "")
    assert told in said.err
    assert "\x1b" not in said.err


def test_a_full_disk_leaves_no_half_a_script(folder: Path) -> None:
    """A script that ends in the middle would do half of the work."""
    write = (
        "import resource, signal; from pathlib import Path;"
        "from monitor.cli.terminal import complain, write_new_file;"
        "from monitor.errors import UsageError;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));\n"
        "for force in (False, True):\n"
        "    try: write_new_file(Path('x.ps1'), b'x' * 9000, force=force)\n"
        "    except UsageError as error: complain(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", write], capture_output=True, text=True, cwd=folder, check=True,
        timeout=60, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT),
                         "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.stderr == "Error: x.ps1 cannot be written: File too large.\n" * 2
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("tenant", "script", "contso"), 1, 'Did you mean "contoso"?'),
        (("tenant", "script", "contoso"), 1, "Say --object-id, or set enterprise_object_id"),
        (("tenant", "script", "contoso", "--object-id", APP), 1, "Application (client) ID"),
        (("tenant", "script", "contoso", "--object-id", f"{GUID}1"), 1, "Directory (tenant) ID"),
        (("tenant", "script", "contoso", "--object-id", "x"), 1, '"x" is not a GUID'),
        ((*CALL, "--check", "--undo"), 2, "--undo"),
        ((*CALL, "--model", "graph"), 2, "'mailbox', 'rbac'"),
    ],
)
def test_a_script_that_would_not_work_is_not_made(
    arguments: tuple[str, ...], code: int, told: str, hostile: Command
) -> None:
    """The mistakes that Exchange would answer with 535 5.7.3 only."""
    said = hostile(*arguments)
    assert (said.code, said.out) == (code, "")
    assert told in said.err


def test_the_object_id_is_known_after_a_scan(hostile: Command, folder: Path) -> None:
    """And the one of the app registration is told apart from it."""
    now = datetime.now(UTC)
    wrong = OBJECT[:-1] + "2"
    seen = (
        ObservedObject(ObjectType.APPLICATION, wrong, APP, "Mailer"),
        ObservedObject(ObjectType.SERVICE_PRINCIPAL, OBJECT, APP, "Mailer"),
    )
    with Store.open(f"sqlite:///{folder / 'lapsewatch.db'}") as store:
        done = ScanRecord("contoso", now, now, complete=True)
        store.record_scan(Scan(done, seen), zone=ZoneInfo("UTC"), own=set())
    assert f"$ObjectId = '{OBJECT}'" in hostile("tenant", "script", "contoso").out
    said = hostile("tenant", "script", "contoso", "--object-id", wrong)
    assert (said.code, said.out) == (1, "")
    assert "is the Object ID of the App registration" in said.err
    assert f"The right one is {OBJECT}." in said.err


def test_a_terminal_without_unicode_gets_the_same_script(hostile: Command, folder: Path) -> None:
    """It is ASCII throughout, so that no redirection can spoil it."""
    done = process(folder, *CALL, environment={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == hostile(*CALL).out
    assert done.stdout.isascii()
