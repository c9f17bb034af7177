"""What the tests of the facts share: a tenant, scans of it, and a count of written rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from monitor.model import Kind, credential_uid
from monitor.store import Store

UID = credential_uid("app-1", Kind.SECRET, "key-1")


@pytest.fixture(autouse=True)
def contoso(store: Store, make) -> None:
    """The tenant that every scan is of, unless a test says otherwise."""
    store.put_tenant(make.tenant(), now=make.now)


def see(store: Store, make, *credentials: Any, **about: Any) -> None:
    """Record a complete scan that saw one app with these credentials."""
    zone = about.pop("zone", make.zone)
    store.record_scan(make.scan(make.app("app-1", *credentials), **about), zone=zone)


def hour(make, hours: float) -> datetime:
    """So many hours after `make.now`."""
    return make.now + timedelta(hours=hours)


def count_writes(store: Store) -> None:
    """Let the database itself note each row of a fact that is written."""
    statements = ["CREATE TABLE written (id TEXT)"]
    if store._database.sqlite_file:
        statements += [
            f"CREATE TRIGGER t_{table}_{verb} AFTER {verb} ON {table} "
            f"BEGIN INSERT INTO written VALUES (new.{key}); END"
            for table, key in (("credential", "uid"), ("directory_object", "object_id"))
            for verb in ("INSERT", "UPDATE")
        ]
    else:
        for table, key in (("credential", "uid"), ("directory_object", "object_id")):
            statements += [
                f"CREATE FUNCTION note_{table}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN INSERT INTO written VALUES (new.{key}); RETURN new; END $$",
                f"CREATE TRIGGER note AFTER INSERT OR UPDATE ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION note_{table}()",
            ]
    with store._database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def written(store: Store) -> list[str]:
    """The ids of the rows written since `count_writes`."""
    with store._database.read() as connection:
        return list(connection.execute(text("SELECT id FROM written ORDER BY id")).scalars())
