"""Pages of applications and service principals, read object by object so that none is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from monitor.addresses import noted
from monitor.entra.failures import brief, graph_error, looks_like_html
from monitor.entra.kinds import Holder, WireCredential, observed
from monitor.entra.secrets import HINT_LENGTH
from monitor.entra.values import clean, legacy_name, parse_date, thumbprint
from monitor.errors import GraphError
from monitor.model import FederatedCredential, ObjectType, ObservedObject

# Microsoft's own directories, which own its first-party applications.
FIRST_PARTY = frozenset(
    {"f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47"}
)
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class Page(msgspec.Struct):
    """One page of a collection: its objects unread, the link to the next page, and how many
    objects the whole collection has (None where that is not told)."""

    value: list[Any]
    next_link: Any = None
    count: int | None = None


class _Name:
    """The name of a page's member. None equals another, so that one that comes twice is seen."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


_NEXT_LINK, _COUNT = "@odata.nextLink", "@odata.count"
_MEMBERS = msgspec.json.Decoder(dict[_Name, msgspec.Raw], dec_hook=lambda kind, text: kind(text))
_OBJECTS = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(slots=True)
class Report:
    """What was odd but kept, and what could not be read and so may be missing."""

    notes: list[str] = field(default_factory=list)
    unreadable_notes: list[str] = field(default_factory=list)

    @property
    def malformed(self) -> int:
        """How many entries could not be read."""
        return len(self.unreadable_notes)

    def odd(self, note: str) -> None:
        """Something that was kept all the same."""
        self.notes.append(note)

    def unreadable(self, note: str) -> None:
        """Something that could not be read: the scan cannot count as complete."""
        self.unreadable_notes.append(note)


def read_page(body: bytes, what: str) -> Page:
    """Split a page into its objects.

    A page that holds an error, names a member twice or has a nextLink in a spelling that nobody
    knows is none: it may lack what it should list.

    Args:
        body: the response's bytes.
        what: was asked for, for the message.

    Raises:
        GraphError: it is a web page (`html_instead_of_json`), or not a page (`malformed_page`).
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        members = [
            (name.text, _member(name.text, raw)) for name, raw in _MEMBERS.decode(body).items()
        ]
    except msgspec.ValidationError as exc:
        raise _no_page(what, f"is not a page: {exc}", body) from exc
    except (ValueError, RecursionError):
        members = _read_leniently(body, what)
    return _page(members, body, what)


def decode_application(item: object, report: Report) -> ObservedObject | None:
    """One application, or None where the object itself cannot be read (which is reported)."""
    return _decode(item, report, ObjectType.APPLICATION, _application)


def decode_service_principal(item: object, report: Report) -> ObservedObject | None:
    """One service principal, or None where it is unreadable or Microsoft's own and empty."""
    return _decode(item, report, ObjectType.SERVICE_PRINCIPAL, _service_principal)


def federated_credentials(
    entries: object, app: str, report: Report
) -> tuple[FederatedCredential, ...]:
    """The federated credentials of an application; what is not one of them makes a note.

    They have no end, so that one more or less changes no warning.
    """
    found = []
    for entry in entries if isinstance(entries, list) else ():
        try:
            found.append(_federated(entry))
        except (ValueError, TypeError, KeyError):
            report.odd(f"A federated credential of {app} could not be read.")
    return tuple(found)


def unpack(item: object) -> Any:
    """The JSON value of one object of a page.

    Raises:
        ValueError, RecursionError: it is not JSON that can be read.
    """
    if not isinstance(item, msgspec.Raw):
        return item
    try:
        return msgspec.json.decode(item)
    except (ValueError, RecursionError):
        return json.loads(bytes(item).decode("utf-8", "replace"))


def _member(name: str, raw: msgspec.Raw) -> Any:
    if name == "value":
        return _OBJECTS.decode(raw)
    return msgspec.json.decode(raw) if name in (_NEXT_LINK, _COUNT) else None


