"""Where a typed secret goes: sealed in the store where a key is set, else into a private file."""

from __future__ import annotations

import os
from pathlib import Path

from monitor.errors import SecretError
from monitor.sealed import SealedValues

FOLDER = "secrets"


class Keeper:
    """Keeps secret values that people type, and lets go of them again.

    Args:
        sealed: the sealed values; used where the settings name a key.
        folder: of the settings file; secrets lie in a folder of their own beside it.
        sealing: whether there is a key.
    """

    def __init__(self, sealed: SealedValues, folder: Path, *, sealing: bool) -> None:
        self._sealed = sealed
        self._folder = folder / FOLDER
        self.sealing = sealing

    def keep(self, owner: str, value: str) -> str:
        """Keep a value under a name that is not taken, so that an older one stays what it is.

        Args:
            owner: the tenant's name; it is watched or being set up.
            value: the secret.

        Returns:
            The value's reference.

        Raises:
            SecretError: it cannot be kept.
            StoreError: the database cannot be used.
        """
        try:
            return self._seal(owner, value) if self.sealing else self._write(owner, value)
        except UnicodeEncodeError:
            raise SecretError("The secret is not UTF-8 text, so it cannot be kept.") from None

    def let_go(self, owner: str, reference: str) -> bool:
        """Delete a value that `keep` made; any other reference is somebody else's to delete.

        Returns:
            Whether there was one.

        Raises:
            StoreError: the database cannot be used.
        """
        scheme, _, name = reference.partition(":")
        if scheme == "sealed":
            of, _, field = name.partition("/")
            return of == owner and self._sealed.remove(of, field)
        path = Path(name)
        if scheme != "file" or path.parent != self._folder or path.name not in _files(owner):
            return False
        try:
            os.unlink(path)
        except OSError:
            return False
        return True

    def _seal(self, owner: str, value: str) -> str:
        free = (name for name in _FIELDS if not self._sealed.holds(owner, name))
        field = next(free, None)
        if field is None:
            raise _too_many(owner)
        self._sealed.put(owner, field, value.encode())
        return f"sealed:{owner}/{field}"

    def _write(self, owner: str, value: str) -> str:
        data = f"{value}\n".encode()
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for name in _files(owner):
                path = self._folder / name
                try:
                    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                except FileExistsError:
                    continue
                try:
                    with os.fdopen(opened, "wb") as out:
                        out.write(data)
                        out.flush()
                        os.fsync(out.fileno())  # before the old one is let go
                    _sync_folder(self._folder)
                except OSError:
                    os.unlink(path)
                    raise
                return f"file:{path}"
        except OSError as error:
            raise SecretError(
                f"The secret cannot be kept in {self._folder}: {error.strerror}.",
                remedy="Make that folder writable for you, or set a key under [vault] "
                "(lapsewatch secrets new-key), or name a file of your own: file:/path",
            ) from None
        raise _too_many(owner)


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file survive a power cut, too."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


_FIELDS = ("secret", *(f"secret-{number}" for number in range(2, 100)))


def _files(owner: str) -> list[str]:
    # A plus sign, which no tenant's name has: so these are nobody else's files.
    return [f"{owner}+{number}" for number in range(1, 100)]


def _too_many(owner: str) -> SecretError:
    return SecretError(f"Too many secrets of {owner} are kept already; remove old ones.")
