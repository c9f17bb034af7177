"""Key Vault references, read from a vault over TLS that asks for a token first."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.clouds import PRESETS
from monitor.config import load
from monitor.entra.keyvault import KeyVault
from monitor.errors import SecretError
from monitor.model import Cloud, CredentialRef
from monitor.wiring import App
from tests import keys
from tests.integration.entra_room import Room
from tests.integration.graph_server import GraphServer, Reply
from tests.integration.vault_server import BEARER, Answer, VaultServer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PLANTED = "planted-Secret~value"
IDENTITY = "0d0d0000-0000-4000-8000-000000000001"
Open = Callable[..., KeyVault]


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphServer]:
    """Gives this machine's identity its tokens; made once, as its keys take long."""
    with GraphServer(tmp_path_factory.mktemp("microsoft")) as server:
        yield server


@pytest.fixture
def vault(microsoft: GraphServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultServer]:
    """A vault, and a machine that has an identity."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    expires = str(int((datetime.now(UTC) + timedelta(hours=1)).timestamp()))
    answer = {"access_token": BEARER, "expires_on": expires, "resource": "x"}
    microsoft.script["/identity"] = [Reply(answer)]
    microsoft.seen.clear()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{microsoft.graph}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    with VaultServer(microsoft.ca_file.parent) as server:
        server.secrets = {"contoso": PLANTED, "contoso/0123": "an older one"}
        yield server


@pytest.fixture
def cloud(microsoft: GraphServer, vault: VaultServer) -> Cloud:
    """A cloud with that vault."""
    return replace(Room.on(microsoft).cloud, keyvault=vault.url)


@pytest.fixture
def opened(cloud: Cloud) -> Iterator[Open]:
    """Opens the door to the vault."""
    doors: list[KeyVault] = []

    def open_(identity: str | None = IDENTITY, read_s: float = 5, **changes: str) -> KeyVault:
        changed = replace(cloud, **changes)  # type: ignore[arg-type]
        doors.append(KeyVault(changed, managed_identity=identity, connect_s=2, read_s=read_s))
        return doors[-1]

    yield open_
    for door in doors:
        door.close()


def refusal(door: KeyVault, name: str) -> SecretError:
    """The error of a read."""
    with pytest.raises(SecretError) as raised:
        door.read(name)
    told = f"{raised.value} {raised.value.evidence} {raised.value.__cause__}"
    assert BEARER not in told
    assert PLANTED not in told
    return raised.value


@pytest.mark.parametrize("identity", [IDENTITY, None], ids=["named", "the machine's own"])
def test_a_secret_is_read_once_the_vault_has_asked_for_a_token(
    identity: str | None, opened: Open, vault: VaultServer, microsoft: GraphServer
) -> None:
    """No token goes out unasked; it is for the resource that the challenge names."""
    door = opened(identity)
    assert door.read("msp/contoso") == PLANTED
    assert vault.seen == [("contoso", None), ("contoso", BEARER)]
    (asked,) = microsoft.asked("/identity")
    assert asked.query["resource"] == "https://vault.azure.net"
    assert asked.query.get("client_id") == identity
    assert door.read("msp/contoso/0123") == "an older one"
    assert len(microsoft.asked("/identity")) == 1


@pytest.mark.parametrize(
    ("answer", "said", "permanent", "cause"),
    [
        (None, "keyvault:msp/x is not there.", True, "secret_missing"),
        (Answer(403, "Forbidden", "SecretDisabled"), "disabled or outside", True, "secret_missing"),
        (Answer(403, "Forbidden", "ForbiddenByRbac"), "not be read (ForbiddenByRbac)", True,
         "secret_missing"),
        (Answer(403, "Forbidden", "ForbiddenByFirewall"), "not be read (ForbiddenByF", True,
         "secret_missing"),
        (Answer(401, "Unauthorized"), "did not take this machine's token", True, "secret_missing"),
        (Answer(429, "Throttled"), "answered 429", False, "throttled"),
        (Answer(503, "Busy"), "answered 503", False, "transient"),
        (Answer(500, body=b"<html>"), "answered 500", False, "transient"),
        (Answer(200, body=b"<html>"), "sent no readable answer", False, "transient"),
        (Answer(400, "BadParameter", message=PLANTED), "answered 400 (BadParameter)", True,
         "secret_missing"),
    ],
)  # fmt: skip
def test_each_refusal_has_its_own_words(
    answer: Answer | None, said: str, permanent: bool, cause: str,
    opened: Open, vault: VaultServer,
) -> None:  # fmt: skip
    """And a next step; what may pass by itself is tried again."""
    if answer is not None:
        vault.answers["x"] = answer
    found = refusal(opened(), "msp/x")
    assert said in found.message
    assert found.remedy
    assert (found.permanent, found.cause) == (permanent, cause)


def test_a_vault_that_cannot_be_reached_is_not_waited_for_again_and_again(
    opened: Open, vault: VaultServer
) -> None:
    """A thousand tenants whose secrets are in one vault cost one deadline."""
    door = opened(read_s=0.3)
    found = refusal(door, "msp/hang")
    assert (found.permanent, found.cause) == (False, "reply_timeout")
    assert "could not be reached" in found.message
    asked = len(vault.seen)
    assert refusal(door, "msp/contoso").message == found.message
    assert len(vault.seen) == asked
    closed = opened(keyvault="https://127.0.0.1:1")
    assert refusal(closed, "msp/contoso").cause == "connect_refused"
    nowhere = opened(keyvault="https://{vault}.nowhere.invalid")
    assert refusal(nowhere, "msp/contoso").cause == "name_not_found"
    assert "msp.nowhere.invalid" in refusal(nowhere, "msp/contoso").message


def test_a_false_vault_is_not_spoken_to(opened: Open, microsoft: GraphServer) -> None:
    """Its certificate is of another authority, and no token leaves the machine."""
    door = opened(ca_file=str(microsoft.ca_file.parent / "other.pem"))
    found = refusal(door, "msp/contoso")
    assert (found.permanent, found.cause) == (True, "tls_untrusted")
    assert microsoft.asked("/identity") == []


@pytest.mark.parametrize("ours", [True, False])
def test_a_token_is_only_for_the_vaults_own_domain(
    ours: bool, tmp_path: Path, microsoft: GraphServer, vault: VaultServer, cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A challenge that asks for one for elsewhere is refused before the token is asked for."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    # Not a loopback address, where no domain is asked for, and yet this machine's own.
    (tmp_path / "server.pem").write_bytes(keys.key_pem() + keys.server_pem("0.0.0.0"))
    with VaultServer(tmp_path, {"contoso": PLANTED}) as other:
        port = other.url.rpartition(":")[2]
        other.resource = f"https://0.0.0:{port}" if ours else "https://vault.elsewhere.example"
        changed = replace(
            cloud, keyvault=f"https://0.0.0.0:{port}", ca_file=str(tmp_path / "server.pem")
        )
        with closing(KeyVault(changed, managed_identity=IDENTITY, connect_s=2, read_s=5)) as door:
            if ours:
                assert door.read("msp/contoso") == PLANTED
                return
            assert "did not answer as a Key Vault" in refusal(door, "msp/contoso").message
    assert microsoft.asked("/identity") == []
    assert [token for _, token in other.seen] == [None]


def test_a_machine_without_an_identity_is_told_what_it_needs(
    opened: Open, microsoft: GraphServer
) -> None:
    """The words of the machine's endpoint are shown, a token in them is not."""
    microsoft.script["/identity"] = [Reply({"message": "No identity", "value": BEARER}, 400)]
    found = refusal(opened(), "msp/contoso")
    assert found.cause == "managed_identity_missing"
    assert "managed_identity under [vault]" in found.remedy


