"""Lapsewatch as a user has it: a command in a folder, judged by what it prints."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_COMMAND = Path(sys.executable).with_name("lapsewatch")


def one_line(text: str) -> str:
    """A text without its line ends."""
    return " ".join(text.split())


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All it printed."""
        return f"{self.out}\n{self.err}"

    def json(self) -> Any:
        """Its standard output, read as JSON."""
        return json.loads(self.out)


@dataclass
class Product:
    """The command in its folder. Every output is kept, to be searched for secrets at the end."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def run(self, *arguments: str, code: int | None = None) -> Done:
        """Run one command without a terminal; fail on a traceback or on another exit code."""
        done = subprocess.run(
            [str(_COMMAND), *arguments],
            cwd=self.folder,
            env={
                "PATH": os.defpath, "HOME": str(self.folder), "COLUMNS": "220", "LANG": "C.UTF-8",
                **self.environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=240,
            check=False,
        )  # fmt: skip
        out, err = done.stdout.decode(), done.stderr.decode()
        self.said += [out, err]
        result = Done(arguments, done.returncode, out, err)
        assert "Traceback" not in result.text, f"{arguments}:\n{result.text}"
        if code is not None:
            assert done.returncode == code, f"{arguments} exits {done.returncode}:\n{result.text}"
        return result

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder."""
        file = self.folder / name
        file.write_text(text)
        return file

    def status(self) -> Report:
        """What `status --json` says; its exit code must be the one in the JSON."""
        done = self.run("status", "--json")
        report = Report(done.json())
        assert report.body["exit_code"] == done.code
        return report

    def csv(self) -> list[dict[str, str]]:
        """What `status --csv` says."""
        return list(csv.DictReader(io.StringIO(self.run("status", "--csv").out)))

    def page(self) -> str:
        """What `status --html` writes."""
        self.run("status", "--html", "page.html")
        return (self.folder / "page.html").read_text()

    def everything(self) -> bytes:
        """All that was printed, and the database byte by byte."""
        stored = [file.read_bytes() for file in self.folder.glob("lapsewatch.db*")]
        return b"\n".join([*stored, *(text.encode() for text in self.said)])


@dataclass(frozen=True)
class Report:
    """The JSON of `status`."""

    body: dict[str, Any]

    def tenant(self, name: str) -> dict[str, Any]:
        """One tenant's row."""
        (row,) = [row for row in self.body["tenants"] if row["name"] == name]
        return dict(row)

    def state(self, name: str) -> str:
        """One tenant's state."""
        return str(self.tenant(name)["state"])

    def canary(self, name: str) -> dict[str, Any]:
        """One tenant's canary."""
        (row,) = [row for row in self.body["canaries"] if row["tenant"] == name]
        return dict(row)

    def credentials(self, tenant: str) -> list[dict[str, Any]]:
        """One tenant's credentials."""
        return [row for row in self.body["credentials"] if row["tenant"] == tenant]
