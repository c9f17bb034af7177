"""`lapsewatch secrets`: from a prompt without echo to a start that needs the key."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import stat
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from monitor.cli.root import run
from monitor.config import load
from monitor.model import CredentialRef
from monitor.wiring import App
from tests import keys

ROOT = Path(__file__).parents[2]
PLANTED = "planted-Secret~value"
ROW = """
[[tenant]]
name = "contoso"
directory_id = "7b1c0000-0000-4000-8000-000000000001"
client_id = "1f3e0000-0000-4000-8000-000000000001"
credential = { secret = "sealed:contoso/secret" }
[[tenant]]
name = "fabrikam"
directory_id = "7b1c0000-0000-4000-8000-000000000002"
client_id = "1f3e0000-0000-4000-8000-000000000002"
credential = { secret = "sealed:contoso/secret" }
"""


def environment() -> dict[str, str]:
    """Nothing of the machine that runs the tests."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "dumb"}


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Said]


@pytest.fixture
def lapsewatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Runs a command at debug level; whatever it is, it prints neither value nor key."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    for name in [name for name in os.environ if name.startswith("LAPSEWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, given: bytes = b"") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        capsys.readouterr()
        code = run(["--log-level", "debug", *arguments])
        out, err = capsys.readouterr()
        for hidden in (PLANTED, *(file.read_text().strip() for file in tmp_path.glob("*.key"))):
            assert hidden[:12] not in out + err
        assert "Traceback" not in out + err
        return Said(code, out, err)

    yield call
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def name_key(folder: Path, key: str, *old: str) -> None:
    """Put keys into the settings."""
    (folder / "lapsewatch.toml").write_text(
        f'[vault]\nkey = "file:{key}"\nold_keys = {[f"file:{one}" for one in old]}\n'
    )


@pytest.fixture
def folder(tmp_path: Path, lapsewatch: Command) -> Path:
    """Settings with a key, and a tenant whose secret is sealed."""
    (tmp_path / "lapsewatch.toml").write_text("")
    (tmp_path / "tenants.toml").write_text(ROW)
    assert lapsewatch("secrets", "new-key", "a.key").returncode == 0
    name_key(tmp_path, "a.key")
    imported = lapsewatch("tenant", "import", "tenants.toml")
    assert "names a sealed value of another tenant, contoso" in imported.stderr
    return tmp_path


def set_value(lapsewatch: Command) -> None:
    """Seal contoso's secret by standard input."""
    done = lapsewatch("secrets", "set", "contoso", "secret", given=PLANTED.encode() + b"\n")
    assert done.returncode == 0, done.stderr
    assert "sealed:contoso/secret" in done.stdout


def secret_of(folder: Path) -> str:
    """What contoso signs in with."""
    with App(load(folder / "lapsewatch.toml")) as app:
        return app.credential(CredentialRef("secret", "sealed:contoso/secret")).secret


def test_a_value_is_typed_without_echo(folder: Path) -> None:
    """In a real terminal: what is typed comes back in no form, and the terminal is as before."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "monitor", "secrets", "set", "contoso", "secret"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment(),
        start_new_session=True, preexec_fn=take_terminal,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while b"not shown" not in shown:
        shown += os.read(ours, 1000)
    until = time.monotonic() + 20
    while termios.tcgetattr(ours)[3] & termios.ECHO and time.monotonic() < until:
        os.sched_yield()
    os.write(ours, PLANTED.encode() + b"\n")
    try:
        while True:
            shown += os.read(ours, 1000)
    except OSError:  # the terminal is closed when its last user ends
        pass
    assert child.wait(timeout=30) == 0
    os.close(ours)
    assert b"Sealed as sealed:contoso/secret" in shown
    assert PLANTED.encode() not in shown
    assert secret_of(folder) == PLANTED


def take_terminal() -> None:
    """Make the terminal on standard input the one that a password is asked on."""
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_value_comes_from_standard_input_and_not_as_an_argument(
    folder: Path, lapsewatch: Command
) -> None:
    """An argument would stand in the list of processes and in the shell's history."""
    set_value(lapsewatch)
    assert secret_of(folder) == PLANTED
    refused = lapsewatch("secrets", "set", "contoso", "secret", "a-value")
    assert refused.returncode == 2
    empty = lapsewatch("secrets", "set", "contoso", "secret", given=b" \n")
    assert (empty.returncode, "There is no value" in empty.stderr) == (1, True)
    odd = lapsewatch("secrets", "set", "contoso", "Not A Word", given=b"x")
    assert "no name for a sealed value" in odd.stderr
    nobody = lapsewatch("secrets", "set", "contso", "secret", given=b"x")
    assert 'Did you mean "contoso"?' in nobody.stderr
    no_app = lapsewatch("secrets", "set", "app:msp", "secret", given=b"x")
    assert 'no app "app:msp"' in no_app.stderr
    assert secret_of(folder) == PLANTED