def _page(members: list[tuple[str, Any]], body: bytes, what: str) -> Page:
    """The page, once nothing about its members is odd."""
    named = dict(members)
    count = named.get(_COUNT)
    if isinstance(count, str) and count.isascii() and count.isdigit():
        count = int(count[:12])  # so written under IEEE754Compatible
    spelled = [name.lower() for name, _ in members]
    if "error" in spelled or "odata.error" in spelled:
        raise _no_page(what, "holds an error", body)
    if len(set(spelled)) < len(spelled):
        raise _no_page(what, "names a member twice", body)
    if any(name.lower().endswith("nextlink") and name != _NEXT_LINK for name in named):
        raise _no_page(what, "goes on at a link that is spelled unlike Graph's", body)
    if not isinstance(named.get("value"), list):
        raise _no_page(what, "is not a page", body)
    if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
        raise _no_page(what, "has a count that is no number", body)
    return Page(named["value"], named.get(_NEXT_LINK), count)


def _no_page(what: str, why: str, body: bytes) -> GraphError:
    return graph_error(
        "malformed_page", f"The answer to {what} {why}.",
        evidence=body[:600].decode("utf-8", "replace"),
    )  # fmt: skip


def _read_leniently(body: bytes, what: str) -> list[tuple[str, Any]]:
    """Read what msgspec does not take but json does: lone surrogates, NaN, broken UTF-8."""
    text = body.decode("utf-8", "replace")
    outermost: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        outermost[:] = pairs  # the last object to end is the page itself
        return dict(pairs)

    try:
        content = json.loads(text, object_pairs_hook=keep)
    except (ValueError, RecursionError) as exc:
        if looks_like_html(text[:500]):
            raise graph_error(
                "html_instead_of_json", f"The answer to {what} is a web page, not JSON.",
                evidence=text[:600],
            ) from exc  # fmt: skip
        raise _no_page(what, f"is not whole: {brief(str(exc), 120)}", body) from exc
    return outermost if isinstance(content, dict) else []


def _decode(
    item: object,
    report: Report,
    object_type: ObjectType,
    build: Callable[[dict[str, Any], Report], ObservedObject | None],
) -> ObservedObject | None:
    said = object_type.value.replace("_", " ")
    try:
        content = unpack(item)
        if not isinstance(content, dict):
            raise TypeError("not an object")
    except (ValueError, TypeError, RecursionError):
        raw = bytes(item) if isinstance(item, msgspec.Raw) else b""
        found = re.search(rb'"id"\s*:\s*"([^"\\]{1,64})"', raw)
        name = found[1].decode("utf-8", "replace") if found else "without a readable id"
        report.unreadable(f"The {said} {name} could not be read.")
        return None
    object_id = content.get("id")
    if not isinstance(object_id, str) or not object_id.strip():
        label = clean(content.get("displayName")) or clean(content.get("appId")) or "without a name"
        report.unreadable(f"The {said} {brief(label, 80)} has no id.")
        return None
    return build(content, report)


def _application(content: dict[str, Any], report: Report) -> ObservedObject:
    name = _name_of(content)
    holder = Holder(False, _encryption_key(content, name, report))
    passwords, keys = _credentials(content, name, report)
    status = content.get("disabledByMicrosoftStatus", False)
    return ObservedObject(
        object_type=ObjectType.APPLICATION,
        object_id=_lower(content["id"]),
        app_id=_text(content, "appId"),
        name=name,
        credentials=observed(holder, passwords, keys),
        federated=federated_credentials(content.get("federatedIdentityCredentials"), name, report),
        enabled=None if status is False else status in (None, "NotDisabled"),
        notify=noted(clean(content.get("notes")) or ""),
    )


def _service_principal(content: dict[str, Any], report: Report) -> ObservedObject | None:
    name = _name_of(content)
    preferred = thumbprint(content.get("preferredTokenSigningKeyThumbprint"))
    holder = Holder(
        True,
        _encryption_key(content, name, report),
        str(content.get("preferredSingleSignOnMode") or "").lower(),
        preferred,
    )
    before = report.malformed
    passwords, keys = _credentials(content, name, report)
    home = _text(content, "appOwnerOrganizationId")
    empty = not passwords and not keys and report.malformed == before
    if empty and home is not None and home.lower() in FIRST_PARTY:
        return None
    enabled = content.get("accountEnabled")
    return ObservedObject(
        object_type=ObjectType.SERVICE_PRINCIPAL,
        object_id=_lower(content["id"]),
        app_id=_text(content, "appId"),
        name=name,
        credentials=observed(holder, passwords, keys),
        enabled=enabled if isinstance(enabled, bool) else None,
        managed_identity=content.get("servicePrincipalType") == "ManagedIdentity",
        home_tenant=home,
    )


