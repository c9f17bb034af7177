"""What was decided becomes rows of the outbox: who is told, by which path, in which words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import uuid4
from zoneinfo import ZoneInfo

from monitor.decide import Decision, Reason, decide_run, tenant_state
from monitor.inventory import Notes
from monitor.lifecycle import has_lapsed, successors
from monitor.links import LinkMaker, Offer
from monitor.mail.digests import gravest_first
from monitor.model import (
    CLOSINGS,
    Credential,
    Forbid,
    Mail,
    MailKind,
    NoticeKey,
    OutboxMail,
    Snooze,
    Tenant,
    TenantHealth,
    TenantState,
    Told,
)
from monitor.model.acts import HandOver, Link
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
    notes: Notes = field(default_factory=Notes)
    handed_over: Mapping[SnoozeKey, HandOver] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the store knows that a digest needs, for all tenants of one run."""

    credentials: Mapping[str, Sequence[Credential]]
    health: Mapping[str, TenantHealth]
    told: Mapping[SnoozeKey, Told]
    snoozes: Mapping[SnoozeKey, Snooze]
    notes: Notes = field(default_factory=Notes)
    forbids: Sequence[Forbid] = ()
    handed_over: Mapping[SnoozeKey, HandOver] = field(default_factory=dict)


class Sort(StrEnum):
    """Sorts of digests that are never one mail."""

    DAILY = "daily"
    WELCOME = "welcome"
    ODD = "odd"  # what should not be there: other readers may be asked to act on it


@dataclass(frozen=True, slots=True)
class _Digest:
    """What one digest is made of: a run's tenants on one sending path."""

    run: RecipientRun
    path: str
    tenants: Sequence[Tenant]
    decisions: Mapping[str, Sequence[Decision]]
    known: Knowledge
    now: datetime
    sort: Sort
    only: Decision | None = None  # of a mail about one credential alone

    @property
    def token(self) -> str:
        """What tells a ticket's mails by, where this is one."""
        notice = self.only.notice if self.only else None
        alone = notice is not None and self.tenants[0].name in self.run.tickets
        return ticket(notice.credential) if alone and notice else ""

    @property
    def ignored(self) -> int:
        """How many credentials of its tenants a rule keeps quiet."""
        made = (one for tenant in self.tenants for one in self.decisions[tenant.name])
        return sum(one.reason is Reason.IGNORED for one in made)

    @property
    def items(self) -> list[DigestItem]:
        """The notices, each with its tenant."""
        return [
            DigestItem(
                tenant,
                decision.notice,
                longest=decision.credential.longest,
                note=self.known.notes.of(decision.credential),
            )
            for tenant in self.tenants
            for decision in self.decisions[tenant.name]
            if decision.notice is not None
            and self.only in (None, decision)
            and (decision.notice.kind is MailKind.UNEXPECTED) is (self.sort is Sort.ODD)
        ]

    @property
    def spoken_of(self) -> list[Tenant]:
        """The tenants of which more than the notices may be said."""
        if self.sort is Sort.ODD:
            return []
        held = self.run.ends if self.sort is Sort.WELCOME else _held_back(self.run, self.now)
        return [tenant for tenant in self.tenants if tenant.name not in held]


