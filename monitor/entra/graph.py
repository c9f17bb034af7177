"""Reading tenants from Microsoft Graph: one reader for the process, one scan per tenant."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitor.entra.auth import graph_credential
from monitor.entra.calls import GraphCalls
from monitor.entra.deadlines import Deadlines, TenantClock
from monitor.entra.discovery import PartnerLists
from monitor.entra.failures import Diagnose, graph_error, unusable_ca
from monitor.entra.lookup import Lookup
from monitor.entra.mailbox import Wanted, find
from monitor.entra.secrets import ResolvedCredential
from monitor.entra.single import read_object
from monitor.entra.tenant_scan import TenantScan, failed_record
from monitor.entra.token_source import TokenSource
from monitor.errors import RemoteError
from monitor.model import Cloud, ObjectType, ReadBack, Scan, Sighting, Tenant, Topic
from monitor.model.customers import CustomerList, Source
from monitor.model.evidence import DirectorySeen, ObjectReading

if TYPE_CHECKING:
    from monitor.entra.sdk import SharedClient

__all__ = ["Deadlines", "GraphReader"]

API_VERSION = "v1.0"


class GraphReader:
    """Reads tenants; all share one HTTP client per cloud. It belongs to one event loop.

    Args:
        deadlines: how long things may take.
        diagnose: names the cause of a refusal, from its text and where it happened.
        concurrency: tenants that are read side by side; the others wait.
    """

    def __init__(self, *, deadlines: Deadlines, diagnose: Diagnose, concurrency: int = 16) -> None:
        self._deadlines = deadlines
        self._diagnose = diagnose
        self._places = asyncio.Semaphore(concurrency)
        self._turn = asyncio.Lock()
        self._loading = asyncio.Lock()
        self._sdk: Any = None
        self._clients: dict[tuple[str, str | None], SharedClient] = {}

    async def scan(
        self,
        tenant: Tenant,
        cloud: Cloud,
        value: ResolvedCredential,
        *,
        now: Callable[[], datetime],
        topics: frozenset[Topic] = frozenset(),
    ) -> Scan:
        """Read a tenant's applications and service principals with all their credentials.

        Nothing that is remote raises: the record says whether the scan is complete and, if
        not, why. A scan that broke off has no objects; one with unreadable entries has the
        others, and is not complete.

        Args:
            tenant: is read.
            cloud: it lives in; the token goes to this cloud's Graph and nowhere else.
            value: what the app signs in with.
            now: the clock, aware and in UTC.
            topics: what is asked for beside the lists.
        """
        async with self._places:
            started = now()
            try:
                client = await self._client(cloud)
                return await self._scan(client, tenant, cloud, value, now, topics)
            except RemoteError as error:
                return Scan(failed_record(tenant, started, now(), error))

    async def signs_in(self, tenant: Tenant, cloud: Cloud, value: ResolvedCredential) -> None:
        """Find out whether a tenant's app gets a token for Graph, and ask Graph nothing.

        Args:
            tenant: whose app signs in.
            cloud: it lives in.
            value: what the app signs in with.

        Raises:
            TokenError: it does not; `app_not_found` before its administrator has consented.
        """
        async with self._places, self._tokens(tenant, cloud, value) as tokens:
            await tokens.get_token(cloud.graph_scope, enable_cae=True)

    async def customers(
        self,
        partner: Tenant,
        cloud: Cloud,
        value: ResolvedCredential,
        *,
        now: Callable[[], datetime],
    ) -> tuple[CustomerList, ...]:
        """Read the lists in which a partner's customers are found; nothing remote raises.

        Args:
            partner: the partner's own tenant.
            cloud: it lives in.
            value: what the app signs in with.
            now: the clock, aware and in UTC.
        """
        try:
            async with self._places:
                client = await self._client(cloud)
                async with self._calls(client, partner, cloud, value, now) as calls:
                    return await PartnerLists(calls, self._turn).read_all()
        except RemoteError as error:
            return tuple(CustomerList(source, error=error) for source in Source)

    async def load(self) -> None:
        """Import the SDK in a thread (half a second); `scan` does so where it was not done."""
        async with self._loading:
            if self._sdk is None:
                self._sdk = await asyncio.to_thread(_load_sdk)

    async def close(self) -> None:
        """Close all connections."""
        while self._clients:
            _, client = self._clients.popitem()
            await client.close()

    async def _scan(
        self,
        client: SharedClient,
        tenant: Tenant,
        cloud: Cloud,
        value: ResolvedCredential,
        now: Callable[[], datetime],
        topics: frozenset[Topic],
    ) -> Scan:
        async with self._calls(client, tenant, cloud, value, now) as calls:
            return await TenantScan(tenant, calls, self._turn, now, topics).run()

    async def look(
        self,
        tenant: Tenant,
        cloud: Cloud,
        value: ResolvedCredential,
        *,
        now: Callable[[], datetime],
        client_ids: Iterable[str],
        object_ids: Iterable[str],
    ) -> DirectorySeen:
        """Look single objects up, for the doctor; nothing that is remote raises.

        Args:
            tenant: whose app signs in.
            cloud: it lives in.
            value: what the app signs in with.
            now: the clock, aware and in UTC.
            client_ids: apps whose registration and Enterprise application are looked for.
            object_ids: that may be an app registration's.
        """
        seen = DirectorySeen()
        try:
            async with self._places:
                client = await self._client(cloud)
                async with self._calls(client, tenant, cloud, value, now) as calls:
                    await self._ask(Lookup(calls, seen), calls, seen, client_ids, object_ids)
        except RemoteError as error:
            seen.error = error
        except TimeoutError:
            seen.error = graph_error("reply_timeout", "The tenant's time ran out.")
        return seen

    async def read_object(
        self,
        tenant: Tenant,
        cloud: Cloud,
        value: ResolvedCredential,
        *,
        object_type: ObjectType,
        object_id: str,
        now: Callable[[], datetime],
        seconds: float = 10.0,
    ) -> ObjectReading:
        """Read one application or service principal; nothing that is remote raises.

        Args:
            tenant: whose app signs in.
            cloud: it lives in.
            value: what the app signs in with.
            object_type: which of both it is.
            object_id: of the object.
            now: the clock, aware and in UTC.
            seconds: for all of it, the token too.
        """
        started, error = now(), None
        try:
            async with asyncio.timeout(seconds), self._places:
                client = await self._client(cloud)
                async with self._calls(client, tenant, cloud, value, now) as calls:
                    found = await read_object(calls, object_type, object_id)
                    return ObjectReading(started, now(), found)
        except RemoteError as refused:
            error = refused
        except TimeoutError:
            error = graph_error("reply_timeout", f"No answer came within {seconds:.0f} s.")
        return ObjectReading(started, now(), error=error)

    async def find_mail(
        self,
        read_back: ReadBack,
        value: ResolvedCredential,
        wanted: Wanted,
        *,
        now: Callable[[], datetime],
        seconds: float = 30.0,
    ) -> Sighting | None:
        """Look for a canary once; None where it is not there (yet).

        Args:
            read_back: where and as whom is looked.
            value: what the app that looks signs in with.
            wanted: the canary.
            now: the clock, aware and in UTC.
            seconds: for all of it, the token too.

        Raises:
            RemoteError: nobody can look.
        """
        cloud = read_back.cloud
        app = Tenant(
            "", read_back.directory_id, cloud.name, read_back.client_id, read_back.credential
        )
        try:
            async with asyncio.timeout(seconds), self._places:
                client = await self._client(cloud)
                async with self._calls(client, app, cloud, value, now) as calls:
                    return await find(calls, read_back.way, wanted)
        except TimeoutError:
            told = f"No answer came within {seconds:.0f} s."
            raise graph_error("reply_timeout", told) from None

    @staticmethod
    async def _ask(
        lookup: Lookup,
        calls: GraphCalls,
        seen: DirectorySeen,
        client_ids: Iterable[str],
        object_ids: Iterable[str],
    ) -> None:
        async with calls.clock.scope():
            await lookup.first_page()
            seen.server_time, seen.asked_at = calls.ledger.server_date, calls.now()
            for client_id in client_ids:
                await lookup.app(client_id)
                await lookup.principal(client_id)
            for object_id in object_ids:
                await lookup.object(object_id)
            await lookup.policy()
            await lookup.usage()

    @asynccontextmanager
    async def _calls(
        self,
        client: SharedClient,
        tenant: Tenant,
        cloud: Cloud,
        value: ResolvedCredential,
        now: Callable[[], datetime],
    ) -> AsyncIterator[GraphCalls]:
        base_url = api_address(cloud)
        async with self._tokens(tenant, cloud, value) as tokens:
            # Asked for beforehand, so that a refusal is not mixed up with Graph's.
            await tokens.get_token(cloud.graph_scope, enable_cae=True)
            yield GraphCalls(
                self._sdk.graph_for(client, tokens, cloud.graph_scope, base_url),
                tokens,
                base_url,
                ledger=self._sdk.Ledger(),
                clock=TenantClock(self._deadlines),
                now=now,
                diagnose=self._diagnose,
            )

    def _tokens(self, tenant: Tenant, cloud: Cloud, value: ResolvedCredential) -> TokenSource:
        return TokenSource(
            lambda: graph_credential(
                tenant.directory_id, tenant.client_id, cloud, value, timeout=self._deadlines.token
            ),
            directory_id=tenant.directory_id,
            authority=cloud.authority,
            diagnose=self._diagnose,
            deadline_s=self._deadlines.token,
        )

    async def _client(self, cloud: Cloud) -> SharedClient:
        await self.load()
        key = (cloud.graph, cloud.ca_file)
        async with self._loading:
            if key not in self._clients:
                try:
                    # In a thread, because reading the system's CAs takes some 30 ms.
                    context = await asyncio.to_thread(self._sdk.tls_context, cloud.ca_file)
                except OSError as exc:
                    raise unusable_ca(str(cloud.ca_file)) from exc
                self._clients[key] = self._sdk.open_client(
                    context,
                    address=cloud.graph,
                    connect=self._deadlines.connect,
                    read=self._deadlines.read,
                )
            return self._clients[key]


def api_address(cloud: Cloud) -> str:
    """Graph's address with the version, whether or not the settings name it."""
    address = cloud.graph.rstrip("/")
    return address if address.endswith(f"/{API_VERSION}") else f"{address}/{API_VERSION}"


def _load_sdk() -> Any:
    from azure.identity.aio import ClientSecretCredential

    from monitor.entra import sdk

    sdk.load_builders()
    # Building one makes azure-core import its transport.
    ClientSecretCredential("0", "0", "0")
    # What the SDK brought stays for good. Without this each full garbage collection walks
    # through it, which was measured to hold the event loop for 60 ms.
    gc.collect()
    gc.freeze()
    return sdk
