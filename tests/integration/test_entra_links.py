"""Where a nextLink may lead, and that no token ever goes anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.entra_room import APPS, Room, app, room
from tests.integration.graph_server import GraphServer, Reply

__all__ = ["room"]  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[GraphServer]:
    """Another server, that must never be called."""
    folder = tmp_path / "stranger"
    folder.mkdir()
    with GraphServer(folder) as server:
        yield server


@pytest.mark.parametrize(
    "link",
    [
        "{stranger}/v1.0/applications?$skiptoken=1",
        "http://user:pass@{host}/v1.0/applications?$skiptoken=1",
        "{graph}@{stranger_host}/v1.0/applications",
        "https://{host}/v1.0/applications?$skiptoken=1",
        "http://localhost:{port}/v1.0/applications?$skiptoken=1",
        "http://127.0.0.1/v1.0/applications?$skiptoken=1",
        "http://127.0.0.1:99999/v1.0/applications",
        "{graph}/beta/applications?$skiptoken=1",
        "{graph}/v1.0/../beta/applications",
        "{graph}/v1.0/%2e%2e/beta/applications",
        "{graph}/v1.0\\@{stranger_host}/",
        "{graph}/v1.0/applications?a=b\r\nHost: x",
        "/v1.0/applications?$skiptoken=1",
        "applications?$skiptoken=1",
        "//{stranger_host}/v1.0/applications",
        "",
        7,
        {"a": 1},
    ],
)
async def test_a_link_to_anywhere_else_ends_the_scan_and_is_not_followed(
    room: Room, stranger: GraphServer, link: object
) -> None:
    """Another scheme, host, port or path, a relative one, and what is no link at all."""
    if isinstance(link, str):
        link = link.format(
            stranger=stranger.graph,
            graph=room.server.graph,
            host=room.server.graph.removeprefix("http://"),
            stranger_host=stranger.graph.removeprefix("http://"),
            port=room.server.graph.rpartition(":")[2],
        )
    room.server.script[APPS] = [Reply({"value": [app(1)], "@odata.nextLink": link})]
    found = await room.scan()
    assert (found.record.complete, found.record.cause) == (False, "scan_incomplete")
    assert found.objects == ()
    assert stranger.seen == []
    assert len(room.server.asked(APPS)) == 1
    assert "nextLink" in (found.record.problem or "")


async def test_a_link_that_was_followed_before_ends_the_scan(room: Room) -> None:
    """Or it would go round for ever."""
    link = f"{room.server.graph}{APPS}?$skiptoken=1"
    room.server.script[APPS] = [Reply({"value": [app(1)], "@odata.nextLink": link})]
    found = await room.scan()
    assert (found.record.complete, found.record.cause) == (False, "scan_incomplete")
    assert len(room.server.asked(APPS)) == 2
    assert link in (found.record.problem or "")


async def test_links_that_never_end_and_bring_nothing_new_end_the_scan(room: Room) -> None:
    """Even though each of them is another one, and each page adds to the tenant's time."""
    room.server.script[APPS] = [
        Reply({"value": [], "@odata.nextLink": f"{room.server.graph}{APPS}?$skiptoken={number}"})
        for number in range(500)
    ]
    found = await room.scan()
    assert (found.record.complete, found.record.cause) == (False, "scan_incomplete")
    assert len(room.server.asked(APPS)) <= 110


async def test_the_api_path_may_be_written_with_two_slashes(room: Room) -> None:
    """Graph takes it, and so do we."""
    link = f"{room.server.graph}/v1.0//applications?$skiptoken=a%2Bb%3D%26"
    room.server.script[APPS] = [Reply({"value": [app(1)], "@odata.nextLink": link})]
    room.server.script["/v1.0//applications"] = [Reply({"value": [app(2)]})]
    found = await room.scan()
    assert found.record.complete, found.record.problem
    assert len(found.objects) == 2
    (second,) = room.server.asked("/v1.0//applications")
    assert second.query["$skiptoken"] == "a+b=&"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(room: Room, stranger: GraphServer, status: int) -> None:
    """It would carry the token along."""
    room.server.script[APPS] = [Reply(b"", status, {"Location": f"{stranger.graph}{APPS}"})]
    found = await room.scan()
    assert not found.record.complete
    assert stranger.seen == []


async def test_the_token_goes_to_the_clouds_graph_only(room: Room, stranger: GraphServer) -> None:
    """Neither the token endpoint nor anybody else is shown it."""
    room.server.pages(APPS, [app(1)], [app(2)])
    await room.scan()
    shown = {seen.path for seen in room.server.seen if "Authorization" in seen.headers}
    assert shown == {APPS, "/v1.0/servicePrincipals"}
    assert stranger.seen == []
