"""The rows of a report: each tenant by the worst that is known of it, and each blind spot. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

from monitor.mail import words
from monitor.mail.tallies import count, named, need, path_word, state_word
from monitor.mail.words import Piece
from monitor.model import BlindSpot, CanaryResult, CredentialState, TenantState
from monitor.status import CanaryRow, CredentialRow, TenantRow
from monitor.weekly import Weekly

_NAMED = 5  # credentials that one row names
_TONES = ("lapsed", "critical", "warning", "calm", "good")  # the worst first
_STATES = (TenantState.UNKNOWN, TenantState.STALE, TenantState.PENDING)
_STATE_TONES = dict(zip(_STATES, ("lapsed", "warning", "calm"), strict=True))
_WORST = (CredentialState.LAPSED, CredentialState.CRITICAL, CredentialState.WARNING)
_FINE = 99  # the place of a tenant with nothing to do
_COMMAND = re.compile(r"(?<!`)lapsewatch .*")
# Letters that a mail program makes no link of, and a shell no sense; see `pasting`.
_TYPED = re.compile(
    r"--[a-z-]+|'\(operator\)'|(?!www\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class RowView:
    """One tenant, or one blind spot: a name, a word for its state, and what is to be said.

    `todo` is what to do, with its command apart; `fine`: there is nothing to do.
    """

    name: str
    state: str
    tone: str
    lines: tuple[str, ...]
    todo: tuple[Piece, ...] = ()
    fine: bool = False

    @property
    def said(self) -> str:
        """All of it in one line, but for what to do."""
        return f"{self.name}: {self.state}; {' '.join(self.lines)}"

    @property
    def brief(self) -> str:
        """All of it in one line; what is to be typed keeps its backticks where text follows."""
        if not self.todo:
            return self.said
        last = len(self.todo) - 1
        parts = [
            (" " if piece.spaced else "")
            + (f"`{piece.text}`" if piece.code and place < last else piece.text)
            for place, piece in enumerate(self.todo)
        ]
        return f"{self.said} To do: {''.join(parts)}"


@dataclass(frozen=True, slots=True)
class RowsView:
    """Rows in full, and a line for each of the others; `lines` are those the HTML has room for."""

    items: tuple[RowView, ...]
    rest: tuple[RowView, ...]
    lines: int

    @property
    def more(self) -> int:
        """How many are not shown in full."""
        return len(self.rest)


def rows(found: Sequence[RowView], shown: int, lines: int | None) -> RowsView:
    """Rows, those with nothing to do last; `lines` None: so many lines as have something to do."""
    if lines is None:
        lines = max(sum(not row.fine for row in found) - shown, 0)
    return RowsView(tuple(found[:shown]), tuple(found[shown:]), lines)


# --- tenants --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is known of one tenant."""

    row: TenantRow
    action: tuple[CredentialRow, ...]  # the most urgent first; of what has lapsed, the newest
    path: CanaryRow | None
    spots: int
    next_end: datetime | None
    now: datetime

    @property
    def worst(self) -> CredentialState | None:
        """The worst state of what needs action; a superseded one in use is a warning."""
        states = {row.state for row in self.action}
        found = next((state for state in _WORST if state in states), None)
        return found or (CredentialState.WARNING if self.action else None)

    @property
    def path_fails(self) -> bool:
        """Whether its last test mail failed."""
        return self.path is not None and self.path.result is CanaryResult.FAILED

    @property
    def place(self) -> tuple[int, float]:
        """Lapsed first, then what needs action, failing paths, and what is not read or blind."""
        if self.worst is not None:
            end = self.action[0].credential.end
            away = abs((end - self.now).total_seconds()) if end else 0
            return (0 if self.worst is CredentialState.LAPSED else 1, away)
        if self.path_fails:
            return 2, 0
        if self.row.state in _STATES:
            return 3 + _STATES.index(self.row.state), 0
        blind = self.spots or (self.path and path_word(self.path) != "ok")
        return (6 if blind or self.row.state is not TenantState.OK else _FINE), 0

    @property
    def fine(self) -> bool:
        """Whether there is nothing to do about it."""
        return self.place[0] == _FINE

    @property
    def badge(self) -> tuple[str, str]:
        """Words and tone: the state where it is not read, and the worst that is known of it."""
        state = self.row.state
        said = [] if state is TenantState.OK else [(str(state), _STATE_TONES.get(state, "calm"))]
        if self.worst is not None:
            said.append((str(self.worst), str(self.worst)))
        elif self.path_fails:
            said.append(("mail path failed", "critical"))
        elif not said:
            said.append(("ok", "good") if self.fine else (state_word(state), "warning"))
        tones = [tone for _, tone in said]
        return ", ".join(word for word, _ in said), min(tones, key=_TONES.index)


