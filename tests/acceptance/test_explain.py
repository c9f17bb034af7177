"""`explain` as people use it: rules, recipients and reasons of one credential."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command_line import Command, command, folder, own_log, ready
from tests.acceptance.test_silence_and_forecast import watched

__all__ = ["command", "folder", "own_log", "ready", "watched"]  # fixtures
NEAR, LAPSED, FAR = "ab12cd34-0001", "ab12cd34-0002", "ff00cd34-0003"
RULES = """
[[route]]
to       = ["tickets@msp.example"]
severity = "critical"

[[route]]
to       = ["owners"]

[[ignore]]
reason = "a demo"
author = "kim"
review = 2999-01-01
name   = "App 200"

[[recipient]]
address = "tickets@msp.example"
mode    = "ticket"
"""


@pytest.fixture
def ruled(watched: Command, folder: Path) -> Command:
    """The same folder with rules."""
    file = folder / "lapsewatch.toml"
    file.write_text(file.read_text() + RULES)
    return watched


def explained(run: Command, key: str) -> dict[str, Any]:
    """What `explain --json` says."""
    said = run("explain", key, "--json")
    assert said.code == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_without_rules_the_recipients_are_told(watched: Command) -> None:
    """And the reason stands beside each."""
    found = explained(watched, NEAR)
    assert (found["state"], found["severity"], found["ignored"]) == ("warning", "warning", None)
    assert [(step["rule"], step["to"]) for step in found["rules"]] == [
        (None, ["it@contoso.example"])
    ]
    [one] = found["recipients"]
    assert (one["to"], one["told_now"], one["reason"]) == (
        "it@contoso.example", True, "stage_reached",
    )  # fmt: skip
    assert one["next"]["stage"] == "30"
    assert explained(watched, FAR)["recipients"][0]["reason"] == "not_near"


def test_it_says_which_rule_holds_and_why_others_do_not(ruled: Command) -> None:
    """With what the earlier rules lacked, and who else is not told."""
    found = explained(ruled, LAPSED)
    assert [step["outcome"] for step in found["rules"]] == ["holds", "not_asked"]
    told = {one["to"]: (one["told_now"], one["reason"]) for one in found["recipients"]}
    assert told == {
        "tickets@msp.example": (True, "just_lapsed"),
        "it@contoso.example": (False, "not_routed"),
    }
    near = explained(ruled, NEAR)
    first, second, last = near["rules"]
    assert first["why"] == ["it is warning, not yet critical"]
    assert (second["outcome"], second["why"]) == (
        "yields_nobody", ["owners: they are not known"],
    )  # fmt: skip
    assert (last["rule"], last["to"]) == (None, ["it@contoso.example"])
    coming = {one["to"]: one["next"] and one["next"]["stage"] for one in near["recipients"]}
    assert coming == {"it@contoso.example": "30", "tickets@msp.example": "7"}


def test_what_is_ignored_says_by_whom_and_why(ruled: Command) -> None:
    """In words as well; the status counts it."""
    found = explained(ruled, FAR)
    assert found["ignored"] == {"reason": "a demo", "author": "kim", "review": "2999-01-01"}
    assert {one["reason"] for one in found["recipients"]} == {"ignored"}
    said = ruled("explain", FAR)
    assert "Ignored until 2999-01-01, by kim: a demo" in said.out
    assert "ignored by rule" in ruled("status").out
    assert json.loads(ruled("status", "--json").out)["ignored"] == 1


def test_the_words_name_the_rules_and_the_recipients(ruled: Command) -> None:
    """One table each."""
    said = ruled("explain", NEAR[:8] + "-0001").out
    for words in ("does not fit", "yields nobody", "tickets@msp.example", "it@contoso.example"):
        assert words in said


def test_a_credential_that_is_not_there_is_told_as_ack_tells_it(ruled: Command) -> None:
    """With those that may be meant."""
    said = ruled("explain", "nothing")
    assert said.code == 1
    assert 'There is no credential "nothing".' in said.err


def test_the_dry_run_opens_a_ticket_for_each_credential(ruled: Command) -> None:
    """Its subject begins with the token."""
    said = json.loads(ruled("run", "warn", "--dry-run", "--json").out)
    [mails] = said.values()
    subjects = [subject for to, subject, _ in mails if to == "tickets@msp.example"]
    assert [subject.startswith("[LW-") for subject in subjects] == [True]
