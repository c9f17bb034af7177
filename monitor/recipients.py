"""Who is asked about daily, when, and whether enough is known to ask now. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.model import (
    CLOSINGS,
    DEFAULT_SCAN_INTERVAL,
    NO_RULES,
    OPERATOR,
    MailKind,
    OutboxState,
    Policy,
    Recipient,
    Tenant,
    TenantHealth,
    WaitingMail,
)
from monitor.timetable import latest_daily, next_daily

# How long a run waits for the first scan of a tenant: one that hangs must not hold back the others.
PATIENCE = timedelta(minutes=15)
_TOLD_AT_ONCE = (MailKind.CANNOT_CHECK, MailKind.CANARY_FAILED)


@dataclass(frozen=True, slots=True)
class Audience:
    """The operator, as far as mails care: who gets alarms, where and when, and what is stale.

    `policy` are the rules about who is told of what.
    """

    recipients: tuple[Recipient, ...] = ()
    time_zone: str = "UTC"
    send_hour: int = 8
    scan_every: timedelta = DEFAULT_SCAN_INTERVAL
    policy: Policy = NO_RULES


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody who may be told about a tenant, with the zone and the local hour of the run."""

    recipient: Recipient
    zone: str
    hour: int


@dataclass(frozen=True, slots=True)
class RecipientRun:
    """One daily run: everything one address is told in one zone, at one local hour.

    The tenants have the stages that the recipient wishes. `working_days` are those of the run (0
    is Monday; empty: every day). `alone` and `tickets` name the tenants of which each credential
    gets a mail of its own, and `at_once` those whose urgent stages do not wait for the hour. Of
    the tenants named in `ends` it is told only that what it heard of is over.
    """

    address: str
    zone: str
    send_hour: int
    tenants: tuple[Tenant, ...]
    working_days: tuple[int, ...] = ()
    alone: frozenset[str] = frozenset()
    tickets: frozenset[str] = frozenset()
    at_once: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()

    @property
    def scope(self) -> str:
        """The name of this run among the slots."""
        return f"{self.address.lower()}|{self.zone}"

    @property
    def names(self) -> frozenset[str]:
        """The tenants this run speaks about."""
        return frozenset(tenant.name for tenant in self.tenants)

    def key(self, now: datetime) -> str:
        """The name of this run on the local date of `now`."""
        return f"{self.scope}|{now.astimezone(ZoneInfo(self.zone)).date()}"

    def slot(self, now: datetime) -> datetime | None:
        """Today's slot (UTC) once it is due at `now` (rule 1); none on a day off."""
        slot = latest_daily(now, time(self.send_hour), ZoneInfo(self.zone))
        return None if slot is None or self._is_off(slot) else slot

    def has_come(self, now: datetime) -> bool:
        """Whether today's hour has come, on a day off too."""
        return latest_daily(now, time(self.send_hour), ZoneInfo(self.zone)) is not None

    def next_slot(self, now: datetime) -> datetime:
        """The first slot (UTC) after `now`."""
        slot = self._next_day(now)
        while self._is_off(slot):
            slot = self._next_day(slot)
        return slot

    def ahead(self, now: datetime) -> datetime:
        """Until when a run at `now` has to speak: the last slot before the next one that is on a
        day off, else `now` itself."""
        last, slot = now, self._next_day(now)
        while self._is_off(slot):
            last, slot = slot, self._next_day(slot)
        return last

    def _next_day(self, now: datetime) -> datetime:
        return next_daily(now, time(self.send_hour), ZoneInfo(self.zone))

    def _is_off(self, slot: datetime) -> bool:
        day = slot.astimezone(ZoneInfo(self.zone)).weekday()
        return bool(self.working_days) and day not in self.working_days

    def about(self, only: str | None) -> RecipientRun:
        """The same run about one tenant alone; about all where `only` is None."""
        chosen = tuple(tenant for tenant in self.tenants if only in (None, tenant.name))
        return replace(self, tenants=chosen)

    def urgent(self, now: datetime) -> RecipientRun:
        """The same run about the tenants whose urgent stages do not wait, those in shadow left out.

        The welcome that speaks of them goes at the hour.
        """
        chosen = [t for t in self.tenants if t.name in self.at_once and not t.in_shadow(now)]
        return replace(self, tenants=tuple(chosen))

    def without(self, names: Collection[str]) -> RecipientRun:
        """The same run about the other tenants."""
        return replace(self, tenants=tuple(t for t in self.tenants if t.name not in names))


