"""Servers that repeat secrets: nothing of them shows in errors, evidence, records and logs."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import pytest
import structlog

from monitor import log
from monitor.channels.probe import Session
from monitor.channels.relay import RelayChannel
from monitor.entra import sdk
from monitor.entra.auth import graph_credential, smtp_token
from monitor.entra.calls import GraphCalls
from monitor.entra.deadlines import TenantClock
from monitor.entra.secrets import ResolvedCredential
from monitor.entra.token_source import TokenSource
from monitor.errors import DeliveryError, RemoteError, TokenError
from monitor.model import CanaryResult, Relay
from tests.integration.entra_room import APPS, SHORT, TENANT, Room, diagnose
from tests.integration.graph_server import GraphServer, Reply, graph_refusal, token
from tests.integration.smtp_server import MAILBOX, Action, ScriptedServer, certificates
from tests.integration.smtp_server import diagnose as smtp_diagnose
from tests.integration.test_smtp_mails import MAIL
from tests.integration.test_smtp_stages import probe

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OPAQUE = "opaque-Token/with+odd=letters.0123456789~" * 3
SECRETS = [
    "correct horse battery staple 42",
    'it\'s "quoted" \\ 100% + more & <so> on/off',
    "Grüße, 世界! 🎈 ok?",
    "short+1",
]
PIECE = 12
ENCODED: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda value: quote(value, safe=""),
    "percent-lower": lambda value: quote(value).replace("%2B", "%2b").replace("%20", "+"),
    "form": quote_plus,
    "percent-twice": lambda value: quote(quote_plus(value)),
    "json": lambda value: json.dumps(value),
    "json-in-json": lambda value: json.dumps(json.dumps({"client_secret": value})),
    "html": lambda value: html.escape(value),
    "python": repr,
    "basic": lambda value: base64.b64encode(f"{TENANT.client_id}:{value}".encode()).decode(),
    "all-escaped": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()),
    "piece": lambda value: value[: max(PIECE, len(value) - 3)],
}


def traces(value: str) -> set[str]:
    """All that betrays a value: its longer pieces, as they are and in every encoding."""
    found: set[str] = set()
    for name, encode in ENCODED.items():
        text = encode(value)
        if name in ("basic", "json-in-json"):  # these hold other words as well
            text = text[-max(len(value) - 2, PIECE) :].rstrip('"}\\=')
        found |= {text[i : i + PIECE] for i in range(max(1, len(text) - PIECE + 1))}
    return found


def leaks(value: str, text: str) -> list[str]:
    """The pieces of a value that can be read in a text."""
    return [piece for piece in traces(value) if piece in text]


def everything(error: BaseException) -> str:
    """All that anybody can print of an error and its causes, the traceback included."""
    told = [*traceback.format_exception(error)]
    cause: BaseException | None = error
    while cause is not None:
        told += [str(cause), repr(cause), repr(cause.args), repr(vars(cause))]
        cause = cause.__cause__
    return "\n".join(told)


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphServer]:
    """A fake Microsoft for all tests: making its keys takes longer than a test."""
    with GraphServer(tmp_path_factory.mktemp("microsoft")) as server:
        yield server


@pytest.fixture
def room(microsoft: GraphServer) -> Room:
    """The fake Microsoft, with nothing told yet."""
    microsoft.script.clear()
    microsoft.token_script = []
    return Room.on(microsoft)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that is logged, at debug."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    log.set_up(level="debug", form="json")
    yield written
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def refused_token(room: Room, secret: str) -> TokenError:
    """The error when a token for SMTP is asked for with a secret."""
    value = ResolvedCredential.from_secret(secret)
    try:
        smtp_token(
            TENANT.directory_id, TENANT.client_id, room.cloud, value,
            timeout_s=2, diagnose=diagnose,
        )  # fmt: skip
    except TokenError as error:
        log.get("test").exception("refused")
        return error
    raise AssertionError("there was a token")


async def failed_call(room: Room) -> RemoteError:
    """The error of one call of Graph; a scan's record holds only its words."""
    base = f"{room.server.graph}/v1.0"
    context = sdk.tls_context(room.cloud.ca_file)
    client = sdk.open_client(context, address=base, connect=2, read=2)
    value = ResolvedCredential.from_secret("a-secret")
    tokens = TokenSource(
        lambda: graph_credential(
            TENANT.directory_id, TENANT.client_id, room.cloud, value, timeout=2
        ),
        directory_id=TENANT.directory_id, authority=room.cloud.authority, diagnose=diagnose,
        deadline_s=5,
    )  # fmt: skip
    calls = GraphCalls(
        sdk.graph_for(client, tokens, room.cloud.graph_scope, base), tokens, base,
        ledger=sdk.Ledger(), clock=TenantClock(SHORT), now=lambda: datetime.now(UTC),
        diagnose=diagnose,
    )  # fmt: skip

    async def use(body: bytes) -> bytes:
        return body

    async with tokens:
        try:
            with pytest.raises(RemoteError) as raised:
                await calls.read(calls.graph.applications, "applications", use, tries=1)
        finally:
            await client.close()
    return raised.value


