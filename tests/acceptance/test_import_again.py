"""Importing a changed tenants file: what each change comes to, and what is told about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.cli.root import run
from monitor.model import Scan, ScanRecord
from monitor.store import Store
from tests.acceptance.command_line import own_log

__all__ = ["own_log"]  # a fixture

NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
ONE, TWO = (f"7b1c0000-0000-4000-8000-00000000000{n}" for n in (1, 2))
APP_ONE, APP_TWO = (f"1f3e0000-0000-4000-8000-00000000000{n}" for n in (1, 2))


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A settings file with a database beside it."""
    file = tmp_path / "lapsewatch.toml"
    file.write_text(f'[database]\nurl = "sqlite:///{tmp_path}/lapsewatch.db"\n')
    return file


def import_(settings: Path, text: str, *options: str) -> int:
    """Import a tenants file of this text."""
    file = settings.with_name("tenants.toml")
    file.write_text(text)
    return run(["-c", str(settings), "tenant", "import", str(file), *options])


def tenant(name: str, directory: str, credential: str) -> str:
    """A [[tenant]]."""
    return f'[[tenant]]\nname = "{name}"\ndirectory_id = "{directory}"\n{credential}\n'


def app(client_id: str) -> str:
    """The [[app]] of the name msp."""
    return f'[[app]]\nname = "msp"\nclient_id = "{client_id}"\ncredential = {{secret="env:X"}}\n'


def store(settings: Path) -> Store:
    """The store behind the settings."""
    return Store.open(f"sqlite:///{settings.with_name('lapsewatch.db')}")


def test_a_name_that_means_another_directory_now_is_told_as_replaced(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words, and as an outcome in JSON; what was read of the old one is gone."""
    own = f'client_id = "{APP_ONE}"\ncredential = {{secret="env:X"}}'
    assert import_(settings, tenant("contoso", ONE, own)) == 0
    with store(settings) as opened:
        done = ScanRecord("contoso", NOW, NOW, complete=True)
        opened.record_scan(Scan(done), zone=ZoneInfo("UTC"))
    capsys.readouterr()

    assert import_(settings, tenant("contoso", TWO, own)) == 0
    told = capsys.readouterr().out
    assert "1 tenant: 1 replaced." in told
    assert "contoso was replaced: it is another directory now; its history was dropped." in told
    with store(settings) as opened:
        assert opened.health()["contoso"].last_complete is None

    assert import_(settings, tenant("contoso", ONE, own), "--json") == 0
    [row] = json.loads(capsys.readouterr().out)["tenants"]
    assert row == {"name": "contoso", "outcome": "replaced"}


def test_a_changed_app_updates_every_tenant_that_uses_it(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that the file names and those it does not; each is told once, as updated."""
    users = tenant("contoso", ONE, 'app = "msp"'), tenant("fabrikam", TWO, 'app = "msp"')
    assert import_(settings, app(APP_ONE) + "".join(users)) == 0
    capsys.readouterr()

    for outcome in ("updated", "unchanged"):
        assert import_(settings, app(APP_TWO) + users[0], "--json") == 0
        told = {
            row["name"]: row["outcome"] for row in json.loads(capsys.readouterr().out)["tenants"]
        }
        expected = {"contoso": outcome}
        assert told == (expected if outcome == "unchanged" else expected | {"fabrikam": outcome})
        with store(settings) as opened:
            assert {found.client_id for found in opened.tenants()} == {APP_TWO}
