"""A whole digest as plain words: headline, what needs action, what stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.mail import closings, firsts, guides, leads, sheets, views, welcomes, words
from monitor.mail.guides import Guide
from monitor.mail.sections import Section, section, whole
from monitor.mail.views import TONES, BlindView, DigestItem, Frame, ItemView, UnreadView, is_lapsed
from monitor.model import CLOSINGS, Credential, Kind, MailKind, Notice, Tenant, TenantHealth
from monitor.severity import severity

# What needs action in full: more would bury the first ones. The rest follow in a line each, all
# of them in the text part and in a file. The HTML part gets fewer of both where it is too big.
SHOWN = ((25, 400), (25, 100), (18, 40), (12, 0), (6, 0))
SHOWN_ASIDE = 10  # what is only good to know
CARDS = 4  # up to so many items get a card each; more are easier to scan as rows

_WORDS = {
    MailKind.LAPSED: "LAPSED",
    MailKind.COVERED: "COVERED",
    MailKind.WELCOME: "WELCOME",
    **closings.WORDS,
}
_TURNS = (*CLOSINGS, MailKind.UNEXPECTED)
# Which notices a mail is about; the others stand beside them.
_MAIN = {
    MailKind.COVERED: (MailKind.COVERED,),
    MailKind.UNEXPECTED: (MailKind.UNEXPECTED,),
    **dict.fromkeys(CLOSINGS, CLOSINGS),
}
_DUE = (MailKind.REMINDER, MailKind.LAPSED)
_TITLES_OF = {  # only what has lapsed, only what ends, both
    MailKind.LAPSED: ("What has lapsed", "", "What has lapsed or ends soon"),
    MailKind.WELCOME: ("What has lapsed", "What is due now", "What is lapsed or due now"),
}


Covered = tuple[Tenant, Credential, Credential | None]


@dataclass(frozen=True, slots=True)
class Headline:
    """The words of the subject, the banner and the first sentence."""

    word: str
    tone: str
    verdict: str
    action: str
    app: str
    kind: str
    ending: str
    short_date: str
    counted: str
    need: str
    first: str
    soon: str
    since: str
    today: str
    rest: int
    where: str
    single: bool


@dataclass(frozen=True, slots=True)
class DigestView:
    """A whole digest; `steps` are those of a welcome about its silence.

    `before` is what to do as it stands before the list, `guides` as it stands after it. `cut` says
    whether something is not shown in full, so that a file must have it. `beside` says in the
    first lines what stands at the end.
    """

    head: Headline
    main: Section
    cards: bool
    guides: tuple[Guide, ...]
    aside: tuple[Section, ...]
    blind: tuple[BlindView, ...]
    blind_more: int
    foot: tuple[str, ...]
    unread: UnreadView
    steps: tuple[str, ...] = ()
    before: tuple[Guide, ...] = ()
    cut: bool = False
    beside: str = ""


# --- assembly ------------------------------------------------------------------------------------


def digest_view(
    kind: MailKind,
    items: Sequence[DigestItem],
    frame: Frame,
    *,
    covered: Sequence[Covered],
    still_lapsed: Sequence[tuple[Tenant, Credential]],
    blind: Sequence[tuple[Tenant, TenantHealth]],
    shown: int = SHOWN[0][0],
    lines: int = SHOWN[0][1],
    left: int = 0,
) -> DigestView:
    """Everything that one digest says; `items` are its notices, gravest first.

    `shown` caps what is told in full, `lines` the lines that follow in the HTML part; what is
    only good to know gets less room than that. `left` is what its file has no room for.
    """
    room = min(SHOWN_ASIDE, shown // 2)
    main = [item for item in items if item.notice.kind in _MAIN.get(kind, _DUE)]
    listed = replace(_main(kind, main, frame, shown), lines=lines)
    beside = _aside(kind, items, covered, still_lapsed, frame, room)
    cut = any(part.more for part in (listed, *beside))
    found = _guides(kind, main, frame, file=sheets.NAME if cut else "")
    commands = any(guide.commands for guide in found) or any(one.commands for one in listed.items)
    lapsed = sum(is_lapsed(item.notice) for item in main) > 1
    before, after = leads.split(found, items=len(main), commands=commands, lapsed=lapsed)
    return DigestView(
        head=headline(kind, main, frame),
        main=whole(listed, left),
        cards=len(main) <= CARDS,
        guides=after,
        aside=tuple(whole(part, left) for part in beside),
        blind=tuple(views.blind_view(*pair, frame) for pair in blind[:room]),
        blind_more=max(len(blind) - room, 0),
        foot=_foot(kind, main, frame),
        steps=welcomes.next_steps(main) if kind is MailKind.WELCOME else (),
        before=before,
        cut=cut,
        beside=firsts.beside(still_lapsed, blind),
        unread=views.unread([tenant for tenant, _ in blind], welcome=kind is MailKind.WELCOME),
    )


def is_urgent(items: Sequence[DigestItem]) -> bool:
    """Whether the mail is marked as important: something lapsed, ends within a week or went."""
    return bool(closings.at_once(items)) or any(
        item.notice.kind is MailKind.UNEXPECTED
        or (item.notice.kind in _DUE and (is_lapsed(item.notice) or item.notice.days_left <= 7))
        for item in items
    )


def _main(kind: MailKind, items: Sequence[DigestItem], frame: Frame, cap: int) -> Section:
    if kind is MailKind.COVERED:
        shown = [_covered(item, frame) for item in items]
        return section("What can go", "", shown, cap)
    title = _title(kind, items)
    if kind in _TURNS:
        shows = views.unexpected if kind is MailKind.UNEXPECTED else views.over
        listed = closings.in_order(items, cap) if kind is MailKind.RENEWED else items
        return section(title, "", [shows(item, frame) for item in listed], cap)
    few = len(items) <= CARDS
    return section(title, "", [views.warned(item, frame, card=few) for item in items], cap)


def _title(kind: MailKind, items: Sequence[DigestItem]) -> str:
    if kind in _TITLES_OF:
        lapsed = sum(is_lapsed(item.notice) for item in items)
        only, due, both = _TITLES_OF[kind]
        return only if lapsed == len(items) else both if lapsed else due
    if kind in _TURNS:
        return closings.title(kind, items)
    return "What is still used" if leads.all_used(items) else "What needs renewal"


def _covered(item: DigestItem, frame: Frame) -> ItemView:
    return views.covered(item.tenant, item.notice.credential, item.notice.successor, frame)


def _guides(
    kind: MailKind, items: Sequence[DigestItem], frame: Frame, *, file: str
) -> tuple[Guide, ...]:
    if kind in _TURNS:
        return closings.steps(kind, items)
    if kind is not MailKind.COVERED:
        found = leads.shared_guides(items, few=CARDS)
        return found if len(items) <= CARDS else leads.with_forms(found, items, frame, file=file)
    word = words.kind_word(items[0].notice.credential.kind)
    same = len({item.notice.credential.kind for item in items}) == 1
    return (Guide("covered", "", guides.covered_steps(word if same else "one")),)


def _aside(
    kind: MailKind,
    items: Sequence[DigestItem],
    covered: Sequence[Covered],
    still_lapsed: Sequence[tuple[Tenant, Credential]],
    frame: Frame,
    cap: int,
) -> tuple[Section, ...]:
    noticed = [item for item in items if item.notice.kind is MailKind.COVERED]
    told = {(item.tenant.name, item.notice.credential.uid) for item in noticed}
    newer = [] if kind is MailKind.COVERED else [_covered(item, frame) for item in noticed]
    newer += [
        views.covered(tenant, old, new, frame)
        for tenant, old, new in covered
        if (tenant.name, old.uid) not in told
    ]
    lapsed = [views.still_lapsed(*pair, frame) for pair in still_lapsed]
    over = [item for item in items if item.notice.kind in CLOSINGS and kind not in CLOSINGS]
    done = [views.over(item, frame) for item in over]
    sections = (
        section(*closings.beside(over), done, cap),
        section("Still lapsed", "These get no reminder of their own any more.", lapsed, cap),
        section(
            "Covered by a newer one", "Make sure that everything uses the newer one.", newer, cap
        ),
    )
    return tuple(part for part in sections if part.items)


def _foot(kind: MailKind, items: Sequence[DigestItem], frame: Frame) -> tuple[str, ...]:
    where = words.defang(place(items))
    first = "Already renewed? The next scan sees it, and the reminders end."
    if leads.all_used(items):
        first = "Once the old one is deleted, the next scan sees it, and the reminders end."
    if all(item.notice.credential.kind is Kind.ITEM for item in items):
        first = "Already renewed? Once Lapsewatch knows the new end, the reminders end."
    if kind in _TURNS:
        first = closings.foot(kind, items)
    if kind is MailKind.COVERED:
        first = "There is no further reminder of an old one while a newer one is in place."
    these = "this" if len(items) == 1 else "these"
    why = f"was warned about {these}" if kind in CLOSINGS else f"receives the warnings for {where}"
    foot = [first, f"You get this mail because {words.address(frame.recipient)} {why}."]
    if frame.next_run is not None and kind not in (MailKind.WELCOME, *CLOSINGS):
        run = words.long_date(frame.next_run, frame.zone)
        foot.append(f"The next mail can come on {run}, if something new is due.")
    if frame.ignored:
        many = "1 credential is" if frame.ignored == 1 else f"{frame.ignored} credentials are"
        foot.append(f"{many} ignored by rule.")
    return tuple(foot)


# --- order and counting ---------------------------------------------------------------------------


def digest_kind(items: Sequence[DigestItem]) -> MailKind:
    """The kind of a digest: that of its gravest notice."""
    if any(is_lapsed(item.notice) for item in items):
        return MailKind.LAPSED
    kinds = {item.notice.kind for item in items}
    # A mail about what should not be there has nothing else in it.
    order = (MailKind.REMINDER, MailKind.UNEXPECTED, MailKind.COVERED, MailKind.RENEWED)
    return next((kind for kind in order if kind in kinds), MailKind.REMOVED)


def gravest_first(items: Sequence[DigestItem]) -> list[DigestItem]:
    """By severity; then what lapsed, the newest first, and what ends, the soonest first; by name.

    What broke yesterday is news; what has been broken for weeks was told before.
    """

    def order(item: DigestItem) -> tuple[object, ...]:
        one = item.notice.credential
        grave = severity(one, item.notice.successor)
        end = one.end.timestamp() if one.end else 0.0
        due = (1, end) if not is_lapsed(item.notice) else (0, -end)
        name = firsts.by_number(one.app_name)
        return grave, one.end is None, *due, item.tenant.name, name, one.uid

    return sorted(items, key=order)


# --- the headline --------------------------------------------------------------------------------


def headline(kind: MailKind, items: Sequence[DigestItem], frame: Frame) -> Headline:
    """The headline of a digest; `items` are its main ones, gravest first."""
    # The subject of LAPSED speaks of what has lapsed, and only counts the rest.
    lead = [item for item in items if kind is not MailKind.LAPSED or is_lapsed(item.notice)]
    notice = lead[0].notice
    soonest = min((item.notice for item in lead), key=lambda each: each.days_left)
    due = [item for item in items if not is_lapsed(item.notice)]
    old, used = ("old ", ", still used") if notice.still_used else ("", "")
    return Headline(
        word=_WORDS.get(kind, "ACTION"),
        tone=closings.tone(kind, items) if kind in _TURNS else tone(kind, soonest),
        verdict=_verdict(kind, items, frame),
        action=_action(kind, items, frame),
        app=words.plain(notice.credential.app_name) or "(no name)",
        kind=old + words.thing(notice.credential),
        ending=closings.ending(lead, frame)
        if kind in _TURNS
        else firsts.ending(lead[0], frame) + used,
        short_date=_short_date(notice, frame),
        counted=_counted(kind, lead, frame),
        need="are still used after renewal" if leads.all_used(lead) else "need renewal",
        first=words.relative_days(soonest.days_left),
        soon=firsts.subject(lead, frame),
        since=firsts.since(lead, frame),
        today=firsts.ends_today(due, frame),
        rest=len(items) - len(lead),
        where=place(items),
        single=len(lead) == 1,
    )


def tone(kind: MailKind, notice: Notice) -> str:
    """The colour of the banner; the word beside it says the same."""
    calm = {MailKind.COVERED: "good", MailKind.WELCOME: "calm"}
    return calm.get(kind) or TONES[words.state_word(notice.stage, notice.days_left)]


def place(items: Sequence[DigestItem]) -> str:
    """The tenant's name, or how many tenants there are."""
    names = {item.tenant.name for item in items}
    return words.plain(min(names), 40) if len(names) == 1 else f"{len(names)} tenants"


