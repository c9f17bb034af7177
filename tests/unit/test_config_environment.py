"""Settings from the environment: a mistake is told with the name of the variable that holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import load
from monitor.errors import SettingsError
from tests.unit.settings_samples import plain_environment, problems, read

__all__ = ["plain_environment"]  # a fixture


@pytest.mark.parametrize(
    ("name", "value", "file", "said"),
    [
        ("OPERATOR__RECIPIENTS", "a@b.c, d", "", "operator.recipients.1: must be one mail address"),
        ("OPERATOR__RECIPIENTS", '["d"]', "", "operator.recipients.0: must be one mail address"),
        ("OPERATOR", '{"recipients": ["d"]}', "", "operator.recipients.0: must be one mail"),
        ("WEB", '{"prt": 1}', "", '[web]: unknown key "prt"; did you mean "port"?'),
        ("WEB", "8080", "", "web: must be a table"),
        ("CLOUDS__LAB", '{"authority": "https://a"}', "", "clouds.lab.graph: is missing"),
        ("OPERATOR__SENDER", '{"mailbox": "a@b.example", "smtp": {"host": "h", "port": 0}}',
         "[operator]\nname = 'x'", "operator.sender.smtp.port: "),
        ("OPERATOR__SENDER", '{"mailbox": "a@b.example"}', "", "operator.sender: needs client_id"),
        ("DATABASE__URL", "sqlite:////srv/a?b/x.db", "", "database.url: SQLite takes no options"),
    ],
)  # fmt: skip
def test_a_mistake_inside_a_variable_names_the_variable(
    name: str, value: str, file: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the middle of a list or of a table in JSON: the file is innocent."""
    monkeypatch.setenv(f"LAPSEWATCH_{name}", value)
    (found,) = problems(file, tmp_path)
    assert found.startswith(f"LAPSEWATCH_{name}: {said}")


def test_a_mistake_in_the_file_is_not_blamed_on_a_variable_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable holds other keys of the same table, and is right about them."""
    monkeypatch.setenv("LAPSEWATCH_OPERATOR", '{"name": "Example MSP"}')
    (found,) = problems('[operator]\nrecipients = ["nobody"]', tmp_path)
    assert found.startswith("lapsewatch.toml: operator.recipients.0: ")


@pytest.mark.parametrize(
    ("name", "table", "near"),
    [
        ("LAPSEWATCH_DATABSE__URL", "databse", 'did you mean "database"?'),
        ("lapsewatch_operater__name", "operater", 'did you mean "operator"?'),
        ("LAPSEWATCH_XYZZY__A__B", "xyzzy", "known tables: channel, clouds, database"),
    ],
)
def test_a_variable_of_a_table_that_does_not_exist_is_an_error(
    name: str, table: str, near: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the setting would be without effect, in silence."""
    monkeypatch.setenv(name, "x")
    (found,) = problems("", tmp_path)
    assert found.startswith(f'{name}: unknown table "{table}"; {near}')
    (found,) = problems("[web]\nport = 70000", tmp_path)[:1]
    assert found.startswith(name)  # with all other problems


def test_without_a_settings_file_a_misspelt_table_is_named_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is why there is no database to go on with."""
    monkeypatch.setenv("LAPSEWATCH_DATABSE__URL", "sqlite:///x.db")
    with pytest.raises(SettingsError) as refused:
        load()
    assert "no settings file" in refused.value.problems[0]
    assert refused.value.problems[1].startswith("LAPSEWATCH_DATABSE__URL: ")


def test_variables_that_are_no_settings_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings file's own name, a secret, and what orchestrators set."""
    for name in ("LAPSEWATCH_CONFIG", "LAPSEWATCH_NOC_SECRET", "LAPSEWATCH_SERVICE_HOST"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("OTHER_DATABSE__URL", "x")
    assert read("", tmp_path).settings.web.port == 8080


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[operator]\nrecipients = "it@x.example"',
         'operator.recipients: must be a list in brackets, like ["it@contoso.example"]'),
        ("web = 1", "web: must be a table of keys and values"),
        ('[web]\nallow_without_sign_in = "perhaps"',
         "web.allow_without_sign_in: must be true or false"),
        ('[web]\nport = "many"', "web.port: must be a whole number, like 25"),
        ("[web]\nport = 1.5", "web.port: must be a whole number, like 25"),
        ("[operator]\nname = 1", "operator.name: must be text in quotes"),
        ('[log]\nlevel = "loud"', "log.level: must be 'debug', 'info', 'warning' or 'error'"),
        ("[web]\nport = 70000", "web.port: must be less than or equal to 65535"),
        ("clouds = []", "clouds: must be a table of keys and values"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_says_what_to_write(text: str, said: str, tmp_path: Path) -> None:
    """In plain words; nobody has to know what a tuple, an instance or a model is."""
    (found,) = problems(text, tmp_path)
    assert found.startswith(f"lapsewatch.toml: {said}")
    assert "Input" not in found
