"""Writes the tables of docs/reference from the code, so that they cannot say something else.

Usage: python docs/generate.py [--check]

Each table stands between `<!-- generated: NAME -->` and `<!-- end -->`. With --check nothing is
written, and the exit code is 1 when a page is out of date. What a setting is for stands in
docs/reference/settings.toml: a setting without a text there, or a text without a setting, fails.
"""

from __future__ import annotations

import re
import sys
import tomllib
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
sys.path.insert(0, str(ROOT))

from pydantic import BaseModel  # noqa: E402
from pydantic_core import PydanticUndefined  # noqa: E402

from monitor import fields  # noqa: E402
from monitor.cli.root import app as commands  # noqa: E402
from monitor.config import PRESETS, Settings  # noqa: E402
from monitor.fields import watching  # noqa: E402
from monitor.model import (  # noqa: E402
    STAGES,
    BlindKind,
    CanaryResult,
    Cloud,
    CredentialRef,
    CredentialState,
    Kind,
    MailKind,
    Recipient,
    Sort,
    TenantState,
    stage_label,
)
from monitor.roster import AppTable, ItemTable, NoteTable, TenantTable  # noqa: E402

_PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_TYPES: dict[Any, str] = {
    str: "text", int: "number", bool: "true or false", timedelta: 'duration, such as "6h"',
    time: 'time of day, such as "07:00"',
    date: "date",
    CredentialRef: "[credential](tenants-file.md#credentials)",
    Recipient: "[recipient](tenants-file.md#recipients)",
    Any: "date or instant",
    Kind: "kind of credential",
    Sort: " or ".join(f'"{sort}"' for sort in Sort),
}  # fmt: skip
_LISTS = ("app", "tenant", "note", "item", "forbid", "route", "ignore", "recipient")
# The named types of monitor/fields/; another one is called what it is made of.
_WORDS = {
    "Guid": "GUID", "Address": "mail address", "ZoneName": "IANA time zone",
    "Domain": "domain of a mail address", "WorkingDays": "list of days",
    "Hour": "hour, 0 to 23", "Thresholds": "list of whole days, 0 to 3650",
    "Interval": 'duration of at least "1m", such as "6h"', "Port": "port", "Host": "host name",
    "Within": 'duration from "1m" to "1d", such as "30m"',
    "Shadow": 'duration of at most "365d", such as "14d"',
    "Deadline": 'duration, such as "30s"', "Duration": 'duration, such as "30s"',
    "HttpsAddress": "https address", "WebAddress": "web address", "Weeks": "number of weeks",
    "GraphAddress": "https address (http on loopback only)",
    "HeartbeatAddress": "https address, `file:PATH` or `env:NAME`",
    "VaultAddress": "https address with `{vault}`", "KeyReference": "`file:PATH` or `env:NAME`",
}  # fmt: skip
_NAMED = {
    words: found
    for name, words in _WORDS.items()
    if (found := getattr(fields, name, None) or getattr(watching, name, None))
}


