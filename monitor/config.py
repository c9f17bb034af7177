"""lapsewatch.toml and the environment become one frozen Settings; all problems come at once."""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from monitor.errors import SettingsError
from monitor.fields import (
    Duration,
    Guid,
    Hour,
    Interval,
    RecipientField,
    SenderTable,
    Strict,
    Thresholds,
    WallTime,
    ZoneName,
    explain,
    nearest,
)
from monitor.model import Cloud, CredentialRef, Recipient, Sender

DEFAULT_FILE = "lapsewatch.toml"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

# Hosts of the national clouds: https://learn.microsoft.com/graph/deployments. The SMTP rows of
# DoD and China come from third parties, so [clouds.NAME] can name others.
PRESETS = {
    cloud.name: cloud
    for cloud in (
        Cloud(
            name="global",
            authority="https://login.microsoftonline.com",
            graph="https://graph.microsoft.com",
            graph_scope="https://graph.microsoft.com/.default",
            smtp_host="smtp.office365.com",
            smtp_port=587,
            smtp_scope="https://outlook.office365.com/.default",
            portal="https://portal.azure.com",
        ),
        Cloud(
            name="gcc-high",
            authority="https://login.microsoftonline.us",
            graph="https://graph.microsoft.us",
            graph_scope="https://graph.microsoft.us/.default",
            smtp_host="smtp.office365.us",
            smtp_port=587,
            smtp_scope="https://outlook.office365.us/.default",
            portal="https://portal.azure.us",
        ),
        Cloud(
            name="dod",
            authority="https://login.microsoftonline.us",
            graph="https://dod-graph.microsoft.us",
            graph_scope="https://dod-graph.microsoft.us/.default",
            smtp_host="outlook-dod.office365.us",
            smtp_port=587,
            smtp_scope="https://outlook.office365.us/.default",
            portal="https://portal.azure.us",
        ),
        Cloud(
            name="china",
            authority="https://login.partner.microsoftonline.cn",
            graph="https://microsoftgraph.chinacloudapi.cn",
            graph_scope="https://microsoftgraph.chinacloudapi.cn/.default",
            smtp_host="smtp.partner.outlook.cn",
            smtp_port=587,
            smtp_scope="https://partner.outlook.cn/.default",
            portal="https://portal.azure.cn",
        ),
    )
}


class DatabaseTable(Strict):
    """[database]"""

    url: str = "sqlite:///lapsewatch.db"


class OperatorTable(Strict):
    """[operator]: who runs this; everything works without it."""

    name: str | None = None
    recipients: tuple[RecipientField, ...] = ()
    time_zone: ZoneName | None = None
    send_hour: Hour | None = None
    base_url: str | None = None
    directory_id: Guid | None = None
    cloud: str | None = None
    sender: SenderTable | None = None


class DefaultsTable(Strict):
    """[defaults]: what a tenant gets that does not say otherwise."""

    scan_every: Interval = timedelta(hours=6)
    canary_at: WallTime = time(7, 0)
    time_zone: ZoneName | None = None
    send_hour: Hour | None = None
    thresholds: Thresholds = (60, 30, 14, 7, 3, 1, 0)
    weekly_after_lapse: int = Field(4, ge=0, le=520)
    recipients: tuple[RecipientField, ...] = ()


class CloudTable(Strict):
    """[clouds.NAME]: servers that speak Microsoft's protocols. Defaults are the global cloud's."""

    authority: str
    graph: str
    graph_scope: str = "https://graph.microsoft.com/.default"
    smtp_host: str = "smtp.office365.com"
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_scope: str = "https://outlook.office365.com/.default"
    portal: str = "https://portal.azure.com"
    ca_file: str | None = None

    @field_validator("authority")
    @classmethod
    def _authority(cls, value: str) -> str:
        if urlsplit(value).scheme != "https" or not urlsplit(value).hostname:
            raise ValueError("must be an https address, like https://login.microsoftonline.com")
        return value.rstrip("/")

    @field_validator("graph")
    @classmethod
    def _graph(cls, value: str) -> str:
        parts = urlsplit(value)
        plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not parts.hostname or (parts.scheme != "https" and not plain):
            raise ValueError(
                "must be an https address, like https://graph.microsoft.com "
                "(http only on this machine: a token would travel in clear text)"
            )
        return value.rstrip("/").removesuffix("/v1.0")


