"""Tenants files: every good row is taken, every bad one is reported with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import Configuration, parse
from monitor.errors import SettingsError
from monitor.model import CredentialRef, Recipient, SharedApp, Tenant
from monitor.roster import Roster, read

ID = "7b1c0000-0000-4000-8000-00000000000"
APP = "1f3e0000-0000-4000-8000-000000000001"
PLANTED = "Hunter2-8Q~planted-value"


def configuration(folder: Path, **tables: object) -> Configuration:
    """Settings without a file."""
    return parse(dict(tables), folder, None)


def row(name: str = "contoso", number: int = 1, *more: str, **keys: str) -> str:
    """One [[tenant]] with what is required; keywords replace or add keys (as TOML)."""
    plain = {
        "name": f'"{name}"',
        "directory_id": f'"{ID}{number}"',
        "client_id": f'"{APP}"',
        "credential": '{ secret = "env:X" }',
    }
    lines = [f"{key} = {value}" for key, value in {**plain, **keys}.items() if value]
    return "\n".join(["[[tenant]]", *lines, *more]) + "\n"


def take(text: str | bytes, folder: Path, name: str = "tenants.toml", **more: object) -> Roster:
    """What a tenants file of that text holds."""
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    known = more.pop("known", ())
    apps = more.pop("known_apps", ())
    return read(file, configuration(folder, **more), known=known, known_apps=apps)  # type: ignore[arg-type]


def only_error(found: Roster) -> tuple[int, str]:
    """The line and the text of the one error."""
    (error,) = found.errors
    return error.line, error.message


def secret_file(folder: Path, name: str = "s", text: str = "value", mode: int = 0o600) -> Path:
    """A file with a secret."""
    file = folder / name
    file.write_text(text)
    file.chmod(mode)
    return file


# --- TOML -----------------------------------------------------------------------------------------


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


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "credential",
    [f'"{PLANTED}"', f'{{ secret = "{PLANTED}" }}', f'{{ secrt = "{PLANTED}" }}',
     f'{{ certificate = "-----BEGIN {PLANTED}" }}'],
)  # fmt: skip
def test_a_literal_secret_is_refused_and_never_repeated(credential: str, tmp_path: Path) -> None:
    """The error goes to a terminal, a log, perhaps a ticket."""
    found = take(row("a", 1, credential=credential), tmp_path)
    line, said = only_error(found)
    assert line == 5
    assert PLANTED not in said + str(found.warnings)


def test_a_file_that_holds_a_guid_is_warned_about(tmp_path: Path) -> None:
    """The secret's ID was copied instead of its value."""
    secret_file(tmp_path, "s", f"\ufeff{APP.upper()}\r\n")
    found = take(row("a", 1, credential='{ secret = "file:s" }'), tmp_path)
    (warning,) = found.warnings
    assert "looks like the secret's ID" in warning
    assert warning.startswith("line 1, a: secret ")
    assert APP not in warning.lower()
    assert len(found.tenants) == 1


def test_a_file_that_others_can_read_is_warned_about(tmp_path: Path) -> None:
    """With the command that mends it."""
    file = secret_file(tmp_path, mode=0o644)
    (warning,) = take(row("a", 1, credential='{ secret = "file:s" }'), tmp_path).warnings
    assert f"Run: chmod 600 {file}" in warning


@pytest.mark.parametrize("name", ["missing", "folder", "x" * 5000, "~nobody-here/x", "/dev/null"])
def test_a_file_that_is_not_there_is_warned_about(name: str, tmp_path: Path) -> None:
    """It may be put there later; the scan says so until then."""
    (tmp_path / "folder").mkdir()
    found = take(row("a", 1, credential=f'{{ secret = "file:{name}" }}'), tmp_path)
    told = [*found.warnings, *(error.message for error in found.errors)]
    assert any(
        "there is no such file yet" in text or "must be a reference" in text for text in told
    )


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    """Somebody will name a disk image one day."""
    file = secret_file(tmp_path)
    with file.open("r+b") as opened:
        opened.truncate(50_000_000_000)
    assert take(row("a", 1, credential='{ secret = "file:s" }'), tmp_path).warnings == ()


def test_files_lie_beside_the_tenants_file_or_the_settings(tmp_path: Path) -> None:
    """The tenants file comes first."""
    (tmp_path / "lists").mkdir()
    secret_file(tmp_path, "only-here")
    secret_file(tmp_path, "both")
    secret_file(tmp_path / "lists", "both")
    text = row("a", 1, credential='{ secret = "file:only-here" }')
    text += row("b", 2, credential='{ secret = "file:both" }')
    text += row("c", 3, credential='{ secret = "file:nowhere" }')
    file = tmp_path / "lists" / "tenants.toml"
    file.write_text(text)
    found = read(file, configuration(tmp_path))
    assert [tenant.credential.reference for tenant in found.tenants] == [
        f"file:{tmp_path}/only-here",
        f"file:{tmp_path}/lists/both",
        f"file:{tmp_path}/lists/nowhere",
    ]


