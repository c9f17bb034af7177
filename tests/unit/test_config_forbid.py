"""`[[forbid]]` and `shrink_guard` in the settings: what they become, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import load
from monitor.errors import SettingsError
from monitor.model import Forbid, Kind


def settings(folder: Path, text: str) -> Path:
    """A settings file."""
    path = folder / "lapsewatch.toml"
    path.write_text(text, "utf-8")
    return path


def test_rules_keep_their_order(tmp_path: Path) -> None:
    """The first one that fits is named in the mail."""
    text = """
[[forbid]]
app = " Payroll* "
kind = "secret"
reason = "Certificates only."
[[forbid]]
tenant = "contoso"
tag = "gold"
reason = "None at all."
"""
    assert load(settings(tmp_path, text)).forbids == (
        Forbid("Certificates only.", app="Payroll*", kind=Kind.SECRET),
        Forbid("None at all.", tenant="contoso", tag="gold"),
    )


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('app = "x"', "forbid.0.reason: is missing"),
        ('reason = "x"', "says nowhere; add tenant, tag, app or kind"),
        ('reason = " "\napp = "x"', "forbid.0.reason: must be 1 to 400 characters"),
        ('reason = "a\\nb"\napp = "x"', "forbid.0.reason: must be one line"),
        ('reason = "x"\nkind = "password"', "forbid.0.kind: must be"),
        ('reason = "x"\nap = "x"', 'unknown key "ap"; did you mean "app"?'),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(tmp_path: Path, table: str, said: str) -> None:
    """With where it is and what is wanted."""
    with pytest.raises(SettingsError) as caught:
        load(settings(tmp_path, f"[[forbid]]\n{table}\n"))
    assert said in str(caught.value)


def test_the_guard_is_a_percentage(tmp_path: Path) -> None:
    """20 unless something else is said; 0 is off."""
    assert load(settings(tmp_path, "")).settings.defaults.shrink_guard == 20
    for number in (-1, 101):
        with pytest.raises(SettingsError, match=r"defaults\.shrink_guard"):
            load(settings(tmp_path, f"[defaults]\nshrink_guard = {number}\n"))