# --- settings and tenants files ------------------------------------------------------------------


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key that a table may have, as `table.key`, with its pydantic field."""
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is None:
            yield f"{prefix}{name}", field
        else:
            many = typing.get_origin(field.annotation) is dict
            yield from keys(inner, f"{prefix}{name}.{'NAME.' if many else ''}")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in typing.get_args(annotation))
    return next((model for model in found if model is not None), None)


def _type_name(field: Any) -> str:
    for words, named in _NAMED.items():
        base, *marks = typing.get_args(named)
        if field.annotation == base and list(field.metadata[: len(marks)]) == marks:
            return words
    return _of(field.annotation)


def _of(annotation: Any) -> str:
    if annotation in _TYPES:
        return _TYPES[annotation]
    for words, named in _NAMED.items():
        if annotation == named:
            return words
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return " or ".join(f'"{word}"' for word in annotation)
    if origin is Literal:
        return " or ".join(f'"{word}"' for word in arguments)
    if origin is tuple:
        return f"list of {_of(arguments[0])}"
    if origin in (types.UnionType, typing.Union):
        return _of(next(inner for inner in arguments if inner is not type(None)))
    if origin is typing.Annotated:
        return _of(arguments[0])
    raise TypeError(f"no words for {annotation}")


def _default(field: Any) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "needed"
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, timedelta):
        return f'`"{_duration(value)}"`'
    if isinstance(value, time):
        return f'`"{value:%H:%M}"`'
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    units = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    return next(f"{seconds // size}{unit}" for unit, size in units if seconds % size == 0)


def settings_texts() -> dict[str, dict[str, str]]:
    """What each key is for: {"settings": {key: text}, "tenants": {key: text}}."""
    return tomllib.loads((REFERENCE / "settings.toml").read_text("utf-8"))


def _key_table(found: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    if found.keys() != texts.keys():
        missing = sorted(found.keys() - texts.keys())
        extra = sorted(texts.keys() - found.keys())
        raise SystemExit(f"docs/reference/settings.toml: no text for {missing}; no key {extra}")
    out = []
    for section in dict.fromkeys(key.rpartition(".")[0] for key in found):
        rows = [
            (f"`{key.rpartition('.')[2]}`", _type_name(field), _default(field), texts[key])
            for key, field in found.items()
            if key.rpartition(".")[0] == section
        ]
        out.append(f"### {_heading(section)}\n\n{table(('Key', 'Type', 'Default', 'What'), rows)}")
    return "\n".join(out)


def _heading(section: str) -> str:
    if section.endswith(".smtp"):
        return f"`smtp = {{ … }}` in `[{section.removesuffix('.smtp')}]`"
    if section.endswith(".arrival_app"):
        return f"`arrival_app = {{ … }}` in `[{section.removesuffix('.arrival_app')}]`"
    return f"`[[{section}]]`" if section in _LISTS else f"`[{section}]`"


def settings_keys() -> dict[str, Any]:
    """Every key of lapsewatch.toml."""
    return dict(keys(Settings))


def tenants_keys() -> dict[str, Any]:
    """Every key of a tenants file."""
    tables = {"app.": AppTable, "tenant.": TenantTable, "note.": NoteTable, "item.": ItemTable}
    return dict(key for prefix, model in tables.items() for key in keys(model, prefix))


def clouds() -> str:
    """The addresses of the preset clouds."""
    names = [field for field in Cloud.__dataclass_fields__ if field not in ("name", "ca_file")]
    rows = [
        (f"`{name}`", *(f"`{getattr(cloud, name)}`" for cloud in PRESETS.values()))
        for name in names
    ]
    return table(("Key", *(f"`{name}`" for name in PRESETS)), rows)


# --- commands ------------------------------------------------------------------------------------


def command_tree() -> dict[str, Any]:
    """Every command by its full name; "" is `lapsewatch` itself."""
    import typer

    found: dict[str, Any] = {}

    def walk(command: Any, path: str) -> None:
        inner = getattr(command, "commands", None)
        if inner is None or not path:
            found[path] = command
        for name, child in (inner or {}).items():
            walk(child, f"{path} {name}".strip())

    walk(typer.main.get_command(commands), "")
    return found


def commands_page() -> str:
    """Each command with its options."""
    out = []
    for name, command in command_tree().items():
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        words = [name] if name else []
        words += ["[OPTIONS]"] if options else []
        words += [p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments]
        words += [] if name else ["COMMAND"]
        about = " ".join((command.help or "").split())
        rows = [(f"`{p.name.upper()}`", getattr(p, "help", None) or "") for p in arguments]
        rows += [
            (", ".join(f"`{opt}`" for opt in (*p.opts, *p.secondary_opts)), _option(p))
            for p in options
        ]
        text = f"### `{f'lapsewatch {name}'.strip()}`\n\n{about}\n\n"
        text += f"```text\nlapsewatch {' '.join(words)}\n```\n"
        out.append(text + (f"\n{table(('Option', 'What'), rows)}" if rows else ""))
    return "\n".join(out)


def _option(option: Any) -> str:
    default = option.default
    shown = default not in (None, False, True, ()) and not callable(default)
    return f"{option.help or ''}{f' Default: {default}.' if shown else ''}"


# --- causes, mails, words, metrics ---------------------------------------------------------------


def cause_tables() -> dict[str, dict[str, str]]:
    """Every cause of the rules file, by id."""
    text = (ROOT / "monitor" / "diagnose_rules.toml").read_text("utf-8")
    return dict(sorted(tomllib.loads(text)["cause"].items()))


def causes() -> str:
    """Each cause: what it means, whether waiting helps, what to do."""
    rows = [
        (f"`{name}`", f"{one['title']}. {one['explanation']}", f"`{one['retry']}`", _fix(one))
        for name, one in cause_tables().items()
    ]
    return table(("Cause", "What it means", "Retry", "What to do"), rows)


def _fix(cause: dict[str, str]) -> str:
    web = cause.get("fix_web")
    return f"{cause['fix']} Where Entra or Graph was asked: {web}" if web else cause["fix"]


def sent_kinds() -> list[str]:
    """The kinds of mail that have a template, and so can be sent."""
    folder = ROOT / "templates" / "email"
    return [str(kind) for kind in MailKind if (folder / kind / "subject.txt").exists()]


def metrics() -> str:
    """Each metric with its labels, as a full report writes them."""
    from monitor.web.metrics import to_metrics
    from tests.status_samples import bad_morning

    text = to_metrics(bad_morning(), version="0", per_credential=True).decode()
    about = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    kinds = dict(re.findall(r"^# TYPE (\S+) (.*)$", text, re.MULTILINE))
    rows = []
    for name, words in about.items():
        samples = re.findall(rf"^{name}\{{(.*)\}} ", text, re.MULTILINE)
        labels = sorted(set(re.findall(r'(\w+)="', samples[0]))) if samples else []
        rows.append((f"`{name}`", kinds[name], ", ".join(f"`{x}`" for x in labels), words))
    return table(("Metric", "Type", "Labels", "What"), rows)


def _words(enum: Any) -> Callable[[], str]:
    return lambda: ", ".join(f"`{word}`" for word in enum) + ".\n"


def status_keys() -> dict[str, list[str]]:
    """The keys of each part of `status --json`."""
    from monitor.shape import as_json
    from tests.status_samples import bad_morning

    report: Any = as_json(bad_morning())
    parts: dict[str, Any] = {"(top)": report}
    parts |= {name: report[name][0] for name in ("tenants", "credentials", "canaries")}
    return {**{name: list(part) for name, part in parts.items()},
            "deliveries": list(report["deliveries"])}  # fmt: skip


PARTS: dict[str, Callable[[], str]] = {
    "settings": lambda: _key_table(settings_keys(), settings_texts()["settings"]),
    "tenants": lambda: _key_table(tenants_keys(), settings_texts()["tenants"]),
    "clouds": clouds,
    "commands": commands_page,
    "causes": causes,
    "metrics": metrics,
    "credential-states": _words(CredentialState),
    "tenant-states": _words(TenantState),
    "canary-results": _words(CanaryResult),
    "blind-kinds": _words(BlindKind),
    "credential-kinds": _words(Kind),
    "stages": _words([stage_label(stage) for stage in STAGES]),
}


# --- pages ---------------------------------------------------------------------------------------


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    # <mailbox> outside of `code` would be read as HTML, and be gone.
    halves = re.split(r"(`[^`]*`)", line)
    return "".join(
        part if part.startswith("`") else part.replace("<", "&lt;").replace(">", "&gt;")
        for part in halves
    )


def filled(page: str) -> str:
    """The page with every generated part as the code has it."""
    return _PART.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}{match[3]}", page)


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check compare them."""
    stale = []
    for path in sorted(REFERENCE.glob("*.md")):
        page = path.read_text("utf-8")
        if (fresh := filled(page)) != page:
            stale.append(path.relative_to(ROOT))
            if "--check" not in arguments:
                path.write_text(fresh, "utf-8")
    for path in stale:
        print(f"{path}: {'out of date' if '--check' in arguments else 'written'}")
    print(f"{len(stale)} pages changed.")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
