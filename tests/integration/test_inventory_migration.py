"""The tables of what people keep, in a database that had none."""

from __future__ import annotations

from datetime import timedelta

from alembic import command
from sqlalchemy import text

from monitor.model import Item, Note
from monitor.store import Store
from monitor.store.engine import Database
from monitor.store.schema import _config
from monitor.store.text import dump


def test_a_database_of_the_first_version_gets_the_tables_with_its_data(
    empty_url: str, make
) -> None:
    """Migrated with a tenant in it."""
    database = Database(empty_url)
    database.create_file()
    config = _config()
    with database.write(foreign_keys=False) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        told = "INSERT INTO tenant VALUES ('contoso', :document, '2026-01-01 00:00:00+00:00')"
        connection.execute(text(told), {"document": dump(make.tenant())})
    database.close()
    note = Note("contoso", "Backup*", where=("KeePass",))
    item = Item("contoso", "Support", end=make.now + timedelta(days=9))
    with Store.open(empty_url) as opened:
        opened.upgrade()
        opened.put_note(note)
        opened.put_item(item, zone=make.zone, now=make.now)
        assert opened.notes() == [note]
        assert len(opened.credentials()) == 1
