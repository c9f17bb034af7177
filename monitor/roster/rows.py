"""Where the rows of a tenants file stand: TOML tables and CSV lines, each key with its line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.config import parse_toml, read_text
from monitor.errors import ImportRowError
from monitor.fields import REFERENCE_FORMS, is_address, whole_number
from monitor.fields.problems import nearest, printable, unknown_key

TABLES = ("app", "tenant", "note", "item")
_LISTS = ("recipients", "thresholds", "tags", "canary_to")
_NUMBERS = ("send_hour", "weekly_after_lapse", "smtp_port", "rate_per_minute")
_TOO_MANY = "(too many cells)"
# What a spreadsheet runs, behind any apostrophes that keep it from doing so.
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")


@dataclass(slots=True)
class Row:
    """One [[app]], [[tenant]], [[note]] or [[item]] (or CSV line), and where its keys stand.

    `told` has better words than the checks for what is wrong with a key.
    """

    table: dict[str, Any]
    line: int
    lines: dict[str, int] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)

    def line_of(self, path: str) -> int:
        """The line of a key; where it has none of its own, that of what holds it."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return self.lines.get(path, self.line)

    def reworded(self, problems: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """What the checks said, by dotted path, in the words that are known to be better."""
        return [(path, self.told.get(path, text)) for path, text in problems]

    @property
    def label(self) -> str:
        """What the row is called in messages."""
        named = self.table.get("name") or self.table.get("app") or ""
        return printable(str(named), 40) or "row without a name"


def rows_of(
    file: Path, columns: Collection[str]
) -> tuple[dict[str, list[Row]], list[ImportRowError]]:
    """The rows of a file by the name of their table, and what is wrong with it as a whole.

    Args:
        file: TOML, or CSV when its name ends in .csv.
        columns: the names that a CSV column may have.

    Raises:
        SettingsError: it cannot be read.
    """
    text = read_text(file)
    if file.suffix.lower() == ".csv":
        rows, errors = _csv_rows(text, columns)
        return {"tenant": rows}, errors
    return _toml_rows(file, text)


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: one more apostrophe before what looks so."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unguarded(cell: str) -> str:
    """What `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _toml_rows(file: Path, text: str) -> tuple[dict[str, list[Row]], list[ImportRowError]]:
    document = parse_toml(text, file)
    errors = [
        ImportRowError(unknown_key(key, TABLES), line=_line_of(text, key), row=file.name)
        for key in document
        if key not in TABLES
    ]
    found: dict[str, list[Row]] = {name: [] for name in TABLES}
    for name, rows in found.items():
        tables = document.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            line = _line_of(text, name)
            problem = f"write [[{name}]] with two brackets: there can be several"
            errors.append(ImportRowError(problem, line=line, row=file.name))
            continue
        places = _toml_places(text, name)
        for index, table in enumerate(tables):
            line, lines = places[index] if index < len(places) else (1, {})
            rows.append(Row(table, line, lines))
    return found, errors


def _toml_places(text: str, name: str) -> list[tuple[int, dict[str, int]]]:
    """For each [[name]]: its line, and the line of each key in it, by its dotted path."""
    places: list[tuple[int, dict[str, int]]] = []
    prefix: str | None = None  # of the keys that follow; None outside of [[name]]
    for number, line in enumerate(text.split("\n"), start=1):
        if header := re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line):
            table = header[1].replace(" ", "").replace('"', "")
            inner = table.removeprefix(f"{name}.")
            if table == name:
                places.append((number, {}))
                prefix = ""
            elif inner != table and places:
                places[-1][1].setdefault(inner, number)
                prefix = f"{inner}."
            else:
                prefix = None
        elif prefix is not None and (match := re.match(r'\s*("?[\w."-]+?"?)\s*=', line)):
            places[-1][1].setdefault(prefix + match[1].replace('"', ""), number)
    return places


def _line_of(text: str, key: str) -> int:
    for number, line in enumerate(text.split("\n"), start=1):
        if key in line:
            return number
    return 1


def _csv_rows(text: str, columns: Collection[str]) -> tuple[list[Row], list[ImportRowError]]:
    delimiter, text = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    errors: list[ImportRowError] = []
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return rows, errors
        except csv.Error as error:
            told = f"is not valid CSV: {error}"
            errors.append(ImportRowError(told, line=line, row="row that cannot be read"))
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = [name.strip().lower() for name in cells]
            for name in sorted({name for name in header if name and header.count(name) > 1}):
                told = f'the column "{printable(name)}" comes twice'
                errors.append(ImportRowError(told, line=line, row="first line"))
        else:
            rows.append(_csv_row(header, cells, line, columns))


def _delimiter(text: str) -> tuple[str, str]:
    """The separator, and the text without the line in which Excel may name it."""
    first, _, rest = text.partition("\n")
    if named := re.fullmatch(r'"?sep=(.)"?[;,\t]*\s*', first, re.IGNORECASE):
        return named[1], "\n" + rest  # lines keep their numbers
    return max((",", ";", "\t"), key=first.count), text


def _csv_row(
    header: Sequence[str], cells: Sequence[str], line: int, columns: Collection[str]
) -> Row:
    """One CSV line; what stands under no known column name is left for the checks to refuse."""
    names = [*header, *[_TOO_MANY] * (len(cells) - len(header))]
    numbered = enumerate(zip(names, cells, strict=False), start=1)
    filled = [(n, name, _unguarded(cell.strip())) for n, (name, cell) in numbered if cell.strip()]
    row = Row(_csv_table([(name, cell) for _, name, cell in filled]), line)
    for number, name, cell in filled:
        plain = name.replace(".", "_")
        if not name:
            which = f'"{cell.strip()}"' if _is_harmless(cell) else f"in column {number}"
            row.told.setdefault("", f"the cell {which} stands under no column name")
        elif plain not in columns and (near := nearest(plain, columns)):
            told = f'unknown column "{printable(name)}"; did you mean "{near}"?'
            row.told[".".join(_place(plain))] = told
    return row


def _place(column: str) -> list[str]:
    """sender_credential_secret is secret in the table sender, and so on."""
    inner = column.removeprefix("sender_").removeprefix("credential_")
    return ["sender", inner] if column.startswith("sender_") else [inner]


def _is_harmless(cell: str) -> bool:
    """Whether a cell may be repeated: anything else might be the value of a secret."""
    return is_address(cell) or cell.strip().startswith(REFERENCE_FORMS)


def _csv_table(cells: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """One CSV line in the shape of a [[tenant]]: sender_mailbox is sender.mailbox, and so on."""
    table: dict[str, Any] = {}
    sender: dict[str, Any] = {}
    for key, value in cells:
        *inner, name = _place(key.replace(".", "_"))
        target = sender if inner else table
        if name in ("secret", "certificate", "managed_identity", "federated", "password"):
            held = target.get("credential", {})
            # Two credentials in one row are refused later; here neither may hide the other.
            known = held if isinstance(held, dict) else {"credential": held}
            target["credential"] = {**known, name: value.strip()}
        elif name == "arrival_app" or (name in _LISTS and value.startswith("[")):
            target[name] = _json_list(value)
        elif name in _LISTS:
            items = [item.strip() for item in re.split(r"[;|, ]", value) if item.strip()]
            target[name] = [whole_number(i) for i in items] if name == "thresholds" else items
        else:
            target[name] = whole_number(value) if name in _NUMBERS else value.strip()
    if sender:
        table["sender"] = sender
    return table


def _json_list(text: str) -> Any:
    """A list or table as JSON writes it, for what has spaces or keys of its own."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return [text]  # which the checks refuse
