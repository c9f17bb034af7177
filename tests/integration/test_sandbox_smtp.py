"""The sandbox's submission server, by smtplib, in the documented words."""

# ruff: noqa: D103 (the names tell)

from __future__ import annotations

import base64
import json
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from monitor.sandbox import Cloud, Relay, SandboxClock, SmtpFault, World, demo_world
from monitor.sandbox.world import Tenant

SMTP_SCOPE = "https://outlook.office365.com/.default"


@pytest.fixture
def clock() -> SandboxClock:
    return SandboxClock()


@pytest.fixture
def world(clock: SandboxClock) -> World:
    return demo_world(clock.now())


@pytest.fixture
def cloud(world: World, clock: SandboxClock) -> Iterator[Cloud]:
    with Cloud(world, clock) as running:
        yield running


def token_for(cloud: Cloud, tenant: Tenant, scope: str = SMTP_SCOPE) -> str:
    assert tenant.sender is not None
    sign_in = tenant.sender.sign_in
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(
            f"{cloud.entra_url}/{tenant.directory_id}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": sign_in.client_id,
                "client_secret": sign_in.secret,
                "scope": scope,
            },
            verify=str(cloud.ca_file),
            timeout=10,
        )
        return str(answer.json()["access_token"])


def connect(cloud: Cloud) -> smtplib.SMTP:
    client = smtplib.SMTP(cloud.smtp_host, cloud.smtp_port, timeout=10)
    client.starttls(context=ssl.create_default_context(cafile=str(cloud.ca_file)))
    client.ehlo()
    return client


def xoauth2(user: str, token: str) -> Callable[[bytes | None], str]:
    blob = f"user={user}\x01auth=Bearer {token}\x01\x01"
    return lambda challenge=None: "" if challenge else blob


def mail(sender: str, to: str = "it@contoso.example") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, "Grüße"
    message["Message-ID"] = "<one@contoso.example>"
    message.set_content("text")
    message.add_alternative("<p>html</p>", subtype="html")
    return message


def test_the_first_lines_are_exchanges(cloud: Cloud) -> None:
    with socket.create_connection((cloud.smtp_host, cloud.smtp_port), timeout=10) as raw:
        assert re.fullmatch(
            rb"220 \S+ Microsoft ESMTP MAIL Service ready at .+ \[[0-9A-F]{16}\]\r\n",
            raw.makefile("rb").readline(),
        )
    client = smtplib.SMTP(cloud.smtp_host, cloud.smtp_port, timeout=10)
    client.ehlo("host.example")
    assert client.ehlo_resp is not None
    names = [line.split()[0] for line in client.ehlo_resp.decode().splitlines()[1:]]
    plain = ["SIZE", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "STARTTLS", "8BITMIME"]
    assert names == [*plain, "SMTPUTF8"]
    assert client.docmd("AUTH", "XOAUTH2")[1].startswith(b"5.7.4 Unrecognized")
    assert client.docmd("MAIL", "FROM:<a@contoso.example>")[1].startswith(b"5.7.57 Client not")
    context = ssl.create_default_context(cafile=str(cloud.ca_file))
    assert client.starttls(context=context) == (220, b"2.0.0 SMTP server ready")
    client.ehlo()
    assert client.esmtp_features["auth"].split() == ["LOGIN", "XOAUTH2"]
    assert "starttls" not in client.esmtp_features
    assert client.quit() == (221, b"2.0.0 Service closing transmission channel")


