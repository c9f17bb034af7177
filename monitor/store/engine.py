"""Connections and transactions: how each kind of database is opened, read and written."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from monitor.errors import StoreError
from monitor.store.failures import explain

BUSY_SECONDS = 10
_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?:///(.*)", re.DOTALL)
_MOMENT = 0.05  # seconds
_POOL = 20  # scans, senders and web requests of one process, side by side


class Database:
    """One database, SQLite or PostgreSQL, and the two ways to use it: `read` and `write`.

    Args:
        url: `sqlite:///FILE` (all that follows is the file's name, also a ?) or
            `postgresql+psycopg://USER@HOST/NAME`.
        busy_seconds: how long to wait for another process's write, or for a server to answer.

    Raises:
        StoreError: the URL cannot be used. Nothing is connected yet.
    """

    def __init__(self, url: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        parsed = _parse(url)
        self.sqlite_file = _sqlite_file(parsed)
        self.where = str(self.sqlite_file) if self.sqlite_file else _place(parsed)
        self.engine = (
            _sqlite(self.sqlite_file, busy_seconds)
            if self.sqlite_file
            else _postgresql(parsed, busy_seconds)
        )
        # SQLite lets one writer in at a time, and its waiting is not fair: threads of one process
        # queue here, so that only other processes are left to the busy timeout.
        self._writer = threading.Lock() if self.sqlite_file else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state and changes nothing.

        Raises:
            StoreError: the database cannot be used; says why and what to do.
        """
        with self._explained(), self.engine.connect() as connection:
            if self.sqlite_file is None:  # SQLite's readers see one state anyway
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    @contextmanager
    def write(self, *, foreign_keys: bool = True) -> Iterator[Connection]:
        """A transaction that keeps everything, or (after any exception) nothing.

        Args:
            foreign_keys: False only for migrations, which rebuild SQLite's tables.

        Raises:
            StoreError: the database cannot be used; says why and what to do.
        """
        options = {"writes": True, "foreign_keys": foreign_keys}
        with self._explained(), self._writer, self.engine.connect() as connection:
            connection = connection.execution_options(**options)
            with connection.begin():
                yield connection

    def create_file(self) -> None:
        """Make an empty SQLite file that only its owner can read, unless there is one.

        Raises:
            StoreError: the folder is missing or not writable.
        """
        if self.sqlite_file is None:
            return
        try:
            os.close(os.open(self.sqlite_file, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(
                f"The database {self.where} cannot be created: {error.strerror}.",
                remedy="Check that the folder exists and that you may write to it.",
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeoutError) as error:
            raise explain(error, self.where) from error


def hold_name(connection: Connection, name: str) -> None:
    """Make transactions about the same name wait for each other, until this one ends.

    SQLite lets one writer in at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    *,
    keep: Sequence[str] = (),
) -> None:
    """Insert rows, or overwrite those with the same primary key, in one round of the driver.

    Args:
        connection: a writing transaction.
        table: where to.
        rows: complete rows, no primary key twice.
        keep: columns that an existing row keeps.
    """
    if not rows:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {
        name: statement.excluded[name] for name in rows[0] if name not in keys and name not in keep
    }
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows)
    )


def insert_once(
    connection: Connection,
    table: Table,
    row: dict[str, Any],
    *,
    unique: Sequence[str],
    where: Any = None,
) -> bool:
    """Insert a row unless one with the same unique columns is there.

    Args:
        connection: a writing transaction.
        table: where to.
        row: the row.
        unique: the columns of the unique index.
        where: the index's own condition, if it is a partial one.

    Returns:
        Whether the row was inserted.
    """
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    # inline: or PostgreSQL returns the new key instead of a count of rows.
    statement = dialect.insert(table).values(**row).inline()
    done = connection.execute(
        statement.on_conflict_do_nothing(index_elements=list(unique), index_where=where),
        execution_options={"preserve_rowcount": True},
    )
    return bool(done.rowcount == 1)


def add(connection: Connection, table: Table, row: dict[str, Any]) -> int:
    """Insert a row of a table that numbers its rows.

    Returns:
        The number it was given.
    """
    key = connection.execute(insert(table).values(**row)).inserted_primary_key
    return int(key[0]) if key else 0


def _parse(url: str) -> URL:
    if match := _SQLITE.fullmatch(url):
        # All of it is the file's name: a folder may have a ? in its own, which begins no options.
        return URL.create("sqlite", database=match[1])
    try:
        parsed = make_url(url.encode().decode())  # half a character is no part of a URL
        if "@" in (parsed.host or ""):
            raise ValueError("the rest of a password that has an @ in it")
    except (ArgumentError, ValueError):
        raise StoreError(
            "The database URL cannot be read.",
            remedy="Write sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME "
            "(with %40 for an @ in the password) as `url` under [database].",
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        return parsed
    raise StoreError(
        f"Databases of the kind {parsed.drivername} are not supported.",
        remedy="Use sqlite:///FILE or postgresql+psycopg://… as `url` under [database].",
    )


def _sqlite_file(url: URL) -> Path | None:
    if not url.drivername.startswith("sqlite"):
        return None
    if not url.database or url.database == ":memory:":
        raise StoreError(
            "A database in memory forgets what it has told to whom.",
            remedy="Name a file: sqlite:///lapsewatch.db.",
        )
    return Path(url.database).expanduser().absolute()


def _place(url: URL) -> str:
    """The server and database, without user, password and options."""
    host = url.host or url.query.get("host") or "localhost"
    port = f":{url.port}" if url.port else ""
    return f"{host if isinstance(host, str) else ','.join(host)}{port}/{url.database or ''}"


def _sqlite(file: Path, busy_seconds: float) -> Engine:
    # mode=rw: a mistyped path must be an error, not a new and empty database that looks quiet.
    name = f"file:{quote(os.fsencode(file))}?mode=rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            name, uri=True, timeout=busy_seconds, check_same_thread=False, isolation_level=None
        )

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=_POOL, hide_parameters=True
    )
    event.listen(engine, "connect", partial(_prepare_sqlite, busy_seconds))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(busy_seconds: float, connection: sqlite3.Connection, _record: object) -> None:
    _write_ahead(connection, busy_seconds)
    # FULL: what was recorded as sent survives a power cut, not only a crash of the process.
    connection.execute("PRAGMA synchronous=FULL")


def _write_ahead(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Let readers and a writer work side by side.

    While two processes make a new database, the change of the mode is refused at once: SQLite
    asks no busy timeout for it (https://www.sqlite.org/rescode.html, SQLITE_BUSY).
    """
    until = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_MOMENT)


def _begin_sqlite(connection: Connection) -> None:
    # The driver would begin late and without asking for the write lock; two transactions that
    # both read and then write would fail at once, whatever the busy timeout says.
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA foreign_keys={int(options.get('foreign_keys', True))}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")


def _postgresql(url: URL, busy_seconds: float) -> Engine:
    given = url.query.get("options", "")
    options = f"{given if isinstance(given, str) else ' '.join(given)} -c timezone=UTC".strip()
    try:
        return create_engine(
            url.difference_update_query(["options"]),
            connect_args={"connect_timeout": max(int(busy_seconds), 1), "options": options},
            pool_size=_POOL,
            pool_pre_ping=True,  # a restarted server costs no run
            hide_parameters=True,
        )
    except ModuleNotFoundError:
        raise StoreError(
            "PostgreSQL needs the driver psycopg, which is not installed.",
            remedy='Run pip install "lapsewatch[postgres]".',
        ) from None
