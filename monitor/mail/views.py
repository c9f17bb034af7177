"""What each mail says, as plain words: the views that the templates lay out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor import severity
from monitor.mail import guides, notes, renewals, words
from monitor.mail.renewals import Command
from monitor.model import (
    UNKNOWN_AFTER,
    Cloud,
    Credential,
    CredentialState,
    Kind,
    MailKind,
    Note,
    Notice,
    ObjectType,
    Tenant,
    TenantHealth,
)
from monitor.model.acts import HandOver

TONES = {
    CredentialState.LAPSED: "lapsed",
    CredentialState.CRITICAL: "critical",
    CredentialState.WARNING: "warning",
    CredentialState.UPCOMING: "calm",
}


@dataclass(frozen=True, slots=True)
class DigestItem:
    """One notice and the tenant it is about; `note` is what people keep about the credential.

    `longest` is how long a new credential may last by the tenant's policy, where that is known.
    """

    tenant: Tenant
    notice: Notice
    longest: timedelta | None = None
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One label and its value; `code` marks what is read letter by letter."""

    label: str
    value: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class ActionView:
    """Something that the reader can do with one click, and one more on the page it opens."""

    label: str
    link: str


@dataclass(frozen=True, slots=True)
class ItemView:
    """One credential in a digest; `commands` make its successor."""

    state: str
    tone: str
    when: str
    date: str
    app: str
    app_id: str
    what: str
    facts: tuple[Fact, ...]
    link: str
    link_label: str
    commands: tuple[Command, ...] = ()
    actions: tuple[ActionView, ...] = ()


@dataclass(frozen=True, slots=True)
class BlindView:
    """A tenant whose facts are old."""

    tenant: str
    as_of: str
    problem: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What a digest is seen from: the recipient, the zone, the clock and the age of the facts."""

    recipient: str
    zone: ZoneInfo
    now: datetime
    clouds: Mapping[str, Cloud]
    as_of: Mapping[str, datetime]
    next_run: datetime | None = None
    actions: Mapping[tuple[str, str], tuple[ActionView, ...]] = field(default_factory=dict)
    handed_over: Mapping[tuple[str, str, int], HandOver] = field(default_factory=dict)
    ignored: int = 0
    working_days: tuple[int, ...] = ()

    def working(self, day: date, *, forward: bool) -> date:
        """The recipient's working day on which something of that day is told."""
        while self.working_days and day.weekday() not in self.working_days:
            day += timedelta(days=1 if forward else -1)
        return day

    def days_left(self, end: datetime | None) -> int | None:
        """Local days to an end; None where there is none."""
        return None if end is None else words.days_between(end, self.now, self.zone)

    def date(self, end: datetime | None) -> str:
        """An end with its zone, or that there is none."""
        return "no end date" if end is None else words.long_date(end, self.zone)


# --- one credential ------------------------------------------------------------------------------


def warned(item: DigestItem, frame: Frame, *, card: bool = False) -> ItemView:
    """A credential that needs action; a card has room for the commands that renew it.

    Where the new value goes is the last step of a card's guide, and beside a row.
    """
    credential, notice = item.notice.credential, item.notice
    lapsed = is_lapsed(notice)
    state = words.state_word(notice.stage, notice.days_left)
    facts = [
        Fact("Ended" if lapsed else "Ends", frame.date(credential.end)),
        *_identity(credential),
        Fact("What breaks", guides.what_breaks(credential, lapsed, item.note)),
        *(Fact(*pair) for pair in notes.facts(item.note, places=not card)),
    ]
    if credential.own:
        facts.append(Fact("Take care", guides.OWN))
    given = frame.handed_over.get((item.tenant.name, credential.uid, credential.life))
    if given is not None:
        facts.append(Fact("Handed over", _handed_over(given, frame)))
    if notice.still_used and notice.successor is not None:
        facts.append(Fact("Still used", still_used(credential, notice.successor, frame)))
        facts.append(Fact("Newer one", _newer(notice.successor, frame)))
    facts += [
        *weighed(credential, frame),
        Fact("Owner", _owners(credential, item.note)),
        Fact("Facts as of", _as_of(item.tenant, credential, frame)),
        Fact("Next reminder", _next_reminder(item, frame)),
    ]
    when = words.ending(notice.days_left, lapsed)
    view = _view(item.tenant, credential, frame, state.upper(), TONES[state], when, tuple(facts))
    view = replace(view, actions=frame.actions.get((item.tenant.name, credential.uid), ()))
    if not card or notice.still_used:  # what is still used has its newer one already
        return view
    lines = renewals.commands(item.tenant, credential, frame.now, item.longest)
    return replace(view, commands=lines)


