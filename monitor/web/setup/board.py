"""What the set-up pages remember between two requests, and the turns of requests that meet."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")
NOTES = 200
PATIENCE = 90.0  # seconds that a request waits for the one before it


class Board:
    """Notes for the next page, by tenant: what was found. The oldest go; a restart forgets all.

    Safe in several threads. A note that is gone costs one look more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: OrderedDict[tuple[type, str], object] = OrderedDict()

    def put(self, name: str, note: object) -> None:
        """Pin a note, in place of the one of that kind."""
        with self._lock:
            self._notes[type(note), name] = note
            self._notes.move_to_end((type(note), name))
            while len(self._notes) > NOTES:
                self._notes.popitem(last=False)

    def get(self, name: str, kind: type[_T]) -> _T | None:
        """Read a note."""
        with self._lock:
            found = self._notes.get((kind, name))
        return found if isinstance(found, kind) else None

    def take_down(self, name: str, kind: type) -> None:
        """Remove a note, if there is one."""
        with self._lock:
            self._notes.pop((kind, name), None)


class Busy(Exception):  # noqa: N818 (an answer, not a fault)
    """Another request is at the same set-up."""


class Turns:
    """Lets one request at a time change a set-up, so that none works on what another changed."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._guard = threading.Lock()
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._waiting: defaultdict[str, int] = defaultdict(int)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """The turn of one request.

        Raises:
            Busy: the one before it takes too long.
        """
        with self._guard:
            turn = self._turns[name]
            self._waiting[name] += 1
        try:
            if not turn.acquire(timeout=self._patience):
                raise Busy
            try:
                yield
            finally:
                turn.release()
        finally:
            with self._guard:
                self._waiting[name] -= 1
                if not self._waiting[name]:
                    del self._waiting[name], self._turns[name]
