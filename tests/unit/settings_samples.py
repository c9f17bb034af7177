"""Settings files for the tests of the settings: one with every key, and ways to read one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.config import Configuration, load
from monitor.errors import SettingsError

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
