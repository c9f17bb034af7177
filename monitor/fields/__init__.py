"""The field types of settings and tenants files, each with an error that says what is wanted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import fields as dataclass_fields
from datetime import time, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from monitor.addresses import is_address as is_address
from monitor.fields.options import WorkingDays as WorkingDays
from monitor.fields.options import channel_names, mode, on_off, working_days
from monitor.fields.problems import nearest, printable, unknown_key
from monitor.model import Looking, Recipient, Relay, Sender
from monitor.references import REFERENCE_FORMS as REFERENCE_FORMS
from monitor.references import CredentialField as CredentialField
from monitor.references import KeyReference as KeyReference
from monitor.references import foreign_owner, guid
from monitor.references import looks_like_guid as looks_like_guid

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
_DURATION = re.compile(r"([0-9]{1,9})\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=7)
_LONGEST_SHADOW = timedelta(days=365)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _address(value: Any) -> str:
    text = str(value).strip()
    if not is_address(text):
        raise ValueError("must be one mail address like it@contoso.example")
    return text


def _zone(value: Any) -> str:
    text = str(value).strip()
    zones = available_timezones()
    text = next((zone for zone in zones if zone.lower() == text.lower()), text)
    if text not in zones:
        places = sorted(zone for zone in zones if zone.rpartition("/")[2].lower() == text.lower())
        # A name of another list, "W. Europe Standard Time" say, is near to nothing.
        near = nearest(text, zones) if "/" in text else next(iter(places), None)
        hint = f'; did you mean "{near}"?' if near else ""
        raise ValueError(f"is not a time zone of the IANA list, like Europe/Berlin{hint}")
    ZoneInfo(text)
    return text


def duration(value: Any) -> timedelta:
    """A number and a unit as a length of time.

    Raises:
        ValueError: it is something else; says what is wanted.
    """
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if not match:
        raise ValueError('must be a number and a unit, like "6h", "90s", "15m" or "1d"')
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _wall_time(value: Any) -> time:
    if isinstance(value, time):
        return value
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", str(value).strip())
    if not match:
        raise ValueError('must be a time of day like "07:00"')
    return time(int(match[1]), int(match[2]))


def _thresholds(value: Any) -> tuple[int, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    days = set()
    for item in items:
        day = whole_number(item) if isinstance(item, str) else item  # from the environment
        if isinstance(day, bool) or not isinstance(day, int) or not 0 <= day <= 3650:
            raise ValueError("must be whole days from 0 to 3650, like [60, 30, 14, 7, 3, 1, 0]")
        days.add(day)
    return tuple(sorted(days, reverse=True))


def _recipient(value: Any) -> Recipient:
    if isinstance(value, Recipient):
        return value
    if not isinstance(value, dict):
        return Recipient(_address(value))
    known = {field.name for field in dataclass_fields(Recipient)}
    for key in value:
        if key not in known:
            raise ValueError(unknown_key(key, known))
    given = {key: found for key, found in value.items() if found is not None}
    address = _address(given.pop("address", ""))
    return Recipient(address, **{key: _OPTIONS[key](found) for key, found in given.items()})


def whole_number(text: str) -> int | str:
    """The number that `text` writes in plain digits; anything else stays as it is."""
    return int(text) if re.fullmatch(r"\s*[0-9]{1,9}\s*", text) else text


def _hour(value: Any) -> int:
    hour = whole_number(value) if isinstance(value, str) else value
    if isinstance(hour, bool) or not isinstance(hour, int) or not 0 <= hour <= 23:
        raise ValueError("must be a whole hour from 0 to 23")
    return hour


# Each option of a recipient and how it is read; [[recipient]] in the settings has the same ones.
_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "time_zone": _zone, "send_hour": _hour, "working_days": working_days, "mode": mode,
    "stages": _thresholds, "at_once": on_off, "fallback": channel_names,
}  # fmt: skip


def _host(value: Any) -> str:
    text = str(value).strip()
    if not _HOST.fullmatch(text) or ".." in text:
        raise ValueError('must be the name of a server, like "smtp.office365.com", without a port')
    return text


def _web(example: str, *, plain: bool) -> AfterValidator:
    """Checks the address of a web server; `plain` allows http."""

    def check(value: str) -> str:
        wrong = ValueError(f"must be an {'http or ' * plain}https address, like {example}")
        try:
            parts = urlsplit(value)
            usable = parts.port != 0 and _HOST.fullmatch(parts.hostname or "")
        except ValueError:
            raise wrong from None
        if not usable or parts.scheme not in ("https", "http" if plain else "https"):
            raise wrong
        # ok.example@evil.example is at home at evil.example.
        if "@" in parts.netloc or parts.query or parts.fragment or re.search(r"[\s\x7f]", value):
            raise wrong
        return value.rstrip("/")

    return AfterValidator(check)


def _domain(value: Any) -> str:
    text = str(value).strip().removeprefix("@").casefold()
    if not is_address(f"a@{text}"):
        raise ValueError("must be the domain of a mail address, like contoso.example")
    return text


def _vault_address(value: Any) -> str:
    """The address of Key Vaults, where {vault} stands for a vault's name."""
    text = str(value).strip().rstrip("/")
    try:
        parts = urlsplit(text.replace("{vault}", "vault"))
        usable = parts.scheme == "https" and parts.port != 0 and not parts.path
        usable = bool(usable and _HOST.fullmatch(parts.netloc.rpartition("@")[2].split(":")[0]))
    except ValueError:
        usable = False
    if not usable or re.search(r"[@?#\s\x7f]", text):
        raise ValueError("must be an https address, like https://{vault}.vault.azure.net")
    return text


