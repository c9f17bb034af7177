"""What Lapsewatch signs in with anywhere: all tenants, senders, shared apps and the operator."""

from __future__ import annotations

import base64
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from monitor.config import load
from monitor.entra.secrets import ResolvedCredential
from monitor.errors import SecretError
from monitor.lifecycle import OwnCredential
from monitor.model import CredentialRef, Relay, Sender, SharedApp, Tenant
from monitor.vault import Vault
from monitor.wiring import App
from tests.integration.graph_server import make_certificates

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)
OPERATOR_APP = "aaaa0000-0000-4000-8000-00000000000a"
SETTINGS = f"""
[database]
url = "sqlite:///lapsewatch.db"
[operator]
recipients = ["noc@msp.example"]
[operator.sender]
mailbox = "noc@msp.example"
client_id = "{OPERATOR_APP}"
credential = {{ secret = "file:operator" }}
"""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """The wired product with an empty database, and an operator that sends."""
    (tmp_path / "lapsewatch.toml").write_text(SETTINGS)
    (tmp_path / "operator").write_text("opr-secret")
    with App(load(tmp_path / "lapsewatch.toml")) as wired:
        wired.make_database()
        yield wired


def tenant(name: str, credential: CredentialRef, **changes: object) -> Tenant:
    """A tenant with an app of its own."""
    plain: dict[str, object] = {
        "name": name, "directory_id": f"directory-{name}", "cloud": "global",
        "client_id": f"app-{name}", "credential": credential,
    }  # fmt: skip
    return Tenant(**(plain | changes))  # type: ignore[arg-type]


def kept(folder: Path, name: str, value: str) -> CredentialRef:
    """A secret in a file."""
    (folder / name).write_text(value)
    return CredentialRef("secret", f"file:{folder / name}")


def own(app: App) -> set[tuple[str, str | None]]:
    """Whose and with which hint."""
    return {(one.client_id, one.hint) for one in app.own_credentials()}


def test_every_way_to_sign_in_is_known_in_every_tenant(app: App, tmp_path: Path) -> None:
    """Paused tenants and clouds that nobody knows included; a relay's password is none."""
    one, two = kept(tmp_path, "one", "one-secret"), kept(tmp_path, "two", "two-secret")
    mail, shared = kept(tmp_path, "mail", "mai-secret"), kept(tmp_path, "shared", "sha-secret")
    relay = Relay("mx.example", 587, user="u", credential=kept(tmp_path, "relay", "rel-secret"))
    sender = Sender("a@b.example", client_id="APP-MAIL", credential=mail)
    app.store.put_tenant(tenant("one", one, sender=sender), now=NOW)
    gone = tenant("two", two, cloud="gone", paused=True, sender=Sender("c@d.example"))
    app.store.put_tenant(gone, now=NOW)
    by_relay = tenant(
        "three",
        two,
        client_id="app-two",
        sender=Sender("e@f.example", client_id="app-unused", credential=mail, relay=relay),
    )
    app.store.put_tenant(by_relay, now=NOW)
    app.store.put_shared_app(SharedApp("msp", "app-msp", shared), now=NOW)
    assert own(app) == {
        ("app-one", "one"), ("app-two", "two"), ("app-mail", "mai"), ("app-msp", "sha"),
        (OPERATOR_APP, "opr"),
    }  # fmt: skip


def test_a_managed_identity_marks_nothing(app: App) -> None:
    """It has no value, so the app's secrets are somebody else's."""
    app.store.put_tenant(tenant("one", CredentialRef("managed_identity", "x")), now=NOW)
    assert own(app) == {(OPERATOR_APP, "opr")}


def test_what_cannot_be_read_keeps_its_form(app: App, tmp_path: Path) -> None:
    """A certificate that is gone is still a certificate, and no reason to stop."""
    gone = CredentialRef("certificate", f"file:{tmp_path}/gone.pem")
    app.store.put_tenant(tenant("one", gone), now=NOW)
    broken = kept(tmp_path, "broken.pem", "this is no PEM file")
    app.store.put_tenant(tenant("two", CredentialRef("certificate", broken.reference)), now=NOW)
    app.store.put_tenant(tenant("three", CredentialRef("secret", "env:NOT_SET_AT_ALL")), now=NOW)
    found = {one.client_id: one for one in app.own_credentials()}
    assert found["app-one"] == OwnCredential("app-one", form="certificate")
    assert found["app-two"] == OwnCredential("app-two", form="certificate")
    assert found["app-three"] == OwnCredential("app-three", form="secret")


