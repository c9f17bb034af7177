"""The seam to msgraph-sdk: one shared HTTP client, and requests whose answers stay raw bytes.

Importing this module loads msgraph, kiota and httpx (about half a second): `graph` does so in
a thread, at the first scan.
"""

from __future__ import annotations

import os
import ssl
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from kiota_abstractions.authentication import AnonymousAuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_abstractions.request_option import RequestOption
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from kiota_http.kiota_client_factory import KiotaClientFactory
from kiota_http.middleware import BaseMiddleware
from kiota_http.middleware.options import (
    RedirectHandlerOption,
    ResponseHandlerOption,
    RetryHandlerOption,
)
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory  # type: ignore[import-untyped]  # has no stubs

from monitor.entra.failures import graph_error
from monitor.entra.network import is_loopback

CONNECTIONS = 64
MAX_BODY = 32 * 1024 * 1024  # bytes on the wire; a page of 999 applications has some 2 million
KIOTA_RETRIES = 3
_OPTIONS_KEY = "kiota_request_options"
_CALL_KEY = "lapsewatch_call"
_FAR = timedelta(days=3650)


@dataclass(slots=True)
class Ledger:
    """What one scan's calls came to: statuses, request ids, the server's clock."""

    calls: Counter[str] = field(default_factory=Counter)
    request_ids: deque[str] = field(default_factory=lambda: deque(maxlen=5))
    server_date: datetime | None = None

    def record(self, response: httpx.Response) -> None:
        """Count one response, whatever becomes of it."""
        self.calls[str(response.status_code)] += 1
        if request_id := response.headers.get("request-id"):
            self.request_ids.append(request_id[:64])
        if date := http_date(response.headers.get("date")):
            self.server_date = date


class CallOption(RequestOption):
    """What our own middleware needs to know of a request.

    Args:
        ledger: counts the responses.
        may_wait: whether so many seconds still fit into the tenant's deadline.
        now: the clock, to say until when the server asks to wait.
    """

    def __init__(
        self, ledger: Ledger, may_wait: Callable[[float], bool], now: Callable[[], datetime]
    ) -> None:
        self.ledger = ledger
        self.may_wait = may_wait
        self.now = now
        self.sent = 0

    @staticmethod
    def get_key() -> str:
        """The name the SDK files the option under."""
        return "LapsewatchCall"


class CallKeeper(BaseMiddleware):
    """Sits between the SDK's retries and the wire, so that it sees every single response."""

    async def send(
        self, request: httpx.Request, transport: httpx.AsyncBaseTransport
    ) -> httpx.Response:
        """Count the response and refuse waits that do not fit (kiota's own have no limit)."""
        # The SDK drops its options at the first send, so that a retry would not find ours.
        if _CALL_KEY not in request.extensions:
            request.extensions[_CALL_KEY] = request.extensions[_OPTIONS_KEY][CallOption.get_key()]
        call: CallOption = request.extensions[_CALL_KEY]
        call.sent += 1
        response = await super().send(request, transport)
        call.ledger.record(response)
        # httpx would keep one tenant's cookies and send them with another's requests.
        response.headers.pop("set-cookie", None)
        if response.status_code in (429, 503, 504):
            await _check_wait(response, call)
        if not isinstance(response.stream, httpx.AsyncByteStream):  # pragma: no cover
            raise TypeError("an async transport gave a sync stream")
        response.stream = _Capped(response.stream)
        return response


class _Capped(httpx.AsyncByteStream):
    """A body that ends with an error instead of filling the memory."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_BODY:
                # Not `malformed_page`, which would be asked for again.
                raise graph_error("scan_incomplete", f"A page has more than {MAX_BODY} bytes.")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _check_wait(response: httpx.Response, call: CallOption) -> None:
    """Make Retry-After plain seconds for kiota, and end the scan where they do not fit.

    A date is counted from the server's own clock, as ours may be off.
    """
    seconds = retry_after(response)
    if seconds is None:
        return
    if not call.may_wait(seconds):
        status = response.status_code
        await response.aclose()
        until = call.now() + min(timedelta(seconds=min(seconds, 1e9)), _FAR)
        raise graph_error(
            "throttled",
            f"Graph answered {status} and asks to wait {seconds:.0f} s, until "
            f"{until:%Y-%m-%d %H:%M:%S} UTC, which does not fit into this scan.",
            evidence=f"Retry-After: {response.headers.get('retry-after', '')}",
        )
    response.headers["retry-after"] = str(max(0, round(seconds + 0.499)))


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait, from a number or a date; None without either."""
    text = (response.headers.get("retry-after") or "").split(",")[0].strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    until = http_date(response.headers.get("retry-after"))
    if until is None:
        return None
    since = http_date(response.headers.get("date")) or datetime.now(until.tzinfo)
    return max(0.0, (until - since).total_seconds())


