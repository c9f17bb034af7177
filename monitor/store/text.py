"""Text that every database can keep, and small values kept as JSON text."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Dialect, types

_T = TypeVar("_T")
# PostgreSQL refuses NUL in text, and no UTF-8 encoder takes half of a surrogate pair. Both come
# in from names that anybody in a tenant may choose, so they must not be able to stop a scan.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """The same text with what no database can keep replaced by U+FFFD."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def _clean_all(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {_clean_all(key): _clean_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_all(item) for item in value]
    return value


def dump(value: object) -> str:
    """A noun, or a tuple or mapping of them, as JSON text; equal values give equal text."""
    return msgspec.json.encode(_clean_all(msgspec.to_builtins(value)), order="sorted").decode()


def load(text: str, shape: type[_T]) -> _T:
    """What `dump` wrote, as the given type; keys it does not know are left out."""
    return msgspec.json.decode(text, type=shape)


class SafeText(types.TypeDecorator[str]):
    """Text of any length; see `clean` for what is replaced on the way in."""

    impl = types.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Called by SQLAlchemy for each value on its way to the database."""
        return None if value is None else clean(value)


def address_key(recipient: str) -> str:
    """What two spellings of one address have in common."""
    return clean(recipient).strip().casefold()
