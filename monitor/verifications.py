"""Verify now: one credential looked at in Entra at once, and its item closed where it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.canaries import Canaries
from monitor.carriers import Carriers
from monitor.errors import LapsewatchError, RemoteError, UsageError
from monitor.lifecycle import OwnCredential, own_uids
from monitor.links import READABLE
from monitor.log import get
from monitor.model import CanaryResult, Cloud, Credential, CredentialRef, Tenant
from monitor.model.evidence import ObjectReading
from monitor.outcomes import Outcome, mail_path, outcome, unread
from monitor.runs import Runs
from monitor.senders import OAuthSender
from monitor.store import Store

if TYPE_CHECKING:
    from monitor.entra.graph import GraphReader
    from monitor.entra.secrets import ResolvedCredential

log = get("lapsewatch.verify")


class Verifications:
    """Looks at single credentials.

    Args:
        store: the facts.
        graph: opens the door to Graph.
        credential: resolves a credential reference.
        own: what Lapsewatch signs in with to an app, by client id.
        cloud: the cloud a tenant lives in.
        carriers: the senders.
        canaries: tests a mail path.
        runs: writes what there is to tell.
        clock: the current instant, aware UTC.
    """

    def __init__(
        self,
        store: Store,
        *,
        graph: Callable[[], AbstractAsyncContextManager[GraphReader]],
        credential: Callable[[CredentialRef], ResolvedCredential],
        own: Callable[[str], list[OwnCredential]],
        cloud: Callable[[Tenant], Cloud],
        carriers: Carriers,
        canaries: Canaries,
        runs: Runs,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._graph = graph
        self._credential = credential
        self._own = own
        self._cloud = cloud
        self._carriers = carriers
        self._canaries = canaries
        self._runs = runs
        self._clock = clock

    def verify(self, one: Credential, *, life: int, zone: ZoneInfo) -> Outcome:
        """Look at a credential now, and tell everybody at once where it is over.

        It blocks: some 10 seconds at most for Graph, and a test mail where its app is a sender.

        Args:
            one: the credential as it is known.
            life: the one that was warned about.
            zone: of the dates in the answer.

        Raises:
            UsageError: what it hangs on cannot be read one by one, or its tenant is not watched.
            StoreError: the database cannot be used.
        """
        tenant = self._store.tenant(one.tenant)
        if tenant is None or not tenant.active:
            raise UsageError(f"The tenant {one.tenant} is not watched just now.")
        if one.object_type not in READABLE:
            raise UsageError("This is not read one by one: the next scan of the tenant sees it.")
        seen = self._look(tenant, one, life, zone)
        if seen.result == "unread":
            return seen
        seen = self._with_mail_path(seen, tenant, one)
        if seen.over:
            self._tell(tenant)
        log.info("verified", tenant=tenant.name, uid=one.uid, result=seen.result)
        return seen

    def _look(self, tenant: Tenant, one: Credential, life: int, zone: ZoneInfo) -> Outcome:
        try:
            reading = asyncio.run(self._read(tenant, one))
        except RemoteError as error:
            return unread(error.message, error.remedy)
        if reading.error is not None:
            return unread(reading.error.message, reading.error.remedy)
        objects = [reading.found] if reading.found else []
        own = own_uids(objects, self._own(one.app_id or ""), self._clock())
        self._store.record_object(
            tenant, one.object_id, reading.found,
            started_at=reading.started_at, at=reading.finished_at, own=own,
        )  # fmt: skip
        known = self._store.credentials(tenant.name, include_removed=True)
        return outcome(one.uid, life, known, self._clock(), zone)

    async def _read(self, tenant: Tenant, one: Credential) -> ObjectReading:
        value = await asyncio.to_thread(self._credential, tenant.credential)
        async with self._graph() as reader:
            return await reader.read_object(
                tenant, self._cloud(tenant), value,
                object_type=one.object_type, object_id=one.object_id, now=self._clock,
            )  # fmt: skip

    def _with_mail_path(self, seen: Outcome, tenant: Tenant, one: Credential) -> Outcome:
        """Test the mail path too where the app is the tenant's sender."""
        for sender in self._carriers.senders([tenant]):
            if sender.tenant == tenant.name and sender.client_id == one.app_id:
                return replace(seen, words=(*seen.words, self._test(sender, tenant)))
        return seen

    def _test(self, sender: OAuthSender, tenant: Tenant) -> str:
        """One more test mail. It is no daily one, so it counts only where the path was broken."""
        try:
            before = self._store.health_of_sender(sender.tenant, sender.mailbox)
            probe = self._canaries.probe(sender)
            failed = before.last is not None and before.last.result is CanaryResult.FAILED
            if failed or before.alarm_opened_at is not None:
                self._canaries.record(sender, tenant, probe)
        except LapsewatchError as error:
            return f"Mail path: it could not be tested. {error}"
        return mail_path(sender.mailbox, probe)

    def _tell(self, tenant: Tenant) -> None:
        """Tell whoever was told of something in the tenant that it is over."""
        standing = self._runs.standing()
        for run in standing.runs:
            if tenant.name in run.names:
                self._runs.write_over(run, standing, tenant.name)
