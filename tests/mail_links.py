"""The links to act that real mails have, the same each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from monitor.links import LinkMaker
from monitor.mail.views import ActionView
from monitor.render import DigestItem
from tests.mail_nouns import NOW


def actions(*items: DigestItem) -> Mapping[tuple[str, str], tuple[ActionView, ...]]:
    """What the reader of these may do about each."""
    maker = LinkMaker("https://lapsewatch.msp.example", timedelta(days=14))
    offer = maker.offer(items, "it@contoso.example", NOW)
    return {
        key: tuple(_settled(view, f"{number}-{n}") for n, view in enumerate(views))
        for number, (key, views) in enumerate(offer.views.items())
    }


def _settled(view: ActionView, number: str) -> ActionView:
    """With a token of the same length that is the same each time."""
    place, _, token = view.link.rpartition("/")
    return replace(view, link=f"{place}/{number.rjust(len(token), 'x')}")