# --- the client secret ----------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("secret", SECRETS)
async def test_a_client_secret_that_is_repeated_does_not_show(
    secret: str, encoding: str, room: Room, logged: io.StringIO
) -> None:
    """Of whatever form, in whatever encoding; the code and the other words stay."""
    said = f"AADSTS7000215: Invalid client secret provided: {ENCODED[encoding](secret)}. Sorry."
    body = {"error": "invalid_client", "error_description": said, "error_codes": [7000215]}
    room.server.token_script = [Reply(body, 401)]
    error = refused_token(room, secret)
    record = (await room.scan(value=ResolvedCredential.from_secret(secret))).record
    assert error.cause == record.cause == "wrong_secret"
    for words in (str(error), error.evidence, record.problem or ""):
        assert "AADSTS7000215: Invalid client secret provided" in words
        assert "hidden" in words
    assert leaks(secret, everything(error) + repr(record) + logged.getvalue()) == []


@pytest.mark.parametrize("encoding", sorted(ENCODED.keys() - {"json-in-json", "basic"}))
@pytest.mark.parametrize("secret", SECRETS)
def test_what_secrets_look_like_is_not_enough_to_find_them(secret: str, encoding: str) -> None:
    """The known-bad variant: by its patterns alone, `redact` lets these through."""
    assert leaks(secret, log.redact(f"provided: {ENCODED[encoding](secret)}."))


def test_answers_that_are_no_json_are_searched_too(room: Room) -> None:
    """A proxy's page, a busy server's text."""
    for status in (200, 400, 429, 502, 503):
        page = f"<html>bad request: client_secret={quote(SECRETS[0])}</html>".encode()
        room.server.token_script = [Reply(page, status, content_type="text/html")]
        error = refused_token(room, SECRETS[0])
        assert leaks(SECRETS[0], everything(error)) == []


# --- a token in an answer that is none ------------------------------------------------------------

