"""What a perfect reader would find in the world, and whom it must tell on its first run.

Independent of the product on purpose: it computes from the world's truth, by the written rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .reach import OPERATOR, ExpectedCanary, canaries_of, over, readable, senders_of
from .usage import READERS
from .world import App, Operator, ServicePrincipal, Tenant, World


class ExpectedCredential(NamedTuple):
    """One credential, as the status report must show it."""

    tenant: str
    object_type: str
    object_id: str
    kind: str
    key_id: str
    state: str
    days_left: int | None


class ExpectedMail(NamedTuple):
    """One mail. A digest of several tenants names them all, sorted, with commas."""

    kind: str
    to: str
    tenant: str
    stage: str | None


@dataclass(frozen=True, slots=True)
class Expected:
    """The oracle's answer. `aliases`: key id -> all key ids that mean the same credential."""

    tenants: dict[str, str]
    credentials: list[ExpectedCredential]
    canaries: dict[str, ExpectedCanary]
    mails: list[ExpectedMail]
    aliases: dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Item:
    """A credential of the world on its object, in one shape for all kinds."""

    object_type: str
    object_id: str
    kind: str
    key_ids: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    active: bool | None  # of SAML certificates: whether it is the active one; None: unknown
    managed: bool
    own: bool


def expect(world: World, now: datetime) -> Expected:
    """Everything a first complete run must show and send."""
    tenants = {t.name: "ok" if readable(t, world, now) else "unknown" for t in world.tenants}
    credentials: list[ExpectedCredential] = []
    aliases: dict[str, frozenset[str]] = {}
    for tenant in world.tenants:
        if tenants[tenant.name] != "ok":
            continue
        for item, _, state in _judged(tenant, now):
            left = _days_between(now, item.end, tenant.zone) if item.end else None
            credentials.append(
                ExpectedCredential(
                    tenant.name,
                    item.object_type,
                    item.object_id,
                    item.kind,
                    item.key_ids[0],
                    state,
                    left,
                )
            )
            aliases |= {key_id: frozenset(item.key_ids) for key_id in item.key_ids}
    canaries = canaries_of(world, now)
    mails = _mails(world, now, tenants, canaries)
    return Expected(tenants, sorted(credentials, key=str), canaries, mails, aliases)


def _judged(tenant: Tenant, now: datetime) -> Iterator[tuple[_Item, list[_Item], str]]:
    """Every credential, what is on the same object, and its state."""
    for group in _items_by_object(tenant):
        for item in group:
            yield item, group, _state(item, group, tenant, now)


def _items_by_object(tenant: Tenant) -> Iterator[list[_Item]]:
    own = {s.key_id for s in (tenant.monitor, tenant.sender and tenant.sender.sign_in) if s}
    for app in tenant.apps:
        yield _items(app, "application", own)
    for principal in tenant.principals:
        yield _items(principal, "service_principal", own) + _saml_items(principal)
    for kept in tenant.dates:
        mark = f"item-{hashlib.sha256(kept.name.encode()).hexdigest()[:12]}"
        yield [_Item("item", mark, "item", (mark,), None, kept.end, None, False, False)]


def _uses_are_told(tenant: Tenant) -> bool:
    """Whether Lapsewatch's app may read the report of sign-ins here."""
    principal = tenant.principal(tenant.monitor.client_id) if tenant.monitor else None
    roles = set(principal.graph_roles) if principal else set()
    return tenant.has_reports and tenant.premium and bool(roles & READERS)


def _still_used(tenant: Tenant, item: _Item, group: list[_Item], now: datetime) -> bool:
    """Whether something signs in with an old one although a newer one has been there for days."""
    habit = tenant.sign_ins.get(item.key_ids[0])
    if habit is None or not _uses_are_told(tenant) or item.kind not in ("secret", "certificate"):
        return False
    used = now - habit if isinstance(habit, timedelta) else habit
    newest = max(
        (o for o in group if o.kind == item.kind and not over(o.end, now) and o.start
         and o.start <= now),
        key=lambda o: (o.end is None, o.end or now), default=None,
    )  # fmt: skip
    if newest is None or newest.start is None or now - newest.start < timedelta(days=2):
        return False
    return used > newest.start + timedelta(days=1) and now - used <= timedelta(days=31)


def _items(holder: App | ServicePrincipal, object_type: str, own: set[str]) -> list[_Item]:
    managed = isinstance(holder, ServicePrincipal) and holder.type == "ManagedIdentity"
    place = (object_type, holder.object_id)
    found = [
        _Item(*place, "secret", (s.key_id,), s.start, s.end, None, managed, s.key_id in own)
        for s in holder.secrets
    ]
    for c in holder.certificates:
        # Of a pair, the Verify key stands for the certificate: Entra checks sign-ins with it.
        keys = (c.key_id, c.twin_key_id) if c.twin_key_id else (c.key_id,)
        is_own = c.key_id in own
        found.append(_Item(*place, c.kind, keys, c.start, c.end, None, managed, is_own))
    return found


def _saml_items(principal: ServicePrincipal) -> list[_Item]:
    preferred = principal.preferred_thumbprint
    return [
        _Item(
            "service_principal",
            principal.object_id,
            "saml_signing",
            (saml.sign_key_id, saml.verify_key_id),
            saml.start,
            saml.end,
            None if preferred is None else saml.thumbprint == preferred,
            managed=False,
            own=False,
        )
        for saml in principal.saml
    ]


