"""Turns the driver's errors into ones that say where, what and what to do."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from monitor.errors import StoreError

# What the drivers say, in lower case, to what it means and what to do. The first that fits holds.
_MEANINGS: tuple[tuple[str, str, str], ...] = (
    ("unable to open database file", "cannot be opened",
     "Check the path and its permissions; `lapsewatch init` makes a new database."),
    ("database is locked", "is locked by another process",
     "Stop the other program that writes to it, or wait and try again."),
    ("readonly database", "is read-only",
     "Make the file and its folder writable for the user that runs Lapsewatch."),
    ("disk is full", "has no room: the disk is full", "Free some space and start again."),
    ("disk i/o error", "cannot be read or written: the disk reports an error",
     "Check the disk; it must be a local one, not a network share."),
    ("not a database", "is not a SQLite database", "Check `url` under [database]."),
    ("malformed", "is damaged", "Restore it from a backup."),
    ("no such table", "has no tables, or older ones", "Run `lapsewatch db upgrade`."),
    ("no such column", "has older tables", "Run `lapsewatch db upgrade`."),
    ("has no column", "has older tables", "Run `lapsewatch db upgrade`."),
    ("undefinedtable", "has no tables, or older ones", "Run `lapsewatch db upgrade`."),
    ("undefinedcolumn", "has older tables", "Run `lapsewatch db upgrade`."),
    ("password authentication failed", "refuses the user name or password",
     "Check `url` under [database]."),
    ("no password supplied", "asks for a password",
     "Put it into ~/.pgpass, or into a file that PGPASSFILE names."),
    ("does not exist", "does not exist", "Create the database or role, or check its name."),
    ("connection refused", "refuses the connection",
     "Check that PostgreSQL runs there and listens on that port."),
    ("no such file or directory", "cannot be reached: no server listens on that socket",
     "Check that PostgreSQL runs and where its socket is."),
    ("failed to resolve host", "cannot be reached: its host name is not known",
     "Check the host in `url` under [database]."),
    ("invalid connection option", "has an option in its URL that PostgreSQL does not know",
     "Check what follows the ? in `url` under [database]."),
    ("timeout", "did not answer in time", "Check the network, and that PostgreSQL runs."),
    ("permission denied", "denies access to its tables", "Grant the role the rights it needs."),
    ("read-only transaction", "takes no writes (a standby server?)",
     "Point `url` under [database] at the primary server."),
)  # fmt: skip


def explain(error: SQLAlchemyError, where: str) -> StoreError:
    """What a failed statement or connection means for the person who runs the service.

    Args:
        error: what SQLAlchemy raised. Its own text is not used, because it holds the values.
        where: the database, without user or password.
    """
    if isinstance(error, PoolTimeoutError):
        return StoreError(
            f"The database {where} is busy: no connection became free.",
            remedy="Try again; lower the number of parallel scans if it happens often.",
        )
    said, name = _reply(error)
    known = f"{name} {said}".lower()
    for sign, meaning, remedy in _MEANINGS:
        if sign in known and not isinstance(error, IntegrityError):
            return StoreError(f"The database {where} {meaning}.", remedy=remedy)
    return StoreError(
        f"The database {where} refused a statement: {said or name}.",
        remedy="If it happens again, please report it as a bug, with this text.",
    )


def _reply(error: SQLAlchemyError) -> tuple[str, str]:
    """The driver's first line (the lines below quote values of the row) and its class name."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    if cause is None:
        return "", type(error).__name__
    # A failed connection is told in several lines, one per address tried; no values in those.
    connecting = isinstance(error, DBAPIError) and error.statement is None
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return "; ".join(lines if connecting else lines[:1])[:500], type(cause).__name__
