"""What is wrong with a file or a variable, in plain words: where it stands, and what to write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from monitor.addresses import BIDI_OR_HIDDEN as BIDI_OR_HIDDEN

_LIST = 'must be a list in brackets, like ["{}"]'
_EXAMPLES = {"recipients": "it@contoso.example", "canary_to": "canary@contoso.example"}
_TABLE = "must be a table of keys and values (in an environment variable: JSON)"
_NUMBER = "must be a whole number, like 25"
_WORDS = {
    "tuple_type": _LIST,
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_parsing_size": _NUMBER,
    "int_from_float": _NUMBER,
    "string_type": "must be text in quotes",
}


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be."""
    lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.6)
    return lower[found[0]] if found else None


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The message for a key nobody knows, with the nearest known one."""
    names = sorted(known)
    near = nearest(key, names)
    hint = f'did you mean "{near}"?' if near else "known keys: " + ", ".join(names)
    return f'unknown key "{printable(key)}"; {hint}'


def printable(text: str, limit: int = 80) -> str:
    """`text` in a form that is safe in a terminal: no control or bidi characters, not too long."""
    safe = "".join(c if c.isprintable() and not BIDI_OR_HIDDEN.match(c) else "?" for c in text)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Every problem of a validation as `path: what is wrong`, without the values themselves."""
    return [text for _, text in explain_places(error, model)]


def explain_places(error: ValidationError, model: type[BaseModel]) -> list[tuple[str, str]]:
    """Every problem with the dotted path of the key that it is about, as `explain` words it."""
    problems = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        path = ".".join(printable(str(part)) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            parent = path.rpartition(".")[0] if len(item["loc"]) > 1 else ""
            text = unknown_key(str(item["loc"][-1]), _fields_at(model, item["loc"][:-1]))
            problems.append((path, f"[{parent}]: {text}" if parent else text))
        else:
            text = _plain(item["type"], item["msg"], str(item["loc"][-1]) if item["loc"] else "")
            problems.append((path, f"{path}: {text}" if path else text))
    return problems


def _plain(kind: str, message: str, key: str) -> str:
    """What is to be written instead, without the checking library's own words for it."""
    if kind == "missing":
        return "is missing"
    said = message.removeprefix("Value error, ").replace("Input should be", "must be", 1)
    return _WORDS[kind].format(_EXAMPLES.get(key, "…")) if kind in _WORDS else said


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that a table at `loc` may have."""
    current: Any = model
    for part in loc:
        field = getattr(current, "model_fields", {}).get(part)
        if field is not None:
            current = _model_in(field.annotation)
    return list(getattr(current, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