@pytest.mark.parametrize("initial", [True, False], ids=["initial response", "after 334"])
def test_a_mail_is_accepted_and_kept(
    cloud: Cloud, world: World, clock: SandboxClock, initial: bool
) -> None:
    tenant = world.tenant("contoso")
    user = tenant.mailboxes[0].address
    clock.advance(timedelta(days=3))
    with connect(cloud) as client:
        token = token_for(cloud, tenant)
        reply = client.auth("XOAUTH2", xoauth2(user, token), initial_response_ok=initial)
        assert reply == (235, b"2.7.0 Authentication successful")
        client.send_message(mail(user))
        client.mail(user)
        client.rcpt("it@contoso.example")
        assert client.data(b"From: " + user.encode() + b"\r\n\r\nx")[1].startswith(b"2.0.0 OK <")
    first, second = cloud.inbox.messages
    assert (first.auth_user, first.mail_from, first.rcpt_to) == (
        user,
        user,
        ("it@contoso.example",),
    )
    assert (first.subject, first.message_id) == ("Grüße", "<one@contoso.example>")
    assert (first.body("html") or "").strip() == "<p>html</p>"
    assert second.subject == ""
    assert abs(first.received_at - clock.now()) < timedelta(minutes=1)


def test_a_woodgrove_mailbox_is_scoped_by_a_role(cloud: Cloud, world: World) -> None:
    tenant = world.tenant("woodgrove")
    user = tenant.mailboxes[0].address
    with connect(cloud) as client:
        client.auth("XOAUTH2", xoauth2(user, token_for(cloud, tenant)))
        client.send_message(mail(user))
    assert len(cloud.inbox.messages) == 1


def refusal(cloud: Cloud, tenant: Tenant, token: str | None = None, user: str = "") -> str:
    """The reply to AUTH, and the reply to MAIL after it."""
    user = user or tenant.mailboxes[0].address
    with connect(cloud) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            client.auth("XOAUTH2", xoauth2(user, token or token_for(cloud, tenant)))
        nested = client.docmd("MAIL", "FROM:<a@b.example>")
    text = f"{caught.value.smtp_code} {bytes(caught.value.smtp_error).decode()}"
    if text.startswith("535"):
        assert nested[0] == 530
        assert nested[1].decode().endswith(f"Error: {text}")
    return text


def test_smtp_auth_off_for_the_tenant_and_for_the_mailbox(cloud: Cloud, world: World) -> None:
    tenant = world.tenant("wingtip")
    assert refusal(cloud, tenant).startswith(
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
        "Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. ["
    )
    tenant.mailboxes[0].smtp_auth_disabled = True
    assert "disabled for the Mailbox." in refusal(cloud, tenant)
    tenant.mailboxes[0].smtp_auth_disabled = False  # the mailbox goes before the organisation
    with connect(cloud) as client:
        client.auth("XOAUTH2", xoauth2(tenant.mailboxes[0].address, token_for(cloud, tenant)))


def test_every_way_to_a_bare_refusal(cloud: Cloud, world: World, clock: SandboxClock) -> None:
    tenant, other = world.tenant("contoso"), world.tenant("fabrikam")
    token = token_for(cloud, tenant)
    bare = "535 5.7.3 Authentication unsuccessful ["
    graph = token_for(cloud, tenant, "https://graph.microsoft.com/.default")
    assert refusal(cloud, tenant, graph).startswith(bare)
    assert refusal(cloud, tenant, token_for(cloud, other)).startswith(bare)
    assert refusal(cloud, tenant, token, "nobody@contoso.example").startswith(bare)
    assert refusal(cloud, tenant, token + "x").startswith(bare)
    tenant.registered.clear()
    assert refusal(cloud, tenant, token).startswith(bare)
    clock.advance(timedelta(hours=3))
    assert refusal(cloud, other, token_for(cloud, other) and token).startswith(bare)


def test_the_challenge_form_of_a_refusal(cloud: Cloud, world: World) -> None:
    world.exchange.challenge_on_failure = True
    tenant = world.tenant("wingtip")
    with connect(cloud) as client:
        blob = xoauth2(tenant.mailboxes[0].address, token_for(cloud, tenant))(None)
        code, text = client.docmd("AUTH xoauth2", base64.b64encode(blob.encode()).decode())
        assert code == 334
        assert json.loads(base64.b64decode(text))["status"] == "401"
        assert client.docmd("")[0] == 535
        assert client.docmd("AUTH", "XOAUTH2")[0] == 334
        assert client.docmd("*")[0] == 535


