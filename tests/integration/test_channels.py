"""The ways beside mail: signed webhooks and apprise, and what neither of them may be sent to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.channels.chat import DENIED, ChatChannel
from monitor.channels.outside import RefusedAddressError, checked_addresses, is_public, post
from monitor.channels.webhook import WebhookChannel, body_of
from monitor.errors import DeliveryError
from monitor.model import CredentialRef, MailKind, OutboxMail
from monitor.model.channels import AppriseWay, WebhookWay
from tests.integration.conftest import Make
from tests.integration.hook_server import HookServer

SECRET = "a-signing-secret-of-the-msp"
REFERENCE = CredentialRef("secret", "env:HOOK")
TOKEN = "Hunter2-8Q~planted"
# C19: what people, and those who attack them, write for an address.
CORPUS = (
    "http://hooks.example/x", "file:///etc/passwd", "gopher://127.0.0.1:70/", "ftp://hooks.example",
    "https://169.254.169.254/latest/meta-data", "https://127.1/x", "https://127.0.0.1/x",
    "https://[::ffff:10.0.0.1]/x", "https://[::1]/x", "https://0x7f000001/x", "https://2130706433/x",
    "https://0/x", "https://10.0.0.1/x", "https://192.168.1.1:8443/x", "https://172.16.0.1/x",
    "https://100.64.0.1/x", "https://[fe80::1]/x", "https://[fd00::1]/x", "https://224.0.0.1/x",
    "https://255.255.255.255/x", "https://[64:ff9b::a00:1]/x", "https://[2002:a00:1::]/x",
    "https://ok.example@127.0.0.1/x", "https://localhost/x", "https:///x",
)  # fmt: skip


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[HookServer]:
    """A receiver over TLS."""
    with HookServer(tmp_path) as server:
        yield server


def way(hook: HookServer, **changes: Any) -> WebhookWay:
    """The receiver's address, with everything allowed that loopback needs."""
    url = f"https://127.0.0.1:{hook.port}/lapsewatch"
    plain = WebhookWay(url, REFERENCE, allow_private=True, any_port=True, ca_file=hook.ca_file)
    return replace(plain, **changes)


def send(hook: HookServer, mail: OutboxMail, **changes: Any) -> str:
    """Send by the webhook; the receipt's words."""
    channel = WebhookChannel(way(hook, **changes), secret=lambda: SECRET, clock=lambda: Make.now)
    with channel as opened:
        return opened.send(mail).reply


def test_a_webhook_is_signed_so_that_its_receiver_can_prove_it(
    hook: HookServer, make: Make
) -> None:
    """HMAC-SHA256 over timestamp, a dot and the body; the id is the outbox row's."""
    mail = make.mail(kind=MailKind.MAIL_PATH_BROKEN, tenants=("contoso", "fabrikam"))
    assert send(hook, mail) == "204 No Content"
    [(headers, body)] = hook.seen
    timestamp = headers["X-Lapsewatch-Timestamp"]
    expected = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    assert headers["X-Lapsewatch-Signature"] == f"v1={expected.hexdigest()}"
    assert timestamp == str(int(Make.now.timestamp()))
    assert headers["X-Lapsewatch-Id"] == mail.id
    shape = json.loads(body)
    assert shape["id"] == mail.id
    assert shape["kind"] == "mail_path_broken"
    assert shape["tenants"] == ["contoso", "fabrikam"]
    assert set(shape) == {
        "version", "id", "kind", "subject", "text", "urgent", "to", "tenants", "at",
    }  # fmt: skip


def test_a_changed_body_or_timestamp_does_not_fit_the_signature(
    hook: HookServer, make: Make
) -> None:
    """The known-bad variants of a receiver's check."""
    send(hook, make.mail())
    [(headers, body)] = hook.seen
    for changed, timestamp in ((body + b" ", Make.now), (body, Make.now.replace(year=2030))):
        signed = str(int(timestamp.timestamp())).encode() + b"." + changed
        other = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["X-Lapsewatch-Signature"] != f"v1={other}"


