"""What the daily runs are going to say to whom, if nothing changes in the directories. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import merge
from zoneinfo import ZoneInfo

from monitor.decide import Key, Told, decide_run
from monitor.model import Credential, Forbid, MailKind, Notice, Snooze, Stage, Tenant
from monitor.recipients import RecipientRun
from monitor.turns import forbidden_by, heard

_WELCOMED = (MailKind.REMINDER, MailKind.LAPSED, MailKind.COVERED)  # what a welcome carries
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
        forbids: the rules about what should not be there.
    """

    runs: Sequence[RecipientRun]
    credentials: Mapping[str, Sequence[Credential]]
    told: Mapping[str, Mapping[Key, Told]]
    snoozes: Mapping[Key, Snooze]
    done: Mapping[str, datetime]
    forbids: Sequence[Forbid] = ()

    def live(self) -> Outlook:
        """The same, as if every shadow ended now."""
        shown = [
            replace(run, tenants=tuple(replace(one, shadow_until=None) for one in run.tenants))
            for run in self.runs
        ]
        return replace(self, runs=shown)


@dataclass(frozen=True, slots=True)
class Coming:
    """One notice to come. `kind` is its own, or `welcome` where that mail carries it."""

    at: datetime
    to: str
    kind: MailKind
    stage: Stage
    tenant: str
    credential: Credential


def forecast(known: Outlook, *, now: datetime, until: datetime) -> list[Coming]:
    """Return what the runs from `now` to `until` (aware UTC, both included) are going to say.

    Each run decides as the real one does; what it would send counts as told for the next. A run
    of today that is due and not done yet is made up at once.
    """
    told: dict[str, dict[Key, Told]] = {}
    for run in known.runs:
        told.setdefault(run.address.casefold(), {}).update(known.told.get(run.scope, {}))
    near = {
        tenant.name: _near(known, tenant, until) for run in known.runs for tenant in run.tenants
    }
    found = []
    for at, number in _in_order(known, now, until):
        run = known.runs[number]
        ledger = told[run.address.casefold()]
        for tenant, notice in _said(run, near, ledger, known, at):
            shaded = tenant.in_shadow(at) and notice.kind in _WELCOMED
            kind = MailKind.WELCOME if shaded else notice.kind
            one = notice.credential
            found.append(Coming(at, run.address, kind, notice.stage, tenant.name, one))
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
) -> list[tuple[Tenant, Notice]]:
    """The notices of one run, each with its tenant."""
    tenants = {tenant.name: tenant for tenant in run.tenants}
    decided = decide_run(
        run.tenants, credentials, zone=ZoneInfo(run.zone), told=told, snoozes=known.snoozes, now=at,
        forbids=known.forbids,
    )  # fmt: skip
    return [
        (tenants[name], one.notice)
        for name, decisions in decided.items()
        for one in decisions
        if one.notice is not None
    ]


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


def _near(known: Outlook, tenant: Tenant, until: datetime) -> list[Credential]:
    """Those that can come up until then, and what may stand in for them.

    Most end years ahead. To step them through each day would cost minutes where many customers
    are watched.
    """
    last = until + timedelta(days=max(tenant.thresholds, default=0)) + _CLOCKS
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
