"""[[note]] and [[item]] of a tenants file: what people keep, checked row by row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, ValidationError, field_validator

from monitor.errors import ImportRowError
from monitor.fields import Guid, Host, Strict
from monitor.fields.problems import BIDI_OR_HIDDEN, explain_places, nearest, printable
from monitor.model import Item, Kind, Note, Sort, Tenant
from monitor.roster.rows import Row
from monitor.timetable import daily_instant

LINE, LINES = 200, 20  # letters of a line, lines of a list
_URL = re.compile(r"https://[\x21-\x7e]+")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]\s]+))(?::([0-9]{1,5}))?")
_LAST_SECOND = time(23, 59, 59)
Problem = tuple[str, str]


def _line(value: str) -> str:
    text = value.strip()
    if not 0 < len(text) <= LINE or not text.isprintable() or BIDI_OR_HIDDEN.search(text):
        raise ValueError(f"must be one line of plain text, at most {LINE} letters")
    return text


def _lines(value: Any) -> Any:
    listed = [value] if isinstance(value, str) else value
    if isinstance(listed, list | tuple) and len(listed) > LINES:
        raise ValueError(f"must be at most {LINES} lines")
    return listed


def _runbook(value: str) -> str:
    text = value.strip()
    wrong = ValueError("must be an https address, like https://wiki.contoso.example/renew")
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        raise wrong from None
    if not usable or len(text) > LINE or not _URL.fullmatch(text):
        raise wrong
    return text


def _server(value: Any) -> str:
    found = _HOST.fullmatch(str(value).strip())
    port = int(found[3] or 443) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError('must be a server and its port, like "mail.contoso.example:443"')
    if found[1]:
        return f"[{found[1]}]:{port}"
    name = _Named.model_validate({"host": found[2]}).host
    return f"{name}:{port}"


class _Named(Strict):
    host: Host


def _moment(value: Any) -> date | datetime:
    if isinstance(value, date):  # a datetime is one as well
        return value
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            return read(str(value).strip())
        except ValueError:
            continue
    raise ValueError("must be a date like 2027-03-01, or an instant like 2027-03-01T12:00:00Z")


Line = Annotated[str, AfterValidator(_line)]
Lines = Annotated[tuple[Line, ...], BeforeValidator(_lines)]
Runbook = Annotated[str, AfterValidator(_runbook)]
Server = Annotated[str, BeforeValidator(_server)]
Moment = Annotated[Any, BeforeValidator(_moment)]


class _Kept(Strict):
    """What both tables have."""

    tenant: str
    used_by: Lines = ()
    where: Lines = ()
    owner: Line | None = None
    runbook: Runbook | None = None
    remark: Line | None = None


class NoteTable(_Kept):
    """[[note]]: who uses a credential, and where its new value is entered."""

    app: Line
    kind: Kind | None = None
    key_id: Guid | None = None

    def noun(self, *, by_hand: bool = False) -> Note:
        """The note as the other rooms know it."""
        return Note(
            self.tenant, self.app, self.kind, self.key_id, self.used_by, self.where, self.owner,
            self.runbook, self.remark, by_hand,
        )  # fmt: skip


class ItemTable(_Kept):
    """[[item]]: a date that Graph cannot see."""

    name: Line
    sort: Sort = Sort.OTHER
    end: Moment | None = None
    host: Server | None = None
    starttls: Literal["smtp", "imap"] | None = None

    @field_validator("sort", mode="before")
    @classmethod
    def _one_of_the_sorts(cls, value: Any) -> Any:
        if value not in set(Sort):
            raise ValueError("must be " + ", ".join(f'"{sort}"' for sort in Sort))
        return value

    def problems(self) -> list[Problem]:
        """What its keys say together and cannot mean."""
        if (self.end is None) is (self.host is None):
            return [("end", "needs either end = a date, or host = the server that shows it")]
        if self.starttls and self.host is None:
            return [("starttls", "is for a host alone")]
        return []

    def noun(self, zone: ZoneInfo, *, by_hand: bool = False) -> Item:
        """The item as the other rooms know it; a date is over with its day in that zone."""
        return Item(
            self.tenant, self.name, self.sort, instant(self.end, zone), self.host, self.starttls,
            self.used_by, self.where, self.owner, self.runbook, self.remark, by_hand,
        )  # fmt: skip


def instant(moment: date | datetime | None, zone: ZoneInfo) -> datetime | None:
    """The instant (aware UTC) that an end means in a zone: a date is its day's last second."""
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        return daily_instant(moment, _LAST_SECOND, zone)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return aware.astimezone(UTC)


class InventoryReader:
    """Collects the good rows of one file.

    Args:
        tenants: those that the file or the store has, by name.
    """

    def __init__(self, tenants: Mapping[str, Tenant]) -> None:
        self._tenants = tenants
        self.notes: dict[tuple[str, str], tuple[Note, int]] = {}
        self.items: dict[tuple[str, str], tuple[Item, int]] = {}
        self.errors: list[ImportRowError] = []
        self.doubtful: set[str] = set()

    def note(self, row: Row) -> None:
        """Take one [[note]] row, or say why not."""
        try:
            table = NoteTable.model_validate(row.table)
        except ValidationError as error:
            self._refuse(row, explain_places(error, NoteTable))
            return
        found, problems = table.noun(), self._unknown(table.tenant)
        key = (found.tenant, found.slot)
        if key in self.notes:
            line = self.notes[key][1]
            problems.append(("app", f"app: the note in line {line} is about the same"))
        if problems:
            self._refuse(row, problems)
            return
        self.notes[key] = (found, row.line)

    def item(self, row: Row) -> None:
        """Take one [[item]] row, or say why not."""
        try:
            table = ItemTable.model_validate(row.table)
            problems = [(key, f"{key}: {told}") for key, told in table.problems()]
        except ValidationError as error:
            self._doubt(row)
            self._refuse(row, explain_places(error, ItemTable))
            return
        problems += self._unknown(table.tenant)
        key = (table.tenant, table.name)
        if key in self.items:
            problems.append(("name", f"name: is used in line {self.items[key][1]} already"))
        if problems:
            self._doubt(row)
            self._refuse(row, problems)
            return
        zone = ZoneInfo(self._tenants[table.tenant].time_zone)
        try:
            self.items[key] = (table.noun(zone), row.line)
        except (OverflowError, ValueError):
            self._doubt(row)
            self._refuse(row, [("end", "end: is a date that no calendar has")])

    def _unknown(self, name: str) -> list[Problem]:
        if name in self._tenants:
            return []
        near = nearest(name, self._tenants)
        hint = f'; did you mean "{near}"?' if near else ""
        return [("tenant", f'tenant: there is no tenant "{printable(name)}"{hint}')]

    def _doubt(self, row: Row) -> None:
        """Nothing is taken for gone of a tenant that a bad row may be about."""
        named = row.table.get("tenant")
        known = isinstance(named, str) and named in self._tenants
        self.doubtful |= {str(named)} if known else set(self._tenants)

    def _refuse(self, row: Row, problems: Sequence[Problem]) -> None:
        for path, told in problems:
            self.errors.append(ImportRowError(told, line=row.line_of(path), row=row.label))
