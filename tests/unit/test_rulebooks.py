"""An operator's own rules: named in the settings, refused at start when they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import load
from monitor.errors import SettingsError
from monitor.rulebooks import built_in, rulebook
from monitor.wiring import App

GOOD = "[[rule]]\nid='ours'\ncause='quota'\nwords='budget is used up'\n"


def settings(folder: Path, rules: str | bytes | None) -> Path:
    """A settings file that names rules, and the rules."""
    if rules is not None:
        data = rules if isinstance(rules, bytes) else rules.encode()
        (folder / "my-rules.toml").write_bytes(data)
    file = folder / "lapsewatch.toml"
    file.write_text('[diagnose]\nrules = "my-rules.toml"\n')
    return file


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_settings_name_rules_that_lie_beside_them(tmp_path: Path, mark: bytes) -> None:
    """The product asks them first, wherever it runs."""
    with App(load(settings(tmp_path, mark + GOOD.encode()))) as app:
        assert app.diagnose("550 the budget is used up").rule == "ours"
        assert app.diagnose("535 5.7.3 no").cause == "generic_oauth_failure"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (None, "my-rules.toml: cannot be read: No such file"),
        (b"\xff\xfe[", "not UTF-8 text"),
        ("[[rule", "not valid TOML"),
        (GOOD.replace("quota", "none"), r"rule 'ours' \(number 1\) in line 1: there is no"),
        (GOOD.replace("budget", ".*"), "may take very long"),
    ],
)
def test_a_mistake_in_them_stops_the_start_with_one_message(
    tmp_path: Path, rules: str | bytes | None, message: str
) -> None:
    """Which file, which rule, in which line, and what is wrong."""
    with pytest.raises(SettingsError, match=message) as told:
        load(settings(tmp_path, rules))
    assert len(told.value.problems) == 1
    assert "diagnose.rules" in told.value.problems[0]
    with pytest.raises(SettingsError) as told:
        rulebook(tmp_path / "my-rules.toml")
    assert "add-a-rule" in str(told.value.remedy)


def test_without_a_file_there_are_the_built_in_ones() -> None:
    """Nothing else."""
    assert rulebook(None).causes == built_in().causes
