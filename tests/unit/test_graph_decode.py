"""Objects and their credentials, read from the bytes of a page that Graph wrote."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.entra.decode import Report, decode_application, decode_service_principal, read_page
from monitor.errors import GraphError
from monitor.model import Kind
from tests.unit.graph_samples import (
    EMPTY,
    SHA1,
    SHA256,
    application,
    encoded,
    key,
    principal,
    secret,
)


def test_a_saml_signing_certificate_counts_once() -> None:
    """Sign key, Verify key and password are one; the end is the certificate's."""
    thumb = encoded(SHA256)
    found, report = principal(
        preferredSingleSignOnMode="saml",
        keyCredentials=[
            key(2, customKeyIdentifier=thumb),
            key(
                1, "Sign", customKeyIdentifier=thumb, type="X509CertAndPassword",
                endDateTime="2026-04-22T22:10:13Z",
            ),
        ],
        passwordCredentials=[secret(customKeyIdentifier=thumb, endDateTime="2026-12-01T00:00:00Z")],
    )  # fmt: skip
    (only,) = found.credentials
    assert (only.kind, only.slot) == (Kind.SAML_SIGNING, key(1)["keyId"])
    assert only.end == datetime(2026, 4, 22, 22, 10, 13, tzinfo=UTC)
    assert only.thumbprint == SHA256.hex().upper()
    assert only.active is None
    assert report.malformed == 0


def test_the_password_of_a_sign_key_is_known_by_the_key_id_too() -> None:
    """Whatever its identifier says."""
    found, _ = principal(
        keyCredentials=[key(1, "Sign")], passwordCredentials=[secret(keyId=key(1)["keyId"])]
    )
    assert [each.kind for each in found.credentials] == [Kind.SAML_SIGNING]


@pytest.mark.parametrize(
    ("preferred", "active"),
    [(SHA1.hex(), True), (SHA1.hex().upper(), True), ("AB" * 20, False), (None, None), ("", None)],
)
def test_the_active_signing_certificate_is_the_preferred_one(
    preferred: str | None, active: bool | None
) -> None:
    """In any case of letters; without a preferred one it is unknown which is active."""
    found, _ = principal(
        preferredTokenSigningKeyThumbprint=preferred, keyCredentials=[key(1, "Sign"), key(2)]
    )
    assert [(each.kind, each.active) for each in found.credentials] == [(Kind.SAML_SIGNING, active)]


def test_the_preferred_verify_key_of_a_saml_app_signs() -> None:
    """Even where its Sign key is not listed; other Verify keys are certificates."""
    found, _ = principal(
        preferredSingleSignOnMode="saml",
        preferredTokenSigningKeyThumbprint=SHA1.hex().upper(),
        keyCredentials=[key(1), key(2, customKeyIdentifier=encoded(b"\x07" * 20))],
    )
    assert [(each.kind, each.active) for each in found.credentials] == [
        (Kind.SAML_SIGNING, True),
        (Kind.CERTIFICATE, None),
    ]


def test_a_pair_on_an_application_counts_once_in_whatever_form_its_halves_are_written() -> None:
    """The Verify key stands for both."""
    found, _ = application(
        keyCredentials=[key(1, customKeyIdentifier=SHA1.hex()), key(2, "Sign"), key(3, "Encrypt")]
    )
    assert [(each.kind, each.key_id) for each in found.credentials] == [
        (Kind.CERTIFICATE, key(1)["keyId"]),
        (Kind.TOKEN_ENCRYPTION, key(3)["keyId"]),
    ]


