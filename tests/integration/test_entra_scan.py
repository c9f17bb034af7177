"""Scans of a Graph that misbehaves in every way that has been seen, over real sockets."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.entra.extras import AT_MOST
from monitor.entra.graph import Deadlines, GraphReader
from monitor.entra.secrets import ResolvedCredential
from monitor.model import Kind, ObjectType, Owner
from tests.integration.entra_room import APPS, PRINCIPALS, SECRET, TENANT, Room, app, diagnose, room
from tests.integration.graph_server import GraphServer, Reply, graph_refusal

# msgraph warns about its own classes when a request builder is imported.
__all__ = ["room"]  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OK = Reply({"value": [app(1, "2031-01-01T00:00:00Z")]})
GZIP = {"Content-Encoding": "gzip"}
HTML = Reply(b"<html>Sign in to the network</html>", content_type="text/html")


async def test_a_tenant_is_read_to_the_last_page_of_both_lists(room: Room) -> None:
    """An empty page with a nextLink goes on, and so does one shorter than asked for."""
    room.server.pages(
        APPS, [app(1, "2031-01-01T00:00:00Z")], [], [app(2, "2032-01-01T00:00:00.1234567Z")], []
    )
    room.server.pages(PRINCIPALS, [app(3)], [app(4, "2029-01-01T00:00:00Z")])
    found = await room.scan()
    assert found.record.complete
    assert (found.record.pages, found.record.objects, found.record.credentials) == (6, 4, 3)
    assert found.record.calls == {"200": 6}
    assert [each.name for each in found.objects] == ["App 1", "App 2", "App 3", "App 4"]
    assert found.objects[3].object_type is ObjectType.SERVICE_PRINCIPAL
    assert len(found.record.request_ids) == 5


async def test_what_is_asked_for_is_what_graph_needs_to_hear(room: Room) -> None:
    """Few fields, big pages, low priority, and the token that was issued."""
    await room.scan()
    (apps,), (principals,) = room.server.asked(APPS), room.server.asked(PRINCIPALS)
    assert apps.query["$top"] == "999"
    assert apps.query["$expand"] == "federatedIdentityCredentials"
    assert "passwordCredentials" in apps.query["$select"].split(",")
    assert "preferredTokenSigningKeyThumbprint" in principals.query["$select"].split(",")
    assert apps.headers["x-ms-throttle-priority"] == "Low"
    assert apps.headers["Authorization"].startswith("Bearer ey")
    (token,) = [seen for seen in room.server.seen if seen.path.endswith("/token")]
    assert token.form["scope"] == "https://graph.microsoft.com/.default"


@pytest.mark.parametrize(
    ("trouble", "calls"),
    [
        ([Reply(b"", 500)], {"500": 1, "200": 2}),
        ([Reply(b"", 502), Reply(b"<html>", 502)], {"502": 2, "200": 2}),
        ([Reply(b"", 503)], {"503": 1, "200": 2}),
        ([Reply(b"", 429, {"Retry-After": "1"})], {"429": 1, "200": 2}),
        ([graph_refusal(429, "TooManyRequests")] * 2, {"429": 2, "200": 2}),
        ([Reply(act="hang")], {"200": 2}),
        ([Reply({"value": []}, act="cut")], {"200": 3}),
        ([Reply(b'{"value":[{"id":"1"')], {"200": 3}),
        ([Reply({})], {"200": 3}),
        ([graph_refusal(401, "InvalidAuthenticationToken")], {"401": 1, "200": 2}),
    ],
)
async def test_passing_trouble_costs_nothing_but_time(
    room: Room, trouble: list[Reply], calls: dict[str, int]
) -> None:
    """The facts are those of a scan without trouble, and every response is counted."""
    room.server.script[APPS] = [*trouble, OK]
    found = await room.scan()
    assert found.record.complete, found.record.problem
    assert [each.name for each in found.objects] == ["App 1"]
    assert found.record.calls == calls


async def test_a_compressed_page_is_read(room: Room) -> None:
    """Graph compresses what is asked for."""
    room.server.script[APPS] = [Reply(gzip.compress(OK.payload), headers=GZIP)]
    found = await room.scan()
    assert "gzip" in room.server.asked(APPS)[0].headers["Accept-Encoding"]
    assert len(found.objects) == 1


@pytest.mark.parametrize(
    ("reply", "cause", "retry", "most"),
    [
        (Reply(b"", 500), "transient", "later", 3),
        (Reply(b"<html>", 503), "transient", "later", 6),
        (Reply(act="hang"), "reply_timeout", "later", 3),
        (Reply({"value": []}, act="cut"), "malformed_page", "later", 3),
        (Reply(b'{"value":['), "malformed_page", "later", 3),
        (Reply({"value": None}), "malformed_page", "later", 3),
        (Reply(b"no gzip", headers=GZIP), "malformed_page", "later", 3),
        (Reply(b" " * (33 * 1024 * 1024)), "scan_incomplete", "later", 1),
        (HTML, "html_instead_of_json", "after_fix", 1),
        (Reply(b"", 302, {"Location": "https://proxy.example/"}), "html_instead_of_json",
         "after_fix", 1),
        (graph_refusal(403, "Authorization_RequestDenied"), "permission_missing", "after_fix", 1),
        (Reply(b"<html>", 403), "permission_missing", "after_fix", 1),
    ],
)  # fmt: skip
async def test_lasting_trouble_ends_the_scan_with_its_cause(
    room: Room, reply: Reply, cause: str, retry: str, most: int
) -> None:
    """After a bounded number of tries, with a sentence, and without half the facts."""
    room.server.script[APPS] = [reply]
    found = await room.scan()
    assert not found.record.complete
    assert (found.record.cause, found.record.retry) == (cause, retry)
    assert found.objects == ()
    assert found.record.problem
    assert "Traceback" not in found.record.problem
    assert len(room.server.asked(APPS)) <= most


async def test_a_page_that_breaks_in_the_middle_of_a_list_gives_no_facts(room: Room) -> None:
    """What was read before the break is counted, and not handed on."""
    room.server.pages(APPS, [app(1)], [app(2)])
    room.server.script[APPS][1] = graph_refusal(403, "Authorization_RequestDenied")
    found = await room.scan()
    assert (found.record.complete, found.record.pages, found.record.objects) == (False, 1, 1)
    assert found.objects == ()


@pytest.mark.parametrize(
    "wait", ["3600", "999999999999", "120,120", format_datetime(datetime(2099, 1, 1, tzinfo=UTC))]
)
async def test_a_wait_that_does_not_fit_ends_the_scan_at_once(room: Room, wait: str) -> None:
    """It is throttled, and the problem says until when."""
    room.server.script[APPS] = [graph_refusal(429, "TooManyRequests", Retry_After=wait)]
    found = await room.scan()
    assert (found.record.cause, found.record.retry) == ("throttled", "later")
    assert "until 20" in (found.record.problem or "")
    assert found.record.calls == {"429": 1}


async def test_a_date_in_retry_after_is_counted_from_the_servers_clock(room: Room) -> None:
    """Ours may be hours off: the wait is one second either way."""
    there = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    dates = {
        "Date": format_datetime(there, usegmt=True),
        "Retry-After": format_datetime(there + timedelta(seconds=1), usegmt=True),
    }
    room.server.script[APPS] = [Reply(b"", 429, dates), OK]
    found = await room.scan()
    assert found.record.complete, found.record.problem


async def test_the_tenants_time_runs_out_with_a_cause(room: Room) -> None:
    """A server that drips or hangs costs no more than the deadline."""
    room.server.script[APPS] = [Reply(act="hang")]
    found = await room.scan(deadlines=Deadlines(connect=1, read=5, token=2, tenant=0.3))
    assert found.record.cause == "reply_timeout"
    assert "ran out" in (found.record.problem or "")


async def test_one_tenants_trouble_does_not_reach_another(room: Room, tmp_path: Path) -> None:
    """They share one HTTP client; one hangs, the other is read."""
    folder = tmp_path / "other"
    folder.mkdir()
    with GraphServer(folder) as server:
        server.script[APPS] = [Reply(act="hang")]
        other = Room.on(server)
        value = ResolvedCredential.from_secret(SECRET)
        reader = GraphReader(deadlines=Deadlines(read=0.3, token=2, tenant=1), diagnose=diagnose)
        now = lambda: datetime.now(UTC)  # noqa: E731
        bad = await reader.scan(TENANT, other.cloud, value, now=now)
        good = await reader.scan(TENANT, room.cloud, value, now=now)
        await reader.close()
    assert (bad.record.complete, good.record.complete) == (False, True)


async def test_cookies_of_one_answer_are_not_sent_with_the_next(room: Room) -> None:
    """The client is shared by all tenants."""
    room.server.pages(APPS, [app(1)], [app(2)])
    room.server.script[APPS][0].headers["Set-Cookie"] = "who=contoso; Path=/"
    await room.scan()
    assert not any("Cookie" in seen.headers for seen in room.server.seen)


async def test_unreadable_entries_are_named_and_the_rest_is_kept(room: Room) -> None:
    """The scan is not complete then: a tenant is fine only when all of it was read."""
    broken = app(2, "soon", "2031-01-01T00:00:00Z")
    room.server.script[APPS] = [Reply({"value": [app(1, "2031-01-01T00:00:00Z"), broken, 3]})]
    found = await room.scan()
    assert (found.record.complete, found.record.cause) == (False, "malformed_page")
    assert [len(each.credentials) for each in found.objects] == [1, 1]
    notes = " ".join(found.record.notes)
    assert "App 2" in notes
    assert broken["passwordCredentials"][0]["keyId"] in notes


async def test_objects_that_come_twice_are_one(room: Room) -> None:
    """The credentials of both count, and a note says so."""
    room.server.pages(APPS, [app(1), app(2)], [app(2, "2031-01-01T00:00:00Z"), app(3)])
    found = await room.scan()
    assert found.record.complete
    assert [(each.name, len(each.credentials)) for each in found.objects] == [
        ("App 1", 0), ("App 2", 1), ("App 3", 0),
    ]  # fmt: skip
    assert any("twice" in note for note in found.record.notes)


async def test_without_expand_federated_credentials_are_asked_for_one_by_one(room: Room) -> None:
    """A server may refuse $expand; the applications are read all the same."""
    entry = {"id": "f", "name": "gh", "issuer": "https://i", "subject": "s", "audiences": ["a"]}
    room.server.script[APPS] = [graph_refusal(400, "Request_BadRequest"), OK]
    path = f"{APPS}/{app(1)['id']}/federatedIdentityCredentials"
    room.server.script[path] = [Reply({"value": [entry]})]
    found = await room.scan()
    assert found.record.complete
    assert [each.subject for each in found.objects[0].federated] == ["s"]
    assert "$expand" not in room.server.asked(APPS)[1].query


@pytest.mark.parametrize("reply", [Reply(b"", 500), Reply(act="reset"), HTML, Reply({})])
async def test_what_is_only_nice_to_know_makes_a_note_when_it_fails(
    room: Room, reply: Reply
) -> None:
    """Owners and federated credentials never decide whether a scan is complete."""
    one = app(1, "2026-01-01T00:00:00Z")
    room.server.script[APPS] = [graph_refusal(400, "x"), Reply({"value": [one]})]
    for part in ("federatedIdentityCredentials", "owners"):
        room.server.script[f"{APPS}/{one['id']}/{part}"] = [reply]
    found = await room.scan()
    assert found.record.complete
    assert found.objects[0].owners is None
    assert len(found.record.notes) == 2


async def test_owners_are_read_where_a_warning_is_near(room: Room) -> None:
    """Mail, else user name, else display name, else id."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    near, far = app(1, "2026-04-01T00:00:00Z"), app(2, "2027-04-01T00:00:00Z")
    room.server.script[APPS] = [Reply({"value": [near, far, app(3, "2020-01-01T00:00:00Z")]})]
    owners: list[dict[str, Any]] = [
        {"id": "1", "displayName": "Ann", "mail": "ann@contoso.example"},
        {"id": "2", "displayName": "Bob", "mail": None, "userPrincipalName": "bob@contoso"},
        {"id": "3", "displayName": "A service"},
        {"id": "4", "displayName": None},
    ]
    room.server.script[f"{APPS}/{near['id']}/owners"] = [Reply({"value": owners})]
    found = await room.scan(now=lambda: now)
    assert [each.owners for each in found.objects] == [
        ("ann@contoso.example", "bob@contoso", "A service", "4"), None, (),
    ]  # fmt: skip
    assert found.record.complete


