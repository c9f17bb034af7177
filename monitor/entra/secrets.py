"""The value an app signs in with, held so that it cannot be printed by accident."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from monitor.errors import SecretError

HINT_LENGTH = 3  # what Graph itself shows of a client secret


@dataclass(frozen=True, slots=True, repr=False)
class ResolvedCredential:
    """A client secret, a certificate with its key, or the name of a managed identity.

    Make one with `from_secret`, `from_pem` or `managed_identity`. The value never shows in
    `repr`, so that it cannot reach a log or a traceback.
    """

    form: Literal["secret", "certificate", "managed_identity"]
    secret: str = ""
    pem: bytes = b""
    password: bytes | None = None
    client_id: str = ""
    thumbprints: tuple[str, ...] = ()

    @classmethod
    def from_secret(cls, secret: str) -> ResolvedCredential:
        """A client secret's value (not its ID).

        Raises:
            SecretError: the value is empty.
        """
        if not secret.strip():
            raise SecretError("The client secret is empty.", remedy="Store its value again.")
        return cls("secret", secret=secret)

    @classmethod
    def from_pem(cls, pem: bytes, password: bytes | None = None) -> ResolvedCredential:
        """A PEM file that holds an RSA private key and the certificate that belongs to it.

        Args:
            pem: the file's bytes.
            password: of the private key, where it is encrypted.

        Raises:
            SecretError: a part is missing, does not fit or cannot be read.
        """
        return cls(
            "certificate", pem=pem, password=password, thumbprints=_thumbprints(pem, password)
        )

    @classmethod
    def managed_identity(cls, client_id: str) -> ResolvedCredential:
        """A user-assigned managed identity that the app trusts (federated credential)."""
        return cls("managed_identity", client_id=client_id)

    @property
    def known(self) -> tuple[str, ...]:
        """What must be taken out of texts from outside; see `monitor.log.hide`."""
        password = self.password.decode("utf-8", "replace") if self.password else ""
        return tuple(filter(None, (self.secret, password)))

    @property
    def hint(self) -> str | None:
        """The first three characters of a client secret, as Graph shows them; else None."""
        return self.secret[:HINT_LENGTH] if self.form == "secret" else None

    @property
    def certificate_end(self) -> datetime | None:
        """When the certificate in the PEM file ends; None where it is none."""
        from cryptography import x509

        if self.form != "certificate":
            return None
        return x509.load_pem_x509_certificate(self.pem).not_valid_after_utc

    def __repr__(self) -> str:
        return f"<ResolvedCredential {self.form}>"


def _thumbprints(pem: bytes, password: bytes | None) -> tuple[str, ...]:
    """Upper-case hex SHA-1 and SHA-256 of the certificate, once key and certificate fit."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    try:
        key = serialization.load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        # The library's own words may quote the file, so they are not passed on.
        raise SecretError(
            "The PEM file's private key cannot be read.",
            remedy="It must hold the key and the certificate; check the key's password.",
        ) from exc
    if not isinstance(key, RSAPrivateKey):
        raise SecretError(
            "The private key is not an RSA key.", remedy="Entra app certificates need RSA."
        )
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        public_key = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise SecretError(
            "The PEM file holds no certificate that can be read.",
            remedy="Append the certificate to the key.",
        ) from exc
    if public_key != key.public_key():
        raise SecretError(
            "The certificate does not belong to the private key.",
            remedy="Put the matching pair into the PEM file.",
        )
    digests = (hashes.SHA1(), hashes.SHA256())  # noqa: S303 (an identifier, as Entra shows it)
    return tuple(certificate.fingerprint(digest).hex().upper() for digest in digests)
