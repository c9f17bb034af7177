"""Secret values sealed in the store: set, read, listed, and re-wrapped when the key changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.errors import SecretError
from monitor.log import get
from monitor.model import CredentialRef, SealedValue
from monitor.references import APP_OWNER, OPERATOR_OWNER, sealed_name
from monitor.sealing import KeyRing, SealingKey
from monitor.store import Store
from monitor.vault import Vault

_NEW = "Make a key with: lapsewatch secrets new-key"

log = get("lapsewatch.sealed")


@dataclass(frozen=True, slots=True)
class Listed:
    """A sealed value as `secrets list` shows it; `problem` says why it does not open."""

    owner: str
    field: str
    key_id: str
    set_at: datetime
    problem: str | None = None


class SealedValues:
    """The sealed values of the store, and the keys that open them.

    Args:
        store: keeps the sealed values.
        keys: the references of the keys, the current one first.
        clock: the current instant, aware UTC.
    """

    def __init__(self, store: Store, keys: Sequence[str], *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._references = tuple(keys)
        self._clock = clock

    def read(self, name: str) -> bytes:
        """The value behind `sealed:NAME`.

        Raises:
            SecretError: there is none, or no key opens it.
        """
        try:
            owner, field = sealed_name(name)
        except ValueError:
            raise SecretError("A sealed reference is not sealed:TENANT/FIELD.") from None
        found = self._store.sealed(owner, field)
        if found is None:
            raise SecretError(
                f"No value is sealed as sealed:{owner}/{field}.",
                remedy=f"Set it with: lapsewatch secrets set {owner} {field}",
            )
        return self._ring().open(found)

    def put(self, owner: str, field: str, value: bytes) -> SealedValue:
        """Seal a value and keep it, in place of an earlier one.

        Raises:
            SecretError: there is no usable key.
            StoreError: the owner is no tenant (any more), or the database cannot be used.
        """
        sealed = self._ring().seal(owner, field, value, now=self._clock())
        tenant = None if owner == OPERATOR_OWNER or owner.startswith(APP_OWNER) else owner
        self._store.put_sealed(sealed, tenant=tenant)
        log.info("secret_sealed", owner=owner, field=field, key=sealed.key_id)
        return sealed

    def holds(self, owner: str, field: str) -> bool:
        """Whether a value of that name is sealed."""
        return self._store.sealed(owner, field) is not None

    def listed(self) -> list[Listed]:
        """Every sealed value, tried with the keys at hand; none is shown."""
        values = self._store.sealed_values()
        if not values:
            return []
        ring: KeyRing | None = None
        broken: str | None = None
        try:
            ring = self._ring()
        except SecretError as error:
            broken = error.message
        return [
            Listed(*one.name, one.key_id, one.set_at, _problem(ring, one) if ring else broken)
            for one in values
        ]

    def remove(self, owner: str, field: str) -> bool:
        """Delete a sealed value; whether there was one."""
        return self._store.remove_sealed(owner, field)

    def check(self) -> None:
        """Make sure that the keys open what is sealed, before anything relies on it.

        Raises:
            SecretError: a key is missing, cut off or another one; names the id of the right one.
        """
        under = self._store.sealed_under()
        told = ", ".join(f"{key_id} ({number})" for key_id, number in sorted(under.items()))
        if not under and not self._references:
            return
        try:
            ring = self._ring()
        except SecretError as error:
            needed = f" The store holds values sealed under the key {told}." if under else ""
            raise SecretError(f"{error.message}{needed}", remedy=error.remedy) from None
        if missing := sorted(under.keys() - set(ring.ids)):
            raise SecretError(
                f"Values are sealed under the key {', '.join(missing)}, and [vault] names "
                f"{', '.join(ring.ids)}.",
                remedy="Name that key as `key` or in `old_keys` under [vault]. If it is lost, "
                "remove those values (lapsewatch secrets list) and set them again.",
            )
        if under.keys() - {ring.current.id}:
            log.warning("rotation_unfinished", current=ring.current.id, sealed_under=told)

    def rotate(self) -> Iterator[SealedValue]:
        """Put every value's data key under the current key, one transaction for each.

        What is under the current key already is left alone: a rotation that was killed goes on.

        Yields:
            Each value, once its new wrapper is in the database.

        Raises:
            SecretError: a value does not open; those before it are done.
        """
        ring = self._ring()
        for old in self._store.sealed_values():
            if old.key_id != ring.current.id:
                new = ring.rewrap(old)
                if self._store.replace_sealed(old, new):
                    yield new

    @property
    def key_id(self) -> str:
        """The id of the current key.

        Raises:
            SecretError: there is no usable key.
        """
        return self._ring().current.id

    def _ring(self) -> KeyRing:
        if not self._references:
            raise SecretError("The settings name no key under [vault].", remedy=_NEW)
        vault = Vault()
        return KeyRing([
            SealingKey.parse(vault.text(CredentialRef("secret", reference)).encode(), reference)
            for reference in self._references
        ])  # fmt: skip


def _problem(ring: KeyRing, sealed: SealedValue) -> str | None:
    try:
        ring.open(sealed)
    except SecretError as error:
        return error.message
    return None
