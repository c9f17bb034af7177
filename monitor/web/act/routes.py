"""The addresses of the links in mails. GET, HEAD and OPTIONS only show; one POST acts."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.responses import HTMLResponse, Response

from monitor import log
from monitor.model.acts import Action
from monitor.web.act.desk import LONGEST, PRESETS, Desk, Done, NotTaken, Subject, standing_words
from monitor.web.page import environment
from monitor.web.setup.admission import Guesses
from monitor.web.setup.gate import Refused, read_form

NONCE_LASTS = timedelta(hours=12)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,86}")
_REPEATED = 422  # what was sent is shown again, with what is wrong
TITLES = {
    Action.ACKNOWLEDGE: "Acknowledge this",
    Action.SNOOZE: "Snooze this",
    Action.HAND_OVER: "Hand this over",
    Action.VERIFY: "Check now whether this is done",
}

_log = log.get("lapsewatch.act")


class Turned(Refused):
    """A request is answered with a page that says why not; the act pages' own form of it."""


class Door:
    """Tells tokens apart.

    Args:
        desk: knows what they are about.
        guesses: counts wrong ones.
    """

    def __init__(self, desk: Desk, guesses: Guesses) -> None:
        self._desk = desk
        self._guesses = guesses

    def open(self, request: Request, token: str, *, used_too: bool = False) -> Subject:
        """What a token is about; every token that opens nothing gets the same answer.

        Raises:
            Turned: it opens nothing, or this address was wrong too often just now.
        """
        client = request.client.host if request.client else "?"
        fits, now = _TOKEN.fullmatch(token), self._desk.app.clock()
        about = self._desk.subject(token, used_too=used_too) if fits else None
        if about is not None:
            return about  # whoever is right is never locked out by others behind the same proxy
        if self._guesses.too_many(client, now):
            raise Turned(429, "Too many tries", "Wait a minute, then try again.", wait=60)
        self._guesses.wrong(client, now)
        _log.warning("link_refused", client=client)
        raise _nothing()


def install(web: FastAPI, desk: Desk, guesses: Guesses, address: str | None) -> None:
    """Add the pages to the application.

    Args:
        web: the application.
        desk: does the work.
        guesses: counts wrong tokens.
        address: under which the page is reached from outside, if the settings say so.
    """
    router, door = APIRouter(include_in_schema=False), Door(desk, guesses)

    @router.get("/a/{token:path}")
    def look(request: Request, token: str) -> HTMLResponse:
        about = door.open(request, token)
        return HTMLResponse(_page(about, nonce_of(token, about.now)))

    @router.post("/a/{token:path}")
    def act(
        request: Request,
        token: str,
        form: dict[str, str] = Depends(_form),  # noqa: B008 (FastAPI's way)
    ) -> Response:
        same_origin(request, address)
        about = door.open(request, token, used_too=True)
        if not is_nonce(form.get("nonce", ""), token, about.now):
            if about.link.used_at is not None:
                raise _nothing()
            title = "This form is out of date"
            raise Turned(403, title, "Open the link in the mail again, then press its button.")
        try:
            done = desk.act(about, form)
        except NotTaken as error:
            page = _page(about, nonce_of(token, about.now), form, error)
            return HTMLResponse(page, _REPEATED)
        return HTMLResponse(_done(about, done, nonce_of(token, about.now)))

    def turn(_: Request, error: Exception) -> Response:
        if not isinstance(error, Turned):  # it is registered for nothing else
            raise error
        headers = {"Retry-After": str(error.wait)} if error.wait else None
        page = _render("turned", title=error.title, advice=error.advice)
        return HTMLResponse(page, error.code, headers=headers)

    web.add_exception_handler(Turned, turn)
    web.include_router(router)


def same_origin(request: Request, address: str | None) -> None:
    """Take forms from our own pages only.

    With no-referrer a browser says "null" for the origin of our own forms; then its
    Sec-Fetch-Site must say that they are ours.

    Raises:
        Turned: the browser says that another page sent it.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if origin == "null":
        ours = site == "same-origin"
    else:
        hosts = {request.headers.get("host", "").lower(), urlsplit(address or "").netloc.lower()}
        ours = origin is None or _netloc(origin) in hosts - {""}
    if site not in (None, "same-origin") or not ours:
        advice = "Open the link in the mail, and press the button on its page."
        raise Turned(403, "This form did not come from here", advice)


def nonce_of(token: str, now: datetime) -> str:
    """What the form of one page carries: another one for each page, good for some hours.

    Nothing is stored for it, because looking at a page must change nothing.
    """
    head = f"{int(now.timestamp()):x}.{secrets.token_hex(8)}"
    return f"{head}.{_seal(token, head)}"


def is_nonce(nonce: str, token: str, now: datetime) -> bool:
    """Whether a nonce is of a page of this token, and not too old."""
    head, _, seal = nonce.rpartition(".")
    # Compared as bytes: what came in may be any text.
    if not hmac.compare_digest(_seal(token, head).encode(), seal.encode("utf-8", "replace")):
        return False
    try:
        age = now.timestamp() - int(head.partition(".")[0], 16)
    except ValueError:
        return False
    return -60 <= age < NONCE_LASTS.total_seconds()


def _seal(token: str, head: str) -> str:
    return hmac.digest(token.encode(), f"act {head}".encode("utf-8", "replace"), "sha256").hex()


async def _form(request: Request) -> dict[str, str]:
    try:
        return await read_form(request)
    except Refused as error:
        raise Turned(error.code, error.title, error.advice, wait=error.wait) from None


def _netloc(origin: str) -> str:
    try:
        sent_by = urlsplit(origin)
    except ValueError:
        return "?"
    return sent_by.netloc.lower() if sent_by.scheme in ("http", "https") else "?"


def _nothing() -> Turned:
    return Turned(
        404,
        "This link does nothing any more",
        "It was used, is out of date, or was not copied whole. The next mail about the same thing "
        "brings a new one.",
    )


def _page(
    about: Subject,
    nonce: str,
    form: Mapping[str, str] | None = None,
    error: NotTaken | None = None,
) -> str:
    latest = (about.now + LONGEST).astimezone(about.zone).date() - timedelta(days=1)
    return _render(
        "page",
        about=about, title=TITLES[about.link.action], action=about.link.action, nonce=nonce,
        standing=standing_words(about), presets=PRESETS, form=form or {}, error=error,
        first=about.now.astimezone(about.zone).date() + timedelta(days=1), latest=latest,
    )  # fmt: skip


def _done(about: Subject, done: Done, nonce: str) -> str:
    return _render("done", about=about, done=done, nonce=nonce)


def _render(template: str, **values: object) -> str:
    about = values.get("about")
    zone = about.zone if isinstance(about, Subject) else None
    found = environment().get_template(f"act/{template}.html")
    return found.render(**values, zone=zone, operator_name=None)