def test_login_and_plain_are_refused(cloud: Cloud) -> None:
    with connect(cloud) as client:
        assert client.docmd("AUTH", "PLAIN AGEAYg==")[1].startswith(b"5.7.4 ")
        with pytest.raises(smtplib.SMTPAuthenticationError, match="basic authentication is dis"):
            client.login("noreply@contoso.example", "word")
        code, text = client.docmd("LENGTH", "2")
        assert (code, text[:27]) == (500, b"5.3.3 Unrecognized command ")


def test_permissions_speak_at_the_end_of_the_data(cloud: Cloud, world: World) -> None:
    tenant = world.tenant("contoso")
    box = tenant.mailboxes[0]
    with connect(cloud) as client:
        client.auth("XOAUTH2", xoauth2(box.address, token_for(cloud, tenant)))
        with pytest.raises(smtplib.SMTPDataError, match="SendAsDenied") as denied:
            client.send_message(mail("boss@contoso.example"))
        box.send_as.add("boss@contoso.example")
        client.send_message(mail("boss@contoso.example"))
        box.full_access.clear()
        with pytest.raises(smtplib.SMTPDataError, match="mailbox logon failure") as closed:
            client.send_message(mail(box.address))
    assert (denied.value.smtp_code, closed.value.smtp_code) == (554, 430)
    assert len(cloud.inbox.messages) == 1


def test_faults_by_stage(cloud: Cloud, world: World) -> None:
    tenant = world.tenant("contoso")
    box = tenant.mailboxes[0]
    busy = "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded [Hostname=x]"
    box.faults += [SmtpFault("AUTH", "454 4.7.0 Temporary authentication failure", times=1)]
    box.faults += [SmtpFault("RCPT", "452 4.5.3 Too many recipients", times=1)]
    box.faults += [SmtpFault("END", busy, times=1)]
    auth = xoauth2(box.address, token_for(cloud, tenant))
    with connect(cloud) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError, match="Temporary"):
            client.auth("XOAUTH2", auth)
        client.auth("XOAUTH2", auth)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.send_message(mail(box.address))
        with pytest.raises(smtplib.SMTPDataError, match="thread limit"):
            client.send_message(mail(box.address))
        client.send_message(mail(box.address))


def send_one(cloud: Cloud, user: str, token: str) -> None:
    with connect(cloud) as client:
        client.auth("XOAUTH2", xoauth2(user, token))
        client.send_message(mail(user))


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"])
def test_drops(cloud: Cloud, world: World, stage: str) -> None:
    tenant = world.tenant("contoso")
    user = tenant.mailboxes[0].address
    token = token_for(cloud, tenant)
    world.exchange.faults.append(SmtpFault(stage, drop=True, times=1))
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        send_one(cloud, user, token)
    assert cloud.inbox.messages == []


@pytest.mark.parametrize("relay", [Relay("noc", "word"), Relay(tls=False)], ids=["login", "open"])
def test_a_plain_relay(world: World, clock: SandboxClock, relay: Relay, tmp_path: Path) -> None:
    assert world.operator is not None
    world.operator.relay = relay
    with Cloud(world, clock) as cloud, smtplib.SMTP("127.0.0.1", cloud.relay_port or 0) as client:
        if relay.tls:
            client.starttls(context=ssl.create_default_context(cafile=str(cloud.ca_file)))
            with pytest.raises(smtplib.SMTPAuthenticationError, match="credentials were incorr"):
                client.login("noc", "wrong")
            client.login("noc", "word")
        client.send_message(mail("noc@northwind-msp.example"))
        assert cloud.inbox.messages[0].auth_user == (relay.user or "")
        text = cloud.write_settings(tmp_path).read_text()
    assert f"port = {cloud.relay_port}" in text