def test_a_second_try_is_the_same_body_and_id(hook: HookServer, make: Make) -> None:
    """So a receiver that has it can drop the copy."""
    mail = make.mail()
    send(hook, mail)
    send(hook, replace(mail, attempt=2))
    (one, first), (two, second) = hook.seen
    assert first == second
    assert one["X-Lapsewatch-Id"] == two["X-Lapsewatch-Id"]


@pytest.mark.parametrize(
    ("status", "permanent"), [(301, True), (302, True), (400, True), (401, True), (410, True),
                              (408, False), (429, False), (500, False), (503, False)],
)  # fmt: skip
def test_what_a_refusal_means_for_the_next_try(
    hook: HookServer, make: Make, status: int, permanent: bool
) -> None:
    """What a person has to mend is not tried again and again; no redirect is followed."""
    hook.status = status
    hook.headers = {"Location": f"https://127.0.0.1:{hook.port}/elsewhere"}
    with pytest.raises(DeliveryError, match=str(status)) as caught:
        send(hook, make.mail())
    assert caught.value.permanent is permanent
    assert len(hook.seen) == 1


@pytest.mark.parametrize("url", CORPUS)
def test_nothing_is_sent_to_addresses_of_our_own_network(url: str) -> None:
    """Every way to write one; most of them never even get a name looked up."""
    with pytest.raises((RefusedAddressError, DeliveryError)) as caught:
        post(url, b"{}", {}, any_port=True, seconds=1)
    reasons = ("private address", "plain https", "name resolution")
    assert any(reason in str(caught.value) for reason in reasons)


def test_loopback_is_refused_unless_it_is_allowed(hook: HookServer, make: Make) -> None:
    """And other ports than 443 and 8443."""
    for changes, word in (({"allow_private": False}, "private"), ({"any_port": False}, "port")):
        with pytest.raises(RefusedAddressError, match=word) as caught:
            send(hook, make.mail(), **changes)
        assert caught.value.permanent
        assert "allow" in str(caught.value) or "any_port" in str(caught.value)
    assert hook.seen == []


def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    """All are checked: a client would take whichever answers."""
    both = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    with pytest.raises(RefusedAddressError, match=r"10\.0\.0\.1"):
        checked_addresses("x.example", 443, allow_private=False, lookup=lambda *_: both)


def test_a_name_that_changes_after_the_check_gains_nothing(hook: HookServer) -> None:
    """A rebinding resolver: public at first, this machine afterwards. It is asked once."""
    answers = [("192.0.2.1", hook.port), ("127.0.0.1", hook.port)]
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[Any]:
        asked.append(host)
        address = answers[min(len(asked) - 1, 1)]
        # 192.0.2.1 is a documentation address: nothing listens there.
        return [(2, 1, 6, "", ("8.8.8.8" if address[0] == "192.0.2.1" else address[0], port))]

    with pytest.raises(DeliveryError):
        post(
            f"https://rebind.example:{hook.port}/", b"{}", {}, any_port=True,
            ca_file=hook.ca_file, seconds=0.3, lookup=rebinding,
        )  # fmt: skip
    assert asked == ["rebind.example"]
    assert hook.seen == []


def test_looking_a_name_up_twice_would_reach_this_machine(hook: HookServer) -> None:
    """The known-bad variant: check one answer, connect to the next."""
    assert is_public("8.8.8.8")
    assert not is_public("127.0.0.1")
    checked_addresses(
        "x", 1, allow_private=False, lookup=lambda *_: [(2, 1, 6, "", ("8.8.8.8", 1))]
    )
    later = [(2, 1, 6, "", ("127.0.0.1", hook.port))]
    answer = post(
        f"https://localhost:{hook.port}/", b"{}", {}, allow_private=True, any_port=True,
        ca_file=hook.ca_file, lookup=lambda *_: later,
    )  # fmt: skip
    assert answer.status == 204