def _short_date(notice: Notice, frame: Frame) -> str:
    if notice.credential.end is None:
        return "no end date"
    today = words.local(frame.now, frame.zone).date()
    return words.short_day(words.local(notice.credential.end, frame.zone).date(), today)


def _counted(kind: MailKind, items: Sequence[DigestItem], frame: Frame) -> str:
    if kind is MailKind.WELCOME:
        return welcomes.subject(items, frame)
    if kind in _TURNS:
        return closings.counted(kind, items)
    return words.counted([item.notice.credential.kind for item in items])


def _verdict(kind: MailKind, items: Sequence[DigestItem], frame: Frame) -> str:
    if kind in _TURNS:
        return closings.verdict(kind, items, place(items), frame)
    if kind is MailKind.WELCOME:
        return welcomes.verdict(items, place(items), frame)
    if kind is MailKind.LAPSED:
        lapsed = [item for item in items if is_lapsed(item.notice)]
        due = [item for item in items if not is_lapsed(item.notice)]
        return _lapsed(lapsed, place(lapsed), frame) + firsts.others(due, frame)
    return _one(kind, items[0], frame) if len(items) == 1 else _many(kind, items, frame)


def _lapsed(items: Sequence[DigestItem], where: str, frame: Frame) -> str:
    if len(items) == 1:
        return _one(MailKind.LAPSED, items[0], frame)
    told = words.counted([item.notice.credential.kind for item in items])
    return f"{told} in {words.defang(where)} {firsts.expired(items, frame)}."


