"""lapsewatch.toml and the environment become one frozen Settings; all problems come at once."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, get_origin

from pydantic import BeforeValidator, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from monitor.clouds import PRESETS, completed
from monitor.errors import SettingsError
from monitor.fields import beside
from monitor.fields.channels import ChannelTable, problems_of
from monitor.fields.environment import DIVIDER, PREFIX, unknown_variables, variable_of
from monitor.fields.files import parse_toml as parse_toml
from monitor.fields.files import read_text as read_text
from monitor.fields.forbids import ForbidTable
from monitor.fields.policy import IgnoreTable, RecipientTable, RouteTable
from monitor.fields.problems import explain_places, nearest, printable
from monitor.fields.tables import CloudTable as CloudTable
from monitor.fields.tables import (
    DatabaseTable,
    DeadlinesTable,
    DefaultsTable,
    DiagnoseTable,
    LogTable,
    VaultTable,
    WebTable,
)
from monitor.fields.tables import OperatorTable as OperatorTable
from monitor.model import Cloud, CredentialRef, Forbid, Policy, Recipient, Sender
from monitor.model.channels import ChannelSpec
from monitor.references import located
from monitor.rulebooks import problem_of

DEFAULT_FILE = "lapsewatch.toml"
_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?:///(.*)", re.DOTALL)
_NO_OPTIONS = (
    "database.url: SQLite takes no options, so leave out the ? and what follows it. If the ? is "
    "part of a folder's name, put the settings file there and name the database beside it"
)


class _Environment(EnvSettingsSource):
    """The environment: tables and lists as JSON; a list also as its items between commas."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read one variable; what is no JSON goes to the checks, which say where and why."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            # Below a table of any names ([clouds.NAME]) the library knows of no field.
            is_list = get_origin(getattr(field, "annotation", None)) is tuple
            return [part.strip() for part in str(value).split(",")] if is_list else value


class Settings(BaseSettings):
    """Everything an operator can set. Environment beats file: LAPSEWATCH_DATABASE__URL."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DIVIDER,
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
    )

    database: DatabaseTable = DatabaseTable()
    operator: OperatorTable | None = None
    defaults: DefaultsTable = DefaultsTable()
    clouds: Annotated[dict[str, CloudTable], BeforeValidator(completed)] = {}
    vault: VaultTable = VaultTable()
    deadlines: DeadlinesTable = DeadlinesTable()
    diagnose: DiagnoseTable = DiagnoseTable()
    forbid: tuple[ForbidTable, ...] = ()
    channel: tuple[ChannelTable, ...] = ()
    web: WebTable = WebTable()
    log: LogTable = LogTable()
    route: tuple[RouteTable, ...] = ()
    ignore: tuple[IgnoreTable, ...] = ()
    recipient: tuple[RecipientTable, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the signature is pydantic's)
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, as containers expect."""
        return (_Environment(settings_cls), init_settings)


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
            ca_file = str(beside(folder, table.ca_file)) if table.ca_file else None
            self.clouds[name] = Cloud(name=name, **{**table.model_dump(), "ca_file": ca_file})

    def on_database(self, url: str) -> Configuration:
        """The same configuration on another database."""
        settings = self.settings.model_copy(update={"database": DatabaseTable(url=url)})
        return Configuration(settings, self.folder, self.path)

    @property
    def database_url(self) -> str:
        """The database's URL; a relative SQLite file lies beside the settings file.

        After `sqlite:///` comes the file's name and nothing else: a ? in it begins no options.
        """
        url = self.settings.database.url
        if url.startswith("postgresql://"):
            return "postgresql+psycopg://" + url.removeprefix("postgresql://")
        if (match := _SQLITE.fullmatch(url)) and match[1] not in ("", ":memory:"):
            return f"sqlite:///{beside(self.folder, match[1]).resolve()}"
        return url

    @property
    def operator_recipients(self) -> tuple[Recipient, ...]:
        """Who gets the alarms; empty without an operator."""
        return self.settings.operator.recipients if self.settings.operator else ()

    @property
    def policy(self) -> Policy:
        """The operator's rules about who is told."""
        domains = self.settings.defaults.owner_domains
        operator = self.settings.operator
        return Policy(
            routes=tuple(table.noun() for table in self.settings.route),
            ignores=tuple(table.noun() for table in self.settings.ignore),
            recipients=tuple(table.noun() for table in self.settings.recipient),
            owner_domains=None if domains is None else frozenset(domains),
            hand_over_domains=frozenset(operator.hand_over_domains if operator else ()),
        )

    @property
    def heartbeat(self) -> str | None:
        """The address that is told of complete cycles, or where it is found; a secret."""
        secret = self.settings.operator.heartbeat_url if self.settings.operator else None
        held = self._located(CredentialRef("secret", secret.get_secret_value()) if secret else None)
        return held.reference if held else None

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
    def links_last(self) -> timedelta:
        """How long the links in mails can be used; nothing where there are to be none."""
        operator = self.settings.operator
        return timedelta(days=operator.link_days if operator else 0)

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
            ca_file = str(beside(self.folder, relay.ca_file)) if relay.ca_file else None
            relay = replace(relay, credential=self._located(relay.credential), ca_file=ca_file)
        looking = sender.arrival
        if looking is not None:
            looking = replace(looking, credential=self._located(looking.credential))
        own = self._located(sender.credential)
        return replace(sender, credential=own, relay=relay, arrival=looking)

    def _located(self, credential: CredentialRef | None) -> CredentialRef | None:
        """A file reference made absolute: in the settings it is relative to the settings file."""
        if credential is None:
            return None
        return located(credential, lambda name: str(beside(self.folder, name)))

    @cached_property
    def channels(self) -> tuple[ChannelSpec, ...]:
        """The operator's other ways out, in the order of the settings."""
        return tuple(table.spec(self.folder) for table in self.settings.channel)

    @property
    def fallback(self) -> tuple[str, ...]:
        """The names of the channels to take where mail is broken, the first one first."""
        return self.settings.operator.fallback if self.settings.operator else ()

    @property
    def forbids(self) -> tuple[Forbid, ...]:
        """The rules about where no credential should appear, in their order."""
        return tuple(table.noun() for table in self.settings.forbid)

    @property
    def sealing_keys(self) -> tuple[str, ...]:
        """Where the keys of sealed values are found, the current one first; empty without any."""
        table = self.settings.vault
        named = [CredentialRef("secret", text) for text in (table.key, *table.old_keys) if text]
        return tuple(found.reference for one in named if (found := self._located(one)))

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
    if not os.path.exists(file):  # pathlib would raise for a name that no file can have
        if named is None and any(key.startswith("LAPSEWATCH_DATABASE") for key in os.environ):
            return parse({}, Path.cwd(), None)
        raise SettingsError(
            [f"There is no settings file {file}.", *unknown_variables(Settings.model_fields)],
            remedy="Make one with: lapsewatch "
            + ("init" if named is None else f"--config {file} init"),
        )
    return parse(parse_toml(read_text(file), file), file.resolve().parent, file.resolve())


