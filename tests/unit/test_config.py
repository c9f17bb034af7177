"""Settings: every key, the environment over the file, and all problems at once."""

from __future__ import annotations

import os
from datetime import time, timedelta
from pathlib import Path

import pytest

from monitor.config import PRESETS, Configuration, load
from monitor.errors import SettingsError
from monitor.model import CredentialRef, Recipient

GUID = "7b1c0000-0000-4000-8000-000000000000"
PLANTED = "Hunter2-8Q~planted-value"
EVERYTHING = f"""
[database]
url = "sqlite:///data/lapsewatch.db"

[operator]
name         = "Example MSP"
recipients   = ["noc@msp.example", {{ address = "boss@msp.example", time_zone = "Asia/Tokyo", send_hour = 6 }}]
time_zone    = "Europe/Berlin"
send_hour    = 9
base_url     = "https://lapsewatch.msp.example/"
directory_id = "{GUID.upper()}"
cloud        = "lab"
[operator.sender]
mailbox              = "noc@msp.example"
enterprise_object_id = "{GUID}"
client_id            = "{GUID}"
credential           = {{ secret = "file:secrets/noc" }}
canary_to            = ["canary@msp.example"]
smtp_host            = "mail.msp.example"
smtp_port            = 2525

[defaults]
scan_every         = "3h"
canary_at          = "06:30"
time_zone          = "Europe/London"
send_hour          = 7
thresholds         = [7, 30, 7]
weekly_after_lapse = 2
recipients         = ["all@msp.example"]

[clouds.lab]
authority   = "https://127.0.0.1:9443/"
graph       = "http://127.0.0.1:9444/v1.0/"
graph_scope = "https://graph.lab.example/.default"
smtp_host   = "127.0.0.1"
smtp_port   = 2587
smtp_scope  = "https://outlook.lab.example/.default"
portal      = "https://portal.lab.example"
ca_file     = "ca.pem"

[deadlines]
connect         = "1s"
read            = "2s"
token           = "3s"
tenant          = "4m"
page            = "5s"
tenants_at_once = 6

[web]
host                   = "0.0.0.0"
port                   = 8081
allow_without_sign_in  = true
allowed_hosts          = ["lapsewatch.msp.example"]
metrics_per_credential = true

[log]
level  = "debug"
format = "json"
"""  # noqa: E501


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine that runs the tests, and a folder of its own."""
    for name in [name for name in os.environ if name.upper().startswith("LAPSEWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def read(text: str | bytes, folder: Path, name: str = "lapsewatch.toml") -> Configuration:
    """The configuration of a settings file with that text."""
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(file)


def problems(text: str | bytes, folder: Path) -> tuple[str, ...]:
    """What is said about a settings file that cannot be used."""
    with pytest.raises(SettingsError) as refused:
        read(text, folder)
    return refused.value.problems


def test_every_key_is_read(tmp_path: Path) -> None:
    """Each key that the design names arrives where it belongs."""
    (tmp_path / "ca.pem").write_text("a CA")
    found = read(EVERYTHING, tmp_path)
    assert found.database_url == f"sqlite:///{tmp_path}/data/lapsewatch.db"
    assert found.operator_name == "Example MSP"
    assert found.operator_recipients == (
        Recipient("noc@msp.example"),
        Recipient("boss@msp.example", "Asia/Tokyo", 6),
    )
    assert (found.operator_zone, found.base_url) == (
        "Europe/Berlin", "https://lapsewatch.msp.example",
    )  # fmt: skip
    sender = found.operator_sender
    assert sender is not None
    assert (sender.mailbox, sender.client_id, sender.directory_id, sender.cloud) == (
        "noc@msp.example", GUID, GUID, "lab",
    )  # fmt: skip
    assert sender.credential == CredentialRef("secret", f"file:{tmp_path}/secrets/noc")
    assert (sender.canary_to, sender.enterprise_object_id) == (("canary@msp.example",), GUID)
    assert (sender.smtp_host, sender.smtp_port) == ("mail.msp.example", 2525)
    lab = found.clouds["lab"]
    assert (lab.authority, lab.graph) == ("https://127.0.0.1:9443", "http://127.0.0.1:9444")
    assert (lab.graph_scope, lab.smtp_scope) == (
        "https://graph.lab.example/.default", "https://outlook.lab.example/.default",
    )  # fmt: skip
    assert (lab.smtp_host, lab.smtp_port, lab.ca_file) == ("127.0.0.1", 2587, f"{tmp_path}/ca.pem")
    assert lab.portal == "https://portal.lab.example"


def test_every_plain_table_is_read(tmp_path: Path) -> None:
    """Defaults, deadlines, page and log."""
    (tmp_path / "ca.pem").write_text("a CA")
    settings = read(EVERYTHING, tmp_path).settings
    defaults = settings.defaults
    assert (defaults.scan_every, defaults.canary_at) == (timedelta(hours=3), time(6, 30))
    assert (defaults.thresholds, defaults.weekly_after_lapse) == ((30, 7), 2)
    assert defaults.recipients == (Recipient("all@msp.example"),)
    limits = settings.deadlines
    seconds = (limits.connect, limits.read, limits.token, limits.tenant, limits.page)
    assert [one.total_seconds() for one in seconds] == [1, 2, 3, 240, 5]
    assert limits.tenants_at_once == 6
    assert settings.web.model_dump() == {
        "host": "0.0.0.0", "port": 8081, "allow_without_sign_in": True,
        "allowed_hosts": ("lapsewatch.msp.example",), "metrics_per_credential": True,
    }  # fmt: skip
    assert (settings.log.level, settings.log.format) == ("debug", "json")


def test_an_empty_file_gives_the_defaults_of_the_documentation(tmp_path: Path) -> None:
    """Everything works without an operator."""
    found = read("", tmp_path)
    assert found.database_url == f"sqlite:///{tmp_path}/lapsewatch.db"
    assert (found.operator_recipients, found.operator_sender, found.base_url) == ((), None, None)
    assert (found.default_zone, found.default_send_hour, found.operator_zone) == ("UTC", 8, "UTC")
    assert found.settings.defaults.scan_every == timedelta(hours=6)
    assert found.settings.defaults.thresholds == (60, 30, 14, 7, 3, 1, 0)
    assert found.settings.web.host == "127.0.0.1"


def test_the_example_that_init_writes_is_valid_also_with_every_line_switched_on(
    tmp_path: Path,
) -> None:
    """A commented line that would be refused teaches nonsense."""
    text = (Path(__file__).parents[2] / "monitor" / "settings_example.toml").read_text()
    read(text, tmp_path)
    (tmp_path / "ca.pem").write_text("a CA")
    lines = []
    for line in text.splitlines():
        candidate = line.removeprefix("#")
        is_setting = line.startswith("#") and candidate[:1] not in (" ", "")
        lines.append(candidate if is_setting else line)
    found = read("\n".join(lines), tmp_path)
    assert found.operator_sender is not None
    assert found.operator_sender.relay is not None


def test_presets_name_the_four_national_clouds(tmp_path: Path) -> None:
    """Login, Graph and submission hosts, as Microsoft documents them."""
    found = read("", tmp_path).clouds
    assert set(found) == {"global", "gcc-high", "dod", "china"} == set(PRESETS)
    assert found["global"].smtp_host == "smtp.office365.com"
    assert found["gcc-high"].authority == "https://login.microsoftonline.us"
    assert found["dod"].graph == "https://dod-graph.microsoft.us"
    assert found["china"].graph_scope.startswith("https://microsoftgraph.chinacloudapi.cn")


def test_a_cloud_of_ones_own_may_replace_a_preset(tmp_path: Path) -> None:
    """The SMTP rows of some presets come from third parties."""
    table = '[clouds.china]\nauthority="https://a.example"\ngraph="https://g.example"'
    found = read(table, tmp_path)
    assert found.clouds["china"].authority == "https://a.example"


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("DATABASE__URL", "sqlite:///other.db", "database.url"),
        ("OPERATOR__NAME", "Other", "operator.name"),
        ("OPERATOR__SEND_HOUR", "5", "operator.send_hour"),
        ("OPERATOR__TIME_ZONE", "Asia/Tokyo", "operator.time_zone"),
        ("OPERATOR__BASE_URL", "https://o.example", "operator.base_url"),
        ("OPERATOR__RECIPIENTS", '["o@msp.example"]', "operator.recipients"),
        ("OPERATOR__SENDER__MAILBOX", "o@msp.example", "operator.sender.mailbox"),
        ("DEFAULTS__SCAN_EVERY", "9h", "defaults.scan_every"),
        ("DEFAULTS__CANARY_AT", "05:00", "defaults.canary_at"),
        ("DEFAULTS__THRESHOLDS", "[9]", "defaults.thresholds"),
        ("DEFAULTS__WEEKLY_AFTER_LAPSE", "9", "defaults.weekly_after_lapse"),
        ("CLOUDS__LAB__SMTP_PORT", "99", "clouds.lab.smtp_port"),
        ("DEADLINES__CONNECT", "9s", "deadlines.connect"),
        ("DEADLINES__TENANTS_AT_ONCE", "9", "deadlines.tenants_at_once"),
        ("WEB__PORT", "9", "web.port"),
        ("WEB__ALLOW_WITHOUT_SIGN_IN", "false", "web.allow_without_sign_in"),
        ("WEB__ALLOWED_HOSTS", '["o.example"]', "web.allowed_hosts"),
        ("LOG__LEVEL", "error", "log.level"),
    ],
)
def test_the_environment_wins_over_the_file(
    name: str, value: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the key that it names; the rest of the file stands."""
    (tmp_path / "ca.pem").write_text("a CA")
    before = read(EVERYTHING, tmp_path).settings.model_dump()
    monkeypatch.setenv(f"LAPSEWATCH_{name}", value)
    after = read(EVERYTHING, tmp_path).settings.model_dump()
    *tables, key = path.split(".")
    old, new = before, after
    for table in tables:
        old, new = old[table], new[table]
    assert old.pop(key) != new.pop(key)
    assert before == after


