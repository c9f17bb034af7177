"""A partner's customers, from Graph's lists into the roster: found, added, or lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from monitor.config import Configuration
from monitor.customers import Customer, judged, lost, merged, newcomers
from monitor.errors import LapsewatchError, RemoteError
from monitor.log import get
from monitor.model import Cloud, CredentialRef, SharedApp, Tenant
from monitor.model.customers import CustomerList, Source
from monitor.onboard import consent_url
from monitor.roster import blank_tenant
from monitor.store import Store

if TYPE_CHECKING:
    from monitor.entra.graph import GraphReader
    from monitor.entra.secrets import ResolvedCredential

log = get("lapsewatch.discover")


@dataclass(frozen=True, slots=True)
class Discovered:
    """What one partner's lists came to.

    Args:
        partner: the name of its tenant.
        lists: as far as they were read.
        customers: all that were found.
        added: the tenants that were new, each with its consent link.
        lost: by name, what became of those discovered earlier who are customers no more.
    """

    partner: str
    lists: tuple[CustomerList, ...]
    customers: tuple[Customer, ...]
    added: tuple[tuple[Tenant, str], ...]
    lost: dict[str, str]


class Discoveries:
    """Looks for customers.

    Args:
        store: the roster.
        configuration: gives a new tenant its defaults.
        credential: resolves a credential reference.
        cloud: the cloud a tenant lives in.
        clock: the current instant, aware UTC.
    """

    def __init__(
        self,
        store: Store,
        configuration: Configuration,
        credential: Callable[[CredentialRef], ResolvedCredential],
        *,
        cloud: Callable[[Tenant], Cloud],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._configuration = configuration
        self._credential = credential
        self._cloud = cloud
        self._clock = clock

    async def run(
        self, reader: GraphReader, partner: Tenant, app: SharedApp, *, dry_run: bool = False
    ) -> Discovered:
        """Read a partner's lists, add who is new, and note who is lost.

        What cannot be read is in `lists`; nothing that is remote raises.

        Args:
            reader: the door to Graph.
            partner: the partner's own tenant.
            app: what new customers are to be read with.
            dry_run: only find out.

        Raises:
            StoreError: the database cannot be used.
        """
        lists = await self._read(reader, partner)
        customers, watched = merged(lists), self._store.tenants()
        blank = blank_tenant(self._configuration, app, partner.cloud)
        new = newcomers(customers, watched, replace(blank, discovered_from=partner.name))
        gone = lost(customers, lists, watched, partner.name)
        if not dry_run:
            now = self._clock()
            names = set(self._store.add_discovered(new, now=now))
            new = [one for one in new if one.name in names]
            sure = judged(customers, lists, watched, partner.name)
            self._store.put_lost(gone, judged=sure, now=now)
            log.info("customers_discovered", partner=partner.name, new=len(new), lost=len(gone))
        cloud = self._cloud(partner)
        links = [(one, consent_url(cloud, one.directory_id, one.client_id)) for one in new]
        return Discovered(partner.name, lists, tuple(customers), tuple(links), gone)

    async def _read(self, reader: GraphReader, partner: Tenant) -> tuple[CustomerList, ...]:
        try:
            cloud = self._cloud(partner)
            value = await asyncio.to_thread(self._credential, partner.credential)
        except LapsewatchError as error:
            told = error if isinstance(error, RemoteError) else _as_remote(error)
            return tuple(CustomerList(source, error=told) for source in Source)
        return await reader.customers(partner, cloud, value, now=self._clock)


def _as_remote(error: LapsewatchError) -> RemoteError:
    return RemoteError(error.message, cause="unknown", permanent=True, remedy=error.remedy)