def _graph(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(
            "must be an https address, like https://graph.microsoft.com "
            "(http only on this machine: a token would travel in clear text)"
        )
    return value.removesuffix("/v1.0")


def _tls(value: Any) -> str:
    if isinstance(value, bool):
        return "starttls" if value else "none"
    text = str(value).strip().lower()
    names = {"starttls": "starttls", "tls": "tls", "implicit": "tls", "none": "none", "off": "none"}
    if text not in names:
        raise ValueError('must be "starttls", "tls" or "none"')
    return names[text]


def _tag(value: str) -> str:
    text = value.strip()
    if not 0 < len(text) <= 64 or printable(text) != text:
        raise ValueError("must be words of at most 64 characters")
    return text


Guid = Annotated[str, BeforeValidator(guid)]
Address = Annotated[str, BeforeValidator(_address)]
ZoneName = Annotated[str, BeforeValidator(_zone)]
WallTime = Annotated[time, BeforeValidator(_wall_time)]
Thresholds = Annotated[tuple[int, ...], BeforeValidator(_thresholds)]
RecipientField = Annotated[Recipient, BeforeValidator(_recipient)]
WebAddress = Annotated[str, _web("https://lapsewatch.msp.example", plain=True)]
HttpsAddress = Annotated[str, _web("https://login.microsoftonline.com", plain=False)]
VaultAddress = Annotated[str, BeforeValidator(_vault_address)]
GraphAddress = Annotated[
    str, _web("https://graph.microsoft.com", plain=True), AfterValidator(_graph)
]
Hour = Annotated[int, BeforeValidator(_hour)]
Domain = Annotated[str, BeforeValidator(_domain)]
AnyDomain = Annotated[str, BeforeValidator(lambda value: value if value == "*" else _domain(value))]
Host = Annotated[str, BeforeValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
Rate = Annotated[int, Field(ge=1, le=10_000)]
Weeks = Annotated[int, Field(ge=0, le=520)]
Tag = Annotated[str, AfterValidator(_tag)]
Tls = Annotated[Literal["starttls", "tls", "none"], BeforeValidator(_tls)]


def _interval(value: timedelta) -> timedelta:
    if not _SHORTEST <= value <= _LONGEST:
        raise ValueError("must be at least one minute and at most 7 days")
    return value


def _limit(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= timedelta(days=1):
        raise ValueError("must be longer than nothing and at most one day")
    return value


def _within(value: timedelta) -> timedelta:
    if not timedelta(minutes=1) <= value <= timedelta(days=1):
        raise ValueError('must be from one minute to one day, like "30m"')
    return value


def _shadow(value: timedelta) -> timedelta:
    if value > _LONGEST_SHADOW:
        raise ValueError('must be at most 365 days, like "14d"; "0d" is no shadow at all')
    return value


Interval = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_interval)]
Deadline = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_limit)]
Within = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_within)]
Shadow = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_shadow)]


