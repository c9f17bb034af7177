"""The table of the canaries that are looked for, and its rows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy import Row as Found
from sqlmodel import Field

from monitor.model import Arrival, ArrivalState, Copy
from monitor.store.engine import upsert
from monitor.store.rows import COUNTER, Row, table_of, text_column


class ArrivalRow(Row, table=True):
    """One row per accepted copy of a canary whose arrival is looked for; goes with its probe."""

    __tablename__ = "arrival"
    id: str = text_column(primary_key=True)
    probe_id: int = Field(sa_type=COUNTER, foreign_key="probe.id", ondelete="CASCADE", index=True)
    tenant: str = text_column()
    mailbox: str = text_column()
    recipient: str = text_column()
    message_id: str = text_column()
    way: str = text_column()
    accepted_at: datetime = Field(index=True)
    until: datetime
    state: str = text_column()
    next_at: datetime | None = Field(default=None, index=True)
    found_at: datetime | None = None
    latency_s: float | None = None
    folder: str | None = text_column()
    lost_at: datetime | None = None
    cause: str | None = text_column()
    evidence: str = text_column()


ARRIVAL = table_of(ArrivalRow)


def expect_arrivals(connection: Connection, probe_id: int, arrivals: Sequence[Arrival]) -> None:
    """Begin to look for the copies of a canary, within the transaction that records it."""
    upsert(connection, ARRIVAL, [{"probe_id": probe_id, **arrival_values(one)} for one in arrivals])


def arrival_values(arrival: Arrival) -> dict[str, Any]:
    """All columns of a row but the probe's."""
    copy = arrival.copy
    return {
        "id": copy.id,
        "recipient": copy.recipient,
        "message_id": copy.message_id,
        "accepted_at": copy.accepted_at,
        "tenant": arrival.tenant,
        "mailbox": arrival.mailbox,
        "way": arrival.way,
        "until": arrival.until,
        "state": arrival.state.value,
        "next_at": arrival.next_at,
        "found_at": arrival.found_at,
        "latency_s": arrival.latency_s,
        "folder": arrival.folder,
        "lost_at": arrival.lost_at,
        "cause": arrival.cause,
        "evidence": arrival.evidence,
    }


def arrival_of(row: Found[Any]) -> Arrival:
    """The noun of a row."""
    copy = Copy(row.id, row.recipient, row.message_id, row.accepted_at)
    made = Arrival(copy, row.tenant, row.mailbox, row.way, row.until)
    return replace(
        made, state=ArrivalState(row.state), next_at=row.next_at, found_at=row.found_at,
        latency_s=row.latency_s, folder=row.folder, lost_at=row.lost_at, cause=row.cause,
        evidence=row.evidence,
    )  # fmt: skip