def test_lists_in_the_environment_may_be_written_with_commas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As people write them in a compose file."""
    monkeypatch.setenv("LAPSEWATCH_OPERATOR__RECIPIENTS", "a@msp.example, b@msp.example")
    monkeypatch.setenv("LAPSEWATCH_DEFAULTS__THRESHOLDS", "30,7")
    found = read("", tmp_path)
    assert [one.address for one in found.operator_recipients] == ["a@msp.example", "b@msp.example"]
    assert found.settings.defaults.thresholds == (30, 7)


@pytest.mark.parametrize(
    "name", ["DATABASE", "OPERATOR", "DEFAULTS", "CLOUDS", "WEB__ALLOWED_HOSTS__0", "DEADLINES"]
)
def test_nonsense_in_the_environment_is_a_settings_problem(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table given as a word, perhaps with a password in it, is refused and not repeated."""
    monkeypatch.setenv(f"LAPSEWATCH_{name}", f"postgresql://u:{PLANTED}@h/db")
    with pytest.raises(SettingsError) as refused:
        read("", tmp_path)
    assert PLANTED not in str(refused.value)


def test_other_variables_of_ours_are_not_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LAPSEWATCH_CONFIG, and secrets that references name."""
    monkeypatch.setenv("LAPSEWATCH_NOC_SECRET", PLANTED)
    monkeypatch.setenv("LAPSEWATCH_CONFIG", str(tmp_path / "named.toml"))
    (tmp_path / "named.toml").write_text('[operator]\nname = "Named"')
    assert load().operator_name == "Named"


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
        'unknown key "nonsense"; known keys: clouds, database, deadlines, defaults, log, operator',
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


def test_a_byte_order_mark_and_windows_line_ends_are_welcome(tmp_path: Path) -> None:
    """Editors add them without asking."""
    found = read(b'\xef\xbb\xbf[operator]\r\nname = "M\xc3\xbcller"\r\n', tmp_path)
    assert found.operator_name == "Müller"


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


def test_a_database_in_the_environment_needs_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container; a file that was named must be there all the same."""
    monkeypatch.setenv("LAPSEWATCH_DATABASE__URL", "postgresql://u@h/db")
    assert load().database_url == "postgresql+psycopg://u@h/db"
    with pytest.raises(SettingsError):
        load(tmp_path / "named.toml")