class DeadlinesTable(Strict):
    """[deadlines]: what runs out is `unknown` with its cause and costs the others nothing."""

    connect: Duration = timedelta(seconds=10)
    read: Duration = timedelta(seconds=30)
    token: Duration = timedelta(seconds=20)
    tenant: Duration = timedelta(minutes=3)
    page: Duration = timedelta(seconds=1)
    tenants_at_once: int = Field(16, ge=1, le=256)


class WebTable(Strict):
    """[web]: the status page."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    allow_without_sign_in: bool = False
    allowed_hosts: tuple[str, ...] = ()
    metrics_per_credential: bool = False


class LogTable(Strict):
    """[log]"""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Settings(BaseSettings):
    """Everything an operator can set. Environment beats file: LAPSEWATCH_DATABASE__URL."""

    model_config = SettingsConfigDict(
        env_prefix="LAPSEWATCH_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
    )

    database: DatabaseTable = DatabaseTable()
    operator: OperatorTable | None = None
    defaults: DefaultsTable = DefaultsTable()
    clouds: dict[str, CloudTable] = Field(default_factory=dict)
    deadlines: DeadlinesTable = DeadlinesTable()
    web: WebTable = WebTable()
    log: LogTable = LogTable()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the signature is pydantic's)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, as containers expect."""
        return (env_settings, init_settings)


class Configuration:
    """Settings with everything resolved: paths made absolute, presets and defaults filled in.

    Args:
        settings: the validated settings.
        folder: the folder of the settings file; relative paths start there.
        path: the settings file, or None when there is none.
    """

    def __init__(self, settings: Settings, folder: Path, path: Path | None) -> None:
        self.settings = settings
        self.folder = folder
        self.path = path
        self.clouds = dict(PRESETS)
        for name, table in settings.clouds.items():
            ca_file = str((folder / table.ca_file).resolve()) if table.ca_file else None
            self.clouds[name] = Cloud(name=name, **{**table.model_dump(), "ca_file": ca_file})

    @property
    def database_url(self) -> str:
        """The database's URL; a relative SQLite file lies beside the settings file."""
        url = self.settings.database.url
        if url.startswith("postgresql://"):
            return "postgresql+psycopg://" + url.removeprefix("postgresql://")
        if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
            return f"sqlite:///{(self.folder / url.removeprefix('sqlite:///')).resolve()}"
        return url

    @property
    def operator_recipients(self) -> tuple[Recipient, ...]:
        """Who gets the alarms; empty without an operator."""
        return self.settings.operator.recipients if self.settings.operator else ()

    @property
    def operator_zone(self) -> str:
        """The operator's time zone, UTC where none is set."""
        operator = self.settings.operator
        return (operator.time_zone if operator else None) or self.default_zone

    @property
    def operator_name(self) -> str | None:
        """Who runs this, for the mails' footer."""
        return self.settings.operator.name if self.settings.operator else None

    @property
    def base_url(self) -> str | None:
        """Where the page can be reached from outside."""
        return self.settings.operator.base_url if self.settings.operator else None

    @property
    def operator_sender(self) -> Sender | None:
        """The path for alarms."""
        operator = self.settings.operator
        if operator is None or operator.sender is None:
            return None
        domain = operator.recipients[0].address.rpartition("@")[2] if operator.recipients else None
        fallback = f"lapsewatch@{domain}" if domain else None
        table = operator.sender.model_copy(
            update={
                "directory_id": operator.sender.directory_id or operator.directory_id,
                "cloud": operator.sender.cloud or operator.cloud,
            }
        )
        sender = table.noun(fallback_mailbox=fallback)
        relay = sender.relay
        if relay is not None:
            relay = replace(relay, credential=self._located(relay.credential))
        return replace(sender, credential=self._located(sender.credential), relay=relay)

    def _located(self, credential: CredentialRef | None) -> CredentialRef | None:
        """A file reference made absolute: in the settings it is relative to the settings file."""
        if credential is None or not credential.reference.startswith("file:"):
            return credential
        named = Path(credential.reference.removeprefix("file:").strip()).expanduser()
        return CredentialRef(credential.form, f"file:{(self.folder / named).resolve()}")

    @property
    def default_zone(self) -> str:
        """The zone of a tenant that names none."""
        operator = self.settings.operator
        return self.settings.defaults.time_zone or (
            (operator.time_zone if operator else None) or "UTC"
        )

    @property
    def default_send_hour(self) -> int:
        """The local hour of the daily run, where nothing else is set."""
        operator_hour = self.settings.operator.send_hour if self.settings.operator else None
        for hour in (self.settings.defaults.send_hour, operator_hour):
            if hour is not None:
                return hour
        return 8


