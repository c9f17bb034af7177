"""What a link in a mail is about, and doing what it is for. Everything here blocks."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.errors import UsageError
from monitor.fields.problems import printable
from monitor.handing import check, given
from monitor.lifecycle import credential_state, days_left, successors
from monitor.model import Credential, Snooze, Tenant
from monitor.model.acts import Action, AuditEntry, HandOver, Link
from monitor.silences import Asked, acknowledged, named, snoozed
from monitor.store.links import digest_of
from monitor.timetable import daily_instant
from monitor.web.times import long_date
from monitor.wiring import App

PRESETS = (7, 14, 30)  # days
LONGEST = timedelta(days=366)
BETWEEN_LOOKS = timedelta(seconds=15)
HOW = "mail link"
NO_REASON = "no reason given"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class NotTaken(Exception):  # noqa: N818 (an answer, not a fault)
    """What was sent cannot be right; `field` says where, `ask` what else must be confirmed."""

    def __init__(self, words: str, *, field: str = "", ask: bool = False) -> None:
        super().__init__(words)
        self.field = field
        self.ask = ask


@dataclass(frozen=True, slots=True)
class Subject:
    """What a link is about, as it stands now."""

    link: Link
    tenant: Tenant
    one: Credential
    zone: ZoneInfo
    now: datetime
    state: str
    left: int | None
    snooze: Snooze | None
    given: HandOver | None
    successor: Credential | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of acting, as sentences; `good` where it is what was wanted."""

    title: str
    words: tuple[str, ...]
    good: bool = True
    again: bool = False


