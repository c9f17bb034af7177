"""What makes one thread of mails that belong together: the ids that a mail refers to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from monitor.mail.views import DigestItem

REFERENCES = 10  # a thread needs few of them, and the header must stay short


def references(items: Sequence[DigestItem]) -> tuple[str, ...]:
    """One stable id per credential, so that its reminders make one thread."""
    seen = dict.fromkeys(
        reference(
            "cred", item.tenant.name, item.notice.credential.uid, life=item.notice.credential.life
        )
        for item in items
    )
    return tuple(seen)[:REFERENCES]


def reference(what: str, *scope: str, life: int | None = None) -> str:
    """The id of one thread: the same for the same `scope`, and it tells nobody what that is."""
    digest = hashlib.sha256("\0".join(scope).encode("utf-8", "replace")).hexdigest()[:16]
    return f"<{what}-{digest}{'' if life is None else f'.{life}'}@lapsewatch>"