def test_kinds_of_keys() -> None:
    """The key that encrypts tokens, symmetric keys, and certificates for the rest."""
    found, _ = application(
        tokenEncryptionKeyId=key(1)["keyId"].upper(),
        keyCredentials=[
            key(1), key(2, type="Symmetric"), key(3, "Sign", customKeyIdentifier=None),
            key(4, type="Novel", usage="Novel", customKeyIdentifier=None),
        ],
        passwordCredentials=[secret()],
    )  # fmt: skip
    assert [each.kind for each in found.credentials] == [
        Kind.SECRET, Kind.TOKEN_ENCRYPTION, Kind.SYMMETRIC_KEY, Kind.CERTIFICATE, Kind.CERTIFICATE,
    ]  # fmt: skip


def test_secrets_without_a_key_id_are_told_apart_and_recognised_again() -> None:
    """Two equal ones count as two, and the order in which they come does not matter."""
    entries = [secret(keyId=None), secret(keyId=None), secret(2, keyId=None)]
    first, _ = application(passwordCredentials=entries)
    again, _ = application(passwordCredentials=entries[::-1])
    slots = [each.slot for each in first.credentials]
    assert len(set(slots)) == 3
    assert {each.slot: each.name for each in again.credentials} == {
        each.slot: each.name for each in first.credentials
    }
    assert all(each.key_id is None for each in first.credentials)


def test_two_secrets_with_one_key_id_are_both_kept() -> None:
    """Neither may hide the other."""
    later = secret(endDateTime="2028-01-01T00:00:00Z")
    first, _ = application(passwordCredentials=[secret(), later])
    again, _ = application(passwordCredentials=[later, secret()])
    assert len({each.slot for each in first.credentials}) == 2
    assert {each.slot: each.end for each in first.credentials} == {
        each.slot: each.end for each in again.credentials
    }


def test_no_more_than_three_characters_of_a_secret_are_kept() -> None:
    """Whatever a server sends as hint."""
    found, _ = application(passwordCredentials=[secret(hint="abcdefgh", secretText="abcdefgh")])
    assert found.credentials[0].hint == "abc"
    assert "abcdefgh" not in repr(found)


@pytest.mark.parametrize(
    "entry",
    [
        secret(endDateTime="soon"), secret(startDateTime=12), secret(keyId=5), None, "text", [],
        secret(endDateTime={"a": 1}),
    ],
)  # fmt: skip
def test_an_unreadable_credential_is_named_and_the_others_are_kept(entry: object) -> None:
    """It counts as unreadable, so that the scan is not complete."""
    found, report = application(passwordCredentials=[entry, secret(2)])
    assert [each.key_id for each in found.credentials] == [secret(2)["keyId"]]
    assert report.malformed == 1
    assert "An app" in report.unreadable_notes[0]
    if isinstance(entry, dict) and isinstance(entry["keyId"], str):
        assert entry["keyId"] in report.unreadable_notes[0]


def test_credentials_that_are_not_a_list_are_unreadable() -> None:
    """They are not taken for none."""
    _, report = application(keyCredentials={"a": 1})
    assert report.malformed == 1


@pytest.mark.parametrize(
    "item", [b"3", b"null", b'"text"', b"[1]", b'{"displayName":"x"}', b'{"id":7}', b'{"id":""}']
)
def test_an_unreadable_object_is_reported_and_the_page_is_kept(item: bytes) -> None:
    """One bad object does not cost the others."""
    other = json.dumps({"id": "2", **EMPTY}).encode()
    body = b'{"value":[' + item + b"," + other + b"]}"
    report = Report()
    found = [decode_application(each, report) for each in read_page(body, "objects").value]
    assert [each.object_id if each else None for each in found] == [None, "2"]
    assert report.malformed == 1


def test_first_party_service_principals_are_kept_only_with_credentials() -> None:
    """All others are kept, whoever owns them."""
    home = "F8CDEF31-a31e-4b4a-93e4-5f571e91255a"
    empty = {"id": "1", "appOwnerOrganizationId": home, **EMPTY}
    report = Report()
    assert decode_service_principal(empty, report) is None
    assert decode_service_principal(empty | {"passwordCredentials": [secret()]}, report)
    assert decode_service_principal(empty | {"keyCredentials": [3]}, report)
    assert decode_service_principal(empty | {"appOwnerOrganizationId": None}, report)


