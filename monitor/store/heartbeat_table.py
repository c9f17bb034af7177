"""The table of the heartbeat that is sent outside: one row, once one was sent or failed."""

from datetime import datetime

from monitor.store.rows import Row, table_of, text_column


class HeartbeatRow(Row, table=True):
    """When the other side last accepted a heartbeat, and since when and why it does not."""

    __tablename__ = "heartbeat"
    name: str = text_column(primary_key=True)
    last_ok: datetime | None = None
    failing_since: datetime | None = None
    problem: str = text_column()


HEARTBEAT = table_of(HeartbeatRow)
