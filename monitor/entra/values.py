"""Single values as Graph writes them: dates, certificate identifiers, names of old secrets."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta

_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?",
    re.IGNORECASE | re.ASCII,
)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})")
_DIGESTS = (20, 32)  # bytes of SHA-1 and SHA-256
_SURROGATE = re.compile("[\ud800-\udfff]")
_FEW_BLOCKS = 3  # distinct high bytes that a text of one script has


def parse_date(value: object) -> datetime | None:
    """An instant in UTC, or None for null, which Graph writes where there is none.

    Graph writes 0 to 7 digits of a second, `Z` or an offset; what it writes without either is
    UTC, as all its times are. Digits beyond the microsecond are cut.

    Raises:
        ValueError: it is not a date, or one that no calendar has.
    """
    if value is None:
        return None
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not a date")
    fraction = (match[7] or "")[:6].ljust(6, "0")
    local = datetime(
        int(match[1]), int(match[2]), int(match[3]), int(match[4]), int(match[5]), int(match[6]),
        int(fraction), UTC,
    )  # fmt: skip
    try:
        return local - _offset(match[8])
    except OverflowError:
        raise ValueError("out of range") from None


def thumbprint(value: object) -> str | None:
    """A certificate's thumbprint as upper-case hex, or None where the identifier is none.

    Recorded traffic has the hex digits, base64 of the 20 or 32 bytes, base64 of the hex digits
    and base64 of base64. Hex is valid base64 as well, so it is tried first.
    """
    text = value.strip() if isinstance(value, str) else ""
    for _ in range(2):
        if _HEX.fullmatch(text):
            return text.upper()
        raw = _from_base64(text)
        if raw is None:
            return None
        if len(raw) in _DIGESTS:
            return raw.hex().upper()
        text = raw.decode("latin-1")
    return text.upper() if _HEX.fullmatch(text) else None


def legacy_name(identifier: object) -> str | None:
    """The description that old portals and PowerShell kept in a secret's identifier.

    It is base64 of ASCII or of UTF-16LE text. None where the bytes are no text, such as the
    thumbprint of a SAML certificate.
    """
    text = identifier.strip() if isinstance(identifier, str) else ""
    raw = None if _HEX.fullmatch(text) else _from_base64(text)
    if not raw:
        return None
    if all(0x20 <= byte < 0x7F for byte in raw):
        name = raw.decode("ascii")
        digest = _HEX.fullmatch(name) or (name.endswith("=") and thumbprint(name))
        return None if digest else name
    if len(raw) % 2 or (len(raw) in _DIGESTS and len(set(raw[1::2])) > _FEW_BLOCKS):
        return None
    try:
        name = raw.decode("utf-16-le").rstrip("\0")
    except UnicodeDecodeError:
        return None
    return name if name.isprintable() and name.strip() else None


def clean(value: object) -> str | None:
    """A text as it came, but for lone surrogates, which cannot be stored; None for no text."""
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else None


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 14 or minutes > 59:
        raise ValueError("no such offset")
    size = timedelta(hours=hours, minutes=minutes)
    return -size if zone[0] == "-" else size


def _from_base64(text: str) -> bytes | None:
    """The bytes, from either alphabet, with or without padding."""
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True) or None
    except (binascii.Error, ValueError):
        return None
