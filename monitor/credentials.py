"""From a reference to what one can sign in with, and what is odd about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from monitor.errors import SecretError
from monitor.keypairs import read_key_pair
from monitor.model import CredentialRef
from monitor.vault import Vault

if TYPE_CHECKING:
    from monitor.entra.secrets import ResolvedCredential

_T = TypeVar("_T")
_AT_HAND = ("env:", "file:")  # what can be looked at without a network or a database


class Credentials:
    """Resolves references. Each is read anew each time, so that a replaced file takes effect.

    Args:
        vault: reads what a reference names.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def resolve(self, reference: CredentialRef) -> ResolvedCredential:
        """The value behind a reference, hidden in an object that does not print it.

        Raises:
            SecretError: it is not there or cannot be used.
        """
        from monitor.entra.secrets import ResolvedCredential

        if reference.form == "managed_identity":
            return ResolvedCredential.managed_identity(reference.reference)
        if reference.form == "federated":
            return ResolvedCredential.federated(lambda: self._vault.text(reference))
        if reference.form == "certificate":
            data = self._vault.read(reference.reference)
            return self._opened(reference, data, ResolvedCredential.from_certificate)
        return ResolvedCredential.from_secret(self._vault.text(reference))

    def doubts(self, reference: CredentialRef, now: datetime) -> list[str]:
        """What is wrong with a certificate that is at hand; empty where nothing is known.

        A file that is missing is not told: whoever names it may put it there later.
        """
        places = [reference.reference, *filter(None, [reference.password])]
        if reference.form != "certificate" or not all(p.startswith(_AT_HAND) for p in places):
            return []
        try:
            data = self._vault.read(reference.reference)
        except SecretError:
            return []
        try:
            doubt = self._opened(reference, data, read_key_pair).doubt(now)
        except SecretError as error:
            return [str(error)]
        return [f"{reference.reference}: {doubt}."] if doubt else []

    def _opened(
        self, reference: CredentialRef, data: bytes, read: Callable[[bytes, bytes | None], _T]
    ) -> _T:
        """What `read` makes of a certificate's file; its error says which file that is."""
        password = self._vault.password(reference)
        try:
            return read(data, password)
        except SecretError as error:
            told = f"{reference.reference}: {error.message}"
            raise SecretError(told, remedy=error.remedy) from None
