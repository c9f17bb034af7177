"""Who may use the set-up pages: links that work once, sessions, forms of our own, and bounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from monitor.sandbox import SandboxClock
from tests.acceptance.setup_room import NAME, Browser, Newcomer, newcomer, served, words

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """One product for all; each test makes links of its own."""
    with newcomer(tmp_path_factory.mktemp("gate")) as made:
        made.app.wizard.begin(NAME, made.app.clock())
        yield made


@pytest.fixture(scope="module")
def address(new: Newcomer) -> Iterator[str]:
    """Its page."""
    with served(new.web) as found:
        yield found


@pytest.fixture(autouse=True)
def later(new: Newcomer) -> None:
    """Wrong tries of one test do not count in the next."""
    new.clock.advance(2 * MINUTE)


def routes(web: FastAPI) -> list[tuple[str, str]]:
    """Every method and path of the set-up pages that wants a session."""
    return [
        (method, route.path.replace("{name}", NAME))
        for route in _flat(web.routes)
        if route.path.startswith("/setup") and "{token}" not in route.path
        for method in route.methods
    ]


def _flat(found: Iterable[Any]) -> Iterator[APIRoute]:
    for route in found:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):  # FastAPI keeps included routers as they are
            yield from _flat(route.original_router.routes)


def admitted_without(address: str, web: FastAPI, clock: SandboxClock, **headers: str) -> list[str]:
    """The routes that answer somebody without a session, or tell anything.

    A minute passes between two of them: who tries more wrong cookies at once is turned away
    before the route is asked.
    """
    bad = []
    with httpx.Client(base_url=address, headers=headers) as client:
        for method, path in routes(web):
            clock.advance(MINUTE)
            answer = client.request(method, path, content="a=b", headers=FORM)
            if answer.status_code != 403 or NAME in answer.text:
                bad.append(f"{method} {path}: {answer.status_code}")
    return bad


def test_nobody_without_a_session_is_told_anything(new: Newcomer, address: str) -> None:
    """Every route answers 403 with the way in, whether the name exists or not."""
    assert len(routes(new.web)) >= 10
    assert admitted_without(address, new.web, new.clock) == []
    assert (
        admitted_without(address, new.web, new.clock, Cookie="lapsewatch_setup=" + "x" * 43) == []
    )
    with Browser(address) as stranger:
        known, unknown = stranger.get(f"/setup/{NAME}"), stranger.get("/setup/nobody")
    hide = re.compile(r"Request \w+")
    assert hide.sub("", words(known.text)) == hide.sub("", words(unknown.text))
    assert "lapsewatch setup-link" in words(known.text)


def test_a_route_that_forgets_the_session_is_found(new: Newcomer) -> None:
    """The known-bad variant of the test above."""
    web = FastAPI()

    @web.post("/setup/{name}/hole")
    def hole(name: str) -> str:
        return name

    with served(web) as address:
        assert admitted_without(address, web, new.clock) == [f"POST /setup/{NAME}/hole: 200"]


def refused_posts(new: Newcomer, browser: Browser, token: str, **headers: str) -> list[str]:
    """The routes that take a form which they should not."""
    paths = [path for method, path in routes(new.web) if method == "POST"]
    assert len(paths) >= 5
    return [
        path
        for path in paths
        if browser.http.post(path, data={"csrf": token, "name": "x"}, headers=headers).status_code
        != 403
    ]


def test_every_post_wants_the_form_token_of_its_session(new: Newcomer, address: str) -> None:
    """None, a wrong one, another session's."""
    with Browser(address, new.link()) as mine, Browser(address, new.link()) as other:
        for token in ("", "0" * 64, other.form_token, mine.form_token[:-1], "ü"):
            assert refused_posts(new, mine, token) == [], token


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[broken"},
        {"Origin": "file://"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
def test_every_post_wants_to_come_from_here(
    new: Newcomer, address: str, headers: dict[str, str]
) -> None:
    """Even with the right token: another origin's form is not ours."""
    with Browser(address, new.link()) as mine:
        token = mine.form_token
        assert refused_posts(new, mine, token, **headers) == []
        link = new.link()
        assert mine.http.post(link, data={}, headers={**FORM, **headers}).status_code == 403
        assert mine.http.post(link, data={}, headers=FORM).status_code == 200


def test_a_script_that_sends_no_origin_passes_with_token_and_cookie(
    new: Newcomer, address: str
) -> None:
    """Where the browser sends neither header, the cookie's SameSite and the token still hold."""
    with Browser(address, new.link()) as mine:
        token = mine.form_token
        for name in ("Origin", "Sec-Fetch-Site"):
            del mine.http.headers[name]
        answer = mine.http.post("/setup", data={"csrf": token, "name": "bad name"})
    assert answer.status_code == 422


def test_looking_at_a_link_does_not_use_it_up_and_opening_it_does(
    new: Newcomer, address: str
) -> None:
    """Scanners and previews follow links by GET and HEAD."""
    link = new.link()
    with Browser(address) as scanner:
        for method in ("GET", "HEAD", "OPTIONS", "GET"):
            scanner.http.request(method, link)
        assert not scanner.http.cookies
        assert scanner.get("/setup").status_code == 403
    with Browser(address, link) as first, Browser(address) as second:
        assert first.get("/setup").status_code == 200
        answer = second.http.post(link, headers=FORM)
        assert answer.status_code == 403
        assert "opens nothing" in answer.text
        assert second.get(link).status_code == 403
        assert first.get("/setup").status_code == 200


def test_a_link_is_out_of_date_after_its_minutes(new: Newcomer, address: str) -> None:
    """Neither page nor button."""
    link = new.link()
    with Browser(address) as late:
        new.clock.advance(14 * MINUTE)
        assert late.get(link).status_code == 200
        new.clock.advance(1 * MINUTE)
        assert late.get(link).status_code == 403
        assert late.http.post(link, headers=FORM).status_code == 403


def test_links_that_are_nearly_right_open_nothing(new: Newcomer, address: str) -> None:
    """Cut off, changed, doubled, endless, with NUL, in look-alikes."""
    link = new.link()
    head, token = link.rsplit("/", 1)
    flipped = ("A" if token[0] != "A" else "B") + token[1:]
    wrong = [token[:-1], flipped, token * 2, "A" * 10_000, token + "%00", "е" + token[1:], "%20"]
    with Browser(address) as thief:
        for one in wrong:
            assert thief.http.post(f"{head}/{one}", headers=FORM).status_code == 403, one
        assert thief.http.post(link, headers=FORM).status_code == 200


def test_whoever_guesses_has_to_wait(new: Newcomer, address: str) -> None:
    """Ten wrong ones within a minute; then even a right one waits, and a minute later it opens."""
    link = new.link()
    with Browser(address) as thief:
        codes = [thief.get(f"/setup/open/wrong{number}").status_code for number in range(12)]
        assert codes == [403] * 10 + [429] * 2
        answer = thief.http.post(link, headers=FORM)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
        new.clock.advance(1 * MINUTE)
        assert thief.http.post(link, headers=FORM).status_code == 200


def test_the_cookie_is_for_these_pages_only(new: Newcomer, address: str) -> None:
    """No script reads it, no other site sends it; over TLS it stays there."""
    with httpx.Client(base_url=address) as client:
        plain = client.post(new.link(), headers=FORM).headers["set-cookie"]
        tls = {**FORM, "X-Forwarded-Proto": "https"}
        secure = client.post(new.link(), headers=tls).headers["set-cookie"]
    for cookie in (plain, secure):
        assert {"HttpOnly", "SameSite=strict", "Path=/setup"} <= set(cookie.split("; ")), cookie
        assert "Domain" not in cookie
    assert "Secure" not in plain
    assert "Secure" in secure


def test_a_session_ends_by_itself(new: Newcomer, address: str) -> None:
    """30 minutes without a click, or 8 hours with."""
    with Browser(address, new.link()) as idle:
        new.clock.advance(29 * MINUTE)
        assert idle.get("/setup").status_code == 200
        new.clock.advance(30 * MINUTE)
        assert idle.get("/setup").status_code == 403
    with Browser(address, new.link()) as busy:
        for _ in range(19):
            new.clock.advance(25 * MINUTE)
            assert busy.get("/setup").status_code == 200
        new.clock.advance(5 * MINUTE)
        assert busy.get("/setup").status_code == 403


def test_signing_out_ends_the_session_on_the_server(new: Newcomer, address: str) -> None:
    """An old cookie brings nobody back."""
    with Browser(address, new.link()) as mine:
        cookie = dict(mine.http.cookies)
        assert "Signed out" in mine.send("/setup/-/sign-out").text
        assert not mine.http.cookies
        with httpx.Client(base_url=address, cookies=cookie) as thief:
            assert thief.get("/setup").status_code == 403


def test_forms_are_bounded(new: Newcomer, address: str) -> None:
    """Size, number of fields, kind and encoding."""
    with Browser(address, new.link()) as mine:
        token = mine.form_token
        fields = f"csrf={token}&name="
        cases = {
            413: (fields + "x" * 70_000, FORM),
            415: ('{"csrf": "x"}', {"Content-Type": "application/json"}),
            400: (fields + "x" + "&a=b" * 60, FORM),
        }
        for code, (body, headers) in cases.items():
            assert mine.http.post("/setup", content=body, headers=headers).status_code == code
        broken = mine.http.post("/setup", content=fields + "%ff", headers=FORM)
        assert broken.status_code == 400
        chunks = (b"x" * 1000 for _ in range(100))
        assert mine.http.post("/setup", content=chunks, headers=FORM).status_code == 413


def test_every_answer_keeps_to_the_policy(new: Newcomer, address: str) -> None:
    """No frame, no script, no cache; a form may go nowhere else, and forms name their origin."""
    with Browser(address, new.link()) as mine:
        answers = [mine.get(path) for path in ("/setup", f"/setup/{NAME}", "/setup/nobody")]
    answers.append(httpx.get(f"{address}/setup"))
    for answer in answers:
        assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "<script" not in answer.text
        assert "style=" not in answer.text


def test_a_page_without_set_up_does_not_link_to_it(tmp_path: Path) -> None:
    """The demo, and a page that is opened as a file."""
    from tests.acceptance.test_web import build

    with served(build()) as address:
        assert "/setup" not in httpx.get(address).text
        assert httpx.get(f"{address}/setup").status_code == 404
