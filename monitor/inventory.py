"""Which note is about which credential. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from monitor.model import Credential, Note


class Notes:
    """The notes there are; of several that fit, the one that says most exactly what it is about.

    Args:
        notes: of any tenants.
    """

    def __init__(self, notes: Iterable[Note] = ()) -> None:
        self._exact: dict[tuple[str, str], list[Note]] = defaultdict(list)
        self._patterns: dict[str, list[tuple[re.Pattern[str], Note]]] = defaultdict(list)
        for note in notes:
            named = note.app.casefold()
            if "*" in named:
                self._patterns[note.tenant].append((_pattern(named), note))
            else:
                self._exact[note.tenant, named].append(note)

    def of(self, credential: Credential) -> Note | None:
        """The note about a credential, if there is one."""
        tenant, name = credential.tenant, credential.app_name.casefold()
        found = [*self._exact.get((tenant, name), ())]
        if credential.app_id:
            found += self._exact.get((tenant, credential.app_id.casefold()), ())
        found += [note for pattern, note in self._patterns[tenant] if pattern.fullmatch(name)]
        fits = [note for note in found if _fits(note, credential)]
        return max(fits, key=lambda note: _weight(note, credential), default=None)


def _pattern(named: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, re.split(r"\*+", named))), re.DOTALL)


def _fits(note: Note, credential: Credential) -> bool:
    if note.kind is not None and note.kind is not credential.kind:
        return False
    return note.key_id is None or note.key_id.casefold() == (credential.key_id or "").casefold()


def _weight(note: Note, credential: Credential) -> tuple[bool, bool, bool, bool, int, str]:
    by_id = note.app.casefold() == (credential.app_id or "").casefold()
    exact, kind = "*" not in note.app, note.kind is not None
    return note.key_id is not None, by_id, exact, kind, len(note.app), note.slot
