"""The HTTP surface: every route, every refusal, and the headers on all of them."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from zoneinfo import ZoneInfo

import httpx
import pytest
import structlog
import uvicorn
from fastapi import FastAPI

from monitor import log
from monitor.errors import StoreError
from monitor.shape import as_json
from monitor.status import StatusReport
from monitor.web.app import create_app
from monitor.web.headers import SECURITY_HEADERS
from tests import status_samples as samples

PATHS = (
    "/", "/api/v1/status", "/api/v1/openapi.json", "/metrics", "/livez", "/readyz",
    "/static/lapsewatch.css", "/static/lapsewatch.svg",
)  # fmt: skip
MISSING = (
    "/nothing", "/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/static/",
    "/static/x", "/static/../page.html", "/static/%2e%2e/page.html", "/%2f/evil.example/",
    "/api/v1/nothing",
)  # fmt: skip
SECRET = "postgresql://lapsewatch:hunter2@db.internal/prod"


@pytest.fixture(autouse=True)
def product_log() -> Iterator[None]:
    """The log as the service sets it up, and the tests' own afterwards."""
    before = logging.getLogger().handlers[:]
    log.set_up(form="json")
    yield
    logging.getLogger().handlers[:] = before
    structlog.reset_defaults()


def build(
    report: Callable[[], StatusReport] = samples.bad_morning,
    alive: Callable[[], Sequence[str]] = tuple,
) -> FastAPI:
    """The application as `serve` builds it, for loopback."""
    return create_app(
        report=report, alive=alive, zone=ZoneInfo("Europe/Berlin"), operator_name="Example MSP",
        allowed_hosts=["127.0.0.1", "localhost"],
    )  # fmt: skip


