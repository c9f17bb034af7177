"""Tenants files for the tests of the roster: rows, secret files, and ways to read them."""

from __future__ import annotations

from pathlib import Path

from monitor.config import Configuration, parse
from monitor.roster import Roster, read

ID = "7b1c0000-0000-4000-8000-00000000000"
APP = "1f3e0000-0000-4000-8000-000000000001"
PLANTED = "Hunter2-8Q~planted-value"


def configuration(folder: Path, **tables: object) -> Configuration:
    """Settings without a file."""
    return parse(dict(tables), folder, None)


def row(name: str = "contoso", number: int = 1, *more: str, **keys: str) -> str:
    """One [[tenant]] with what is required; keywords replace or add keys (as TOML)."""
    plain = {
        "name": f'"{name}"',
        "directory_id": f'"{ID}{number}"',
        "client_id": f'"{APP}"',
        "credential": '{ secret = "env:X" }',
    }
    lines = [f"{key} = {value}" for key, value in {**plain, **keys}.items() if value]
    return "\n".join(["[[tenant]]", *lines, *more]) + "\n"


def take(text: str | bytes, folder: Path, name: str = "tenants.toml", **more: object) -> Roster:
    """What a tenants file of that text holds."""
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    known = more.pop("known", ())
    apps = more.pop("known_apps", ())
    return read(file, configuration(folder, **more), known=known, known_apps=apps)  # type: ignore[arg-type]


def only_error(found: Roster) -> tuple[int, str]:
    """The line and the text of the one error."""
    (error,) = found.errors
    return error.line, error.message


def secret_file(folder: Path, name: str = "s", text: str = "value", mode: int = 0o600) -> Path:
    """A file with a secret."""
    file = folder / name
    file.write_text(text)
    file.chmod(mode)
    return file
