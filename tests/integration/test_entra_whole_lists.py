"""A list that is not whole never ends complete: nothing in it may be taken as removed."""

from __future__ import annotations

import pytest

from tests.integration.entra_room import APPS, PRINCIPALS, Room, app, room
from tests.integration.graph_server import Reply

__all__ = ["room"]  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

END = "2031-01-01T00:00:00Z"


@pytest.mark.parametrize("path", [APPS, PRINCIPALS])
@pytest.mark.parametrize(
    "reply",
    [
        Reply({"value": []}, 201),
        Reply({"value": []}, 202),
        Reply({"value": []}, 203),
        Reply({"value": []}, 206),
        Reply(None, 204),
        Reply({"error": {"code": "x", "message": "m"}, "value": []}),
        Reply({"@odata.count": 5, "value": []}),
        Reply(b'{"value":[{"id":"1"}],"value":[]}'),
        Reply({"value": [], "@odata.NextLink": "http://x"}),
    ],
    ids=["201", "202", "203", "206", "204", "error", "count", "twice", "link"],
)
async def test_an_answer_that_is_not_a_whole_page_is_no_empty_tenant(
    room: Room, path: str, reply: Reply
) -> None:
    """Of either list."""
    room.server.script[path] = [reply]
    found = await room.scan()
    assert (found.record.complete, found.record.cause) == (False, "malformed_page")
    assert found.objects == ()


async def test_a_part_of_an_answer_is_asked_for_again(room: Room) -> None:
    """A proxy's mood costs one more request, not the scan."""
    room.server.script[APPS] = [Reply({"value": []}, 206), Reply({"value": [app(1, END)]})]
    found = await room.scan()
    assert found.record.complete, found.record.problem
    assert len(found.objects) == 1


async def test_a_count_is_of_all_pages_together(room: Room) -> None:
    """It stands on the first page only; more than it says does no harm."""
    room.server.pages(APPS, [app(1)], [app(2), app(3)])
    room.server.script[APPS][0].body["@odata.count"] = 3
    room.server.pages(PRINCIPALS, [app(4)], [app(5)])
    room.server.script[PRINCIPALS][0].body["@odata.count"] = 1
    found = await room.scan()
    assert found.record.complete, found.record.problem
    assert len(found.objects) == 5


async def test_an_object_that_comes_twice_is_counted_once(room: Room) -> None:
    """So the count says that another is missing."""
    room.server.pages(APPS, [app(1)], [app(1)])
    room.server.script[APPS][0].body["@odata.count"] = 2
    found = await room.scan()
    assert (found.record.complete, found.record.cause) == (False, "malformed_page")
    assert "counts 2 entries and gave 1" in (found.record.problem or "")


@pytest.mark.parametrize("place", ["passwordCredentials", "keyCredentials"])
async def test_applications_without_what_was_asked_for_are_not_complete(
    room: Room, place: str
) -> None:
    """Their secrets are not gone, they were left out."""
    part = app(1, END)
    del part[place]
    room.server.script[APPS] = [Reply({"value": [part, app(2, END)]})]
    found = await room.scan()
    assert (found.record.complete, found.record.cause) == (False, "malformed_page")
    assert "App 1" in found.record.notes[0]
    assert len(found.objects) == 2


@pytest.mark.parametrize(
    "link",
    ["/v1.0/servicePrincipals?x=1", "/v1.0/applications/1/owners", "/v1.0/", "/v1.0//"],
)
async def test_a_link_to_another_list_ends_the_scan(room: Room, link: str) -> None:
    """What it lists would stand for the rest of this one."""
    body = {"value": [app(1, END)], "@odata.nextLink": f"{room.server.graph}{link}"}
    room.server.script[APPS] = [Reply(body)]
    found = await room.scan()
    assert (found.record.complete, found.record.cause) == (False, "scan_incomplete")
    assert room.server.asked(PRINCIPALS) == []


@pytest.mark.parametrize(
    "path", ["/v1.0/Applications", "/v1.0/applications/", "/v1.0//%61pplications"]
)
async def test_the_lists_own_name_may_be_written_in_any_way(room: Room, path: str) -> None:
    """Graph minds neither case nor slashes."""
    body = {"value": [app(1)], "@odata.nextLink": f"{room.server.graph}{path}?$skiptoken=1"}
    room.server.script[APPS] = [Reply(body), Reply({"value": [app(2)]})]
    for other in ("/v1.0/Applications", "/v1.0/applications/", "/v1.0//applications"):
        room.server.script[other] = [Reply({"value": [app(2)]})]
    found = await room.scan()
    assert found.record.complete, found.record.problem
    assert len(found.objects) == 2


async def test_an_object_that_comes_twice_keeps_the_credentials_of_both(room: Room) -> None:
    """In either order, each once; of one that both have, the last says what it is."""
    full, empty = app(1, END, "2032-01-01T00:00:00Z"), app(1)
    later = app(1, "2033-01-01T00:00:00Z", displayName="Renamed")
    for copies in ([full, empty], [empty, full], [full, later], [full, full]):
        room.server.script[APPS] = [Reply({"value": copies})]
        found = await room.scan()
        assert found.record.complete, found.record.problem
        (only,) = found.objects
        assert len({each.slot for each in only.credentials}) == len(only.credentials) == 2
        assert any("twice" in note for note in found.record.notes)
        if copies[1] is later:
            assert only.name == "Renamed"
            assert {each.end.year for each in only.credentials if each.end} == {2032, 2033}
