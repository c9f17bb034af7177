"""The one place that turns a reference (env:, file:, keyvault:, sealed:) into a secret value."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from monitor.errors import SecretError
from monitor.fields import beside
from monitor.model import CredentialRef

_TOO_LARGE = 1_000_000
# Or a named pipe that nobody writes to would hold the opener for ever.
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Vault:
    """Resolves references each time they are needed, so that a rotated file takes effect at once.

    Args:
        environment: where env: references are looked up.
        keyvault: reads one Azure Key Vault secret by "VAULT/NAME" or "VAULT/NAME/VERSION".
        sealed: opens one value sealed in the store, by "TENANT/FIELD".
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        keyvault: Callable[[str], str] | None = None,
        sealed: Callable[[str], bytes] | None = None,
    ) -> None:
        self._environment = os.environ if environment is None else environment
        self._keyvault = keyvault
        self._sealed = sealed

    def read(self, reference: str) -> bytes:
        """The bytes behind a reference.

        Raises:
            SecretError: nothing is there, or it cannot be read; never names the value.
        """
        scheme, _, rest = reference.partition(":")
        if scheme == "env":
            return self._from_environment(rest.strip())
        if scheme == "file":
            return self._from_file(beside(Path.cwd(), rest))
        if scheme == "keyvault":
            return self._from_keyvault(rest.strip().removeprefix("//"))
        if scheme == "sealed" and self._sealed is not None:
            return self._sealed(rest.strip())
        raise SecretError("A credential is not a reference (env:, file:, keyvault: or sealed:).")

    def text(self, credential: CredentialRef) -> str:
        """A client secret or password: text without the line end that editors add.

        Raises:
            SecretError: as `read`, or what is there is empty or not text.
        """
        return self._text(credential.reference)

    def password(self, credential: CredentialRef) -> bytes | None:
        """The password of a certificate's file, or None where none is named.

        Raises:
            SecretError: as `text`.
        """
        return self._text(credential.password).encode() if credential.password else None

    def _text(self, reference: str) -> str:
        try:
            value = self.read(reference).decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise SecretError(
                f"{_shown(reference)} does not hold text.",
                remedy="Put the secret's Value there, as one line of text.",
            ) from None
        if not value:
            raise SecretError(f"{_shown(reference)} is empty.")
        return value

    def _from_environment(self, name: str) -> bytes:
        value = self._environment.get(name)
        if value is None:
            raise SecretError(
                f"The environment variable {name} is not set.",
                remedy="Set it for the service, or use file: instead.",
            )
        return value.encode("utf-8", "surrogateescape")

    def _from_file(self, path: Path) -> bytes:
        try:
            value = _content(path)
        except FileNotFoundError:
            raise SecretError(
                f"There is no file {path}.",
                remedy="Put the credential there, readable only by the service.",
            ) from None
        except OSError as error:
            raise SecretError(f"The file {path} cannot be read: {error.strerror}.") from None
        if value is None:
            raise SecretError(
                f"The file {path} cannot be read: it is not a regular file.",
                remedy="Put the credential into a plain file there.",
            )
        if len(value) > _TOO_LARGE:
            raise SecretError(f"The file {path} is too large to hold a credential.")
        return value

    def _from_keyvault(self, name: str) -> bytes:
        if self._keyvault is None:
            raise SecretError(
                f"keyvault:{name} cannot be read: Key Vault is not set up here.",
                remedy="Use file: or env: until it is.",
            )
        return self._keyvault(name).encode()


def _content(path: Path) -> bytes | None:
    """A file's first bytes; None for a pipe, a device or a folder, which may never end."""
    descriptor = os.open(path, _OPEN_FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(_TOO_LARGE + 1)
    finally:
        os.close(descriptor)


def _shown(reference: str) -> str:
    return reference.removeprefix("file:").removeprefix("env:")
