"""One answer of Graph: asked for again where that can help, checked, and explained if not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from monitor.entra.deadlines import TenantClock
from monitor.entra.failures import Diagnose, connection_words, graph_error, refused_by_graph
from monitor.errors import GraphError, RemoteError
from monitor.log import hide

if TYPE_CHECKING:
    import httpx

    from monitor.entra.sdk import CallOption, Ledger
    from monitor.entra.token_source import TokenSource

T = TypeVar("T")

TRIES = 3  # of ours for a page; the SDK's retries come on top
REQUESTS = 6  # for a page, with all retries of both
FIRST_WAIT_S = 0.5
_RETRIED_BY_SDK = (429, 503, 504)
_AGAIN = frozenset({"transient", "connect_timeout", "reply_timeout", "connect_refused",
                    "name_not_found", "malformed_page"})  # fmt: skip


class RefusedError(GraphError):
    """Graph answered with a status that is no success."""

    status = 0
    wait: float | None = None  # seconds that Retry-After asks for


class GraphCalls:
    """Sends the requests of one tenant's scan.

    Args:
        graph: msgraph's request builders for the tenant.
        tokens: asked for a new token after a 401.
        base_url: of the API, for messages and for judging links.
        ledger: counts every response.
        clock: the tenant's time.
        now: the time of day.
        diagnose: names the cause of a refusal.
    """

    def __init__(
        self,
        graph: Any,
        tokens: TokenSource,
        base_url: str,
        *,
        ledger: Ledger,
        clock: TenantClock,
        now: Callable[[], datetime],
        diagnose: Diagnose,
    ) -> None:
        self.graph = graph
        self.base_url = base_url
        self.clock = clock
        self.ledger = ledger
        self.now = now
        self._tokens = tokens
        self._diagnose = diagnose
        self._where = urlsplit(base_url).netloc
        self._renewed = False

    async def read(
        self,
        builder: Any,
        what: str,
        use: Callable[[bytes], Awaitable[T]],
        *,
        tries: int = TRIES,
        **query: Any,
    ) -> T:
        """Ask, and read the body of a success with `use`.

        Args:
            builder: msgraph's, for the address.
            what: is asked for, for messages.
            use: reads the body; its GraphError of cause `malformed_page` is worth another try.
            tries: how often at most.
            query: select, expand and top.

        Raises:
            GraphError: no answer that can be used.
            TokenError: no token.
        """
        from monitor.entra.sdk import CallOption

        sent = 0
        for attempt in range(1, tries + 1):
            call = CallOption(self.ledger, self.clock.fits, self.now)
            retries = REQUESTS - sent - 1 if tries > 1 else 1
            try:
                response = await self._send(builder, call, retries, query)
                if response.status_code != 200:
                    raise self._refusal(response, what)
                return await use(response.content)
            except GraphError as error:
                sent += call.sent
                if attempt == tries or sent >= REQUESTS or not await self._again(error, attempt):
                    raise
        raise AssertionError("unreachable")  # pragma: no cover

    def shown(self, text: str) -> str:
        """Remote words without the tokens that this tenant's calls carried."""
        return hide(text, self._tokens.known)

    async def _send(
        self, builder: Any, call: CallOption, retries: int, query: dict[str, Any]
    ) -> httpx.Response:
        """One call of the SDK, with its own retries."""
        from monitor.entra.sdk import configuration

        config = configuration(builder, call, retries=retries, **query)
        response: httpx.Response
        try:
            response = await builder.get(request_configuration=config)
        except RemoteError:
            raise
        except Exception as exc:  # the SDK passes on whatever its HTTP libraries raise
            known = self._tokens.known
            cause, message = connection_words(exc, self._where, known=known)
            # Not `from exc`: it may quote the request, and so would every traceback.
            raise graph_error(cause, message, evidence=hide(repr(exc), known)) from None
        return response

    def _refusal(self, response: httpx.Response, what: str) -> GraphError:
        from monitor.entra.sdk import retry_after

        found = refused_by_graph(
            response.status_code, response.content, what, self._diagnose, known=self._tokens.known
        )
        if response.is_success:
            return found  # a part of an answer, or a promise of one: worth another try
        error = RefusedError(
            found.message, cause=found.cause, stage=found.stage, evidence=found.evidence,
            permanent=found.permanent, remedy=found.remedy,
        )  # fmt: skip
        error.status = response.status_code
        error.wait = retry_after(response)
        return error

    async def _again(self, error: GraphError, attempt: int) -> bool:
        """Whether to try again, after the wait that this needs."""
        wait = FIRST_WAIT_S * 2 ** (attempt - 1)
        if isinstance(error, RefusedError):
            if error.status == 401 and not self._renewed:
                self._renewed = True
                await self._tokens.renew()
                return True
            asked = error.wait
            # The SDK has used its own tries, except where the wait was too long for it.
            if error.status in _RETRIED_BY_SDK and (asked is None or asked < 180):
                return False
            if error.status < 500 and error.status not in _RETRIED_BY_SDK:
                return False
            wait = max(wait, asked or 0.0)
        elif error.cause not in _AGAIN:
            return False
        if not self.clock.fits(wait):
            return False
        await asyncio.sleep(wait)
        return True
