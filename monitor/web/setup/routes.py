"""The addresses of the set-up pages. Every one but the link itself wants a session."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from monitor import log
from monitor.web.setup.admission import Visit
from monitor.web.setup.board import Busy
from monitor.web.setup.desk import Desk, Gone, NotTaken
from monitor.web.setup.gate import HOW_IN, Gate, Post, Refused, read_form
from monitor.web.setup.notes import add_notes
from monitor.web.setup.pages import Pages, path_of, script_file
from monitor.wizard.steps import Step

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,100}")
_SCRIPT_TYPE = "application/octet-stream"  # a browser must neither show it nor guess what it is
_REPEATED = 422  # what was sent is shown again, with what is wrong
_log = log.get("lapsewatch.setup")


def install(app: FastAPI, desk: Desk, gate: Gate, pages: Pages) -> None:
    """Add the set-up pages to the application.

    Args:
        app: the application.
        desk: does the work.
        gate: lets requests in.
        pages: renders the answers.
    """

    def post(
        request: Request,
        visit: Visit = Depends(gate.visitor),  # noqa: B008 (FastAPI's way)
        form: dict[str, str] = Depends(read_form),  # noqa: B008
    ) -> Post:
        gate.same_origin(request)
        if not visit.sent_by_us(form.get("csrf", "")):
            _log.warning("setup_refused", reason="form token")
            raise Refused(403, "This form is out of date", "Load the page again, then send it.")
        return Post(visit, form)

    def refuse(request: Request, error: Exception) -> Response:
        if not isinstance(error, Refused):  # it is registered for nothing else
            raise error
        page = pages.refused(error.title, error.advice, request.state.request_id)
        headers = {"Retry-After": str(error.wait)} if error.wait else None
        return HTMLResponse(page, error.code, headers=headers)

    app.add_exception_handler(Refused, refuse)
    app.add_exception_handler(Gone, lambda request, _: refuse(request, _GONE))
    app.add_exception_handler(Busy, lambda request, _: refuse(request, _BUSY))
    visits, posts = Depends(gate.visitor), Depends(post)
    router = APIRouter(prefix="/setup", include_in_schema=False)
    _add_watched(router, desk, pages, visits, posts)  # before the link: a tenant may be "open"
    add_notes(router, desk, pages, visits, posts)
    _add_door(router, gate, pages, posts)
    _add_steps(router, desk, pages, visits, posts)
    app.include_router(router)


_GONE = Refused(404, "There is nothing of that name", "Go back to the set-up and look there.")
_BUSY = Refused(
    409,
    "Another request is at this set-up",
    "It is still being looked at, and nothing was changed by this one. Wait a minute, then load "
    "the page again.",
)


def _add_door(router: APIRouter, gate: Gate, pages: Pages, posts: Any) -> None:
    def check(request: Request, token: str) -> None:
        """Let a link through that would open; nobody may try them at will."""
        gate.may_guess(request)
        if not _TOKEN.fullmatch(token) or not gate.admission.opens(token):
            gate.guessed_wrong(request)
            raise _dead_link()

    # Mail scanners and previews follow links, so that following one does nothing.
    @router.get("/open/{token}")
    def look(request: Request, token: str) -> HTMLResponse:
        check(request, token)
        return HTMLResponse(pages.opening(f"/setup/open/{token}"))

    @router.post("/open/{token}")
    def use(request: Request, token: str) -> Response:
        gate.same_origin(request)
        check(request, token)
        visit = gate.admission.open(token)
        if visit is None:  # somebody else was quicker
            raise _dead_link()
        _log.info("setup_opened", client=request.client.host if request.client else "?")
        answer = _see("/setup")
        gate.welcome(request, visit, answer)
        return answer

    @router.post("/-/sign-out")
    def leave(request: Request, post: Post = posts) -> Response:
        gate.admission.end(post.visit)
        _log.info("setup_closed")
        answer = HTMLResponse(pages.signed_out())
        gate.farewell(request, answer)
        return answer


def _add_steps(router: APIRouter, desk: Desk, pages: Pages, visits: Any, posts: Any) -> None:
    @router.get("")
    def index(visit: Visit = visits) -> HTMLResponse:
        return HTMLResponse(pages.index(visit))

    @router.post("")
    def begin(post: Post = posts) -> Response:
        name = post.get("name")
        try:
            return _see(path_of(desk.begin(name).name))
        except NotTaken as error:
            page = pages.index(post.visit, error.errors.get("name", ""), name)
            return HTMLResponse(page, _REPEATED)

    @router.get("/{name}")
    def show(name: str, step: str = "", change: str = "", visit: Visit = visits) -> Response:
        draft = desk.app.store.draft(name)
        if draft is None:
            return _see(path_of(desk.entry(name).name, "test"))
        return HTMLResponse(pages.step(visit, draft, step, change=bool(change)))

    @router.post("/{name}")
    def act(name: str, post: Post = posts) -> Response:
        step = _step(post.get("step"))
        try:
            with desk.turns.of(name):
                return _see(_act(desk, name, step, post))
        except NotTaken as error:
            page = pages.step(
                post.visit, desk.draft(name), step, said=post.form, errors=error.errors
            )
            return HTMLResponse(page, _REPEATED)


def _act(desk: Desk, name: str, step: Step, post: Post) -> str:
    """Do what a button says.

    Returns:
        Where to look next.
    """
    here = f"{path_of(name)}?{urlencode({'step': str(step)})}"
    match post.get("action"):
        case "answer":
            return path_of(name) if desk.answer(name, step, post.form) else here
        case "again":
            return path_of(name) if desk.look_again(name, step) else here
        case "anyway":
            desk.go_on(name, step)
            return path_of(name)
        case "watch":
            return path_of(desk.watch(name).name, "test")
        case "forget":
            desk.forget(name)
            return "/setup"
        case _:
            raise _no_such_button()


def _add_watched(router: APIRouter, desk: Desk, pages: Pages, visits: Any, posts: Any) -> None:
    @router.get("/{name}/test")
    def look(name: str, visit: Visit = visits) -> HTMLResponse:
        return HTMLResponse(pages.test(visit, desk.entry(name)))

    @router.post("/{name}/test")
    def test(name: str, post: Post = posts) -> Response:
        works: dict[str, Callable[[], None]] = {
            "send": lambda: desk.send_test(name),
            "arrived": lambda: desk.confirm(name, arrived=True),
            "lost": lambda: desk.confirm(name, arrived=False),
        }
        work = works.get(post.get("action"))
        if work is None:
            raise _no_such_button()
        with desk.turns.of(name):
            work()
        return _see(path_of(name, "test"))

    @router.get("/{name}/credential")
    def ask(name: str, visit: Visit = visits) -> HTMLResponse:
        return HTMLResponse(pages.credential(visit, desk.entry(name)))

    @router.post("/{name}/credential")
    def renew(name: str, post: Post = posts) -> Response:
        try:
            with desk.turns.of(name):
                desk.renew(name, post.form)
        except NotTaken as error:
            entry, form = desk.entry(name), post.get("form")
            page = pages.credential(post.visit, entry, error.errors, form)
            return HTMLResponse(page, _REPEATED)
        return _see(path_of(name, "credential"))

    @router.get("/{name}/script", dependencies=[visits])
    def script(name: str, form: str = "", model: str = "") -> Response:
        try:
            file, data = script_file(desk, name, form, model)
        except NotTaken as error:
            raise Refused(404, "There is no script", error.errors[""]) from None
        headers = {"Content-Disposition": f'attachment; filename="{file}"'}
        return Response(data, media_type=_SCRIPT_TYPE, headers=headers)


def _see(path: str) -> RedirectResponse:
    """Show a page by GET, so that loading it again sends nothing anew."""
    return RedirectResponse(path, 303)


def _step(text: str) -> Step:
    try:
        return Step(text)
    except ValueError:
        raise _no_such_button() from None


def _no_such_button() -> Refused:
    return Refused(400, "There is no such button", "Load the page again.")


def _dead_link() -> Refused:
    told = "It was used before, is out of date, or was not copied whole."
    return Refused(403, "This link opens nothing", f"{told} {HOW_IN}")
