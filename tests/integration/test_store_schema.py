"""The schema: migrations agree with the tables, carry data, and refuse what they cannot read."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Text, inspect, text

from monitor.errors import StoreError
from monitor.store import Store
from monitor.store.engine import Database
from monitor.store.tables import METADATA


def test_migrations_and_tables_agree(store_url: str) -> None:
    """What the migrations built is what the program's tables say."""
    database = Database(store_url)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert set(inspect(connection).get_table_names()) == {*METADATA.tables, "alembic_version"}
    database.close()


def test_an_upgrade_makes_a_database_usable_and_a_second_one_changes_nothing(
    empty_url: str, make
) -> None:
    """Upgrade, use, upgrade again: the data is still there."""
    with Store.open(empty_url) as store:
        store.upgrade()
        store.check()
        store.put_tenant(make.tenant(), now=make.now)
        store.record_scan(make.scan(make.app("app-1", make.secret())), zone=make.zone)
        before = store.credentials()
        store.upgrade()
        assert store.credentials() == before
        assert len(before) == 1


def test_a_database_without_tables_is_refused_with_the_command_to_run(empty_url: str) -> None:
    """check and every query say what is missing and what to do."""
    with Store.open(empty_url) as store:
        with pytest.raises(StoreError, match=r"lapsewatch (db upgrade|init)"):
            store.check()
        with pytest.raises(StoreError, match=r"lapsewatch (db upgrade|init)"):
            store.tenants()


def test_a_database_of_an_older_version_is_refused_until_an_upgrade_that_keeps_its_rows(
    store_url: str, make
) -> None:
    """As the first step left it: the later step adds what is missing to what is there."""
    database = Database(store_url)
    with Store.open(store_url) as store:
        store.put_tenant(make.tenant(), now=make.now)
        with database.write() as connection:
            for table in (
                "draft",
                "confirmation",
                "setup_link",
                "web_session",
                "insight",
                "key_use",
            ):
                connection.execute(text(f"DROP TABLE {table}"))
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        with pytest.raises(StoreError, match="is of an older version"):
            store.check()
        store.upgrade()
        store.check()
        assert store.tenants() == [make.tenant()]
        assert store.drafts() == []
    database.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(store_url: str) -> None:
    """Neither check nor upgrade touches tables that this version does not know."""
    database = Database(store_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with Store.open(store_url) as store:
        for attempt in (store.check, store.upgrade):
            with pytest.raises(StoreError, match="newer version"):
                attempt()
    with database.read() as connection:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    assert version == "9999"
    database.close()


@pytest.mark.parametrize("there", ["notice", "web_session"])
def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str, there: str) -> None:
    """All steps are one transaction: here a table is in the way of the first's or the last's."""
    database = Database(empty_url)
    database.create_file()
    with database.write() as connection:
        connection.execute(text(f"CREATE TABLE {there} (wrong INTEGER)"))
    with Store.open(empty_url) as store, pytest.raises(StoreError):
        store.upgrade()
    with database.read() as connection:
        assert set(inspect(connection).get_table_names()) - {"alembic_version"} == {there}
    database.close()


def test_a_new_sqlite_file_is_private(tmp_path: Path) -> None:
    """The database holds names and addresses: only its owner may read it or its journal."""
    file = tmp_path / "a % b?.db"
    mask = os.umask(0)
    try:
        with Store.open(f"sqlite:///{file}") as store:
            store.upgrade()
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(mask)
    assert set(modes.values()) == {0o600}, modes
    assert file.name in modes


def test_rebuilding_a_table_that_others_refer_to_loses_no_row(store: Store, make) -> None:
    """SQLite migrations drop and copy tables; what hangs on them must not go with them."""
    store.put_tenant(make.tenant(), now=make.now)
    store.record_scan(make.scan(make.app("app-1", make.secret())), zone=make.zone)
    before = store.credentials()
    with store._database.write(foreign_keys=False) as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("tenant", recreate="auto") as table:
            table.add_column(Column("extra", Text(), nullable=True))
            table.alter_column("document", existing_type=Text(), nullable=True)
    assert store.credentials() == before
    assert store.remove_tenant("contoso")
    assert store.credentials() == []


def test_two_processes_that_upgrade_at_once_both_succeed(empty_url: str) -> None:
    """One migrates; the other waits and then finds nothing to do."""
    stores = [Store.open(empty_url) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(store.upgrade) for store in stores]:
            done.result()
    for store in stores:
        store.check()
        store.close()
