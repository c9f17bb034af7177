"""The only door to the database: it takes and returns the nouns of `monitor.model`."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from monitor.model import credential_uid
from monitor.store import schema
from monitor.store.acceptances import Acceptances
from monitor.store.alarms import Alarms, AlarmWrite
from monitor.store.arrivals import Arrivals
from monitor.store.audit import Audit
from monitor.store.customers import Customers
from monitor.store.drafts import Drafts
from monitor.store.engine import BUSY_SECONDS, Database
from monitor.store.examinations import Examinations
from monitor.store.facts import Facts
from monitor.store.hand_overs import HandOvers
from monitor.store.heartbeats import Heartbeats
from monitor.store.insights import Insights
from monitor.store.inventory import Inventory
from monitor.store.links import Links
from monitor.store.outages import Outages
from monitor.store.outbox import Outbox
from monitor.store.probes import Probes
from monitor.store.purge import Purge
from monitor.store.readings import Readings
from monitor.store.reservations import Reservations
from monitor.store.roster import Roster
from monitor.store.runs import Runs
from monitor.store.sealed import SealedSecrets
from monitor.store.slots import Slots
from monitor.store.snoozes import Snoozes
from monitor.store.storms import Storms
from monitor.store.troubles import Troubles
from monitor.store.turns import Turns
from monitor.store.visits import Visits
from monitor.store.weeks import Weeks

__all__ = ["AlarmWrite", "Store", "credential_uid"]


class Store(
    Roster,
    Customers,
    Purge,
    Facts,
    Inventory,
    Insights,
    Runs,
    Turns,
    Acceptances,
    Outbox,
    Alarms,
    Slots,
    Probes,
    Arrivals,
    Snoozes,
    SealedSecrets,
    Drafts,
    Examinations,
    Visits,
    Readings,
    Links,
    HandOvers,
    Audit,
    Reservations,
    Storms,
    Troubles,
    Outages,
    Heartbeats,
    Weeks,
):
    """Everything Lapsewatch remembers. Safe to use from several threads.

    Each call is one transaction: it happens whole, or (StoreError) not at all.

    Args:
        database: the connections; use `Store.open`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str, *, busy_seconds: float = BUSY_SECONDS) -> Self:
        """A store on the database of that URL. Nothing is connected or created yet.

        Args:
            url: `sqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/NAME`.
            busy_seconds: how long to wait for another process's write.

        Raises:
            StoreError: the URL cannot be used.
        """
        return cls(Database(url, busy_seconds=busy_seconds))

    def upgrade(self) -> None:
        """Create the database file (SQLite) and bring the tables to this version.

        Raises:
            StoreError: the database cannot be used, or is newer; nothing was changed.
        """
        schema.upgrade(self._database)

    def check(self) -> None:
        """Make sure that the database can be used and has the tables of this version.

        Raises:
            StoreError: it cannot, or has not; says what to do.
        """
        schema.check(self._database)

    def close(self) -> None:
        """Close all connections; the store can be used again afterwards."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
