"""Every mail to come if nobody acts: what the daily runs say, put into mails, and the canaries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from zoneinfo import ZoneInfo

from monitor.forecast import Coming
from monitor.model import CanaryResult, Credential, MailKind, SenderHealth
from monitor.routes import NO_PATH, Paths, choose
from monitor.senders import OAuthSender
from monitor.timetable import latest_daily, next_daily


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One notice to come, or one mail that holds none (a canary; a report).

    What shares its `mail`, a number from 1, comes in one mail. `stage` is "" and `credential`
    None where a mail is about no credential.
    """

    at: datetime
    to: str
    kind: MailKind
    stage: str
    tenant: str
    credential: Credential | None = None
    mail: int = 0


def mailings(
    coming: Sequence[Coming], paths: Paths, others: Iterable[Foreseen] = ()
) -> list[Foreseen]:
    """Return what is to come in the order of time, each with the number of its mail.

    Args:
        coming: the notices, as `forecast` says.
        paths: the sending paths as they are now: tenants on one path share a digest.
        others: mails without notices, each one of its own.
    """
    found: list[tuple[Foreseen, tuple[object, ...]]] = [
        (Foreseen(one.at, one.to, one.kind, str(one.stage), one.tenant, one.credential), key)
        for one in coming
        for key in [_digest(one, paths)]
    ]
    found += [(other, ("alone", number)) for number, other in enumerate(others)]
    numbers: dict[tuple[object, ...], int] = {}
    return [
        replace(one, mail=numbers.setdefault(key, len(numbers) + 1))
        for one, key in sorted(found, key=lambda pair: _order(pair[0]))
    ]


def canaries(
    senders: Iterable[OAuthSender],
    known: Mapping[tuple[str, str], SenderHealth],
    *,
    daily_at: time,
    now: datetime,
    until: datetime,
) -> Iterator[Foreseen]:
    """Yield the canaries that each sender sends from `now` to `until` (aware UTC, included).

    None of a sender that failed last: nobody acts, so its canaries go on failing.

    Args:
        senders: all there are.
        known: what the probes so far say, by tenant and mailbox.
        daily_at: the wall time of the daily probe, in the sender's zone.
        now: the instant to look ahead from.
        until: how far.
    """
    for sender in senders:
        last = known.get((sender.tenant, sender.mailbox), SenderHealth("", "")).last
        if sender.problem or (last is not None and last.result is CanaryResult.FAILED):
            continue
        zone = ZoneInfo(sender.time_zone)
        due = latest_daily(now, daily_at, zone)
        made_up = due is not None and (last is None or last.started_at < due)
        at = now if made_up else next_daily(now, daily_at, zone)
        while at <= until:
            for to in sender.canary_to:
                yield Foreseen(at, to, MailKind.CANARY, "", sender.tenant)
            at = next_daily(at, daily_at, zone)


def _digest(one: Coming, paths: Paths) -> tuple[object, ...]:
    """What the notices of one mail share: recipient, run, path, and the sort of the mail."""
    path = choose(MailKind.REMINDER, [one.tenant], paths)
    alone = one.tenant if path == NO_PATH else ""
    sort = one.kind if one.kind in (MailKind.WELCOME, MailKind.UNEXPECTED) else None
    single = (one.credential.tenant, one.credential.uid) if one.alone else None
    return one.at, one.to.casefold(), one.zone, path, alone, sort, single


def _order(one: Foreseen) -> tuple[datetime, str, str, datetime, str]:
    end, uid = (one.credential.end, one.credential.uid) if one.credential else (None, "")
    return one.at, one.to, one.tenant, end or one.at, uid
