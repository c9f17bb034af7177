"""Keys and certificates for tests, each made once: an RSA key takes longer than a test."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

STARTS = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = STARTS + timedelta(days=365)


@cache
def key(number: int) -> rsa.RSAPrivateKey:
    """An RSA key; the same number gives the same key."""
    del number
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _certificate(number: int) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key(number).public_key())
        .serial_number(number)
        .not_valid_before(STARTS)
        .not_valid_after(ENDS)
        .sign(key(number), hashes.SHA256())
    )


def certificate(number: int = 1) -> x509.Certificate:
    """The certificate of the key with that number, valid from STARTS to ENDS."""
    return _certificate(number)


def server_pem(address: str) -> bytes:
    """A certificate of the first key for a server at this address, which vouches for itself."""
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key(1).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False
        )
        .sign(key(1), hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def key_pem(number: int = 1, password: str | None = None) -> bytes:
    """A private key as PEM."""
    return key(number).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _closed(password))


def elliptic_pem() -> bytes:
    """A private key that is not RSA."""
    made = ec.generate_private_key(ec.SECP256R1())
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def cert_pem(number: int = 1) -> bytes:
    """A certificate as PEM."""
    return certificate(number).public_bytes(Encoding.PEM)


def cert_der(number: int = 1) -> bytes:
    """A certificate as DER."""
    return certificate(number).public_bytes(Encoding.DER)


def public_pem(number: int = 1) -> bytes:
    """A public key as PEM."""
    return (
        key(number)
        .public_key()
        .public_bytes(Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def pfx(
    number: int | None = 1,
    password: str | None = None,
    *,
    own: int | None = None,
    chain: tuple[int, ...] = (),
) -> bytes:
    """A PFX file.

    Args:
        number: of the key; None for none.
        password: that opens it.
        own: the certificate beside the key.
        chain: further certificates.
    """
    return pkcs12.serialize_key_and_certificates(
        b"app",
        key(number) if number is not None else None,
        certificate(own) if own is not None else None,
        [certificate(one) for one in chain],
        _closed(password),
    )


def _closed(password: str | None) -> serialization.KeySerializationEncryption:
    return BestAvailableEncryption(password.encode()) if password else NoEncryption()
