"""Tenants files in TOML: every good row is taken, every bad one is reported with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.model import CredentialRef, Recipient, SharedApp
from tests.unit.roster_samples import APP, ID, only_error, row, secret_file, take


def test_every_key_of_a_tenant_is_read(tmp_path: Path) -> None:
    """As the design writes them."""
    secret_file(tmp_path)
    text = row(
        "contoso", 1,
        'recipients = ["it@contoso.example", { address = "cio@contoso.example", '
        'time_zone = "Asia/Tokyo", send_hour = 6 }]',
        'time_zone = "Europe/Berlin"', "send_hour = 9", "thresholds = [7, 30, 7]",
        "weekly_after_lapse = 0", 'tags = ["gold"]', "paused = true",
        "[tenant.sender]", 'mailbox = "noreply@contoso.example"',
        f'enterprise_object_id = "{ID}9"', f'client_id = "{ID}8"',
        'credential = { certificate = "file:s" }', 'canary_to = ["canary@msp.example"]',
        'cloud = "china"', 'smtp_host = "smtp.example"', "smtp_port = 25",
        cloud='"gcc-high"',
    )  # fmt: skip
    (tenant,) = take(text, tmp_path).tenants
    assert (tenant.name, tenant.directory_id, tenant.cloud) == ("contoso", f"{ID}1", "gcc-high")
    assert (tenant.client_id, tenant.credential) == (APP, CredentialRef("secret", "env:X"))
    assert tenant.recipients == (
        Recipient("it@contoso.example"), Recipient("cio@contoso.example", "Asia/Tokyo", 6),
    )  # fmt: skip
    assert (tenant.time_zone, tenant.send_hour, tenant.thresholds) == ("Europe/Berlin", 9, (30, 7))
    assert (tenant.weekly_after_lapse, tenant.tags, tenant.paused) == (0, ("gold",), True)
    sender = tenant.sender
    assert sender is not None
    assert (sender.mailbox, sender.client_id) == ("noreply@contoso.example", f"{ID}8")
    assert sender.credential == CredentialRef("certificate", f"file:{tmp_path}/s")
    assert (sender.canary_to, sender.cloud) == (("canary@msp.example",), "china")
    assert (sender.smtp_host, sender.smtp_port) == ("smtp.example", 25)
    assert sender.enterprise_object_id == f"{ID}9"


def test_what_a_tenant_does_not_say_comes_from_the_settings(tmp_path: Path) -> None:
    """[defaults] first, then [operator], then the product's own."""
    (plain,) = take(row(), tmp_path).tenants
    assert (plain.time_zone, plain.send_hour, plain.weekly_after_lapse) == ("UTC", 8, 4)
    assert (plain.cloud, plain.recipients, plain.sender) == ("global", (), None)
    assert plain.thresholds == (60, 30, 14, 7, 3, 1, 0)
    (filled,) = take(
        row(), tmp_path,
        defaults={"thresholds": [5], "weekly_after_lapse": 1, "recipients": ["all@msp.example"]},
        operator={"time_zone": "Asia/Tokyo", "send_hour": 0},
    ).tenants  # fmt: skip
    assert (filled.time_zone, filled.send_hour, filled.weekly_after_lapse) == ("Asia/Tokyo", 0, 1)
    assert (filled.thresholds, filled.recipients) == ((5,), (Recipient("all@msp.example"),))


def test_no_thresholds_and_hour_zero_are_not_mistaken_for_nothing(tmp_path: Path) -> None:
    """[] leaves only the stages after the end; 0 is midnight."""
    (tenant,) = take(row("a", 1, "thresholds = []", "send_hour = 0"), tmp_path).tenants
    assert (tenant.thresholds, tenant.send_hour) == ((), 0)


def test_reading_the_same_file_again_gives_the_same(tmp_path: Path) -> None:
    """What was stored does not stand in the way of its own file."""
    text = row("a", 1) + row("b", 2)
    first = take(text, tmp_path)
    again = take(text, tmp_path, known=first.tenants, known_apps=first.apps)
    assert again == first


