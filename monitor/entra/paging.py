"""Every page of a collection, to the last one: nothing is lost silently, nothing runs for ever."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from monitor.entra.calls import GraphCalls
from monitor.entra.decode import Report, read_page
from monitor.entra.failures import brief, graph_error
from monitor.errors import GraphError

PAGE_SIZE = 999
SLICE_S = 0.005  # the event loop is never held longer by decoding
MAX_PAGES = 10_000
MAX_BARREN = 100  # pages in a row without a new object
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ODD = re.compile(r"[\x00-\x20\x7f-\uffff\\]")


class Listed(Protocol):
    """What a list is made of: something with an id of its own."""

    @property
    def object_id(self) -> str:
        """The id, by which one that comes twice is known."""


T = TypeVar("T", bound=Listed)


class Collection(Generic[T]):
    """Reads one collection of a tenant.

    Args:
        calls: of the tenant's scan.
        what: is read, in the plural, for messages.
        name: of the collection in addresses.
        decode: reads one object.
        turn: held while decoding, so that only one scan at a time holds the event loop.
        report: collects what was odd.
        join: makes one of two that have the same id.
    """

    def __init__(
        self,
        calls: GraphCalls,
        what: str,
        name: str,
        *,
        decode: Callable[[object, Report], T | None],
        turn: asyncio.Lock,
        report: Report,
        join: Callable[[T, T], T],
    ) -> None:
        self.objects: dict[str, T] = {}
        self.pages = 0
        self._calls = calls
        self._what = what
        self._name = name
        self._decode = decode
        self._turn = turn
        self._report = report
        self._join = join
        self._seen_links: set[str] = set()
        self._items = 0
        self._announced = 0
        self._twice = 0
        self._barren = 0

    async def read(
        self,
        builder: Any,
        select: Sequence[str],
        expand: Sequence[str] = (),
        *,
        top: int = PAGE_SIZE,
    ) -> None:
        """Read to the last page.

        Raises:
            GraphError: the last page was not reached; what was read is in `objects`.
            TokenError: no token.
        """
        query: dict[str, Any] = {"select": select, "expand": expand, "top": top}
        link = await self._calls.read(builder, self._what, self._use, **query)
        while link is not None:
            self._check_link(link)
            following = builder.with_url(link)
            link = await self._calls.read(following, self._what, self._use)
        if self._twice:
            self._report.odd(
                f"{self._twice} {self._what} came twice; the credentials of both count."
            )
        self._check_count()

    async def _use(self, body: bytes) -> Any:
        """Take in the objects of one page; give the link to the next."""
        async with self._turn:
            page = read_page(body, self._what)
            new = await self._take(page.value)
        self.pages += 1
        self._items += len(page.value)
        self._announced = max(self._announced, page.count or 0)
        self._calls.clock.add_page()
        self._barren = 0 if new else self._barren + 1
        return page.next_link

    async def _take(self, items: list[Any]) -> bool:
        """Decode in slices; tell whether anything was new."""
        new = False
        began = time.perf_counter()
        for item in items:
            found = self._decode(item, self._report)
            new |= found is None or self._keep(found)
            if time.perf_counter() - began > SLICE_S:
                await asyncio.sleep(0)
                began = time.perf_counter()
        return new

    def _keep(self, found: T) -> bool:
        known = self.objects.get(found.object_id)
        self._twice += known is not None
        self.objects[found.object_id] = found if known is None else self._join(known, found)
        return known is None

    def _check_count(self) -> None:
        """Refuse a list that gave fewer entries than it said it has.

        Raises:
            GraphError: cause `malformed_page`.
        """
        given = self._items - self._twice
        if self._announced > given:
            raise graph_error(
                "malformed_page",
                f"The list of {self._what} is not whole: it counts {self._announced} entries "
                f"and gave {given}.",
            )

    def _check_link(self, link: object) -> None:
        """Refuse to follow a link that cannot be Graph's own, or that leads round in circles.

        Raises:
            GraphError: cause `scan_incomplete`.
        """
        shown = brief(self._calls.shown(str(link)), 200)
        base = self._calls.base_url
        if not isinstance(link, str) or not is_within(link, base):
            raise self._incomplete(f"points outside {base}: {shown}")
        if not _leads_to(link, self._name):
            raise self._incomplete(f"points to something else: {shown}")
        if link in self._seen_links:
            raise self._incomplete(f"points to a page that was read before: {shown}")
        self._seen_links.add(link)
        if self.pages >= MAX_PAGES or self._barren >= MAX_BARREN:
            raise self._incomplete(f"goes on without an end after {self.pages} pages")

    def _incomplete(self, why: str) -> GraphError:
        return graph_error(
            "scan_incomplete", f"The list of {self._what} broke off: its nextLink {why}."
        )


def _leads_to(link: str, name: str) -> bool:
    """Whether a link's path ends in a collection's name; Graph minds neither case nor `//`."""
    parts = [part for part in unquote(urlsplit(link).path).split("/") if part]
    return bool(parts) and parts[-1].lower() == name.lower()


def is_within(link: str, base: str) -> bool:
    """Whether a link is absolute and leads to the API's own scheme, host, port and path."""
    if _ODD.search(link):
        return False
    try:
        there, here = urlsplit(link), urlsplit(base)
        ports = [url.port or _DEFAULT_PORTS.get(url.scheme) for url in (there, here)]
    except ValueError:
        return False
    path = unquote(there.path)
    return (
        there.scheme == here.scheme
        and there.hostname == here.hostname
        and there.username is None
        and there.password is None
        and ports[0] == ports[1]
        and path.startswith(here.path.rstrip("/") + "/")
        and not {".", ".."} & set(path.split("/"))
    )
