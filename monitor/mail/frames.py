"""What the views of mails are made of: the notice, the facts, and what it all is seen from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.mail import words
from monitor.mail.renewals import Command
from monitor.model import Cloud, Note, Notice, Tenant
from monitor.model.acts import HandOver


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
    """One credential in a digest; `commands` make its successor.

    `rest` is what a line has to say beside what it is and when: there is no room for its facts.
    """

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
    rest: str = ""


@dataclass(frozen=True, slots=True)
class BlindView:
    """A tenant whose facts are old."""

    tenant: str
    as_of: str
    problem: str


@dataclass(frozen=True, slots=True)
class UnreadView:
    """What holds for all tenants whose facts are old: what this means, and what to do."""

    told: str
    step: str


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