def load(path: Path | None = None) -> Configuration:
    """Read the settings file (default ./lapsewatch.toml, or LAPSEWATCH_CONFIG) and environment.

    Raises:
        SettingsError: the file is missing, cannot be read, or holds mistakes (all are listed).
    """
    named = path or (Path(found) if (found := os.environ.get("LAPSEWATCH_CONFIG")) else None)
    file = named or Path(DEFAULT_FILE)
    if not file.exists():
        if named is None and any(key.startswith("LAPSEWATCH_DATABASE") for key in os.environ):
            return parse({}, Path.cwd(), None)
        raise SettingsError(
            [f"There is no settings file {file}."],
            remedy="Make one with: lapsewatch init"
            + ("" if named is None else f" --config {file}"),
        )
    return parse(_read_toml(file), file.resolve().parent, file.resolve())


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except OSError as error:
        raise SettingsError([f"{file} cannot be read: {error.strerror}."]) from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            [f"{file} is not UTF-8 text (byte {error.start}). Save it as UTF-8."]
        ) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError([f"{file} is not valid TOML: {error}."]) from error


def parse(table: dict[str, Any], folder: Path, path: Path | None) -> Configuration:
    """Make a Configuration of a parsed file and the environment.

    Raises:
        SettingsError: with every problem found.
    """
    shown = path.name if path else "environment"
    try:
        settings = Settings(**table)
    except ValidationError as error:
        problems = [f"{shown}: {text}" for text in explain(error, Settings)]
        raise SettingsError(problems) from None
    configuration = Configuration(settings, folder, path)
    problems = [f"{shown}: {text}" for text in _cross_checks(configuration)]
    if problems:
        raise SettingsError(problems)
    return configuration


def _cross_checks(configuration: Configuration) -> list[str]:
    problems = []
    for name, cloud in configuration.clouds.items():
        if cloud.ca_file and not Path(cloud.ca_file).is_file():
            problems.append(f"clouds.{name}.ca_file: there is no file {cloud.ca_file}")
    try:
        sender = configuration.operator_sender
    except ValueError as error:
        return [*problems, f"operator.sender.{error}"]
    if sender and sender.cloud and sender.cloud not in configuration.clouds:
        near = nearest(sender.cloud, configuration.clouds)
        hint = f'; did you mean "{near}"?' if near else ""
        problems.append(f'operator.sender.cloud: there is no cloud "{sender.cloud}"{hint}')
    if sender and not sender.relay and not (sender.client_id and sender.credential):
        problems.append("operator.sender: needs client_id and credential, or smtp = { host = … }")
    return problems
