"""Values sealed with AES-256-GCM: a data key for each value, wrapped by a key of the operator's.

A value's additional data binds it to its owner and field, so that a row that was moved or renamed
in the database does not open. Re-wrapping changes the data key's wrapper, never the value.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.errors import SecretError
from monitor.model import SealedValue

KEY_BYTES = 32
_NONCE_BYTES = 12  # NIST SP 800-38D: random nonces of 96 bits are good for 2^32 uses of a key
_ID_LENGTH = 12


@dataclass(frozen=True, slots=True, repr=False)
class SealingKey:
    """A key-encryption key. Its id is a digest, so that it can be shown; the key never shows."""

    id: str
    key: bytes

    @classmethod
    def parse(cls, text: bytes, where: str) -> SealingKey:
        """The key that stands in a file or variable: 32 bytes in base64.

        Args:
            text: what stands there.
            where: the reference, for the message.

        Raises:
            SecretError: it is no such key; says how long it is, never what it is.
        """
        try:
            plain = b"".join(text.split()).translate(bytes.maketrans(b"-_", b"+/"))
            key = base64.b64decode(plain, validate=True)
        except binascii.Error:
            raise _no_key(where, "is not in base64, or was cut off") from None
        if len(key) != KEY_BYTES:
            raise _no_key(where, f"has {len(key)} bytes, and a key has {KEY_BYTES}")
        return cls(_key_id(key), key)

    def __repr__(self) -> str:
        return f"<SealingKey {self.id}>"


def new_key() -> str:
    """A new key, as the text that belongs into its file."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


class KeyRing:
    """The keys that open sealed values; the first one seals.

    Args:
        keys: the current key, then older ones.
    """

    def __init__(self, keys: Sequence[SealingKey]) -> None:
        self.current = keys[0]
        self._keys = {key.id: key for key in keys}

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the current one first."""
        return tuple(self._keys)

    def seal(self, owner: str, field: str, value: bytes, *, now: datetime) -> SealedValue:
        """Seal a value under a data key of its own and the current key."""
        data_key = os.urandom(KEY_BYTES)
        return SealedValue(
            owner=owner,
            field=field,
            key_id=self.current.id,
            wrapped_key=_encrypt(self.current.key, data_key, _of_key(owner, field, self.current)),
            value=_encrypt(data_key, value, _of_value(owner, field)),
            set_at=now,
        )

    def open(self, sealed: SealedValue) -> bytes:
        """The value.

        Raises:
            SecretError: its key is not here, or the row was changed or moved.
        """
        plain = _decrypt(self._data_key(sealed), sealed.value, _of_value(*sealed.name))
        if plain is None:
            raise _tampered(sealed)
        return plain

    def rewrap(self, sealed: SealedValue) -> SealedValue:
        """The same value with its data key under the current key.

        Raises:
            SecretError: as `open`.
        """
        about = _of_key(*sealed.name, self.current)
        wrapped = _encrypt(self.current.key, self._data_key(sealed), about)
        return replace(sealed, key_id=self.current.id, wrapped_key=wrapped)

    def _data_key(self, sealed: SealedValue) -> bytes:
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise SecretError(
                f"{sealed} is under the key {sealed.key_id}, which [vault] does not name.",
                remedy="Name that key as `key` or in `old_keys` under [vault], or set the value "
                "again with: lapsewatch secrets set",
            )
        plain = _decrypt(key.key, sealed.wrapped_key, _of_key(*sealed.name, key))
        if plain is None:
            raise _tampered(sealed)
        return plain


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"lapsewatch sealing key\0" + key).hexdigest()[:_ID_LENGTH]


def _of_value(owner: str, field: str) -> bytes:
    return "\0".join(("lapsewatch value 1", owner, field)).encode()


def _of_key(owner: str, field: str, key: SealingKey) -> bytes:
    return "\0".join(("lapsewatch key 1", owner, field, key.id)).encode()


def _encrypt(key: bytes, plain: bytes, about: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def _decrypt(key: bytes, sealed: bytes, about: bytes) -> bytes | None:
    """The plain bytes, or None where the seal does not hold."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)
    except (InvalidTag, ValueError):  # ValueError: too short to be anything
        return None


def _no_key(where: str, what: str) -> SecretError:
    return SecretError(
        f"The sealing key at {where} {what}.",
        remedy="Put the whole line back that `lapsewatch secrets new-key` wrote.",
    )


def _tampered(sealed: SealedValue) -> SecretError:
    return SecretError(
        f"{sealed} does not open with its key {sealed.key_id}: the row was changed or moved in "
        "the database.",
        remedy="Set it again with: lapsewatch secrets set",
    )
