"""Logs tell what happened, one line an event, and never a secret."""

from __future__ import annotations

import base64
import io
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from monitor import log

SECRET = "aB3" + "8Q~" + "x-Yz_.1~" * 4 + "Qq"  # 40 characters, as Entra makes them
PASSWORD = "Hunter2/planted+value="
JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJoMDAwMDAwIn0.c2lnbmF0dXJl-_planted"
XOAUTH2 = base64.b64encode(f"user=a@b.example\x01auth=Bearer {JWT}\x01\x01".encode()).decode()
PLANTED = (SECRET, PASSWORD, quote(PASSWORD, safe=""), quote(SECRET, safe=""), JWT, XOAUTH2)

Emit = Callable[[Callable[[], object]], str]


@pytest.fixture(params=["json", "console"])
def emitted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emit]:
    """Calls a function with the log set up at debug, and returns what was written."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    names = ("azure", "msal", "httpx", "httpcore", "aiohttp", "urllib3", "apscheduler")
    levels = {name: logging.getLogger(name).level for name in names}
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    log.set_up(level="debug", form=request.param)

    def emit(action: Callable[[], object]) -> str:
        action()
        return written.getvalue()

    yield emit
    root.handlers[:] = before
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)
    structlog.reset_defaults()


def leaked(text: str) -> list[str]:
    """The planted secrets that can be read in `text`."""
    return [secret for secret in PLANTED if secret in text]


MESSAGES = [
    f"sent Authorization: Bearer {JWT}",
    f"sent Authorization: Basic {base64.b64encode(PASSWORD.encode()).decode()} {SECRET}",
    f"body client_id=x&client_secret={quote(PASSWORD, safe='')}&grant_type=client_credentials",
    f"body client_secret={quote(SECRET, safe='')}",
    f"body client_assertion={JWT}&x=1",
    f"{{'client_secret': '{PASSWORD}'}}",
    f'{{"access_token": "{JWT}", "refresh_token": "{PASSWORD}"}}',
    json.dumps(json.dumps({"client_secret": PASSWORD})),
    f"AUTH XOAUTH2 {XOAUTH2}",
    f"C: {XOAUTH2}",
    f"the token was {JWT}.",
    f"the secret was {SECRET}, it seems",
    f"https://login.example/?code=1&client_secret={PASSWORD}",
    f"postgresql+psycopg://lapsewatch:{quote(PASSWORD, safe='')}@db.internal/prod",
    f"redis://:{quote(PASSWORD, safe='')}@cache/0",
    f"password={PASSWORD} host=db",
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_secret_in_a_text_is_hidden(message: str) -> None:
    """Raw, base64, URL-encoded, in JSON and in Python's own notation."""
    assert leaked(message)
    found = log.redact(message)
    assert not leaked(found)
    assert "hidden" in found


@pytest.mark.parametrize(
    "text",
    [
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        "AADSTS7000215: Invalid client secret provided. Trace ID: 5f2b… Timestamp: 2026-11-23",
        "sqlite:////var/lib/lapsewatch.db",
        "https://login.microsoftonline.com/7b1c0000-0000-4000-8000-000000000000/oauth2/v2.0/token",
        "The basic settings and the token endpoint answered in 3.2 s",
        "noreply@contoso.example",
        "Müller & Söhne 👩\u200d💻",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    """A log that hides everything is of no use."""
    assert log.redact(text) == text


def test_redacting_twice_changes_nothing() -> None:
    """Evidence is redacted where it is made and again where it is logged."""
    for message in MESSAGES:
        once = log.redact(message)
        assert log.redact(once) == once


def test_control_and_bidi_characters_are_shown_as_what_they_are_not() -> None:
    """A name cannot clear the terminal or turn the line around."""
    found = log.redact("a\x1b[2Jb\x00c\rd\u202ee\u2066f\u2028g\x9bh")
    assert found == "a�[2Jb�c�d�e�f�g�h"


def test_secrets_in_fields_are_hidden_whatever_their_type(emitted: Emit) -> None:
    """Strings, bytes, lists, nested tables, exceptions, objects."""

    class Odd:
        def __str__(self) -> str:
            return f"Odd(password={PASSWORD})"

    text = emitted(lambda: log.get("t").info(
        "event", client_secret=PASSWORD, token=[JWT, {"x": PASSWORD}], note=f"got {SECRET}",
        raw=f"password={PASSWORD}".encode(), nested={"headers": {"Authorization": PASSWORD}},
        several=(JWT, XOAUTH2), error=ValueError(f"client_secret={PASSWORD}"), odd=Odd(),
        many={SECRET}, api_key=PASSWORD, cookie=PASSWORD,
    ))  # fmt: skip
    assert not leaked(text)
    assert "event" in text


def test_numbers_stay_numbers(emitted: Emit) -> None:
    """Machines count with them."""
    text = emitted(lambda: log.get("t").info("event", tokens=3, seconds=0.5, ok=True, none=None))
    if text.startswith("{"):
        found = json.loads(text)
        assert (found["tokens"], found["seconds"]) == (3, 0.5)
        assert found["ok"] is True


def test_secrets_in_exceptions_are_hidden(emitted: Emit) -> None:
    """Ours and the libraries', with their causes and their stacks."""

    def crash(report: Callable[..., Any]) -> None:
        try:
            try:
                raise ValueError(f"client_secret={PASSWORD}")
            except ValueError as error:
                raise RuntimeError(f"Bearer {JWT} {SECRET}") from error
        except RuntimeError:
            report("crashed", stack_info=True)

    text = emitted(lambda: (crash(log.get("t").exception), crash(logging.getLogger("x").exception)))
    assert not leaked(text)
    assert text.count("RuntimeError") >= 2
    assert text.count("ValueError") >= 2


@pytest.mark.parametrize(
    "name", ["msal.application", "azure.core.pipeline.policies.http_logging_policy",
             "azure.identity", "httpx", "httpcore.http11", "aiohttp.client",
             "urllib3.connectionpool", "asyncio", "uvicorn.error", "anything"],
)  # fmt: skip
@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING, logging.ERROR])
def test_other_peoples_loggers_leak_nothing(name: str, level: int, emitted: Emit) -> None:
    """They describe requests with headers, at debug and sometimes at error."""
    logger = logging.getLogger(name)

    def talk() -> None:
        for message in MESSAGES:
            logger.log(level, message)
            logger.log(level, "%s and %r", message, {"client_secret": PASSWORD})

    assert not leaked(emitted(talk))


