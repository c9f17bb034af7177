"""A tenants file (TOML or CSV) becomes tenants; each bad row is reported with its line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator, model_validator

from monitor.config import Configuration
from monitor.errors import ImportRowError
from monitor.fields import (
    Address,
    Guid,
    Hour,
    RecipientField,
    SenderTable,
    Strict,
    Tag,
    Thresholds,
    Weeks,
    ZoneName,
    beside,
)
from monitor.fields.problems import explain_places, nearest, printable
from monitor.model import CredentialRef, Item, Note, SharedApp, Tenant
from monitor.references import CredentialField, foreign_owner, located, looks_like_guid
from monitor.roster.inventory import InventoryReader, ItemTable, NoteTable
from monitor.roster.rows import Row, rows_of

__all__ = [
    "AppTable", "ItemTable", "NoteTable", "Roster", "TenantTable", "blank_tenant", "read",
    "read_row",
]  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NO_RELAY = (
    "a tenant's mail goes out through its own Exchange mailbox, or else by the "
    "operator; a plain server can only stand in the settings, under [operator.sender]"
)
_SECRET_PEEK = 20_000  # bytes; far more than any client secret has
Problem = tuple[str, str]  # the dotted path of the key, and what is wrong


def _short_name(value: str | None) -> str | None:
    if value is not None and not _NAME.fullmatch(value):
        raise ValueError("must be short: letters, digits, dot, dash, underscore; at most 64")
    return value


class AppTable(Strict):
    """[[app]]: one multi-tenant app that many tenants have consented to."""

    name: str
    client_id: Guid
    credential: CredentialField

    _check_name = field_validator("name")(_short_name)

    @model_validator(mode="after")
    def _no_tenants_secret(self) -> AppTable:
        if owner := foreign_owner(self.credential, ""):
            raise ValueError(
                f"names a sealed value of the tenant {owner}, which goes when that goes; seal it "
                f"for the app: lapsewatch secrets set app:{self.name} secret"
            )
        return self


class TenantTable(Strict):
    """[[tenant]]"""

    name: str
    directory_id: Guid
    cloud: str = "global"
    client_id: Guid | None = None
    credential: CredentialField | None = None
    app: str | None = None
    recipients: tuple[RecipientField, ...] | None = None
    time_zone: ZoneName | None = None
    send_hour: Hour | None = None
    thresholds: Thresholds | None = None
    weekly_after_lapse: Weeks | None = None
    tags: tuple[Tag, ...] = ()
    paused: bool = False
    partner: bool = False
    pending: bool = False
    discovered_from: str | None = None
    contact: Address | None = None
    sender: SenderTable | None = None

    _check_name = field_validator("name", "discovered_from")(_short_name)

    @model_validator(mode="after")
    def _one_source_of_credentials(self) -> TenantTable:
        if self.app is None and (self.client_id is None or self.credential is None):
            raise ValueError('needs client_id and credential, or app = "…"')
        sender = self.sender
        looks = sender.arrival_app.credential if sender and sender.arrival_app else None
        for held in (self.credential, sender.credential if sender else None, looks):
            if owner := foreign_owner(held, self.name):
                raise ValueError(f"names a sealed value of another tenant, {owner}; seal its own")
        return self


@dataclass(frozen=True, slots=True)
class Roster:
    """What a file holds: the good rows, the bad ones, and what is odd but works.

    `doubtful` are the tenants that a bad [[item]] may be about.
    """

    apps: tuple[SharedApp, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    errors: tuple[ImportRowError, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    items: tuple[Item, ...] = ()
    doubtful: frozenset[str] = frozenset()


def blank_tenant(configuration: Configuration, app: SharedApp, cloud: str) -> Tenant:
    """A tenant without a name or a directory that is read with a shared app, all else by default.

    Args:
        configuration: gives the defaults.
        app: what it is read with.
        cloud: the name of the cloud it lives in.
    """
    defaults = configuration.settings.defaults
    return Tenant(
        name="", directory_id="", cloud=cloud, client_id=app.client_id,
        credential=app.credential, recipients=defaults.recipients,
        time_zone=configuration.default_zone, send_hour=configuration.default_send_hour,
        thresholds=defaults.thresholds, weekly_after_lapse=defaults.weekly_after_lapse,
        app=app.name,
    )  # fmt: skip


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
    rows, errors = rows_of(file, _columns())
    reader = _Reader(file.resolve().parent, configuration, {a.name: a for a in known_apps})
    reader.errors.extend(errors)
    seen_apps: dict[str, int] = {}
    for row in rows.get("app", ()):
        reader.app(row, seen_apps)
    by_id = {tenant.directory_id: tenant.name for tenant in known}
    seen: dict[str, int] = {}
    for row in rows.get("tenant", ()):
        reader.tenant(row, by_id, seen)
    kept = InventoryReader({tenant.name: tenant for tenant in (*known, *reader.tenants)})
    for row in rows.get("note", ()):
        kept.note(row)
    for row in rows.get("item", ()):
        kept.item(row)
    return Roster(
        tuple(reader.apps.values()),
        tuple(reader.tenants),
        tuple(sorted([*reader.errors, *kept.errors], key=lambda error: error.line)),
        tuple(reader.warnings),
        tuple(note for note, _ in kept.notes.values()),
        tuple(item for item, _ in kept.items.values()),
        frozenset(kept.doubtful),
    )


def read_row(
    table: dict[str, Any],
    configuration: Configuration,
    *,
    known: Sequence[Tenant] = (),
    known_apps: Sequence[SharedApp] = (),
) -> Roster:
    """Read one tenant that stands in no file, by the same rules.

    Args:
        table: what a [[tenant]] of a file would hold; files in it are relative to the settings.
        configuration: gives clouds and defaults.
        known: tenants already stored, to find a directory id that is used twice.
        known_apps: shared apps already stored.
    """
    reader = _Reader(configuration.folder, configuration, {a.name: a for a in known_apps})
    reader.tenant(Row(table, 0), {tenant.directory_id: tenant.name for tenant in known}, {})
    return Roster((), tuple(reader.tenants), tuple(reader.errors), tuple(reader.warnings))


def _columns() -> set[str]:
    """What a CSV column may be called, in the form with underscores."""
    secrets = ("secret", "certificate", "managed_identity", "federated", "password")
    senders = {f"sender_{name}" for name in (*SenderTable.model_fields, *secrets)}
    own = {*TenantTable.model_fields, *secrets}
    return (own | senders) - {"sender", "sender_smtp"}


def _swapped(table: TenantTable) -> list[Problem]:
    """Ids that stand at each other's place; no two things in Entra have the same one."""
    sender = table.sender
    own = (sender and sender.client_id) or table.client_id
    apps = (("client_id", table.client_id), ("sender.client_id", sender and sender.client_id))
    told = [
        (where, "is the directory's id; it must be the Application (client) ID of the app")
        for where, id_ in apps
        if id_ == table.directory_id
    ]
    found = sender and sender.enterprise_object_id
    if found and found in (own, table.directory_id):
        what = "Application (client) ID" if found == own else "directory's id"
        told.append((
            "sender.enterprise_object_id",
            f"is the {what}; it must be the Object ID that Entra shows under Enterprise "
            "applications",
        ))  # fmt: skip
    return told


