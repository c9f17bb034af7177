"""The value an app signs in with, held so that it cannot be printed by accident."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from monitor.errors import SecretError
from monitor.keypairs import read_key_pair

HINT_LENGTH = 3  # what Graph itself shows of a client secret


@dataclass(frozen=True, slots=True, repr=False)
class ResolvedCredential:
    """A client secret, a certificate with its key, another issuer's token, or a managed identity.

    Make one with `from_secret`, `from_certificate`, `federated` or `managed_identity`. The value
    never shows in `repr`, so that it cannot reach a log or a traceback. `ends` is known of a
    certificate only.
    """

    form: Literal["secret", "certificate", "managed_identity", "federated"]
    secret: str = ""
    pem: bytes = b""
    client_id: str = ""
    thumbprints: tuple[str, ...] = ()
    ends: datetime | None = None
    assertion: Callable[[], str] | None = None

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
    def from_certificate(cls, data: bytes, password: bytes | None = None) -> ResolvedCredential:
        """A PEM or PFX file that holds an RSA private key and the certificate that belongs to it.

        Args:
            data: the file's bytes.
            password: of the private key or the PFX, where it has one.

        Raises:
            SecretError: a part is missing, does not fit or cannot be read.
        """
        pair = read_key_pair(data, password)
        return cls("certificate", pem=pair.pem, thumbprints=pair.thumbprints, ends=pair.ends)

    @classmethod
    def managed_identity(cls, client_id: str) -> ResolvedCredential:
        """A user-assigned managed identity that the app trusts (federated credential)."""
        return cls("managed_identity", client_id=client_id)

    @classmethod
    def federated(cls, assertion: Callable[[], str]) -> ResolvedCredential:
        """A workload identity that the app trusts: its token is the app's client assertion.

        Args:
            assertion: reads the token; called for each token that is asked for, because the
                platform replaces it within the hour.
        """
        return cls("federated", assertion=assertion)

    @property
    def known(self) -> tuple[str, ...]:
        """What must be taken out of texts from outside; see `monitor.log.hide`."""
        return (self.secret,) if self.secret else ()

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