def _handed_over(given: HandOver, frame: Frame) -> str:
    told = f"to {words.address(given.to)} by {words.address(given.author)}"
    remark = f": {words.defang(given.remark, words.EVIDENCE_CAP)}" if given.remark else ""
    return f"{told} on {words.long_date(given.at, frame.zone)}{remark}"


def covered(tenant: Tenant, old: Credential, new: Credential | None, frame: Frame) -> ItemView:
    """A credential that a newer one has taken over from."""
    left = frame.days_left(old.end)
    ended = old.end is not None and old.end <= frame.now
    word = words.kind_word(old.kind)
    newer = "gone from the last scan" if new is None else _newer(new, frame)
    facts = (
        Fact("Ended" if ended else "Ends", frame.date(old.end)),
        *_identity(old),
        Fact("Newer one", newer),
        Fact("What breaks", f"Whatever still uses the old {word}."),
        *weighed(old, frame),
        Fact("Owner", _owners(old)),
        Fact("Facts as of", _as_of(tenant, old, frame)),
    )
    when = f"old one {'ended' if ended else 'ends'} {words.relative_days(left)}"
    return _view(tenant, old, frame, "COVERED", "good", when, facts)


def still_lapsed(tenant: Tenant, credential: Credential, frame: Frame) -> ItemView:
    """A credential that has lapsed and gets no reminder of its own any more."""
    facts = (
        Fact("Ended", frame.date(credential.end)),
        *_identity(credential),
        Fact("Owner", _owners(credential)),
    )
    when = words.ending(frame.days_left(credential.end), lapsed=True)
    return _view(tenant, credential, frame, "LAPSED", "lapsed", when, facts)


def over(item: DigestItem, frame: Frame) -> ItemView:
    """A credential that was warned about and is renewed or removed."""
    old, new = item.notice.credential, item.notice.successor
    if new is None:
        return _removed(item, frame)
    same_key = new.uid == old.uid
    left = _old_one(old, frame)
    facts = (
        Fact("Now valid to", frame.date(new.end)),
        Fact("The new one", "the same key, with a later end" if same_key else _newer(new, frame)),
        *(() if same_key else (Fact("The old one", left),)),
        *_identity(old),
        *((Fact("Take care", guides.OWN),) if old.own else ()),
        Fact("Owner", _owners(old)),
        Fact("Facts as of", _as_of(item.tenant, new, frame)),
    )
    until = "without an end date" if new.end is None else words.short_date(new.end, frame.zone)
    when = f"valid, now {until}" if new.end is None else f"now valid to {until}"
    shown = _view(item.tenant, old, frame, "RENEWED", "good", when, facts)
    return replace(shown, date=frame.date(new.end))


def _old_one(old: Credential, frame: Frame) -> str:
    if old.removed_at is not None:
        return "It is gone."
    ended = old.end is not None and old.end <= frame.now
    word = "ended" if ended else "ends"
    return (
        f"It is still there and {word} {frame.date(old.end)}. "
        "Remove it after everything uses the new one."
    )


def _removed(item: DigestItem, frame: Frame) -> ItemView:
    old = item.notice.credential
    ended = old.end is not None and old.end <= frame.now
    since, day = _seen(old.removed_at, frame)
    facts = (
        Fact("Seen to be gone", since),
        Fact("Ended" if ended else "Would have ended", frame.date(old.end)),
        *_identity(old),
        Fact("What breaks", guides.what_removal_breaks(old)),
        Fact("Owner", _owners(old)),
    )
    when = f"seen to be gone {day}".strip()
    return replace(_view(item.tenant, old, frame, "REMOVED", "calm", when, facts), date=since)


