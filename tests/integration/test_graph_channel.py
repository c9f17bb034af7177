"""Mail through Graph, and the commands that list and try channels, over the simulated cloud."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.cli.root import run
from monitor.config import load
from monitor.errors import DeliveryError
from monitor.wiring import App
from tests.integration.conftest import Make
from tests.integration.hook_server import HookServer
from tests.integration.stage import SIX, Stage, stage, story


def with_channel(show: Stage, folder: Path, mailbox: str = "noreply@contoso.example") -> Path:
    """The settings with a channel through contoso's own sender app and Graph."""
    sender = next(s for s in show.app.carriers.senders() if s.tenant == "contoso")
    credential = f'{{ {sender.credential.form} = "{sender.credential.reference}" }}'
    file = folder / "lapsewatch.toml"
    text = file.read_text("utf-8") + (
        f'\n[[channel]]\nname = "graph"\n[channel.graph]\nmailbox = "{mailbox}"\n'
        f'client_id = "{sender.client_id}"\ndirectory_id = "{sender.directory_id}"\n'
        f'cloud = "{sender.cloud.name}"\ncredential = {credential}\n'
    )
    file.write_text(text, "utf-8")
    tenant = next(t for t in show.cloud.world.tenants if t.name == "contoso")
    tenant.principal_of(sender.client_id).graph_roles += ("Mail.Send",)
    return file


def test_graph_sends_the_whole_mail(tmp_path: Path, make: Make) -> None:
    """With its own Message-ID and kind, from the mailbox that is named."""
    with stage(tmp_path, story("contoso", SIX, 30)) as show:
        file = with_channel(show, tmp_path)
        with App(load(file), clock=show.clock.now) as app:
            outlets = app.outgoing.outlets
            mail = make.mail()
            with outlets.open(outlets.named("graph")) as opened:
                assert opened.send(mail).reply.startswith("202")
        [message] = show.cloud.inbox.messages
    assert message.rcpt_to == (mail.recipient,)
    assert message.header("Message-ID") == mail.message_id
    assert message.header("X-Lapsewatch-Kind") == "reminder"
    assert "noreply@contoso.example" in message.header("From")


def test_a_mailbox_that_is_not_there_is_named_in_the_error(tmp_path: Path, make: Make) -> None:
    """And nothing is tried again before somebody mends it."""
    with stage(tmp_path, story("contoso", SIX, 30)) as show:
        file = with_channel(show, tmp_path, "nobody@contoso.example")
        with App(load(file), clock=show.clock.now) as app:
            outlets = app.outgoing.outlets
            channel = outlets.open(outlets.named("graph"))
            with pytest.raises(DeliveryError, match=r"nobody@contoso\.example") as caught:
                channel.send(make.mail())
    assert caught.value.permanent
    assert caught.value.cause == "resource_not_found"


def test_channels_are_listed_and_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A test says what came back; one that is refused exits with 1, without the secret."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "secret").write_text("Hunter2-8Q~planted")
    with HookServer(tmp_path / "hooks") as hook:
        file = tmp_path / "lapsewatch.toml"
        file.write_text(
            f"""[operator]
fallback = ["hook"]
[[channel]]
name = "hook"
[channel.webhook]
url = "https://127.0.0.1:{hook.port}/"
secret = "file:secret"
allow_private = true
any_port = true
ca_file = "{hook.ca_file}"
[[channel]]
name = "closed"
webhook = {{ url = "https://127.0.0.1/", secret = "file:secret" }}
"""
        )
        at = ["--config", str(file)]
        assert run([*at, "init"]) == 0
        capsys.readouterr()
        assert run([*at, "channel", "list", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == [
            {"name": "hook", "kind": "webhook", "fallback": 1},
            {"name": "closed", "kind": "webhook", "fallback": None},
        ]
        assert run([*at, "channel", "test", "hook"]) == 0
        assert "204" in capsys.readouterr().out
        assert json.loads(hook.seen[0][1])["subject"] == "[Lapsewatch] TEST of the channel hook"
        assert run([*at, "channel", "test", "closed"]) == 1
        assert "private address" in (told := capsys.readouterr().err)
        assert "Hunter2" not in told
        assert run([*at, "channel", "test", "nothing"]) in (1, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[operator]\nfallback = ["pagr"]\n[[channel]]\nname = "pager"\napprise = "env:X"',
         'did you mean "pager"?'),
        ('[[channel]]\nname = "a"\napprise = "env:X"\n[[channel]]\nname = "a"\napprise = "env:X"',
         "two channels"),
        ('[[channel]]\nname = "a"', "exactly one of"),
        ('[[channel]]\nname = "a"\nwebhook = { url = "http://x.example", secret = "env:X" }',
         "https"),
        ('[[channel]]\nname = "a"\nwebhook = { url = "https://ok@evil.example", secret = "env:X" }',
         "https"),
    ],
)  # fmt: skip
def test_mistakes_in_channels_are_told_with_their_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    """At the start, not when mail is broken."""
    file = tmp_path / "lapsewatch.toml"
    file.write_text(text)
    assert run(["--config", str(file), "status"]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "channel" in told
