"""The weekly report: when it is due to whom, and what it is made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.model import CredentialState, Tenant, Week
from monitor.recipients import Audience, RecipientRun
from monitor.status import CredentialRow, StatusReport

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AHEAD = timedelta(days=90)
SLOW = timedelta(hours=1)  # a mail that has a path goes within minutes
_QUIET = (CredentialState.REMOVED, CredentialState.SUPERSEDED)
_ONE_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Plan:
    """On which day reports go: each week, or on the first such day of a month; `day` None: never.

    `day` counts from Monday, 0.
    """

    day: int | None = 0
    monthly: bool = False

    @classmethod
    def of(cls, day: str, every: str) -> Plan:
        """The plan of the settings `report` and `report_every`."""
        return cls(DAYS.index(day) if day in DAYS else None, every == "monthly")

    @property
    def looks_back(self) -> timedelta:
        """How much a report tells of."""
        return timedelta(days=30 if self.monthly else 7)

    def falls_on(self, day: date) -> bool:
        """Whether a report goes on that local date."""
        return self.day == day.weekday() and (not self.monthly or day.day <= 7)


def report_runs(audience: Audience, tenants: Sequence[Tenant]) -> list[RecipientRun]:
    """Who gets reports: each of the operator's recipients, in their zone and at their hour."""
    watched = tuple(tenant for tenant in tenants if tenant.active)
    found: dict[tuple[str, str], RecipientRun] = {}
    for one in audience.recipients:
        zone = one.time_zone or audience.time_zone
        hour = audience.send_hour if one.send_hour is None else one.send_hour
        run = RecipientRun(one.address, zone, hour, watched)
        found.setdefault((one.address.casefold(), zone), run)
    return list(found.values())


def due(run: RecipientRun, plan: Plan, now: datetime) -> datetime | None:
    """The slot (UTC) of a report that is due at `now`; one missed is made up on its local date."""
    slot = run.slot(now)
    return slot if slot is not None and plan.falls_on(_local(slot, run)) else None


def instants(
    run: RecipientRun, plan: Plan, done: datetime | None, now: datetime, until: datetime
) -> Iterator[datetime]:
    """When reports go to a recipient from `now` to `until`, both included; `done` is the last."""
    if plan.day is None:
        return
    slot = due(run, plan, now)
    if slot is not None and slot != done:
        yield now
    at = run.next_slot(now)
    while at <= until:
        if plan.falls_on(_local(at, run)):
            yield at
        at = run.next_slot(at)


def _local(instant: datetime, run: RecipientRun) -> date:
    return instant.astimezone(ZoneInfo(run.zone)).date()


# --- what it is made of ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ComingWeek:
    """The credentials that end in one week; `monday` is its first local day."""

    monday: date
    rows: tuple[CredentialRow, ...]


@dataclass(frozen=True, slots=True)
class Weekly:
    """Everything that a report tells, before it becomes words.

    `renewed` are old ones whose successor appeared lately, `lapsed` and `removed` what ended and
    went; `coming` are all weeks of the 90 days ahead, empty ones too.
    """

    report: StatusReport
    week: Week
    plan: Plan
    renewed: tuple[CredentialRow, ...]
    lapsed: tuple[CredentialRow, ...]
    removed: tuple[CredentialRow, ...]
    coming: tuple[ComingWeek, ...]

    @property
    def counted(self) -> int:
        """How many credentials are watched."""
        return sum(_alive(row) for row in self.report.credentials)


def weekly(report: StatusReport, week: Week, plan: Plan, zone: ZoneInfo) -> Weekly:
    """Put together what happened since `week.since`, and what comes; dates are those of `zone`."""
    rows, now = report.credentials, report.generated_at
    meant = [row for row in rows if not row.credential.managed_identity]

    def lately(instant: datetime | None) -> bool:
        return instant is not None and week.since < instant <= now

    return Weekly(
        report=report,
        week=week,
        plan=plan,
        renewed=tuple(
            row for row in meant if row.successor is not None and lately(row.successor.first_seen)
        ),
        lapsed=tuple(
            row for row in meant if row.state not in _QUIET and lately(row.credential.end)
        ),
        removed=tuple(row for row in meant if lately(row.credential.removed_at)),
        coming=tuple(_coming(meant, now, zone)),
    )


def _alive(row: CredentialRow) -> bool:
    return row.state is not CredentialState.REMOVED


def _coming(rows: Iterable[CredentialRow], now: datetime, zone: ZoneInfo) -> Iterator[ComingWeek]:
    found: dict[date, list[CredentialRow]] = {}
    for row in rows:
        end = row.credential.end
        if end is not None and now < end <= now + AHEAD and (row.state not in _QUIET or row.moving):
            found.setdefault(_monday(end, zone), []).append(row)
    monday = _monday(now, zone)
    while monday <= _monday(now + AHEAD, zone):
        those = sorted(found.get(monday, []), key=lambda row: row.credential.end or now)
        yield ComingWeek(monday, tuple(those))
        monday += _ONE_WEEK


def _monday(instant: datetime, zone: ZoneInfo) -> date:
    day = instant.astimezone(zone).date()
    return day - timedelta(days=day.weekday())
