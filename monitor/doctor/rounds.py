"""The doctor's rounds: every target examined side by side, and none of them stops another."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from monitor import senders
from monitor.config import Configuration
from monitor.diagnose import Rulebook
from monitor.doctor.checks import Report
from monitor.doctor.exchange import fits
from monitor.doctor.gather import Ways, gather
from monitor.doctor.judge import crashed, judge, machine
from monitor.doctor.signins import Target
from monitor.errors import LapsewatchError, SettingsError
from monitor.log import get
from monitor.model import OPERATOR, Credential, ExchangeResult, Probe, SenderHealth, Tenant
from monitor.store import Store

if TYPE_CHECKING:
    from monitor.entra.graph import GraphReader

log = get("lapsewatch.doctor")


@dataclass(frozen=True, slots=True)
class _Known:
    """What a round knows beforehand, read once for all of its visits.

    Args:
        tenants: all of them, by name.
        changed: when each entry last changed.
        facts: the credentials that Lapsewatch signs in with, as the last scans found them.
        sent: how many mails each sender has sent lately, and since when.
        exchange: what administrators' checks in Exchange said, by the sender's tenant.
        proven: what the test mails came to, by tenant and mailbox.
    """

    tenants: Mapping[str, Tenant]
    changed: Mapping[str, datetime]
    facts: Sequence[Credential]
    sent: Mapping[str, tuple[int, datetime]]
    exchange: Mapping[str, ExchangeResult]
    proven: Mapping[tuple[str, str], SenderHealth]


COUNTED = timedelta(days=7)  # how far back mails are counted
THREADS = 4  # for one target: two hosts, the authority, a sign-in
Visit = tuple[str, Callable[[], Target | None]]  # whom, and what is to be looked at there


class Doctor:
    """Examines tenants, senders and this machine.

    Args:
        store: who is watched, and since when.
        configuration: clouds, deadlines and the operator's sender.
        ways: the doors to what is outside.
        graph: opens the door to Graph.
        rules: the vocabulary of causes.
    """

    def __init__(
        self,
        store: Store,
        configuration: Configuration,
        *,
        ways: Ways,
        graph: Callable[[], AbstractAsyncContextManager[GraphReader]],
        rules: Rulebook,
    ) -> None:
        self._store = store
        self._configuration = configuration
        self._ways = ways
        self._graph = graph
        self._rules = rules

    async def examine(self, *, only: str | None = None, send: bool = False) -> list[Report]:
        """Examine this machine, all tenants that are not paused, and the operator's sender.

        Args:
            only: this tenant alone, paused or not.
            send: send a test mail by each sender that has a token.

        Returns:
            One report each; what could not be examined is a report, too.

        Raises:
            StoreError: the database cannot be used.
        """
        known = self._known()
        names = [each.name for each in known.tenants.values() if each.active]
        chosen = [only] if only else [*names, OPERATOR]
        visits = [visit for name in chosen if (visit := self._visit_to(name, known))]
        here = machine(sys.version_info[:2], self._ways.clock(), self._rules)
        return [here, *await self._visit(visits, send=send)]

    async def look_at(self, entry: Tenant, *, send: bool = False) -> Report:
        """Examine a tenant as it is given here, which need not be watched yet.

        Args:
            entry: the tenant, stored or not.
            send: send a test mail by its sender.

        Raises:
            StoreError: the database cannot be used.
        """
        known = self._known()
        visit = (entry.name, partial(self._of, entry, known))
        return (await self._visit([visit], send=send))[0]

    async def look_up(self, directory: str, cloud: str) -> Report:
        """Ask a cloud about a directory, before anybody signs in to it.

        Args:
            directory: its id, or one of its domains.
            cloud: the name of a configured cloud.

        Raises:
            StoreError: the database cannot be used.
        """

        def target() -> Target:
            found = self._ways.clouds.get(cloud)
            if found is None:
                raise senders.unknown_cloud(cloud, directory)
            return Target(directory, found, directory_id=directory)

        return (await self._visit([(directory, target)], send=False))[0]

    def round(self) -> Callable[[str, Probe | None], Report | None]:
        """For one round of scans or test mails: examines, by name, what has just failed.

        What it returns is called in any thread and sends no test mail: the stages of one that
        failed are given to it. It gives None where there is nothing of that name to examine (any
        more). The store is read once, at the first call.

        Raises (when called):
            StoreError: the database cannot be used.
        """
        reading, read = threading.Lock(), list[_Known]()

        def look(name: str, probe: Probe | None) -> Report | None:
            with reading:
                known = read[0] if read else self._known()
                read[:] = [known]
            visit = self._visit_to(name, known, probe)
            return asyncio.run(self._visit([visit], send=False))[0] if visit else None

        return look

    def _known(self) -> _Known:
        # A shared app's credential lives in one directory and is used for all of them.
        facts = [found for found in self._store.credentials() if found.own]
        since = self._ways.clock() - COUNTED
        return _Known(
            tenants={tenant.name: tenant for tenant in self._store.tenants()},
            changed=self._store.known_since(),
            facts=facts,
            sent=self._store.sent_since(since),
            exchange=self._store.exchange_results(),
            proven=self._store.sender_health(),
        )

    def _visit_to(self, name: str, known: _Known, probe: Probe | None = None) -> Visit | None:
        if name == OPERATOR:
            return name, partial(self._operator, known, probe)
        tenant = known.tenants.get(name)
        return None if tenant is None else (name, partial(self._of, tenant, known, probe))

    async def _visit(self, visits: Sequence[Visit], *, send: bool) -> list[Report]:
        at_once = self._configuration.settings.deadlines.tenants_at_once
        places = asyncio.Semaphore(at_once)
        pool = ThreadPoolExecutor(THREADS * min(at_once, len(visits) or 1))
        async with self._graph() as reader:

            async def visit(name: str, make: Callable[[], Target | None]) -> Report | None:
                async with places:
                    return await self._examine(name, make, reader, pool, send)

            try:
                found = await asyncio.gather(*(visit(*one) for one in visits))
            finally:  # a call that hangs ends by its own deadline, and nobody waits for it
                pool.shutdown(wait=False, cancel_futures=True)
        return [report for report in found if report is not None]

    async def _examine(
        self,
        name: str,
        make: Callable[[], Target | None],
        reader: GraphReader,
        pool: ThreadPoolExecutor,
        send: bool,
    ) -> Report | None:
        try:
            target = make()
            if target is None:
                return None
            async with asyncio.timeout(self._ways.carriers.seconds("tenant")):
                seen = await gather(target, self._ways, reader, pool, send=send)
            return judge(seen, self._rules)
        except TimeoutError:
            allowed = self._ways.carriers.seconds("tenant")
            told = f"The tenant's time of {allowed:.0f} s ran out."
            return crashed(name, told, self._rules, cause="reply_timeout")
        except LapsewatchError as error:
            return crashed(name, error.message, self._rules, fix=error.remedy)
        except Exception as error:  # one tenant never stops the others
            log.exception("doctor_crashed", tenant=name)
            told = f"The doctor stopped by a fault of the program ({type(error).__name__})."
            fix = "Please report it, with --log-level debug."
            return crashed(name, told, self._rules, fix=fix)

    def _of(self, tenant: Tenant, known: _Known, probe: Probe | None = None) -> Target:
        clouds = self._ways.clouds
        cloud = clouds.get(tenant.cloud)
        if cloud is None:
            raise senders.unknown_cloud(tenant.cloud, tenant.name)
        sender = senders.of_tenant(tenant, clouds)
        if sender is not None and sender.problem:
            raise SettingsError([sender.problem])
        found = Target(
            tenant.name,
            cloud,
            tenant=tenant,
            sender=sender,
            changed_at=known.changed.get(tenant.name),
            facts=known.facts,
            probe=probe,
        )
        return self._with_habits(found, tenant.thresholds, known)

    def _operator(self, known: _Known, probe: Probe | None = None) -> Target | None:
        """The operator's sender; its directory is perhaps not watched, and then not read."""
        own = self._configuration.operator_sender
        if own is None:
            return None
        if own.relay is not None:
            return Target(OPERATOR, None, relay=own)
        zone, tenants = self._configuration.operator_zone, list(known.tenants.values())
        sender = senders.of_operator(own, tenants, self._ways.clouds, time_zone=zone)
        if sender is None:
            return None
        found = Target(OPERATOR, sender.cloud, sender=sender, facts=known.facts, probe=probe)
        thresholds = self._configuration.settings.defaults.thresholds
        return self._with_habits(found, thresholds, known)

    def _with_habits(self, target: Target, thresholds: Sequence[int], known: _Known) -> Target:
        """The target with what the store and the settings tell of it."""
        soon = timedelta(days=max(thresholds)) if thresholds else target.soon
        number, first = known.sent.get(target.name, (0, None))
        days = max((self._ways.clock() - first) / timedelta(days=1), 1) if first else 1
        result = known.exchange.get(target.name)
        if target.sender is None or not fits(result, target.sender):
            result = None
        if result is not None and target.sender is not None:
            health = known.proven.get((target.sender.tenant, target.sender.mailbox))
            # A mail has gone since: what was wrong then is no cause of what fails now.
            if health is not None and health.last_ok is not None and health.last_ok > result.at:
                result = replace(result, points=tuple(one for one in result.points if one.ok))
        return replace(
            target, soon=soon, daily_mails=number / days if number else None, exchange=result
        )
