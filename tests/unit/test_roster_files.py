"""The files around a roster: the secrets that its rows name, and the tenants file as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.errors import SettingsError
from monitor.model import Tenant
from monitor.roster import Roster, read
from tests.unit.roster_samples import (
    APP,
    PLANTED,
    configuration,
    only_error,
    row,
    secret_file,
    take,
)
from tests.unit.test_roster_csv import HEAD

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
        any(words in text for words in ("no such file yet", "not a regular", "must be a reference"))
        for text in told
    )


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    """Somebody will name a disk image one day."""
    file = secret_file(tmp_path)
    with file.open("r+b") as opened:
        opened.truncate(50_000_000_000)
    (warning,) = take(row("a", 1, credential='{ secret = "file:s" }'), tmp_path).warnings
    assert "is too large to hold a client secret" in warning


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
