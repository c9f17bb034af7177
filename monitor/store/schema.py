"""Brings the tables to the version of the program, and says when they are not."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from monitor.errors import StoreError
from monitor.store.engine import Database

_UPGRADE_LOCK = 7_143_209_551  # any number, as long as it stays the same in all versions


def upgrade(database: Database, to: str = "head") -> None:
    """Create the database file if needed and bring the tables to this version, or change nothing.

    Args:
        database: which one.
        to: the step to stop at; the last one brings it to this version.

    Raises:
        StoreError: the database cannot be used, or was made by a newer version.
    """
    database.create_file()
    with database.write(foreign_keys=False) as connection:
        _lock(connection)
        config = _config()
        _refuse_newer(database, config, _revision(connection))
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        _check_references(connection)


def check(database: Database) -> None:
    """Make sure that the tables are those of this version.

    Raises:
        StoreError: the database cannot be used, or its tables are older or newer.
    """
    if database.sqlite_file is not None and not database.sqlite_file.exists():
        raise StoreError(
            f"There is no database at {database.where}.", remedy="Run `lapsewatch init`."
        )
    config = _config()
    with database.read() as connection:
        current = _revision(connection)
    _refuse_newer(database, config, current)
    if current != ScriptDirectory.from_config(config).get_current_head():
        state = "has no tables yet" if current is None else "is of an older version"
        raise StoreError(
            f"The database {database.where} {state}.", remedy="Run `lapsewatch db upgrade`."
        )


def _config() -> Config:
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(database: Database, config: Config, current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise StoreError(
            f"The database {database.where} was made by a newer version of Lapsewatch.",
            remedy="Install that version again, or restore a backup of this version.",
        )


def _lock(connection: Connection) -> None:
    """Let one process migrate at a time; SQLite's write lock does it already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))


def _check_references(connection: Connection) -> None:
    """Foreign keys are off while SQLite's tables are rebuilt; prove that none was broken."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise StoreError(
                f"The upgrade would leave rows of {broken[0]} without what they refer to.",
                remedy="Nothing was changed; please report it as a bug.",
            )