def _doubt(data: bytes) -> str:
    """What makes it doubtful that a file holds one client secret; never what it holds."""
    if len(data) > _SECRET_PEEK:
        return "is too large to hold a client secret."
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        text = "\0"
    if not text:
        return "is empty."
    if looks_like_guid(text):
        return (
            "what it holds looks like the secret's ID (a GUID). Entra wants the secret's Value, "
            "which is shown only once, right after it was made."
        )
    if text[0] == text[-1] and text[0] in "\"'`" and len(text) > 1:
        return "its text stands in quotes. Entra's secrets have none: take them away."
    if not (text.isascii() and text.isprintable()):
        return "does not hold one line of plain text. Put the secret's Value there, alone."
    return ""


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

    def app(self, row: Row, seen: dict[str, int]) -> None:
        """Take one [[app]] row, or say why not."""
        try:
            table = AppTable.model_validate(row.table)
        except ValidationError as error:
            self._refuse(row, explain_places(error, AppTable))
            return
        if table.name in seen:
            self._refuse(row, [("name", f"name: is used in line {seen[table.name]} already")])
            return
        seen[table.name] = row.line
        credential = self._locate(table.credential, row)
        self.apps[table.name] = SharedApp(table.name, table.client_id, credential)

    def tenant(self, row: Row, by_id: dict[str, str], seen: dict[str, int]) -> None:
        """Take one [[tenant]] row, or say why not."""
        try:
            table = TenantTable.model_validate(row.table)
            problems = self._problems(table, by_id, seen)
        except ValidationError as error:
            problems = row.reworded(explain_places(error, TenantTable))
        if problems:
            self._refuse(row, problems)
            return
        seen[table.name] = row.line
        by_id[table.directory_id] = table.name
        self.tenants.append(self._build(table, row))

    def _problems(
        self, table: TenantTable, by_id: Mapping[str, str], seen: Mapping[str, int]
    ) -> list[Problem]:
        problems = []
        clouds = self.configuration.clouds
        sender = table.sender
        looks = sender.arrival_app.cloud if sender and sender.arrival_app else None
        for where, cloud in (
            ("cloud", table.cloud),
            ("sender.cloud", sender and sender.cloud),
            ("sender.arrival_app.cloud", looks),
        ):
            if cloud and cloud not in clouds:
                near = nearest(cloud, clouds)
                hint = f'did you mean "{near}"?' if near else "known: " + ", ".join(sorted(clouds))
                problems.append((where, f'there is no cloud "{printable(cloud)}"; {hint}'))
        problems += _swapped(table)
        if sender and sender.smtp is not None:
            problems.append(("sender.smtp", _NO_RELAY))
        elif sender and sender.mailbox is None:
            problems.append(("sender.mailbox", "is missing: the address to send as"))
        if table.name in seen:
            problems.append(("name", f"is used in line {seen[table.name]} already"))
        if (other := by_id.get(table.directory_id, table.name)) != table.name:
            problems.append(("directory_id", f'is already watched as tenant "{other}"'))
        if table.app is not None and table.app not in {**self.known_apps, **self.apps}:
            problems.append(("app", f'there is no [[app]] named "{printable(table.app)}"'))
        return [(where, f"{where}: {told}") for where, told in problems]

    def _build(self, table: TenantTable, row: Row) -> Tenant:
        defaults = self.configuration.settings.defaults
        shared = {**self.known_apps, **self.apps}.get(table.app) if table.app else None
        client_id = table.client_id or (shared.client_id if shared else "")
        own = self._locate(table.credential, row) if table.credential else None
        credential = own or (shared.credential if shared else None)
        if credential is None:  # the table's own check refuses that
            raise ValueError(f"{table.name} has nothing to sign in with")
        sender = table.sender
        if sender is not None and sender.credential is not None:
            sender = sender.model_copy(update={"credential": self._locate(sender.credential, row)})
        if sender is not None and (app := sender.arrival_app) is not None:
            found = app.model_copy(update={"credential": self._locate(app.credential, row)})
            sender = sender.model_copy(update={"arrival_app": found})
        weeks, hour = table.weekly_after_lapse, table.send_hour
        return Tenant(
            name=table.name,
            directory_id=table.directory_id,
            cloud=table.cloud,
            client_id=client_id,
            credential=credential,
            recipients=defaults.recipients if table.recipients is None else table.recipients,
            time_zone=table.time_zone or self.configuration.default_zone,
            send_hour=self.configuration.default_send_hour if hour is None else hour,
            thresholds=defaults.thresholds if table.thresholds is None else table.thresholds,
            weekly_after_lapse=defaults.weekly_after_lapse if weeks is None else weeks,
            tags=table.tags,
            sender=sender.noun() if sender else None,
            app=table.app,
            paused=table.paused,
            partner=table.partner,
            pending=table.pending,
            discovered_from=table.discovered_from,
            contact=table.contact,
        )

    def _locate(self, credential: CredentialRef, row: Row) -> CredentialRef:
        """Make a file reference absolute: it is relative to the tenants file."""
        folders = (self.folder, self.configuration.folder, Path.cwd())

        def place(named: str) -> str:
            options = [beside(folder, named) for folder in folders]
            path = next((option for option in options if os.path.exists(option)), options[0])
            self._inspect(path, credential, row)
            return str(path)

        return located(credential, place)

    def _inspect(self, path: Path, credential: CredentialRef, row: Row) -> None:
        where = f"line {row.line}, {row.label}: {credential.form} {path}"
        if not os.path.isfile(path):  # pathlib would raise for a name that no file can have
            there = os.path.exists(path)
            told = "is not a regular file" if there else "there is no such file yet"
            self.warnings.append(f"{where}: {told}.")
            return
        try:
            if path.stat().st_mode & 0o077:
                self.warnings.append(
                    f"{where}: others on this machine can read it. Run: chmod 600 {path}"
                )
            with path.open("rb") as opened:
                data = opened.read(_SECRET_PEEK + 1)
        except OSError as error:
            self.warnings.append(f"{where}: cannot be read ({error.strerror}).")
            return
        if credential.form == "secret" and (doubt := _doubt(data)):
            self.warnings.append(f"{where}: {doubt}")

    def _refuse(self, row: Row, problems: Sequence[Problem]) -> None:
        for path, told in problems:
            self.errors.append(ImportRowError(told, line=row.line_of(path), row=row.label))
