"""What every command needs of the terminal: the wired App, tables, and messages for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from monitor.errors import LapsewatchError, SettingsError, UsageError
from monitor.fields.problems import printable

if TYPE_CHECKING:
    from monitor.config import Configuration
    from monitor.wiring import App


def settings(context: typer.Context, *, quiet: bool = True) -> Configuration:
    """The settings that the global options name; also sets up the logs.

    Args:
        context: of the command.
        quiet: only warnings in the log, unless the user asked for more.
    """
    from monitor import log
    from monitor.config import load

    configuration = load(context.obj["config"])
    chosen = configuration.settings.log
    level = context.obj["log_level"] or ("error" if quiet else chosen.level)
    log.set_up(level=level, form=chosen.format)
    return configuration


@contextmanager
def wired(context: typer.Context, *, quiet: bool = True) -> Iterator[App]:
    """The whole product, wired for one command."""
    from monitor.wiring import App

    with App(settings(context, quiet=quiet)) as app:
        yield app


def complain(error: LapsewatchError) -> None:
    """Print an error for people: what happened, where, what to do next."""
    lines = error.problems if isinstance(error, SettingsError) else (error.message,)
    for line in lines:
        print(f"Error: {printable(line, 2000)}", file=sys.stderr)
    if error.remedy:
        print(f"  Next: {printable(error.remedy, 2000)}", file=sys.stderr)


def many(number: int, noun: str) -> str:
    """`1 mail`, `2 mails`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def write_file(file: Path, text: str, *, make_folder: bool = False) -> None:
    """Write a file that the user named.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        if make_folder:
            file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", errors="replace")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{file} cannot be written: {why}.") from None


def print_json(value: Any) -> None:
    """Print JSON: ASCII only, so that no name can play tricks on a terminal."""
    print(json.dumps(value, indent=2, ensure_ascii=True, default=str))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as wide as the terminal; long cells wrap, nothing is lost."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(printable(cell, 300)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
