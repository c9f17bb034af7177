"""[[note]] and [[item]] in a tenants file: read row by row, and written back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.model import Item, Kind, Note, Sort
from monitor.roster import Roster, read
from monitor.roster.writing import to_toml
from tests.unit.roster_samples import configuration, row

TENANT = row(time_zone='"Europe/Berlin"')
NOTE = '[[note]]\ntenant = "contoso"\napp = "Backup*"\n'
ITEM = '[[item]]\ntenant = "contoso"\nname = "Push"\n'


def roster(tmp_path: Path, text: str) -> Roster:
    """What a file with one tenant and this text holds."""
    file = tmp_path / "tenants.toml"
    file.write_text(f"{TENANT}\n{text}")
    return read(file, configuration(tmp_path))


def told(found: Roster) -> list[str]:
    """The errors of a file."""
    return [str(error) for error in found.errors]


def test_a_note_says_who_uses_it_and_where_the_new_value_goes(tmp_path: Path) -> None:
    """One place may stand without brackets."""
    text = (
        f'{NOTE}kind = "secret"\nwhere = ["KeePass", "Veeam"]\nused_by = "Veeam"\nowner = "Ada"\n'
        'runbook = "https://wiki.contoso.example/x?y=1#z"\nremark = "calm"\n'
    )
    found = roster(tmp_path, text)
    assert told(found) == []
    assert found.notes == (
        Note(
            "contoso", "Backup*", Kind.SECRET, None, ("Veeam",), ("KeePass", "Veeam"), "Ada",
            "https://wiki.contoso.example/x?y=1#z", "calm",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("end", "instant"),
    [
        ("2027-03-01", datetime(2027, 3, 1, 22, 59, 59, tzinfo=UTC)),
        ('"2027-03-01"', datetime(2027, 3, 1, 22, 59, 59, tzinfo=UTC)),
        ("2027-03-01T12:00:00Z", datetime(2027, 3, 1, 12, tzinfo=UTC)),
        ("2027-03-01T12:00:00", datetime(2027, 3, 1, 11, tzinfo=UTC)),
    ],
)
def test_a_date_is_over_with_its_day_in_the_tenants_zone(
    tmp_path: Path, end: str, instant: datetime
) -> None:
    """A contract that ends on a day holds on that day."""
    found = roster(tmp_path, f'{ITEM}sort = "contract"\nend = {end}\n')
    assert told(found) == []
    assert found.items == (Item("contoso", "Push", Sort.CONTRACT, instant),)


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("mail.contoso.example:443", "mail.contoso.example:443"),
        ("mail.contoso.example", "mail.contoso.example:443"),
        ("10.0.0.5:8443", "10.0.0.5:8443"),
        ("[2001:db8::1]:25", "[2001:db8::1]:25"),
    ],
)
def test_a_server_is_named_with_its_port(tmp_path: Path, host: str, kept: str) -> None:
    """Private addresses too: it is the operator's own list."""
    found = roster(tmp_path, f'{ITEM}host = "{host}"\nstarttls = "smtp"\n')
    assert [(item.host, item.starttls) for item in found.items] == [(kept, "smtp")]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (f'{NOTE}runbook = "http://wiki.contoso.example"\n', "runbook: must be an https address"),
        (f'{NOTE}runbook = "https://good@evil.example"\n', "runbook: must be an https address"),
        (f'{NOTE}runbook = "javascript:alert(1)"\n', "runbook: must be an https address"),
        (f'{NOTE}where = ["a\\nb"]\n', "one line of plain text"),
        (f'{NOTE}owner = "a\\u202eb"\n', "one line of plain text"),
        (f'{NOTE}wher = "x"\n', 'unknown key "wher"; did you mean "where"?'),
        (NOTE + NOTE, "is about the same"),
        (NOTE.replace("contoso", "contosso"), 'did you mean "contoso"?'),
        (ITEM, "needs either end"),
        (f'{ITEM}end = 2027-01-01\nhost = "a.example:1"\n', "needs either end"),
        (f'{ITEM}end = 2027-01-01\nstarttls = "smtp"\n', "is for a host alone"),
        (f'{ITEM}end = "soon"\n', "must be a date like"),
        (f'{ITEM}host = "a.example:99999"\n', "must be a server and its port"),
        (f'{ITEM}host = "a b:1"\n', "must be a server and its port"),
        (f'{ITEM}end = 2027-01-01\nsort = "pfx"\n', '"apple_push"'),
        (f"{ITEM}end = 2027-01-01\n{ITEM}end = 2027-01-01\n", "is used in line"),
        ("[[nota]]\n", 'did you mean "note"?'),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_stops_nothing_else(
    tmp_path: Path, text: str, error: str
) -> None:
    """The tenant is read, and so is a good row after it."""
    found = roster(tmp_path, f'{text}[[note]]\ntenant = "contoso"\napp = "Good"\n')
    assert len(found.tenants) == 1
    assert "Good" in {note.app for note in found.notes}
    assert [one for one in told(found) if error in one], told(found)
    assert all(one.line > TENANT.count("\n") for one in found.errors)


def test_a_bad_item_lets_nothing_of_its_tenant_be_taken_for_gone(tmp_path: Path) -> None:
    """A slip of the pen must not end a watch."""
    assert roster(tmp_path, f'{ITEM}end = "soon"\n').doubtful == {"contoso"}
    assert roster(tmp_path, f"{ITEM}end = 2027-01-01\n").doubtful == frozenset()
    assert roster(tmp_path, '[[item]]\nname = "x"\n').doubtful == {"contoso"}


def test_what_is_written_is_read_back_unchanged(tmp_path: Path) -> None:
    """Quotes, stars, instants and lists."""
    text = (
        f'{NOTE}where = ["a \\"b\\"", "c"]\nowner = "Ada"\nkind = "saml_signing"\n'
        f'{ITEM}end = 2027-03-01\nsort = "domain"\nwhere = "Registrar"\n'
        '[[item]]\ntenant = "contoso"\nname = "Web"\nhost = "[::1]:443"\nsort = "certificate"\n'
    )
    first = roster(tmp_path, text)
    assert told(first) == []
    (tmp_path / "out.toml").write_text(to_toml(first.tenants, (), first.notes, first.items))
    again = read(tmp_path / "out.toml", configuration(tmp_path))
    assert (again.notes, again.items) == (first.notes, first.items)
    assert again.errors == ()


def test_other_tenants_notes_are_left_out_of_an_export(tmp_path: Path) -> None:
    """`--tag` chooses tenants, and with them what is kept about them."""
    first = roster(tmp_path, f"{NOTE}{ITEM}end = 2027-03-01\n")
    assert "[[note]]" not in to_toml((), (), first.notes, first.items)
    assert "[[item]]" not in to_toml((), (), first.notes, first.items)
