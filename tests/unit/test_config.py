"""Settings that are good: every key, the defaults, and the environment over the file."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import pytest

from monitor.config import PRESETS, CloudTable, load
from monitor.errors import SettingsError
from monitor.model import CredentialRef, Recipient
from tests.unit.settings_samples import EVERYTHING, GUID, PLANTED, plain_environment, read

__all__ = ["plain_environment"]  # a fixture


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
    (tmp_path / "my-rules.toml").touch()
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


OTHER = {
    "authority": "https://a.example", "graph": "https://g.example", "graph_scope": "g/.default",
    "smtp_host": "m.example", "smtp_port": 2525, "smtp_scope": "m/.default",
    "portal": "https://p.example", "keyvault": "https://{vault}.example",
    "partner_center": "https://c.example",
}  # fmt: skip


@pytest.mark.parametrize("cloud", PRESETS)
@pytest.mark.parametrize("key", OTHER)
def test_each_address_of_a_preset_can_be_replaced_alone(
    cloud: str, key: str, tmp_path: Path
) -> None:
    """What is left out stays the preset's, not the global cloud's."""
    assert OTHER.keys() == CloudTable.model_fields.keys() - {"ca_file"}
    found = read(f"[clouds.{cloud}]\n{key} = {json.dumps(OTHER[key])}", tmp_path).clouds
    assert found[cloud] == replace(PRESETS[cloud], **{key: OTHER[key]})
    assert {name: one for name, one in found.items() if name != cloud} == {
        name: one for name, one in PRESETS.items() if name != cloud
    }


def test_a_preset_says_everything_and_trusts_public_authorities() -> None:
    """No address is empty; sign-in, Graph and portal are https."""
    for cloud in PRESETS.values():
        told = {key: getattr(cloud, key) for key in OTHER}
        assert all(told.values())
        assert cloud.ca_file is None
        for key in ("authority", "graph", "portal", "partner_center", "keyvault"):
            assert str(told[key]).startswith("https://")


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


def test_a_byte_order_mark_and_windows_line_ends_are_welcome(tmp_path: Path) -> None:
    """Editors add them without asking."""
    found = read(b'\xef\xbb\xbf[operator]\r\nname = "M\xc3\xbcller"\r\n', tmp_path)
    assert found.operator_name == "Müller"


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


@pytest.mark.parametrize("folder", ["a?b", "a#b", "a%b", "a%20b", "a b?mode=ro"])
def test_a_folder_of_any_name_keeps_its_own_database(folder: str, tmp_path: Path) -> None:
    """What begins options or escapes elsewhere is a letter like any other here."""
    home = tmp_path / folder
    home.mkdir()
    assert read("", home).database_url == f"sqlite:///{home}/lapsewatch.db"


def test_a_tilde_in_the_database_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in file: references."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = read('[database]\nurl = "sqlite:///~/foo.db"', tmp_path)
    assert found.database_url == f"sqlite:///{tmp_path}/home/foo.db"
    memory = read('[database]\nurl = "sqlite:///:memory:"', tmp_path)
    assert memory.database_url == "sqlite:///:memory:"  # the store refuses it


def test_international_addresses_are_fine(tmp_path: Path) -> None:
    """IDN domains exist."""
    found = read('[operator]\nrecipients = ["post@müller.example"]', tmp_path)
    assert found.operator_recipients == (Recipient("post@müller.example"),)


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
