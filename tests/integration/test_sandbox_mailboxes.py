"""The sandbox's mailboxes and message trace, as Graph's documentation shows the real ones."""

# ruff: noqa: D103 (the names tell)

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
import requests

from monitor.sandbox import Cloud, InboxMessage, SandboxClock, World, demo_world
from tests.integration.test_sandbox_graph import token

BOX = "noreply@contoso.example"
RAW = (
    b"From: noreply@contoso.example\r\nTo: noreply@contoso.example\r\nSubject: Hello [0011]\r\n"
    b"Message-ID: <one@contoso.example>\r\nX-Lapsewatch-Canary-Id: 0011\r\n\r\nHi\r\n"
)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    clock = SandboxClock()
    world: World = demo_world(clock.now())
    world.tenant("contoso").principals[-1].graph_roles = ()
    with Cloud(world, clock) as running:
        running.inbox.add(InboxMessage(clock.now(), BOX, BOX, (BOX,), RAW))
        yield running


def ask(cloud: Cloud, path: str, *roles: str) -> requests.Response:
    tenant = cloud.world.tenant("contoso")
    assert tenant.monitor is not None
    tenant.principal_of(tenant.monitor.client_id).graph_roles = roles
    with requests.Session() as http:
        http.trust_env = False
        bearer = {"Authorization": f"Bearer {token(http, cloud, tenant)}"}
        return http.get(f"{cloud.graph_url}/v1.0{path}", headers=bearer, timeout=10)


def messages(filter_: str = "", select: str = "id,subject,internetMessageHeaders") -> str:
    condition = f"&$filter={quote(filter_)}" if filter_ else ""
    return f"/users/{BOX}/messages?$select={select}{condition}"


def test_a_mail_is_shown_with_its_headers_where_they_are_selected(cloud: Cloud) -> None:
    (shown,) = ask(cloud, messages(), "Mail.Read").json()["value"]
    assert {"name": "X-Lapsewatch-Canary-Id", "value": "0011"} in shown["internetMessageHeaders"]
    (plain,) = ask(cloud, messages(select="subject"), "Mail.Read").json()["value"]
    assert plain == {"subject": "Hello [0011]"}


def test_it_is_found_by_its_message_id_unless_that_was_rewritten(cloud: Cloud) -> None:
    by_id = messages("internetMessageId eq '<one@contoso.example>'")
    assert len(ask(cloud, by_id, "Mail.Read").json()["value"]) == 1
    cloud.world.tenant("contoso").fate.rewritten = True
    assert ask(cloud, by_id, "Mail.Read").json()["value"] == []
    since = f"receivedDateTime ge {cloud.clock.now() - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    assert len(ask(cloud, messages(since), "Mail.Read").json()["value"]) == 1


def test_without_the_right_the_mailbox_is_denied_and_a_strange_one_is_invalid(cloud: Cloud) -> None:
    denied = ask(cloud, messages(), "Application.Read.All")
    assert (denied.status_code, denied.json()["error"]["code"]) == (403, "ErrorAccessDenied")
    strange = ask(cloud, "/users/nobody@contoso.example/messages", "Mail.Read")
    assert (strange.status_code, strange.json()["error"]["code"]) == (404, "ErrorInvalidUser")


def test_an_exchange_role_opens_one_mailbox_without_a_role_in_the_token(cloud: Cloud) -> None:
    tenant = cloud.world.tenant("contoso")
    assert tenant.monitor is not None
    reader = tenant.principal_of(tenant.monitor.client_id)
    tenant.mail_read[reader.object_id] = {BOX}
    assert ask(cloud, messages()).status_code == 200


def test_what_is_late_or_in_junk_is_shown_so(cloud: Cloud) -> None:
    fate = cloud.world.tenant("contoso").fate
    fate.delay, fate.junk = timedelta(minutes=5), True
    path = messages(select="parentFolderId")
    assert ask(cloud, path, "Mail.Read").json()["value"] == []
    cloud.clock.advance(timedelta(minutes=6))
    (shown,) = ask(cloud, path, "Mail.Read").json()["value"]
    junk = ask(cloud, f"/users/{BOX}/mailFolders/junkemail?$select=id", "Mail.Read").json()
    assert shown["parentFolderId"] == junk["id"]


@pytest.mark.parametrize(
    ("fate", "status"),
    [("", "delivered"), ("junk", "filteredAsSpam"), ("quarantined", "quarantined"),
     ("lost", "pending")],
)  # fmt: skip
def test_the_trace_tells_what_became_of_a_mail(cloud: Cloud, fate: str, status: str) -> None:
    if fate:
        setattr(cloud.world.tenant("contoso").fate, fate, True)
    wanted = f"messageId eq '<one@contoso.example>' and recipientAddress eq '{BOX}'"
    path = f"/admin/exchange/tracing/messageTraces?$filter={quote(wanted)}"
    assert ask(cloud, path, "Mail.Read").status_code == 403
    (shown,) = ask(cloud, path, "ExchangeMessageTrace.Read.All").json()["value"]
    assert (shown["status"], shown["recipientAddress"]) == (status, BOX)
