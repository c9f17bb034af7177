"""Tokens for Graph and for SMTP from an independent token endpoint over TLS."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.entra.auth import AccessToken, smtp_token
from monitor.entra.federated import exchange_audience
from monitor.entra.secrets import ResolvedCredential
from monitor.errors import SecretError, TokenError
from tests.integration.entra_room import APPS, SECRET, SHORT, TENANT, Room, diagnose, room
from tests.integration.graph_server import DIRECTORY, Reply, refusal, token

__all__ = ["room"]  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OTHER = "aaaaaaaa-0000-4000-8000-000000000001"
HTML = Reply(b"<html>Sign in</html>", content_type="text/html")
TROUBLE = [
    (refusal(7000222), "expired_secret", True),
    (refusal(7000215), "wrong_secret", True),
    (refusal(700016, "unauthorized_client", 400), "app_not_found", True),
    (refusal(90002, "invalid_request", 400), "tenant_not_found", True),
    (refusal(90033, "temporarily_unavailable", 503), "transient", False),
    (HTML, "html_instead_of_json", True),
    (Reply(b"<html>", 503), "transient", False),
    (Reply(b"", 500), "transient", False),
    (Reply(act="hang"), "reply_timeout", False),
    (Reply(act="reset"), "transient", False),
    (Reply(token(), act="cut"), "malformed_page", False),
    (Reply(b'{"access_'), "malformed_page", False),
    (Reply(token(OTHER)), "bad_tenant_id", True),
]


def ask(room: Room, value: ResolvedCredential | None = None, **cloud: Any) -> AccessToken:
    """A token for SMTP."""
    return smtp_token(
        TENANT.directory_id,
        TENANT.client_id,
        replace(room.cloud, **cloud),
        value or ResolvedCredential.from_secret(SECRET),
        timeout_s=0.5,
        diagnose=diagnose,
    )


def token_requests(room: Room) -> list[dict[str, str]]:
    """The forms that were posted to the token endpoint."""
    return [seen.form for seen in room.server.seen if seen.path.endswith("/oauth2/v2.0/token")]


@pytest.mark.parametrize(("reply", "cause", "permanent"), TROUBLE)
async def test_a_scan_without_a_token_has_the_cause(
    room: Room, reply: Reply, cause: str, permanent: bool
) -> None:
    """Graph is not called, and the secret is not shown."""
    room.server.token_script = [reply]
    found = await room.scan()
    assert (found.record.complete, found.record.cause) == (False, cause)
    assert found.record.retry == ("after_fix" if permanent else "later")
    assert room.server.asked(APPS) == []
    assert SECRET not in repr(found)
    if cause == "bad_tenant_id":
        assert OTHER in (found.record.problem or "")
        assert DIRECTORY in (found.record.problem or "")


@pytest.mark.parametrize(("reply", "cause", "permanent"), TROUBLE)
def test_no_token_for_smtp_has_the_cause(
    room: Room, reply: Reply, cause: str, permanent: bool
) -> None:
    """The same words as for Graph."""
    room.server.token_script = [reply]
    with pytest.raises(TokenError) as raised:
        ask(room)
    assert (raised.value.cause, raised.value.permanent) == (cause, permanent)
    assert raised.value.stage == "token"
    assert SECRET not in f"{raised.value}{raised.value.evidence}"


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"authority": "https://127.0.0.1:1"}, "connect_refused"),
        ({"authority": "https://login.nowhere.invalid"}, "name_not_found"),
        ({"ca_file": "{folder}/other.pem"}, "tls_untrusted"),
    ],
)
async def test_an_endpoint_that_cannot_be_reached_has_the_cause(
    room: Room, tmp_path: Path, change: dict[str, str], cause: str
) -> None:
    """For Graph and for SMTP alike."""
    where: dict[str, Any] = {n: text.format(folder=tmp_path) for n, text in change.items()}
    found = await room.scan(**where)
    assert found.record.cause == cause
    with pytest.raises(TokenError) as raised:
        ask(room, **where)
    assert raised.value.cause == cause


async def test_a_ca_file_that_is_not_there_has_the_cause(room: Room) -> None:
    """It is named."""
    found = await room.scan(ca_file="missing.pem")
    assert found.record.cause == "tls_untrusted"
    assert "missing.pem" in (found.record.problem or "")
    with pytest.raises(TokenError, match=r"missing\.pem"):
        ask(room, ca_file="missing.pem")


async def test_the_clouds_ca_counts_whatever_the_environment_says(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REQUESTS_CA_BUNDLE would override msal's `verify`; and nothing here goes by a proxy."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "other.pem"))
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    found = await room.scan()
    assert found.record.complete, found.record.problem
    assert ask(room).value


async def test_an_opaque_token_is_taken(room: Room) -> None:
    """Other servers need not issue JWTs."""
    opaque = {"access_token": "opaque", "expires_in": "3600", "token_type": "Bearer"}
    room.server.token_script = [Reply(opaque)]
    assert (await room.scan()).record.complete
    assert ask(room).claims == {}


async def test_passing_trouble_at_the_token_endpoint_costs_only_time(room: Room) -> None:
    """It is tried again within the token's deadline."""
    room.server.token_script = [Reply(b"<html>", 502), Reply(b"", 429), Reply(token())]
    found = await room.scan(deadlines=replace(SHORT, token=5))
    assert found.record.complete, found.record.problem