def test_what_is_said_of_the_object_is_kept() -> None:
    """Managed identity, enabled or not, and the names it can have."""
    identity, _ = principal(servicePrincipalType="ManagedIdentity", accountEnabled=False)
    assert (identity.managed_identity, identity.enabled) == (True, False)
    nameless, _ = principal(displayName=None, appDisplayName=" ", appId="A")
    assert nameless.name == "A"
    assert application(disabledByMicrosoftStatus=None)[0].enabled is True
    off, _ = application(disabledByMicrosoftStatus="DisabledDueToViolationOfServicesAgreement")
    assert off.enabled is False


def test_federated_credentials_are_listed_and_odd_ones_only_noted() -> None:
    """They have no end, so that nothing can be missed."""
    good = {
        "id": "1", "name": "gh", "issuer": "https://i", "subject": "s",
        "audiences": ["api://AzureADTokenExchange"],
    }  # fmt: skip
    found, report = application(federatedIdentityCredentials=[good, None, {"name": "x"}])
    (only,) = found.federated
    assert (only.issuer, only.subject, only.audience) == (
        "https://i", "s", "api://AzureADTokenExchange",
    )  # fmt: skip
    assert report.malformed == 0
    assert len(report.notes) == 2


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"<!DOCTYPE html><html>", "html_instead_of_json"),
        (b"\xef\xbb\xbf <html>", "html_instead_of_json"),
        (b'{"value":[{"id":"1"}', "malformed_page"),
        (b"", "malformed_page"),
        (b"{}", "malformed_page"),
        (b'{"value":null}', "malformed_page"),
        (b'{"value":{"id":"1"}}', "malformed_page"),
        (b'[{"id":"1"}]', "malformed_page"),
        (b'{"value":"\\ud800"}', "malformed_page"),
        (b'{"value":' + b"[" * 100_000, "malformed_page"),
    ],
)
def test_what_is_not_a_page_is_an_error_with_its_cause(body: bytes, cause: str) -> None:
    """It is never taken for an empty one."""
    with pytest.raises(GraphError) as raised:
        read_page(body, "applications")
    assert raised.value.cause == cause


def test_a_page_with_a_byte_order_mark_or_broken_utf8_is_read() -> None:
    """Some proxies add or break bytes."""
    page = read_page(b'\xef\xbb\xbf{"value":[{"id":"1","displayName":"\xff\\ud800"}]}', "objects")
    found = decode_application(page.value[0], Report())
    assert found is not None
    assert found.name == "\ufffd\ufffd"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from([*secret(), *key(), "id", "appId", "displayName", "audiences"])
_ENTRY = st.dictionaries(_NAMES, _JSON) | _JSON
_OBJECT = st.fixed_dictionaries(
    {},
    optional={
        "id": _JSON,
        "displayName": _JSON,
        "appOwnerOrganizationId": _JSON,
        "servicePrincipalType": _JSON,
        "preferredTokenSigningKeyThumbprint": _JSON,
        "tokenEncryptionKeyId": _JSON,
        "passwordCredentials": st.lists(_ENTRY, max_size=3) | _JSON,
        "keyCredentials": st.lists(_ENTRY, max_size=3) | _JSON,
        "federatedIdentityCredentials": st.lists(_ENTRY, max_size=3) | _JSON,
    },
)


@given(_OBJECT | _JSON)
def test_no_json_crashes_the_decoder_or_loses_an_object_unsaid(item: Any) -> None:
    """Each object is read, left out by rule, or reported."""
    for decode in (decode_application, decode_service_principal):
        report = Report()
        found = decode(item, report)
        if found is None and decode is decode_application:
            assert report.malformed == 1
        if found is not None:
            slots = [(each.kind, each.slot) for each in found.credentials]
            assert len(set(slots)) == len(slots)
