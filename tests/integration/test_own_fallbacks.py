"""A recipient with channels of its own: told what waits for it, and that alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.config import load
from monitor.errors import SettingsError
from monitor.wiring import App
from tests.faults.test_mail_outage import broken, live
from tests.integration.hook_server import HookServer
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage, story

MINE = "it@contoso.example"


@dataclass
class Room:
    """The stage, with a receiver for each channel of the settings."""

    show: Stage
    hooks: dict[str, HookServer]
    folder: Path

    def told(self, name: str) -> list[tuple[str, str]]:
        """What a channel was told: kind and recipient."""
        return [(body["kind"], body["to"]) for body in self.bodies(name)]

    def bodies(self, name: str) -> list[dict[str, str]]:
        """What a channel was told, as it came."""
        return [json.loads(body) for _, body in self.hooks[name].seen]

    def again(self) -> Stage:
        """The product anew, with mail as it was."""
        app = App(load(self.folder / "lapsewatch.toml"), clock=self.show.clock.now)
        return replace(self.show, app=app)


@contextmanager
def room(
    folder: Path, own: str, *names: str, operator: str = "[]", days: int = 7
) -> Iterator[Room]:
    """Two tenants; the recipient of the first has the channels `own`."""
    with ExitStack() as stack:
        hooks = {}
        tenants = [story("contoso", SIX, days, 40), story("fabrikam", SIX, 20)]
        show = stack.enter_context(stage(folder, *tenants))
        file = folder / "lapsewatch.toml"
        (folder / "hook-secret").write_text("a-signing-secret")
        text = file.read_text("utf-8")
        text = text.replace("[operator]\n", f"[operator]\nfallback = {operator}\n", 1)
        for name in names:
            (folder / name).mkdir()
            hook = hooks[name] = stack.enter_context(HookServer(folder / name))
            text += (
                f'\n[[channel]]\nname = "{name}"\n[channel.webhook]\n'
                f'url = "https://127.0.0.1:{hook.port}/"\nsecret = "file:hook-secret"\n'
                f'allow_private = true\nany_port = true\nca_file = "{hook.ca_file}"\n'
            )
        text += f'\n[[recipient]]\naddress = "{MINE}"\nfallback = {own}\n'
        file.write_text(text + '\n[deadlines]\nread = "1s"\n', "utf-8")
        yield Room(show, hooks, folder)


def test_a_recipient_hears_by_its_own_channel_of_what_waits_for_it_alone(tmp_path: Path) -> None:
    """The operator hears of both tenants; when mail is back, each hears it where it was told."""
    with room(tmp_path, '["teams"]', "teams", "noc", operator='["noc"]') as here:
        with broken(here.show, tmp_path, "535") as down:
            live(down, 5, HOUR)
        assert here.told("teams") == [("mail_path_broken", MINE)]
        assert [kind for kind, _ in here.told("noc")] == ["mail_path_broken"]
        [mine], [all_] = here.bodies("teams"), here.bodies("noc")
        assert "fabrikam" in json.dumps(all_).casefold()
        assert "fabrikam" not in json.dumps(mine).casefold()
        assert "App 7" in mine["text"]
        [one] = [each for each in here.show.app.carriers.senders() if each.path == "operator"]
        told = f"The sender's app id: {one.client_id}\nDirectory id: {one.directory_id}\n"
        assert told in all_["text"]
        assert '`lapsewatch doctor --tenant "(operator)"`' in all_["text"]
        with here.again().app as app:
            live(replace(here.show, app=app), 20, HOUR)
        assert here.told("teams")[1:] == [("recovered", MINE)]
        assert [kind for kind, _ in here.told("noc")[1:]] == ["recovered"]


def test_what_is_not_critical_is_told_after_an_hour(tmp_path: Path) -> None:
    """Not before: a hitch that passes is nobody's concern."""
    with room(tmp_path, '["teams"]', "teams", days=30) as here:
        with broken(here.show, tmp_path, "451") as down:
            live(down, 2.5, 30 * MINUTE)  # the run is at eight, two hours from now
            assert here.told("teams") == []
            live(down, 2, 30 * MINUTE)
        assert here.told("teams") == [("mail_path_broken", MINE)]


def test_the_end_goes_by_the_channel_that_took_the_news(tmp_path: Path) -> None:
    """So an incident is closed where it was opened, not where nobody heard of it."""
    with room(tmp_path, '["first", "second"]', "first", "second") as here:
        here.hooks["first"].status = 500
        with broken(here.show, tmp_path, "535") as down:
            live(down, 4, HOUR)
        assert here.told("second") == [("mail_path_broken", MINE)]
        here.hooks["first"].status = 204
        tried = len(here.hooks["first"].seen)
        with here.again().app as app:
            live(replace(here.show, app=app), 6, HOUR)
        assert [kind for kind, _ in here.told("second")] == ["mail_path_broken", "recovered"]
        assert len(here.hooks["first"].seen) == tried


def test_a_recipient_without_channels_any_more_is_told_no_more(tmp_path: Path) -> None:
    """Its alarm is closed without a word, so that it does not stand for ever."""
    with room(tmp_path, '["teams"]', "teams") as here:
        with broken(here.show, tmp_path, "535") as down:
            live(down, 4, HOUR)
        file = tmp_path / "lapsewatch.toml"
        file.write_text(file.read_text("utf-8").replace('fallback = ["teams"]', ""), "utf-8")
        with here.again().app as app:
            app.outgoing.outage_watch.run()
            assert app.store.outage(f"mail:{MINE}") is None
        assert here.told("teams") == [("mail_path_broken", MINE)]


def test_it_is_said_again_each_day(tmp_path: Path) -> None:
    """Not at each try."""
    with room(tmp_path, '["teams"]', "teams") as here:
        with broken(here.show, tmp_path, "535") as down:
            live(down, 4, HOUR)
            down.at(down.clock.now() + timedelta(hours=25))
            live(down, 3, HOUR)
        assert [kind for kind, _ in here.told("teams")] == ["mail_path_broken"] * 2


def test_a_channel_that_does_not_exist_is_refused_in_the_settings(tmp_path: Path) -> None:
    """Where a name is misspelt nobody would ever be told."""
    with (
        room(tmp_path, '["teems"]', "teams"),
        pytest.raises(SettingsError, match=r'there is no channel "teems"; did you mean "teams"'),
    ):
        load(tmp_path / "lapsewatch.toml")
