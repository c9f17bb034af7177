"""Links for the items of a mail: one token for each thing that its reader may do."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.mail.digests import gravest_first
from monitor.mail.views import ActionView, DigestItem
from monitor.model import Kind, MailKind, ObjectType
from monitor.model.acts import Action, Link
from monitor.store.links import digest_of

TOKEN_BYTES = 24  # 192 random bits; 128 would do
LABELS = {  # in the order in which a mail shows them
    Action.VERIFY: "Done: check now",
    Action.ACKNOWLEDGE: "Acknowledge",
    Action.SNOOZE: "Snooze",
    Action.HAND_OVER: "Not ours: hand over",
}
MOST = 25  # items with links in one mail; what follows them has a line only
SHOWN = (MailKind.REMINDER, MailKind.LAPSED)
READABLE = (ObjectType.APPLICATION, ObjectType.SERVICE_PRINCIPAL)

ItemKey = tuple[str, str]  # tenant and uid


@dataclass(slots=True)
class Offer:
    """The links of one mail: what its items show, and by token what the store is to keep."""

    views: dict[ItemKey, tuple[ActionView, ...]] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)

    def shown_in(self, text: str) -> tuple[Link, ...]:
        """The links that a text really shows: the others need not be kept."""
        return tuple(link for token, link in self.links.items() if token in text)


class LinkMaker:
    """Makes the links of mails.

    Args:
        address: of the page; the links are below its /a/.
        lasts: how long they can be used.
    """

    def __init__(self, address: str, lasts: timedelta) -> None:
        self._address = address.rstrip("/")
        self._lasts = lasts

    def offer(self, items: Sequence[DigestItem], recipient: str, now: datetime) -> Offer:
        """New links for the first of a mail's items, for this recipient alone.

        Args:
            items: in any order; what needs no renewal shows no links and gets none.
            recipient: who gets the mail.
            now: the instant, aware UTC.
        """
        made = Offer()
        # In the mail's order, so that the first it shows are the ones with links.
        warned = [item for item in gravest_first(items) if item.notice.kind in SHOWN]
        for item in warned[:MOST]:
            shown = []
            for action in possible(item):
                token = secrets.token_urlsafe(TOKEN_BYTES)
                made.links[token] = self._link(token, item, action, recipient, now)
                shown.append(ActionView(LABELS[action], f"{self._address}/a/{token}"))
            made.views[item.tenant.name, item.notice.credential.uid] = tuple(shown)
        return made

    def _link(
        self, token: str, item: DigestItem, action: Action, recipient: str, now: datetime
    ) -> Link:
        one = item.notice.credential
        return Link(
            digest=digest_of(token),
            tenant=item.tenant.name,
            uid=one.uid,
            life=one.life,
            action=action,
            recipient=recipient,
            made_at=now,
            expires_at=now + self._lasts,
        )


def possible(item: DigestItem) -> list[Action]:
    """What can be done about an item: only what Graph shows one by one can be looked at again."""
    one = item.notice.credential
    readable = one.object_type in READABLE and one.kind is not Kind.GDAP
    return [action for action in LABELS if readable or action is not Action.VERIFY]
