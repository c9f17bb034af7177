"""A certificate file with its private key, PEM or PFX, recognised by what it holds."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitor.errors import SecretError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

_DER = b"\x30"  # a SEQUENCE, which every PFX and every binary certificate begins with
_BOTH = "Put the private key and its certificate into one file, PEM or PFX."
_NAME_IT = 'Name its password: { certificate = "file:…", password = "env:…" }.'


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """A private key and its certificate. The key never shows in `repr`.

    `pem` is both without a password, the certificate that belongs to the key alone; the
    thumbprints are SHA-1 and SHA-256 in upper-case hex, as Entra and Graph show them.
    """

    pem: bytes
    thumbprints: tuple[str, str]
    starts: datetime
    ends: datetime

    def doubt(self, now: datetime) -> str | None:
        """Why nobody can sign in with it at this instant, or None."""
        if self.ends <= now:
            return f"the certificate expired on {self.ends:%Y-%m-%d %H:%M} UTC"
        if now < self.starts:
            return f"the certificate is not valid before {self.starts:%Y-%m-%d %H:%M} UTC"
        return None

    def __repr__(self) -> str:
        return f"<KeyPair {self.thumbprints[0]}>"


def read_key_pair(data: bytes, password: bytes | None = None) -> KeyPair:
    """The pair in the bytes of a PEM or PFX (PKCS#12) file, whatever the file is called.

    A PFX may also be in base64, as Key Vault keeps it. A password that is not needed does no
    harm.

    Raises:
        SecretError: something is missing, does not fit, or the password is wrong. The words of
            the library are not passed on, as they may quote the file.
    """
    if b"-----BEGIN " in data:
        key, certificates = _from_pem(data, password)
    else:
        key, certificates = _from_pfx(_binary(data), password)
    return _pair(key, certificates)


def _from_pem(data: bytes, password: bytes | None) -> tuple[Any, list[Certificate]]:
    from cryptography import x509

    if b"PRIVATE KEY-----" not in data:
        raise SecretError("The PEM file holds no private key.", remedy=_BOTH)
    key = _pem_key(data, password)
    if b"-----BEGIN CERTIFICATE-----" not in data:
        return key, []
    try:
        return key, x509.load_pem_x509_certificates(data)
    except ValueError:
        raise SecretError(
            "The certificate in the PEM file cannot be read.", remedy="Export it once more."
        ) from None


def _pem_key(data: bytes, password: bytes | None) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(data, password)
    except TypeError:  # a password without need, or the other way round
        if password is not None:
            return _pem_key(data, None)
        raise SecretError(
            "The private key in the PEM file is encrypted.", remedy=_NAME_IT
        ) from None
    except Exception:  # the library has a class of its own for keys that it does not know
        told = "cannot be read" if password is None else "is not opened by the password"
        raise SecretError(
            f"The private key in the PEM file {told}.",
            remedy="Check the password, or export the file once more.",
        ) from None


def _binary(data: bytes) -> bytes:
    """The bytes of a PFX that may be written in base64."""
    if not data.startswith(_DER):
        try:
            data = base64.b64decode(b"".join(data.split()), validate=True)
        except binascii.Error:
            data = b""
    if not data.startswith(_DER):
        raise SecretError("This is neither a PEM nor a PFX file.", remedy=_BOTH)
    return data


def _from_pfx(data: bytes, password: bytes | None) -> tuple[Any, list[Certificate]]:
    from cryptography.hazmat.primitives.serialization import pkcs12

    said = ""
    for tried in dict.fromkeys((password, None)):
        try:
            key, first, others = pkcs12.load_key_and_certificates(data, tried)
        except Exception as error:  # whatever a strange file makes the library raise
            said = said or str(error)
            continue
        return key, [one for one in (first, *others) if one is not None]
    raise _closed_pfx(data, said, password)


def _closed_pfx(data: bytes, said: str, password: bytes | None) -> SecretError:
    """Why a file that begins like a PFX could not be opened."""
    if "password" not in said.lower():
        return _bare_certificate(data)
    if password is None:
        return SecretError("The PFX file is protected by a password.", remedy=_NAME_IT)
    return SecretError(
        "The password does not open the PFX file.",
        remedy="Check the password that the reference names, and that it belongs to this file.",
    )


def _bare_certificate(data: bytes) -> SecretError:
    from cryptography import x509

    try:
        x509.load_der_x509_certificate(data)
    except ValueError:
        return SecretError(
            "The PFX file cannot be read: it is damaged, or no PFX file.",
            remedy="Export it once more, with its private key.",
        )
    return SecretError("The file holds a certificate without its private key.", remedy=_BOTH)


def _pair(key: Any, certificates: Sequence[Certificate]) -> KeyPair:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    if key is None:
        raise SecretError("The file holds no private key.", remedy=_BOTH)
    if not isinstance(key, RSAPrivateKey):
        raise SecretError(
            "The private key is not an RSA key.", remedy="Entra app certificates need RSA."
        )
    if not certificates:
        raise SecretError("The file holds no certificate.", remedy=_BOTH)
    own = next((one for one in certificates if _holds(one, key)), None)
    if own is None:
        raise SecretError(
            "The certificate does not belong to the private key.",
            remedy="Put the matching pair into the file.",
        )
    return _made(key, own)


def _holds(certificate: Certificate, key: RSAPrivateKey) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return certificate.public_key() == key.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):  # a key of a kind that nobody can use
        return False


def _made(key: RSAPrivateKey, certificate: Certificate) -> KeyPair:
    from cryptography.hazmat.primitives import hashes, serialization

    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    sha1 = certificate.fingerprint(hashes.SHA1())  # noqa: S303 (an identifier, as Entra shows it)
    return KeyPair(
        pem=private + certificate.public_bytes(serialization.Encoding.PEM),
        thumbprints=(sha1.hex().upper(), certificate.fingerprint(hashes.SHA256()).hex().upper()),
        starts=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
    )
