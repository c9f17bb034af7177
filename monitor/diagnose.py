"""Names the cause behind any SMTP reply, token, Graph or network error, and what to do next."""

from __future__ import annotations

import html
import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Self, TypeVar

import msgspec

Retry = Literal["never", "later", "after_fix"]
_T = TypeVar("_T")

# The start of a text holds the reply, the end holds the innermost error of a long trace.
EXAMINED_HEAD = 16_000
EXAMINED_TAIL = 8_000
# A hostile text could hold thousands of codes; a real one nests three or four.
MAX_CODES = 12
SHOWN = 300
# A rule that matched by its code alone gives way to one that matched by its words.
CODE_ONLY_PENALTY = 20
# Words in front of the innermost code may belong to an outer reply.
OUTER_WORDS_PENALTY = 15
UNKNOWN = "unknown"
_RETRY_OF_CLASS: dict[str, Retry] = {"4": "later", "5": "after_fix"}

_INVISIBLE = dict.fromkeys([0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
_CONTROL = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {ord("\r"), ord("\n")}, " ")
_QUOTES = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'}
_CLEAN = {**_CONTROL, **_INVISIBLE, **_QUOTES}

_ESCAPES = (("\\r", ""), ("\\n", "\n"), ("\\t", " "), ('\\"', '"'), ("\\'", "'"))
_BACKSLASHES = re.compile(r"\\{2,}")
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_REPLY_PREFIX = re.compile(r"\s{0,8}(?:([245]\d\d)[ -])?\s?([245]\.[0-7]\.\d{1,3})?(?=[\s-]|$)")
_HTML = re.compile(r"<!doctype html|<html|<head>|<body", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{1,400}>")
_ENHANCED = re.compile(r"(?<![\w.@/])[45]\.[0-7]\.\d{1,3}(?!\.?\d)(?!\w)")
_AADSTS = re.compile(r"AADSTS[ :]?(\d{5,8})(?!\d)", re.IGNORECASE)
_ERROR_CODES = re.compile(r"(?i)error_codes\W{1,6}(\d[\d, ]{0,80})|error\?code=(\d{5,8})")
_WORD = re.compile(r"[A-Za-z]\w{4,63}")
_BASIC_CLASS = re.compile(r"^\W{0,4}([45])\d\d(?=[\s,:-]|$)|\bsmtp; ?([45])\d\d\b", re.IGNORECASE)
_SECRET = re.compile(
    r"(?i)(\b(?:bearer|client_secret|password)\W{1,4})[^\s'\"&,]{6,4000}|[\w+/=~.-]{60,4000}"
)
_CODE_SHAPE = re.compile(r"[245]\.[0-7]\.[0-9x]{1,3}")
# What Python's regex engine may need seconds for: an open-ended repeat, or a repeated group.
_REGEX_LITERALS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
_REGEX_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}|\)\{")


@dataclass(frozen=True, slots=True)
class Cause:
    """One id of the vocabulary: what it means, what heals it, and whether waiting helps."""

    id: str
    title: str
    explanation: str
    fix: str
    retry: Retry


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a text means; `certain` is false when `also` names other causes that fit as well."""

    cause: str
    also: tuple[str, ...]
    stage: str | None
    retry: Retry
    certain: bool
    explanation: str
    fix: str
    rule: str


class _CauseSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `[cause.<id>]` table as written."""

    title: str
    explanation: str
    fix: str
    retry: Retry


class _RuleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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


class _FileSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The data file; each table is checked by itself, so that an error can name it."""

    cause: dict[str, Any]
    rule: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A text in its normal form, with the codes found in it (outermost first) and where."""

    text: str
    aadsts: dict[str, int]
    enhanced: dict[str, int]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Hit:
    """A rule that fits: by which codes, and whether also by its words."""

    rule: _Rule
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
class _Rule:
    """A rule ready for use: codes spelled out, expressions compiled."""

    spec: _RuleSpec
    codes: frozenset[str]
    names: frozenset[str]
    words: re.Pattern[str] | None
    phrases: tuple[re.Pattern[str], ...]

    def hit(self, seen: _Seen, stage: str | None) -> _Hit | None:
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
        return _Hit(self, codes, by_words, place)


class Rulebook:
    """The rules and the vocabulary of one data file."""

    __slots__ = ("_rules", "causes")

    def __init__(self, causes: Mapping[str, Cause], rules: tuple[_Rule, ...]) -> None:
        self.causes: Mapping[str, Cause] = MappingProxyType(dict(causes))
        self._rules = rules

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a data file.

        Args:
            text: the TOML text; the keys are explained at the head of `diagnose_rules.toml`.

        Raises:
            ValueError: the text is no TOML, or a cause or rule is wrong; says which and why.
        """
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"the rules are not valid TOML: {error}") from error
        file = _convert(data, _FileSpec, "the rules")
        causes = {name: _cause(name, table) for name, table in file.cause.items()}
        if UNKNOWN not in causes:
            raise ValueError(f"[cause.{UNKNOWN}] is missing")
        return cls(causes, tuple(_rules(file.rule, causes)))

    def describe(self, cause: str) -> Cause:
        """Look up one id of the vocabulary; raises KeyError for any other."""
        return self.causes[cause]

    def diagnose(self, text: str, *, stage: str | None = None) -> Diagnosis:
        """Name the cause behind a text; never raises on any text.

        The innermost code decides first, since a server nests the reason it had in the reply it
        gives later (530 5.7.57 … Error: 535 5.7.139 …). Basic codes and HTTP statuses mislead
        and are only used for the retry of a text that no rule knows.

        Args:
            text: a reply, NDR line, error body, exception text or page, whole or in part.
            stage: where it came from, if known (`auth`, `token`, `graph` …).
        """
        seen = _look(text)
        hits = [hit for rule in self._rules if (hit := rule.hit(seen, stage)) is not None]
        for code in list(reversed(seen.aadsts))[:MAX_CODES]:
            # Words have no say here: a token error's words quote those of other errors.
            token = _best([hit for hit in hits if code in hit.codes], code, seen.aadsts)
            if token is not None:
                return self._found(token, stage or token.at or "token")
        for inner in (*list(reversed(seen.enhanced))[:MAX_CODES], None):
            best = _best(hits, inner, seen.enhanced)
            if best is not None:
                return self._found(best, stage or best.at)
        return self._unknown(seen, stage)

    def _found(self, spec: _RuleSpec, stage: str | None) -> Diagnosis:
        cause = self.causes[spec.cause]
        return Diagnosis(
            cause=cause.id,
            also=spec.also,
            stage=stage,
            retry=spec.retry or cause.retry,
            certain=not spec.also if spec.certain is None else spec.certain,
            explanation=spec.explanation or cause.explanation,
            fix=spec.fix or cause.fix,
            rule=spec.id,
        )

    def _unknown(self, seen: _Seen, stage: str | None) -> Diagnosis:
        cause = self.causes[UNKNOWN]
        kind = _reply_class(seen)
        shown = _shown(seen.text)
        return Diagnosis(
            cause=UNKNOWN,
            also=(),
            stage=stage,
            retry=_RETRY_OF_CLASS.get(kind, cause.retry),
            certain=False,
            explanation=f"{cause.explanation} It said: {shown}" if shown else cause.explanation,
            fix=cause.fix,
            rule=f"{UNKNOWN}_{kind}xx" if kind else UNKNOWN,
        )


def _best(hits: Iterable[_Hit], code: str | None, places: Mapping[str, int]) -> _RuleSpec | None:
    """Choose the rule with the highest priority, then the innermost match."""
    ranked = [(rank, hit.rule.spec) for hit in hits if (rank := hit.rank(code, places))]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _reply_class(seen: _Seen) -> str:
    """Return "4", "5" or "" for the class of the innermost enhanced code, else of the basic one."""
    if seen.enhanced:
        return next(reversed(seen.enhanced))[0]
    basic = _BASIC_CLASS.search(seen.text)
    return (basic[1] or basic[2]) if basic else ""


def _shown(text: str) -> str:
    """Shorten a text for a reader, without what may be a token or a password."""
    masked = _SECRET.sub(lambda match: f"{match[1] or ''}[hidden]", text[: 4 * SHOWN])
    printable = "".join(c for c in masked if c.isprintable())
    return printable if len(printable) <= SHOWN else printable[:SHOWN].rstrip() + " …"


def _look(text: str) -> _Seen:
    """Bring a text into its normal form and find its codes."""
    normal = _normal(text)
    aadsts = {f"AADSTS{m[1]}": m.start() for m in _AADSTS.finditer(normal)}
    if not aadsts:
        for match in _ERROR_CODES.finditer(normal):
            digits = re.findall(r"\d{5,8}", match[1] or match[2])
            aadsts |= {f"AADSTS{number}": match.start() for number in digits}
    enhanced: dict[str, int] = {}
    for match in _ENHANCED.finditer(normal):
        # The last place counts: the order of the keys is from the outermost to the innermost.
        enhanced.pop(match[0], None)
        enhanced[match[0]] = match.start()
    names = frozenset(word.lower() for word in _WORD.findall(normal))
    return _Seen(normal, aadsts, enhanced, names)


def _normal(text: str) -> str:
    """One line of plain text: escapes and entities undone, tags and control characters gone."""
    if len(text) > EXAMINED_HEAD + EXAMINED_TAIL:
        text = f"{text[:EXAMINED_HEAD]}\n{text[-EXAMINED_TAIL:]}"
    # A bytes-repr or JSON string spells its line ends and quotes.
    text = _BACKSLASHES.sub(r"\\", text)
    for spelled, meant in _ESCAPES:
        text = text.replace(spelled, meant)
    text = _UNICODE_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    text = html.unescape(text).translate(_CLEAN)
    if _HTML.search(text):
        text = "<html> " + _TAG.sub(" ", text)
    return " ".join(" ".join(_joined(text.splitlines())).split())


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Drop a code that only repeats the line before: a multi-line reply is one sentence."""
    before = ""
    for line in lines:
        prefix = _REPLY_PREFIX.match(line)
        codes = prefix[0].strip().replace("-", " ") if prefix else ""
        yield line[prefix.end() :].lstrip(" -") if prefix and before == codes != "" else line
        before = codes


def _cause(name: str, table: Any) -> Cause:
    """Check a `[cause.<id>]` table."""
    spec = _convert(table, _CauseSpec, f"cause {name!r}")
    if not (spec.title and spec.explanation and spec.fix):
        raise ValueError(f"cause {name!r}: title, explanation and fix must not be empty")
    return Cause(name, spec.title, spec.explanation, spec.fix, spec.retry)


def _rules(tables: Iterable[dict[str, Any]], causes: Mapping[str, Cause]) -> Iterator[_Rule]:
    """Check the `[[rule]]` tables in their order."""
    known: set[str] = set()
    for number, table in enumerate(tables, start=1):
        where = f"rule {table.get('id')!r} (number {number})"
        spec = _convert(table, _RuleSpec, where)
        problem = _problem(spec, known, causes)
        if problem:
            raise ValueError(f"{where}: {problem}")
        known.add(spec.id)
        yield _compile(spec, where)


def _problem(spec: _RuleSpec, known: set[str], causes: Mapping[str, Cause]) -> str | None:
    """Say what is wrong with a rule whose keys and types are right."""
    if not spec.id or spec.id in known:
        return "each rule needs an id of its own"
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


def _compile(spec: _RuleSpec, where: str) -> _Rule:
    codes = {f"AADSTS{number}" for number in spec.aadsts}
    for code in spec.enhanced:
        choices = ("0123456789" if character == "x" else character for character in code)
        codes |= {"".join(digits) for digits in itertools.product(*choices)}
    return _Rule(
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


def _convert(table: Any, kind: type[_T], where: str) -> _T:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where}: {error}") from error
