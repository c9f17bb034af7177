"""Reads the rules that name causes: the built-in ones, and an operator's own before them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from monitor.diagnose import Rulebook
from monitor.errors import SettingsError
from monitor.fields import beside


def built_in() -> Rulebook:
    """The rules beside the code."""
    text = resources.files("monitor").joinpath("diagnose_rules.toml").read_text("utf-8")
    return Rulebook.parse(text)


def rulebook(file: Path | None) -> Rulebook:
    """The rules, with those of a file before them.

    Args:
        file: the operator's own rules; None for the built-in ones alone.

    Raises:
        SettingsError: the file cannot be read, or a rule in it is wrong; says which and where.
    """
    rules = built_in()
    if file is None:
        return rules
    try:
        return rules.with_own(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        why = f"is not UTF-8 text (byte {error.start})"
    except ValueError as error:
        why = str(error)
    raise SettingsError(
        [f"The rules file {file}: {why}."],
        remedy="How such a file looks: docs/how-to/add-a-rule.md",
    )


def own_rules(folder: Path, named: str | None) -> Path | None:
    """The operator's file, which lies beside the settings file unless its name says where."""
    return beside(folder, named) if named else None


def problem_of(folder: Path, named: str | None) -> str:
    """What is wrong with the file that the settings name; empty where nothing is."""
    if named is None:
        return ""
    try:
        rulebook(own_rules(folder, named))
    except SettingsError as error:
        return error.problems[0]
    return ""
