"""A tenants file (TOML or CSV) becomes tenants; each bad row is reported with its line."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator, model_validator

from monitor.config import Configuration
from monitor.errors import ImportRowError, SettingsError
from monitor.fields import (
    CredentialField,
    Guid,
    Hour,
    RecipientField,
    SenderTable,
    Strict,
    Thresholds,
    ZoneName,
    explain,
    looks_like_guid,
    nearest,
    printable,
    unknown_key,
)
from monitor.model import CredentialRef, SharedApp, Tenant

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LISTS = ("recipients", "thresholds", "tags", "canary_to")


def _short_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must be short: letters, digits, dot, dash, underscore; at most 64")
    return value


class AppTable(Strict):
    """[[app]]: one multi-tenant app that many tenants have consented to."""

    name: str
    client_id: Guid
    credential: CredentialField

    _check_name = field_validator("name")(_short_name)


class TenantTable(Strict):
    """[[tenant]]"""

    name: str
    directory_id: Guid
    cloud: str = "global"
    client_id: Guid | None = None
    credential: CredentialField | None = None
    app: str | None = None
    recipients: tuple[RecipientField, ...] = ()
    time_zone: ZoneName | None = None
    send_hour: Hour | None = None
    thresholds: Thresholds | None = None
    weekly_after_lapse: int | None = None
    tags: tuple[str, ...] = ()
    paused: bool = False
    sender: SenderTable | None = None

    _check_name = field_validator("name")(_short_name)

    @model_validator(mode="after")
    def _one_source_of_credentials(self) -> TenantTable:
        if self.app is None and (self.client_id is None or self.credential is None):
            raise ValueError('needs client_id and credential, or app = "…"')
        return self


@dataclass(frozen=True, slots=True)
class Roster:
    """What a file holds: the good rows, the bad ones, and what is odd but works."""

    apps: tuple[SharedApp, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    errors: tuple[ImportRowError, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Row:
    table: dict[str, Any]
    line: int
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return printable(str(self.table.get("name", "")), 40) or "row without a name"


def read(
    file: Path,
    configuration: Configuration,
    *,
    known: Sequence[Tenant] = (),
    known_apps: Sequence[SharedApp] = (),
) -> Roster:
    """Read a tenants file.

    Args:
        file: TOML, or CSV when its name ends in .csv.
        configuration: gives clouds and defaults.
        known: tenants already stored, to find a directory id that is used twice.
        known_apps: shared apps already stored.

    Raises:
        SettingsError: the file as a whole cannot be read.
    """
    app_rows, tenant_rows, errors = _rows(file)
    reader = _Reader(file.resolve().parent, configuration, {a.name: a for a in known_apps})
    reader.errors.extend(errors)
    for row in app_rows:
        reader.app(row)
    by_id = {tenant.directory_id: tenant.name for tenant in known}
    seen: dict[str, int] = {}
    for row in tenant_rows:
        reader.tenant(row, by_id, seen)
    return Roster(
        tuple(reader.apps.values()),
        tuple(reader.tenants),
        tuple(sorted(reader.errors, key=lambda error: error.line)),
        tuple(reader.warnings),
    )


class _Reader:
    """Collects the good rows and the errors of one file."""

    def __init__(
        self, folder: Path, configuration: Configuration, apps: dict[str, SharedApp]
    ) -> None:
        self.folder = folder
        self.configuration = configuration
        self.known_apps = apps
        self.apps: dict[str, SharedApp] = {}
        self.tenants: list[Tenant] = []
        self.errors: list[ImportRowError] = []
        self.warnings: list[str] = []

    def app(self, row: _Row) -> None:
        """Take one [[app]] row, or say why not."""
        try:
            table = AppTable.model_validate(row.table)
        except ValidationError as error:
            self._refuse(row, explain(error, AppTable))
            return
        credential = self._locate(table.credential, row)
        self.apps[table.name] = SharedApp(table.name, table.client_id, credential)

    def tenant(self, row: _Row, by_id: dict[str, str], seen: dict[str, int]) -> None:
        """Take one [[tenant]] row, or say why not."""
        try:
            table = TenantTable.model_validate(row.table)
            problems = self._problems(table, by_id, seen)
        except ValidationError as error:
            problems = explain(error, TenantTable)
        if problems:
            self._refuse(row, problems)
            return
        try:
            tenant = self._build(table, row)
        except ValueError as error:
            self._refuse(row, [f"sender.{error}"])
            return
        seen[table.name] = row.line
        by_id[table.directory_id] = table.name
        self.tenants.append(tenant)

    def _problems(
        self, table: TenantTable, by_id: Mapping[str, str], seen: Mapping[str, int]
    ) -> list[str]:
        problems = []
        clouds = self.configuration.clouds
        named = [("cloud", table.cloud)]
        if table.sender and table.sender.cloud:
            named.append(("sender.cloud", table.sender.cloud))
        for where, cloud in named:
            if cloud not in clouds:
                near = nearest(cloud, clouds)
                hint = f'did you mean "{near}"?' if near else "known: " + ", ".join(sorted(clouds))
                problems.append(f'{where}: there is no cloud "{printable(cloud)}"; {hint}')
        if table.name in seen:
            problems.append(f"name: is used in line {seen[table.name]} already")
        other = by_id.get(table.directory_id)
        if other is not None and other != table.name:
            problems.append(f'directory_id: is already watched as tenant "{other}"')
        if table.app is not None and table.app not in {**self.known_apps, **self.apps}:
            problems.append(f'app: there is no [[app]] named "{printable(table.app)}"')
        return problems

    def _build(self, table: TenantTable, row: _Row) -> Tenant:
        defaults = self.configuration.settings.defaults
        shared = {**self.known_apps, **self.apps}.get(table.app) if table.app else None
        client_id = table.client_id or (shared.client_id if shared else "")
        credential = (
            self._locate(table.credential, row)
            if table.credential
            else (shared.credential if shared else None)
        )
        if credential is None:
            raise ValueError("credential: is missing")
        sender = table.sender
        if sender is not None and sender.credential is not None:
            located = self._locate(sender.credential, row)
            sender = sender.model_copy(update={"credential": located})
        weeks = table.weekly_after_lapse
        hour = table.send_hour
        return Tenant(
            name=table.name,
            directory_id=table.directory_id,
            cloud=table.cloud,
            client_id=client_id,
            credential=credential,
            recipients=table.recipients or defaults.recipients,
            time_zone=table.time_zone or self.configuration.default_zone,
            send_hour=self.configuration.default_send_hour if hour is None else hour,
            thresholds=defaults.thresholds if table.thresholds is None else table.thresholds,
            weekly_after_lapse=defaults.weekly_after_lapse if weeks is None else weeks,
            tags=table.tags,
            sender=sender.noun() if sender else None,
            app=table.app,
            paused=table.paused,
        )

    def _locate(self, credential: CredentialRef, row: _Row) -> CredentialRef:
        """Make a file reference absolute: it is relative to the tenants file."""
        if not credential.reference.startswith("file:"):
            return credential
        named = Path(credential.reference.removeprefix("file:").strip()).expanduser()
        options = [self.folder / named, self.configuration.folder / named, Path.cwd() / named]
        path = next((option for option in options if option.exists()), options[0]).resolve()
        self._inspect(path, credential, row)
        return CredentialRef(credential.form, f"file:{path}")

    def _inspect(self, path: Path, credential: CredentialRef, row: _Row) -> None:
        where = f"line {row.line}, {row.label}: {credential.form} {path}"
        if not path.is_file():
            self.warnings.append(f"{where}: there is no such file yet.")
            return
        try:
            if path.stat().st_mode & 0o077:
                self.warnings.append(
                    f"{where}: others on this machine can read it. Run: chmod 600 {path}"
                )
            text = path.read_text(encoding="utf-8", errors="replace")[:200]
        except OSError as error:
            self.warnings.append(f"{where}: cannot be read ({error.strerror}).")
            return
        if credential.form == "secret" and looks_like_guid(text):
            self.warnings.append(
                f"{where}: what it holds looks like the secret's ID (a GUID). Entra wants the "
                "secret's Value, which is shown only once, right after it was made."
            )

    def _refuse(self, row: _Row, problems: Sequence[str]) -> None:
        for problem in problems:
            key = problem.split(":", 1)[0].split(".")[-1]
            self.errors.append(
                ImportRowError(problem, line=row.lines.get(key, row.line), row=row.label)
            )


def _rows(file: Path) -> tuple[list[_Row], list[_Row], list[ImportRowError]]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SettingsError([f"{file} cannot be read: {error.strerror}."]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{file} is not UTF-8 text (byte {error.start})."]) from None
    if file.suffix.lower() == ".csv":
        return [], *_csv_rows(text)
    return _toml_rows(file, text)


def _toml_rows(file: Path, text: str) -> tuple[list[_Row], list[_Row], list[ImportRowError]]:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError([f"{file} is not valid TOML: {error}."]) from error
    errors = [
        ImportRowError(unknown_key(key, ("app", "tenant")), line=_line_of(text, key), row=file.name)
        for key in document
        if key not in ("app", "tenant")
    ]
    found: dict[str, list[_Row]] = {"app": [], "tenant": []}
    for name, rows in found.items():
        tables = document.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            line = _line_of(text, name)
            problem = f"write [[{name}]] with two brackets: there can be several"
            errors.append(ImportRowError(problem, line=line, row=file.name))
            continue
        places = _toml_places(text, name)
        for index, table in enumerate(tables):
            line, lines = places[index] if index < len(places) else (1, {})
            rows.append(_Row(table, line, lines))
    return found["app"], found["tenant"], errors


def _toml_places(text: str, name: str) -> list[tuple[int, dict[str, int]]]:
    """For each [[name]]: its line, and the line of each key in it."""
    places: list[tuple[int, dict[str, int]]] = []
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("[["):
            inside = re.match(rf"\[\[\s*{name}\s*\]\]", stripped) is not None
            if inside:
                places.append((number, {}))
        elif inside and (match := re.match(r"([A-Za-z0-9_-]+)\s*=", stripped)):
            places[-1][1].setdefault(match[1], number)
    return places


def _line_of(text: str, key: str) -> int:
    for number, line in enumerate(text.splitlines(), start=1):
        if key in line:
            return number
    return 1


def _csv_rows(text: str) -> tuple[list[_Row], list[ImportRowError]]:
    dialect = ";" if text.split("\n", 1)[0].count(";") > text.split("\n", 1)[0].count(",") else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=dialect, restkey="(too many cells)")
    rows = []
    errors: list[ImportRowError] = []
    try:
        for cells in reader:
            filled = {key.strip(): value for key, value in cells.items() if key and value}
            if filled:
                rows.append(_Row(_csv_table(filled), reader.line_num))
    except csv.Error as error:
        errors.append(ImportRowError(f"is not valid CSV: {error}", line=reader.line_num))
    return rows, errors


def _csv_table(cells: dict[str, Any]) -> dict[str, Any]:
    """One CSV line in the shape of a [[tenant]]: sender_mailbox becomes sender.mailbox."""
    table: dict[str, Any] = {}
    sender: dict[str, Any] = {}
    for key, value in cells.items():
        target, name = (
            (sender, key.removeprefix("sender_")) if key.startswith("sender_") else (table, key)
        )
        if isinstance(value, list):
            target[key] = value
        elif name in ("secret", "certificate", "managed_identity"):
            target["credential"] = {name: value.strip()}
        elif name in _LISTS:
            items = [item.strip() for item in re.split(r"[;| ]", value) if item.strip()]
            target[name] = [_number(item) for item in items] if name == "thresholds" else items
        elif name in ("send_hour", "weekly_after_lapse", "smtp_port"):
            target[name] = _number(value)
        else:
            target[name] = value.strip()
    if sender:
        table["sender"] = sender
    return table


def _number(text: str) -> int | str:
    return int(text) if text.strip().isdigit() else text