def _seen(at: datetime | None, frame: Frame) -> tuple[str, str]:
    """An instant at which something was seen, in full and as a day."""
    if at is None:
        return "not known", ""
    return words.long_date(at, frame.zone), words.short_date(at, frame.zone)


def unexpected(item: DigestItem, frame: Frame) -> ItemView:
    """A credential that a rule of the operator says should not be there."""
    one = item.notice.credential
    seen, day = _seen(one.first_seen, frame)
    facts = (
        Fact("First seen", seen),
        Fact("The rule says", words.defang(item.notice.reason, words.EVIDENCE_CAP)),
        Fact("Starts", "not known" if one.start is None else frame.date(one.start)),
        Fact("Ends", frame.date(one.end)),
        *_identity(one),
        Fact("Owner", _owners(one)),
        Fact("Facts as of", _as_of(item.tenant, one, frame)),
    )
    when = f"first seen {day}".strip()
    shown = _view(item.tenant, one, frame, "UNEXPECTED", "critical", when, facts)
    return replace(shown, date=seen)


def weighed(credential: Credential, frame: Frame) -> tuple[Fact, ...]:
    """What says how much a credential matters: whether its app works, its use, its lifetime."""
    used, as_of = credential.last_used, credential.usage_at
    days = None if used is None else -words.days_between(used, frame.now, frame.zone)
    told = severity.use_words(credential, days)
    if told and as_of is not None:
        told += f" (as of {words.long_date(as_of, frame.zone)})"
    facts = (
        ("Disabled", severity.why(credential)),
        ("Last used", told),
        ("Policy", severity.policy_words(credential)),
    )
    return tuple(Fact(label, value) for label, value in facts if value)


def still_used(old: Credential, new: Credential, frame: Frame) -> str:
    """What is the matter with an old credential that something uses after its renewal."""
    if old.last_used is None or new.start is None:
        return "Something still uses the old one."
    ago = words.relative_days(words.days_between(old.last_used, frame.now, frame.zone))
    after = max(words.days_between(old.last_used, new.start, frame.zone), 1)
    return (
        f"Last sign-in {ago}, {after} {'day' if after == 1 else 'days'} after the newer one "
        f"started. What uses it stops at its end on {frame.date(old.end)}."
    )


def _view(
    tenant: Tenant,
    credential: Credential,
    frame: Frame,
    state: str,
    tone: str,
    when: str,
    facts: tuple[Fact, ...],
) -> ItemView:
    cloud = frame.clouds.get(tenant.cloud)  # a warning without its link is better than none
    return ItemView(
        state=state,
        tone=tone,
        when=when,
        date=frame.date(credential.end),
        app=words.defang(credential.app_name) or "(no name)",
        app_id=words.defang(credential.app_id or _no_app(credential)),
        what=f"{_what(credential)} in {words.defang(tenant.name)}",
        facts=facts,
        link=guides.portal_link(cloud, tenant, credential) if cloud else "",
        link_label=guides.link_label(credential),
    )


def _no_app(credential: Credential) -> str:
    no_app = credential.kind in (Kind.GDAP, Kind.ITEM)
    return "none, this is no app" if no_app else "none"


def _what(credential: Credential) -> str:
    name = words.defang(credential.name or "", 60)
    if credential.kind is Kind.GDAP:
        return f'{words.kind_word(credential.kind)} with "{name}"'
    if credential.kind is Kind.ITEM:
        host = (credential.name or "").partition(" ")[2]
        return words.thing(credential) + (f" at {words.defang(host)}" if host else "")
    shown = (
        f'{words.kind_word(credential.kind)} "{name}"'
        if name
        else f"{words.kind_word(credential.kind)} without a name"
    )
    return f"{shown} ({_key(credential)})"


def _key(credential: Credential) -> str:
    if credential.key_id:
        return f"key id {words.defang(credential.key_id[:8])}"
    if credential.thumbprint:
        return f"thumbprint {words.defang(credential.thumbprint[:8])}"
    return "no key id"


def _newer(new: Credential, frame: Frame) -> str:
    name = words.defang(new.name or "", 60)
    shown = f'"{name}" ({_key(new)})' if name else _key(new)
    if new.end is None:
        return f"{shown}, without an end date"
    return f"{shown}, valid to {frame.date(new.end)}"