def test_a_server_that_answers_a_byte_at_a_time_is_left(hook: HookServer) -> None:
    """The deadline is for all of it; whether it took the message is not known."""
    hook.drip = True
    with pytest.raises(DeliveryError) as caught:
        post(
            f"https://127.0.0.1:{hook.port}/", b"{}", {}, allow_private=True, any_port=True,
            ca_file=hook.ca_file, seconds=0.4,
        )  # fmt: skip
    assert caught.value.uncertain


def test_a_certificate_that_nobody_vouches_for_is_refused(hook: HookServer, make: Make) -> None:
    """TLS is checked against the system's authorities, or the file that is named."""
    with pytest.raises(DeliveryError) as caught:
        send(hook, make.mail(), ca_file=None)
    assert caught.value.cause == "tls_untrusted"
    assert hook.seen == []


def test_a_mail_of_a_megabyte_is_cut_to_64_kilobytes(make: Make) -> None:
    """The receiver's limit is ours, too."""
    mail = make.mail(tenants=tuple(f"tenant-{n}" for n in range(5000)))
    long = replace(mail, mail=replace(mail.mail, text="ü\n" * 500_000))
    assert len(body_of(long)) <= 64_000
    assert json.loads(body_of(long))["id"] == mail.id


def chat(url: str, **changes: Any) -> ChatChannel:
    """apprise with a URL."""
    settings = AppriseWay(REFERENCE, allow_private=changes.pop("allow_private", True))
    return ChatChannel(settings, url=lambda: url, clock=lambda: Make.now, **changes)


def test_apprise_hands_over_the_subject_and_the_first_lines(make: Make) -> None:
    """With the link to the page; a service that closes alerts learns that it is over."""
    with HookServer(None, status=200) as server:
        channel = chat(f"json://127.0.0.1:{server.port}/", link="https://lapsewatch.msp.example")
        broken = make.mail(kind=MailKind.MAIL_PATH_BROKEN)
        text = "\n".join(f"line {number}" for number in range(50))
        urgent = replace(broken, mail=replace(broken.mail, text=text, urgent=True))
        channel.send(urgent)
        channel.send(make.mail(kind=MailKind.RECOVERED))
        first, second = (json.loads(body) for _, body in server.seen)
    assert first["title"] == broken.mail.subject
    assert first["message"].splitlines()[0] == "line 0"
    assert first["message"].splitlines()[-1] == "https://lapsewatch.msp.example"
    assert "line 20" not in first["message"]
    assert (first["type"], second["type"]) == ("failure", "success")


@pytest.mark.parametrize("scheme", sorted(DENIED))
def test_apprise_never_acts_on_this_machine(scheme: str, make: Make, tmp_path: Path) -> None:
    """Files, programs, the system's log and its desktop are no service."""
    with pytest.raises(DeliveryError, match="not used here") as caught:
        chat(f"{scheme}://{tmp_path}/x").send(make.mail())
    assert caught.value.permanent
    assert list(tmp_path.iterdir()) == []


def test_apprise_refuses_private_hosts_unless_they_are_allowed(make: Make) -> None:
    """The URL is a secret: no error shows it."""
    with HookServer(None) as server:
        channel = chat(f"json://user:{TOKEN}@127.0.0.1:{server.port}/", allow_private=False)
        with pytest.raises(RefusedAddressError) as caught:
            channel.send(make.mail())
        assert server.seen == []
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("url", [f"{TOKEN}", f"nonsense://{TOKEN}", f"slack://{TOKEN}"])
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(
    url: str, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the error nor in a log line."""
    with pytest.raises(DeliveryError) as caught:
        chat(url).send(make.mail())
    assert TOKEN not in str(caught.value) + caught.value.evidence + caplog.text


def test_a_service_that_refuses_or_hangs_is_no_receipt(make: Make) -> None:
    """The deadline ends the wait; whether it was taken is not known then."""
    with HookServer(None, status=500) as server:
        with pytest.raises(DeliveryError, match="did not take"):
            chat(f"json://127.0.0.1:{server.port}/").send(make.mail())
        server.drip = True
        with pytest.raises(DeliveryError) as caught:
            chat(f"json://127.0.0.1:{server.port}/", seconds=0.2).send(make.mail())
        assert caught.value.uncertain