def test_a_pfx_can_be_sealed_with_its_password_beside_it(folder: Path, lapsewatch: Command) -> None:
    """Bytes as they are."""
    pfx = keys.pfx(1, PLANTED, own=1)
    for field, given in (("pfx", pfx), ("password", PLANTED.encode())):
        done = lapsewatch("secrets", "set", "contoso", field, given=given)
        assert done.returncode == 0
    with App(load(folder / "lapsewatch.toml")) as app:
        held = CredentialRef("certificate", "sealed:contoso/pfx", "sealed:contoso/password")
        assert app.credential(held).ends == keys.ENDS


def test_what_is_sealed_is_listed_and_removed(folder: Path, lapsewatch: Command) -> None:
    """Reference, key, when, and whether it opens."""
    set_value(lapsewatch)
    listed = lapsewatch("secrets", "list").stdout
    assert "sealed:contoso/secret" in listed
    assert "opens" in listed
    lapsewatch("secrets", "new-key", "b.key")
    name_key(folder, "b.key")
    (found,) = json.loads(lapsewatch("secrets", "list", "--json").stdout)
    assert "which [vault] does not name" in found["problem"]
    assert found.keys() == {"owner", "field", "key_id", "set_at", "problem"}
    assert lapsewatch("secrets", "remove", "contoso", "secret").returncode == 0
    again = lapsewatch("secrets", "remove", "contoso", "secret")
    assert (again.returncode, "secrets list" in again.stderr) == (1, True)
    assert lapsewatch("secrets", "list", "--json").stdout.strip() == "[]"


def test_a_new_key_is_for_its_owners_eyes_and_never_overwrites_one(
    folder: Path, lapsewatch: Command
) -> None:
    """It says where to put it, and what to do with the one there is."""
    made = lapsewatch("secrets", "new-key", "b.key")
    assert stat.S_IMODE((folder / "b.key").stat().st_mode) == 0o600
    for words in (f'key = "file:{folder}/b.key"', 'old_keys = ["file:a.key"]', "rotate-key"):
        assert words in made.stdout
    before = (folder / "b.key").read_text()
    again = lapsewatch("secrets", "new-key", "b.key")
    assert (again.returncode, "never overwritten" in again.stderr) == (1, True)
    assert (folder / "b.key").read_text() == before


def test_a_start_with_another_key_stops_and_names_the_right_one(
    folder: Path, lapsewatch: Command
) -> None:
    """Before anything is read or sent; with both keys it works, and after a rotation with one."""
    set_value(lapsewatch)
    lapsewatch("secrets", "new-key", "b.key")
    name_key(folder, "b.key")
    for start in (("serve", "--port", "0"), ("run", "scan"), ("run", "canary"), ("run", "warn")):
        stopped = lapsewatch(*start)
        assert stopped.returncode == 1, start
        assert "Values are sealed under the key" in stopped.stderr
        assert "old_keys" in stopped.stderr
    assert lapsewatch("status").returncode not in (0, 1, 2)
    name_key(folder, "b.key", "a.key")
    assert lapsewatch("run", "warn").returncode == 0
    rotated = lapsewatch("secrets", "rotate-key")
    assert "1 value re-wrapped; all 1 are under the key" in rotated.stdout
    assert "take old_keys out" in rotated.stdout
    assert "0 values re-wrapped" in lapsewatch("secrets", "rotate-key").stdout
    name_key(folder, "b.key")
    assert lapsewatch("run", "warn").returncode == 0
    assert secret_of(folder) == PLANTED


def test_without_a_key_nothing_is_asked_for(folder: Path, lapsewatch: Command) -> None:
    """Nobody types a value that could not be kept."""
    (folder / "lapsewatch.toml").write_text("")
    stopped = lapsewatch("secrets", "set", "contoso", "secret", given=b"x")
    assert stopped.returncode == 1
    assert "lapsewatch secrets new-key" in stopped.stderr