def http_date(text: str | None) -> datetime | None:
    """The instant of an HTTP date, or None where it is none."""
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo is not None else None


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """What to trust: one CA file, or the system's where there is none.

    Raises:
        OSError: the file is missing or holds no certificate.
    """
    if ca_file is not None and not os.path.isfile(ca_file):
        raise FileNotFoundError(ca_file)  # a named pipe would be waited for
    return ssl.create_default_context(cafile=ca_file)


@dataclass(frozen=True, slots=True)
class SharedClient:
    """An HTTP client with the SDK's middleware, and the connections below it."""

    http: httpx.AsyncClient
    transport: AiohttpTransport

    async def close(self) -> None:
        """Close the connections (the SDK's own transport forgets those below it)."""
        await self.http.aclose()
        await self.transport.aclose()


def open_client(
    context: ssl.SSLContext, *, address: str, connect: float, read: float
) -> SharedClient:
    """The HTTP client that all tenants of a cloud share: one pool and one TLS context.

    Args:
        context: from `tls_context`.
        address: of Graph; before this machine's own no proxy is used.
        connect: seconds.
        read: seconds between two pieces of an answer.
    """

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=not is_loopback(address),
        )

    transport = AiohttpTransport(verify=context, client=session)
    client = httpx.AsyncClient(
        transport=transport,
        # aiohttp looks the name up within `pool`; within `connect` it only opens the socket.
        timeout=httpx.Timeout(read, connect=connect, pool=2 * connect),
        follow_redirects=False,
        trust_env=False,
    )
    middleware = KiotaClientFactory.get_default_middleware(
        # A redirect would carry the token to wherever it points.
        {RedirectHandlerOption.get_key(): RedirectHandlerOption(should_redirect=False)}
    )
    GraphClientFactory.create_with_custom_middleware([*middleware, CallKeeper()], client=client)
    return SharedClient(client, transport)


def graph_for(client: SharedClient, credential: Any, scope: str, base_url: str) -> Any:
    """msgraph's request builders for one tenant.

    Args:
        client: from `open_client`.
        credential: gives the tokens; they go to the host of `base_url` and to no other.
        scope: of the token.
        base_url: with the version, such as https://graph.microsoft.com/v1.0.
    """
    host = urlsplit(base_url).hostname or ""
    provider = AzureIdentityAuthenticationProvider(credential, scopes=[scope], allowed_hosts=[host])
    adapter = GraphRequestAdapter(provider, client=client.http)
    adapter.base_url = base_url
    return GraphServiceClient(request_adapter=adapter)


def configuration(
    builder: Any,
    call: CallOption,
    *,
    retries: int,
    select: Sequence[str] = (),
    expand: Sequence[str] = (),
    top: int | None = None,
) -> Any:
    """How one request is sent: raw answer, low priority, so many retries by the SDK.

    Args:
        builder: the request builder; it knows its query parameters.
        call: counts the responses.
        retries: of 429, 503 and 504 by the SDK.
        select: of the query; together with `expand` and `top` empty for a nextLink.
    """
    query = None
    if select or expand or top:
        given = {"select": list(select) or None, "expand": list(expand) or None, "top": top}
        query = _query_type(builder)(**given)
    found: Any = RequestConfiguration(
        query_parameters=query,
        options=[
            ResponseHandlerOption(NativeResponseHandler()),
            RetryHandlerOption(delay=0.5, max_retries=max(0, min(retries, KIOTA_RETRIES))),
            call,
        ],
    )
    found.headers.add("x-ms-throttle-priority", "Low")
    return found


def _query_type(builder: Any) -> Any:
    name = type(builder).__name__
    return getattr(type(builder), f"{name}GetQueryParameters")


def load_builders() -> None:
    """Make the SDK import what it imports at the first use, which would block the event loop."""
    from msgraph.generated.models import (  # noqa: F401
        application_collection_response,
        directory_object_collection_response,
        federated_identity_credential_collection_response,
        service_principal_collection_response,
    )
    from msgraph.generated.models.o_data_errors import o_data_error  # noqa: F401

    nowhere = httpx.AsyncClient(transport=httpx.AsyncBaseTransport(), trust_env=False)
    graph = GraphServiceClient(
        request_adapter=GraphRequestAdapter(AnonymousAuthenticationProvider(), client=nowhere)
    )
    app = graph.applications.by_application_id("0")
    principal = graph.service_principals.by_service_principal_id("0")
    _ = (app.owners, app.federated_identity_credentials, principal.owners)


def load_partner_builders() -> None:
    """The same for what only a partner's directory is asked; costs nothing the second time."""
    from msgraph.generated.contracts import contracts_request_builder  # noqa: F401
    from msgraph.generated.models import (  # noqa: F401
        contract_collection_response,
        delegated_admin_customer_collection_response,
        delegated_admin_relationship_collection_response,
    )
    from msgraph.generated.tenant_relationships import (  # noqa: F401
        tenant_relationships_request_builder,
    )
    from msgraph.generated.tenant_relationships.delegated_admin_customers import (  # noqa: F401
        delegated_admin_customers_request_builder,
    )
    from msgraph.generated.tenant_relationships.delegated_admin_relationships import (  # noqa: F401
        delegated_admin_relationships_request_builder,
    )
