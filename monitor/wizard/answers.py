"""Answers as people type them: checked like a tenants file, and put together as one of its rows."""

from __future__ import annotations

import re
from typing import Any

from pydantic import TypeAdapter, ValidationError

from monitor.errors import UsageError
from monitor.fields import Address, Guid, ZoneName
from monitor.fields.problems import BIDI_OR_HIDDEN, nearest, printable
from monitor.model import Draft
from monitor.onboard import Model
from monitor.references import looks_like_guid, reference
from monitor.wizard.steps import (
    ARRIVALS,
    CERTIFICATE,
    FEDERATED,
    FORMS,
    MANAGED,
    NO_LOOK,
    OWN,
    SECRET,
    Surroundings,
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DOMAIN = re.compile(
    r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}", re.IGNORECASE
)
_EVERYBODY = ("common", "organizations", "consumers")
_QUOTES = ('"', "'", "“", "”", "‘", "’", "`")
_EDGES = re.compile(rf"^(?:\s|{BIDI_OR_HIDDEN.pattern})+|(?:\s|{BIDI_OR_HIDDEN.pattern})+$")
_GUID: TypeAdapter[str] = TypeAdapter(Guid)
_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)
_ZONE: TypeAdapter[str] = TypeAdapter(ZoneName)
_LIST = re.compile(r"[,;\s]+")
# A client secret as Entra makes them, a JWT, a PEM.
_CONTENT = re.compile(r"(?:file:)?(?:[\w.~-]{3}\dQ~[\w.~-]{20,}$|eyJ[\w-]+\.eyJ|-----BEGIN)")


class AnswerError(UsageError):
    """An answer cannot be right; `key` names the question."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class BusyError(UsageError):
    """Somebody else works at the same set-up at the same time."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The set-up of {name} went on in another window meanwhile. What was done there stays; "
            "the last answer here was not kept.",
            remedy=f"Go on from there: lapsewatch tenant add {name}",
        )


def check_name(name: str) -> str:
    """A tenant's name.

    Raises:
        AnswerError: it cannot be one.
    """
    text = name.strip()
    if not NAME.fullmatch(text):
        told = f'"{printable(text, 80)}" is no name for a tenant.'
        raise AnswerError(
            "name",
            f"{told} It must be short: letters, digits, dot, dash, underscore; at most 64.",
        )
    return text


def checked(key: str, text: str, around: Surroundings) -> str:
    """An answer in its usual form; an empty one stays empty.

    Args:
        key: of the question.
        text: as it was typed; of a credential, its reference and never its value.
        around: what is configured.

    Raises:
        AnswerError: it cannot be right; says what is wanted.
    """
    text = text.strip()
    if not text:
        return ""
    try:
        return _checked(key, text, around)
    except ValidationError as error:
        told = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise AnswerError(key, _sentence(told)) from None
    except ValueError as error:
        raise AnswerError(key, _sentence(str(error))) from None


def _sentence(told: str) -> str:
    return f"It {told}" if told.endswith("?") else f"It {told}."


def _checked(key: str, text: str, around: Surroundings) -> str:
    match key:
        case "cloud":
            return _word(key, text, list(around.clouds))
        case "model":
            return _word(key, text, [str(model) for model in Model])
        case "form":
            return _word(key, text, list(FORMS))
        case "app":
            if text != OWN and not around.apps:
                told = f'There is no shared app "{printable(text, 60)}", nor any other. '
                raise AnswerError(key, told + "Import its [[app]] first: tenant import FILE.")
            return "" if text == OWN else _word(key, text, list(around.apps))
        case "arrival":
            return _word(key, text, list(ARRIVALS))
        case "directory_id":
            return _directory(text)
        case "client_id" | "enterprise_object_id":
            return _GUID.validate_python(text)
        case "mailbox":
            return _ADDRESS.validate_python(text)
        case "recipients" | "canary_to":
            return ", ".join(_address(key, one) for one in listed(text))
        case "time_zone":
            return _ZONE.validate_python(text)
        case "credential" | "password":
            return text if looks_like_guid(text) else reference(text)
        case _:
            raise ValueError("is not asked for")


def _address(key: str, text: str) -> str:
    try:
        return _ADDRESS.validate_python(text)
    except ValidationError:
        # What has no @ may be anything, a secret too.
        which = f'"{printable(text, 60)}"' if "@" in text else "One of them"
        told = f"{which} is no mail address. It must be one like it@contoso.example"
        raise AnswerError(key, f"{told}.") from None


