"""Who is asked about daily, when, and whether enough is known to ask now. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.model import (
    DEFAULT_SCAN_INTERVAL,
    OPERATOR,
    MailKind,
    OutboxState,
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
    """The operator, as far as mails care: who gets alarms, where and when, and what is stale."""

    recipients: tuple[Recipient, ...] = ()
    time_zone: str = "UTC"
    send_hour: int = 8
    scan_every: timedelta = DEFAULT_SCAN_INTERVAL


@dataclass(frozen=True, slots=True)
class RecipientRun:
    """One daily run: everything one address is told in one zone, at one local hour."""

    address: str
    zone: str
    send_hour: int
    tenants: tuple[Tenant, ...]

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
        """Today's slot (UTC) once it is due at `now` (rule 1)."""
        return latest_daily(now, time(self.send_hour), ZoneInfo(self.zone))

    def next_slot(self, now: datetime) -> datetime:
        """The first slot (UTC) after `now`."""
        return next_daily(now, time(self.send_hour), ZoneInfo(self.zone))

    def about(self, only: str | None) -> RecipientRun:
        """The same run about one tenant alone; about all where `only` is None."""
        chosen = tuple(tenant for tenant in self.tenants if only in (None, tenant.name))
        return replace(self, tenants=chosen)

    def without(self, names: Collection[str]) -> RecipientRun:
        """The same run about the other tenants."""
        return replace(self, tenants=tuple(t for t in self.tenants if t.name not in names))


def recipient_runs(tenants: Iterable[Tenant], audience: Audience) -> list[RecipientRun]:
    """Who has to be asked about daily: one address with two zones has two runs.

    Paused and pending tenants are silent. Where one address has several hours in one zone, its
    digest goes at the earliest: a warning may come too early, but not too late.
    """
    found: dict[tuple[str, str], tuple[str, list[int], list[Tenant]]] = {}
    for tenant in tenants:
        if not tenant.active:
            continue
        for recipient in tenant.recipients or audience.recipients:
            zone, hour = _zone_and_hour(recipient, tenant, audience)
            key = (recipient.address.lower(), zone)
            _, hours, members = found.setdefault(key, (recipient.address, [], []))
            hours.append(hour)
            members.append(tenant)
    return [
        RecipientRun(address, zone, min(hours), tuple(dict.fromkeys(members)))
        for (_, zone), (address, hours, members) in sorted(found.items())
    ]


def _zone_and_hour(recipient: Recipient, tenant: Tenant, audience: Audience) -> tuple[str, int]:
    if tenant.recipients:
        zone, hour = tenant.time_zone, tenant.send_hour
    else:
        zone, hour = audience.time_zone, audience.send_hour
    own_hour = recipient.send_hour
    return recipient.time_zone or zone, hour if own_hour is None else own_hour


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
    names: dict[str, list[frozenset[str]]] = {}
    for run in runs:
        names.setdefault(run.address.casefold(), []).append(run.names)
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
            return not any(about <= run for run in names.get(who, ()))
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
