"""Watched dates that a server shows: their certificates are read, and become facts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.channels.served import served
from monitor.channels.wire import WireError
from monitor.errors import LapsewatchError
from monitor.log import get
from monitor.model import Item, Reading, Tenant
from monitor.store import Store

AT_ONCE = 8  # servers of one tenant that are read side by side

log = get("lapsewatch.items")


class Items:
    """Reads the items of a tenant.

    Args:
        store: what is watched, and the facts.
        clock: the current instant, aware UTC.
        connect_s: seconds until a server must have answered.
        read_s: seconds until it must have shown its certificate.
    """

    def __init__(
        self, store: Store, *, clock: Callable[[], datetime], connect_s: float, read_s: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._connect_s = connect_s
        self._read_s = read_s

    def look(self, tenant: Tenant, *, only: str | None = None) -> list[Reading]:
        """Read what the servers of a tenant's items show, and write it down; never raises.

        What cannot be read keeps its last facts, which are stale from then on.

        Args:
            tenant: whose items.
            only: the name of one of them.
        """
        try:
            kept = [watched.item for watched in self._store.items(tenant.name)]
            chosen = [one for one in kept if one.host and only in (None, one.name)]
            if not chosen:
                return []
            with ThreadPoolExecutor(min(AT_ONCE, len(chosen))) as pool:
                readings = list(pool.map(self._read, chosen))
            self._store.record_readings(
                tenant.name, readings, zone=ZoneInfo(tenant.time_zone), at=self._clock()
            )
        except LapsewatchError as error:  # the scan goes on, and the next one looks again
            log.error("items_not_recorded", tenant=tenant.name, error=str(error))
            return []
        except Exception:  # nor does a fault of ours stop the scan
            log.exception("items_crashed", tenant=tenant.name)
            return []
        for reading in readings:
            if reading.problem:
                log.warning("item_unread", tenant=tenant.name, problem=reading.problem)
        return readings

    def _read(self, item: Item) -> Reading:
        host, _, port = (item.host or "").rpartition(":")
        try:
            found = served(
                host.strip("[]"), int(port), starttls=item.starttls,
                connect_s=self._connect_s, read_s=self._read_s,
            )  # fmt: skip
        except WireError as error:
            return Reading(item, problem=error.text[:400])
        except Exception as error:  # one odd server never stops the others
            log.exception("item_crashed", tenant=item.tenant)
            return Reading(item, problem=f"A fault of the program ({type(error).__name__}).")
        return Reading(item, served=found)