def tenants(told: Weekly, zone: ZoneInfo) -> list[RowView]:
    """A row for each tenant, by the worst that is known of it."""
    found = [(one, _tenant(one, zone)) for one in _standings(told)]
    found.sort(key=lambda pair: pair[0].place)
    return [view for _, view in found]


def _standings(told: Weekly) -> list[_Standing]:
    now, action = told.report.generated_at, _action(told)
    ends: dict[str, datetime] = {}
    for week in reversed(told.coming):
        for one in reversed(week.rows):
            ends[one.tenant.name] = one.credential.end or now
    paths = {row.tenant: row for row in told.report.canaries}
    spots = Counter(spot.tenant for spot in told.report.blind_spots)
    return [
        _Standing(row, tuple(action.get(name, ())), paths.get(name), spots[name],
                  ends.get(name), now)
        for row in told.report.tenants for name in [row.tenant.name]
    ]  # fmt: skip


def _action(told: Weekly) -> dict[str, list[CredentialRow]]:
    """What needs action by tenant: what has lapsed first, the newest of it before the others."""
    found: dict[str, list[CredentialRow]] = {}
    rows_, lapsed = told.report.action_rows, CredentialState.LAPSED  # the soonest end first
    over = [row for row in rows_ if row.state is lapsed]
    for row in [*reversed(over), *(row for row in rows_ if row.state is not lapsed)]:
        found.setdefault(row.tenant.name, []).append(row)
    return found


def _tenant(one: _Standing, zone: ZoneInfo) -> RowView:
    lines = [f"{_held(one, zone)}."]
    if one.next_end is not None:
        lines.append(f"Next end: {_day(one.next_end, zone)}.")
    lines.append(f"Mail path: {'no sender of its own' if not one.path else path_word(one.path)}.")
    if one.spots:
        lines.append(f"{count(one.spots, 'blind spot')}.")
    word, tone = one.badge
    return RowView(words.defang(one.row.tenant.name), word, tone, tuple(lines), fine=one.fine)


def _held(one: _Standing, zone: ZoneInfo) -> str:
    """What it has; of a tenant that is not read as it should be nobody can say: nothing to do."""
    row = one.row
    held = count(row.credentials, "credential")
    if row.last_complete is None:
        held = f"Never read in full: {held}" if row.credentials else "Never read"
    elif row.state is not TenantState.OK:
        held += f" as of {_day(row.last_complete, zone)}"
    lapsed = [each for each in one.action if each.state is CredentialState.LAPSED]
    soon = [each for each in one.action if each.state is not CredentialState.LAPSED]
    said = [f"{len(lapsed)} lapsed: {named(lapsed, _NAMED)}"] if lapsed else []
    if soon:
        more = need(len(soon)).replace(" ", " more ", 1) if lapsed else need(len(soon))
        said.append(f"{more}: {named(soon, _NAMED)}")
    if not said and row.state is TenantState.OK:
        said = ["nothing to do" if one.fine else "none needs action"]
    return ", ".join([held, "; ".join(said)] if said else [held])


# --- blind spots ----------------------------------------------------------------------------------


def blind(told: Weekly, zone: ZoneInfo) -> list[RowView]:
    """A row for each blind spot: what concerns all tenants first, then the gravest kind."""
    spots = sorted(told.report.blind_spots, key=lambda spot: spot.tenant is not None)
    return [_blind(spot, zone) for spot in spots]


def _blind(spot: BlindSpot, zone: ZoneInfo) -> RowView:
    lines = [words.defang(spot.words, words.EVIDENCE_CAP)]
    if spot.since is not None:
        lines.append(f"Since {_day(spot.since, zone)}.")
    name = words.defang(spot.tenant) if spot.tenant else "All tenants"
    kind = str(spot.kind).replace("_", " ")
    return RowView(name, kind, "warning", tuple(lines), _todo(spot.fix))


def _todo(fix: str) -> tuple[Piece, ...]:
    """What to do, with the command that it ends with, or that stands in backticks, apart."""
    found = _COMMAND.search(fix)
    if found is None:
        return tuple(words.pieces(words.defang(fix, words.EVIDENCE_CAP)))
    before = words.defang(fix[: found.start()].strip(), words.EVIDENCE_CAP)
    first = [Piece(before, code=False, spaced=False)] if before else []
    return (*first, Piece(_command(found[0]), code=True, spaced=bool(first)))


def _command(line: str) -> str:
    """A command as it is typed; a stand-in from where a shell or a mail reads it otherwise."""
    parts = line.split()
    typed = list(takewhile(_TYPED.fullmatch, parts))
    return " ".join(typed if len(typed) == len(parts) else [*typed, "NAME"])


def _day(instant: datetime, zone: ZoneInfo) -> str:
    return words.day(words.local(instant, zone).date())