def parse(table: dict[str, Any], folder: Path, path: Path | None) -> Configuration:
    """Make a Configuration of a parsed file and the environment.

    Raises:
        SettingsError: with every problem found.
    """
    shown = path.name if path else "environment"
    problems = unknown_variables(Settings.model_fields)
    try:
        settings = Settings(**table)
    except ValidationError as error:
        found = explain_places(error, Settings)
        problems += [f"{variable_of(place, table) or shown}: {text}" for place, text in found]
        raise SettingsError(problems) from None
    configuration = Configuration(settings, folder, path)
    for text in _cross_checks(configuration):
        problems.append(f"{variable_of(text.partition(':')[0], table) or shown}: {text}")
    if problems:
        raise SettingsError(problems)
    return configuration


def _cross_checks(configuration: Configuration) -> list[str]:
    named = {f"clouds.{name}": cloud.ca_file for name, cloud in configuration.clouds.items()}
    sender, problems, vault = None, [], configuration.settings.vault
    match = _SQLITE.fullmatch(configuration.settings.database.url)
    if match and "?" in match[1]:
        problems.append(_NO_OPTIONS)
    try:
        sender = configuration.operator_sender
    except ValueError as error:
        problems.append(f"operator.sender.{error}")
    if sender and sender.relay:
        named["operator.sender.smtp"] = sender.relay.ca_file
    for where, ca_file in named.items():
        if ca_file and not os.path.isfile(ca_file):
            problems.append(f"{where}.ca_file: there is no file {printable(ca_file, 4096)}")
    clouds = {"operator.sender": sender.cloud if sender else None, "vault": vault.cloud}
    for where, cloud in clouds.items():
        if cloud and cloud not in configuration.clouds:
            near = nearest(cloud, configuration.clouds)
            hint = f'; did you mean "{near}"?' if near else ""
            problems.append(f'{where}.cloud: there is no cloud "{printable(cloud)}"{hint}')
    if wrong := problem_of(configuration.folder, configuration.settings.diagnose.rules):
        problems.append(f"diagnose.rules: {wrong}")
    addresses = [one.address.casefold() for one in configuration.settings.recipient]
    for number, address in enumerate(addresses):
        if address in addresses[:number]:
            problems.append(f"recipient.{number}.address: comes twice; join the two")
    fallbacks = {"operator.fallback": configuration.fallback} | {
        f"recipient.{number}.fallback": one.fallback
        for number, one in enumerate(configuration.settings.recipient)
    }
    problems += problems_of(configuration.channels, fallbacks, configuration.clouds)
    if vault.old_keys and not vault.key:
        problems.append("vault.key: is missing: the key that new values are sealed with")
    if sender and not sender.relay and not (sender.client_id and sender.credential):
        problems.append("operator.sender: needs client_id and credential, or smtp = { host = … }")
    return problems
