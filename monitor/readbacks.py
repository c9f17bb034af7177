"""Looks for accepted canaries where they should have arrived, and has them judged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING

from monitor.arrival import next_look, seen, subject_mark, unseen
from monitor.canaries import Canaries
from monitor.carriers import Carriers
from monitor.errors import LapsewatchError, RemoteError, StoreError
from monitor.log import get
from monitor.model import Arrival, ArrivalNews, ArrivalState, CredentialRef, Tenant
from monitor.senders import OAuthSender
from monitor.store import Store

if TYPE_CHECKING:
    from monitor.entra.graph import GraphReader
    from monitor.entra.secrets import ResolvedCredential

log = get("lapsewatch.arrival")


class ReadBacks:
    """Finds out whether canaries arrived.

    Args:
        store: what waits.
        carriers: the senders as they are now.
        canaries: judges and records.
        graph: the door to Graph.
        credential: resolves a credential reference.
        clock: the current instant, aware UTC.
    """

    def __init__(
        self,
        store: Store,
        *,
        carriers: Carriers,
        canaries: Canaries,
        graph: Callable[[], AbstractAsyncContextManager[GraphReader]],
        credential: Callable[[CredentialRef], ResolvedCredential],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._carriers = carriers
        self._canaries = canaries
        self._graph = graph
        self._credential = credential
        self._clock = clock

    def look(
        self,
        *,
        only: str | None = None,
        due_only: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> list[str]:
        """Look once for each canary that waits, or whose look is due, several side by side.

        A look belongs to one process, and the next one to whoever is there then. Nothing remote
        raises.

        Args:
            only: of this tenant's sender ("(operator)" for the operator's).
            due_only: leave out those whose next look is not due.
            stop: asked before each look; what was not looked for is due again.

        Returns:
            What went wrong on this machine, in words; empty where nothing did.
        """
        waiting = self._store.waiting_arrivals(self._clock() if due_only else None)
        chosen = [one for one in waiting if only in (None, one.tenant)]
        if not chosen:
            return []
        tenants = {tenant.name: tenant for tenant in self._store.tenants()}
        senders = {(s.tenant, s.mailbox): s for s in self._carriers.senders(tenants.values())}
        return asyncio.run(self._look(chosen, senders, tenants, stop))

    def wait_for(
        self, tenant: str, mailbox: str, *, tries: int = 6, rest: Callable[[], None]
    ) -> ArrivalNews:
        """Look for a sender's last canary now, and a few times more, for somebody who waits.

        Args:
            tenant: of the sender.
            mailbox: of the sender.
            tries: how often at most.
            rest: waits between two looks.

        Raises:
            StoreError: the database cannot be used.
        """
        for number in range(tries):
            if number:
                rest()
            self.look(only=tenant)
            found = self._store.arrivals_of_senders(self._clock()).get((tenant, mailbox))
            if found is not None and found.state is not ArrivalState.PENDING:
                return found
        return found or ArrivalNews()

    async def _look(
        self,
        waiting: list[Arrival],
        senders: Mapping[tuple[str, str], OAuthSender],
        tenants: Mapping[str, Tenant],
        stop: Callable[[], bool],
    ) -> list[str]:
        async with self._graph() as reader:

            async def one(arrival: Arrival) -> str:
                sender = senders.get((arrival.tenant, arrival.mailbox))
                try:
                    if not stop():
                        await self._one(reader, arrival, sender, tenants.get(arrival.tenant))
                except Exception as error:  # one sender never stops the others
                    foreseen = isinstance(error, LapsewatchError)
                    log.error(
                        "arrival_crashed", tenant=arrival.tenant, error=type(error).__name__,
                        exc_info=not foreseen,
                    )  # fmt: skip
                    told = str(error) if foreseen else f"a fault ({type(error).__name__})."
                    return f"{arrival.tenant}: {told}"
                return ""

            told = await asyncio.gather(*(one(arrival) for arrival in waiting))
        return [words for words in told if words]

    async def _one(
        self,
        reader: GraphReader,
        arrival: Arrival,
        sender: OAuthSender | None,
        tenant: Tenant | None,
    ) -> None:
        began = self._clock()
        if not self._store.take_look(arrival, until=next_look(arrival, began)):
            return  # another process is at it
        known = arrival
        if arrival.state is ArrivalState.PENDING:
            known = await self._seen(reader, arrival, sender, began)
            self._store.keep_arrival(known)
            log.info(
                "arrival", tenant=known.tenant, state=known.state, cause=known.cause,
                latency_s=known.latency_s, folder=known.folder,
            )  # fmt: skip
        if known.state is not ArrivalState.PENDING:
            self._canaries.settle(sender, tenant, known, self._clock())

    async def _seen(
        self, reader: GraphReader, arrival: Arrival, sender: OAuthSender | None, now: datetime
    ) -> Arrival:
        from monitor.entra.mailbox import Wanted

        read_back = sender.arrival if sender else None
        if read_back is None or read_back.problem:
            told = read_back.problem if read_back else "Nobody looks for its canaries any more."
            return unseen(arrival, "unknown", told, now, permanent=True)
        wanted = Wanted(arrival.copy, subject_mark(arrival.id))
        try:
            value = self._credential(read_back.credential)
            found = await reader.find_mail(read_back, value, wanted, now=self._clock)
        except StoreError:
            raise
        except RemoteError as error:
            told = error.message
            return unseen(arrival, error.cause, told, now, permanent=error.permanent)
        return seen(arrival, found, now)