async def test_owners_of_service_principals_are_read_only_where_a_warning_is_near(
    room: Room,
) -> None:
    """One request for each such object: none for the many without a credential, or rotated ones."""
    near = app(1, "2026-04-01T00:00:00Z")
    rotated = app(2, "2026-04-01T00:00:00Z", servicePrincipalType="ManagedIdentity")
    crowd = [app(number) for number in range(10, 310)]
    far = app(3, "2027-04-01T00:00:00Z")
    room.server.script[PRINCIPALS] = [Reply({"value": [near, rotated, far, *crowd]})]
    ann = {"@odata.type": "#microsoft.graph.user", "id": "1", "displayName": "Ann",
           "mail": "ann@contoso.example"}  # fmt: skip
    room.server.script[f"{PRINCIPALS}/{near['id']}/owners"] = [Reply({"value": [ann]})]
    found = await room.scan(now=lambda: datetime(2026, 3, 1, tzinfo=UTC))
    assert found.record.complete
    by_id = {each.object_id: each for each in found.objects}
    assert by_id[near["id"]].people == (Owner("Ann", "ann@contoso.example"),)
    assert by_id[far["id"]].people is by_id[rotated["id"]].people is None
    asked = [seen.path for seen in room.server.seen if seen.path.endswith("/owners")]
    assert asked == [f"{PRINCIPALS}/{near['id']}/owners"]


