"""Values as words of a POSIX shell command: the only way that a value gets into one. Pure."""

from __future__ import annotations

import shlex

from monitor.powershell import checked


def word(value: object) -> str:
    """`value` as one word that every POSIX shell reads back as exactly this text.

    Nothing is expanded in it: no variable, no command, no history.

    Raises:
        UsageError: the value holds what no command may hold: control characters (line breaks and
            NUL among them), invisible characters, or a leading dash.
    """
    return shlex.quote(checked(value, "a shell command"))
