"""What goes wrong with a database is told in words: where, what and what to do."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from monitor.errors import StoreError
from monitor.store import Store, engine

PASSWORD = "hunter2-xyz"


def refusal(url: str) -> StoreError:
    """What a store says when it is used."""
    with pytest.raises(StoreError) as raised, Store.open(url) as store:
        store.tenants()
    text = f"{raised.value} {raised.value.__cause__}"
    assert PASSWORD not in text
    assert raised.value.remedy
    return raised.value


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"not a url {PASSWORD}", "cannot be read"),
        (f"postgresql+psycopg://u:{PASSWORD}@h:port/db", "cannot be read"),
        (f"mysql://u:{PASSWORD}@h/db", "not supported"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, says: str) -> None:
    """Before anything is connected."""
    assert says in refusal(url).message


def test_a_missing_file_is_not_created_by_reading(tmp_path: Path) -> None:
    """A mistyped path must not look like a database in which all is quiet."""
    error = refusal(f"sqlite:///{tmp_path}/typo.db")
    assert "typo.db" in error.message
    assert "lapsewatch init" in error.remedy
    assert list(tmp_path.iterdir()) == []
    with (
        pytest.raises(StoreError, match="no database at"),
        Store.open(f"sqlite:///{tmp_path}/typo.db") as store,
    ):
        store.check()


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """upgrade creates the file, but not the folder."""
    store = Store.open(f"sqlite:///{tmp_path}/none/x.db")
    with pytest.raises(StoreError, match="cannot be created: No such file or directory"):
        store.upgrade()


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    """Somebody's letter is left as it was."""
    letter = tmp_path / "letter.db"
    letter.write_text("Dear Sir or Madam, " * 100)
    assert "not a SQLite database" in refusal(f"sqlite:///{letter}").message
    assert letter.read_text().startswith("Dear Sir")


def test_a_database_that_somebody_else_holds_is_called_locked(tmp_path: Path, make) -> None:
    """After the busy timeout, which is short here; reading goes on meanwhile."""
    with Store.open(f"sqlite:///{tmp_path}/x.db", busy_seconds=0.1) as store:
        store.upgrade()
        holder = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked by another process"):
            store.put_tenant(make.tenant(), now=make.now)
        assert store.tenants() == []
        holder.execute("ROLLBACK")
        holder.close()
        assert store.put_tenant(make.tenant(), now=make.now) == "added"


def test_a_file_without_write_permission_is_called_read_only(tmp_path: Path) -> None:
    """Tried as a user that is not root, for whom permissions hold."""
    file = tmp_path / "x.db"
    with Store.open(f"sqlite:///{file}") as store:
        store.upgrade()
    file.chmod(0o444)
    code = (
        "import os, sys\n"
        "from datetime import UTC, datetime\n"
        "from monitor.errors import StoreError\n"
        "from monitor.store import Store\n"
        "store = Store.open(sys.argv[1])\n"
        "os.geteuid() == 0 and os.seteuid(65534)\n"
        "try:\n"
        "    store.beat('x', datetime.now(UTC))\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(folder.stat().st_mode | 0o055)
    done = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{file}"],
        capture_output=True, text=True, check=True, timeout=60, cwd=Path.cwd(),
    )  # fmt: skip
    assert "writable" in done.stdout or "permissions" in done.stdout, done


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    """The port was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = refusal(f"postgresql+psycopg://ann:{PASSWORD}@127.0.0.1:{port}/lapsewatch")
    assert error.message == (f"The database 127.0.0.1:{port}/lapsewatch refuses the connection.")


def test_a_socket_without_a_server_is_named(tmp_path: Path) -> None:
    """The same for a server on a socket."""
    error = refusal(f"postgresql://ann:{PASSWORD}@/lapsewatch?host={tmp_path}")
    assert "no server listens on that socket" in error.message


def test_a_database_that_does_not_exist_on_the_server_is_named(postgresql) -> None:
    """The server's own words are turned into ours."""
    assert "nowhere does not exist" in refusal(postgresql.url("nowhere")).message


def test_a_restarted_server_costs_no_run(store: Store, postgresql, make) -> None:
    """Connections that were cut are replaced without an error (PostgreSQL; SQLite has none)."""
    store.put_tenant(make.tenant(), now=make.now)
    postgresql.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'"
    )
    assert store.tenants() == [make.tenant()]


def test_an_error_of_the_caller_undoes_the_transaction(store: Store, make) -> None:
    """Whatever is raised in the middle, nothing stays."""

    def write_and_fail() -> None:
        with store._database.write() as connection:
            connection.exec_driver_sql("INSERT INTO tenant VALUES ('x', '{}', '2026-01-01')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert store.tenants() == []


def test_writers_of_many_threads_wait_for_each_other(store: Store, make) -> None:
    """Sixteen scans at once, each of its own tenant: all are recorded."""
    names = [f"tenant-{number}" for number in range(16)]
    for name in names:
        store.put_tenant(make.tenant(name), now=make.now)
    apps = [make.app(f"app-{n}", make.secret(f"key-{n}")) for n in range(200)]

    def scan(name: str) -> None:
        for hours in range(3):
            store.record_scan(make.scan(*apps, tenant=name, hours=hours), zone=make.zone)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(scan, names))
    assert len(store.credentials()) == 16 * 200
    assert len(store.scans(limit=100)) == 48


def test_an_instant_without_a_zone_is_a_mistake_of_the_caller(store: Store, make) -> None:
    """It is refused at once: nobody can know which instant was meant."""
    with pytest.raises(Exception, match="timezone"):
        store.beat("x", make.now.replace(tzinfo=None))
    assert store.beats() == {}


def test_a_sqlite_database_is_durable_and_checks_its_references(tmp_path: Path) -> None:
    """WAL, synchronous=FULL, foreign keys on: what was recorded as sent survives a power cut."""
    database = engine.Database(f"sqlite:///{tmp_path}/x.db")
    database.create_file()
    with database.read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.close()
    assert pragmas == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000,
    }  # fmt: skip
    assert os.stat(tmp_path / "x.db").st_mode & 0o077 == 0
