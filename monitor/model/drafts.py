"""A set-up on its way, and whether its test mail was seen to arrive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Arrival = Literal["arrived", "lost"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A tenant's guided set-up as far as it went: never a secret value, only references.

    `answers` are texts by question; `passed` names the steps that are done.
    """

    name: str
    answers: Mapping[str, str] = field(default_factory=dict)
    passed: tuple[str, ...] = ()

    def get(self, key: str) -> str:
        """An answer; empty where there is none yet."""
        return self.answers.get(key, "")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The question whether a sender's test mail arrived, and what somebody answered.

    A server's acceptance is no arrival, so a sender stays unconfirmed until somebody saw the mail.
    """

    tenant: str
    mailbox: str
    asked_at: datetime
    sent_to: str
    answer: Arrival | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None

    @property
    def words(self) -> str:
        """Why the sender is not confirmed; empty where it is."""
        if self.answer == "arrived":
            return ""
        if self.answer == "lost" and self.answered_at is not None:
            at = f"{self.answered_at:%Y-%m-%d %H:%M} UTC"
            return f"The server took the test mail, but {self.sent_to} did not get it (told {at})."
        then = f"lapsewatch tenant verify {self.tenant} --arrived"
        return f"Accepted; nobody has said yet that {self.sent_to} got it. If so: {then}"