def _word(key: str, text: str, known: list[str]) -> str:
    text = next((word for word in known if word.lower() == text.lower()), text)
    if text in known:
        return text
    near = nearest(text, known)
    hint = f' Did you mean "{near}"?' if near else f" It is one of {', '.join(known)}."
    raise AnswerError(key, f'There is no "{printable(text, 60)}".{hint}')


def _directory(text: str) -> str:
    """A directory's id, or a domain by which its id is then looked up."""
    if text.lower() in _EVERYBODY:
        raise AnswerError(
            "directory_id",
            f'"{text}" stands for any directory. Give the one that is to be watched.',
        )
    if _DOMAIN.fullmatch(text):
        return text.lower()
    return _GUID.validate_python(text)


def plain_secret(text: str) -> str:
    """A client secret's value as it was pasted, without what copying adds.

    Entra makes values of letters, digits and `.-_~`, so quotes around one are not part of it.

    Raises:
        AnswerError: it is empty, of several lines, or a secret's ID.
    """
    value = _EDGES.sub("", text)
    if len(value) > 1 and value[0] in _QUOTES and value[-1] in _QUOTES:
        value = value[1:-1].strip()
    if not value:
        raise AnswerError("credential", "There is no value.")
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise AnswerError("credential", "A client secret is one line of text.")
    if odd := next((n for n, letter in enumerate(value, 1) if not letter.isascii()), 0):
        raise AnswerError(
            "credential",
            f"Its character number {odd} is none that Entra puts into a secret. Copy the Value "
            "once more, from Entra itself.",
        )
    if looks_like_guid(value):
        raise AnswerError(
            "credential",
            "That is a GUID, so it is the secret's ID. Entra wants the secret's Value, which is "
            "shown only once, right after it was made. If it is gone, make a new secret.",
        )
    return value


def row(draft: Draft) -> dict[str, Any]:
    """The set-up as a row of a tenants file."""
    table: dict[str, Any] = {"name": draft.name}
    for key in ("cloud", "directory_id", "client_id", "time_zone", "app"):
        if draft.get(key):
            table[key] = draft.get(key)
    if draft.get("app"):
        table.pop("client_id", None)
    elif draft.get("credential"):
        table["credential"] = _credential(draft)
    if draft.get("recipients"):
        table["recipients"] = listed(draft.get("recipients"))
    if draft.get("mailbox"):
        sender: dict[str, Any] = {"mailbox": draft.get("mailbox")}
        if draft.get("enterprise_object_id"):
            sender["enterprise_object_id"] = draft.get("enterprise_object_id")
        if draft.get("canary_to") and draft.get("canary_to") != draft.get("mailbox"):
            sender["canary_to"] = listed(draft.get("canary_to"))
        if draft.get("arrival") not in ("", NO_LOOK):
            sender["arrival"] = draft.get("arrival")
        table["sender"] = sender
    return table


def _credential(draft: Draft) -> dict[str, str]:
    form = draft.get("form") or SECRET
    held = {form: draft.get("credential")}
    if form == CERTIFICATE and draft.get("password"):
        held["password"] = draft.get("password")
    return held


def listed(text: str) -> list[str]:
    """The items of an answer that may be several."""
    return [one for one in _LIST.split(text) if one]


def reference_of(form: str, text: str) -> str | None:
    """The reference that a typed credential is; None where it is a secret's value itself.

    Args:
        form: secret, certificate, federated or managed_identity.
        text: as it was typed: a path counts as a file where a file is meant.
    """
    text = text.strip()
    if text.startswith(("env:", "file:", "keyvault:", "sealed:")) or not text:
        return text
    if form == MANAGED:
        return text
    return f"file:{text}" if form in (CERTIFICATE, FEDERATED) else None


def refuse_content(form: str, text: str) -> None:
    """Refuse a secret, a token or a key where a file that holds one is meant.

    As a path it would be kept in the database and shown with every error about it.

    Raises:
        AnswerError: it looks like one; does not repeat it.
    """
    if form in (CERTIFICATE, FEDERATED) and _CONTENT.match(text.strip()):
        raise AnswerError(
            "credential",
            "That looks like a secret or a token itself. Name the file that holds it; if this was "
            "a real one, make another.",
        )