async def test_a_wait_longer_than_the_tokens_deadline_is_not_waited_for(room: Room) -> None:
    """It is throttled."""
    room.server.token_script = [Reply(b"", 503, {"Retry-After": "600"})]
    found = await room.scan()
    assert found.record.cause == "throttled"
    assert len(token_requests(room)) == 1


async def test_each_scan_asks_for_a_new_token(room: Room) -> None:
    """A cached one would hide a dead secret."""
    await room.scan()
    await room.scan()
    assert len(token_requests(room)) == 2


def test_each_smtp_token_is_a_new_one(room: Room) -> None:
    """And a refusal is not remembered either."""
    room.server.token_script = [refusal(7000215, status=400), Reply(token())]
    with pytest.raises(TokenError):
        ask(room)
    before = datetime.now(UTC)
    found = ask(room)
    assert ask(room)
    assert len(token_requests(room)) == 3
    assert timedelta(minutes=59) <= found.expires_at - before <= timedelta(minutes=61)
    assert found.claims["tid"] == DIRECTORY
    assert found.value not in repr(found)
    assert token_requests(room)[0]["scope"].split() == [room.cloud.smtp_scope]


async def test_a_certificate_signs_in_to_both(room: Room, tmp_path: Path) -> None:
    """By an assertion that names the certificate; no secret is sent."""
    value = ResolvedCredential.from_certificate((tmp_path / "app.pem").read_bytes())
    assert (await room.scan(value=value)).record.complete
    assert ask(room, value).value
    for form in token_requests(room):
        assert "client_secret" not in form
        head, claims, _ = form["client_assertion"].split(".")
        digest = base64.urlsafe_b64decode(_json(head)["x5t#S256"] + "==")
        assert digest.hex().upper() == value.thumbprints[1]
        assert _json(claims)["iss"] == TENANT.client_id


async def test_a_managed_identity_signs_in_to_both(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own token is the assertion."""
    expires = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
    room.server.script["/identity"] = [
        Reply({"access_token": "of-the-identity", "expires_on": str(expires), "resource": "x"})
    ]
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{room.server.graph}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    value = ResolvedCredential.managed_identity("0d0d0000-0000-4000-8000-000000000001")
    found = await room.scan(value=value)
    assert found.record.complete, found.record.problem
    assert ask(room, value).value
    assert [form["client_assertion"] for form in token_requests(room)] == ["of-the-identity"] * 2
    assert room.server.asked("/identity")[0].query["resource"] == "api://AzureADTokenExchange"


async def test_a_missing_managed_identity_has_its_cause(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint of the machine says no."""
    room.server.script["/identity"] = [Reply({"message": "No identity"}, 400)]
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{room.server.graph}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    value = ResolvedCredential.managed_identity("0d0d0000-0000-4000-8000-000000000001")
    assert (await room.scan(value=value)).record.cause == "managed_identity_missing"
    with pytest.raises(TokenError) as raised:
        ask(room, value)
    assert raised.value.cause == "managed_identity_missing"


@pytest.mark.parametrize(
    ("authority", "suffix"),
    [
        ("https://login.microsoftonline.com", ""),
        ("https://login.microsoftonline.us", "USGov"),
        ("https://login.chinacloudapi.cn", "China"),
    ],
)
def test_each_cloud_has_its_own_audience_for_the_exchange(
    room: Room, authority: str, suffix: str
) -> None:
    """As Microsoft documents it."""
    found = exchange_audience(replace(room.cloud, authority=authority))
    assert found == f"api://AzureADTokenExchange{suffix}/.default"


def test_a_value_is_never_printed(tmp_path: Path) -> None:
    """Only what Graph shows of it, too, is known: a hint and thumbprints."""
    value = ResolvedCredential.from_secret(SECRET)
    assert SECRET not in f"{value!r}{value}"
    assert value.hint == "Abc"
    assert value.thumbprints == ()


def test_a_pem_file_must_hold_a_pair(room: Room, tmp_path: Path) -> None:
    """Key and certificate, that belong together and can be read."""
    pair, ca = (tmp_path / "app.pem").read_bytes(), (tmp_path / "ca.pem").read_bytes()
    key = pair[: pair.index(b"-----BEGIN CERTIFICATE")]
    assert [len(each) for each in ResolvedCredential.from_certificate(pair).thumbprints] == [40, 64]
    for broken in (b"", ca, key, key + ca, b"junk"):
        with pytest.raises(SecretError) as raised:
            ResolvedCredential.from_certificate(broken)
        assert raised.value.remedy
    with pytest.raises(SecretError):
        ResolvedCredential.from_secret("  ")


def _json(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return found
