"""What a request must bring before a set-up page does anything: session, origin, bounded form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from starlette.responses import Response

from monitor import log
from monitor.web.setup.admission import SESSION_LASTS, Admission, Guesses, Visit

COOKIE = "lapsewatch_setup"
LARGEST_FORM = 65_536  # bytes
MOST_FIELDS = 50
FORM_WITHIN = 10  # seconds: a form is small, and whoever sends it slower holds a place
FORM_TYPE = "application/x-www-form-urlencoded"
HOW_IN = "On the server, run `lapsewatch setup-link` and open the link that it prints."

_log = log.get("lapsewatch.setup")


class Refused(Exception):  # noqa: N818 (an answer, not a fault)
    """A request is answered with a page that says why not, and what to do.

    Args:
        code: the HTTP status.
        title: what is the matter.
        advice: what to do next.
        wait: seconds after which it may be tried again.
    """

    def __init__(self, code: int, title: str, advice: str, *, wait: int | None = None) -> None:
        super().__init__(title)
        self.code = code
        self.title = title
        self.advice = advice
        self.wait = wait


@dataclass(frozen=True, slots=True, repr=False)
class Post:
    """A form that one of our pages sent, by somebody with a session."""

    visit: Visit
    form: Mapping[str, str]

    def get(self, name: str) -> str:
        """A field; empty where it was not sent."""
        return self.form.get(name, "")


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets requests in.

    Args:
        admission: knows sessions.
        clock: the current instant, aware UTC.
        address: under which the page is reached from outside, if the settings say so.
    """

    admission: Admission
    clock: Callable[[], datetime]
    address: str | None = None
    guesses: Guesses = field(default_factory=Guesses)

    def visitor(self, request: Request) -> Visit:
        """The session of a request.

        Raises:
            Refused: it has none that holds.
        """
        cookie = request.cookies.get(COOKIE, "")
        if cookie:
            visit = self.admission.recognise(cookie)
            if visit is not None:
                return visit
            # Only now: who is right is never locked out by others behind the same proxy.
            self.may_guess(request)
            self.guessed_wrong(request)
        raise Refused(403, "You need a link to get in", HOW_IN)

    def may_guess(self, request: Request) -> None:
        """Let nobody try tokens at will.

        Raises:
            Refused: this address was wrong too often just now.
        """
        if self.guesses.too_many(_address(request), self.clock()):
            raise Refused(429, "Too many tries", "Wait a minute, then try again.", wait=60)

    def guessed_wrong(self, request: Request) -> None:
        """Note a token that opens nothing."""
        self.guesses.wrong(_address(request), self.clock())
        _log.warning("setup_refused", reason="unknown session or link", client=_address(request))

    def same_origin(self, request: Request) -> None:
        """Take forms from our own pages only.

        Raises:
            Refused: the browser says that another page sent it.
        """
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        ours = origin is None or self._is_ours(origin, request.headers.get("host", ""))
        if site not in (None, "same-origin") or not ours:
            _log.warning("setup_refused", reason="foreign origin", client=_address(request))
            raise Refused(
                403,
                "This form did not come from here",
                "Open the page, and send its own form. Behind a proxy, set base_url under "
                "[operator] to the address that browsers use.",
            )

    def _is_ours(self, origin: str, host: str) -> bool:
        try:
            sent_by = urlsplit(origin)
        except ValueError:
            return False
        if sent_by.scheme not in ("http", "https"):
            return False
        known = urlsplit(self.address or "")
        return sent_by.netloc.lower() in {host.lower(), known.netloc.lower()} - {""}

    def welcome(self, request: Request, visit: Visit, answer: Response) -> None:
        """Give the browser its session."""
        answer.set_cookie(
            COOKIE,
            visit.token,
            max_age=int(SESSION_LASTS.total_seconds()),
            path="/setup",
            secure=self._over_tls(request),
            httponly=True,
            samesite="strict",
        )

    def farewell(self, request: Request, answer: Response) -> None:
        """Take the session from the browser."""
        answer.delete_cookie(
            COOKIE, path="/setup", secure=self._over_tls(request), httponly=True, samesite="strict"
        )

    def _over_tls(self, request: Request) -> bool:
        known = urlsplit(self.address or "")
        through_proxy = known.scheme == "https" and known.netloc == request.headers.get("host")
        return request.url.scheme == "https" or through_proxy


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form; the last of a name counts.

    Raises:
        Refused: it is too large, too slow, or no form.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise Refused(415, "That is no form", "Use the form on the page.")
    body = bytearray()
    try:
        async with asyncio.timeout(FORM_WITHIN):
            async for piece in request.stream():
                body += piece
                if len(body) > LARGEST_FORM:
                    raise Refused(413, "That is too much", "Nothing that is asked here is so long.")
    except TimeoutError:
        raise Refused(408, "The form came too slowly", "Send it again.") from None
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:  # also: no text
        raise Refused(400, "The form cannot be read", "Load the page again.") from None
    return dict(pairs)


def _address(request: Request) -> str:
    return request.client.host if request.client else "?"
