"""Which of an object's keys and passwords are one credential, and of which kind."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.model import Kind, ObservedCredential, ObservedObject


@dataclass(frozen=True, slots=True)
class WireCredential:
    """A passwordCredential or keyCredential whose values have been read.

    `match` is what ties the parts of one certificate together: the thumbprint, else the
    identifier as it came, else None. `usage` and `type` are lower-case and empty for passwords.
    """

    key_id: str | None
    name: str | None
    start: datetime | None
    end: datetime | None
    thumbprint: str | None = None
    match: str | None = None
    hint: str | None = None
    usage: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """What the kinds depend on, of the object that holds the credentials."""

    service_principal: bool
    token_encryption_key: str | None = None
    sso_mode: str | None = None
    active_thumbprint: str | None = None


def observed(
    holder: Holder, passwords: Sequence[WireCredential], keys: Sequence[WireCredential]
) -> tuple[ObservedCredential, ...]:
    """The object's credentials, each once, in the order Graph gives them."""
    signing, passwords, keys = _take_saml(holder, passwords, keys)
    found = [_observe(Kind.SECRET, password) for password in passwords]
    found += [_observe(Kind.SAML_SIGNING, key, _is_active(holder, key)) for key in signing]
    for key in keys if holder.service_principal else _without_pairs(keys):
        kind = _kind_of(holder, key)
        active = _is_active(holder, key) if kind is Kind.SAML_SIGNING else None
        found.append(_observe(kind, key, active))
    return _with_slots(found)


def joined(first: ObservedObject, second: ObservedObject) -> ObservedObject:
    """An object that came twice: what is said last of it, and the credentials of both."""
    known = {(each.kind, each.slot) for each in second.credentials}
    more = (each for each in first.credentials if (each.kind, each.slot) not in known)
    ids = {each.id for each in second.federated}
    return replace(
        second,
        credentials=(*second.credentials, *more),
        federated=(*second.federated, *(each for each in first.federated if each.id not in ids)),
    )


def _take_saml(
    holder: Holder, passwords: Sequence[WireCredential], keys: Sequence[WireCredential]
) -> tuple[list[WireCredential], Sequence[WireCredential], Sequence[WireCredential]]:
    """Split off SAML signing certificates: a Sign key with its Verify keys and its password.

    They count once, as the Sign key. The password may end months later and is the key's own.
    Fact: https://learn.microsoft.com/graph/api/serviceprincipal-addtokensigningcertificate
    """
    if not holder.service_principal:
        return [], passwords, keys
    signing: dict[str, WireCredential] = {}
    for number, key in enumerate(keys):
        if key.usage == "sign" and key.type != "symmetric":
            signing.setdefault(key.match or f"#{number}", key)
    key_ids = {
        key.key_id for key in keys if key.usage == "sign" and key.type != "symmetric"
    } - {None}  # fmt: skip
    left_keys = [
        key
        for key in keys
        if key.type == "symmetric"
        or not (key.usage == "sign" or (key.usage == "verify" and key.match in signing))
    ]
    left_passwords = [
        password
        for password in passwords
        if password.match not in signing and password.key_id not in key_ids
    ]
    return [_with_end(key, keys) for key in signing.values()], left_passwords, left_keys


def _with_end(sign: WireCredential, keys: Sequence[WireCredential]) -> WireCredential:
    """The Sign key, with the dates of its certificate where it has none of its own."""
    if sign.end is not None or sign.match is None:
        return sign
    twins = (key for key in keys if key.match == sign.match and key.end is not None)
    twin = next(twins, sign)
    return replace(sign, end=twin.end, start=sign.start or twin.start)


def _without_pairs(keys: Sequence[WireCredential]) -> list[WireCredential]:
    """An application's keys without the Sign halves of Sign and Verify pairs."""
    verified = {key.match for key in keys if key.usage == "verify" and key.match}
    return [key for key in keys if not (key.usage == "sign" and key.match in verified)]


def _kind_of(holder: Holder, key: WireCredential) -> Kind:
    if key.usage == "encrypt" or (key.key_id and key.key_id == holder.token_encryption_key):
        return Kind.TOKEN_ENCRYPTION
    if key.type == "symmetric":
        return Kind.SYMMETRIC_KEY
    signs = holder.service_principal and holder.sso_mode == "saml" and key.usage == "verify"
    if signs and key.thumbprint and key.thumbprint == holder.active_thumbprint:
        return Kind.SAML_SIGNING
    return Kind.CERTIFICATE


def _is_active(holder: Holder, key: WireCredential) -> bool | None:
    """Whether the application signs with it; None where that cannot be told.

    A SHA-256 identifier cannot be compared with the SHA-1 thumbprint that is preferred.
    """
    preferred, own = holder.active_thumbprint, key.thumbprint
    if not preferred or not own or len(preferred) != len(own):
        return None
    return preferred == own


def _observe(kind: Kind, wire: WireCredential, active: bool | None = None) -> ObservedCredential:
    return ObservedCredential(
        kind=kind, slot="", key_id=wire.key_id, name=wire.name, start=wire.start, end=wire.end,
        thumbprint=None if kind is Kind.SECRET else wire.thumbprint, hint=wire.hint, active=active,
    )  # fmt: skip


def _with_slots(found: list[ObservedCredential]) -> tuple[ObservedCredential, ...]:
    """Give each its slot: the keyId, or a stand-in; equal ones are numbered in a fixed order."""
    groups: dict[tuple[Kind, str], list[int]] = defaultdict(list)
    for index, credential in enumerate(found):
        groups[credential.kind, credential.key_id or _stand_in(credential)].append(index)
    result = list(found)
    for (_, slot), members in groups.items():
        if len(members) > 1:
            members.sort(key=lambda index: _facts(found[index]))
        for number, index in enumerate(members, start=1):
            result[index] = replace(found[index], slot=slot if number == 1 else f"{slot}#{number}")
    return tuple(result)


def _stand_in(credential: ObservedCredential) -> str:
    return "~" + hashlib.sha256(_facts(credential).encode()).hexdigest()[:32]


def _facts(credential: ObservedCredential) -> str:
    return f"{credential.start}|{credential.end}|{credential.name}"