def _state(item: _Item, group: list[_Item], tenant: Tenant, now: datetime) -> str:
    if _superseded(item, group, now):
        return "superseded"
    if item.end is None:
        return "ok"
    if item.end <= now:
        return "lapsed"
    left = _days_between(now, item.end, tenant.zone)
    limits = (("critical", 7), ("warning", 30), ("upcoming", max(tenant.thresholds, default=-1)))
    return next((name for name, limit in limits if left <= limit), "ok")


def _superseded(item: _Item, group: list[_Item], now: datetime) -> bool:
    """Whether a valid credential of the same kind on the same object ends later."""
    if item.own or item.end is None:
        return False
    if item.kind == "saml_signing" and item.active is not False:
        return False
    for other in group:
        if other is item or other.kind != item.kind or over(other.end, now):
            continue
        if other.start is not None and other.start > now:
            continue
        if item.kind == "saml_signing" and not other.active:
            continue
        if other.end is None or other.end > item.end:
            return True
    return False


def _days_between(now: datetime, end: datetime, zone: str) -> int:
    return (_local_date(end, zone) - _local_date(now, zone)).days


def _local_date(instant: datetime, zone: str) -> date:
    try:
        return instant.astimezone(ZoneInfo(zone)).date()
    except OverflowError:  # the last hours of the year 9999, east of Greenwich
        return instant.date()


@dataclass(frozen=True, slots=True)
class _Digest:
    """What one tenant has to say: the kind of mail and the most urgent stage."""

    kind: str
    stage: str | None


def _mails(
    world: World, now: datetime, tenants: dict[str, str], canaries: dict[str, ExpectedCanary]
) -> list[ExpectedMail]:
    """Everything that can be sent at all; what has no path left waits, and is not here."""
    operator = world.operator
    alarm = _operator_path(operator, canaries)
    mails: list[ExpectedMail] = []
    shared: dict[str, dict[str, _Digest]] = {}  # recipient -> tenant -> digest
    for tenant in world.tenants:
        name = tenant.name
        works = name in canaries and canaries[name].result == "ok"
        if tenants[name] != "ok":
            if operator and alarm:
                mails += [
                    ExpectedMail("cannot_check", to, name, None) for to in operator.recipients
                ]
            elif not operator and works:
                mails += [ExpectedMail("cannot_check", to, name, None) for to in tenant.recipients]
            continue
        digest = _digest(tenant, now)
        if digest is None:
            continue
        for to in tenant.recipients:
            if works:
                mails.append(ExpectedMail(digest.kind, to, name, digest.stage))
            elif alarm:
                shared.setdefault(to, {})[name] = digest
    mails += [_joined(to, parts) for to, parts in shared.items()]
    mails += _canary_mails(world, canaries, alarm)
    return sorted(mails, key=str)


def _operator_path(operator: Operator | None, canaries: dict[str, ExpectedCanary]) -> bool:
    if operator is None:
        return False
    if operator.relay is not None:
        return True
    return OPERATOR in canaries and canaries[OPERATOR].result == "ok"


def _digest(tenant: Tenant, now: datetime) -> _Digest | None:
    """The tenant's digest of a first run: each recipient gets the same."""
    lapsed, stages, covered = False, [], False
    for item, group, state in _judged(tenant, now):
        if item.managed or item.end is None:
            continue
        left = _days_between(now, item.end, tenant.zone)
        near = [t for t in tenant.thresholds if left <= t <= 14]
        if state == "superseded":
            if item.end > now and near and _still_used(tenant, item, group, now):
                stages.append(min(near))
            else:
                covered = covered or (item.end > now and 0 <= left <= 7)
        elif state == "lapsed":
            lapsed = True
        else:
            stages += [t for t in tenant.thresholds if left <= t][-1:]
    if lapsed:
        return _Digest("lapsed", "L0")
    if stages:
        return _Digest("reminder", str(min(stages)))
    return _Digest("covered", None) if covered else None


def _joined(to: str, parts: dict[str, _Digest]) -> ExpectedMail:
    """The operator's path puts the tenants of one recipient into one digest."""
    order = ("lapsed", "reminder", "covered")
    worst = min(
        parts.values(),
        key=lambda d: (order.index(d.kind), int(d.stage or 0) if d.kind == "reminder" else 0),
    )
    return ExpectedMail(worst.kind, to, ", ".join(sorted(parts)), worst.stage)


def _canary_mails(
    world: World, canaries: dict[str, ExpectedCanary], alarm: bool
) -> list[ExpectedMail]:
    """A working sender's own mail, or the alarm by the operator's path."""
    mails: list[ExpectedMail] = []
    for name, _, sender in senders_of(world):
        if canaries[name].result == "ok":
            to_all = sender.canary_to or (sender.mailbox,)
            mails += [ExpectedMail("canary", to, name, None) for to in to_all]
        elif world.operator and alarm and name != OPERATOR:
            to_all = world.operator.recipients
            mails += [ExpectedMail("canary_failed", to, name, None) for to in to_all]
    return mails
