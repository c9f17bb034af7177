"""What is imported starts in shadow; what is known keeps its own; live ends it at once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.root import run
from monitor.model import Tenant
from tests.acceptance.command_line import own_log
from tests.acceptance.test_import_again import ONE, TWO, import_, settings, store, tenant

__all__ = ["own_log", "settings"]  # fixtures
OWN = 'client_id = "1f3e0000-0000-4000-8000-000000000001"\ncredential = {secret="env:X"}'
DAY = timedelta(days=1)
Output = pytest.CaptureFixture[str]


def watched(settings: Path, name: str = "contoso") -> Tenant:
    """A tenant as the store has it."""
    with store(settings) as opened:
        found = opened.tenant(name)
    assert found is not None
    return found


def outcome(settings: Path, capsys: Output, *options: str, directory: str = ONE) -> str:
    """What importing contoso came to."""
    capsys.readouterr()
    assert import_(settings, tenant("contoso", directory, OWN), "--json", *options) == 0
    [row] = json.loads(capsys.readouterr().out)["tenants"]
    return str(row["outcome"])


def said(settings: Path, capsys: Output, *words: str, code: int = 0) -> str:
    """What a command printed."""
    capsys.readouterr()
    assert run(["-c", str(settings), *words]) == code
    out, err = capsys.readouterr()
    return out + err


def parsed(settings: Path, capsys: Output, *words: str) -> Any:
    """What a command printed as JSON."""
    return json.loads(said(settings, capsys, *words, "--json"))


def put(settings: Path, until: datetime | None) -> None:
    """Contoso with another shadow, as if it had been imported some time ago."""
    with store(settings) as opened:
        old = opened.tenant("contoso")
        assert old is not None
        opened.put_tenant(replace(old, shadow_until=until), now=datetime.now(UTC))


def test_a_new_tenant_is_in_shadow_for_as_long_as_the_setting_says(
    settings: Path, capsys: Output
) -> None:
    """14 days where nothing is said; and the import says so."""
    before = datetime.now(UTC).replace(microsecond=0)
    assert import_(settings, tenant("contoso", ONE, OWN)) == 0
    until = watched(settings).shadow_until
    assert until is not None
    assert before + 14 * DAY <= until <= datetime.now(UTC) + 14 * DAY
    told = capsys.readouterr().out
    assert "1 new tenant in shadow: each recipient gets one welcome mail" in told
    assert "no reminders for 14 days" in told
    assert "lapsewatch tenant live --all" in told


@pytest.mark.parametrize("how", ["setting", "option"])
def test_with_a_shadow_of_nothing_or_live_a_new_tenant_is_live_at_once(
    settings: Path, capsys: Output, how: str
) -> None:
    """By the setting for all imports, by the option for one."""
    if how == "setting":
        settings.write_text(settings.read_text() + '[defaults]\nshadow = "0d"\n')
    options = ["--live"] if how == "option" else []
    assert import_(settings, tenant("contoso", ONE, OWN), *options) == 0
    assert watched(settings).shadow_until is None
    assert "shadow" not in capsys.readouterr().out


@pytest.mark.parametrize("bad", ["366d", "-1d", "14", "for ever"])
def test_a_shadow_that_is_no_length_or_longer_than_a_year_is_refused(
    settings: Path, capsys: Output, bad: str
) -> None:
    """Silence is bounded."""
    settings.write_text(settings.read_text() + f'[defaults]\nshadow = "{bad}"\n')
    assert "defaults.shadow: must be " in said(settings, capsys, "tenant", "list", code=1)


def test_a_known_tenant_keeps_its_shadow_when_it_is_imported_again(
    settings: Path, capsys: Output
) -> None:
    """So an unchanged row stays unchanged, and one that is live stays live."""
    assert outcome(settings, capsys) == "added"
    until = datetime.now(UTC).replace(microsecond=0) + 3 * DAY
    for known in (until, None, until - 9 * DAY):
        put(settings, known)
        assert outcome(settings, capsys) == "unchanged"
        assert watched(settings).shadow_until == known


def test_importing_again_with_live_ends_the_shadow_and_nothing_else(
    settings: Path, capsys: Output
) -> None:
    """The tenant is not read anew for that; a second time nothing changes."""
    assert outcome(settings, capsys) == "added"
    with store(settings) as opened:
        since = opened.known_since()
    assert outcome(settings, capsys, "--live") == "updated"
    assert watched(settings).shadow_until is None
    assert outcome(settings, capsys, "--live") == "unchanged"
    with store(settings) as opened:
        assert opened.known_since() == since


def test_another_directory_under_the_same_name_starts_in_shadow_anew(
    settings: Path, capsys: Output
) -> None:
    """It is another tenant; with live it is live."""
    assert outcome(settings, capsys, "--live") == "added"
    assert outcome(settings, capsys, directory=TWO) == "replaced"
    assert watched(settings).in_shadow(datetime.now(UTC))
    assert outcome(settings, capsys, "--live", directory=ONE) == "replaced"
    assert watched(settings).shadow_until is None


def test_live_ends_the_shadow_of_those_named_or_of_all(settings: Path, capsys: Output) -> None:
    """Again and again; a name that is wrong ends none."""
    rows = tenant("contoso", ONE, OWN) + tenant("fabrikam", TWO, OWN)
    assert import_(settings, rows) == 0
    assert 'Did you mean "fabrikam"?' in said(
        settings, capsys, "tenant", "live", "contoso", "fabricam", code=1
    )
    assert watched(settings).shadow_until is not None
    assert "1 tenant went live: contoso." in said(settings, capsys, "tenant", "live", "contoso")
    assert "contoso was not in shadow." in said(settings, capsys, "tenant", "live", "contoso")
    assert parsed(settings, capsys, "tenant", "live", "--all") == [
        {"name": "contoso", "outcome": "unchanged"}, {"name": "fabrikam", "outcome": "live"},
    ]  # fmt: skip
    assert watched(settings, "fabrikam").shadow_until is None
    for wrong in ([], ["contoso", "--all"]):
        assert "say --all" in said(settings, capsys, "tenant", "live", *wrong, code=2)


def test_list_and_show_say_until_when_a_tenant_is_in_shadow(settings: Path, capsys: Output) -> None:
    """And nothing of a shadow that is over."""
    assert outcome(settings, capsys) == "added"
    put(settings, datetime(2099, 12, 7, 8, 0, tzinfo=UTC))
    assert "2099-12-07 08:00" in said(settings, capsys, "tenant", "list")
    [row] = parsed(settings, capsys, "tenant", "list")
    assert row["shadow_until"] == "2099-12-07T08:00:00Z"
    assert parsed(settings, capsys, "tenant", "show", "contoso")["shadow_until"]
    put(settings, datetime(2020, 12, 7, 8, 0, tzinfo=UTC))
    assert parsed(settings, capsys, "tenant", "show", "contoso")["shadow_until"] is None
    assert "2020-12-07" not in said(settings, capsys, "tenant", "list")


def consented(settings: Path, days: int) -> Tenant:
    """Contoso, whose consent comes so many days later; a shadow of a new one would be 14 days."""
    later = datetime.now(UTC) + days * DAY
    with store(settings) as opened:
        waiting = opened.tenant("contoso")
        assert waiting is not None
        found = opened.end_pending(waiting, now=later, shadow_until=later + 14 * DAY)
    assert found is not None
    return found


@pytest.mark.parametrize(("option", "quiet"), [([], True), (["--live"], False)])
def test_the_shadow_of_one_that_waits_for_consent_begins_with_that(
    settings: Path, capsys: Output, option: list[str], quiet: bool
) -> None:
    """However long it has waited; unless it was imported to be live."""
    assert import_(settings, tenant("contoso", ONE, f"{OWN}\npending = true"), *option) == 0
    assert consented(settings, 40).in_shadow(datetime.now(UTC) + 41 * DAY) is quiet


def test_live_reaches_one_that_waits_for_consent_if_it_is_named(
    settings: Path, capsys: Output
) -> None:
    """All that are in shadow are not those that have not come so far."""
    assert import_(settings, tenant("contoso", ONE, f"{OWN}\npending = true")) == 0
    assert "0 tenants went live." in said(settings, capsys, "tenant", "live", "--all")
    told = said(settings, capsys, "tenant", "live", "contoso")
    assert "contoso waits for consent; its reminders start when that comes." in told
    assert "contoso was not in shadow." in said(settings, capsys, "tenant", "live", "contoso")
    assert not consented(settings, 3).in_shadow(datetime.now(UTC) + 3 * DAY)
