"""What each mail says, as plain words: the views that the templates lay out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from monitor import severity
from monitor.mail import guides, notes, own_steps, pasting, remains, renewals, words
from monitor.mail.frames import ActionView as ActionView
from monitor.mail.frames import BlindView as BlindView
from monitor.mail.frames import DigestItem as DigestItem
from monitor.mail.frames import Fact as Fact
from monitor.mail.frames import Frame as Frame
from monitor.mail.frames import ItemView as ItemView
from monitor.mail.frames import UnreadView as UnreadView
from monitor.mail.reminders import next_day as next_day
from monitor.mail.reminders import next_reminder
from monitor.model import (
    UNKNOWN_AFTER,
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
        *(Fact(*pair) for pair in _kept(item, places=not card)),
    ]
    if credential.own:
        care = own_steps.CARE_LAPSED if lapsed else own_steps.CARE
        facts.append(Fact("Take care", care))
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
        Fact("Next reminder", next_reminder(item, frame)),
    ]
    when = words.ending(notice.days_left, lapsed)
    view = _view(item.tenant, credential, frame, state.upper(), TONES[state], when, tuple(facts))
    view = replace(view, actions=frame.actions.get((item.tenant.name, credential.uid), ()))
    if not card or notice.still_used:  # what is still used has its newer one already
        return view
    lines = renewals.commands(item.tenant, credential, frame.now, item.longest)
    return replace(view, commands=lines)


def _kept(item: DigestItem, *, places: bool) -> list[tuple[str, str]]:
    """What people keep about it; a watched date says beside "What breaks" what uses it."""
    facts = notes.facts(item.note, places=places)
    watched = item.notice.credential.kind is Kind.ITEM
    return [pair for pair in facts if not (watched and pair[0] == "Used by")]


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
    changed = Fact("The old one", _old_one(old, frame))
    facts = (
        Fact("Now valid to", frame.date(new.end)),
        Fact("What changed", remains.same_key(old.kind)) if same_key else changed,
        *_identity(old),
        *((Fact("Take care", own_steps.CARE),) if old.own else ()),
        Fact("Owner", _owners(old)),
        Fact("Facts as of", _as_of(item.tenant, new, frame)),
    )
    when = f"now valid {_how_long(frame.days_left(new.end))}"
    shown = _view(item.tenant, new, frame, "RENEWED", "good", when, facts)
    left = "" if same_key or old.removed_at is not None else _still_there(old, frame)
    return replace(shown, rest=left)


def _how_long(days: int | None) -> str:
    if days is None:
        return "without an end date"
    told = words.relative_days(days)
    return f"for {told.removeprefix('in ')}" if told.startswith("in ") else f"but ends {told}"


def _old_one(old: Credential, frame: Frame) -> str:
    named = _named(old)
    if old.removed_at is not None:
        return f"{named} is gone."
    ended = old.end is not None and old.end <= frame.now
    until = f", and ended {frame.date(old.end)}" if ended else f" until {frame.date(old.end)}"
    shown = f"{named} is still there{until if old.end is not None else ''}."
    return f"{shown} Delete it after everything uses the new one."


def _still_there(old: Credential, frame: Frame) -> str:
    if old.end is None:
        return f"old one ({_key(old)}) still there"
    until = ", ended" if old.end <= frame.now else " until"
    return f"old one ({_key(old)}) still there{until} {words.short_date(old.end, frame.zone)}"


def _removed(item: DigestItem, frame: Frame) -> ItemView:
    old = item.notice.credential
    ended = old.end is not None and old.end <= frame.now
    since, day = _seen(old.removed_at, frame)
    facts = (
        Fact("Seen to be gone", since),
        Fact("Ended" if ended else "Would have ended", frame.date(old.end)),
        *_identity(old),
        Fact("What breaks", remains.what_removal_breaks(old)),
        Fact("Owner", _owners(old)),
    )
    when = f"seen to be gone {day}".strip()
    end = "" if old.end is None else words.short_date(old.end, frame.zone)
    rest = f"{'ended' if ended else 'would have ended'} {end}" if end else ""
    shown = _view(item.tenant, old, frame, "REMOVED", "calm", when, facts)
    return replace(shown, date=since, rest=rest)


def _seen(at: datetime | None, frame: Frame) -> tuple[str, str]:
    """An instant at which something was seen, in full and in days before now."""
    if at is None:
        return "not known", ""
    ago = words.relative_days(words.days_between(at, frame.now, frame.zone))
    return words.long_date(at, frame.zone), ago


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
    """An app has an id, or none; what is no app has nothing to say about it."""
    return "" if credential.kind in (Kind.GDAP, Kind.ITEM) else "none"


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


def _named(one: Credential) -> str:
    name = words.defang(one.name or "", 60)
    return f'"{name}" ({_key(one)})' if name else _key(one)


def _newer(new: Credential, frame: Frame) -> str:
    shown = _named(new)
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
    if credential.owners is None or credential.kind is Kind.GDAP:  # a relationship has none
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


def is_lapsed(notice: Notice) -> bool:
    """Whether the notice is about a credential that has ended."""
    return notice.kind is MailKind.LAPSED or notice.stage.after_end


def blind_view(tenant: Tenant, health: TenantHealth, frame: Frame) -> BlindView:
    """One line about a tenant that could not be read."""
    read = health.last_complete or frame.as_of.get(tenant.name)
    as_of = "never read" if read is None else f"facts as of {words.long_date(read, frame.zone)}"
    problem = health.problem or words.cause_words(health.cause) or "the reason is not known"
    return BlindView(words.defang(tenant.name), as_of, words.defang(problem, words.EVIDENCE_CAP))


def unread(tenants: Sequence[Tenant], *, welcome: bool) -> UnreadView:
    """What stands with the tenants that could not be read; a welcome's reminders are yet to come.

    The doctor knows the cause of each, and what mends it.
    """
    option = pasting.option(tenants[0].name if len(tenants) == 1 else "")
    which = "its name" if len(tenants) == 1 else "the name of each"
    rest = f", with {which}" if option.endswith(" NAME") else ""
    told = "What this mail says there is" if welcome else "Reminders go on"
    return UnreadView(
        told=f"{told} from the last facts.",
        step=f"To see what is wrong and how to mend it: `lapsewatch doctor {option}`{rest}",
    )
