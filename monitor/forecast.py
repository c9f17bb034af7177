"""What the daily runs are going to say to whom, if nothing changes in the directories. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import merge
from zoneinfo import ZoneInfo

from monitor.decide import Key, Told, decide_run
from monitor.model import (
    DEFAULT_SCAN_INTERVAL,
    Credential,
    Forbid,
    MailKind,
    Notice,
    Snooze,
    Stage,
    Tenant,
)
from monitor.recipients import RecipientRun
from monitor.routing import Router, rules_of
from monitor.turns import forbidden_by, heard

_WELCOMED = (MailKind.REMINDER, MailKind.LAPSED, MailKind.COVERED)  # what a welcome carries
_CLOCKS = timedelta(days=8)  # a local date may be off by one, and a run speaks for days off


@dataclass(frozen=True, slots=True)
class Outlook:
    """All that the future runs depend on.

    Args:
        runs: the daily runs there are now.
        credentials: of each tenant that they speak about.
        told: what each run's recipient was told, by the run's scope.
        snoozes: what stands for all recipients.
        done: the slot (UTC) of each run that was done last, by the run's scope.
        forbids: the rules about what should not be there.
        router: the operator's rules; None without any.
        scanned: as of when each tenant's facts are; what is told at once goes after the scans
            that follow, one each `scan_every`.
        scan_every: the interval of the scans.
    """

    runs: Sequence[RecipientRun]
    credentials: Mapping[str, Sequence[Credential]]
    told: Mapping[str, Mapping[Key, Told]]
    snoozes: Mapping[Key, Snooze]
    done: Mapping[str, datetime]
    forbids: Sequence[Forbid] = ()
    router: Router | None = None
    scanned: Mapping[str, datetime] = field(default_factory=dict)
    scan_every: timedelta = DEFAULT_SCAN_INTERVAL

    def live(self) -> Outlook:
        """The same, as if every shadow ended now."""
        shown = [
            replace(run, tenants=tuple(replace(one, shadow_until=None) for one in run.tenants))
            for run in self.runs
        ]
        return replace(self, runs=shown)


@dataclass(frozen=True, slots=True)
class Coming:
    """One notice to come. `kind` is its own, or `welcome` where that mail carries it.

    `zone` is that of the run which says it; `alone`: it has a mail of its own.
    """

    at: datetime
    to: str
    kind: MailKind
    stage: Stage
    tenant: str
    credential: Credential
    zone: str = ""
    alone: bool = False


def forecast(known: Outlook, *, now: datetime, until: datetime) -> list[Coming]:
    """Return what the runs from `now` to `until` (aware UTC, both included) are going to say.

    Each run decides as the real one does; what it would send counts as told for the next. A run
    of today that is due and not done yet is made up at once.
    """
    told: dict[str, dict[Key, Told]] = {}
    for run in known.runs:
        told.setdefault(run.address.casefold(), {}).update(known.told.get(run.scope, {}))
    near = _near_ones(known, until)
    found = []
    for at, number, urgent in _in_order(known, now, until):
        run = known.runs[number]
        ledger = told[run.address.casefold()]
        for tenant, notice in _said(run, near, ledger, known, at, urgent=urgent):
            shaded = tenant.in_shadow(at) and notice.kind in _WELCOMED
            kind = MailKind.WELCOME if shaded else notice.kind
            one = notice.credential
            alone = tenant.name in run.alone and kind is not MailKind.WELCOME
            found.append(
                Coming(at, run.address, kind, notice.stage, tenant.name, one, run.zone, alone)
            )
            key = (one.tenant, one.uid, one.life)
            ledger[key] = heard(ledger.get(key, Told()), notice)
    return sorted(found, key=_order)


def _order(one: Coming) -> tuple[datetime, str, str, datetime, str]:
    return one.at, one.to, one.tenant, one.credential.end or one.at, one.credential.uid


def _said(
    run: RecipientRun,
    credentials: Mapping[str, Sequence[Credential]],
    told: Mapping[Key, Told],
    known: Outlook,
    at: datetime,
    *,
    urgent: bool,
) -> list[tuple[Tenant, Notice]]:
    """The notices of one run, each with its tenant."""
    if urgent:
        run = run.urgent(at)
    tenants = {tenant.name: tenant for tenant in run.tenants}
    rules = rules_of(run, known.router, at, urgent=urgent)
    decided = decide_run(
        run.tenants, credentials, zone=ZoneInfo(run.zone), told=told, snoozes=known.snoozes,
        now=at, forbids=known.forbids, stage_of=rules.stage_of, mask=rules.mask,
    )  # fmt: skip
    return [
        (tenants[name], one.notice)
        for name, decisions in decided.items()
        for one in decisions
        if one.notice is not None
    ]


def _in_order(
    known: Outlook, now: datetime, until: datetime
) -> Iterator[tuple[datetime, int, bool]]:
    """Every run's instants in the order of time, with the run's number.

    The last says whether it is one after a scan, at which only what is urgent is told.
    """

    def instants(number: int, run: RecipientRun) -> Iterator[tuple[datetime, int, bool]]:
        slot = run.slot(now)
        if slot is not None and known.done.get(run.scope) != slot:
            yield now, number, False
        at = run.next_slot(now)
        while at <= until:
            yield at, number, False
            at = run.next_slot(at)

    def scans(number: int, run: RecipientRun) -> Iterator[tuple[datetime, int, bool]]:
        last = {known.scanned[name] for name in run.at_once if name in known.scanned}
        for at in merge(*(_after_scans(one, known.scan_every, now, until) for one in last)):
            yield at, number, True

    every = [instants(number, run) for number, run in enumerate(known.runs)]
    every += [scans(number, run) for number, run in enumerate(known.runs) if run.at_once]
    # At the same instant the daily run comes first: it says it all.
    return merge(*every, key=lambda one: (one[0], one[2], one[1]))


def _after_scans(
    last: datetime, every: timedelta, now: datetime, until: datetime
) -> Iterator[datetime]:
    """The scans to come of a tenant that was read last then, as far as the interval tells."""
    at = last + every
    while at <= until:
        if at >= now:
            yield at
        at += every


def _near_ones(known: Outlook, until: datetime) -> dict[str, list[Credential]]:
    """Of each tenant those that can come up; who wishes for the earliest stage sets how far."""
    stages: dict[str, int] = {}
    tenants: dict[str, Tenant] = {}
    for run in known.runs:
        for one in run.tenants:
            tenants[one.name] = one
            stages[one.name] = max(0, stages.get(one.name, 0), *one.thresholds)
    return {name: _near(known, tenants[name], days, until) for name, days in stages.items()}


def _near(known: Outlook, tenant: Tenant, days: int, until: datetime) -> list[Credential]:
    """Those that can come up until then, and what may stand in for them.

    Most end years ahead. To step them through each day would cost minutes where many customers
    are watched.
    """
    last = until + timedelta(days=days) + _CLOCKS
    credentials = known.credentials.get(tenant.name, ())
    owed = {
        (name, uid)
        for told in known.told.values()
        for (name, uid, _), one in told.items()
        if one.open and name == tenant.name
    }
    alive = [
        one
        for one in credentials
        if (one.end is not None and one.end <= last)
        or (one.tenant, one.uid) in owed
        or forbidden_by(one, tenant, known.forbids)
    ]
    groups = {(one.object_id, one.kind) for one in alive}
    return [one for one in credentials if (one.object_id, one.kind) in groups]
