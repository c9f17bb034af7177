"""How everything stands: gathers the facts of the status report from the rooms that know them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor import status
from monitor.canaries import as_of_now
from monitor.carriers import Carriers
from monitor.customers import standing
from monitor.heartbeat import Heartbeat
from monitor.insights import usage_problems
from monitor.inventory import Notes
from monitor.recipients import Audience
from monitor.routing import Router
from monitor.runs import Runs
from monitor.store import Store


@dataclass(frozen=True, slots=True)
class Overview:
    """The rooms that are asked, and how often each tenant is read (`scan_every`)."""

    store: Store
    carriers: Carriers
    runs: Runs
    heartbeat: Heartbeat
    audience: Audience
    scan_every: timedelta

    def report(self, now: datetime) -> status.StatusReport:
        """The status at that instant (aware UTC).

        Raises:
            StoreError: the database cannot be used.
        """
        return status.build_report(self.facts(now), now=now)

    def facts(self, now: datetime) -> status.Facts:
        """All that the report is made of.

        Raises:
            StoreError: the database cannot be used.
        """
        tenants = self.store.tenants()
        resolved = self.carriers.senders(tenants)
        counts, mails = self.store.open_mails(now)
        return status.Facts(
            tenants=tenants,
            credentials=self.store.credentials(include_removed=True),
            health=(health := self.store.health()),
            senders=[(sender.tenant, sender.mailbox) for sender in resolved],
            sender_health=as_of_now(self.store.sender_health(), resolved, now),
            snoozes=self.store.snoozes(),
            outbox=counts,
            mails=mails,
            beats=self.store.beats(),
            scan_every=self.scan_every,
            known_since=self.store.known_since(),
            unfinished=self.store.unfinished_slots(now - status.HISTORY),
            runs={run.scope for run in self.runs.of(tenants, health)},
            federated=self.store.federated(),
            lost=standing(self.store.lost_access(), tenants),
            notes=Notes(self.store.what_is_noted()),
            items=self.store.items(),
            pulse=self.heartbeat.pulse(),
            paths=self.carriers.paths(tenants).identity,
            refused=self.store.refused_addresses(),
            operator_listens=bool(self.audience.recipients),
            examinations=self.store.examinations(),
            router=Router(tenants, self.audience, self.store.hand_overs()),
            usage_problems=usage_problems(self.store.insights()),
            arrivals=self.store.arrivals_of_senders(now),
        )