def defaults(tenant: Tenant, audience: Audience) -> list[Listener]:
    """Who is told about a tenant where no rule says otherwise: its recipients, else the operator's.

    One who is listed twice has two entries.
    """
    if tenant.recipients:
        return [listener(one, tenant, audience) for one in tenant.recipients]
    return [listener(one, None, audience) for one in audience.recipients]


def listener(recipient: Recipient, tenant: Tenant | None, audience: Audience) -> Listener:
    """A recipient with its wishes, in the zone and at the hour of the tenant (None: the operator's)
    where it has none of its own."""
    told = audience.policy.wishes(recipient)
    place = tenant or audience
    hour = place.send_hour if told.send_hour is None else told.send_hour
    return Listener(told, told.time_zone or place.time_zone, hour)


def recipient_runs(
    tenants: Iterable[Tenant],
    audience: Audience,
    possible: Callable[[Tenant], Iterable[Listener]] | None = None,
) -> list[RecipientRun]:
    """Who has to be asked about daily: one address with two zones has two runs.

    Paused and pending tenants are silent. Where one address has several hours in one zone, its
    digest goes at the earliest: a warning may come too early, but not too late.

    Args:
        tenants: all of them.
        audience: the operator.
        possible: who may be told about a tenant; where there are no rules, `defaults`.
    """
    found: dict[tuple[str, str], list[tuple[Tenant, Listener]]] = {}
    for tenant in tenants:
        if tenant.active:
            for one in possible(tenant) if possible else defaults(tenant, audience):
                key = (one.recipient.address.lower(), one.zone)
                found.setdefault(key, []).append((tenant, one))
    return [_run(members) for _, members in sorted(found.items(), key=lambda item: item[0])]


def _run(members: Sequence[tuple[Tenant, Listener]]) -> RecipientRun:
    """The run of one address in one zone; where two entries differ, the one that tells sooner."""
    wishes: dict[str, list[Recipient]] = {}
    for tenant, one in members:
        wishes.setdefault(tenant.name, []).append(one.recipient)
    tenants = {tenant.name: tenant for tenant, _ in members}
    days = [one.recipient.working_days for _, one in members]

    def who(fits: Callable[[Recipient], bool]) -> frozenset[str]:
        return frozenset(name for name, all_ in wishes.items() if any(map(fits, all_)))

    tickets = who(lambda one: one.mode == "ticket")
    return RecipientRun(
        members[0][1].recipient.address,
        members[0][1].zone,
        min(one.hour for _, one in members),
        tuple(_with_stages(tenant, wishes[name]) for name, tenant in tenants.items()),
        working_days=() if () in days else tuple(sorted({day for each in days for day in each})),
        alone=tickets | who(lambda one: one.mode == "single"),
        tickets=tickets,
        at_once=who(lambda one: one.at_once),
    )


def _with_stages(tenant: Tenant, wishes: Sequence[Recipient]) -> Tenant:
    """The tenant with the stages of this recipient, all of them where it has two entries."""
    if all(one.stages is None for one in wishes):
        return tenant
    stages = {
        day for one in wishes for day in (tenant.thresholds if one.stages is None else one.stages)
    }
    return replace(tenant, thresholds=tuple(sorted(stages, reverse=True)))


