"""`tenant discover` as people call it, over a partner's simulated world."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.sandbox import Cloud, SandboxClock, partner_world
from monitor.sandbox.partner_stories import READS
from tests.acceptance.command_line import Command, command, folder, own_log

__all__ = ["command", "folder", "own_log"]  # fixtures


@pytest.fixture
def cloud(folder: Path, command: Command) -> Iterator[Cloud]:
    """An MSP and its customers, with the MSP imported."""
    clock = SandboxClock()
    with Cloud(partner_world(datetime.now(UTC)), clock) as running:
        running.write_settings(folder)
        assert command("init").code == 0
        assert command("tenant", "import", "tenants.toml").code == 0
        yield running


def test_discovering_in_words(cloud: Cloud, command: Command) -> None:
    """Who was found, the links to send, and that a second time nobody is new."""
    said = command("tenant", "discover", "--dry-run")
    assert (said.code, said.err) == (0, "")
    assert "northwind: 5 customers, 4 would be added as pending." in said.out
    said = command("tenant", "discover")
    assert "northwind: 5 customers, 4 added as pending." in said.out
    contoso = cloud.world.tenant("contoso")
    assert f"  contoso: {cloud.entra_url}/{contoso.directory_id}/adminconsent?" in said.out
    assert "4 added" not in command("tenant", "discover").out
    assert command("tenant", "list").out.count("pending") == 4
    shown = command("tenant", "show", "contoso", "--json").json
    assert contoso.directory_id in shown["consent_url"]
    assert command("run", "scan", "--tenant", "fabrikam").out.startswith(
        "fabrikam: waits for consent"
    )
    assert "northwind: read" in command("run", "scan").out


def test_discovering_as_json(cloud: Cloud, command: Command) -> None:
    """Every list, every customer, who is new and who is lost."""
    [found] = command("tenant", "discover", "--json").json["partners"]
    assert [(part["source"], part["whole"]) for part in found["lists"]] == [
        ("contracts", True), ("delegatedAdminCustomers", True),
        ("delegatedAdminRelationships", True),
    ]  # fmt: skip
    assert {one["name"] for one in found["added"]} == {
        "adatum", "contoso", "fabrikam", "tailspin",
    }  # fmt: skip
    assert found["lost"] == []


def test_a_list_that_cannot_be_read_is_an_error_with_its_fix(
    cloud: Cloud, command: Command
) -> None:
    """Exit code 1; what the other lists gave was added all the same."""
    partner = cloud.world.tenant("northwind")
    assert partner.monitor is not None
    principal = partner.principal_of(partner.monitor.client_id)
    principal.graph_roles = (*READS, "Directory.Read.All")
    said = command("tenant", "discover")
    assert said.code == 1
    assert "3 added as pending" in said.out
    assert "the list delegatedAdminRelationships could not be read whole" in said.err
    assert "Grant the application permission DelegatedAdminRelationship.Read.All" in said.err


def test_lost_access_is_a_warning_and_needs_action(cloud: Cloud, command: Command) -> None:
    """On standard error, and in the status; the tenant stays."""
    command("tenant", "discover")
    partner = cloud.world.tenant("northwind")
    partner.contracts = [one for one in partner.contracts if one.name != "Tailspin"]
    said = command("tenant", "discover")
    assert said.code == 0
    assert said.err.startswith("Warning: access to tailspin is lost.")
    rows = {row["name"]: row for row in command("status", "--json").json["tenants"]}
    assert "none of the partner's lists" in rows["tailspin"]["lost_access"]
    assert rows["contoso"]["lost_access"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "nobody"), 'There is no tenant "nobody"'),
        (("--app", "mps"), 'Did you mean "msp"?'),
    ],
)
def test_what_is_not_there_is_named(
    cloud: Cloud, command: Command, arguments: tuple[str, ...], told: str
) -> None:
    """A partner, an app; the nearest is named."""
    said = command("tenant", "discover", *arguments)
    assert said.code == 1
    assert told in said.err


def test_without_a_partner_or_an_app_the_next_step_is_told(folder: Path, command: Command) -> None:
    """And of several apps one must be chosen."""
    assert command("init").code == 0
    assert "partner = true" in command("tenant", "discover").err
    row = (
        '[[tenant]]\nname="a"\ndirectory_id="7b1c0000-0000-4000-8000-000000000001"\n'
        'client_id="7b1c0000-0000-4000-8000-000000000002"\ncredential="env:X"\n'
    )
    (folder / "t.toml").write_text(row)
    assert command("tenant", "import", "t.toml").code == 0
    assert (
        "is not marked as a Microsoft partner" in command("tenant", "discover", "--from", "a").err
    )
    (folder / "t.toml").write_text(f"{row}partner=true\n")
    assert command("tenant", "import", "t.toml").code == 0
    assert "There is no [[app]]" in command("tenant", "discover").err
    apps = "".join(
        f'[[app]]\nname="{name}"\nclient_id="7b1c0000-0000-4000-8000-000000000003"\n'
        'credential="env:X"\n'
        for name in ("one", "two")
    )
    (folder / "t.toml").write_text(apps)
    assert command("tenant", "import", "t.toml").code == 0
    assert "There are several apps: one, two." in command("tenant", "discover").err
