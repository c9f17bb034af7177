"""The whole lab: servers, tenants with their stories, and the files that name them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.lab.authority import Authority, ClientCertificate
from tests.acceptance.lab.entra import GRAPH_SCOPE, SMTP_SCOPE, App, Entra
from tests.acceptance.lab.graph import Directory, Graph
from tests.acceptance.lab.http import HttpServer, refused_port
from tests.acceptance.lab.objects import Thing, guid, toml
from tests.acceptance.lab.smtp import Mailbox, Manners, SmtpServer, Submission


@dataclass
class Tenant:
    """One tenant of the lab: its row in the tenants file, and the servers' side of it."""

    name: str
    app: App
    directory: Directory
    row: dict[str, Any]
    things: list[Thing] = field(default_factory=list)
    sender_app: App | None = None
    mailbox: Mailbox | None = None

    @property
    def zone(self) -> str:
        """Its time zone."""
        return str(self.row["time_zone"])

    def refresh(self) -> None:
        """Publish `things` in the directory."""
        self.directory.applications = [t.wire() for t in self.things if not t.principal]
        self.directory.principals = [t.wire() for t in self.things if t.principal]


class Lab:
    """An Entra, a Graph and a submission server on loopback, and the folder of a customer."""

    def __init__(self, folder: Path) -> None:
        """Start the servers."""
        self.folder = folder
        (folder / "secrets").mkdir()
        self.authority, self.stranger = Authority(folder), Authority(folder, "Stranger")
        self.context = self.authority.server_context()
        self.entra = Entra()
        self.graph = Graph(self.entra)
        self.submission = Submission(self.entra)
        self.entra_server = HttpServer(self.entra.answer, self.context)
        self.graph_server = HttpServer(self.graph.answer)
        self.entra.url, self.graph.url = self.entra_server.url, self.graph_server.url
        self.smtp = SmtpServer(self.submission, Manners(self.context))
        self.closing: list[Any] = [self.entra_server, self.graph_server, self.smtp]
        self.tenants: dict[str, Tenant] = {}
        self.clouds: dict[str, dict[str, Any]] = {"lab": self.cloud()}
        self.planted: list[str] = []

    def close(self) -> None:
        """Stop every server."""
        for server in self.closing:
            server.close()

    def cloud(self, **changes: Any) -> dict[str, Any]:
        """The settings of a cloud: the lab's servers, but for what is changed."""
        return {
            "authority": self.entra.url,
            "graph": self.graph.url,
            "graph_scope": GRAPH_SCOPE,
            "smtp_host": "127.0.0.1",
            "smtp_port": self.smtp.port,
            "smtp_scope": SMTP_SCOPE,
            "ca_file": str(self.authority.ca_file),
        } | changes

    def listener(self, manners: Manners, *, up: bool = True) -> SmtpServer:
        """One more submission server, which shares the inbox."""
        server = SmtpServer(self.submission, manners, up=up)
        self.closing.append(server)
        return server

    def refusing(self) -> int:
        """A port that answers no until the lab ends."""
        kept, port = refused_port()
        self.closing.append(kept)
        return port

    def secret(self, name: str) -> tuple[str, str]:
        """A new secret value in a file; returns the value and the reference."""
        value = f"{secrets.token_hex(2)[:3]}8Q~{secrets.token_urlsafe(24)}"
        file = self.folder / "secrets" / name
        file.write_text(f"{value}\n")
        file.chmod(0o600)
        self.planted.append(value)
        return value, f"file:secrets/{name}"

    def planted_of(self, name: str) -> str:
        """The secret in a tenant's file."""
        return (self.folder / "secrets" / name).read_text().strip()

    def tenant(
        self,
        name: str,
        *things: Thing,
        zone: str = "UTC",
        sender: bool = False,
        certificate: ClientCertificate | None = None,
        **row: Any,
    ) -> Tenant:
        """A tenant with an app of its own and, if wanted, a mailbox that sends."""
        directory_id, client_id = guid(), guid()
        app = App(client_id, certificate=certificate)
        if certificate:
            pem = self.folder / "secrets" / f"{name}.pem"
            pem.write_bytes(certificate.pem)
            pem.chmod(0o600)
            credential = {"certificate": f"file:secrets/{name}.pem"}
        else:
            app.secret, reference = self.secret(name)
            credential = {"secret": reference}
        self.entra.apps[directory_id, client_id] = app
        base: dict[str, Any] = {
            "name": name, "directory_id": directory_id, "cloud": "lab", "client_id": client_id,
            "credential": credential, "recipients": [f"it@{name}.example"], "time_zone": zone,
        }  # fmt: skip
        made = Tenant(name, app, Directory(), base | row, list(things))
        if sender:
            self._sender(made)
        self.graph.directories[directory_id] = made.directory
        self.tenants[name] = made
        made.refresh()
        return made

    def _sender(self, tenant: Tenant) -> None:
        value, reference = self.secret(f"{tenant.name}-smtp")
        client_id, directory_id = guid(), tenant.row["directory_id"]
        tenant.sender_app = self.entra.apps[directory_id, client_id] = App(client_id, value)
        address = f"noreply@{tenant.name}.example"
        tenant.mailbox = self.submission.mailboxes[address] = Mailbox(directory_id)
        tenant.row["sender"] = {
            "mailbox": address,
            "enterprise_object_id": "c0de0000-0000-4000-8000-00000000c0de",
            "client_id": client_id,
            "credential": {"secret": reference},
        }

    def settings(self, operator: dict[str, Any] | None = None, **sections: dict[str, Any]) -> str:
        """The text of lapsewatch.toml."""
        tables: dict[str, dict[str, Any]] = {
            "database": {"url": "sqlite:///lapsewatch.db"},
            "defaults": {"send_hour": 0, "mails_per_hour": 1000},  # each fault alarms alone
            "deadlines": {"connect": "3s", "read": "5s", "token": "5s"},
        }
        tables |= sections
        if operator is not None:
            tables["operator"] = operator
        tables |= {f"clouds.{name}": table for name, table in self.clouds.items()}
        return "\n".join(
            f"[{head}]\n" + "\n".join(f"{key} = {toml(value)}" for key, value in table.items())
            for head, table in tables.items()
        )

    def rows(self, *names: str) -> str:
        """The text of tenants.toml."""
        chosen = [self.tenants[name].row for name in names or self.tenants]
        return "\n".join(
            "[[tenant]]\n" + "\n".join(f"{key} = {toml(value)}" for key, value in row.items())
            for row in chosen
        )
