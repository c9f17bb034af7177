"""What every command needs of the terminal: the wired App, tables, and messages for people."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

from monitor.errors import LapsewatchError, SettingsError, UsageError
from monitor.fields.problems import printable

if TYPE_CHECKING:
    from monitor.config import Configuration
    from monitor.wiring import App


EXIT_LEFT = 130  # as shells say it of a command that Ctrl-C ended


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
def wired(context: typer.Context, *, quiet: bool = True, works: bool = False) -> Iterator[App]:
    """The whole product, wired for one command.

    Args:
        context: of the command.
        quiet: only warnings in the log, unless the user asked for more.
        works: it will sign in somewhere, so the sealed values must open.

    Raises:
        SecretError: they do not.
    """
    from monitor.wiring import App

    with App(settings(context, quiet=quiet)) as app:
        if works:
            app.sealed.check()
        yield app


def ask(label: str, *, default: str = "", hidden: bool = False, shown: bool = True) -> str:
    """One answer from the terminal, as text.

    Args:
        label: the question.
        default: what an empty answer stands for.
        hidden: nothing of it is shown.
        shown: whether the default is.

    Raises:
        typer.Abort: whoever answers has left (Ctrl-C, Ctrl-D).
    """
    while True:
        try:
            said: str = typer.prompt(label, default=default, show_default=shown, hide_input=hidden)
            return said
        except UnicodeDecodeError:  # what is hidden is read without our leave to replace letters
            print("    That is not UTF-8 text. Once more, please.")


def ask_secret(label: str) -> str:
    """A secret's value from the terminal, without echo.

    Raises:
        typer.Exit: whoever answers has left; nothing was changed, and that is said.
    """
    try:
        while not (said := ask(label, hidden=True, shown=False)):
            pass
        return said
    except (typer.Abort, KeyboardInterrupt, EOFError):
        print("\nLeft. Nothing was changed.")
        raise typer.Exit(EXIT_LEFT) from None


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


def when(instant: datetime | None, zone: ZoneInfo) -> str:
    """An instant in the reader's zone; dates at the end of time stay as they are."""
    if instant is None:
        return "never"
    if 1 < instant.year < 9999:
        instant = instant.astimezone(zone)
    return f"{instant:%Y-%m-%d %H:%M %Z}"


def iso(instant: datetime | None) -> str | None:
    """An instant for JSON: ISO 8601 in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else None


def lasting(length: timedelta) -> str:
    """A length of time in its largest whole unit: "14 days", "36 hours"."""
    seconds = int(length.total_seconds())
    units = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
    size, noun = next((size, noun) for noun, size in units if seconds % size == 0)
    return many(seconds // size, noun)


def read_file(file: Path) -> bytes:
    """What a file holds that the user named.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no file can have that name"
        raise UsageError(f"{printable(str(file), 300)} cannot be read: {why}.") from None


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


def write_new_file(file: Path, data: bytes, *, force: bool = False) -> None:
    """Write a file whole or not at all, and never through a symbolic link.

    Args:
        file: where to.
        data: what it shall hold.
        force: replace a file that is there already.

    Raises:
        UsageError: something is there already, or it cannot be written there.
    """
    try:
        _refuse_what_is_there(file, force=force)
        if force:
            beside = file.with_name(f".{file.name}.{os.getpid()}.new")
            _create(beside, data)
            os.replace(beside, file)  # of a link that was put there meanwhile, the link itself
        else:
            _create(file, data)
    except (OSError, ValueError) as error:
        raise _unwritable(file, error) from None


def _create(file: Path, data: bytes) -> None:
    # With O_EXCL the system itself refuses whatever is there, links that lead nowhere included.
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
    except OSError:
        os.unlink(file)
        raise


def _refuse_what_is_there(file: Path, *, force: bool) -> None:
    try:
        mode = os.lstat(file).st_mode
    except FileNotFoundError:
        return
    shown = printable(str(file), 300)
    if stat.S_ISLNK(mode):
        raise UsageError(f"{shown} is a symbolic link.", remedy="Name the file itself.")
    if stat.S_ISDIR(mode):
        raise UsageError(f"{shown} is a folder.", remedy="Name a file in it.")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{shown} is no file.", remedy="Leave --output out to print instead.")
    if not force:
        raise _there_already(file)


def _there_already(file: Path) -> UsageError:
    told = f"{printable(str(file), 300)} is there already, and was left as it is."
    return UsageError(told, remedy="Say --force to overwrite it, or name another file.")


def _unwritable(file: Path, error: OSError | ValueError) -> UsageError:
    if isinstance(error, FileExistsError):
        return _there_already(file)
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        folder = printable(str(file.parent), 300)
        return UsageError(f"There is no folder {folder}.", remedy="Make it, or name another.")
    why = getattr(error, "strerror", None) or error
    return UsageError(f"{printable(str(file), 300)} cannot be written: {why}.")


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