# --- CSV ------------------------------------------------------------------------------------------

HEAD = "name,directory_id,client_id,secret,recipients"


def line(name: str, number: int, secret: str = "env:X", recipients: str = "") -> str:
    """One CSV line under HEAD."""
    return f"{name},{ID}{number},{APP},{secret},{recipients}"


def test_a_csv_file_says_the_same_as_toml(tmp_path: Path) -> None:
    """sender_ columns are the sender's; lists are divided by spaces, bars or semicolons."""
    text = "\n".join([
        "name,directory_id,cloud,client_id,certificate,recipients,thresholds,tags,send_hour,paused,"
        "sender_mailbox,sender_secret,sender_smtp_port,sender_canary_to",
        f'contoso,{ID}1,dod,{APP},env:PEM,"a@c.example; b@c.example",30|7,gold silver,6,true,'
        "noreply@c.example,env:S,25,c@c.example",
    ])  # fmt: skip
    (tenant,) = take(text, tmp_path, "tenants.csv").tenants
    assert tenant.recipients == (Recipient("a@c.example"), Recipient("b@c.example"))
    assert (tenant.cloud, tenant.thresholds, tenant.tags) == ("dod", (30, 7), ("gold", "silver"))
    assert (tenant.send_hour, tenant.paused) == (6, True)
    assert tenant.credential == CredentialRef("certificate", "env:PEM")
    assert tenant.sender is not None
    assert tenant.sender.credential == CredentialRef("secret", "env:S")
    assert (tenant.sender.smtp_port, tenant.sender.canary_to) == (25, ("c@c.example",))


@pytest.mark.parametrize(
    "columns",
    [
        "secret,sender_mailbox,sender_secret",
        "credential,sender.mailbox,sender.credential",
        "credential.secret,sender.mailbox,sender.credential.secret",
        "credential_secret,sender_mailbox,sender_credential_secret",
    ],
)
def test_a_csv_column_may_be_named_like_its_key_in_toml(columns: str, tmp_path: Path) -> None:
    """With the table in front, by dot or underscore, and with or without `credential`."""
    text = (
        f"name,directory_id,client_id,{columns}\n"
        "contoso,7b1c0000-0000-4000-8000-000000000001,7b1c0000-0000-4000-8000-000000000002,"
        "env:A,noreply@contoso.example,env:B\n"
    )
    (tenant,) = take(text, tmp_path, "tenants.csv").tenants
    assert tenant.credential == CredentialRef("secret", "env:A")
    assert tenant.sender is not None
    assert tenant.sender.credential == CredentialRef("secret", "env:B")


def test_a_csv_row_may_name_a_password_and_a_workloads_token(tmp_path: Path) -> None:
    """For the tenant and for its sender."""
    text = (
        "name,directory_id,client_id,certificate,password,sender_mailbox,sender_federated\n"
        f"a,{ID}1,{APP},file:a.pfx,env:P,noreply@c.example,file:token\n"
    )
    (tenant,) = take(text, tmp_path, "tenants.csv").tenants
    assert tenant.credential == CredentialRef("certificate", f"file:{tmp_path}/a.pfx", "env:P")
    assert tenant.sender is not None
    assert tenant.sender.credential == CredentialRef("federated", f"file:{tmp_path}/token")


def test_two_credentials_in_a_csv_row_are_refused(tmp_path: Path) -> None:
    """Whichever way they are written."""
    text = (
        "name,directory_id,client_id,credential,secret\n"
        "contoso,7b1c0000-0000-4000-8000-000000000001,7b1c0000-0000-4000-8000-000000000002,"
        "env:A,env:B\n"
    )
    assert take(text, tmp_path, "tenants.csv").errors


def test_a_csv_file_as_excel_writes_it_is_read(tmp_path: Path) -> None:
    """Byte order mark, semicolons, Windows line ends, empty lines, spaces in the header."""
    text = f"\ufeff name ; directory_id;client_id;secret\r\n\r\na;{ID}1;{APP};env:X\r\n;;;\r\n"
    found = take(text, tmp_path, "TENANTS.CSV")
    assert [tenant.name for tenant in found.tenants] == ["a"]
    assert found.errors == ()


