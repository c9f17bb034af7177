"""The catalogue of bad input: one clear message each, no traceback, no secret, nothing lost."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tests.acceptance.bad_cases import COMMANDS, SETTINGS, TENANTS, Case
from tests.acceptance.command_line import Command, Said, command, folder, own_log

__all__ = ["command", "folder", "own_log"]  # fixtures
Tried = tuple[Said, list[str]]


def data(content: str | bytes) -> bytes:
    """The bytes of a file."""
    return content.encode() if isinstance(content, str) else content


def tried(case: Case, command: Command, folder: Path) -> Tried:
    """What was said, and who is watched afterwards."""
    assert command("init").code == 0
    secret = folder / "secret"
    secret.write_bytes(data(case.secret))
    secret.chmod(0o600)
    (folder / "lapsewatch.toml").write_bytes(data(case.settings))
    arguments = case.arguments
    if case.tenants is not None:
        (folder / "t.toml").write_bytes(data(case.tenants))
        arguments = ("tenant", "import", "t.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        for name, text in case.environment.items():
            patch.setenv(name, text)
        said = command(*arguments)
    (folder / "lapsewatch.toml").write_text("")
    return said, [entry["name"] for entry in command("tenant", "list", "--json").json]


@pytest.mark.parametrize("case", [*SETTINGS, *TENANTS, *COMMANDS], ids=lambda case: case.name)
def test_bad_input_is_one_clear_message(case: Case, command: Command, folder: Path) -> None:
    """What is wrong and where, one line for each problem; a good row stays good."""
    said, watched = tried(case, command, folder)
    assert said.code == case.code, said
    sign = "Error: " if case.code else "Warning: "
    assert sum(line.startswith(sign) for line in said.err.splitlines()) == case.lines, said.err
    assert case.says in " ".join(said.err.split())
    assert case.never not in said.out + said.err
    assert "fault of the program" not in said.err
    if case.tenants is not None and case.code:
        assert watched in ([], ["a"])