class Strict(BaseModel):
    """A table whose unknown keys are errors and whose values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class RelayTable(Strict):
    """`smtp = {…}`: a plain submission server."""

    host: Host
    port: Port = 587
    tls: Tls = "starttls"
    user: str | None = None
    credential: CredentialField | None = None
    ca_file: str | None = None

    @model_validator(mode="after")
    def _keep_the_password(self) -> Self:
        if self.tls == "none" and self.credential is not None and not _is_this_machine(self.host):
            raise ValueError(
                f'tls = "none" would send the password to {self.host} in clear text; set '
                'tls = "starttls" (mostly port 587) or "tls" (port 465), or leave the credential '
                "out if the server asks for none (only a server on this machine may do without)"
            )
        return self

    def noun(self, mailbox: str) -> Relay:
        """The relay as the other rooms know it; who signs in without a name is the mailbox."""
        user = self.user or (mailbox if self.credential else None)
        return Relay(self.host, self.port, self.tls, user, self.credential, self.ca_file)


class LookingTable(Strict):
    """`arrival_app = {…}`: the app that looks for canaries, where it is not the sender's."""

    client_id: Guid
    credential: CredentialField
    directory_id: Guid | None = None
    cloud: str | None = None


class SenderTable(Strict):
    """`[tenant.sender]` and `[operator.sender]`."""

    mailbox: Address | None = None
    enterprise_object_id: Guid | None = None
    client_id: Guid | None = None
    credential: CredentialField | None = None
    canary_to: tuple[Address, ...] = ()
    directory_id: Guid | None = None
    cloud: str | None = None
    smtp_host: Host | None = None
    smtp_port: Port | None = None
    rate_per_minute: Rate | None = None
    smtp: RelayTable | None = None
    arrival: Literal["none", "graph", "trace"] = "none"
    arrival_within: Within = timedelta(minutes=30)
    arrival_app: LookingTable | None = None

    @property
    def looking(self) -> Looking | None:
        """How its canaries are looked for; None where nobody looks."""
        if self.arrival == "none":
            return None
        app = self.arrival_app
        return Looking(
            self.arrival, self.arrival_within,
            *((app.client_id, app.credential, app.directory_id, app.cloud) if app else ()),
        )  # fmt: skip

    def noun(self, *, fallback_mailbox: str | None = None) -> Sender:
        """The sender as the other rooms know it.

        Raises:
            ValueError: there is no mailbox to send as.
        """
        user = self.smtp.user if self.smtp and self.smtp.user and "@" in self.smtp.user else None
        mailbox = self.mailbox or user or (fallback_mailbox if self.smtp else None)
        if mailbox is None:
            raise ValueError("mailbox: is missing: the address to send as")
        return Sender(
            mailbox=mailbox,
            enterprise_object_id=self.enterprise_object_id,
            client_id=self.client_id,
            credential=self.credential,
            canary_to=self.canary_to,
            directory_id=self.directory_id,
            cloud=self.cloud,
            smtp_host=self.smtp_host,
            smtp_port=self.smtp_port,
            relay=self.smtp.noun(mailbox) if self.smtp else None,
            rate_per_minute=self.rate_per_minute,
            arrival=self.looking,
        )


def _no_tenants_secret(table: SenderTable) -> SenderTable:
    looks = table.arrival_app.credential if table.arrival_app else None
    for held in (table.credential, looks, table.smtp.credential if table.smtp else None):
        if owner := foreign_owner(held, ""):
            raise ValueError(
                f"names a sealed value of the tenant {owner}, which goes when that goes; seal it "
                "for the operator: lapsewatch secrets set @operator secret"
            )
    return table


OperatorSender = Annotated[SenderTable, AfterValidator(_no_tenants_secret)]


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def beside(folder: Path, name: str) -> Path:
    """The absolute path of a named file; a relative name starts at `folder`.

    Whatever the name is, this never raises: that there is no such file is told where it is read.
    """
    # os.path leaves ~nobody-here as it is; pathlib would raise. NUL ends no path anywhere.
    expanded = os.path.expanduser(name.strip().replace("\0", "?"))
    return Path(os.path.normpath(folder.absolute() / expanded))
