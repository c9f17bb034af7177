"""What to do about a cause, from the same vocabulary that `lapsewatch diagnose` uses."""

from __future__ import annotations

import shlex
from functools import lru_cache

from monitor import diagnose
from monitor.diagnose import Cause
from monitor.export import visible
from monitor.rulebooks import built_in

LONGEST_NAME = 100  # a longer one is not for typing; all tenants are read instead


def known_cause(cause: str | None) -> Cause | None:
    """Look up what the vocabulary says; None for a cause that says nothing by itself."""
    if cause in (None, "", "ok", diagnose.UNKNOWN):
        return None
    return _causes().get(cause)


def rescan_command(tenant: str) -> str:
    """Write the command that reads one tenant again, safe to paste whatever its name is."""
    if len(tenant) > LONGEST_NAME:
        return "lapsewatch run scan"
    return f"lapsewatch run scan --tenant {shlex.quote(visible(tenant))}"


@lru_cache(maxsize=1)
def _causes() -> dict[str, Cause]:
    return dict(built_in().causes)