async def test_what_lapsed_long_ago_does_not_crowd_out_the_owners_of_what_is_near(
    room: Room,
) -> None:
    """Two hundred objects are asked about in one scan: the nearest ends."""
    old = [app(number, "2020-01-01T00:00:00Z") for number in range(10, 10 + AT_MOST)]
    near = app(1, "2026-04-01T00:00:00Z")
    room.server.script[APPS] = [Reply({"value": old})]
    room.server.script[PRINCIPALS] = [Reply({"value": [near]})]
    found = await room.scan(now=lambda: datetime(2026, 3, 1, tzinfo=UTC))
    assert len(room.server.asked(f"{PRINCIPALS}/{near['id']}/owners")) == 1
    assert "The owners of 1 apps were not asked for." in found.record.notes


async def test_owners_of_a_service_principal_that_are_refused_make_a_note(room: Room) -> None:
    """The scan stays complete, and the owners are not known."""
    near = app(1, "2026-04-01T00:00:00Z")
    room.server.script[PRINCIPALS] = [Reply({"value": [near]})]
    refusal = graph_refusal(403, "Authorization_RequestDenied")
    room.server.script[f"{PRINCIPALS}/{near['id']}/owners"] = [refusal]
    found = await room.scan(now=lambda: datetime(2026, 3, 1, tzinfo=UTC))
    assert found.record.complete
    assert found.objects[0].people is None
    assert any("Not all owners could be read" in note for note in found.record.notes)


