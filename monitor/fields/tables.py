"""The tables of lapsewatch.toml: what an operator can set in each, and what holds without it."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Literal

from pydantic import Field

from monitor.fields import (
    AnyDomain,
    Deadline,
    Domain,
    GraphAddress,
    Guid,
    Host,
    Hour,
    HttpsAddress,
    Interval,
    KeyReference,
    OperatorSender,
    Port,
    Rate,
    RecipientField,
    Shadow,
    Strict,
    Thresholds,
    VaultAddress,
    WallTime,
    WebAddress,
    Weeks,
    ZoneName,
)
from monitor.fields.channels import ChannelName
from monitor.fields.watching import WatchedOperator


class DatabaseTable(Strict):
    """[database]"""

    url: str = "sqlite:///lapsewatch.db"


class OperatorTable(WatchedOperator):
    """[operator]: who runs this; everything works without it."""

    name: str | None = None
    recipients: tuple[RecipientField, ...] = ()
    time_zone: ZoneName | None = None
    send_hour: Hour | None = None
    base_url: WebAddress | None = None
    link_days: int = Field(30, ge=0, le=30)
    hand_over_domains: tuple[AnyDomain, ...] = ()
    directory_id: Guid | None = None
    cloud: str | None = None
    sender: OperatorSender | None = None
    fallback: tuple[ChannelName, ...] = ()


class DefaultsTable(Strict):
    """[defaults]: what a tenant gets that does not say otherwise."""

    scan_every: Interval = timedelta(hours=6)
    canary_at: WallTime = time(7, 0)
    time_zone: ZoneName | None = None
    send_hour: Hour | None = None
    thresholds: Thresholds = (60, 30, 14, 7, 3, 1, 0)
    weekly_after_lapse: Weeks = 4
    recipients: tuple[RecipientField, ...] = ()
    shadow: Shadow = timedelta(days=14)
    shrink_guard: int = Field(20, ge=0, le=100)
    owner_domains: tuple[Domain, ...] | None = None
    rate_per_minute: Rate = 30
    mails_per_hour: Rate = 30
    usage: bool = True


class CloudTable(Strict):
    """[clouds.NAME]: what is left out is the preset's of that name, else the global cloud's."""

    authority: HttpsAddress
    graph: GraphAddress
    graph_scope: str = "https://graph.microsoft.com/.default"
    smtp_host: Host = "smtp.office365.com"
    smtp_port: Port = 587
    smtp_scope: str = "https://outlook.office365.com/.default"
    portal: HttpsAddress = "https://portal.azure.com"
    ca_file: str | None = None
    keyvault: VaultAddress = "https://{vault}.vault.azure.net"
    partner_center: HttpsAddress = "https://partner.microsoft.com/dashboard"


class VaultTable(Strict):
    """[vault]: the keys of sealed values, and who this machine is to Key Vault."""

    key: KeyReference | None = None
    old_keys: tuple[KeyReference, ...] = ()
    cloud: str = "global"
    managed_identity: Guid | None = None


class DeadlinesTable(Strict):
    """[deadlines]: what runs out is `unknown` with its cause and costs the others nothing."""

    connect: Deadline = timedelta(seconds=10)
    read: Deadline = timedelta(seconds=30)
    token: Deadline = timedelta(seconds=20)
    tenant: Deadline = timedelta(minutes=3)
    page: Deadline = timedelta(seconds=1)
    tenants_at_once: int = Field(16, ge=1, le=256)


class DiagnoseTable(Strict):
    """[diagnose]"""

    rules: str | None = None


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
