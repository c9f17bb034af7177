"""The report about everything, from the status to the outbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.compose import outbox_row
from monitor.model import OPERATOR, HeldSlot, MailKind, OutboxMail
from monitor.recipients import Audience, RecipientRun
from monitor.render import Renderer
from monitor.routes import NO_PATH, Paths, choose
from monitor.status import StatusReport
from monitor.store import Store
from monitor.weekly import SLOW, Plan, due, instants, report_runs, weekly


class Reports:
    """Says who gets a report when, and writes it.

    Args:
        store: what happened, and the outbox.
        renderer: makes the words.
        audience: the operator: whoever is told of alarms gets the reports.
        plan: on which days.
        status: judges everything at this moment.
        paths: the sending paths, and which are broken.
        clock: the current instant, aware UTC.
    """

    def __init__(
        self,
        store: Store,
        *,
        renderer: Renderer,
        audience: Audience,
        plan: Plan,
        status: Callable[[], StatusReport],
        paths: Callable[..., Paths],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._audience = audience
        self._plan = plan
        self._status = status
        self._paths = paths
        self._clock = clock

    def runs(self) -> list[RecipientRun]:
        """Who gets reports; nobody without an operator, and while nothing is watched.

        Raises:
            StoreError: the database cannot be used.
        """
        tenants = self._store.tenants()
        return report_runs(self._audience, tenants) if tenants else []

    def due(self, run: RecipientRun) -> datetime | None:
        """The slot of a report that is due now; None where none is."""
        return due(run, self._plan, self._clock())

    def today(self, run: RecipientRun) -> bool:
        """Whether a report goes on this local date, whatever the hour."""
        return self._plan.falls_on(self._clock().astimezone(ZoneInfo(run.zone)).date())

    def coming(
        self, done: Mapping[str, datetime], *, now: datetime, until: datetime
    ) -> list[tuple[datetime, str]]:
        """When reports are going to go, and to whom; `done` has the last slot by run.

        Raises:
            StoreError: the database cannot be used.
        """
        if self.path() == NO_PATH:
            return []
        return sorted(
            (at, run.address)
            for run in self.runs()
            for at in instants(run, self._plan, done.get(run.scope), now, until)
        )

    def path(self) -> str:
        """The path that reports take: the operator's, or that of the only tenant there is.

        Where there is neither no report is written, and the blind spots say so.

        Raises:
            StoreError: the database cannot be used.
        """
        tenants = self._store.tenants()
        paths = self._paths(tenants)
        names = [tenant.name for tenant in tenants]
        operator = choose(MailKind.REPORT, [OPERATOR], paths)
        alone = len(names) == 1 and operator == NO_PATH
        return choose(MailKind.REPORT, names, paths) if alone else operator

    def plan(self, runs: list[RecipientRun]) -> list[tuple[RecipientRun, OutboxMail]]:
        """The report of each recipient, as of now; nothing is written.

        Raises:
            StoreError: the database cannot be used.
        """
        path = self.path()
        if not runs or path == NO_PATH:
            return []
        report, now = self._status(), self._clock()
        week = self._store.week(now - self._plan.looks_back, now, slow=SLOW)
        names = tuple(row.tenant.name for row in report.tenants)
        domain = self._paths(None).domain(path)
        found = []
        for run in runs:
            zone = ZoneInfo(run.zone)
            told = weekly(report, week, self._plan, zone)
            mail = self._renderer.report(told, recipient=run.address, zone=zone)
            row = outbox_row(
                mail, run.address, names, path, now, domain=domain, run_key=run.key(now)
            )
            found.append((run, row))
        return found

    def write(self, mail: OutboxMail, slot: HeldSlot | None = None) -> bool:
        """Write one report and finish its slot, in one transaction; False if it is another's.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        return self._store.write_report(mail, at=self._clock(), slot=slot)
