"""Silence that somebody asks for: which credential is meant, and until when it is quiet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.decide import Key, decide, needs_action
from monitor.errors import UsageError
from monitor.lifecycle import current_stage, has_lapsed, is_silenced, local_date
from monitor.model import Credential, Snooze, Stage, Tenant
from monitor.timetable import daily_instant


@dataclass(frozen=True, slots=True)
class Silence:
    """What stands for a credential now. `new` is False where it stood already.

    `stage` is the one that was acknowledged (None for a snooze), `until` when it is over: the
    instant at which the next stage begins, or the end of the snooze. None: it never is.
    """

    credential: Credential
    snooze: Snooze
    new: bool
    stage: Stage | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for silence, why, and when (aware UTC)."""

    author: str
    reason: str
    now: datetime


def matching(credentials: Iterable[Credential], text: str) -> list[Credential]:
    """Return those that a text names: the key id or the uid, else the start of a key id."""
    wanted, known = text.strip().casefold(), list(credentials)
    exact = [one for one in known if wanted in (one.uid.casefold(), (one.key_id or "").casefold())]
    begun = [one for one in known if (one.key_id or "").casefold().startswith(wanted)]
    return (exact or begun) if wanted else []


def due(credentials: Sequence[Credential], tenant: Tenant, now: datetime) -> list[Credential]:
    """Return what is lapsed or due in a tenant, soonest end first, whoever was told of it."""
    zone = ZoneInfo(tenant.time_zone)
    made = decide(credentials, tenant=tenant, zone=zone, told={}, snoozes={}, now=now)
    return [one.credential for one in made if needs_action(one.notice)]


def acknowledged(
    one: Credential, tenant: Tenant, standing: Mapping[Key, Snooze], asked: Asked
) -> Silence:
    """Return the acknowledgement of a credential at its current stage (rule 7).

    What is silent already stays as it is, so that nobody's longer snooze is cut short.

    Raises:
        UsageError: it is not due, so that there is nothing to acknowledge.
    """
    stage = _stage(one, tenant, asked.now)
    if stage is None:
        raise UsageError(
            f"{named(one)} is not due yet: there is nothing to acknowledge.",
            remedy="To keep it quiet all the same: lapsewatch snooze … --for 30d",
        )
    old = standing.get((one.tenant, one.uid, one.life))
    new = old is None or not is_silenced(old, one, stage, asked.now)
    kept = _snooze(one, asked, acked_urgency=stage.urgency) if new or old is None else old
    if kept.acked_urgency is None:
        return Silence(one, kept, new, None, _over(one, kept))
    reached = Stage(kept.acked_urgency)
    following = next_stage(one, tenant, reached)
    return Silence(one, kept, new, reached, following[1] if following else None)


def snoozed(
    one: Credential,
    standing: Mapping[Key, Snooze],
    asked: Asked,
    until: datetime,
    *,
    past_lapse: bool = False,
) -> Silence:
    """Return the snooze of a credential until an instant (rule 7).

    Args:
        one: the credential.
        standing: what stands by now.
        asked: who asks.
        until: aware UTC.
        past_lapse: silence past the end of the credential is meant.

    Raises:
        UsageError: the instant is over, or past the end without that being meant.
    """
    if until <= asked.now:
        raise UsageError(f"{until:%Y-%m-%d %H:%M} UTC is over.", remedy="Name a later date.")
    _refuse_what_never_comes(one)
    if one.end is not None and until > one.end and not past_lapse:
        verb = "lapsed" if has_lapsed(one.end, asked.now) else "lapses"
        raise UsageError(
            f"{named(one)} {verb} on {one.end:%Y-%m-%d %H:%M} UTC: nobody would be told of it.",
            remedy="If that is meant, say --confirm-past-lapse as well.",
        )
    wanted = _snooze(one, asked, until=until, confirmed=past_lapse)
    old = standing.get((one.tenant, one.uid, one.life))
    same = old is not None and _silence(old) == _silence(wanted)
    kept = old if old is not None and same else wanted
    return Silence(one, kept, not same, None, _over(one, kept))


def next_stage(one: Credential, tenant: Tenant, reached: Stage) -> tuple[Stage, datetime] | None:
    """Return the stage after one, and when it begins in the tenant's zone; None after the last."""
    if one.end is None:
        return None
    zone, urgency = ZoneInfo(tenant.time_zone), reached.urgency
    day = local_date(one.end, zone)
    if urgency > 0:  # Lk has the urgency 1 + k, and L(k + 1) comes 7 (k + 1) days after the end
        if urgency > tenant.weekly_after_lapse:
            return None
        return Stage.lapsed(urgency), _midnight(day + timedelta(days=7 * urgency), zone)
    smaller = [days for days in tenant.thresholds if days < -urgency]
    if not smaller:
        return Stage.lapsed(0), one.end
    return Stage.threshold(max(smaller)), _midnight(day - timedelta(days=max(smaller)), zone)


def named(one: Credential) -> str:
    """Return what a credential is called in messages, in a form that can be typed."""
    return f"{one.key_id or one.uid} ({one.app_name or 'no name'}, {one.kind}, {one.tenant})"


def _stage(one: Credential, tenant: Tenant, now: datetime) -> Stage | None:
    _refuse_what_never_comes(one)
    zone = ZoneInfo(tenant.time_zone)
    return current_stage(one.end, tenant.thresholds, tenant.weekly_after_lapse, now, zone)


def _refuse_what_never_comes(one: Credential) -> None:
    if one.end is None or one.managed_identity:
        why = "has no end" if one.end is None else "is rotated by Microsoft"
        raise UsageError(f"{named(one)} {why}: nobody is ever warned about it.")


def _snooze(
    one: Credential,
    asked: Asked,
    *,
    until: datetime | None = None,
    acked_urgency: int | None = None,
    confirmed: bool = False,
) -> Snooze:
    return Snooze(
        one.tenant,
        one.uid,
        one.life,
        asked.author,
        asked.reason,
        asked.now,
        until,
        acked_urgency,
        confirmed,
    )


def _silence(snooze: Snooze) -> tuple[datetime | None, int | None, bool]:
    """What a snooze comes to, whoever asked for it."""
    return snooze.until, snooze.acked_urgency, snooze.confirmed


def _over(one: Credential, snooze: Snooze) -> datetime | None:
    """When a snooze is over: one that is not confirmed holds no longer than the credential."""
    ends = [snooze.until, None if snooze.confirmed else one.end]
    return min((end for end in ends if end is not None), default=None)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return daily_instant(day, time(0), zone)