def test_without_the_extra_the_package_to_install_is_told(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the product works without it."""
    monkeypatch.setitem(sys.modules, "azure.keyvault.secrets", None)
    found = refusal(opened(), "msp/contoso")
    assert 'pip install "lapsewatch[keyvault]"' in found.remedy


def test_each_cloud_has_its_own_vaults() -> None:
    """As documented; [clouds.NAME] can name others."""
    found = {name: cloud.keyvault.replace("{vault}", "msp") for name, cloud in PRESETS.items()}
    assert found == {
        "global": "https://msp.vault.azure.net", "gcc-high": "https://msp.vault.usgovcloudapi.net",
        "dod": "https://msp.vault.usgovcloudapi.net", "china": "https://msp.vault.azure.cn",
    }  # fmt: skip


def test_a_secret_and_a_certificate_are_used_from_the_settings_on(
    tmp_path: Path, vault: VaultServer, microsoft: GraphServer
) -> None:
    """A certificate of the vault comes as a PFX in base64."""
    vault.secrets["app"] = base64.b64encode(keys.pfx(1, own=1)).decode()
    (tmp_path / "lapsewatch.toml").write_text(
        f'[vault]\ncloud = "lab"\nmanaged_identity = "{IDENTITY}"\n'
        f'[clouds.lab]\nauthority = "{microsoft.authority}"\ngraph = "{microsoft.graph}"\n'
        f'keyvault = "{vault.url}"\nca_file = "{microsoft.ca_file}"\n'
    )
    with App(load(tmp_path / "lapsewatch.toml")) as app:
        secret = app.credential(CredentialRef("secret", "keyvault:msp/contoso"))
        assert secret.secret == PLANTED
        pair = app.credential(CredentialRef("certificate", "keyvault:msp/app"))
        assert pair.ends == keys.ENDS