@pytest.mark.parametrize("name", ["msal", "azure", "httpx", "httpcore", "urllib3"])
def test_clients_of_microsoft_do_not_chat_even_at_debug(name: str, emitted: Emit) -> None:
    """Their debug lines are made of headers and bodies."""
    assert emitted(lambda: logging.getLogger(name).debug("header of a request")) == ""


def test_one_event_is_one_line(emitted: Emit) -> None:
    """A name with a line end cannot forge the next entry."""
    forged = 'x\n2026-01-01T00:00:00Z [info] all is well\r\n{"event": "all is well"}'
    text = emitted(lambda: (log.get("t").info("event", name=forged, more={"a": forged}),
                            logging.getLogger("x").warning("%s", forged)))  # fmt: skip
    assert len(text.splitlines()) == 2


def test_json_lines_are_json(emitted: Emit) -> None:
    """Whatever is logged, also what JSON does not know."""
    text = emitted(lambda: log.get("t").info("event", at=object(), half="\ud800", key={1: b"\xff"}))
    if text.startswith("{"):
        assert json.loads(text)["event"] == "event"


@pytest.mark.usefixtures("emitted")
def test_the_level_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """At error, information is silent."""
    log.set_up(level="error", form="json")
    log.get("t").info("quiet")
    log.get("t").error("loud")
    text = capsys.readouterr().err
    assert "quiet" not in text
    assert "loud" in text


def test_a_known_value_is_hidden_and_the_words_around_it_stay() -> None:
    """The longest first, so that no rest of one that holds another remains."""
    text = "535 5.7.8 wrong: pass-word 1, said mx.example; pass-word 12 too"
    found = log.hide(text, ["pass-word 1", "pass-word 12"])
    assert found == "535 5.7.8 wrong: [hidden], said mx.example; [hidden] too"


@pytest.mark.parametrize("value", ["", "5", "250", " "])
def test_a_value_too_short_to_be_a_secret_hides_nothing(value: str) -> None:
    """It would be found in every reply; the shortest that counts has four characters."""
    text = "250 2.1.5 OK 250"
    assert log.hide(text, [value]) == text
    assert log.hide("a pass b", ["pass"]) == "a [hidden] b"


def test_twelve_characters_of_a_value_are_the_value() -> None:
    """Servers cut what they repeat; the rest of the word goes with it."""
    value = "".join(chr(97 + number % 26) for number in range(60))
    assert log.hide(f"got ...{value[20:32]}... ok", [value]) == "got [hidden] ok"
    assert log.hide(f"got ({value[20:31]}) ok", [value]) == f"got ({value[20:31]}) ok"


@pytest.mark.parametrize(
    "value", ["\\" * 30 + "x", "a " * 40 + "b", "%25" * 20, "+ " * 30, '"' * 40]
)
def test_no_text_makes_hiding_slow(value: str) -> None:
    """What servers say cannot be trusted; the patterns' repeats have bounds."""
    began = time.process_time()
    for text in ("\\" * 50_000, "a " * 25_000, "%25" * 20_000, "+" * 50_000, '\\"' * 25_000):
        log.hide(text, [value])
    assert time.process_time() - began < 5
