"""From the server's words to the status, the mails, the log and the database: no secret shows."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from jobs.scan_tenants import scan_tenants
from jobs.send_canaries import send_canaries
from jobs.send_warnings import deliver
from monitor.config import load
from monitor.model import CredentialRef, MailKind, Recipient, Sender, Tenant
from monitor.sealing import new_key
from monitor.shape import as_json
from monitor.wiring import App
from tests import keys
from tests.integration.entra_room import APPS
from tests.integration.graph_server import DIRECTORY, GraphServer, Reply, graph_refusal, token
from tests.integration.smtp_server import MAILBOX, Action, ScriptedServer, certificates
from tests.integration.test_no_secret_shows import OPAQUE, SECRETS, leaks, logged
from tests.integration.vault_server import BEARER, VaultServer

__all__ = ["logged"]  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SECRET, PASSWORD = SECRETS[0], SECRETS[1]
BLOB = base64.b64encode(f"user={MAILBOX}\x01auth=Bearer {OPAQUE}\x01\x01".encode()).decode()
REFERENCES = {"sealed": "sealed:contoso/secret", "keyvault": "keyvault:msp/contoso"}
SETTINGS = """
[database]
url = "sqlite:///{folder}/lapsewatch.db"
[operator]
recipients = ["noc@msp.example"]
[operator.sender]
mailbox = "noc@msp.example"
smtp = {{ host = "127.0.0.1", port = {relay}, user = "noc", credential = {{ secret = "file:relay" }}, ca_file = "ca.pem" }}
[clouds.lab]
authority = "{authority}"
graph = "{graph}"
graph_scope = "https://graph.microsoft.com/.default"
smtp_host = "127.0.0.1"
smtp_port = {exchange}
smtp_scope = "https://outlook.office365.com/.default"
ca_file = "ca.pem"
keyvault = "{vault}"
[vault]
key = "file:sealing.key"
cloud = "lab"
managed_identity = "0d0d0000-0000-4000-8000-000000000001"
"""  # noqa: E501


@dataclass
class Lab:
    """The product over servers that repeat what they hear."""

    app: App
    folder: Path
    microsoft: GraphServer
    vault: VaultServer

    def run(self) -> None:
        """One scan, one canary, and an attempt to send their alarms."""
        asyncio.run(scan_tenants(self.app))
        send_canaries(self.app)
        deliver(self.app)

    def kept(self) -> str:
        """All that the product shows and stores."""
        status = json.dumps(as_json(self.app.report()), ensure_ascii=False, default=str)
        mails = [f"{row.mail} {row}" for row in self.app.store.outbox()]
        self.app.close()
        stored = [file.read_bytes() for file in self.folder.glob("lapsewatch.db*")]
        return "\n".join([status, *mails, *(raw.decode("utf-8", "replace") for raw in stored)])


@contextmanager
def lab(
    folder: Path,
    exchange: ScriptedServer,
    relay: ScriptedServer,
    *,
    credential: CredentialRef | None = None,
) -> Iterator[Lab]:
    """One tenant with a sender, one operator with a relay, and Microsoft."""
    with GraphServer(folder) as microsoft, VaultServer(folder) as vault:
        ours = (certificates() / "ca.pem").read_bytes() + (folder / "ca.pem").read_bytes()
        (folder / "ca.pem").write_bytes(ours)
        (folder / "relay").write_text(PASSWORD)
        (folder / "secret").write_text(SECRET)
        (folder / "sealing.key").write_text(new_key())
        (folder / "lapsewatch.toml").write_text(
            SETTINGS.format(
                folder=folder, relay=relay.port, exchange=exchange.port,
                authority=microsoft.authority, graph=microsoft.graph, vault=vault.url,
            )
        )  # fmt: skip
        with App(load(folder / "lapsewatch.toml")) as app:
            app.make_database()
            app.store.put_tenant(
                Tenant(
                    name="contoso", directory_id=DIRECTORY, cloud="lab",
                    client_id="1f3e0000-0000-4000-8000-000000000001",
                    credential=credential or CredentialRef("secret", f"file:{folder}/secret"),
                    recipients=(Recipient("it@contoso.example"),), sender=Sender(MAILBOX),
                ),
                now=datetime.now(UTC),
            )  # fmt: skip
            yield Lab(app, folder, microsoft, vault)


def test_an_echoed_client_secret_reaches_nobody(tmp_path: Path, logged: StringIO) -> None:
    """Scan and canary fail, both alarms are written, and all of them say why."""
    said = f"AADSTS7000215: Invalid client secret provided: '{SECRET}'."
    body = {"error": "invalid_client", "error_description": said, "error_codes": [7000215]}
    with (
        ScriptedServer().running() as exchange,
        ScriptedServer().running() as relay,
        lab(tmp_path, exchange, relay) as show,
    ):
        show.microsoft.token_script = [Reply(body, 401)]
        show.run()
        kinds = {str(row.mail.kind) for row in show.app.store.outbox()}
        kept = show.kept()
    assert {str(MailKind.CANNOT_CHECK), str(MailKind.CANARY_FAILED)} <= kinds
    assert "AADSTS7000215: Invalid client secret provided" in kept
    bodies = b"".join(relay.bodies).decode()
    assert bodies
    assert leaks(SECRET, kept + logged.getvalue() + bodies) == []


def test_echoed_tokens_and_a_relays_password_reach_nobody(tmp_path: Path, logged: StringIO) -> None:
    """Graph repeats the bearer, Exchange the XOAUTH2 string, the relay its password."""
    refused: dict[str, Action] = {"AUTH": f"535 5.7.3 no: {BLOB} {OPAQUE}"}
    plain = base64.b64encode(f"\0noc\0{PASSWORD}".encode()).decode()
    unfriendly: dict[str, Action] = {
        "EHLO+TLS": "250-mx\r\n250 AUTH PLAIN",
        "AUTH": f"535 5.7.8 no: {plain} {PASSWORD}",
    }
    with (
        ScriptedServer(refused).running() as exchange,
        ScriptedServer(unfriendly).running() as relay,
        lab(tmp_path, exchange, relay) as show,
    ):
        show.microsoft.token_script = [Reply(token() | {"access_token": OPAQUE})]
        show.microsoft.script[APPS] = [graph_refusal(403, "Odd", f"The token {OPAQUE} is odd.")]
        show.run()
        kept = show.kept()
    assert relay.heard
    for words in ("The token [hidden] is odd.", "535 5.7.3 no", "535 5.7.8 no"):
        assert words in kept
    shown = kept + logged.getvalue()
    assert leaks(OPAQUE, shown) + leaks(PASSWORD, shown) == []
    assert BLOB[20:40] not in shown
    assert plain[:20] not in shown


@pytest.mark.parametrize("secret", [SECRET, SECRETS[2]], ids=["plain", "unicode"])
@pytest.mark.parametrize("form", ["sealed", "keyvault"])
def test_a_secret_from_the_store_or_a_vault_reaches_nobody(
    form: str, secret: str, tmp_path: Path, logged: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Echoed like one from a file; the store holds it sealed, and its key nowhere."""
    said = f"AADSTS7000215: Invalid client secret provided: '{secret}'."
    body = {"error": "invalid_client", "error_description": said, "error_codes": [7000215]}
    with (
        ScriptedServer().running() as exchange,
        ScriptedServer().running() as relay,
        lab(
            tmp_path, exchange, relay, credential=CredentialRef("secret", REFERENCES[form])
        ) as show,
    ):
        expires = str(int((datetime.now(UTC) + timedelta(hours=1)).timestamp()))
        bearer = {"access_token": BEARER, "expires_on": expires, "resource": "x"}
        show.microsoft.script["/identity"] = [Reply(bearer)]
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{show.microsoft.graph}/identity")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        show.vault.secrets["contoso"] = secret
        show.app.sealed.put("contoso", "secret", secret.encode())
        show.microsoft.token_script = [Reply(body, 401)]
        show.run()
        listed = repr(show.app.sealed.listed()) + repr(show.app.store.sealed_values())
        kept = show.kept() + listed
    assert [seen.form for seen in show.microsoft.seen if secret in str(seen.form)]
    assert bool(show.vault.seen) == (form == "keyvault")
    assert "AADSTS7000215: Invalid client secret provided" in kept
    shown = kept + logged.getvalue() + b"".join(relay.bodies).decode()
    assert leaks(secret, shown) == []
    assert BEARER not in shown
    assert (tmp_path / "sealing.key").read_text()[:12] not in shown


