"""One HTTP request to whoever waits for the heartbeat."""

from __future__ import annotations

import asyncio

from monitor.errors import RemoteError
from monitor.log import hide

DEADLINE_S = 10.0


def ping(url: str, text: str | None = None, *, deadline_s: float = DEADLINE_S) -> None:
    """Ask for an address: GET, or POST where there is a text to hand over.

    Args:
        url: the address; it is a secret, and no error names it.
        text: what happened, for a failed cycle.
        deadline_s: for all of it, names and answer included.

    Raises:
        RemoteError: nobody answered in time, or the answer was not 2xx. A redirect is no answer.
    """
    import httpx  # takes its time, and most commands send no heartbeat

    try:
        status = asyncio.run(asyncio.wait_for(_answer(url, text), deadline_s))
    except TimeoutError:
        raise RemoteError(f"no answer within {deadline_s:g} s", cause="reply_timeout") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        seen = hide(str(error), [url, _secret_part(url)]).strip()
        why = f"no connection ({type(error).__name__}{f': {seen}' if seen else ''})"
        raise RemoteError(why, cause="unknown") from None
    if not 200 <= status < 300:
        more = ", and redirects are not followed" if 300 <= status < 400 else ""
        raise RemoteError(f"the answer was {status}{more}", cause="unknown")


def _secret_part(url: str) -> str:
    """What follows the host of an address: the part that is the secret."""
    return url.partition("://")[2].partition("/")[2]


async def _answer(url: str, text: str | None) -> int:
    import httpx

    async with httpx.AsyncClient(follow_redirects=False, timeout=None) as client:  # noqa: S113
        content = None if text is None else text.encode()
        method = "GET" if content is None else "POST"
        # The body is never read: it may be endless, and says nothing.
        async with client.stream(method, url, content=content) as answer:
            return answer.status_code
