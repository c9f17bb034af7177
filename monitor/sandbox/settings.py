"""Writes the settings and tenants files by which Lapsewatch finds the simulated cloud."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .world import Operator, Relay, Sender, SignIn, Tenant, World

CLOUD = "sandbox"
_Value = str | int | list[str] | list[int]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers of a running sandbox listen."""

    entra_url: str
    graph_url: str
    smtp_host: str
    smtp_port: int
    relay_port: int | None
    ca_file: Path


def write_settings(folder: Path, world: World, at: Addresses, base_url: str) -> Path:
    """Write lapsewatch.toml, tenants.toml, ca.pem and the secrets; return lapsewatch.toml."""
    folder = folder.resolve()
    (folder / "secrets").mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(at.ca_file, folder / "ca.pem")
    parts = [_table("database", {"url": f"sqlite:///{folder / 'lapsewatch.db'}"})]
    if world.operator is not None:
        parts += _operator(folder, world.operator, at, base_url)
    parts.append(_table("defaults", {"scan_every": "6h", "canary_at": "07:00"}))
    parts.append(
        _table(
            f"clouds.{CLOUD}",
            {
                "authority": at.entra_url,
                "graph": at.graph_url,
                "graph_scope": "https://graph.microsoft.com/.default",
                "smtp_host": at.smtp_host,
                "smtp_port": at.smtp_port,
                "smtp_scope": "https://outlook.office365.com/.default",
                "ca_file": "ca.pem",
            },
        )
    )
    settings = folder / "lapsewatch.toml"
    settings.write_text("\n".join(parts), encoding="utf-8")
    parts = [_tenant(folder, tenant) for tenant in world.tenants]
    parts += [_kept(tenant) for tenant in world.tenants]
    (folder / "tenants.toml").write_text("\n".join(filter(None, parts)), encoding="utf-8")
    return settings


def _operator(folder: Path, operator: Operator, at: Addresses, base_url: str) -> list[str]:
    head: dict[str, _Value] = {
        "name": operator.name,
        "recipients": list(operator.recipients),
        "time_zone": operator.zone,
        "send_hour": operator.send_hour,
        "base_url": base_url,
    }
    parts = [_table("operator", head)]
    if operator.relay is not None:
        smtp = _relay(folder, operator.relay, at)
        parts.append(f"[operator.sender]\nsmtp = {smtp}\n")
    elif operator.tenant.sender is not None:
        extra = {"cloud": CLOUD, "directory_id": operator.tenant.directory_id}
        parts.append(_sender(folder, "operator", operator.tenant.sender, extra))
    return parts


def _relay(folder: Path, relay: Relay, at: Addresses) -> str:
    tls = "starttls" if relay.tls else "none"
    text = f"host = {json.dumps(at.smtp_host)}, port = {at.relay_port}, tls = {json.dumps(tls)}"
    if relay.user is not None:
        reference = _keep(folder, "operator-relay", (relay.password or "").encode())
        text += f', user = {json.dumps(relay.user)}, credential = {{ secret = "{reference}" }}'
    return f"{{ {text} }}"


def _tenant(folder: Path, tenant: Tenant) -> str:
    monitor = tenant.monitor
    fields: dict[str, _Value] = {
        "name": tenant.name,
        "directory_id": tenant.directory_id,
        "cloud": CLOUD,
        **({"partner": True} if tenant.partner else {}),
        **({"app": tenant.shared_app} if tenant.shared_app else {}),
        **({"client_id": monitor.client_id} if monitor and not tenant.shared_app else {}),
        "recipients": list(tenant.recipients),
        "time_zone": tenant.zone,
        "thresholds": list(tenant.thresholds),
        "tags": list(tenant.tags),
    }
    text = _table("[tenant]", fields)
    if tenant.shared_app and monitor is not None:
        app: dict[str, _Value] = {"name": tenant.shared_app, "client_id": monitor.client_id}
        text = _table("[app]", app) + _credential(folder, tenant.shared_app, monitor) + text
    elif monitor is not None:
        text += _credential(folder, tenant.name, monitor)
    if tenant.sender is not None:
        text += _sender(folder, "tenant", tenant.sender, {}, tenant.name)
    return text


def _kept(tenant: Tenant) -> str:
    """What the tenant's people keep: notes, and dates that no directory knows."""
    notes = [
        _table(
            "[note]",
            {
                "tenant": tenant.name,
                "app": note.app,
                "used_by": list(note.used_by),
                "where": list(note.where),
                "owner": note.owner,
                "runbook": note.runbook,
            },
        )
        for note in tenant.kept_notes
    ]
    dates = [
        _table(
            "[item]",
            {
                "tenant": tenant.name,
                "name": date.name,
                "sort": date.sort,
                "end": date.end.isoformat(),
                "where": list(date.where),
                **({"owner": date.owner} if date.owner else {}),
            },
        )
        for date in tenant.dates
    ]
    return "\n".join([*notes, *dates])


def _sender(
    folder: Path, table: str, sender: Sender, extra: Mapping[str, str], name: str = "operator"
) -> str:
    fields: dict[str, _Value] = {
        **extra,
        "mailbox": sender.mailbox,
        "enterprise_object_id": sender.object_id,
        "client_id": sender.sign_in.client_id,
    }
    if sender.canary_to:
        fields["canary_to"] = list(sender.canary_to)
    if sender.arrival:
        fields["arrival"] = sender.arrival
    if sender.arrival_within:
        fields["arrival_within"] = sender.arrival_within
    text = _table(f"{table}.sender", fields)
    if sender.arrival_app is not None:
        own = _credential(folder, f"{name}-arrival", sender.arrival_app).strip()
        where = f'directory_id = "{sender.arrival_directory}", ' if sender.arrival_directory else ""
        text += f'arrival_app = {{ client_id = "{sender.arrival_app.client_id}", {where}{own} }}\n'
    return text + _credential(folder, f"{name}-sender", sender.sign_in)


def _credential(folder: Path, name: str, sign_in: SignIn) -> str:
    if sign_in.pem is not None:
        return f'credential = {{ certificate = "{_keep(folder, f"{name}.pem", sign_in.pem)}" }}\n'
    reference = _keep(folder, name, (sign_in.secret or "").encode())
    return f'credential = {{ secret = "{reference}" }}\n'


def _keep(folder: Path, name: str, value: bytes) -> str:
    """Write a secret for its owner's eyes only, and return the reference to it."""
    path = folder / "secrets" / name
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(value)
    return f"file:secrets/{name}"


def _table(name: str, fields: Mapping[str, _Value]) -> str:
    """A TOML table; JSON's strings, numbers and lists are TOML's too."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    return "\n".join([f"[{name}]", *lines]) + "\n"
