"""Every form of credential signs in to Graph and to SMTP, from a file as people write it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from monitor.errors import SecretError
from monitor.model import CanaryResult, CredentialRef
from monitor.roster import read
from monitor.sandbox.world import App as WorldApp
from monitor.sandbox.world import Certificate, FederatedCredential
from monitor.sandbox.world import Tenant as WorldTenant
from tests import keys
from tests.integration.stage import SIX, Stage, stage, story

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PLANTED = "planted-Passw0rd"
ISSUER = "https://oidc.cluster.example/"
SUBJECT = "system:serviceaccount:watch:lapsewatch"
AUDIENCE = "api://AzureADTokenExchange"


def apps(tenant: WorldTenant) -> list[WorldApp]:
    """The apps that Lapsewatch signs in as: the one that reads, the one that sends."""
    assert tenant.monitor is not None
    assert tenant.sender is not None
    ids = {tenant.monitor.client_id, tenant.sender.sign_in.client_id}
    return [app for app in tenant.apps if app.app_id in ids]


@pytest.fixture
def show(tmp_path: Path) -> Iterator[Stage]:
    """A tenant whose apps trust our certificate and our cluster."""
    tenant = story("contoso", SIX)
    for app in apps(tenant):
        ours = keys.certificate()
        app.certificates.append(
            Certificate("ours", ours.fingerprint(keys.hashes.SHA1()).hex().upper(), "CN=app",
                        keys.STARTS, keys.ENDS, der=keys.cert_der())
        )  # fmt: skip
        app.federated.append(
            FederatedCredential("1", "cluster", ISSUER, SUBJECT, issuer_key_pem=keys.public_pem())
        )
    with stage(tmp_path, tenant) as running:
        yield running


def sign_in_with(show: Stage, folder: Path, credential: str) -> None:
    """Import the tenant once more, its reader and its sender with this credential."""
    text = (folder / "tenants.toml").read_text()
    lines = [
        f"credential = {credential}" if line.startswith("credential") else line
        for line in text.splitlines()
    ]
    (folder / "ours.toml").write_text("\n".join(lines))
    found = read(folder / "ours.toml", show.configuration)
    assert found.errors == ()
    for tenant in found.tenants:
        show.app.store.put_tenant(tenant, now=show.clock.now())


def outcome(show: Stage) -> tuple[str | None, CanaryResult]:
    """The cause of the scan, if it failed, and the result of the canary."""
    from jobs.send_canaries import send_canaries

    (probe,) = send_canaries(show.app, only="contoso")
    return show.scan(due_only=False)["contoso"].cause, probe.result


def assertion(number: int = 1, **claims: object) -> str:
    """A workload's token, signed by its cluster."""
    body = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": SIX.timestamp(),
            "exp": (SIX + timedelta(hours=1)).timestamp(), **claims}  # fmt: skip
    return jwt.encode(body, keys.key(number), "RS256", headers={"kid": "1"})


@pytest.mark.parametrize("name", ["app.pfx", "app.pem"])
def test_a_certificate_with_a_password_signs_in_to_both(
    name: str, show: Stage, tmp_path: Path
) -> None:
    """The password is named beside it; whether it is PEM or PFX, its bytes say."""
    made = {
        "app.pfx": keys.pfx(1, PLANTED, own=1, chain=(2,)),
        "app.pem": keys.key_pem(1, PLANTED) + keys.cert_pem(),
    }
    (tmp_path / name).write_bytes(made[name])
    (tmp_path / "password").write_text(f"{PLANTED}\n")
    sign_in_with(show, tmp_path, f'{{ certificate = "file:{name}", password = "file:password" }}')
    assert outcome(show) == (None, CanaryResult.OK)


def test_a_wrong_password_says_which_file_it_does_not_open(show: Stage, tmp_path: Path) -> None:
    """In the scan's record and in the canary's evidence, without the password."""
    (tmp_path / "app.pfx").write_bytes(keys.pfx(1, "another", own=1))
    (tmp_path / "password").write_text(PLANTED)
    sign_in_with(show, tmp_path, '{ certificate = "file:app.pfx", password = "file:password" }')
    assert outcome(show) == ("secret_missing", CanaryResult.FAILED)
    health = show.app.store.health()["contoso"]
    assert "app.pfx: The password does not open the PFX file" in (health.problem or "")
    assert PLANTED not in repr(health) + repr(show.app.report())


def test_a_workload_identity_signs_in_to_both(show: Stage, tmp_path: Path) -> None:
    """Its token file is the assertion, and it is read anew for each token."""
    token = tmp_path / "azure-identity-token"
    sign_in_with(show, tmp_path, '{ federated = "file:azure-identity-token" }')
    assert outcome(show) == ("secret_missing", CanaryResult.FAILED)
    token.write_text(assertion())
    assert outcome(show) == (None, CanaryResult.OK)
    token.write_text(assertion(sub="system:serviceaccount:other:other"))
    assert outcome(show) == ("fic_subject_mismatch", CanaryResult.FAILED)
    token.write_text(assertion(iss="https://other.example/"))
    assert outcome(show)[0] == "fic_issuer_mismatch"
    token.write_text(assertion(number=2))
    assert outcome(show)[0] is not None
    token.write_text(assertion() + "\n")
    assert outcome(show) == (None, CanaryResult.OK)


def test_a_certificate_that_is_over_is_told_at_the_import(show: Stage, tmp_path: Path) -> None:
    """And every other mistake in a file that is at hand; what is not there yet is not."""
    (tmp_path / "app.pem").write_bytes(keys.key_pem() + keys.cert_pem())
    (tmp_path / "half.pem").write_bytes(keys.key_pem())
    doubts = show.app.credentials.doubts
    good = CredentialRef("certificate", f"file:{tmp_path}/app.pem")
    assert doubts(good, SIX) == []
    (told,) = doubts(good, keys.ENDS)
    assert "app.pem: the certificate expired on 2027-01-01" in told
    (told,) = doubts(CredentialRef("certificate", f"file:{tmp_path}/half.pem"), SIX)
    assert "half.pem: The file holds no certificate. Put" in told
    missing = CredentialRef("certificate", good.reference, "env:LAPSEWATCH_TEST_NOT_SET")
    (told,) = doubts(missing, SIX)
    assert "LAPSEWATCH_TEST_NOT_SET is not set" in told
    assert doubts(CredentialRef("certificate", f"file:{tmp_path}/later.pem"), SIX) == []
    with pytest.raises(SecretError, match=r"half\.pem: The file holds no certificate"):
        show.app.credential(CredentialRef("certificate", f"file:{tmp_path}/half.pem"))
