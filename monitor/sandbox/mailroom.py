"""The mails that the simulated Exchange has accepted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from functools import cached_property
from pathlib import Path
from threading import Lock


@dataclass(frozen=True)
class InboxMessage:
    """One accepted mail, as it came."""

    received_at: datetime
    auth_user: str  # the mailbox that authenticated; of a relay its user, or ""
    mail_from: str
    rcpt_to: tuple[str, ...]
    raw: bytes

    @cached_property
    def parsed(self) -> EmailMessage:
        """The mail as the standard library reads it."""
        return BytesParser(EmailMessage, policy=default).parsebytes(self.raw)

    def header(self, name: str) -> str | None:
        """A header, decoded; None where there is none."""
        value = self.parsed.get(name)
        return None if value is None else str(value)

    @property
    def subject(self) -> str:
        """The subject, or an empty text."""
        return self.header("Subject") or ""

    @property
    def message_id(self) -> str:
        """The Message-ID with its brackets, or an empty text."""
        return self.header("Message-ID") or ""

    def body(self, kind: str) -> str | None:
        """The text or the HTML part: `kind` is plain or html."""
        part = self.parsed.get_body(preferencelist=(kind,))
        return None if part is None else str(part.get_content())

    def as_json(self) -> str:
        """One line for a process that counts mails from outside."""
        return json.dumps(
            {
                "message_id": self.message_id,
                "subject": self.subject,
                "rcpt_to": list(self.rcpt_to),
                "auth_user": self.auth_user,
                "mail_from": self.mail_from,
                "date": self.header("Date"),
                "received_at": self.received_at.isoformat(),
            }
        )


class Inbox:
    """All accepted mails, in the order in which they came."""

    def __init__(self, journal: Path | None = None) -> None:
        self._messages: list[InboxMessage] = []
        self._journal = journal
        self._lock = Lock()

    @property
    def messages(self) -> list[InboxMessage]:
        """A snapshot, oldest first."""
        with self._lock:
            return list(self._messages)

    def add(self, message: InboxMessage) -> int:
        """Keep a mail, in the journal first: its line is out before the sender's 250."""
        with self._lock:
            if self._journal is not None:
                with self._journal.open("a", encoding="utf-8") as journal:
                    journal.write(message.as_json() + "\n")
            self._messages.append(message)
            return len(self._messages)

    def clear(self) -> None:
        """Forget all mails."""
        with self._lock:
            self._messages.clear()
