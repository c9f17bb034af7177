"""Mails as people get them: with links to act, and two hundred of each kind in one mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from monitor.links import LinkMaker
from monitor.mail.views import ActionView
from monitor.model import Item, Kind, Mail, ObjectType, Sort
from monitor.render import DigestItem
from tests import mail_samples as sample
from tests.mail_nouns import ids
from tests.report_samples import crowd_report

MOST = 200


def linked(*items: DigestItem, **changes: object) -> Mail:
    """A digest whose items can be acted upon."""
    maker = LinkMaker("https://lapsewatch.msp.example", timedelta(days=14))
    offer = maker.offer(items, "it@contoso.example", sample.NOW)
    shown = {
        key: tuple(_settled(view, f"{number}-{n}") for n, view in enumerate(views))
        for number, (key, views) in enumerate(offer.views.items())
    }
    return sample.digest(*items, actions=shown, **changes)


def _settled(view: ActionView, number: str) -> ActionView:
    """With a token of the same length that is the same each time."""
    place, _, token = view.link.rpartition("/")
    return replace(view, link=f"{place}/{number.rjust(len(token), 'x')}")


def lapsed(count: int) -> list[DigestItem]:
    """So many that have ended, of every kind."""
    return [_later(one, -1 - number % 80) for number, one in enumerate(sample.many(count))]


def _later(one: DigestItem, days: int) -> DigestItem:
    found = one.notice.credential
    return sample.item(
        days, who=one.tenant, app_name=found.app_name, kind=found.kind,
        object_type=found.object_type, owners=found.owners, app_id=found.app_id,
        object_id=found.object_id, key_id=found.key_id,
    )  # fmt: skip


def covered(count: int) -> list[DigestItem]:
    """So many that newer ones took over from."""
    return [sample.covered_item(day % 8, app_name=_name(day), **ids(day)) for day in range(count)]


def removed(count: int) -> list[DigestItem]:
    """So many that are gone."""
    days = range(1, count + 1)
    return [sample.over_item(day, new=False, app_name=_name(day), **ids(day)) for day in days]


def still_used(count: int) -> list[DigestItem]:
    """So many old ones that are in use although newer ones are in place."""
    days = range(1, count + 1)
    return [sample.still_used_item(day % 8, app_name=_name(day), **ids(day)) for day in days]


def watched(count: int) -> list[DigestItem]:
    """So many dates that people keep, of every sort."""
    sorts = list(Sort)
    return [_kept(day, sorts[day % len(sorts)]) for day in range(1, count + 1)]


def _kept(day: int, sort: Sort) -> DigestItem:
    kept = Item("Contoso", f"{_name(day)}, kept", sort, used_by=("Intune",), where=("Intune",))
    about = sample.item(
        day, kind=Kind.ITEM, object_type=ObjectType.ITEM, object_id=kept.object_id, app_id=None,
        app_name=kept.name, name=kept.label, key_id=kept.object_id, owners=None,
    )  # fmt: skip
    return replace(about, note=kept.note)


def noted(items: Sequence[DigestItem]) -> list[DigestItem]:
    """The same, each with what somebody keeps about it."""
    return [replace(one, note=sample.note()) for one in items]


def _name(number: int) -> str:
    return sample.LONG_NAME if number % 5 == 4 else f"Line of business app {number}"


def every_crowd() -> Mapping[str, Mail]:
    """Each kind with links, and each with two hundred."""
    due = sample.many(MOST + 1)[1:]
    return {
        "reminder-one-links": linked(replace(sample.item(), note=sample.note())),
        "reminder-item-links": linked(sample.watched()),
        "reminder-five-links": linked(*noted(due[:5])),
        "lapsed-one-links": linked(sample.item(-1)),
        "unexpected-one-links": linked(sample.odd_item(app_name="Payroll")),
        "reminder-200-links": linked(*due),
        "reminder-200-noted": linked(*noted(due)),
        "reminder-200-items": linked(*watched(MOST)),
        "reminder-200-still-used": linked(*still_used(MOST)),
        "lapsed-200": linked(*lapsed(MOST)),
        "covered-200": sample.digest(*covered(MOST)),
        "renewed-200": sample.digest(*sample.many_turns(MOST)),
        "removed-200": sample.digest(*removed(MOST)),
        "unexpected-200": linked(*sample.many_turns(MOST, sample.odd_item)),
        "welcome-200": sample.welcome(*due),
        "storm-200": sample.storm(MOST),
        "storm-senders-200": sample.storm(0, senders=MOST),
        "storm-over-200": sample.calm(MOST),
        "mail-path-broken-200": sample.mail_path_broken(MOST),
        "report-200": crowd_report(MOST),
    }