class Desk:
    """Knows links, and does what they are for.

    Args:
        app: the wired product.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._lock = threading.Lock()
        self._looked: dict[str, datetime] = {}

    def subject(self, token: str, *, used_too: bool = False) -> Subject | None:
        """What a token is about; None where it opens nothing (any more)."""
        link, now = self.app.store.link(digest_of(token)), self.app.clock()
        if link is None:
            return None
        if not (replace(link, used_at=None) if used_too else link).holds(now):
            return None
        tenant = self.app.store.tenant(link.tenant)
        if tenant is None:
            return None
        known = self.app.store.credentials(link.tenant, include_removed=True)
        one = next((each for each in known if each.uid == link.uid), None)
        return None if one is None else self._subject(link, tenant, one, known, now)

    def _subject(
        self, link: Link, tenant: Tenant, one: Credential, known: list[Credential], now: datetime
    ) -> Subject:
        key = (tenant.name, one.uid, link.life)
        snooze = self.app.store.snoozes(tenant.name).get(key)
        newer = successors(known, now).get((tenant.name, one.uid))
        zone = _zone(tenant, link.recipient)
        state = credential_state(one, newer, snooze, tenant.thresholds, now, zone)
        standing = snooze if snooze and (not snooze.until or snooze.until > now) else None
        given = self.app.store.hand_overs().get(key)
        left = days_left(one.end, now, zone)
        return Subject(link, tenant, one, zone, now, str(state), left, standing, given, newer)

    def act(self, about: Subject, form: Mapping[str, str]) -> Done:
        """Do what the link is for.

        Raises:
            NotTaken: what was sent cannot be right; nothing was changed.
            StoreError: the database cannot be used.
        """
        if about.link.used_at is not None:
            words = "It was done before, by this link. Nothing was changed now."
            return Done("Done already", (words, *standing_words(about)))
        work = {
            Action.ACKNOWLEDGE: self._acknowledge,
            Action.SNOOZE: self._snooze,
            Action.HAND_OVER: self._hand_over,
            Action.VERIFY: self._verify,
        }
        renewed = about.one.life != about.link.life or about.one.removed_at is not None
        if renewed and about.link.action is not Action.VERIFY:
            raise NotTaken("It was renewed or removed since that mail: nothing is left to do here.")
        try:
            return work[about.link.action](about, form)
        except UsageError as error:
            raise NotTaken(error.message) from None

    def _acknowledge(self, about: Subject, form: Mapping[str, str]) -> Done:
        asked = self._asked(about, form)
        silence = acknowledged(about.one, about.tenant, self.app.store.snoozes(), asked)
        self._use(about, asked, snooze=silence.snooze if silence.new else None)
        told = "Everybody is left alone about it until the next stage"
        until = f": {long_date(silence.until, about.zone)}." if silence.until else "."
        if not silence.new:
            told, until = f"It was quiet already, by {silence.snooze.author}", "."
        return Done("Acknowledged", (f"{told}{until}",))

    def _snooze(self, about: Subject, form: Mapping[str, str]) -> Done:
        until = snooze_end(form, about.now, about.zone)
        end, past = about.one.end, form.get("past_lapse") == "yes"
        if end is not None and until > end and not past:
            verb = "lapsed" if end <= about.now else "lapses"
            words = (
                f"It {verb} on {long_date(end, about.zone)}. Quiet until "
                f"{long_date(until, about.zone)} means that nobody is told of the lapse. If that "
                "is meant, say so below."
            )
            raise NotTaken(words, field="past_lapse", ask=True)
        asked = self._asked(about, form)
        standing = self.app.store.snoozes()
        silence = snoozed(about.one, standing, asked, until, past_lapse=past)
        self._use(about, asked, snooze=silence.snooze if silence.new else None)
        return Done("Snoozed", (f"Quiet for everybody until {long_date(until, about.zone)}.",))

    def _hand_over(self, about: Subject, form: Mapping[str, str]) -> Done:
        to = printable(form.get("to", ""), 200).strip()
        if not to:
            raise NotTaken("Say whose it is: a mail address, or a name.", field="to")
        try:
            check(to, about.one, about.tenant, self.app.audience)
        except UsageError as error:
            raise NotTaken(error.message, field="to") from None
        asked = self._asked(about, form)
        said = replace(asked, reason="" if asked.reason == NO_REASON else asked.reason)
        kept = given(about.one, to, said, about.given)
        self._use(about, asked, hand_over=kept)
        told = f"From now on every mail about it says that it was handed over to {to}."
        if kept.holds:
            told = f"From the next mails on {to} is told of it, and you are not."
        return Done("Handed over", (told, "The warnings go on until it is renewed."))

    def _verify(self, about: Subject, form: Mapping[str, str]) -> Done:
        if not self._may_look(about.link.digest, about.now):
            words = "It was looked at just now. Wait a quarter of a minute, then look again."
            return Done("A moment, please", (words,), good=False, again=True)
        link = about.link
        seen = self.app.verifications.verify(about.one, life=link.life, zone=about.zone)
        asked = replace(self._asked(about, form), reason=" ".join(seen.words))
        if seen.over:
            self._use(about, asked)
            told = "This is closed. Everybody who was warned hears of it."
            return Done("Done", (*seen.words, told))
        self.app.store.put_audit(_entry(about, asked))
        title = "It cannot be read" if seen.result == "unread" else "Not yet"
        return Done(title, seen.words, good=False, again=True)

    def _use(
        self,
        about: Subject,
        asked: Asked,
        *,
        snooze: Snooze | None = None,
        hand_over: HandOver | None = None,
    ) -> None:
        """Use the link up; of two at the same time the other one changes nothing."""
        entry = _entry(about, asked)
        if hand_over is not None:
            entry = replace(entry, about=f"{entry.about} to {hand_over.to}")
        self.app.store.use_link(about.link, entry, snooze=snooze, hand_over=hand_over)

    def _asked(self, about: Subject, form: Mapping[str, str]) -> Asked:
        why = printable(form.get("reason", ""), 500).strip() or NO_REASON
        return Asked(about.link.recipient, why, self.app.clock().replace(microsecond=0))

    def _may_look(self, digest: str, now: datetime) -> bool:
        with self._lock:
            recent = {key: at for key, at in self._looked.items() if abs(now - at) < BETWEEN_LOOKS}
            self._looked = recent | {digest: recent.get(digest, now)}
            return digest not in recent


def snooze_end(form: Mapping[str, str], now: datetime, zone: ZoneInfo) -> datetime:
    """The instant until which a snooze is asked for: the start of a day in a zone.

    Raises:
        NotTaken: none is said, or it is no day that can be taken.
    """
    text = form.get("until", "").strip()
    chosen = form.get("days", "")
    today = now.astimezone(zone).date()
    try:
        if chosen in [str(days) for days in PRESETS]:
            day = today + timedelta(days=int(chosen))
        else:
            day = date.fromisoformat(text if _DAY.fullmatch(text) else "")
        until = daily_instant(day, time(0), zone)
    except (ValueError, OverflowError):
        shown = printable(text, 40)
        told = f"“{shown}” is no date of the calendar." if text else "Choose a date."
        raise NotTaken(
            f"{told} Write it like {today + timedelta(days=14)}.", field="until"
        ) from None
    if until <= now:
        raise NotTaken(f"{day} is over. Choose a later date.", field="until")
    if until > now + LONGEST:
        raise NotTaken(
            f"{day} is too far ahead. A year is the longest; then somebody looks again.",
            field="until",
        )
    return until


def standing_words(about: Subject) -> tuple[str, ...]:
    """What somebody did about it before."""
    found = []
    if (quiet := about.snooze) is not None:
        verb = "Snoozed" if quiet.acked_urgency is None else "Acknowledged"
        until = f" until {long_date(quiet.until, about.zone)}" if quiet.until else ""
        when = long_date(quiet.created_at, about.zone)
        found.append(f"{verb}{until} by {quiet.author} on {when}: {quiet.reason}")
    if (given := about.given) is not None:
        when = long_date(given.at, about.zone)
        why = f": {given.remark}" if given.remark else ""
        found.append(f"Handed over to {given.to} by {given.author} on {when}{why}")
    return tuple(found)


def _entry(about: Subject, asked: Asked) -> AuditEntry:
    link = about.link
    return AuditEntry(
        asked.now, asked.author, str(link.action), link.tenant, named(about.one), asked.reason, HOW
    )


def _zone(tenant: Tenant, address: str) -> ZoneInfo:
    """The zone in which this reader lives."""
    mine = [one for one in tenant.recipients if one.address.casefold() == address.casefold()]
    return ZoneInfo((mine[0].time_zone if mine else None) or tenant.time_zone)
