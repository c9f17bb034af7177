"""The root command: global options, error messages and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from monitor import __version__
from monitor.cli import demo, initialise, reports, running, serving, tenants
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
for module in (demo, initialise, tenants, running, serving, reports):
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
    context.obj = {"config": config, "log_level": log_level}


def run(arguments: Sequence[str]) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 fine, 1 error, 2 usage, else the command's own.
    """
    try:
        app(args=list(arguments), prog_name="lapsewatch")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else EXIT_ERROR
    except LapsewatchError as error:
        complain(error)
        return EXIT_ERROR
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    return 0
