"""What is wrong with settings: all of it at once, each with its place and what is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import load
from monitor.errors import SettingsError
from tests.unit.settings_samples import plain_environment, problems

__all__ = ["plain_environment"]  # a fixture


def test_all_problems_come_at_once_each_with_file_and_key(tmp_path: Path) -> None:
    """Nobody should have to start a service seven times to mend seven mistakes."""
    found = problems(
        """
        [operator]
        recipients = ["no address"]
        time_zone = "Europe/Berlni"
        send_hour = 24
        base_url = "javascript:alert(1)"
        [defaults]
        scan_evry = "6h"
        thresholds = [-1]
        [clouds.lab]
        authority = "http://plain.example"
        [nonsense]
        [web]
        port = 70000
        """,
        tmp_path,
    )
    assert len(found) == 10
    assert all(text.startswith("lapsewatch.toml: ") for text in found)
    together = "\n".join(found)
    for said in (
        "operator.recipients.0: must be one mail address",
        "operator.time_zone: is not a time zone of the IANA list, like Europe/Berlin; did you mean "
        '"Europe/Berlin"?',
        "operator.send_hour: must be a whole hour from 0 to 23",
        "operator.base_url: must be an http or https address",
        '[defaults]: unknown key "scan_evry"; did you mean "scan_every"?',
        "defaults.thresholds: must be whole days",
        "clouds.lab.authority: must be an https address",
        "clouds.lab.graph: is missing",
        'unknown key "nonsense"; known keys: channel, clouds, database, deadlines, defaults, '
        "diagnose, forbid, ignore, log, operator",
        "web.port: ",
    ):
        assert said in together


@pytest.mark.parametrize(
    ("table", "key", "near"),
    [
        ("[database]", "URL_", "url"),
        ("[operator]", "recipient", "recipients"),
        ("[operator.sender]\nmailbox='a@b.example'", "client", "client_id"),
        ("[operator.sender.smtp]\nhost='h'", "hosts", "host"),
        ("[clouds.lab]\nauthority='https://a'\ngraph='https://g'", "smtphost", "smtp_host"),
        ("[deadlines]", "tenant_at_once", "tenants_at_once"),
        ("[web]", "Port", "port"),
        ("[log]", "levle", "level"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(
    table: str, key: str, near: str, tmp_path: Path
) -> None:
    """In every table, also those within tables."""
    found = problems(f"{table}\n{key} = 1\n", tmp_path)
    assert any(f'unknown key "{key}"; did you mean "{near}"?' in text for text in found)


def test_an_unknown_key_cannot_play_tricks_on_a_terminal(tmp_path: Path) -> None:
    """Control and bidi characters are shown as question marks."""
    (found,) = problems('[web]\n"\\u001b[2J\\u202eport" = 1', tmp_path)
    assert "\x1b" not in found
    assert "\u202e" not in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[web\n", "not valid TOML: Expected ']'"),
        ("[web]\nport = 1\nport = 2", "not valid TOML: Cannot overwrite a value"),
        ("x = " + "9" * 5000, "not valid TOML"),
        ("x = " + "[" * 100_000, "not valid TOML"),
        (b"name = '\xff'", "not UTF-8 text (byte 8)"),
        ('[operator]\nname = "Müller"'.encode("utf-16"), "not UTF-8 text (byte 0)"),
        ('[operator]\nname = "Müller"'.encode("cp1252"), "not UTF-8 text"),
    ],
)
def test_what_is_no_toml_is_refused_with_its_place(
    text: str | bytes, said: str, tmp_path: Path
) -> None:
    """Syntax, repeated keys, monstrous numbers and nesting, and other encodings."""
    (found,) = problems(text, tmp_path)
    assert said in found
    assert "lapsewatch.toml" in found


def test_a_missing_file_names_the_command_that_makes_one(tmp_path: Path) -> None:
    """With the name that was asked for."""
    with pytest.raises(SettingsError) as refused:
        load(tmp_path / "other.toml")
    assert "There is no settings file" in str(refused.value)
    assert refused.value.remedy == f"Make one with: lapsewatch --config {tmp_path}/other.toml init"
    with pytest.raises(SettingsError) as refused:
        load()
    assert refused.value.remedy == "Make one with: lapsewatch init"


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "."])
def test_a_name_that_no_file_can_have_is_refused_like_a_missing_one(name: str) -> None:
    """Too long, with a NUL in it, or a folder."""
    with pytest.raises(SettingsError):
        load(Path(name))


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("clouds.lab", "clouds.lab.ca_file"),
        ("operator.sender.smtp", "operator.sender.smtp.ca_file"),
    ],
)
@pytest.mark.parametrize("ca_file", ["missing.pem", ".", "x" * 5000, "a\\u0000b", "~nobody-here/x"])
def test_a_missing_ca_file_is_told_before_anything_starts(
    name: str, where: str, ca_file: str, tmp_path: Path
) -> None:
    """Otherwise the first sign of it would be a failing tenant."""
    own = {"clouds.lab": "authority = 'https://a'\ngraph = 'https://g'"}.get(name, "host = 'h'")
    mailbox = "[operator.sender]\nmailbox = 'a@b.example'\n" if "sender" in name else ""
    (found,) = problems(f'{mailbox}[{name}]\n{own}\nca_file = "{ca_file}"', tmp_path)
    assert f"{where}: there is no file" in found


@pytest.mark.parametrize(
    "graph",
    ["http://graph.microsoft.com", "http://10.0.0.1", "ftp://x", "graph.microsoft.com", "https://",
     "https://ok@evil.example", "https://[x", "https://a b", "https://x:99999", "https://x/?a=b",
     "https://x\\n.example", "//x", ""],
)  # fmt: skip
def test_a_graph_address_that_could_leak_a_token_is_refused(graph: str, tmp_path: Path) -> None:
    """In clear text only on this machine; nothing that looks like another host."""
    (found,) = problems(f'[clouds.x]\nauthority="https://a"\ngraph="{graph}"', tmp_path)
    assert "clouds.x.graph: must be an http" in found


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("scan_every", '"6"', "a number and a unit"),
        ("scan_every", '"30s"', "at least one minute"),
        ("scan_every", '"8d"', "at most 7 days"),
        ("scan_every", '"999999999d"', "at most 7 days"),
        ("scan_every", f'"{"9" * 5000}d"', "a number and a unit"),
        ("canary_at", '"24:00"', 'like "07:00"'),
        ("canary_at", '"7"', 'like "07:00"'),
        ("thresholds", '["30d "]', "0 to 3650"),
        ("thresholds", "[10000]", "0 to 3650"),
        ("thresholds", "[1.5]", "0 to 3650"),
        ("thresholds", "[true]", "0 to 3650"),
        ("weekly_after_lapse", "-1", "greater than or equal to 0"),
        ("weekly_after_lapse", "521", "less than or equal to 520"),
        ("send_hour", "-1", "0 to 23"),
        ("send_hour", '"²"', "0 to 23"),
        ("send_hour", "true", "0 to 23"),
        ("send_hour", "7.5", "0 to 23"),
        ("time_zone", '"CET+1"', "IANA"),
        ("time_zone", '"../../etc/passwd"', "IANA"),
        ("time_zone", '""', "IANA"),
    ],
)
def test_values_out_of_range_say_what_is_wanted(
    key: str, value: str, said: str, tmp_path: Path
) -> None:
    """One sentence each."""
    (found,) = problems(f"[defaults]\n{key} = {value}", tmp_path)
    assert found.startswith(f"lapsewatch.toml: defaults.{key}: ")
    assert said in found


@pytest.mark.parametrize("limit", ["0s", "2d", "-1s", "1w"])
def test_a_deadline_of_nothing_or_of_days_is_refused(limit: str, tmp_path: Path) -> None:
    """Either would make every tenant unknown, or none."""
    (found,) = problems(f'[deadlines]\nconnect = "{limit}"', tmp_path)
    assert "deadlines.connect: must be" in found


@pytest.mark.parametrize(
    "address",
    ["", "group", "a@b,c@d", "a@b\\r\\nBcc: x@y", "a" * 65 + "@b.example", "a@" + "b" * 320,
     '\\"a b\\"@c.example', "-oQ@b.example", "a@b..example", "a@b.example.", "a@\\u202eb.example",
     "Name <a@b.example>", "a@b.example ; c@d.example"],
)  # fmt: skip
def test_what_is_not_one_mail_address_is_refused(address: str, tmp_path: Path) -> None:
    """Groups, lists, line ends, options, display names."""
    (found,) = problems(f'[operator]\nrecipients = ["{address}"]', tmp_path)
    assert "operator.recipients.0: must be one mail address" in found
