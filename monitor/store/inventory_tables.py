"""The tables of what people keep: notes about credentials, and dates that Graph cannot see."""

from datetime import datetime

from monitor.store.tables import Row, _core, _tenant, _text


class NoteRow(Row, table=True):
    """Notes, each as one document; the slot says which credentials it is about."""

    __tablename__ = "note"
    tenant: str = _tenant(primary_key=True)
    slot: str = _text(primary_key=True)
    document: str = _text()
    by_hand: bool


class ItemRow(Row, table=True):
    """Watched dates, each as one document, and when its end was last known to be so."""

    __tablename__ = "item"
    tenant: str = _tenant(primary_key=True)
    name: str = _text(primary_key=True)
    object_id: str = _text()
    document: str = _text()
    by_hand: bool
    read_at: datetime | None = None
    problem: str | None = _text()


NOTE = _core(NoteRow)
ITEM = _core(ItemRow)
