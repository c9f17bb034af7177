"""The tables of what people keep: notes about credentials, and dates that Graph cannot see."""

from datetime import datetime

from monitor.store.rows import Row, table_of, tenant_column, text_column


class NoteRow(Row, table=True):
    """Notes, each as one document; the slot says which credentials it is about."""

    __tablename__ = "note"
    tenant: str = tenant_column(primary_key=True)
    slot: str = text_column(primary_key=True)
    document: str = text_column()
    by_hand: bool


class ItemRow(Row, table=True):
    """Watched dates, each as one document, and when its end was last known to be so."""

    __tablename__ = "item"
    tenant: str = tenant_column(primary_key=True)
    name: str = text_column(primary_key=True)
    object_id: str = text_column()
    document: str = text_column()
    by_hand: bool
    read_at: datetime | None = None
    problem: str | None = text_column()


NOTE = table_of(NoteRow)
ITEM = table_of(ItemRow)
