"""The token endpoint sends the caller elsewhere, or away: nobody else ever sees the secret."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from monitor.entra.auth import smtp_token
from monitor.entra.secrets import ResolvedCredential
from monitor.errors import TokenError
from tests.integration.entra_room import APPS, SECRET, TENANT, Room, diagnose, room
from tests.integration.graph_server import GraphServer, Reply, token

__all__ = ["room"]  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

REDIRECTS = [301, 302, 303, 307, 308]


@pytest.fixture
def thief(tmp_path: Path) -> Iterator[GraphServer]:
    """A server in clear text, that must never be called."""
    folder = tmp_path / "thief"
    folder.mkdir()
    with GraphServer(folder) as server:
        yield server


def refused(room: Room) -> TokenError:
    """Why there is no token for SMTP."""
    with pytest.raises(TokenError) as raised:
        smtp_token(
            TENANT.directory_id,
            TENANT.client_id,
            room.cloud,
            ResolvedCredential.from_secret(SECRET),
            timeout_s=2,
            diagnose=diagnose,
        )
    return raised.value


@pytest.mark.parametrize("status", REDIRECTS)
async def test_no_redirect_of_the_token_endpoint_is_followed(
    room: Room, thief: GraphServer, status: int
) -> None:
    """Neither by msal nor by azure-identity, and the body of a redirect is no token."""
    room.server.token_script = [Reply(token(), status, {"Location": f"{thief.graph}/steal"})]
    error = refused(room)
    assert (error.cause, error.stage) == ("html_instead_of_json", "token")
    assert "It is a redirect." in error.message
    assert thief.seen == []


@pytest.mark.parametrize("status", REDIRECTS)
async def test_no_scan_follows_a_redirect_of_the_token_endpoint(
    room: Room, thief: GraphServer, status: int
) -> None:
    """It has the cause of the canary."""
    room.server.token_script = [Reply(b"", status, {"Location": f"{thief.graph}/steal"})]
    found = await room.scan()
    assert (found.record.complete, found.record.cause) == (False, "html_instead_of_json")
    assert "It is a redirect." in (found.record.problem or "")
    assert thief.seen == []
    assert room.server.asked(APPS) == []


def test_a_token_endpoint_without_tls_is_not_asked(room: Room, thief: GraphServer) -> None:
    """Whatever the authority's own document names: the secret would travel in clear text."""
    room.server.token_endpoint = f"{thief.graph}/token"
    error = refused(room)
    assert (error.cause, error.stage) == ("malformed_page", "token")
    assert thief.seen == []


def test_a_client_that_follows_redirects_gives_the_secret_away(
    room: Room, thief: GraphServer
) -> None:
    """What requests does on its own: without this the tests above could not fail."""
    room.server.token_script = [Reply(b"", 307, {"Location": f"{thief.graph}/steal"})]
    url = f"{room.cloud.authority}/x/oauth2/v2.0/token"
    requests.post(url, data={"client_secret": SECRET}, verify=room.cloud.ca_file, timeout=5)
    assert [seen.form for seen in thief.seen] == [{"client_secret": SECRET}]


@pytest.mark.parametrize("body", [b"", b"{}", b"slow down"])
def test_a_sender_that_is_throttled_is_told_so(room: Room, body: bytes) -> None:
    """In the words of the scan, whatever the body is."""
    room.server.token_script = [Reply(body, 429)]
    error = refused(room)
    assert (error.cause, error.permanent, error.evidence) == ("throttled", False, body.decode())
    assert error.message.endswith("answered 429.")


def test_a_secret_that_a_refusal_repeats_is_not_shown(room: Room) -> None:
    """Nor in what is kept of a redirect or of an endpoint that is busy."""
    for status in (307, 429):
        room.server.token_script = [Reply(f"no: {SECRET}".encode(), status)]
        assert SECRET not in f"{(error := refused(room))}{error.evidence}"


async def test_a_ca_file_that_is_a_named_pipe_is_not_waited_for(room: Room, tmp_path: Path) -> None:
    """The client is made under a lock that all tenants wait for."""
    os.mkfifo(tmp_path / "pipe.pem")
    found = await room.scan(ca_file=str(tmp_path / "pipe.pem"))
    assert (found.record.complete, found.record.cause) == (False, "tls_untrusted")