def test_relative_paths_start_at_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the command is run; absolute ones stay."""
    home = tmp_path / "with spaces und ä"
    home.mkdir()
    (home / "ca.pem").write_text("a CA")
    (home / "lapsewatch.toml").write_text(
        f"""
        [clouds.lab]
        authority = "https://a"
        graph = "https://g"
        ca_file = "../{home.name}/ca.pem"
        [operator.sender]
        mailbox = "a@b.example"
        smtp = {{ host = "h", user = "u", credential = {{ secret = "file: relay" }}, ca_file = "ca.pem" }}
        """  # noqa: E501
    )
    monkeypatch.chdir(home)
    found = load(Path("lapsewatch.toml"))
    monkeypatch.chdir(tmp_path)
    assert found.clouds["lab"].ca_file == f"{home}/ca.pem"
    sender = found.operator_sender
    assert sender is not None
    assert sender.relay is not None
    assert sender.relay.credential == CredentialRef("secret", f"file:{home}/relay")
    assert sender.relay.ca_file == f"{home}/ca.pem"
    assert found.database_url == f"sqlite:///{home}/lapsewatch.db"
    absolute = read('[database]\nurl = "sqlite:////var/lib/x.db"', tmp_path)
    assert absolute.database_url == "sqlite:////var/lib/x.db"


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
    "credential",
    [
        f'"{PLANTED}"',
        f'{{ secret = "{PLANTED}" }}',
        f'{{ certificate = "{PLANTED}" }}',
        f'{{ managed_identity = "{PLANTED}" }}',
        f'{{ password = "{PLANTED}" }}',
        f'["{PLANTED}"]',
        f'{{ secret = "file:" , certificate = "{PLANTED}" }}',
        f'{{ secret = ["{PLANTED}"] }}',
        '{ secret = "file:" }',
        '{ secret = "env: " }',
        f'{{ secret = "file:a\\n{PLANTED}" }}',
    ],
)
@pytest.mark.parametrize(
    "where", ["[operator.sender]\ncredential", "[operator.sender.smtp]\nhost='h'\ncredential"]
)
def test_a_secret_in_the_settings_is_refused_without_being_repeated(
    where: str, credential: str, tmp_path: Path
) -> None:
    """The message says which forms there are, and never the value."""
    mailbox = "[operator.sender]\nmailbox='a@b.example'\n" if "smtp" in where else ""
    found = "\n".join(problems(f"{mailbox}{where} = {credential}\n", tmp_path))
    assert "must be" in found
    assert PLANTED not in found


def test_a_guid_in_place_of_a_secret_is_called_a_secrets_id(tmp_path: Path) -> None:
    """The commonest slip: Entra shows both in one row."""
    text = f'[operator.sender]\nmailbox="a@b.example"\ncredential = {{ secret = "{GUID}" }}'
    (found,) = problems(text, tmp_path)
    assert "looks like a secret's ID" in found
    assert GUID not in found


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


def test_international_addresses_are_fine(tmp_path: Path) -> None:
    """IDN domains exist."""
    found = read('[operator]\nrecipients = ["post@müller.example"]', tmp_path)
    assert found.operator_recipients == (Recipient("post@müller.example"),)


def test_an_operators_sender_needs_a_way_to_send(tmp_path: Path) -> None:
    """An app and a credential, or a plain server; a mailbox in either case; a known cloud."""
    (found,) = problems('[operator.sender]\nmailbox="a@b.example"', tmp_path)
    assert "needs client_id and credential, or smtp" in found
    (found,) = problems('[operator.sender]\nsmtp = { host = "h" }', tmp_path)
    assert found.endswith("operator.sender.mailbox: is missing: the address to send as")
    (found,) = problems(
        f'[operator.sender]\nmailbox="a@b.example"\nclient_id="{GUID}"\n'
        'credential={secret="env:X"}\ncloud="globl"',
        tmp_path,
    )
    assert 'there is no cloud "globl"; did you mean "global"?' in found


@pytest.mark.parametrize("key", ["host", "port", "tls"])
def test_a_relay_that_cannot_be_one_is_refused(key: str, tmp_path: Path) -> None:
    """A host with a port in it, a port out of range, TLS by another name."""
    smtp = {"host": '"h"', "port": "25", "tls": '"starttls"'}
    smtp[key] = {"host": '"h:25"', "port": "0", "tls": '"ssl"'}[key]
    inner = ", ".join(f"{name} = {value}" for name, value in smtp.items())
    (found,) = problems(f'[operator.sender]\nmailbox="a@b.example"\nsmtp = {{ {inner} }}', tmp_path)
    assert f"operator.sender.smtp.{key}: " in found


RELAY = """
[operator.sender]
mailbox = "a@b.example"
smtp = {{ host = "{host}", tls = "{tls}", user = "u"{credential} }}
"""
CREDENTIAL = ', credential = { secret = "env:RELAY" }'


@pytest.mark.parametrize(
    "host", ["mx.example", "192.0.2.1", "0.0.0.0", "localhost.evil.example", "2001:db8::1", "127"]
)
def test_a_password_is_not_to_travel_in_clear_text(host: str, tmp_path: Path) -> None:
    """The message says where it stands and which two ways there are."""
    text = RELAY.format(host=host, tls="none", credential=CREDENTIAL)
    (found,) = problems(text, tmp_path)
    assert f'operator.sender.smtp: tls = "none" would send the password to {host}' in found
    assert 'set tls = "starttls" (mostly port 587) or "tls" (port 465)' in found
    assert "leave the credential out" in found


@pytest.mark.parametrize(
    ("host", "tls", "credential"),
    [
        *[(host, "none", CREDENTIAL) for host in ("127.0.0.1", "127.0.0.2", "Localhost", "::1")],
        ("mx.example", "starttls", CREDENTIAL),
        ("mx.example", "tls", CREDENTIAL),
        ("mx.example", "none", ""),
    ],
)
def test_a_relay_on_this_machine_or_without_a_password_may_do_without_tls(
    host: str, tls: str, credential: str, tmp_path: Path
) -> None:
    """Nobody else hears it, or there is nothing to hear."""
    found = read(RELAY.format(host=host, tls=tls, credential=credential), tmp_path)
    assert found.operator_sender is not None
    assert found.operator_sender.relay is not None
    assert found.operator_sender.relay.tls == tls


def test_a_relays_mailbox_may_be_its_user_or_of_the_first_recipients_domain(tmp_path: Path) -> None:
    """The least that people have to write."""
    by_user = read('[operator.sender]\nsmtp = {host="h", user="noc@msp.example"}', tmp_path)
    assert by_user.operator_sender is not None
    assert by_user.operator_sender.mailbox == "noc@msp.example"
    text = '[operator]\nrecipients=["a@msp.example"]\n[operator.sender]\nsmtp = {host="h"}'
    by_domain = read(text, tmp_path)
    assert by_domain.operator_sender is not None
    assert by_domain.operator_sender.mailbox == "lapsewatch@msp.example"


def test_a_relay_with_a_password_and_no_user_signs_in_as_its_mailbox(tmp_path: Path) -> None:
    """Leaving the password unused would end in a refusal that nobody understands."""
    smtp = 'smtp = {host="h", credential={secret="env:RELAY"}}'
    found = read(f'[operator.sender]\nmailbox="noc@msp.example"\n{smtp}', tmp_path)
    assert found.operator_sender is not None
    assert found.operator_sender.relay is not None
    assert found.operator_sender.relay.user == "noc@msp.example"
    plain = read('[operator.sender]\nmailbox="noc@msp.example"\nsmtp = {host="h"}', tmp_path)
    assert plain.operator_sender is not None
    assert plain.operator_sender.relay is not None
    assert plain.operator_sender.relay.user is None


def test_zone_and_hour_fall_back_from_defaults_to_operator(tmp_path: Path) -> None:
    """[defaults] speaks for tenants, [operator] for whoever says nothing."""
    found = read('[operator]\ntime_zone="Asia/Tokyo"\nsend_hour=0', tmp_path)
    assert (found.default_zone, found.default_send_hour) == ("Asia/Tokyo", 0)
    both = (
        '[operator]\ntime_zone="Asia/Tokyo"\nsend_hour=0\n[defaults]\ntime_zone="UTC"\nsend_hour=5'
    )
    found = read(both, tmp_path)
    assert (found.default_zone, found.default_send_hour) == ("UTC", 5)
    assert found.operator_zone == "Asia/Tokyo"
