"""Faults that a story or a test asks for: what fails, where, how often, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatch
from threading import Lock

_COUNTING = Lock()


class Twist(StrEnum):
    """Ways in which an answer can be wrong although its status may say 200."""

    TRUNCATE = "truncate"  # whole by its Content-Length, but the JSON ends in the middle
    CLOSE = "close"  # the connection ends before the announced length
    DROP = "drop"  # the connection ends before the first byte
    HTML = "html"  # a portal's or proxy's page instead of JSON
    EMPTY_PAGE = "empty_page"  # no items, and a nextLink that goes on where it was
    EXTRA_PAGE = "extra_page"  # a nextLink after the last item; the page behind it is empty
    FOREIGN_NEXT = "foreign_next"  # nextLink to somebody else's host
    REPEAT_NEXT = "repeat_next"  # nextLink back to the page just read
    MALFORMED = "malformed"  # one more object, with fields of the wrong types
    DUPLICATE = "duplicate"  # the page's first object comes twice


@dataclass(slots=True)
class Fault:
    """An answer of Entra or Graph that goes wrong; `times` None means each time.

    `path` is a shell pattern on the path without version and query, for instance
    "/applications", "/applications/*/owners" or "/token".
    """

    path: str = "*"
    page: int | None = None
    times: int | None = None
    status: int | None = None
    code: str = "UnknownError"
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    delay: float = 0.0
    twist: Twist | None = None

    def fits(self, path: str, page: int | None) -> bool:
        """Whether this fault is meant for that call and has not been used up."""
        if self.times is not None and self.times < 1:
            return False
        if self.page is not None and self.page != page:
            return False
        return fnmatch(path, self.path)


@dataclass(slots=True)
class SmtpFault:
    """A stage of an SMTP dialogue that goes wrong.

    Stages: CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA (the verb) and END (of the data).
    A mailbox's faults begin with AUTH, because nobody knows the mailbox before.
    """

    stage: str
    reply: str | None = None
    times: int | None = None
    drop: bool = False
    delay: float = 0.0

    def fits(self, stage: str) -> bool:
        """Whether this fault is meant for that stage and has not been used up."""
        return self.stage == stage and (self.times is None or self.times > 0)


@dataclass(slots=True)
class Fate:
    """What becomes of mails to a tenant's mailboxes after they were accepted.

    Args:
        delay: until they are there.
        lost: they never are.
        junk: they are filed as junk.
        quarantined: they are held; a trace says so.
        rewritten: Graph shows another Message-ID than the one they were sent with.
    """

    delay: timedelta = timedelta(0)
    lost: bool = False
    junk: bool = False
    quarantined: bool = False
    rewritten: bool = False

    @property
    def status(self) -> str:
        """What a message trace says of them."""
        if self.quarantined:
            return "quarantined"
        if self.junk:
            return "filteredAsSpam"
        return "pending" if self.lost else "delivered"


def take_fault(faults: Iterable[Fault], path: str, page: int | None = None) -> Fault | None:
    """The first fault that fits, counted as used."""
    with _COUNTING:
        for fault in faults:
            if fault.fits(path, page):
                if fault.times is not None:
                    fault.times -= 1
                return fault
    return None


def take_smtp_fault(faults: Iterable[SmtpFault], stage: str) -> SmtpFault | None:
    """The first SMTP fault that fits, counted as used."""
    with _COUNTING:
        for fault in faults:
            if fault.fits(stage):
                if fault.times is not None:
                    fault.times -= 1
                return fault
    return None