async def test_owners_are_kept_as_far_as_mail_reaches_them(room: Room) -> None:
    """Mailbox, account and sort; of the notes only the addresses behind NotifyEmail=."""
    near = app(1, "2026-04-01T00:00:00Z", notes="key: hunter2\nNotifyEmail=team@contoso.example")
    room.server.script[APPS] = [Reply({"value": [near]})]
    user = {"@odata.type": "#microsoft.graph.user", "accountEnabled": False}
    robot = {"@odata.type": "#microsoft.graph.servicePrincipal", "id": "9", "displayName": "Robot"}
    hidden = {"@odata.type": "#microsoft.graph.user", "id": "7b1c0000-0000-4000-8000-000000000009"}
    owners: list[dict[str, Any]] = [
        {**user, "id": "1", "displayName": "Ann", "mail": "ann@contoso.example"}, robot, hidden,
        {**user, "id": "2", "displayName": "Bob", "mail": "no address"},
    ]  # fmt: skip
    room.server.script[f"{APPS}/{near['id']}/owners"] = [Reply({"value": owners})]
    found = await room.scan(now=lambda: datetime(2026, 3, 1, tzinfo=UTC))
    assert found.record.complete
    (one,) = found.objects
    assert one.people == (
        Owner("Ann", "ann@contoso.example", enabled=False),
        Owner("Robot", kind="service_principal"),
        Owner(hidden["id"]),
        Owner("Bob", enabled=False),
    )
    assert one.notify == ("team@contoso.example",)
    assert "hunter2" not in repr(one)
    assert any("User.ReadBasic.All" in note for note in found.record.notes)


async def test_a_clock_that_is_off_is_only_noted(room: Room) -> None:
    """More than five minutes from the server's Date."""
    found = await room.scan(now=lambda: datetime.now(UTC) - timedelta(hours=2))
    assert found.record.complete
    assert "120 minutes" in found.record.notes[0]


async def test_a_signing_certificate_of_a_service_principal_counts_once(room: Room) -> None:
    """The way Graph gives it: two keys and a password."""
    thumb = "AQIDBAUGBwgJCgsMDQ4PEBESExQ="
    part = {
        "customKeyIdentifier": thumb, "startDateTime": None, "endDateTime": "2026-09-01T00:00:00Z",
    }  # fmt: skip
    sign = {"keyId": "s", "usage": "Sign", "type": "X509CertAndPassword", **part}
    verify = {"keyId": "v", "usage": "Verify", "type": "AsymmetricX509Cert", **part}
    saml = app(
        1, keyCredentials=[sign, verify], passwordCredentials=[{"keyId": "s", **part}],
        preferredTokenSigningKeyThumbprint="0102030405060708090A0B0C0D0E0F1011121314",
    )  # fmt: skip
    room.server.script[PRINCIPALS] = [Reply({"value": [saml]})]
    found = await room.scan()
    (only,) = found.objects[0].credentials
    assert (only.kind, only.slot, only.active) == (Kind.SAML_SIGNING, "s", True)
