"""A certificate authority that lives as long as the tests, and what it signs."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class Authority:
    """Signs server certificates for 127.0.0.1 and localhost."""

    def __init__(self, folder: Path, common: str = "Test Authority") -> None:
        """Make the key and the root certificate; `ca_file` is what a client must trust."""
        now = datetime.now(UTC)
        self._folder, self._subject = folder, _name(common)
        self._key = ec.generate_private_key(ec.SECP256R1())
        root = (
            self._builder(self._subject, self._key.public_key(), now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / f"{common.lower().replace(' ', '-')}.pem"
        self.ca_file.write_bytes(root.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject, public_key, now) -> x509.CertificateBuilder:
        own = x509.SubjectKeyIdentifier.from_public_key(public_key)
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 3 * _DAY)
            .add_extension(own, critical=False)
            .add_extension(signer, critical=False)
        )

    def server_context(self, host: str = "127.0.0.1") -> ssl.SSLContext:
        """What a TLS server needs to be `host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = (
            [x509.IPAddress(ip_address(host)), x509.DNSName("localhost")]
            if host == "127.0.0.1"
            else [x509.DNSName(host)]
        )
        leaf = (
            self._builder(_name(host), key.public_key(), datetime.now(UTC))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / f"{leaf.serial_number:x}.pem"
        file.write_bytes(leaf.public_bytes(serialization.Encoding.PEM) + _pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate an app signs in with: its file, its public key and its SHA-1 thumbprint."""

    pem: bytes
    public_key: rsa.RSAPublicKey
    thumbprint: bytes


def client_certificate(days: int = 400) -> ClientCertificate:
    """A self-signed certificate with its RSA key."""
    key, now = rsa.generate_private_key(65537, 2048), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name("app"))
        .issuer_name(_name("app"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + _pem(key)
    return ClientCertificate(pem, key.public_key(), certificate.fingerprint(hashes.SHA1()))
