"""Tries whether canaries can be looked for, by looking for one that nobody sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from monitor.errors import LapsewatchError, RemoteError
from monitor.model import Copy
from monitor.senders import OAuthSender

if TYPE_CHECKING:
    from monitor.doctor.gather import Ways
    from monitor.entra.graph import GraphReader

NOBODYS = "lapsewatch-doctor"


async def try_read_back(reader: GraphReader, sender: OAuthSender, ways: Ways) -> RemoteError | None:
    """Why nobody can look for this sender's canaries; None where somebody can.

    Args:
        reader: the door to Graph.
        sender: whose canaries; it says how they are looked for.
        ways: the doors.
    """
    from monitor.entra.mailbox import Wanted

    read_back = sender.arrival
    if read_back is None:
        return None
    if read_back.problem:
        return RemoteError(read_back.problem, cause="unknown", permanent=True)
    try:
        value = await asyncio.to_thread(ways.credential, read_back.credential)
        for address in sender.canary_to:
            copy = Copy(NOBODYS, address, f"<{NOBODYS}@lapsewatch.invalid>", ways.clock())
            await reader.find_mail(read_back, value, Wanted(copy, f"[{NOBODYS}]"), now=ways.clock)
    except RemoteError as error:
        return error
    except LapsewatchError as error:
        return RemoteError(error.message, cause="secret_missing", remedy=error.remedy)
    return None
