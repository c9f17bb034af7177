"""The command line in a folder of its own: empty, after `init`, or full of hostile names."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
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
        assert "Traceback" not in out + err, err
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
