"""Names the cause behind any SMTP reply, token, Graph or network error, and what to do next."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

from monitor.diagnose.rules import (
    Cause,
    FileSpec,
    Hit,
    OwnFileSpec,
    Retry,
    Rule,
    RuleSpec,
    convert,
    read_cause,
    read_rules,
    rule_lines,
)
from monitor.diagnose.text import Seen, look, reply_class, shown

__all__ = ["UNKNOWN", "Cause", "Diagnosis", "Rulebook"]

# A hostile text could hold thousands of codes; a real one nests three or four.
MAX_CODES = 12
UNKNOWN = "unknown"
_RETRY_OF_CLASS: dict[str, Retry] = {"4": "later", "5": "after_fix"}


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


class Rulebook:
    """The rules and the vocabulary: the built-in ones, and perhaps an operator's before them."""

    __slots__ = ("_own", "_rules", "causes")

    def __init__(
        self, causes: Mapping[str, Cause], rules: tuple[Rule, ...], own: tuple[Rule, ...] = ()
    ) -> None:
        self.causes: Mapping[str, Cause] = MappingProxyType(dict(causes))
        self._rules = rules
        self._own = own

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a data file.

        Args:
            text: the TOML text; the keys are explained at the head of `diagnose_rules.toml`.

        Raises:
            ValueError: the text is no TOML, or a cause or rule is wrong; says which and why.
        """
        file = convert(_tables(text), FileSpec, "the rules")
        causes = {name: read_cause(name, table) for name, table in file.cause.items()}
        if UNKNOWN not in causes:
            raise ValueError(f"[cause.{UNKNOWN}] is missing")
        return cls(causes, tuple(read_rules(file.rule, causes)))

    def with_own(self, text: str) -> Self:
        """These rules, with an operator's own before them.

        Where one of the own rules fits a text, no other is asked. A cause in the file is a new
        one, or stands in place of the built-in one of that id.

        Args:
            text: of the operator's file, in the same format; causes and rules are optional.

        Raises:
            ValueError: the text is no TOML, or a cause or rule is wrong; says which, where, why.
        """
        file = convert(_tables(text), OwnFileSpec, "the rules")
        causes = {name: read_cause(name, table) for name, table in file.cause.items()}
        known = {**self.causes, **causes}
        taken = {rule.spec.id for rule in self._rules}
        own = read_rules(file.rule, known, taken=taken, lines=rule_lines(text))
        return type(self)(known, self._rules, tuple(own))

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
        seen = look(text)
        found = self._first(self._own, seen, stage) or self._first(self._rules, seen, stage)
        return found or self._unknown(seen, stage)

    def _first(self, rules: Iterable[Rule], seen: Seen, stage: str | None) -> Diagnosis | None:
        hits = [hit for rule in rules if (hit := rule.hit(seen, stage)) is not None]
        for code in list(reversed(seen.aadsts))[:MAX_CODES]:
            # Words have no say here: a token error's words quote those of other errors.
            token = _best([hit for hit in hits if code in hit.codes], code, seen.aadsts)
            if token is not None:
                return self._found(token, stage or token.at or "token")
        for inner in (*list(reversed(seen.enhanced))[:MAX_CODES], None):
            best = _best(hits, inner, seen.enhanced)
            if best is not None:
                return self._found(best, stage or best.at)
        return None

    def _found(self, spec: RuleSpec, stage: str | None) -> Diagnosis:
        cause = self.causes[spec.cause]
        return Diagnosis(
            cause=cause.id,
            also=spec.also,
            stage=stage,
            retry=spec.retry or cause.retry,
            certain=not spec.also if spec.certain is None else spec.certain,
            explanation=spec.explanation or cause.explanation,
            fix=spec.fix or cause.remedy(stage),
            rule=spec.id,
        )

    def _unknown(self, seen: Seen, stage: str | None) -> Diagnosis:
        cause = self.causes[UNKNOWN]
        kind = reply_class(seen)
        said = shown(seen.text)
        return Diagnosis(
            cause=UNKNOWN,
            also=(),
            stage=stage,
            retry=_RETRY_OF_CLASS.get(kind, cause.retry),
            certain=False,
            explanation=f"{cause.explanation} It said: {said}" if said else cause.explanation,
            fix=cause.fix,
            rule=f"{UNKNOWN}_{kind}xx" if kind else UNKNOWN,
        )


def _best(hits: Iterable[Hit], code: str | None, places: Mapping[str, int]) -> RuleSpec | None:
    """Choose the rule with the highest priority, then the innermost match."""
    ranked = [(rank, hit.rule.spec) for hit in hits if (rank := hit.rank(code, places))]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _tables(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"the rules are not valid TOML: {error}") from error