def test_a_certificate_is_known_by_its_thumbprints(app: App, tmp_path: Path) -> None:
    """SHA-1 and SHA-256, as Graph may show either."""
    make_certificates(tmp_path)
    pair = ResolvedCredential.from_certificate((tmp_path / "app.pem").read_bytes())
    reference = CredentialRef("certificate", f"file:{tmp_path}/app.pem")
    app.store.put_tenant(tenant("one", reference), now=NOW)
    found = {one.client_id: one for one in app.own_credentials()}["app-one"]
    assert found == OwnCredential("app-one", None, frozenset(pair.thumbprints), "certificate")


class CountingEnvironment(dict[str, str]):
    """An environment that counts who looks."""

    def __init__(self, *names: str) -> None:
        super().__init__({name: f"{name}-secret" for name in names})
        self.looks: Counter[str] = Counter()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """The value, counted."""
        self.looks[name] += 1
        return super().get(name, default)


def test_each_value_is_read_once(app: App) -> None:
    """However many tenants share an app, and however many apps a value."""
    environment = CountingEnvironment("SHARED")
    app.vault = Vault(environment)
    shared = CredentialRef("secret", "env:SHARED")
    for number in range(20):
        client = "app-msp" if number else "app-other"
        entry = tenant(f"t{number}", shared, client_id=client, sender=Sender("a@b.example"))
        app.store.put_tenant(entry, now=NOW)
    app.store.put_shared_app(SharedApp("msp", "app-msp", shared), now=NOW)
    assert own(app) >= {("app-msp", "SHA"), ("app-other", "SHA")}
    assert len(app.own_credentials()) == 3
    assert environment.looks["SHARED"] == 2  # once a call


def key_on_a_curve_that_nobody_supports() -> bytes:
    """A private key whose curve (secp224k1) the cryptography library does not know."""
    key = ec.generate_private_key(ec.SECP256K1())
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).replace(bytes.fromhex("2b8104000a"), bytes.fromhex("2b81040020"))
    body = base64.encodebytes(der)
    return b"-----BEGIN PRIVATE KEY-----\n" + body + b"-----END PRIVATE KEY-----\n"


def test_a_key_of_an_unknown_kind_is_an_ordinary_missing_secret(app: App, tmp_path: Path) -> None:
    """Only its tenant cannot be read; the others are."""
    pem = key_on_a_curve_that_nobody_supports()
    with pytest.raises(UnsupportedAlgorithm):
        serialization.load_pem_private_key(pem, None)
    with pytest.raises(SecretError, match="cannot be read"):
        ResolvedCredential.from_certificate(pem)
    (tmp_path / "odd.pem").write_bytes(pem)
    odd = CredentialRef("certificate", f"file:{tmp_path}/odd.pem")
    app.store.put_tenant(tenant("odd", odd), now=NOW)
    found = {one.client_id: one for one in app.own_credentials()}
    assert found["app-odd"] == OwnCredential("app-odd", form="certificate")
    assert found[OPERATOR_APP].hint == "opr"


def broken_vault(name: str) -> str:
    """A Key Vault that fails in a way that nobody foresaw."""
    raise RuntimeError(f"no {name}: opr-secret")


def test_an_unforeseen_failure_of_one_value_does_not_stop_the_others(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is logged, without the words of the failure."""
    app.vault = Vault(None, broken_vault)
    app.store.put_tenant(tenant("one", CredentialRef("secret", "keyvault:v/n")), now=NOW)
    assert own(app) == {("app-one", None), (OPERATOR_APP, "opr")}
    said = "".join(capsys.readouterr())
    assert "own_credential_unreadable" in said
    assert "RuntimeError" in said
    assert "opr-secret" not in said


def test_a_named_pipe_in_place_of_a_secret_is_not_waited_for(app: App, tmp_path: Path) -> None:
    """Or the scans of all tenants would stand still."""
    os.mkfifo(tmp_path / "pipe")
    pipe = CredentialRef("secret", f"file:{tmp_path}/pipe")
    app.store.put_tenant(tenant("one", pipe), now=NOW)
    assert own(app) == {("app-one", None), (OPERATOR_APP, "opr")}
