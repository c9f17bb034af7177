"""One tenant's scan, from its credential to the ledger: an attempt never raises, a record may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor import shrink
from monitor.alarms import AlarmNews, AlarmWriter
from monitor.decide import scan_alarm
from monitor.errors import LapsewatchError, RemoteError, StoreError
from monitor.insights import topics_due
from monitor.lifecycle import OwnCredential, own_uids
from monitor.log import get
from monitor.model import (
    AlarmChange,
    Cloud,
    CredentialRef,
    Examination,
    Scan,
    ScanRecord,
    Tenant,
    TenantHealth,
    UsageFound,
)
from monitor.store import AlarmWrite, Store

if TYPE_CHECKING:
    from monitor.entra.graph import GraphReader
    from monitor.entra.secrets import ResolvedCredential

log = get("lapsewatch.scan")
_NOT_YET = frozenset({"app_not_found", "consent_missing", "missing_service_principal"})


class Scans:
    """Reads tenants and writes down what came of it.

    Args:
        store: the facts, the ledger and the alarms.
        alarms: writes CANNOT CHECK and RECOVERED.
        news: what holds at this moment for an alarm's scope.
        credential: resolves a credential reference.
        cloud: the cloud a tenant lives in.
        clock: the current instant, aware UTC.
        shadow: how long a tenant is in shadow once its consent has come.
        guard: a scan that misses more than so many percent of a tenant's credentials is
            held; 0: none is.
        usage: whether to ask when credentials were last used.
    """

    def __init__(
        self,
        store: Store,
        *,
        alarms: AlarmWriter,
        news: Callable[[str], AlarmNews],
        credential: Callable[[CredentialRef], ResolvedCredential],
        cloud: Callable[[Tenant], Cloud],
        clock: Callable[[], datetime],
        shadow: timedelta = timedelta(0),
        guard: int = 0,
        usage: bool = True,
    ) -> None:
        self._store = store
        self._alarms = alarms
        self._news = news
        self._credential = credential
        self._cloud = cloud
        self._clock = clock
        self._shadow = shadow
        self._guard = guard
        self._usage = usage

    async def attempt(self, reader: GraphReader, tenant: Tenant) -> Scan:
        """Read a tenant; whatever goes wrong becomes a record of its own."""
        started = self._clock()
        try:
            value = await asyncio.to_thread(self._credential, tenant.credential)
            known = await asyncio.to_thread(self._store.insight, tenant.name)
            topics = topics_due(known, started, usage=self._usage)
            cloud = self._cloud(tenant)
            scan = await reader.scan(tenant, cloud, value, now=self._clock, topics=topics)
            if not self._usage and known.usage_at is not None:
                scan = _without_usage(scan)
            return await asyncio.to_thread(self._guarded, scan)
        except StoreError as error:
            return self._failed(tenant, started, "unknown", str(error), passing=True)
        except LapsewatchError as error:
            cause = error.cause if isinstance(error, RemoteError) else "unknown"
            passing = isinstance(error, RemoteError) and not error.permanent
            return self._failed(tenant, started, cause, str(error), passing=passing)
        except Exception as error:  # one tenant never stops the others
            log.exception("scan_crashed", tenant=tenant.name)
            text = f"The scan stopped by a fault of the program ({type(error).__name__})."
            return self._failed(tenant, started, "unknown", text)

    def _guarded(self, scan: Scan) -> Scan:
        """A complete scan in which many credentials are gone proves nothing until it is accepted.

        Raises:
            StoreError: the database cannot be used.
        """
        name = scan.record.tenant
        if not scan.record.complete or not self._guard:
            return scan
        seen, missing = self._store.unseen(scan)
        if len(missing) < shrink.AT_LEAST:
            return scan
        found = shrink.loss(self._store.credentials(name), seen, scan)
        if not found.is_too_much(self._guard):
            return scan
        if self._store.is_accepted(name, self._clock(), shrink.ACCEPTED_FOR):
            return scan
        log.warning("scan_held", tenant=name, gone=found.gone, before=found.before)
        return shrink.held(scan, found)

    async def consented(self, reader: GraphReader, tenant: Tenant) -> Tenant | None:
        """Begin to watch a pending tenant if its app gets a token by now.

        No token is no failure: its administrator has not consented yet.

        Returns:
            The tenant, pending no more; None where it still waits.

        Raises:
            StoreError: the database cannot be used.
        """
        started = self._clock()
        try:
            value = await asyncio.to_thread(self._credential, tenant.credential)
            await reader.signs_in(tenant, self._cloud(tenant), value)
        except LapsewatchError as error:
            cause = error.cause if isinstance(error, RemoteError) else "unknown"
            tell = log.info if cause in _NOT_YET else log.warning
            tell("consent_awaited", tenant=tenant.name, cause=cause, error=str(error))
            if cause not in _NOT_YET:
                await asyncio.to_thread(self._in_the_way, tenant, started, cause, str(error))
            return None
        now = self._clock()
        until = now.replace(microsecond=0) + self._shadow if self._shadow else None
        end = self._store.end_pending
        found = await asyncio.to_thread(end, tenant, now=now, shadow_until=until)
        if found is not None:
            log.info("consent_given", tenant=tenant.name)
        return found

    def _in_the_way(self, tenant: Tenant, started: datetime, cause: str, problem: str) -> None:
        """Note that something of ours keeps a pending tenant waiting; nobody is alarmed."""
        scan = self._failed(tenant, started, cause, problem)
        zone = ZoneInfo(tenant.time_zone)
        self._store.record_scan(scan, zone=zone, watched=tenant)

    def _failed(
        self, tenant: Tenant, started: datetime, cause: str, problem: str, *, passing: bool = False
    ) -> Scan:
        """The record of an attempt that never reached Graph."""
        return Scan(
            ScanRecord(
                tenant=tenant.name,
                started_at=started,
                finished_at=self._clock(),
                complete=False,
                cause=cause,
                problem=problem,
                retry="later" if passing else "after_fix",
            )
        )

    def record(
        self,
        tenant: Tenant,
        scan: Scan,
        own: Sequence[OwnCredential],
        examination: Examination | None = None,
    ) -> None:
        """Write facts, ledger and alarm in one transaction.

        Args:
            tenant: as it was when the scan began.
            scan: what came of it.
            own: what Lapsewatch signs in with.
            examination: what the doctor found, where the scan failed.

        Raises:
            StoreError: the tenant is gone or another one, or the database cannot be used.
        """
        before = self._asked_anew(tenant, scan.record)
        change, reason = scan_alarm(before, scan.record)
        self._store.record_scan(
            scan,
            zone=ZoneInfo(tenant.time_zone),
            own=own_uids(scan.objects, own, self._clock()),
            alarm=self._alarm(tenant, before, scan.record, change, examination),
            watched=tenant,
            examination=examination,
        )
        if scan.record.complete and change is not AlarmChange.CLOSE:
            self._close_what_opened_meanwhile(tenant, scan.record)
        log.info(
            "tenant_scanned", tenant=tenant.name, complete=scan.record.complete,
            credentials=scan.record.credentials, cause=scan.record.cause, alarm=reason,
        )  # fmt: skip

    def _asked_anew(self, tenant: Tenant, record: ScanRecord) -> TenantHealth | None:
        """The tenant's health; an alarm about something else does not stand for our question."""
        before = self._store.tenant_health(tenant.name)
        if before is None or before.alarm_opened_at is None:
            return before
        if record.cause != shrink.CAUSE or before.cause == shrink.CAUSE:
            return before
        scope = f"tenant:{tenant.name}"
        self._store.write_alarm(AlarmWrite(AlarmChange.CLOSE, scope, self._clock()))
        return self._store.tenant_health(tenant.name)

    def _alarm(
        self,
        tenant: Tenant,
        before: TenantHealth | None,
        record: ScanRecord,
        change: AlarmChange,
        examination: Examination | None = None,
    ) -> AlarmWrite | None:
        if change is AlarmChange.NONE:
            return None
        news = self._news(f"tenant:{tenant.name}")
        return self._alarms.scan_alarm(tenant, before, record, change, news, examination)

    def _close_what_opened_meanwhile(self, tenant: Tenant, record: ScanRecord) -> None:
        """End the alarm of a failed attempt that was recorded beside this complete scan."""
        now = self._store.tenant_health(tenant.name)
        if now is None or now.alarm_opened_at is None or now.failures:
            return
        alarm = self._alarm(tenant, now, record, AlarmChange.CLOSE)
        if alarm is not None:
            self._store.write_alarm(alarm)


def _without_usage(scan: Scan) -> Scan:
    """Let what is known of sign-ins grow old: nobody asks for them any more."""
    at = scan.record.finished_at
    return replace(scan, usage=UsageFound(at, problem="it is switched off in the settings"))