def test_a_bad_csv_row_is_reported_at_its_first_line(tmp_path: Path) -> None:
    """Also after cells with line ends in them, and after empty lines."""
    text = "\n".join([
        HEAD, line("a", 1), "", line("b", 2, recipients='"x@b.example;\n\ny@b.example"'),
        line("c d", 3, recipients='"x@c.example;\ny@c.example"'), line("e", 5, recipients="nobody"),
    ])  # fmt: skip
    found = take(text, tmp_path, "t.csv")
    assert [tenant.name for tenant in found.tenants] == ["a", "b"]
    assert [(error.line, error.row) for error in found.errors] == [(7, "c d"), (9, "e")]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (line("b", 2) + ",more,still more", "unknown key"),
        (line("b", 2, secret="x" * 200_000), "field larger than field limit"),
        (line("b", 2, secret="env:" + "x" * 100_000), "must be a reference"),
        (line("b\0", 2), "name: must be short"),
        (line("b", 2, recipients='"a" b'), "is not valid CSV"),
        (line("b", 2, recipients="=HYPERLINK(1)"), "must be one mail address"),
        (line("b", 2, secret=PLANTED), "must be a reference"),
        (line("b", 2, secret=f"{ID}1"), "looks like a secret's ID"),
        ("b,common,,env:X,", "directory_id: must be a GUID"),
        (line("a", 3), "name: is used in line 2 already"),
        (line("b", 1), 'is already watched as tenant "a"'),
    ],
)
def test_a_bad_csv_row_costs_no_other(bad: str, said: str, tmp_path: Path) -> None:
    """Too many cells, huge cells, NUL, quotes astray, formulas, secrets, duplicates."""
    found = take("\n".join([HEAD, line("a", 1), bad, line("z", 9)]), tmp_path, "t.csv")
    assert [tenant.name for tenant in found.tenants] == ["a", "z"]
    assert {error.line for error in found.errors} == {3}
    together = "\n".join(error.message for error in found.errors)
    assert said in together
    assert PLANTED not in together


def test_an_open_quote_is_reported_where_it_begins(tmp_path: Path) -> None:
    """It swallows the rest of the file, so nobody may think that all rows were read."""
    text = "\n".join([HEAD, line("a", 1), f'"b,{ID}2,{APP},env:X,', line("z", 9)])
    found = take(text, tmp_path, "t.csv")
    assert [tenant.name for tenant in found.tenants] == ["a"]
    assert only_error(found)[0] == 3


def test_a_cell_with_two_credentials_in_a_row_is_refused(tmp_path: Path) -> None:
    """Secret and certificate: which one is meant is not for us to guess."""
    text = f"name,directory_id,client_id,secret,certificate\na,{ID}1,{APP},env:X,env:Y"
    assert "credential: must be one of" in only_error(take(text, tmp_path, "t.csv"))[1]


def test_a_column_that_comes_twice_is_reported(tmp_path: Path) -> None:
    """One of them would win in silence."""
    text = f"name,name,directory_id,client_id,secret\na,b,{ID}1,{APP},env:X"
    found = take(text, tmp_path, "t.csv")
    assert 'the column "name" comes twice' in found.errors[0].message


@pytest.mark.parametrize("digits", ["²", "9" * 5000, "-1", "1e3", "٣"])
def test_odd_numbers_in_cells_are_refused(digits: str, tmp_path: Path) -> None:
    """Not every digit of Unicode is a number, and not every number is small."""
    text = f"name,directory_id,client_id,secret,thresholds,send_hour\na,{ID}1,{APP},env:X,{digits},"
    assert "thresholds: must be" in only_error(take(text, tmp_path, "t.csv"))[1]
    text = f"name,directory_id,client_id,secret,send_hour\na,{ID}1,{APP},env:X,{digits}"
    assert "send_hour: must be" in only_error(take(text, tmp_path, "t.csv"))[1]


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.toml", b"[[tenant]\n", "not valid TOML"),
        ("t.toml", b"x = " + b"9" * 5000, "not valid TOML"),
        ("t.toml", b"[[tenant]]\nname = '\xe4'", "not UTF-8"),
        ("t.csv", "name;id\nä;1".encode("cp1252"), "not UTF-8"),
        ("t.csv", "name,id".encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_says_why(
    name: str, content: bytes, said: str, tmp_path: Path
) -> None:
    """With its name."""
    with pytest.raises(SettingsError, match=said) as refused:
        take(content, tmp_path, name)
    assert name in str(refused.value)


@pytest.mark.parametrize("name", ["missing.toml", ".", "missing.csv"])
def test_a_file_that_is_not_there_says_so(name: str, tmp_path: Path) -> None:
    """Or is a folder."""
    with pytest.raises(SettingsError, match="cannot be read"):
        read(tmp_path / name, configuration(tmp_path))


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    """And is no error."""
    assert take("", tmp_path) == Roster()
    assert take("", tmp_path, "t.csv") == Roster()
    assert take(HEAD, tmp_path, "t.csv") == Roster()


def test_lines_are_counted_as_editors_count_them(tmp_path: Path) -> None:
    """A line separator of Unicode within a string is no line end."""
    text = "# \u2028 \x0c here\r\n" + row("a", 1, "send_hour = 24").replace("\n", "\r\n")
    assert only_error(take(text.replace("\x0c", " "), tmp_path))[0] == 7


def test_a_thousand_rows_are_read_in_a_moment(tmp_path: Path) -> None:
    """An MSP imports its whole list at once."""
    rows = [f"t{n},7b1c0000-0000-4000-8000-{n:012x},{APP},env:X," for n in range(1000)]
    found = take("\n".join([HEAD, *rows]), tmp_path, "t.csv")
    assert (len(found.tenants), found.errors) == (1000, ())
    assert isinstance(found.tenants[0], Tenant)
