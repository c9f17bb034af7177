"""`init` and `db`: the settings file and the database."""

from __future__ import annotations

import os
import sys
from importlib import resources
from pathlib import Path

import typer

from monitor.cli.terminal import settings, write_file

db = typer.Typer(name="db", help="The database.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("init")(init)
    app.add_typer(db)


def init(context: typer.Context) -> None:
    """Write a commented settings file (unless there is one) and make or upgrade the database."""
    from monitor.config import DEFAULT_FILE
    from monitor.store import Store

    named = context.obj["config"] or os.environ.get("LAPSEWATCH_CONFIG") or DEFAULT_FILE
    file = Path(named)
    if os.path.exists(file):
        print(f"{file} exists and was left as it is.")
    else:
        text = resources.files("monitor").joinpath("settings_example.toml").read_text("utf-8")
        write_file(file, text, make_folder=True)
        print(f"Wrote {file}. Every setting in it is explained.")
    configuration = settings(context)
    with Store.open(configuration.database_url) as store:
        store.upgrade()
    print(f"The database is ready: {shown_url(configuration.database_url)}")
    print("Next: lapsewatch tenant add (asks step by step), or: lapsewatch tenant import FILE")


@db.command("upgrade")
def upgrade(context: typer.Context) -> None:
    """Bring the database to this version's schema; safe to run again."""
    from monitor.store import Store

    configuration = settings(context)
    with Store.open(configuration.database_url) as store:
        store.upgrade()
    print(f"The database is ready: {shown_url(configuration.database_url)}")


@db.command("check")
def check(context: typer.Context) -> None:
    """Say whether the database can be used by this version."""
    from monitor.store import Store

    configuration = settings(context)
    with Store.open(configuration.database_url) as store:
        store.check()
    print(
        f"The database fits this version: {shown_url(configuration.database_url)}", file=sys.stdout
    )


def shown_url(url: str) -> str:
    """A database URL without its password."""
    from monitor.log import redact

    return redact(url)
