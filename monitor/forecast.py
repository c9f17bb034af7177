"""What the daily runs are going to say to whom, if nothing changes in the directories. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import merge
from zoneinfo import ZoneInfo

from monitor.decide import Key, Told, decide_run
from monitor.model import Credential, MailKind, Notice, Snooze, Stage, Tenant
from monitor.recipients import RecipientRun

_CLOCKS = timedelta(days=2)  # by how much a local date may be off, and one more


@dataclass(frozen=True, slots=True)
class Outlook:
    """All that the future runs depend on.

    Args:
        runs: the daily runs there are now.
        credentials: of each tenant that they speak about.
        told: what each run's recipient was told, by the run's scope.
        snoozes: what stands for all recipients.
        done: the slot (UTC) of each run that was done last, by the run's scope.
    """

    runs: Sequence[RecipientRun]
    credentials: Mapping[str, Sequence[Credential]]
    told: Mapping[str, Mapping[Key, Told]]
    snoozes: Mapping[Key, Snooze]
    done: Mapping[str, datetime]

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

    `zone` is that of the run which says it.
    """

    at: datetime
    to: str
    kind: MailKind
    stage: Stage
    tenant: str
    credential: Credential
    zone: str = ""


def forecast(known: Outlook, *, now: datetime, until: datetime) -> list[Coming]:
    """Return what the runs from `now` to `until` (aware UTC, both included) are going to say.

    Each run decides as the real one does; what it would send counts as told for the next. A run
    of today that is due and not done yet is made up at once.
    """
    told: dict[str, dict[Key, Told]] = {}
    for run in known.runs:
        told.setdefault(run.address.casefold(), {}).update(known.told.get(run.scope, {}))
    near = {
        tenant.name: _near(known.credentials.get(tenant.name, ()), tenant, until)
        for run in known.runs
        for tenant in run.tenants
    }
    found = []
    for at, number in _in_order(known, now, until):
        run = known.runs[number]
        ledger = told[run.address.casefold()]
        for tenant, notice in _said(run, near, ledger, known.snoozes, at):
            kind = MailKind.WELCOME if tenant.in_shadow(at) else notice.kind
            one = notice.credential
            found.append(Coming(at, run.address, kind, notice.stage, tenant.name, one, run.zone))
            key = (one.tenant, one.uid, one.life)
            ledger[key] = _after(ledger.get(key, Told()), notice)
    return sorted(found, key=_order)


def _order(one: Coming) -> tuple[datetime, str, str, datetime, str]:
    return one.at, one.to, one.tenant, one.credential.end or one.at, one.credential.uid


def _said(
    run: RecipientRun,
    credentials: Mapping[str, Sequence[Credential]],
    told: Mapping[Key, Told],
    snoozes: Mapping[Key, Snooze],
    at: datetime,
) -> list[tuple[Tenant, Notice]]:
    """The notices of one run, each with its tenant."""
    tenants = {tenant.name: tenant for tenant in run.tenants}
    decided = decide_run(
        run.tenants, credentials, zone=ZoneInfo(run.zone), told=told, snoozes=snoozes, now=at
    )
    return [
        (tenants[name], one.notice)
        for name, decisions in decided.items()
        for one in decisions
        if one.notice is not None
    ]


def _after(told: Told, notice: Notice) -> Told:
    """What is told once a server accepted the notice."""
    if notice.kind is MailKind.COVERED:
        return replace(told, covered=True)
    return replace(
        told, level=max(notice.level, notice.level if told.level is None else told.level)
    )


def _in_order(known: Outlook, now: datetime, until: datetime) -> Iterator[tuple[datetime, int]]:
    """Every run's instants in the order of time, with the run's number."""

    def instants(number: int, run: RecipientRun) -> Iterator[tuple[datetime, int]]:
        slot = run.slot(now)
        if slot is not None and known.done.get(run.scope) != slot:
            yield now, number
        at = run.next_slot(now)
        while at <= until:
            yield at, number
            at = run.next_slot(at)

    return merge(*(instants(number, run) for number, run in enumerate(known.runs)))


def _near(credentials: Sequence[Credential], tenant: Tenant, until: datetime) -> list[Credential]:
    """Those that can come up until then, and what may stand in for them.

    Most end years ahead. To step them through each day would cost minutes where many customers
    are watched.
    """
    last = until + timedelta(days=max(tenant.thresholds, default=0)) + _CLOCKS
    alive = [one for one in credentials if one.end is not None and one.end <= last]
    groups = {(one.object_id, one.kind) for one in alive}
    return [one for one in credentials if (one.object_id, one.kind) in groups]