BROKEN = {
    "cut": f'{{"token_type": "Bearer", "access_token": "{OPAQUE}'.encode(),
    "text": OPAQUE.encode(),
    "list": [OPAQUE],
    "in-a-list": {"token_type": "Bearer", "expires_in": 3599, "access_token": [OPAQUE]},
    "in-a-table": {"token_type": "Bearer", "expires_in": 3599, "access_token": {"value": OPAQUE}},
    "by-another-name": {"token_type": "Bearer", "expires_in": 3599, "value": OPAQUE},
    "with-an-error": {"error": "odd", "token_type": "Bearer", "value": OPAQUE},
    "no-utf-8": b'\xff{"access_token": "' + OPAQUE.encode() + b'"}',
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_token_in_a_broken_answer_does_not_show(
    kind: str, room: Room, logged: io.StringIO
) -> None:
    """Nobody knows where in it the token is, so nothing of such an answer is kept."""
    room.server.token_script = [Reply(BROKEN[kind], content_type="application/json")]
    error = refused_token(room, "a-secret")
    assert leaks(OPAQUE, everything(error) + logged.getvalue()) == []
    if kind in ("text", "in-a-list"):  # each takes its time, as it is tried again
        of_graph = await failed_call(room)
        assert of_graph.cause == "malformed_page"
        assert leaks(OPAQUE, everything(of_graph) + logged.getvalue()) == []


@pytest.mark.parametrize("kind", ["cut", "by-another-name", "text"])
async def test_a_managed_identitys_token_does_not_show(
    kind: str, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """azure-core appends the whole answer to what its error says."""
    room.server.script["/identity"] = [Reply(BROKEN[kind])]
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{room.server.graph}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    value = ResolvedCredential.managed_identity("0d0d0000-0000-4000-8000-000000000001")
    record = (await room.scan(value=value)).record
    assert record.cause == "managed_identity_missing"
    with pytest.raises(TokenError) as raised:
        smtp_token(
            TENANT.directory_id, TENANT.client_id, room.cloud, value,
            timeout_s=2, diagnose=diagnose,
        )  # fmt: skip
    pieces = {OPAQUE[i : i + PIECE] for i in range(len(OPAQUE) - PIECE)}
    assert not [x for x in pieces if x in everything(raised.value) + repr(record)]


async def test_an_identitys_assertion_that_is_repeated_does_not_show(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a credential for minutes."""
    expires = str(int(datetime.now(UTC).timestamp()) + 3600)
    answer = {"access_token": OPAQUE, "expires_on": expires, "resource": "x"}
    room.server.script["/identity"] = [Reply(answer)]
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{room.server.graph}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    said = f"AADSTS700027: The assertion {OPAQUE} failed."
    room.server.token_script = [Reply({"error": "x", "error_description": said}, 401)]
    value = ResolvedCredential.managed_identity("0d0d0000-0000-4000-8000-000000000001")
    record = (await room.scan(value=value)).record
    assert "AADSTS700027" in (record.problem or "")
    with pytest.raises(TokenError) as raised:
        smtp_token(
            TENANT.directory_id, TENANT.client_id, room.cloud, value,
            timeout_s=2, diagnose=diagnose,
        )  # fmt: skip
    assert leaks(OPAQUE, everything(raised.value) + repr(record)) == []


# --- the bearer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("bearer", [OPAQUE, str(token()["access_token"])], ids=["opaque", "jwt"])
async def test_a_bearer_that_graph_repeats_does_not_show(
    bearer: str, status: int, room: Room, logged: io.StringIO
) -> None:
    """Whole, cut off or quoted; the code stays."""
    room.server.token_script = [Reply(token() | {"access_token": bearer})]
    said = f"Token '{bearer}' is wrong ({quote(bearer, safe='')}); got {bearer[:60]}..."
    room.server.script[APPS] = [graph_refusal(status, "SomeCode", said, Retry_After="0")]
    record, error = (await room.scan()).record, await failed_call(room)
    assert "SomeCode" in (record.problem or "")
    assert "is wrong" in error.evidence
    assert leaks(bearer, repr(record) + everything(error) + logged.getvalue()) == []


async def test_a_bearer_in_a_link_does_not_show(room: Room, logged: io.StringIO) -> None:
    """Graph's next link leads elsewhere and holds the token of this call."""
    room.server.token_script = [Reply(token() | {"access_token": OPAQUE})]
    link = f"https://elsewhere.example/v1.0/applications?token={OPAQUE}"
    room.server.script[APPS] = [Reply({"value": [], "@odata.nextLink": link})]
    found = await room.scan()
    assert "elsewhere.example" in (found.record.problem or "")
    assert leaks(OPAQUE, repr(found) + logged.getvalue()) == []


async def test_a_token_that_cannot_be_sent_does_not_show(room: Room) -> None:
    """The error of an encoder holds what it was to encode."""
    bearer = f"a,{OPAQUE}ü"  # the patterns take a comma for the end of a token
    room.server.token_script = [Reply(token() | {"access_token": bearer})]
    error = await failed_call(room)
    assert error.evidence
    assert leaks(bearer, everything(error)) == []


# --- SMTP -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("password", SECRETS)
def test_a_relays_password_that_is_repeated_does_not_show(
    password: str, encoding: str, logged: io.StringIO
) -> None:
    """In whatever form it comes back; the reply's code and its other words stay."""
    refusal = f"535 5.7.8 bad password {ENCODED[encoding](password)} for you"
    script: dict[str, Action] = {"EHLO+TLS": "250-mx\r\n250 AUTH PLAIN", "AUTH": refusal}
    with ScriptedServer(script).running() as server:
        carrier = RelayChannel(
            Relay("127.0.0.1", server.port, user="user"), mailbox=MAILBOX, password=password,
            diagnose=smtp_diagnose, clock=lambda: MAIL.date,
            ca_file=str(certificates() / "ca.pem"),
        )  # fmt: skip
        with closing(carrier), pytest.raises(DeliveryError) as caught:
            carrier.send(MAIL)
    log.get("test").error("refused", exc_info=caught.value)
    assert "535 5.7.8 bad password" in caught.value.evidence
    assert "for you" in caught.value.evidence
    assert leaks(password, everything(caught.value) + logged.getvalue()) == []


@pytest.mark.parametrize("encoding", ENCODED)
def test_a_token_that_exchange_repeats_does_not_show(encoding: str) -> None:
    """Not in the evidence and not in what the stages say, opaque as it may be."""
    blob = base64.b64encode(f"user={MAILBOX}\1auth=Bearer {OPAQUE}\1\1".encode()).decode()
    refusal = f"535 5.7.3 no: {ENCODED[encoding](OPAQUE)} {blob} {blob[40:90]}"
    with ScriptedServer({"AUTH": refusal}).running() as server:
        found = probe(server.path(), token=lambda: OPAQUE)
        session = Session(server.path(), token=lambda: OPAQUE, diagnose=smtp_diagnose)
        with closing(session), pytest.raises(DeliveryError) as caught:
            session.open()
    assert found.result is CanaryResult.FAILED
    assert found.evidence.startswith("535 5.7.3 no")
    shown = repr(found) + everything(caught.value) + "\n".join(session.transcript)
    assert leaks(OPAQUE, shown) == []
    assert blob[40:60] not in shown
