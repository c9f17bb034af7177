"""Certificate files: recognised by what they hold, and each mistake has its own words."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import timedelta

import pytest

from monitor.errors import SecretError
from monitor.keypairs import read_key_pair
from tests import keys

PLANTED = "planted-Passw0rd"
SECOND = timedelta(seconds=1)
PAIR = keys.key_pem() + keys.cert_pem()
GOOD = [
    (PAIR, None),
    (keys.cert_pem() + keys.key_pem(), None),
    (PAIR, PLANTED),  # a password without need
    (keys.key_pem(1, PLANTED) + keys.cert_pem(), PLANTED),
    (keys.cert_pem(2) + keys.cert_pem() + keys.key_pem(), None),  # a chain, the issuer first
    (b"\xef\xbb\xbfBag Attributes\r\n" + PAIR.replace(b"\n", b"\r\n"), None),
    (keys.pfx(1, own=1), None),
    (keys.pfx(1, own=1), PLANTED),
    (keys.pfx(1, PLANTED, own=1), PLANTED),
    (keys.pfx(1, PLANTED, own=1, chain=(2,)), PLANTED),
    (keys.pfx(1, chain=(2, 1)), None),
    (base64.encodebytes(keys.pfx(1, own=1)), None),  # as Key Vault keeps it
]
BAD = [
    (keys.pfx(1, PLANTED, own=1), None, "is protected by a password"),
    (keys.pfx(1, PLANTED, own=1), "wrong-one", "password does not open the PFX"),
    (keys.pfx(1, PLANTED, own=1)[:-200], PLANTED, "is damaged"),
    (keys.key_pem(1, PLANTED) + keys.cert_pem(), None, "is encrypted"),
    (keys.key_pem(1, PLANTED) + keys.cert_pem(), "wrong-one", "is not opened by the password"),
    (PAIR.replace(b"\nM", b"\n!", 1), None, "cannot be read"),
    (keys.key_pem() + b"-----BEGIN CERTIFICATE-----\nx\n", None, "certificate in the PEM file"),
    (keys.cert_pem(), None, "holds no private key"),
    (keys.key_pem(), None, "holds no certificate"),
    (keys.pfx(1, chain=()), None, "holds no certificate"),
    (keys.pfx(None, own=1), None, "holds no private key"),
    (keys.cert_der(), None, "a certificate without its private key"),
    (keys.key_pem() + keys.cert_pem(2), None, "does not belong to the private key"),
    (keys.pfx(1, chain=(2,)), None, "does not belong to the private key"),
    (keys.elliptic_pem() + keys.cert_pem(), None, "not an RSA key"),
    (b"", None, "neither a PEM nor a PFX"),
    (b"\x30", None, "is damaged"),
    (PLANTED.encode(), None, "neither a PEM nor a PFX"),
    (b"\xff\x00" * 50, None, "neither a PEM nor a PFX"),
]


def secret(password: str | None) -> bytes | None:
    """The password as the reader takes it."""
    return password.encode() if password else None


@pytest.mark.parametrize(("data", "password"), GOOD, ids=range(len(GOOD)))
def test_a_pair_is_found_whatever_its_file_is_called(data: bytes, password: str | None) -> None:
    """PEM or PFX, with a chain, a password or neither: one key and its own certificate."""
    found = read_key_pair(data, secret(password))
    assert (
        found.thumbprints[1] == keys.certificate().fingerprint(keys.hashes.SHA256()).hex().upper()
    )
    assert (found.starts, found.ends) == (keys.STARTS, keys.ENDS)
    assert found.pem.count(b"-----BEGIN") == 2
    assert read_key_pair(found.pem) == found


@pytest.mark.parametrize(("data", "password", "said"), BAD, ids=range(len(BAD)))
def test_each_mistake_has_its_own_words(data: bytes, password: str | None, said: str) -> None:
    """And a next step; neither the password nor the key is repeated."""
    with pytest.raises(SecretError) as raised:
        read_key_pair(data, secret(password))
    assert said in raised.value.message
    assert raised.value.remedy
    told = f"{raised.value}{raised.value.__cause__}"
    assert PLANTED not in told
    assert "wrong-one" not in told


@pytest.mark.parametrize("data", [keys.pfx(1, PLANTED, own=1), PAIR], ids=["pfx", "pem"])
def test_no_cut_and_no_flipped_byte_is_a_crash(data: bytes) -> None:
    """Whatever is left of a file, the answer is a pair or an error of ours."""
    step = max(1, len(data) // 60)
    for at in range(0, len(data), step):
        for broken in (data[:at], data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]):
            with suppress(SecretError):
                assert read_key_pair(broken, PLANTED.encode()).thumbprints


def test_a_certificate_outside_its_dates_is_doubted() -> None:
    """To the second: it holds until its end, and not before its start."""
    pair = read_key_pair(PAIR)
    assert pair.doubt(keys.STARTS) is None
    assert pair.doubt(keys.ENDS - SECOND) is None
    assert "expired on 2027-01-01 00:00 UTC" in (pair.doubt(keys.ENDS) or "")
    assert "not valid before 2026-01-01 00:00 UTC" in (pair.doubt(keys.STARTS - SECOND) or "")


def test_a_pair_does_not_print_its_key() -> None:
    """Only the thumbprint, which Entra shows, too."""
    pair = read_key_pair(PAIR)
    assert "PRIVATE" not in f"{pair!r}{pair}"
    assert pair.thumbprints[0] in repr(pair)