class Composer:
    """Writes the digests of daily runs.

    Args:
        renderer: makes the words.
        audience: the operator: who gets alarms, in which zone, how old facts may be.
        links: makes the links by which readers act; None: the mails have none.
    """

    def __init__(
        self, *, renderer: Renderer, audience: Audience, links: LinkMaker | None = None
    ) -> None:
        self._renderer = renderer
        self._audience = audience
        self._links = links

    def digests(
        self,
        run: RecipientRun,
        known: Knowledge,
        paths: Paths,
        now: datetime,
        rules: RunRules = RunRules(),  # noqa: B008 (it never changes)
    ) -> tuple[list[OutboxMail], list[Decision]]:
        """The digests of a run that have something to say, and every decision made.

        One per sending path; one more for its tenants in shadow, as a `welcome`, and one for what
        should not be there. Where the recipient wishes that, one mail for each credential.
        """
        decisions = decide_run(
            run.tenants,
            known.credentials,
            zone=ZoneInfo(run.zone),
            told=known.told,
            snoozes=known.snoozes,
            now=now,
            forbids=known.forbids,
            ends=run.ends,
            stage_of=rules.stage_of,
            mask=rules.mask,
        )
        speaks = _speakers(run, decisions, now)
        mails = [
            self._write(digest, paths)
            for path, sort, tenants in _by_path(speaks, paths, run.ends)
            for digest in _split(_Digest(run, path, tenants, decisions, known, now, sort))
        ]
        said = [decision for found in decisions.values() for decision in found]
        return [mail for mail in mails if mail is not None], said

    def _write(self, digest: _Digest, paths: Paths) -> OutboxMail | None:
        run, now, items = digest.run, digest.now, digest.items
        if not items:
            return None
        said = {(item.tenant.name, item.notice.credential.uid) for item in items}
        lapsed, covered = ([], []) if digest.only else _also_worth_saying(
            digest.spoken_of, digest.decisions, said, now
        )  # fmt: skip
        blind = self._blind(digest.spoken_of, digest.known.health, now)
        offer = self._offer(items, run.address, now)
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
            welcome=digest.sort is Sort.WELCOME,
            actions=offer.views,
            handed_over=digest.known.handed_over,
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
            links=offer.shown_in(mail.text),
        )

    def _offer(self, items: Sequence[DigestItem], recipient: str, now: datetime) -> Offer:
        if self._links is None:
            return Offer()
        return self._links.offer(gravest_first(items), recipient, now)

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


def _held_back(run: RecipientRun, now: datetime) -> set[str]:
    """The tenants of a run of which a digest says nothing but what is over."""
    return {tenant.name for tenant in run.tenants if tenant.in_shadow(now)} | run.ends


def _speakers(
    run: RecipientRun, decisions: Mapping[str, Sequence[Decision]], now: datetime
) -> list[tuple[Tenant, Sort]]:
    """The tenants that a digest may name, and in which sort of digest.

    Of one in shadow, or one whose recipient hears only what is over, nothing is said beside that;
    and who is told of nothing in a tenant, because others are, does not read its name.
    """
    held, found = _held_back(run, now), []
    for tenant in run.tenants:
        made = decisions[tenant.name]
        kinds = {one.notice.kind for one in made if one.notice is not None}
        if MailKind.UNEXPECTED in kinds:
            found.append((tenant, Sort.ODD))
        said = kinds - {MailKind.UNEXPECTED}
        if not kinds and any(one.reason is Reason.NOT_ROUTED for one in made):
            continue
        if tenant.name not in held or said & set(CLOSINGS) == said != set():
            found.append((tenant, Sort.DAILY))
        elif said:
            found.append((tenant, Sort.WELCOME))
    return found


def _split(digest: _Digest) -> list[_Digest]:
    """One digest, and one mail for each credential of the tenants for which that is wished."""
    apart = [tenant for tenant in digest.tenants if tenant.name in digest.run.alone]
    if not apart or digest.sort is Sort.WELCOME:
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
    speaks: Sequence[tuple[Tenant, Sort]], paths: Paths, ends: Collection[str]
) -> list[tuple[str, Sort, list[Tenant]]]:
    """Which tenants share a digest, by which path, and of which sort it is.

    Where there is no path, none do: each may get its own one. Nor do those that are the
    recipient's with those in `ends`: a warning that names these is taken back while it waits.
    """
    found: dict[tuple[str, Sort, str, bool], list[Tenant]] = {}
    for tenant, sort in speaks:
        path = choose(MailKind.REMINDER, [tenant.name], paths)
        alone = tenant.name if path == NO_PATH else ""
        found.setdefault((path, sort, alone, tenant.name in ends), []).append(tenant)
    return [(path, sort, members) for (path, sort, *_), members in found.items()]


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
    links: tuple[Link, ...] = (),
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
        links=links,
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
        each = {one.credential.uid: one.credential for one in decisions[tenant.name]}
        present = [
            one for one in each.values() if one.removed_at is None and not one.managed_identity
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
