"""What was decided becomes rows of the outbox: who is told, by which path, in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from monitor.decide import Decision, Reason, as_told, decide_run, tenant_state
from monitor.lifecycle import has_lapsed, successors
from monitor.model import (
    Credential,
    Mail,
    MailKind,
    NoticeKey,
    OutboxMail,
    Snooze,
    Tenant,
    TenantHealth,
    TenantState,
)
from monitor.recipients import Audience, RecipientRun
from monitor.render import DigestItem, Renderer
from monitor.routes import NO_PATH, Paths, choose
from monitor.routing import RunRules, ticket

SnoozeKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for all daily runs of one tick."""

    tenants: Sequence[Tenant]
    runs: Sequence[RecipientRun]
    senders: set[str]  # scopes of all senders there are
    known_since: Mapping[str, datetime]
    health: Mapping[str, TenantHealth]
    snoozes: Mapping[SnoozeKey, Snooze]
    paths: Paths


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the store knows that a digest needs, for all tenants of one run."""

    credentials: Mapping[str, Sequence[Credential]]
    health: Mapping[str, TenantHealth]
    told: Mapping[SnoozeKey, tuple[int | None, bool]]
    snoozes: Mapping[SnoozeKey, Snooze]


@dataclass(frozen=True, slots=True)
class _Digest:
    """What one digest is made of: a run's tenants on one sending path."""

    run: RecipientRun
    path: str
    tenants: Sequence[Tenant]
    decisions: Mapping[str, Sequence[Decision]]
    known: Knowledge
    now: datetime
    welcome: bool
    only: Decision | None = None  # of a mail about one credential alone

    @property
    def token(self) -> str:
        """What tells a ticket's mails by, where this is one."""
        alone = self.only is not None and self.tenants[0].name in self.run.tickets
        return ticket(self.only.credential) if alone and self.only else ""

    @property
    def ignored(self) -> int:
        """How many credentials of its tenants a rule keeps quiet."""
        made = (one for tenant in self.tenants for one in self.decisions[tenant.name])
        return sum(one.reason is Reason.IGNORED for one in made)

    @property
    def items(self) -> list[DigestItem]:
        """The notices, each with its tenant."""
        return [
            DigestItem(tenant, decision.notice)
            for tenant in self.tenants
            for decision in self.decisions[tenant.name]
            if decision.notice is not None and self.only in (None, decision)
        ]


class Composer:
    """Writes the digests of daily runs.

    Args:
        renderer: makes the words.
        audience: the operator: who gets alarms, in which zone, how old facts may be.
    """

    def __init__(self, *, renderer: Renderer, audience: Audience) -> None:
        self._renderer = renderer
        self._audience = audience

    def digests(
        self,
        run: RecipientRun,
        known: Knowledge,
        paths: Paths,
        now: datetime,
        rules: RunRules = RunRules(),  # noqa: B008 (it never changes)
    ) -> tuple[list[OutboxMail], list[Decision]]:
        """The digests of a run that have something to say, and every decision made.

        One per sending path, and one more for its tenants in shadow, as a `welcome`. Where the
        recipient wishes that, one mail for each credential.
        """
        decisions = decide_run(
            run.tenants,
            known.credentials,
            zone=ZoneInfo(run.zone),
            told=as_told(known.told),
            snoozes=known.snoozes,
            now=now,
            stage_of=rules.stage_of,
            mask=rules.mask,
        )
        speaks = _speakers(run.tenants, decisions, now)
        mails = [
            self._write(digest, paths)
            for path, welcome, tenants in _by_path(speaks, paths, now)
            for digest in _split(_Digest(run, path, tenants, decisions, known, now, welcome))
        ]
        said = [decision for found in decisions.values() for decision in found]
        return [mail for mail in mails if mail is not None], said

    def _write(self, digest: _Digest, paths: Paths) -> OutboxMail | None:
        run, now, items = digest.run, digest.now, digest.items
        if not items:
            return None
        said = {(item.tenant.name, item.notice.credential.uid) for item in items}
        lapsed, covered = ([], []) if digest.only else _also_worth_saying(
            digest.tenants, digest.decisions, said, now
        )  # fmt: skip
        blind = self._blind(digest.tenants, digest.known.health, now)
        mail = self._renderer.digest(
            items,
            recipient=run.address,
            zone=ZoneInfo(run.zone),
            now=now,
            as_of=_as_of(digest.known.health),
            covered=covered,
            still_lapsed=lapsed,
            blind=blind,
            next_run=run.next_slot(now),
            welcome=digest.welcome,
            ignored=digest.ignored,
            working_days=run.working_days,
            token=digest.token,
        )
        named = {name for name, _ in said}
        named |= {tenant.name for tenant, _ in (*lapsed, *blind)}
        named |= {tenant.name for tenant, _, _ in covered}
        return outbox_row(
            mail,
            run.address,
            tuple(tenant.name for tenant in digest.tenants if tenant.name in named),
            digest.path,
            now,
            domain=paths.domain(digest.path),
            notices=tuple(_notice_key(item, run.address) for item in items),
            run_key=run.key(now),
        )

    def _blind(
        self, tenants: Sequence[Tenant], health: Mapping[str, TenantHealth], now: datetime
    ) -> list[tuple[Tenant, TenantHealth]]:
        found = []
        for tenant in tenants:
            known = health.get(tenant.name)
            state = tenant_state(tenant, known, self._audience.scan_every, now)
            if known is not None and state in (TenantState.STALE, TenantState.UNKNOWN):
                found.append((tenant, known))
        return found


