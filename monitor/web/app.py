"""The HTTP application: page, JSON, metrics and health, from one function that makes reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Scope

from monitor import __version__, log
from monitor.errors import StoreError
from monitor.export import visible
from monitor.shape import as_json
from monitor.status import StatusReport
from monitor.web.headers import Guard
from monitor.web.metrics import CONTENT_TYPE, to_metrics
from monitor.web.page import render_page, render_problem, template_folder

API = "/api/"
STATIC = {"lapsewatch.css": "text/css", "lapsewatch.svg": "image/svg+xml"}
STORE_ADVICE = (
    "The database cannot be read just now, so nothing is known. On the server, run "
    "lapsewatch status: it names the reason. The page comes back by itself."
)
_log = log.get(__name__)


def create_app(
    *,
    report: Callable[[], StatusReport],
    alive: Callable[[], Sequence[str]],
    zone: ZoneInfo,
    operator_name: str | None = None,
    banner: str | None = None,
    inbox_url: str | None = None,
    allowed_hosts: Sequence[str],
    per_credential_metrics: bool = False,
    setup: Callable[[FastAPI], None] | None = None,
    acts: Callable[[FastAPI], None] | None = None,
) -> FastAPI:
    """Build the application.

    Args:
        report: makes a fresh report; it may block, so it is called in a worker thread.
        alive: the reasons why the service is not ready; empty when it is. No tenant names.
        zone: the zone of the dates on the page.
        operator_name: who runs this, for the head of the page.
        banner: a sentence above everything.
        inbox_url: where the demo's mails can be read.
        allowed_hosts: Host headers to answer to, without ports.
        per_credential_metrics: one series per credential as well; many tenants make many.
        setup: adds the set-up pages; None leaves them out.
        acts: adds the pages behind the links in mails; None leaves them out.
    """
    show = partial(
        render_page,
        zone=zone,
        operator_name=operator_name,
        banner=banner,
        inbox_url=inbox_url,
        version=__version__,
        setup=setup is not None,
    )
    measure = partial(to_metrics, version=__version__, per_credential=per_credential_metrics)
    router = APIRouter()
    _add_page(router, lambda: show(report()), lambda: measure(report()))
    _add_status(router, report)
    _add_health(router, alive)
    _add_static(router)
    app = _empty_app(allowed_hosts)
    app.include_router(router)
    for add in (setup, acts):
        if add is not None:
            add(app)
    return app


def _empty_app(allowed_hosts: Sequence[str]) -> FastAPI:
    app = FastAPI(
        title="Lapsewatch",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        middleware=[
            Middleware(Guard, crashed=_crashed),
            Middleware(
                TrustedHostMiddleware, allowed_hosts=list(allowed_hosts), www_redirect=False
            ),
        ],
    )
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(StoreError, _no_store)
    return app


def _add_page(router: APIRouter, show: Callable[[], str], measure: Callable[[], bytes]) -> None:
    @router.get("/", include_in_schema=False)
    def page() -> HTMLResponse:
        return HTMLResponse(show())

    @router.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(measure(), headers={"Content-Type": CONTENT_TYPE})


def _add_status(router: APIRouter, report: Callable[[], StatusReport]) -> None:
    @router.get(
        "/api/v1/status",
        summary="What needs action and what is unknown",
        response_class=Response,
        responses={
            200: {
                "description": "The report; the same as `lapsewatch status --json`.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            503: {"description": "The database cannot be read."},
        },
    )
    def status() -> Response:
        return _json(as_json(report()))


def _add_health(router: APIRouter, alive: Callable[[], Sequence[str]]) -> None:
    @router.get("/livez", include_in_schema=False)
    def livez() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @router.get("/readyz", include_in_schema=False)
    def readyz() -> PlainTextResponse:
        try:
            reasons = list(alive())
        except StoreError:
            reasons = ["the database cannot be used"]
        if not reasons:
            return PlainTextResponse("ready\n")
        return PlainTextResponse("".join(f"{visible(r)}\n" for r in reasons), status_code=503)


def _add_static(router: APIRouter) -> None:
    files = {name: (template_folder() / name).read_bytes() for name in STATIC}

    # Not a file server: two names, read once, so no path can lead anywhere else.
    @router.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in files:
            raise HTTPException(status_code=404)
        return Response(files[name], media_type=STATIC[name])


def _json(content: object, status_code: int = 200) -> Response:
    # ASCII only: a name may hold half a surrogate pair, which UTF-8 cannot say.
    return Response(json.dumps(content), status_code, media_type="application/json")


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # it is registered for nothing else
        raise error
    title = HTTPStatus(error.status_code).phrase
    answer = _problem(request.scope, error.status_code, title, "Go back to the status page.")
    answer.headers.update(error.headers or {})  # Allow, on a 405
    return answer


def _no_store(request: Request, error: Exception) -> Response:
    _log.error("web.store_error", request_id=_request_id(request.scope), error=str(error))
    answer = _problem(request.scope, 503, "The status cannot be shown", STORE_ADVICE)
    answer.headers["Retry-After"] = "30"
    return answer


def _crashed(scope: Scope) -> Response:
    advice = "This is a fault in Lapsewatch. Its log holds the details under the request id below."
    return _problem(scope, 500, "Something went wrong", advice)


def _problem(scope: Scope, code: int, title: str, advice: str) -> Response:
    request_id = _request_id(scope)
    path = str(scope["path"])
    if path.startswith(API):
        return _json({"error": title, "advice": advice, "request_id": request_id}, code)
    if path in ("/metrics", "/readyz", "/livez"):
        return PlainTextResponse(f"{title}. {advice} Request {request_id}.\n", code)
    return HTMLResponse(render_problem(title, advice, request_id), code)


def _request_id(scope: Scope) -> str:
    return str(scope["state"]["request_id"])
