"""Tenants files in CSV: the same rows as in TOML, as spreadsheets write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.model import CredentialRef, Recipient
from tests.unit.roster_samples import APP, ID, PLANTED, only_error, take

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


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("it@x.example", 'the cell "it@x.example" stands under no column name'),
        (PLANTED, "the cell in column 5 stands under no column name"),
    ],
)
def test_a_filled_cell_under_no_column_name_is_an_error(
    cell: str, told: str, tmp_path: Path
) -> None:
    """It was meant for something. What might be a secret's value is not repeated."""
    text = f"name,directory_id,client_id,secret,\nx1,{ID}1,{APP},env:X,{cell}\n"
    text += f"x2,{ID}2,{APP},env:X, \n"  # a blank is nothing
    found = take(text, tmp_path, "t.csv")
    (error,) = found.errors
    assert (error.line, error.row, error.message) == (2, "x1", told)
    assert [tenant.name for tenant in found.tenants] == ["x2"]


@pytest.mark.parametrize("divider", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n", '"sep={}"\n', "SEP={}\n"])
def test_separators_and_headings_as_spreadsheets_write_them(
    divider: str, first: str, tmp_path: Path
) -> None:
    """Comma, semicolon or tab, also named in a first line; headings in capitals."""
    rows = ["Name,Directory_ID,CLIENT_ID,Secret,Sender_Mailbox", f"a,{ID}1,{APP},env:X,n@a.example"]
    text = first.format(divider) + "\n".join([*rows, "b,nope"]).replace(",", divider)
    found = take(text, tmp_path, "t.csv")
    (tenant,) = found.tenants
    assert (tenant.name, tenant.sender and tenant.sender.mailbox) == ("a", "n@a.example")
    assert {error.line for error in found.errors} == {3 + bool(first)}


@pytest.mark.parametrize(
    ("column", "near"),
    [
        ("secert", "secret"),
        ("sender_secert", "sender_secret"),
        ("sender.mailbx", "sender_mailbox"),
        ("recipents", "recipients"),
    ],
)
def test_an_unknown_column_names_the_nearest_one(column: str, near: str, tmp_path: Path) -> None:
    """Also one that only CSV has."""
    text = f"name,directory_id,client_id,secret,{column}\na,{ID}1,{APP},env:X,x@y.example"
    error = only_error(take(text, tmp_path, "t.csv"))
    assert error[1] == f'unknown column "{column}"; did you mean "{near}"?'


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
