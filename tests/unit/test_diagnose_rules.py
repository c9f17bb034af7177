"""The data file of the rules: complete, harmless, and its mistakes are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from monitor.diagnose import Rulebook
from tests.unit.replies import BOOK, CASES, RULES, TABLES, VOCABULARY
from tests.unit.replies_unseen import unseen

# Rules without a wording that nobody looked at while the rule was written, and why there is none.
UNHEARD = {
    "wrong_api": "no server says this; it is people's words, and no public text was found",
    **dict.fromkeys(
        (
            "canary_in_junk",
            "canary_not_found",
            "canary_without_mailbox",
            "read_back_refused",
            "trace_refused",
        ),
        "Lapsewatch itself says this of what it found or of who could not look",
    ),
}


def poorly_tested(book: Rulebook, rules: Iterable[str], known: Iterable[str]) -> list[str]:
    """Tell which rules have fewer than two wordings, or none that was unseen and hits them.

    Args:
        book: the rules.
        rules: the ids to look at.
        known: the ids that the known wordings stand for, one for each wording.
    """
    heard = Counter(
        found.rule
        for cause, _, stage, text in unseen()
        if (found := book.diagnose(text, stage=stage)).cause == cause
    )
    told = Counter(name.partition("@")[0] for name in known) + heard
    return sorted(name for name in rules if told[name] < 2 or not heard[name])


def test_each_rule_has_two_wordings_of_which_one_was_unseen() -> None:
    """No rule only knows the text that it was made of."""
    rules = [table["id"] for table in TABLES]
    known = [name for name, _ in CASES]
    assert poorly_tested(BOOK, rules, known) == sorted(UNHEARD)
    assert {name.partition("@")[0] for name in known} <= set(rules)
    assert all(known.count(name) >= 2 for name in UNHEARD)


def test_a_rule_that_only_knows_its_own_example_is_found_out() -> None:
    """Its pattern is the text of its only example, told twice; both counts miss an unseen one."""
    text = "550 relay floor 3: paper tray of the third printer is empty today"
    own = f'\n[[rule]]\nid = "paper"\ncause = "quota"\npriority = 99\nwords = "{text}"\n'
    book = Rulebook.parse(RULES + own)
    assert book.diagnose(text).rule == "paper"
    assert poorly_tested(book, ["paper"], ["paper"]) == ["paper"]
    assert poorly_tested(book, ["paper"], ["paper", "paper@data"]) == ["paper"]
    assert poorly_tested(book, ["oauth_generic"], ["oauth_generic"]) == []


def test_vocabulary_is_complete() -> None:
    """The data file has every id, and a rule for each that a text can mean."""
    assert set(BOOK.causes) == VOCABULARY
    no_text = {"unknown", "scan_shrunk"}  # the latter is what Lapsewatch itself found
    assert {table["cause"] for table in TABLES} == VOCABULARY - no_text


@pytest.mark.parametrize("cause", sorted(VOCABULARY))
def test_each_cause_is_described(cause: str) -> None:
    """Each cause says what it is and what to do."""
    found = BOOK.describe(cause)
    assert found.id == cause
    assert found.title
    assert found.explanation.endswith(".")
    assert found.fix
    assert found.retry in {"never", "later", "after_fix"}


def test_no_fix_weakens_the_tenant() -> None:
    """No advice lowers the tenant's protection."""
    told = [cause.fix for cause in BOOK.causes.values()] + [t.get("fix", "") for t in TABLES]
    for fix in told:
        for phrase in ("disable mfa", "disable multi", "turn off", "disable security", "exclude"):
            assert phrase not in fix.lower()


def test_unknown_cause_cannot_be_described() -> None:
    """An id outside the vocabulary is an error."""
    with pytest.raises(KeyError):
        BOOK.describe("no_such_cause")