def facts_are_in(
    run: RecipientRun,
    slot: datetime,
    *,
    health: Mapping[str, TenantHealth],
    known_since: Mapping[str, datetime],
    started_at: datetime,
    scan_every: timedelta,
    now: datetime,
) -> bool:
    """Whether a run that is due need not wait for scans any longer.

    After a start, a run that is made up waits for the first scans, so that nobody is warned about
    what was renewed meanwhile; and a tenant that was never tried is waited for, so that its first
    day is not lost. No run waits longer than `PATIENCE`.

    Args:
        run: which run.
        slot: its slot (UTC) that is due.
        health: what is known of each tenant, by name.
        known_since: when each tenant's entry last changed, by name.
        started_at: when this process started.
        scan_every: how old an attempt may be after a start.
        now: the current instant.
    """

    def waits_for(name: str) -> bool:
        known = health.get(name)
        attempt = known.last_attempt if known else None
        since = max(slot, started_at, known_since.get(name, slot))
        if now - since > PATIENCE:
            return False
        if attempt is None:
            return True
        return now - started_at <= PATIENCE and now - attempt >= scan_every

    return not any(waits_for(name) for name in run.names)


def strays(
    waiting: Iterable[WaitingMail],
    runs: Iterable[RecipientRun],
    tenants: Sequence[Tenant],
    audience: Audience,
    *,
    now: datetime,
) -> list[WaitingMail]:
    """The waiting mails that would not be written today, by what the roster says.

    Those that name a tenant nobody may speak of any more; digests whose recipient has no run
    that covers what they speak of; alarms to somebody who is told of alarms no longer; and a
    welcome that promises a silence which is over. That something is over is still said to whoever
    heard of it, and what may have been accepted is not said in other words.

    Args:
        waiting: mails that no server accepted.
        runs: the daily runs there are now.
        tenants: all tenants, paused and pending ones too.
        audience: the operator.
        now: the instant, aware UTC.
    """
    live = {tenant.name for tenant in tenants if not tenant.in_shadow(now)}
    known = {tenant.name for tenant in tenants}
    names: dict[tuple[str, bool], list[frozenset[str]]] = {}
    for run in runs:
        names.setdefault((run.address.casefold(), False), []).append(run.names - run.ends)
        names.setdefault((run.address.casefold(), True), []).append(run.names)
    alarmed = {OPERATOR: _addresses(audience.recipients)}
    for tenant in tenants:
        if tenant.active:
            alarmed[tenant.name] = _addresses(audience.recipients or tenant.recipients)

    def is_stray(mail: WaitingMail) -> bool:
        about, who = set(mail.tenants), mail.recipient.casefold()
        # A report tells of paused and pending tenants, too.
        if not about <= (known if mail.kind is MailKind.REPORT else set(alarmed)):
            return True
        if mail.kind is MailKind.REPORT:
            return who not in alarmed[OPERATOR]
        if mail.kind is MailKind.WELCOME and not mail.possible_duplicate and about & live:
            return True
        if mail.digest:
            return not any(about <= run for run in names.get((who, mail.kind in CLOSINGS), ()))
        return mail.kind in _TOLD_AT_ONCE and not any(who in alarmed[name] for name in about)

    return [mail for mail in waiting if is_stray(mail)]


def spoken_for(waiting: Iterable[WaitingMail], run: RecipientRun) -> set[str]:
    """The tenants of a run that a waiting digest of its recipient speaks of beside others.

    Such a digest stays as it is (it is another run's), so this run leaves these tenants out.
    """
    mine = [
        set(mail.tenants)
        for mail in waiting
        if mail.digest
        and mail.state is OutboxState.PENDING
        and mail.recipient.casefold() == run.address.casefold()
    ]
    return {name for about in mine if not about <= run.names for name in about}


def _addresses(recipients: Iterable[Recipient]) -> set[str]:
    return {recipient.address.casefold() for recipient in recipients}