def _speakers(
    tenants: Sequence[Tenant], decisions: Mapping[str, Sequence[Decision]], now: datetime
) -> list[Tenant]:
    """The tenants that a digest may name.

    Of one in shadow nothing is said beside its welcome, and who is told of nothing in a tenant
    does not read its name.
    """
    return [tenant for tenant in tenants if _is_named(tenant, decisions[tenant.name], now)]


def _is_named(tenant: Tenant, decisions: Sequence[Decision], now: datetime) -> bool:
    if any(one.notice for one in decisions):
        return True
    elsewhere = any(one.reason is Reason.NOT_ROUTED for one in decisions)
    return not (tenant.in_shadow(now) or elsewhere)


def _split(digest: _Digest) -> list[_Digest]:
    """One digest, and one mail for each credential of the tenants for which that is wished."""
    apart = [tenant for tenant in digest.tenants if tenant.name in digest.run.alone]
    if not apart or digest.welcome:
        return [digest]
    rest = [tenant for tenant in digest.tenants if tenant not in apart]
    return [
        *([replace(digest, tenants=rest)] if rest else []),
        *(
            replace(digest, tenants=[tenant], only=one)
            for tenant in apart
            for one in digest.decisions[tenant.name]
            if one.notice is not None
        ),
    ]


def _by_path(
    tenants: Sequence[Tenant], paths: Paths, now: datetime
) -> list[tuple[str, bool, list[Tenant]]]:
    """Which tenants share a digest, by which path, and whether it is a `welcome`.

    Where there is no path, none do: each may get its own one.
    """
    found: dict[tuple[str, bool, str], list[Tenant]] = {}
    for tenant in tenants:
        path = choose(MailKind.REMINDER, [tenant.name], paths)
        alone = tenant.name if path == NO_PATH else ""
        found.setdefault((path, tenant.in_shadow(now), alone), []).append(tenant)
    return [(path, welcome, members) for (path, welcome, _), members in found.items()]


def _as_of(health: Mapping[str, TenantHealth]) -> dict[str, datetime]:
    return {name: known.facts_at for name, known in health.items() if known.facts_at is not None}


def _notice_key(item: DigestItem, recipient: str) -> NoticeKey:
    notice = item.notice
    return NoticeKey(
        tenant=item.tenant.name,
        uid=notice.credential.uid,
        life=notice.credential.life,
        recipient=recipient,
        stage=str(notice.stage),
        level=notice.level,
        kind=notice.kind,
    )


def outbox_row(
    mail: Mail,
    recipient: str,
    tenants: tuple[str, ...],
    path: str,
    now: datetime,
    *,
    domain: str,
    notices: tuple[NoticeKey, ...] = (),
    scope: str | None = None,
    run_key: str | None = None,
) -> OutboxMail:
    """A row for the outbox: here Message-ID and Date are fixed, once for all copies."""
    row_id = uuid4().hex
    return OutboxMail(
        id=row_id,
        mail=mail,
        recipient=recipient,
        tenants=tenants,
        path=path,
        message_id=f"<{row_id}@{domain}>",
        date=now.replace(microsecond=0),
        notices=notices,
        scope=scope,
        run_key=run_key,
    )


def _also_worth_saying(
    tenants: Sequence[Tenant],
    decisions: Mapping[str, Sequence[Decision]],
    said: set[tuple[str, str]],
    now: datetime,
) -> tuple[list[tuple[Tenant, Credential]], list[tuple[Tenant, Credential, Credential]]]:
    """What a digest repeats without a notice: the long lapsed, and what a newer one covers."""
    lapsed: list[tuple[Tenant, Credential]] = []
    covered: list[tuple[Tenant, Credential, Credential]] = []
    for tenant in tenants:
        present = [
            decision.credential
            for decision in decisions[tenant.name]
            if decision.credential.removed_at is None and not decision.credential.managed_identity
        ]
        newer = successors(present, now)
        silent = {
            decision.credential.uid
            for decision in decisions[tenant.name]
            if decision.silenced or decision.withheld
        }
        for credential in present:
            if (tenant.name, credential.uid) in said or credential.uid in silent:
                continue
            successor = newer.get((credential.tenant, credential.uid))
            if successor is not None:
                covered.append((tenant, credential, successor))
            elif credential.end is not None and has_lapsed(credential.end, now):
                lapsed.append((tenant, credential))
    return lapsed, covered