CAUSE = '[cause.unknown]\ntitle="t"\nexplanation="e"\nfix="f"\nretry="later"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule", "not valid TOML"),
        ("a = 1", "unknown field `a`"),
        ("", "missing required field `cause`"),
        ("cause = {}\nrule = []", r"\[cause.unknown\] is missing"),
        (CAUSE.replace('"f"', '""') + "[[rule]]", "cause 'unknown': title, explanation and fix"),
        (CAUSE.replace("later", "soon") + "[[rule]]", "cause 'unknown': Invalid enum value 'soon'"),
        (CAUSE + "[[rule]]", r"rule None \(number 1\).*field `id`"),
        (CAUSE + '[[rule]]\nid="a"\ncause="x"\nwords="w"', r"rule 'a'.*no \[cause.x\]"),
        (CAUSE + '[[rule]]\nid="a"\ncause="unknown"', "rule 'a'.*match everything"),
        (CAUSE + '[[rule]]\nid="a"\ncause="unknown"\nword="w"', "rule 'a'.*field `word`"),
        (CAUSE + '[[rule]]\nid="a"\ncause="unknown"\nwords="("', "rule 'a'.*not a regular"),
        (CAUSE + '[[rule]]\nid="a"\ncause="unknown"\nwords=""', "rule 'a'.*match everything"),
        (CAUSE + '[[rule]]\nid="a"\ncause="unknown"\nphrases=[""]', "rule 'a'.*empty"),
        (CAUSE + '[[rule]]\nid="a"\ncause="unknown"\nwords="(a+)+"', "rule 'a'.*very long"),
        (CAUSE + '[[rule]]\nid="a"\ncause="unknown"\nphrases=["a.*b"]', "rule 'a'.*very long"),
        (CAUSE + '[[rule]]\nid="a"\ncause="unknown"\nenhanced=["9.9"]', "rule 'a'.*'9.9'"),
        (CAUSE + '[[rule]]\nid="a"\ncause="unknown"\nalso=["unknown"]\nwords="w"', "repeats"),
        (CAUSE + '[[rule]]\nid="a"\ncause="unknown"\nwords="w"\n' * 2, "id of its own"),
    ],
)
def test_a_wrong_rule_is_named(text: str, message: str) -> None:
    """A mistake in the data file is told with its rule and reason."""
    with pytest.raises(ValueError, match=message):
        Rulebook.parse(text)


def test_several_causes_cannot_be_certain() -> None:
    """A rule may not claim certainty among several causes."""
    own = '[[rule]]\nid="a"\ncause="unknown"\nalso=["ok"]\ncertain=true\nwords="w"'
    with pytest.raises(ValueError, match=r"rule 'a'.*cannot be certain"):
        Rulebook.parse(RULES + own)


def test_an_operator_adds_a_rule() -> None:
    """A rule added at the end wins by its priority."""
    own = r"""
[[rule]]
id = "our_relay"
cause = "quota"
enhanced = ["5.5.9xx"]
words = 'daily [*+]{1,3} budget \+'
priority = 95
retry = "after_fix"
fix = "Ask Ann."
"""
    book = Rulebook.parse(RULES + own)
    by_words = book.diagnose("535 5.7.139 Daily +* budget + is used up")
    assert (by_words.rule, by_words.fix, by_words.retry) == ("our_relay", "Ask Ann.", "after_fix")
    assert book.diagnose("599 5.5.942 x").rule == "our_relay"
    assert BOOK.diagnose("599 5.5.942 x").cause == "unknown"


# --- an operator's own file -----------------------------------------------------------------------

OWN = r"""
[[rule]]
id    = "our_relay_budget"
cause = "quota"
words = 'daily budget of relay \d{1,3} is used up'
fix   = "Ask Ann."

[cause.change_freeze]
title       = "Change freeze"
explanation = "The gateway is closed."
fix         = "Wait until Monday."
retry       = "later"

[[rule]]
id       = "gateway_freeze"
cause    = "change_freeze"
enhanced = ["5.7.3"]
"""


