"""What the tables are made of: their common base, and the columns that several have."""

from typing import Any, cast

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, inspect
from sqlmodel import Field, SQLModel

from monitor.store.text import SafeText

COUNTER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers only plain INTEGER keys


def text_column(**options: Any) -> Any:
    """A column of text that every database can keep."""
    return Field(sa_type=SafeText, **options)


def tenant_column(**options: Any) -> Any:
    """A column that goes when its tenant goes."""
    return text_column(foreign_key="tenant.name", ondelete="CASCADE", **options)


def counter_column() -> Any:
    """A key that the database counts up."""
    return Field(default=None, sa_column=Column("id", COUNTER, primary_key=True))


class Row(SQLModel):
    """What all tables share: the catalogue, and names for constraints that migrations can use."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def table_of(row: type[Row]) -> Table:
    """The table of a class, as queries take it."""
    return cast(Table, inspect(row).local_table)
