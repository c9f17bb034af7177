"""The life of a credential: days left, stages, successors, states, silences and renewals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from monitor.model import (
    Credential,
    CredentialState,
    Kind,
    ObservedCredential,
    ObservedObject,
    Snooze,
    Stage,
    credential_uid,
)

CRITICAL_DAYS = 7
WARNING_DAYS = 30

_LAST = datetime.max.replace(tzinfo=UTC)
_FIRST = datetime.min.replace(tzinfo=UTC)

# --- the end --------------------------------------------------------------------------------------


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """Return the calendar date of an aware instant in a zone.

    At the very ends of the calendar (year 1, year 9999) the conversion itself would overflow.
    Graph does send such dates, so the date is held at the first or last day there is.
    """
    try:
        return instant.astimezone(zone).date()
    except OverflowError:
        return date.max if instant.year > 1 else date.min


def days_left(end: datetime | None, now: datetime, zone: ZoneInfo) -> int | None:
    """Return the local date of the end minus the local date of now, in days (rule 2).

    None for an end of null. Never raises, whatever year the end is in.
    """
    if end is None:
        return None
    return (local_date(end, zone) - local_date(now, zone)).days


def has_lapsed(end: datetime | None, now: datetime) -> bool:
    """Return whether the end is at or before now (rule 2); an end of null never comes."""
    return end is not None and end <= now


def renewed_life(old_end: datetime | None, new_end: datetime | None, zone: ZoneInfo) -> bool:
    """Return whether a new end of the same keyId starts a new life (rule 8).

    It does when it is later by at least one local day; null is later than any date.
    """
    if old_end is None or new_end is None:
        return old_end is not None
    return local_date(new_end, zone) > local_date(old_end, zone)


def _is_valid(start: datetime | None, end: datetime | None, now: datetime) -> bool:
    return (start is None or start <= now) and not has_lapsed(end, now)


# --- stages ---------------------------------------------------------------------------------------


def current_stage(
    end: datetime | None,
    thresholds: Sequence[int],
    weekly_after_lapse: int,
    now: datetime,
    zone: ZoneInfo,
) -> Stage | None:
    """Return the stage that holds at a run, or None while there is none (rule 3).

    Before the end: the smallest of `thresholds` (days) that is not below the days left. After it:
    L0, L1 … up to Lk with k = `weekly_after_lapse`, one each 7 days from the local date of the
    end; the last one stays. An end of null has no stage.
    """
    days = days_left(end, now, zone)
    if days is None:
        return None
    if has_lapsed(end, now):
        return Stage.lapsed(min(weeks_lapsed(days), weekly_after_lapse))
    reached = [threshold for threshold in thresholds if days <= threshold]
    return Stage.threshold(min(reached)) if reached else None


def stage_until(
    until: datetime,
) -> Callable[[datetime | None, Sequence[int], int, datetime, ZoneInfo], Stage | None]:
    """Return `current_stage` as a run before days off has it: what is reached by then counts now.

    So no stage comes late because of a weekend. Nothing lapses early: an end on a day off is told
    as the last stage before it.
    """

    def stage_of(
        end: datetime | None,
        thresholds: Sequence[int],
        weekly_after_lapse: int,
        now: datetime,
        zone: ZoneInfo,
    ) -> Stage | None:
        days = days_left(end, max(now, until), zone)
        if days is None:
            return None
        if has_lapsed(end, now):
            return Stage.lapsed(min(weeks_lapsed(days), weekly_after_lapse))
        reached = [threshold for threshold in thresholds if max(days, 0) <= threshold]
        return Stage.threshold(min(reached)) if reached else None

    return stage_of


def weeks_lapsed(days: int) -> int:
    """Return the whole weeks since the end, from the (negative) days left of a lapsed one."""
    return max(0, -days) // 7


# --- successors -----------------------------------------------------------------------------------


def successors(
    credentials: Sequence[Credential], now: datetime, *, include_own: bool = False
) -> dict[tuple[str, str], Credential]:
    """Return who supersedes whom: (tenant, uid) of the older one -> its successor (rule 6).

    A successor is of the same kind on the same object, valid at `now`, and ends later; of several
    it is the one that ends last. Removed credentials take no part, and one that no complete scan
    has seen is no successor: it is not sure enough to silence another. Exceptions: our own
    credentials are never superseded (a), of SAML signing certificates only the active one counts
    (b). Managed identities (c) are treated like all others here: it is `decide` that never
    warns about them.

    `include_own` also names the newer one beside our own credentials, for those who must be
    told "Entra has a new one, Lapsewatch does not": it does not make them superseded.
    """
    groups: dict[tuple[str, str, Kind], list[Credential]] = defaultdict(list)
    for credential in credentials:
        if credential.removed_at is None:
            groups[credential.tenant, credential.object_id, credential.kind].append(credential)
    found: dict[tuple[str, str], Credential] = {}
    for group in groups.values():
        # One pass for the best and one for the rest keeps this linear in the group's size.
        best = max((one for one in group if _may_succeed(one, now)), key=_rank, default=None)
        if best is None:
            continue
        for one in group:
            if _is_superseded_by(one, best) and (include_own or not one.own):
                found[one.tenant, one.uid] = best
    return found


def _may_succeed(credential: Credential, now: datetime) -> bool:
    if not credential.proven:
        return False
    if credential.kind is Kind.SAML_SIGNING and credential.active is not True:
        return False
    return _is_valid(credential.start, credential.end, now)


def _is_superseded_by(one: Credential, best: Credential) -> bool:
    if one.kind is Kind.SAML_SIGNING and one.active is True:
        return False
    return _end_order(one) < _end_order(best)


def _end_order(credential: Credential) -> tuple[bool, datetime]:
    # Null is later than any date, the last date there is included.
    return credential.end is None, credential.end or _LAST


def _rank(credential: Credential) -> tuple[tuple[bool, datetime], datetime, str]:
    # Among equal ends the newest start, then the uid: any fixed order will do.
    return _end_order(credential), credential.start or _FIRST, credential.uid


# --- states and silences --------------------------------------------------------------------------


def credential_state(
    credential: Credential,
    successor: Credential | None,
    snooze: Snooze | None,
    thresholds: Sequence[int],
    now: datetime,
    zone: ZoneInfo,
) -> CredentialState:
    """Return the state of a credential: the first that fits, in the order of CredentialState.

    `successor` is what `successors` says, `snooze` what stands for this life of the credential,
    `thresholds` (days) and `zone` are the tenant's.
    """
    if credential.removed_at is not None:
        return CredentialState.REMOVED
    if successor is not None:
        return CredentialState.SUPERSEDED
    if has_lapsed(credential.end, now):
        return CredentialState.LAPSED
    stage = current_stage(credential.end, thresholds, 0, now, zone)
    if is_silenced(snooze, credential, stage, now):
        return CredentialState.SNOOZED
    return _state_by_days(days_left(credential.end, now, zone), thresholds)


def _state_by_days(days: int | None, thresholds: Sequence[int]) -> CredentialState:
    if days is None:
        return CredentialState.OK
    if days <= CRITICAL_DAYS:
        return CredentialState.CRITICAL
    if days <= WARNING_DAYS:
        return CredentialState.WARNING
    if days <= max(thresholds, default=0):
        return CredentialState.UPCOMING
    return CredentialState.OK


def is_silenced(
    snooze: Snooze | None, credential: Credential, stage: Stage | None, now: datetime
) -> bool:
    """Return whether a snooze or an acknowledgement silences a credential at `now` (rule 7).

    A snooze holds until it ends; without its second confirmation it holds no longer than the
    credential. An acknowledgement holds until a stage more urgent than the acknowledged one, and
    silences nothing where there is no stage.
    """
    if snooze is None or (snooze.until is not None and snooze.until <= now):
        return False
    if snooze.acked_urgency is not None:
        return stage is not None and stage.urgency <= snooze.acked_urgency
    return snooze.confirmed or not has_lapsed(credential.end, now)


# --- what Lapsewatch itself signs in with ---------------------------------------------------------


Held = tuple[str, ObservedCredential]  # the id of the object that holds it, and the credential


@dataclass(frozen=True, slots=True)
class OwnCredential:
    """What Lapsewatch signs in with to one app, as far as it may be told without its value.

    `hint` is the first three characters of a client secret, `thumbprints` are all thumbprints of
    a certificate in hex. Where the value could not be read there is neither, and any credential
    of the app that has this `form` may be it.
    """

    client_id: str
    hint: str | None = None
    thumbprints: frozenset[str] = frozenset()
    form: Literal["secret", "certificate"] = "secret"


def own_uids(
    objects: Iterable[ObservedObject], own: Sequence[OwnCredential], now: datetime
) -> frozenset[str]:
    """Return the uids of the credentials that Lapsewatch itself signs in with (rule 6a).

    A certificate is known by its thumbprint, a secret by its hint and dates. An app may hold its
    credentials on the application and on the service principal, so both are looked through. The
    work grows with the objects plus what is ours, not with their product.
    """
    ours: dict[str, list[OwnCredential]] = defaultdict(list)
    for one in own:
        ours[one.client_id.lower()].append(one)
    held: dict[str, list[Held]] = defaultdict(list)
    for thing in objects:
        app_id = (thing.app_id or "").lower()
        if app_id in ours:
            held[app_id].extend((thing.object_id, each) for each in thing.credentials)
    return frozenset(
        credential_uid(object_id, each.kind, each.slot)
        for app_id, credentials in held.items()
        for object_id, each in _fitting(credentials, ours[app_id], now)
    )


def _fitting(held: Sequence[Held], own: Sequence[OwnCredential], now: datetime) -> list[Held]:
    """Of one app's credentials those that are ours; an app may have many of both."""
    prints = {text.upper() for one in own for text in one.thumbprints}
    forms = {one.form for one in own if one.hint is None and not one.thumbprints}
    found = [pair for pair in held if (pair[1].thumbprint or "").upper() in prints]
    if "certificate" in forms:
        found += _valid_or_all([pair for pair in held if pair[1].kind is Kind.CERTIFICATE], now)
    secrets = [pair for pair in held if pair[1].kind is Kind.SECRET]
    if "secret" in forms:
        found += _valid_or_all(secrets, now)
    return found + _by_hint(secrets, {one.hint for one in own if one.hint is not None}, now)


def _by_hint(secrets: Sequence[Held], hints: set[str], now: datetime) -> list[Held]:
    """For each hint the secrets that show it; those that show none where no other does."""
    showing: dict[str, list[Held]] = defaultdict(list)
    for pair in secrets:
        showing[pair[1].hint or ""].append(pair)
    found = [pair for hint in hints for pair in _valid_or_all(showing.get(hint, []), now)]
    if any(hint not in showing for hint in hints):
        found += _valid_or_all(showing.get("", []), now)
    return found


def _valid_or_all(held: Sequence[Held], now: datetime) -> Sequence[Held]:
    return [pair for pair in held if _is_valid(pair[1].start, pair[1].end, now)] or held