def test_good_rows_are_taken_whatever_the_bad_ones_hold(tmp_path: Path) -> None:
    """One bad row stops nothing else."""
    text = row("a", 1) + row("b", 2, 'time_zone = "Mars"') + row("c", 3) + row("d", 4, cloud='"x"')
    found = take(text, tmp_path)
    assert [tenant.name for tenant in found.tenants] == ["a", "c"]
    assert [(error.row, error.line) for error in found.errors] == [("b", 11), ("d", 22)]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (row("a", 1, "", "# a remark", 'theshold = [1]'), 8, 'unknown key "theshold"; did you mean "thresholds"?'),  # noqa: E501
        (row("a", 1, 'time_zone = "CET+1"'), 6, "time_zone: is not a time zone"),
        (row("a", 1, 'recipients = [', '  "it@a.example",', '  "nobody",', "]"), 6, "recipients.1: must be one mail address"),  # noqa: E501
        (row("a", 1, 'recipients = [{ adress = "x@y.example" }]'), 6, 'unknown key "adress"; did you mean "address"?'),  # noqa: E501
        (row("a", 1, "[tenant.sender]", 'mailbox = "x@y.example"', 'client_id = "x"'), 8, "sender.client_id: must be a GUID"),  # noqa: E501
        (row("a", 1, "[tenant.sender]", 'mailbx = "x@y.example"'), 7, '[sender]: unknown key "mailbx"; did you mean "mailbox"?'),  # noqa: E501
        (row("a", 1, 'sender = { mailbox = "x" }'), 6, "sender.mailbox: must be one mail address"),
        (row("a", 1, 'sender.mailbox = "x"'), 6, "sender.mailbox: must be one mail address"),
        (row("a", 1, "[tenant.sender]", "canary_to = []"), 6, "sender.mailbox: is missing"),
        (row("a", 1, "send_hour = 24"), 6, "send_hour: must be a whole hour from 0 to 23"),
        (row("a", 1, "weekly_after_lapse = -1"), 6, "weekly_after_lapse: "),
        (row("a", 1, 'thresholds = ["30d "]'), 6, "thresholds: must be whole days"),
        (row("a", 1, "[tenant.sender]", 'mailbox="x@y.example"', "smtp_port = 0"), 8, "sender.smtp_port: "),  # noqa: E501
        (row("a", 1, 'tags = ["x\\u0000"]'), 6, "tags.0: must be words"),
        (row("a b"), 2, "name: must be short"),
        (row("-x"), 2, "name: must be short"),
        (row("x" * 65), 2, "name: must be short"),
        (row("a", 1, credential='{ secret = "env:X", certificate = "env:Y" }'), 5, "credential: must be one of"),  # noqa: E501
        (row("a", 1, client_id=""), 1, 'needs client_id and credential, or app = "…"'),
        (row("a", 1, credential=""), 1, 'needs client_id and credential, or app = "…"'),
        (row("a", 1, directory_id=""), 1, "directory_id: is missing"),
        (row("a", 1, cloud='"glbal"'), 6, 'cloud: there is no cloud "glbal"; did you mean "global"?'),  # noqa: E501
        (row("a", 1, "[tenant.sender]", 'mailbox="x@y.example"', 'cloud = "mars"'), 8, 'sender.cloud: there is no cloud "mars"; known: china, dod, gcc-high, global'),  # noqa: E501
        (row("a", 1, 'app = "msp"'), 6, 'app: there is no [[app]] named "msp"'),
        ("# first\n[[tenants]]\nname='a'\n", 2, 'unknown key "tenants"; did you mean "tenant"?'),
        ("\n[tenant]\nname='a'\n", 2, "write [[tenant]] with two brackets"),
        ("[[app]]\nname='a b'\nclient_id='x'\n", 1, "credential: is missing"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_at_its_exact_line(
    text: str, line: int, said: str, tmp_path: Path
) -> None:
    """In the table, in a list, in the sender's table, or inline."""
    found = take(text, tmp_path)
    assert found.tenants == ()
    assert (line, True) in [(error.line, said in error.message) for error in found.errors]


def test_all_mistakes_of_a_row_are_reported(tmp_path: Path) -> None:
    """Each with its own line."""
    found = take(row("a b", 1, "send_hour = 99", 'time_zone = "x"', directory_id='"y"'), tmp_path)
    assert [error.line for error in found.errors] == [2, 3, 6, 7]


@pytest.mark.parametrize(
    "directory",
    ["common", "organizations", "consumers", "contoso.onmicrosoft.com", "contoso.example", "",
     f"{ID}", f"{ID}12", f"{{{ID}1"],
)  # fmt: skip
def test_a_directory_is_named_by_its_guid_only(directory: str, tmp_path: Path) -> None:
    """`common` would sign in anywhere; a domain may move to another tenant."""
    line, said = only_error(take(row("a", 1, directory_id=f'"{directory}"'), tmp_path))
    assert line == 3
    assert "directory_id: must be a GUID" in said


def test_a_name_used_twice_is_refused_and_the_first_stands(tmp_path: Path) -> None:
    """The message names the line of the first."""
    found = take(row("a", 1) + row("a", 2), tmp_path)
    assert [tenant.directory_id for tenant in found.tenants] == [f"{ID}1"]
    assert only_error(found) == (7, "name: is used in line 1 already")


@pytest.mark.parametrize("spelled", [str.lower, str.upper, str.title])
def test_a_directory_watched_twice_is_refused_however_it_is_spelled(
    spelled: object, tmp_path: Path
) -> None:
    """GUIDs have no case; two tenants of one directory would warn twice."""
    other = f"  {ID}1  "
    assert callable(spelled)
    found = take(row("a", 1) + row("b", 2, directory_id=f'"{spelled(other)}"'), tmp_path)
    assert only_error(found) == (8, 'directory_id: is already watched as tenant "a"')


def test_a_directory_that_the_store_knows_under_another_name_is_refused(tmp_path: Path) -> None:
    """A renamed row would otherwise become a second tenant beside the old one."""
    (known,) = take(row("old", 1), tmp_path).tenants
    found = take(row("new", 1), tmp_path, known=[known])
    assert only_error(found) == (3, 'directory_id: is already watched as tenant "old"')


def test_tenants_may_share_an_app(tmp_path: Path) -> None:
    """Client id and credential come from it; it may be in the file or in the store."""
    secret_file(tmp_path, "msp.pem")
    app = f'[[app]]\nname="msp"\nclient_id="{APP}"\ncredential={{ certificate="file:msp.pem" }}\n'
    mine = row("a", 1, 'app = "msp"', client_id="", credential="")
    found = take(app + mine, tmp_path)
    located = CredentialRef("certificate", f"file:{tmp_path}/msp.pem")
    assert found.apps == (SharedApp("msp", APP, located),)
    (tenant,) = found.tenants
    assert (tenant.app, tenant.client_id, tenant.credential) == ("msp", APP, located)
    (stored,) = take(mine, tmp_path, known_apps=found.apps).tenants
    assert stored == tenant


def test_a_tenant_may_have_a_credential_of_its_own_beside_a_shared_app(tmp_path: Path) -> None:
    """What stands in the row wins."""
    app = f'[[app]]\nname="msp"\nclient_id="{APP}"\ncredential={{ secret="env:MSP" }}\n'
    (tenant,) = take(app + row("a", 1, 'app = "msp"', client_id=""), tmp_path).tenants
    assert (tenant.client_id, tenant.credential.reference) == (APP, "env:X")


def test_two_apps_of_one_name_are_refused(tmp_path: Path) -> None:
    """Nobody could say which one a tenant means."""
    app = f'[[app]]\nname="msp"\nclient_id="{APP}"\ncredential={{ secret="env:MSP" }}\n'
    found = take(app + app, tmp_path)
    assert len(found.apps) == 1
    assert only_error(found) == (6, "name: is used in line 1 already")


@pytest.mark.parametrize(
    "smtp", ['sender = { mailbox = "a@b.example", smtp = { host = "h" } }',
             'sender = { smtp = { host = "h", user = "a@b.example" } }'],
)  # fmt: skip
def test_a_plain_server_as_a_tenants_sender_is_refused(smtp: str, tmp_path: Path) -> None:
    """Only the operator may have one; a tenant's path is what the canary proves."""
    line, said = only_error(take(row("a", 1, smtp), tmp_path))
    assert line == 6
    assert said.startswith("sender.smtp: ")
    assert "[operator.sender]" in said