def _one(kind: MailKind, item: DigestItem, frame: Frame) -> str:
    notice, word = item.notice, words.thing(item.notice.credential)
    app = words.defang(notice.credential.app_name) or "(no name)"
    what = f'{word} of "{app}" in {words.defang(item.tenant.name)}'
    if kind is MailKind.COVERED:
        return (
            f"The old {what} ends {words.relative_days(notice.days_left)}. A newer one is in place."
        )
    if notice.still_used:
        return f"The old {what} is still used, and ends {words.relative_days(notice.days_left)}."
    if kind is MailKind.LAPSED:
        return f"The {what} {firsts.expired([item], frame)}."
    return f"The {what} expires {firsts.when([item], frame)}."


def _many(kind: MailKind, items: Sequence[DigestItem], frame: Frame) -> str:
    where = words.defang(place(items))
    counted = _counted(kind, items, frame)
    if kind is MailKind.COVERED:
        return (
            f"{counted} in {where} end soon, {firsts.first(items, frame)}. Newer ones are in place."
        )
    if leads.all_used(items):
        first = firsts.sentence(items, frame, ("ends", "end"))
        return f"{counted} in {where} are still used after their renewal. {first}"
    first = firsts.sentence(items, frame, ("expires", "expire"))
    return f"{counted} in {where} need renewal. {first}"


def _action(kind: MailKind, items: Sequence[DigestItem], frame: Frame) -> str:
    if kind is MailKind.WELCOME:
        return welcomes.quiet_until(items, frame)
    if kind in _TURNS:
        return closings.action(kind, items)
    it, one = ("it", "the old one") if len(items) == 1 else ("them", "the old ones")
    if kind is MailKind.COVERED:
        return f"Make sure that nothing uses {one} any more, then delete {it}."
    if leads.all_used(items):
        return f"Find what uses {one}, give it the newer one before the end, then delete {one}."
    when = "now" if kind is MailKind.LAPSED else "before the end"
    if all(item.notice.credential.own for item in items):
        return f"Renew {it} {when}, and put the new value into Lapsewatch."
    return f"Renew {it} {when}, or delete what nobody uses."