def _identity(credential: Credential) -> tuple[Fact, ...]:
    """The ids of what the portal cannot find by app id; names can be faked, ids cannot."""
    if credential.kind is Kind.GDAP:
        return (Fact("Relationship id", words.defang(credential.object_id), code=True),)
    if credential.object_type is ObjectType.SERVICE_PRINCIPAL:
        return (Fact("Object id", words.defang(credential.object_id), code=True),)
    return ()


def _owners(credential: Credential, note: Note | None = None) -> str:
    if credential.kind is Kind.ITEM:
        return words.address(note.owner) if note and note.owner else "not known"
    if credential.owners is None:
        return "not known"
    if not credential.owners:
        return "nobody owns this app"
    shown = [words.address(owner) for owner in credential.owners[:3]]
    rest = len(credential.owners) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _as_of(tenant: Tenant, credential: Credential, frame: Frame) -> str:
    read = frame.as_of.get(tenant.name) or credential.observed_at
    if credential.kind is Kind.ITEM:  # it is read beside the directory
        read = credential.observed_at
    if read is None:
        return "not known"
    shown = words.long_date(read, frame.zone)
    age = frame.now - read
    return f"{shown} ({words.span(age)} old)" if age >= UNKNOWN_AFTER else shown


# --- the next reminder ---------------------------------------------------------------------------


def _next_reminder(item: DigestItem, frame: Frame) -> str:
    day = next_day(item, frame)
    if day is None and item.notice.still_used:
        return "none; a newer one is in place"
    if day is None:
        return "none of its own; it stays in every digest until it is renewed or deleted"
    end = item.notice.credential.end
    held_back = end is not None and item.tenant.in_shadow(frame.now) and end > frame.now
    if held_back and end is not None and words.local(end, frame.zone).date() < day:
        return (
            f"{words.day(day)}, which is after its end. Renew it before, or start the reminders now"
        )
    return words.day(day)


def next_day(item: DigestItem, frame: Frame) -> date | None:
    """The local date of the next reminder if nothing changes; None after the last one.

    What comes due while its tenant is in shadow is told by the first run after that.
    """
    due, until = _next_stage(item, frame), item.tenant.shadow_until
    if due is None or until is None or not item.tenant.in_shadow(frame.now):
        return due
    end = words.local(until, frame.zone)
    late = end.time() > words.local(frame.next_run or frame.now, frame.zone).time()
    return max(due, end.date() + timedelta(days=1) if late else end.date())


def _next_stage(item: DigestItem, frame: Frame) -> date | None:
    """The local date of the next stage; None after the last one."""
    notice, tenant = item.notice, item.tenant
    if notice.credential.end is None:
        return None
    end = words.local(notice.credential.end, frame.zone)
    urgency = max(notice.stage.urgency, notice.level)
    if urgency > 0:
        # Lk has urgency 1 + k and comes 7k days after the end; so the next is L(urgency).
        after = urgency <= tenant.weekly_after_lapse
        weekly = end.date() + timedelta(days=7 * urgency)
        return frame.working(weekly, forward=False) if after else None
    smaller = [days for days in tenant.thresholds if days < -urgency]
    if smaller:
        return frame.working(end.date() - timedelta(days=max(smaller)), forward=False)
    if notice.still_used:
        return None
    run = words.local(frame.next_run or frame.now, frame.zone).time()
    late = end.time() > run and end.date() < date.max
    lapse = end.date() + timedelta(days=1) if late else end.date()
    return frame.working(lapse, forward=True)


def is_lapsed(notice: Notice) -> bool:
    """Whether the notice is about a credential that has ended."""
    return notice.kind is MailKind.LAPSED or notice.stage.after_end


def blind_view(tenant: Tenant, health: TenantHealth, frame: Frame) -> BlindView:
    """One line about a tenant that could not be read."""
    read = health.last_complete or frame.as_of.get(tenant.name)
    as_of = "never read" if read is None else f"facts as of {words.long_date(read, frame.zone)}"
    problem = health.problem or words.cause_words(health.cause) or "the reason is not known"
    return BlindView(words.defang(tenant.name), as_of, words.defang(problem, words.EVIDENCE_CAP))