def test_own_rules_are_asked_before_the_built_in_ones() -> None:
    """Even where a built-in rule fits better; and every other text is explained as before."""
    book = BOOK.with_own(OWN)
    taken = book.diagnose("535 5.7.3 Authentication unsuccessful", stage="auth")
    assert (taken.cause, taken.rule, taken.fix) == (
        "change_freeze", "gateway_freeze", "Wait until Monday.",
    )  # fmt: skip
    assert BOOK.diagnose("535 5.7.3 Authentication unsuccessful").cause == "generic_oauth_failure"
    wordy = book.diagnose("550 Daily budget of relay 12 is used up; 535 5.7.139 x")
    assert (wordy.rule, wordy.fix) == ("our_relay_budget", "Ask Ann.")
    for _, text in CASES:
        if "5.7.3" not in text:
            assert book.diagnose(text) == BOOK.diagnose(text)


def test_an_own_text_stands_in_place_of_the_built_in_one() -> None:
    """For a built-in id; the rules that lead to it stay."""
    own = '[cause.quota]\ntitle="Budget"\nexplanation="Used up."\nfix="Ask Ann."\nretry="later"\n'
    book = BOOK.with_own(own)
    found = book.diagnose("550 5.7.233 your tenant exceeded its daily limit")
    assert (found.cause, found.fix) == ("quota", "Ask Ann.")
    assert book.causes.keys() == BOOK.causes.keys()
    assert BOOK.with_own("").causes == BOOK.causes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule", "not valid TOML"),
        ("[rules]\nx = 1", "unknown field `rules`"),
        ("# one\n\n[[rule]]\nid='a'\ncause='quota'\nwords='b'\n\n[[rule]]\nid='x'\ncause='none'",
         r"rule 'x' \(number 2\) in line 8: there is no \[cause.none\]"),
        ("[[rule]]\nid='oauth_generic'\ncause='quota'\nwords='b'",
         r"rule 'oauth_generic' \(number 1\) in line 1: .*other than the built-in ones"),
        ("\n[[rule]]\nid='a'\ncause='quota'\nwords='.*'", r"rule 'a' \(number 1\) in line 2.*long"),
        ("[cause.new]\ntitle='t'", "cause 'new': .*`explanation`"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_own_file_is_told_with_its_rule_and_line(text: str, message: str) -> None:
    """One clear message."""
    with pytest.raises(ValueError, match=message):
        BOOK.with_own(text)


@pytest.mark.parametrize("cause", ["connect_refused", "name_not_found"])
def test_a_remedy_names_the_hosts_of_what_was_asked(cause: str) -> None:
    """Nobody who cannot reach Entra is sent to the mail server's port, and the other way round."""
    about = BOOK.describe(cause)
    for stage in ("token", "graph", "authority"):
        assert "login.microsoftonline.com" in about.remedy(stage)
        assert "smtp" not in about.remedy(stage)
    for place in ("dns", "tcp", "smtp", None):
        assert "smtp.office365.com" in about.remedy(place)
        assert "login." not in about.remedy(place)


def test_a_diagnosis_has_the_remedy_of_its_stage() -> None:
    """A token that Entra refuses to give at the network is no matter of the mail server."""
    said = "connection refused"
    assert "443" in BOOK.diagnose(said, stage="token").fix
    assert "587" in BOOK.diagnose(said, stage="tcp").fix


def test_an_own_fix_stands_for_both_unless_there_are_two() -> None:
    """A built-in remedy must not come back through the side door."""
    own = '[cause.connect_refused]\ntitle="No"\nexplanation="No."\nfix="Ask Ann."\nretry="later"\n'
    assert BOOK.with_own(own).describe("connect_refused").remedy("graph") == "Ask Ann."
    two = BOOK.with_own(f'{own}fix_web="Ask Ben."\n').describe("connect_refused")
    assert (two.remedy("graph"), two.remedy("tcp")) == ("Ask Ben.", "Ask Ann.")
