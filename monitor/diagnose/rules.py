"""The rules of a data file: checked, compiled, and whether one fits a text. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from monitor.diagnose.text import Seen

Retry = Literal["never", "later", "after_fix"]
_T = TypeVar("_T")
_RULE = re.compile(r"\s*\[\[\s*rule\s*\]\]")

# A rule that matched by its code alone gives way to one that matched by its words.
CODE_ONLY_PENALTY = 20
# Words in front of the innermost code may belong to an outer reply.
OUTER_WORDS_PENALTY = 15
_CODE_SHAPE = re.compile(r"[245]\.[0-7]\.[0-9x]{1,3}")
# What Python's regex engine may need seconds for: an open-ended repeat, or a repeated group.
_REGEX_LITERALS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
# What is asked over HTTPS: the stages of a token and of Graph, and the doctor's sign-in host.
_WEB = ("authority", "token", "graph")
_REGEX_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}|\)\{")


@dataclass(frozen=True, slots=True)
class Cause:
    """One id of the vocabulary: what it means, what heals it, and whether waiting helps.

    `fix_web` stands in place of `fix` where Entra or Graph was asked; empty where `fix` fits both.
    """

    id: str
    title: str
    explanation: str
    fix: str
    retry: Retry
    fix_web: str = ""

    def remedy(self, stage: str | None) -> str:
        """What to do where it failed at this stage; None: at none that is known."""
        return self.fix_web if self.fix_web and stage in _WEB else self.fix


class _CauseSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `[cause.<id>]` table as written."""

    title: str
    explanation: str
    fix: str
    retry: Retry
    fix_web: str = ""


class RuleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `[[rule]]` table as written; the head of the data file explains each key."""

    id: str
    cause: str
    also: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    at: str | None = None
    enhanced: tuple[str, ...] = ()
    aadsts: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    words: str | None = None
    phrases: tuple[str, ...] = ()
    certain: bool | None = None
    priority: int = 50
    explanation: str | None = None
    fix: str | None = None
    retry: Retry | None = None


class FileSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The data file; each table is checked by itself, so that an error can name it."""

    cause: dict[str, Any]
    rule: list[dict[str, Any]]


class OwnFileSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operator's file, which need not hold both."""

    cause: dict[str, Any] = {}
    rule: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that fits: by which codes, and whether also by its words."""

    rule: Rule
    codes: frozenset[str]
    by_words: bool
    place: int

    def rank(self, code: str | None, places: Mapping[str, int]) -> tuple[int, int, int] | None:
        """Order this hit among those for the code now looked at; None when it has no say there."""
        by_code = code in self.codes
        if not by_code and not self.by_words:
            return None
        priority, at = self.rule.spec.priority, places.get(code or "", 0)
        if by_code and not self.by_words and not self.rule.phrases:
            priority -= CODE_ONLY_PENALTY
        elif not by_code and self.place < at:
            priority -= OUTER_WORDS_PENALTY
        return (
            priority,
            max(self.place, at if by_code else 0),
            len(self.rule.phrases) + bool(self.rule.spec.stage),
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready for use: codes spelled out, expressions compiled."""

    spec: RuleSpec
    codes: frozenset[str]
    names: frozenset[str]
    words: re.Pattern[str] | None
    phrases: tuple[re.Pattern[str], ...]

    def hit(self, seen: Seen, stage: str | None) -> Hit | None:
        """Tell whether the rule fits: one of its signs, and all of its phrases."""
        if self.spec.stage and stage not in self.spec.stage:
            return None
        codes = self.codes & (seen.aadsts.keys() | seen.enhanced.keys())
        found = self.words.search(seen.text) if self.words else None
        signs = bool(self.codes or self.names or self.words)
        by_words = bool(found) or bool(self.names & seen.names) or not signs
        if not codes and not by_words:
            return None
        place = found.start() if found else 0
        for phrase in self.phrases:
            match = phrase.search(seen.text)
            if match is None:
                return None
            place = max(place, match.start())
        return Hit(self, codes, by_words, place)


def read_cause(name: str, table: Any) -> Cause:
    """Check a `[cause.<id>]` table."""
    spec = convert(table, _CauseSpec, f"cause {name!r}")
    if not (spec.title and spec.explanation and spec.fix):
        raise ValueError(f"cause {name!r}: title, explanation and fix must not be empty")
    return Cause(name, spec.title, spec.explanation, spec.fix, spec.retry, spec.fix_web)


def read_rules(
    tables: Iterable[dict[str, Any]],
    causes: Mapping[str, Cause],
    *,
    taken: Iterable[str] = (),
    lines: Sequence[int] = (),
) -> Iterator[Rule]:
    """Check the `[[rule]]` tables in their order.

    Args:
        tables: as written.
        causes: the vocabulary.
        taken: ids that other rules have.
        lines: where in its file each table begins, if that is to be told.

    Raises:
        ValueError: a rule is wrong; says which and why.
    """
    known = set(taken)
    for number, table in enumerate(tables, start=1):
        where = f"rule {table.get('id')!r} (number {number})"
        if number <= len(lines):
            where += f" in line {lines[number - 1]}"
        spec = convert(table, RuleSpec, where)
        problem = _problem(spec, known, causes)
        if problem:
            raise ValueError(f"{where}: {problem}")
        known.add(spec.id)
        yield _compile(spec, where)


def rule_lines(text: str) -> list[int]:
    """In which line of a file each `[[rule]]` begins."""
    lines = text.splitlines()
    return [number for number, line in enumerate(lines, start=1) if _RULE.match(line)]


def _problem(spec: RuleSpec, known: set[str], causes: Mapping[str, Cause]) -> str | None:
    """Say what is wrong with a rule whose keys and types are right."""
    if not spec.id or spec.id in known:
        return "each rule needs an id of its own, other than the built-in ones"
    for name in (spec.cause, *spec.also):
        if name not in causes:
            return f"there is no [cause.{name}]"
    if spec.cause in spec.also:
        return "also repeats the cause"
    if spec.also and spec.certain:
        return "a rule that names other causes cannot be certain"
    if not (spec.enhanced or spec.aadsts or spec.names or spec.words or spec.phrases):
        return "it would match everything: give enhanced, aadsts, names, words or phrases"
    bad = [code for code in spec.enhanced if not _CODE_SHAPE.fullmatch(code)]
    return f"{bad[0]!r} is not an enhanced code such as 5.7.3 or 5.7.6xx" if bad else None


def _compile(spec: RuleSpec, where: str) -> Rule:
    codes = {f"AADSTS{number}" for number in spec.aadsts}
    for code in spec.enhanced:
        choices = ("0123456789" if character == "x" else character for character in code)
        codes |= {"".join(digits) for digits in itertools.product(*choices)}
    return Rule(
        spec=spec,
        codes=frozenset(codes),
        names=frozenset(name.lower() for name in spec.names),
        words=_expression(spec.words, where) if spec.words is not None else None,
        phrases=tuple(_expression(phrase, where) for phrase in spec.phrases),
    )


def _expression(text: str, where: str) -> re.Pattern[str]:
    """Compile an expression that stays quick on any text; raises ValueError for others."""
    if not text:
        raise ValueError(f"{where}: an empty expression matches everything")
    if _REGEX_UNBOUNDED.search(_REGEX_LITERALS.sub("x", text)):
        raise ValueError(f"{where}: {text!r} may take very long: bound the repeat, as .{{0,80}}")
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"{where}: {text!r} is not a regular expression: {error}") from error


def convert(table: Any, kind: type[_T], where: str) -> _T:
    """Check a table against its shape; raises ValueError with where and why."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where}: {error}") from error
