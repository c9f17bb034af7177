"""How references are written, and that nothing else is taken or repeated."""

from __future__ import annotations

import pytest

from monitor.model import CredentialRef
from monitor.references import (
    credential,
    foreign_owner,
    keyvault_name,
    located,
    reference,
    sealed_name,
)

PLANTED = "Abc8Q~planted-secret-value"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("keyvault:msp/contoso", ("msp", "contoso", None)),
        ("keyvault://msp/contoso", ("msp", "contoso", None)),
        ("keyvault:msp-2/contoso-app/0123abcd", ("msp-2", "contoso-app", "0123abcd")),
    ],
)
def test_a_key_vault_reference_names_vault_and_secret(
    text: str, found: tuple[str, str, str | None]
) -> None:
    """And a version, where not the newest one is meant."""
    assert keyvault_name(reference(text).removeprefix("keyvault:")) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sealed:contoso/secret", ("contoso", "secret")),
        ("sealed:app:msp/secret", ("app:msp", "secret")),
        ("sealed:@operator/relay.password", ("@operator", "relay.password")),
    ],
)
def test_a_sealed_reference_names_owner_and_field(text: str, found: tuple[str, str]) -> None:
    """The owner is a tenant, an app or the operator."""
    assert sealed_name(reference(text).removeprefix("sealed:")) == found


@pytest.mark.parametrize(
    "text",
    [
        "keyvault:msp", "keyvault:msp/", "keyvault:msp/a/b/c", "keyvault:evil.example/x",
        "keyvault:msp/a?x=1", "keyvault:../x", "keyvault:msp/ä", "sealed:contoso", "sealed:/x",
        "sealed:contoso/Secret", "sealed:@other/x", "sealed:a/b/c", "sealed:app:/x",
        f"sealed:a/{'x' * 65}", f"keyvault:{PLANTED}", f"sealed:{PLANTED}", PLANTED,
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused_and_not_repeated(text: str) -> None:
    """A name cannot lead to another host, and a value that slipped in stays unsaid."""
    with pytest.raises(ValueError, match="must be") as raised:
        reference(text)
    assert PLANTED not in str(raised.value)


def test_a_password_stands_only_beside_a_certificate() -> None:
    """It opens the certificate's file; a client secret has none."""
    pfx = credential({"certificate": "file:a.pfx", "password": "env:P"})
    assert pfx == CredentialRef("certificate", "file:a.pfx", "env:P")
    for table in (
        {"secret": "env:S", "password": "env:P"},
        {"federated": "file:t", "password": "env:P"},
    ):
        with pytest.raises(ValueError, match="only beside a certificate"):
            credential(table)
    with pytest.raises(ValueError, match="must be a reference") as raised:
        credential({"certificate": "file:a.pfx", "password": PLANTED})
    assert PLANTED not in str(raised.value)


def test_files_of_a_credential_are_placed_and_other_references_stay() -> None:
    """Both the certificate's and the password's."""

    def place(name: str) -> str:
        return f"/etc/{name}"

    both = located(CredentialRef("certificate", "file:a.pfx", "file:p"), place)
    assert both == CredentialRef("certificate", "file:/etc/a.pfx", "file:/etc/p")
    other = CredentialRef("certificate", "keyvault:v/n", "env:P")
    assert located(other, place) == other


def test_a_tenant_may_not_name_another_tenants_sealed_value() -> None:
    """It would go with the other; an app's and the operator's are for all."""
    for name, owner in (("contoso", None), ("app:msp", None), ("@operator", None), ("ado", "ado")):
        held = CredentialRef("secret", f"sealed:{name}/secret")
        assert foreign_owner(held, "contoso") == owner
        by_password = CredentialRef("certificate", "file:a", f"sealed:{name}/pfx")
        assert foreign_owner(by_password, "contoso") == owner
    assert foreign_owner(None, "contoso") is None
