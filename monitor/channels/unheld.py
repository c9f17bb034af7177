"""Channels that keep nothing open between mails."""

from __future__ import annotations

from typing import Self


class Unheld:
    """What is entered and left without a connection: each mail makes its own."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is kept open."""
