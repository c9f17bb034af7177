"""Both parts of a mail say the same facts; what the HTML part cuts is where it says it is."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from monitor.mail.words import defang
from monitor.model import Kind, Mail
from tests.acceptance.test_mail_rules import MAILS, Page

# Words that only help to lay one of the two out; rows have their date in a column of its own.
LAYOUT = {"open", "when", "credential", "stage", "result", "answer", "status", "page", "portal",
          "and", "ends", "ended"}  # fmt: skip


def spoken(text: str) -> set[str]:
    """The words of a text without punctuation around them."""
    found = (word.strip(".,:;()\"'`").lower() for word in text.split())
    return {word for word in found if re.search(r"\w", word)}


LISTS = re.compile(r"(?m)^And (\d+) more:\n((?:- .*\n)+)(.*)(?:\n(See .*): https://\S+)?")
FILED = re.compile(r"All (\d+) are in the attached lapsewatch\.csv\.")
WAITING = "lapsewatch-waiting.csv"


def parts_differ(mail: Mail) -> Iterator[str]:
    """Everything that only one part of a mail says, and that is not where it says it is."""
    said, told = Page(mail.html).text, mail.text
    for found in LISTS.finditer(mail.text):
        lines = [" ".join(line[2:].split()) for line in found[2].splitlines()]
        shown = sum(line in said for line in lines)
        if lines[:shown] != [line for line in lines if line in said]:
            yield "the HTML part does not begin with the first lines"
        if len(lines) != int(found[1]):
            yield f"{found[1]} more, but {len(lines)} lines"
        where = FILED.match(found[3])
        yield from _not_filed(mail, lines, int(where[1])) if where else ()
        waits = any(file.name == WAITING for file in mail.attachments)
        yield from _not_waiting(mail, lines) if waits else ()
        cut = "".join(f"{line}\n" for line in found[2].splitlines()[shown:])
        told = told.replace(cut, "", 1)
        heads = _pointers(len(lines), shown, filed=bool(where), waits=waits)
        head = next((head for head in heads if head in said), None)
        if head is None:
            yield f"the HTML part does not say that {len(lines) - shown} of {len(lines)} are cut"
        else:  # the number of what is cut is exact, so nothing else is said by it
            block = [*(f"\u2013 {line}" for line in lines[:shown])]
            if where:  # the same sentence in both, at the same place
                block = [head, *block, found[3], *([found[4]] if found[4] else [])]
            if " ".join(block) not in said:
                yield f"the HTML part does not show the list of {len(lines)} as the text does"
            said = said.replace(head, f"And {len(lines)} more")
        if not shown:
            told = told.replace(found[0].splitlines()[0], "", 1)
    whole, links = _facts(mail.text), set(re.findall(r"https://\S+", mail.text))
    yield from sorted(f"only in the text: {word}" for word in _facts(told) - _facts(said))
    yield from sorted(f"only in the HTML: {word}" for word in _facts(said) - whole)
    yield from sorted(f"a link in the HTML only: {link}" for link in Page(mail.html).links - links)


def _pointers(count: int, shown: int, *, filed: bool, waits: bool) -> list[str]:
    """How the HTML part may say that lines of a list are not in it.

    What waits is told by channels too, which take the text and no file: the text lists all of it.
    """
    if waits:
        return [f"And {count} more. All of it is in the attached {WAITING}."]
    if shown == count:
        return [f"And {count} more:"]
    if filed:
        some = f"And {count} more, the first {shown} of them:"
        return [some if shown else f"And {count} more."]
    if shown:  # the heading of the list stays as it is
        return [f"and {count - shown} more in the text part of this mail."]
    return [f"And {count} more. The text part of this mail lists them."]


def _not_filed(mail: Mail, lines: list[str], total: int) -> Iterator[str]:
    """What is not in the file that has all; each row stands for one line."""
    file = next((each for each in mail.attachments if each.name == "lapsewatch.csv"), None)
    if file is None:
        yield "there is no lapsewatch.csv"
        return
    rows = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"), newline="")))
    full = len(re.findall(r"(?m)^\d+\. [A-Z]+: ", mail.text))
    if total != full + len(lines) or total > len(rows):
        yield f"{full} in full and {len(lines)} more, but {total} said and {len(rows)} in the file"
    for line in lines:
        row = next((row for row in rows if _is_about(row, line)), None)
        if row is None:
            yield f"not in the file: {line}"
        else:
            rows.remove(row)


def _not_waiting(mail: Mail, lines: list[str]) -> Iterator[str]:
    """What waits and is not in the file of that; each row stands for one line."""
    file = next((each for each in mail.attachments if each.name == WAITING), None)
    text = file.content.decode("utf-8-sig") if file else ""
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    for line in lines:
        row = next((row for row in rows if _waits(row, line)), None)
        if row is None:
            yield f"not in the file of what waits: {line}"
        else:
            rows.remove(row)


def _waits(row: Mapping[str, str], line: str) -> bool:
    """Whether a line is about this row: what waits, and for whom."""
    return defang(row["what"]) in line and line.endswith(f"for {row['recipient']}")


def _is_about(row: Mapping[str, str], line: str) -> bool:
    """Whether a line shows this row's app, tenant and id."""
    shown = line.endswith((f"id {row['app_id']}", f"id {row['object_id']}"))
    named = f": {defang(row['app_name'])}, " in line and f" in {defang(row['tenant'])}" in line
    return named and (shown or row["kind"] == Kind.ITEM)


def _facts(text: str) -> set[str]:
    return spoken(re.sub(r"https://\S+|\d+\.\s", " ", text)) - LAYOUT


@pytest.mark.parametrize("name", MAILS)
def test_text_and_html_hold_the_same_facts(name: str) -> None:
    """Some people read only the one, some only the other; what one cuts, a file has."""
    assert list(parts_differ(MAILS[name])) == []


@pytest.mark.parametrize(
    "name", [name for name, mail in MAILS.items() if "And 182 more" in mail.text]
)
@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("html", "the first 40 of them", "the first 41 of them"),
        ("html", "All 200 are in the attached", "Many are in an"),
        ("html", "See them on", "Look for them on"),
        ("text", "All 200 are", "All 199 are"),
        ("text", "See them on the status page", "See the page"),
        ("html", "&ndash; ", "&ndash; Not "),
    ],
)  # fmt: skip
def test_parts_that_differ_are_caught(name: str, part: str, old: str, new: str) -> None:
    """The rule above would otherwise prove nothing."""
    mail = MAILS[name]
    bad = getattr(mail, part).replace(old.replace("&ndash;", "\u2013"), new)
    assert bad != getattr(mail, part)
    assert list(parts_differ(replace(mail, **{part: bad}))) != []


def test_a_line_that_is_not_in_the_file_is_caught() -> None:
    """No file, and one without the last of the lines."""
    mail = MAILS["lapsed-200"]
    assert "there is no lapsewatch.csv" in list(parts_differ(replace(mail, attachments=())))
    file = mail.attachments[0]
    less = replace(file, content=file.content.rstrip().rpartition(b"\n")[0])
    [_, problem] = parts_differ(replace(mail, attachments=(less,)))
    assert problem.startswith("not in the file: ")