@contextlib.asynccontextmanager
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """An in-process client."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http_client:
        yield http_client


def broken() -> StatusReport:
    """A fault nobody foresaw, with something in it that must not be shown."""
    raise RuntimeError(SECRET)


def no_store() -> StatusReport:
    """A database that cannot be used."""
    raise StoreError(f"cannot connect to {SECRET}")


def missing_headers(headers: httpx.Headers) -> list[str]:
    """The security headers that an answer lacks."""
    wanted = {**SECURITY_HEADERS, "X-Request-ID": headers.get("X-Request-ID", "?")}
    return [name for name, value in wanted.items() if headers.get(name) != value]


async def test_every_route_answers_with_its_type() -> None:
    """Page, JSON, metrics, health and static files."""
    types = ("text/html", "application/json", "application/json", "text/plain", "text/plain",
             "text/plain", "text/css", "image/svg+xml")  # fmt: skip
    async with client(build()) as http_client:
        for path, kind in zip(PATHS, types, strict=True):
            answer = await http_client.get(path)
            assert answer.status_code == 200, path
            assert answer.headers["content-type"].startswith(kind), path


async def test_the_api_says_what_status_json_says() -> None:
    """One shape behind both."""
    async with client(build()) as http_client:
        answer = await http_client.get("/api/v1/status")
    assert answer.json() == as_json(samples.bad_morning())


async def test_a_stalled_service_is_never_well() -> None:
    """Page, JSON and metrics tell the same of work that is stuck."""
    async with client(build(samples.stalled_morning)) as http_client:
        page, api, metrics = [
            (await http_client.get(path)).text for path in ("/", "/api/v1/status", "/metrics")
        ]
    assert "2 mails are overdue" in page
    assert "All is well" not in page
    assert json.loads(api)["exit_code"] == 3
    assert "lapsewatch_notifications_overdue 2.0" in metrics


async def test_hostile_names_pass_the_api_as_valid_json() -> None:
    """Half a surrogate pair does not turn the status into an error."""
    async with client(build(samples.hostile)) as http_client:
        answer = await http_client.get("/api/v1/status")
    assert json.loads(answer.content) == as_json(samples.hostile())
    assert answer.content.isascii()


async def test_every_answer_has_the_security_headers() -> None:
    """Also refusals, crashes and answers to a foreign Host."""
    async with client(build()) as http_client:
        answers = [await http_client.get(path) for path in (*PATHS, *MISSING)]
        answers += [await http_client.post(path) for path in PATHS]
        answers.append(await http_client.get("/", headers={"Host": "evil.example"}))
    for app in (build(broken), build(no_store)):
        async with client(app) as http_client:
            answers += [await http_client.get(path) for path in ("/", "/api/v1/status", "/metrics")]
    for answer in answers:
        assert missing_headers(answer.headers) == [], answer.request.url
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == len(answers)


async def test_the_header_check_finds_a_plain_application() -> None:
    """Known-bad: FastAPI by itself sets none of them."""
    async with client(FastAPI()) as http_client:
        answer = await http_client.get("/nothing")
    assert set(missing_headers(answer.headers)) == {*SECURITY_HEADERS, "X-Request-ID"}


@pytest.mark.parametrize("path", MISSING)
async def test_what_is_not_there_is_a_plain_404(path: str) -> None:
    """No documentation pages, no other files, no echo of the address."""
    async with client(build()) as http_client:
        answer = await http_client.get(path)
    assert answer.status_code == 404
    assert answer.headers["X-Request-ID"] in answer.text
    assert "evil" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"])
async def test_other_methods_are_refused_and_change_nothing(method: str) -> None:
    """The page only reads."""
    async with client(build(broken)) as http_client:
        for path in PATHS:
            answer = await http_client.request(method, path)
            assert answer.status_code == 405, path
            assert "GET" in answer.headers["Allow"]


async def test_a_foreign_host_header_is_refused() -> None:
    """DNS rebinding and spoofed hosts get nothing."""
    async with client(build()) as http_client:
        answer = await http_client.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "fabrikam" not in answer.text


@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/metrics"])
async def test_a_crash_is_a_plain_500_without_details(path: str) -> None:
    """The request id leads to the log; nothing else is told."""
    async with client(build(broken)) as http_client:
        answer = await http_client.get(path)
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in answer.text
    for word in ("hunter2", "Traceback", "RuntimeError", ".py"):
        assert word not in answer.text


async def test_the_log_holds_what_the_page_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    """The request id on the page finds the fault in the log; passwords are in neither."""
    log.set_up(form="json")
    async with client(build(broken)) as http_client:
        answer = await http_client.get("/")
    entry = capsys.readouterr().err
    assert answer.headers["X-Request-ID"] in entry
    assert "RuntimeError" in entry
    assert "hunter2" not in entry


@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/metrics"])
async def test_a_database_that_fails_is_a_503_that_says_what_to_do(path: str) -> None:
    """Never an old page, never a quiet one, never the address of the database."""
    async with client(build(no_store)) as http_client:
        answer = await http_client.get(path)
    assert answer.status_code == 503
    assert "lapsewatch status" in answer.text
    assert answer.headers["Retry-After"] == "30"
    assert "hunter2" not in answer.text


async def test_livez_answers_for_the_process_alone() -> None:
    """A database that fails must not make the container restart."""
    async with client(build(no_store, alive=lambda: ["database"])) as http_client:
        answer = await http_client.get("/livez")
    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_readyz_gives_its_reasons() -> None:
    """503 with what is not ready; 200 when all is."""
    reasons = ["database: cannot be read", "scheduler: no heartbeat for 12 min"]
    async with client(build(alive=lambda: reasons)) as http_client:
        answer = await http_client.get("/readyz")
    assert (answer.status_code, answer.text.splitlines()) == (503, reasons)
    async with client(build()) as http_client:
        assert (await http_client.get("/readyz")).status_code == 200


async def test_readyz_survives_a_store_that_fails_while_it_is_asked() -> None:
    """Not ready is an answer, not a crash."""

    def fails() -> Sequence[str]:
        raise StoreError(SECRET)

    async with client(build(alive=fails)) as http_client:
        answer = await http_client.get("/readyz")
    assert answer.status_code == 503
    assert "hunter2" not in answer.text


async def test_the_openapi_document_lists_the_api_and_nothing_else() -> None:
    """Scripts see what they may rely on."""
    async with client(build()) as http_client:
        document = (await http_client.get("/api/v1/openapi.json")).json()
    assert list(document["paths"]) == ["/api/v1/status"]


# --- over a real socket --------------------------------------------------------------------------


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """uvicorn on a free loopback port, as `lapsewatch serve` runs it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_config=None, server_header=False, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "uvicorn did not start"
            time.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(10)


def ask(port: int, method: str, path: str) -> tuple[http.client.HTTPResponse, bytes]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def test_head_has_the_headers_of_get_and_no_body() -> None:
    """Monitors ask with HEAD; it costs them nothing and tells them the same."""
    with serving(build()) as port:
        for path in (*PATHS, "/nothing"):
            get, body = ask(port, "GET", path)
            head, nothing = ask(port, "HEAD", path)
            assert head.status == get.status, path
            assert nothing == b""
            assert head.headers["Content-Length"] == str(len(body)), path
            assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_a_real_server_sends_the_security_headers_even_when_it_crashes() -> None:
    """The layer that answers a crash is ours, not the framework's."""
    with serving(build(broken)) as port:
        for path in ("/", "/nothing", "/livez"):
            answer, body = ask(port, "GET", path)
            assert missing_headers(httpx.Headers(list(answer.headers.items()))) == []
            assert b"hunter2" not in body
            assert "server" not in answer.headers
