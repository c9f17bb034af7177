"""One attempt to read one tenant: what is asked, in which order, and what it came to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from monitor.entra.calls import GraphCalls, RefusedError
from monitor.entra.decode import Report, decode_application, decode_service_principal
from monitor.entra.discovery import PartnerLists, relationship_objects
from monitor.entra.extras import OWNERS_AHEAD, add_federated, add_owners
from monitor.entra.failures import graph_error
from monitor.entra.insights import read_policy, read_usage
from monitor.entra.kinds import joined
from monitor.entra.paging import Collection
from monitor.errors import RemoteError
from monitor.model import ObjectType, ObservedObject, Scan, ScanRecord, Tenant, Topic
from monitor.model.customers import Source

APPLICATION_FIELDS = (
    "id", "appId", "displayName", "passwordCredentials", "keyCredentials",
    "tokenEncryptionKeyId", "disabledByMicrosoftStatus", "notes",
)  # fmt: skip
SERVICE_PRINCIPAL_FIELDS = (
    "id", "appId", "displayName", "appDisplayName", "accountEnabled", "appOwnerOrganizationId",
    "servicePrincipalType", "preferredSingleSignOnMode", "preferredTokenSigningKeyThumbprint",
    "passwordCredentials", "keyCredentials", "tokenEncryptionKeyId",
)  # fmt: skip
CLOCK_SKEW = timedelta(minutes=5)
MAX_NOTES = 50


class TenantScan:
    """Reads a tenant once.

    Args:
        tenant: is read.
        calls: its door to Graph.
        turn: held while decoding; shared by all scans of the process.
        now: the clock.
        topics: what is asked for beside the lists.
    """

    def __init__(
        self,
        tenant: Tenant,
        calls: GraphCalls,
        turn: asyncio.Lock,
        now: Callable[[], datetime],
        topics: frozenset[Topic] = frozenset(),
    ) -> None:
        self._tenant = tenant
        self._topics = topics
        self._calls = calls
        self._now = now
        self._started = now()
        self._report = Report()
        self._applications: Collection[ObservedObject] = Collection(
            calls, "applications", "applications",
            decode=decode_application, turn=turn, report=self._report, join=joined,
        )  # fmt: skip
        self._principals: Collection[ObservedObject] = Collection(
            calls, "service principals", "servicePrincipals",
            decode=decode_service_principal, turn=turn, report=self._report, join=joined,
        )  # fmt: skip
        self._partner = PartnerLists(calls, turn)
        self._unseen: str | None = None

    async def run(self) -> Scan:
        """Read everything; what goes wrong is in the record."""
        try:
            expanded = await self._read_lists()
        except RemoteError as error:
            return self._ended(error)
        objects = self._objects()
        if not expanded:
            await add_federated(self._calls, objects, self._report)
        await add_owners(self._calls, objects, self._now(), self._report, self._ahead())
        if self._tenant.partner:
            objects |= await self._read_relationships()
        policy = usage = None
        if Topic.POLICY in self._topics:
            policy = await read_policy(self._calls, self._report, self._now())
        if Topic.USAGE in self._topics:
            usage = await read_usage(self._calls, self._report, self._now())
        unread = frozenset({ObjectType.RELATIONSHIP} if self._unseen else ())
        return Scan(self._record(objects), tuple(objects.values()), unread, policy, usage)

    def _ahead(self) -> timedelta:
        """How near an end must be for its owners to matter: as far as the stages reach."""
        stages = max(self._tenant.thresholds, default=0)
        # Days are counted by local dates, and the next scan is some hours away.
        return max(OWNERS_AHEAD, timedelta(days=stages)) + timedelta(days=2)

    async def _read_relationships(self) -> dict[str, ObservedObject]:
        """A partner's access to its customers; what goes wrong there spoils nothing else."""
        found = await self._partner.read(Source.RELATIONSHIPS)
        if found.error is not None:
            self._unseen = (
                f"The ends of the GDAP relationships cannot be seen: {found.error.message} "
                f"{found.error.remedy}"
            ).strip()
        return relationship_objects(found, self._now())

    async def _read_lists(self) -> bool:
        """Read both lists within the tenant's time; tell whether $expand was taken."""
        clock = self._calls.clock
        try:
            async with clock.scope():
                expanded = await self._read_applications()
                principals = self._calls.graph.service_principals
                await self._principals.read(principals, SERVICE_PRINCIPAL_FIELDS)
        except TimeoutError as exc:
            pages = self._applications.pages + self._principals.pages
            raise graph_error(
                "reply_timeout",
                f"The tenant's time of {clock.allowed:.0f} s ran out after {pages} pages.",
            ) from exc
        return expanded

    async def _read_applications(self) -> bool:
        builder = self._calls.graph.applications
        expand = ("federatedIdentityCredentials",)
        try:
            await self._applications.read(builder, APPLICATION_FIELDS, expand)
        except RefusedError as error:
            if error.status != 400 or self._applications.pages:
                raise
            await self._applications.read(builder, APPLICATION_FIELDS)
            return False
        return True

    def _objects(self) -> dict[str, ObservedObject]:
        return {**self._applications.objects, **self._principals.objects}

    def _ended(self, error: RemoteError) -> Scan:
        """The outcome of a scan that did not reach its last page: no facts at all."""
        objects = self._objects()
        return Scan(failed_record(
            self._tenant, self._started, self._now(), error,
            pages=self._applications.pages + self._principals.pages,
            objects=len(objects),
            credentials=sum(len(each.credentials) for each in objects.values()),
            calls=dict(self._calls.ledger.calls),
            request_ids=tuple(self._calls.ledger.request_ids),
            notes=self._notes(),
        ))  # fmt: skip

    def _record(self, objects: dict[str, ObservedObject]) -> ScanRecord:
        malformed = self._report.malformed
        problem = (
            f"{malformed} entries of the directory could not be read, so that it counts as not "
            f"read. The first: {self._report.unreadable_notes[0]}"
        ) if malformed else None  # fmt: skip
        return ScanRecord(
            tenant=self._tenant.name,
            started_at=self._started,
            finished_at=self._now(),
            complete=not malformed,
            cause="malformed_page" if malformed else None,
            problem=problem,
            retry="later" if malformed else None,
            pages=self._applications.pages + self._principals.pages + self._partner.pages,
            objects=len(objects),
            credentials=sum(len(each.credentials) for each in objects.values()),
            calls=dict(self._calls.ledger.calls),
            request_ids=tuple(self._calls.ledger.request_ids),
            notes=self._notes(),
            unseen=self._unseen,
        )

    def _notes(self) -> tuple[str, ...]:
        notes = [*self._report.unreadable_notes, *self._report.notes]
        date = self._calls.ledger.server_date
        skew = abs(self._now() - date) if date is not None else timedelta(0)
        if skew > CLOCK_SKEW:
            notes.insert(0, f"This machine's clock is {skew.total_seconds() / 60:.0f} minutes off.")
        if len(notes) > MAX_NOTES:
            notes[MAX_NOTES:] = [f"And {len(notes) - MAX_NOTES} more."]
        return tuple(notes)


def failed_record(
    tenant: Tenant, started: datetime, finished: datetime, error: RemoteError, **counts: object
) -> ScanRecord:
    """The ledger row of an attempt that ended with an error."""
    return ScanRecord(
        tenant=tenant.name, started_at=started, finished_at=finished, complete=False,
        cause=error.cause, problem=str(error),
        retry="after_fix" if error.permanent else "later",
        **counts,  # type: ignore[arg-type]  # the counts are the record's own fields
    )  # fmt: skip
