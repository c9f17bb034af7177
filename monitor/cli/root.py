"""The root command: global options, error messages and exit codes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from monitor import __version__
from monitor.cli import (
    accepting,
    auditing,
    channels,
    customers,
    demo,
    discovering,
    doctor,
    explaining,
    forecasting,
    handing,
    initialise,
    inventory,
    linking,
    onboarding,
    proving,
    reports,
    running,
    running_reports,
    scripts,
    secrets,
    serving,
    setup_link,
    shadows,
    silencing,
    tenants,
    verifying,
)
from monitor.cli.terminal import complain
from monitor.errors import LapsewatchError

EXIT_ERROR = 1

app = typer.Typer(
    name="lapsewatch",
    help="Watches app credentials of Microsoft Entra tenants and warns before they lapse.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and so secrets
    add_completion=True,
    rich_markup_mode=None,
)
for module in (
    demo,
    initialise,
    tenants,
    customers,
    discovering,
    onboarding,
    proving,
    shadows,
    accepting,
    secrets,
    channels,
    scripts,
    running,
    running_reports,
    serving,
    setup_link,
    reports,
    forecasting,
    inventory,
    explaining,
    handing,
    linking,
    silencing,
    verifying,
    auditing,
    doctor,
):
    module.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lapsewatch {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Settings file (default: ./lapsewatch.toml)."),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error (default: the settings').")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Keep what all commands share."""
    del version
    if log_level not in (None, "debug", "info", "warning", "error"):
        raise typer.BadParameter("must be debug, info, warning or error", param_hint="--log-level")
    context.obj = {"config": config, "log_level": log_level}


def run(arguments: Sequence[str]) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 fine, 1 error, 2 usage, else the command's own.
    """
    _accept_any_terminal()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        _give_up_output()
        return EXIT_ERROR
    except OSError as error:
        _give_up_output()
        told = f"Nothing can be written to standard output: {error.strerror}."
        complain(LapsewatchError(told))
        return EXIT_ERROR
    return code


def _give_up_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: Sequence[str]) -> int:
    try:
        app(args=list(arguments), prog_name="lapsewatch")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else EXIT_ERROR
    except LapsewatchError as error:
        complain(error)
        return EXIT_ERROR
    except BrokenPipeError:
        raise
    except Exception as error:  # a traceback helps nobody who is not at home in this code
        if isinstance(error, OSError):
            sys.stdout.flush()  # raises once more if it is the output that cannot be written
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            from monitor import log

            log.get("lapsewatch.cli").exception("command_crashed")
        told = f"A fault of the program stopped this command ({type(error).__name__})."
        complain(LapsewatchError(told, remedy="Please report it, with --log-level debug."))
        return EXIT_ERROR
    return 0


def _accept_any_terminal() -> None:
    """Closed streams read as empty; what an encoding cannot show is written as an escape."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 (kept for good)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