def test_a_workloads_assertion_reaches_nobody(tmp_path: Path, logged: StringIO) -> None:
    """It is a credential until it is over."""
    workload = CredentialRef("federated", f"file:{tmp_path}/token")
    (tmp_path / "token").write_text(OPAQUE)
    said = f"AADSTS700027: The assertion {OPAQUE} failed."
    with (
        ScriptedServer().running() as exchange,
        ScriptedServer().running() as relay,
        lab(tmp_path, exchange, relay, credential=workload) as show,
    ):
        show.microsoft.token_script = [Reply({"error": "x", "error_description": said}, 401)]
        show.run()
        kept = show.kept()
    assert any(seen.form.get("client_assertion") == OPAQUE for seen in show.microsoft.seen)
    assert "AADSTS700027: The assertion" in kept
    assert leaks(OPAQUE, kept + logged.getvalue() + b"".join(relay.bodies).decode()) == []


@pytest.mark.parametrize("opens", [True, False])
def test_a_pfx_and_its_password_reach_nobody(opens: bool, tmp_path: Path, logged: StringIO) -> None:
    """Whether the password is right or wrong."""
    (tmp_path / "app.pfx").write_bytes(keys.pfx(1, PASSWORD if opens else "another one", own=1))
    (tmp_path / "password").write_text(PASSWORD)
    files = f"file:{tmp_path}/app.pfx", f"file:{tmp_path}/password"
    with (
        ScriptedServer().running() as exchange,
        ScriptedServer().running() as relay,
        lab(tmp_path, exchange, relay, credential=CredentialRef("certificate", *files)) as show,
    ):
        show.microsoft.token_script = [
            Reply({"error": "x", "error_description": "AADSTS700027: No."}, 401)
        ]
        show.run()
        kept = show.kept()
    assert ("AADSTS700027" if opens else "does not open the PFX file") in kept
    shown = kept + logged.getvalue() + b"".join(relay.bodies).decode()
    assert leaks(PASSWORD, shown) == []
    body = keys.key_pem().decode().splitlines()[1:-1]
    assert not [line for line in body if line in shown]