def _credentials(
    content: dict[str, Any], app: str, report: Report
) -> tuple[Sequence[WireCredential], Sequence[WireCredential]]:
    passwords = _each(content, "passwordCredentials", "client secret", _password, app, report)
    keys = _each(content, "keyCredentials", "key", _key, app, report)
    return list(passwords), list(keys)


def _each(
    content: dict[str, Any],
    attribute: str,
    said: str,
    read: Callable[[dict[str, Any]], WireCredential],
    app: str,
    report: Report,
) -> Iterator[WireCredential]:
    """The readable entries of a list of credentials; the others make the scan incomplete.

    So does a list that was asked for and did not come: Graph writes [] where there is none.
    """
    entries = content.get(attribute)
    if not isinstance(entries, list):
        why = "missing" if entries is None else "not a list"
        report.unreadable(f"The {attribute} of {brief(app, 80)} are {why}.")
        return
    for entry in entries:
        try:
            if not isinstance(entry, dict):
                raise TypeError("not an object")
            yield read(entry)
        except (ValueError, TypeError) as exc:
            key_id = entry.get("keyId") if isinstance(entry, dict) else None
            report.unreadable(
                f"The {said} {brief(str(clean(key_id) or 'without a keyId'), 64)} of "
                f"{brief(app, 80)} could not be read: {exc}."
            )


def _password(entry: dict[str, Any]) -> WireCredential:
    identifier = entry.get("customKeyIdentifier")
    name = clean(entry.get("displayName"))
    hint = clean(entry.get("hint"))
    digest = thumbprint(identifier)
    return WireCredential(
        key_id=_key_id(_given(entry, "keyId")),
        name=name if name and name.strip() else clean(legacy_name(identifier)),
        start=_date(entry, "startDateTime"),
        end=_date(entry, "endDateTime"),
        thumbprint=digest,
        match=digest or clean(identifier) or None,
        hint=hint[:HINT_LENGTH] if hint else None,
    )


def _key(entry: dict[str, Any]) -> WireCredential:
    identifier = entry.get("customKeyIdentifier")
    digest = thumbprint(identifier)
    return WireCredential(
        key_id=_key_id(_given(entry, "keyId")),
        name=clean(entry.get("displayName")),
        start=_date(entry, "startDateTime"),
        end=_date(entry, "endDateTime"),
        thumbprint=digest,
        match=digest or clean(identifier) or None,
        usage=str(_given(entry, "usage") or "").lower(),
        type=str(_given(entry, "type") or "").lower(),
    )


def _federated(entry: Any) -> FederatedCredential:
    audiences = entry.get("audiences") or () if isinstance(entry, dict) else ()
    texts = {key: entry[key] for key in ("issuer", "subject")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("not a text")
    name = clean(entry.get("name")) or ""
    return FederatedCredential(
        id=clean(entry.get("id")) or name,
        name=name,
        issuer=clean(texts["issuer"]) or "",
        subject=clean(texts["subject"]) or "",
        audience=clean(audiences[0]) if isinstance(audiences, list) and audiences else None,
    )


def _given(entry: dict[str, Any], attribute: str) -> Any:
    """A property that Graph always writes; null says that there is none, its absence nothing."""
    if attribute not in entry:
        raise ValueError(f"its {attribute} is missing")
    return entry[attribute]


def _date(entry: dict[str, Any], attribute: str) -> Any:
    value = _given(entry, attribute)
    try:
        return parse_date(value)
    except ValueError as exc:
        raise ValueError(f"its {attribute} is {exc}") from None


def _encryption_key(content: dict[str, Any], app: str, report: Report) -> str | None:
    try:
        return _key_id(content.get("tokenEncryptionKeyId"))
    except TypeError:
        report.unreadable(f"The tokenEncryptionKeyId of {brief(app, 80)} is not a text.")
        return None


def _key_id(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise TypeError("its keyId is not a text")
    return _lower(clean(value) or "")


def _lower(text: str) -> str:
    """A GUID in lower case, so that it is the same one at every scan; anything else as it is."""
    return text.lower() if _GUID.fullmatch(text) else str(clean(text))


def _text(content: dict[str, Any], attribute: str) -> str | None:
    value = clean(content.get(attribute))
    return _lower(value) if value else None


def _name_of(content: dict[str, Any]) -> str:
    for attribute in ("displayName", "appDisplayName", "appId", "id"):
        name = clean(content.get(attribute))
        if name and name.strip():
            return name
    return ""
