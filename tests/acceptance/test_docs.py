"""The documents say what the program does: every name is documented, and none is made up."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from docs import generate
from monitor import config, roster, status
from monitor.cli import root
from monitor.model import FederatedCredential, MailKind, ObjectType, ObservedObject
from monitor.rulebooks import built_in
from monitor.shape import as_json
from tests import status_samples as samples

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(
    [*(ROOT / "docs").rglob("*.md"), *(path for path in ROOT.glob("*.md") if path.is_file())]
)
SETTING_USERS = [
    *PAGES, ROOT / "Dockerfile", ROOT / "docker-compose.yml", *(ROOT / "deploy").rglob("*.service"),
]  # fmt: skip
USAGE = 2  # what the argument parser exits with


def text_of(name: str) -> str:
    """A reference page."""
    return (REFERENCE / name).read_text("utf-8")


def named(path: Path) -> str:
    """A page's name for test ids."""
    return path.relative_to(ROOT).as_posix()


def first_column(text: str, heading: str | None = None) -> list[str]:
    """The names in the first column of the tables under a heading."""
    if heading is not None:
        text = text.partition(f"\n{heading}\n")[2]
    text = re.split(r"\n#+ ", text)[0]
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language, without the indent of a list."""
    found = re.findall(
        rf"^( *)```{language}\n(.*?)^ *```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


# --- the reference is complete and current -------------------------------------------------------


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.md")), ids=named)
def test_the_generated_tables_are_those_of_the_code(path: Path) -> None:
    """If not: python docs/generate.py."""
    page = path.read_text("utf-8")
    assert generate.filled(page) == page


def test_a_table_that_is_out_of_date_is_noticed() -> None:
    """The known-bad variant of the test above: one row is missing."""
    page = text_of("causes.md")
    row = next(line for line in page.splitlines(keepends=True) if "`expired_secret`" in line)
    stale = page.replace(row, "")
    assert generate.filled(stale) != stale


def test_every_setting_is_documented_and_no_other() -> None:
    """The keys of the pydantic models and the texts of the reference are the same set."""
    texts = generate.settings_texts()
    assert texts["settings"].keys() == generate.settings_keys().keys()
    assert texts["tenants"].keys() == generate.tenants_keys().keys()
    assert "operator.sender.smtp.tls" in texts["settings"]
    assert "tenant.sender.mailbox" in texts["tenants"]


def test_every_command_and_option_is_documented_and_no_other() -> None:
    """The headings and the option tables are the command tree."""
    page = text_of("commands.md")
    tree = generate.command_tree()
    headings = re.findall(r"^### `lapsewatch ?(.*)`$", page, re.MULTILINE)
    assert sorted(headings) == sorted(tree)
    for name, command in tree.items():
        part = page.partition(f"### `{f'lapsewatch {name}'.strip()}`\n")[2].partition("\n### ")[0]
        for parameter in command.params:
            if parameter.param_type_name == "option":
                missing = [one for one in parameter.opts if f"`{one}`" not in part]
                assert not missing, name


def test_every_cause_is_documented_and_no_other() -> None:
    """The table has the ids of the rules file."""
    assert first_column(text_of("causes.md")) == list(generate.cause_tables())


def test_every_mail_kind_is_documented_and_only_those_with_a_template_as_sent() -> None:
    """A kind without a template is named under "Not sent yet"."""
    page = text_of("mails.md")
    assert sorted(first_column(page)) == sorted(generate.sent_kinds())
    later = page.partition("## Not sent yet")[2]
    assert all(f"`{kind}`" in later for kind in MailKind if str(kind) not in generate.sent_kinds())


def test_every_metric_is_documented_and_no_other() -> None:
    """The table has the names that /metrics serves."""
    from monitor.web.metrics import to_metrics

    served = to_metrics(samples.bad_morning(), version="0", per_credential=True).decode()
    names = re.findall(r"^# TYPE (\S+) ", served, re.MULTILINE)
    page = text_of("metrics.md")
    assert first_column(page) == names
    used = set(re.findall(r"lapsewatch_\w+", page))
    assert used <= set(names)


def test_every_exit_code_is_documented_and_no_other() -> None:
    """0 to 6, each with its meaning."""
    codes = {getattr(status, name) for name in vars(status) if name.startswith("EXIT_")}
    codes |= {root.EXIT_ERROR, USAGE}
    section = text_of("commands.md").partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)} == codes


def test_every_key_of_the_status_json_is_documented_and_no_other() -> None:
    """The report of a bad morning and the tables have the same keys in the same order."""
    report: Any = as_json(samples.bad_morning())
    page = text_of("status-json.md")
    assert first_column(page.partition("\n")[2]) == list(report)
    for part in ("tenants", "credentials", "canaries"):
        assert first_column(page, f"## `{part}`") == list(report[part][0]), part
    for part in ("heartbeat", "blind_spots"):
        inner = report[part]
        assert first_column(page, f"## `{part}`") == list(inner[0] if part[-1] == "s" else inner)
    assert first_column(page, "## `deliveries`") == list(report["deliveries"])
    trusting = ObservedObject(
        ObjectType.APPLICATION, "o", "a", "App",
        federated=(FederatedCredential("1", "main", "https://issuer.example", "repo:main"),),
    )  # fmt: skip
    with_one: Any = as_json(replace(samples.bad_morning(), federated=(("contoso", trusting),)))
    assert first_column(page, "## `federated`") == list(with_one["federated"][0])


# --- examples work -------------------------------------------------------------------------------


def examples() -> Iterator[Any]:
    """Every toml block of every page."""
    for path in PAGES:
        for number, body in enumerate(blocks(path, "toml")):
            yield pytest.param(body, id=f"{named(path)}-{number}")


@pytest.mark.parametrize("body", list(examples()))
def test_every_example_file_is_taken_without_an_error(body: str, tmp_path: Path) -> None:
    """Settings by the settings reader, tenants by the importer, rules by the rule book."""
    table = tomllib.loads(body)
    if {"rule", "cause"} & table.keys():
        built_in().with_own(body)
        return
    (tmp_path / "my-rules.toml").touch()  # an example names it
    if not {"tenant", "app"} & table.keys():
        config.parse(table, tmp_path, tmp_path / "lapsewatch.toml")
        return
    file = tmp_path / "tenants.toml"
    file.write_text(body, encoding="utf-8")
    read = roster.read(file, config.parse({}, tmp_path, None))
    assert not read.errors
    assert len(read.tenants) == len(table.get("tenant", []))


@pytest.mark.parametrize("body", blocks(REFERENCE / "tenants-file.md", "csv"))
def test_every_example_table_is_taken_without_an_error(body: str, tmp_path: Path) -> None:
    """A CSV block is a tenants file."""
    file = tmp_path / "tenants.csv"
    file.write_text(body, encoding="utf-8")
    read = roster.read(file, config.parse({}, tmp_path, None))
    assert not read.errors
    assert [tenant.sender and tenant.sender.mailbox for tenant in read.tenants] == [
        "noreply@contoso.example"
    ]


def command_lines() -> Iterator[tuple[str, str]]:
    """Every call of the command in shell blocks and in prose, with its page."""
    for path in PAGES:
        for body in [*blocks(path, "sh"), *blocks(path, "text")]:
            for line in body.replace("\\\n", " ").splitlines():
                for call in re.split(r"\|\||&&|[|>;]", line.split("#")[0]):
                    if re.match(r"\s*lapsewatch\s|.*\bexec\b|.*/bin/lapsewatch\s", call):
                        yield named(path), call.rpartition("lapsewatch ")[2].strip()
        yield from (
            (named(path), call)
            for call in re.findall(r"(?<!`)`lapsewatch ([^`]+)`(?!`)", path.read_text("utf-8"))
        )


def unknown_words(call: str) -> list[str]:
    """The first words of a call that the command line does not know."""
    words = [word for word in shlex.split(call) if word not in ("…", "[OPTIONS]", "COMMAND")]
    while words[:1] == ["--config"] or words[:1] == ["--log-level"]:
        words = words[2:]
    tree = generate.command_tree()
    groups = {name.split()[0] for name in tree if " " in name}
    depth = 2 if words and words[0] in groups else 1
    name = " ".join(words[:depth])
    if name.startswith("-") or not name:
        command, rest = tree[""], words
    elif name in tree:
        command, rest = tree[name], words[depth:]
    else:
        return [] if name in groups else words[:depth]
    known = {opt for parameter in command.params for opt in (*parameter.opts, "--help")}
    return [word for word in rest if word.startswith("--") and word not in known]


def test_every_command_line_in_the_documents_exists() -> None:
    """Commands and options, in shell blocks and in prose."""
    calls = list(command_lines())
    assert len(calls) > 30
    wrong = [(page, call, bad) for page, call in calls if (bad := unknown_words(call))]
    assert not wrong


def test_a_command_line_that_does_not_exist_is_noticed() -> None:
    """The known-bad variants of the test above."""
    assert unknown_words("frobnicate")
    assert unknown_words("run sca --tenant contoso")
    assert unknown_words("status --jsn")


def test_every_environment_variable_that_is_named_is_a_setting() -> None:
    """In documents, container files and the unit."""
    known = {
        "LAPSEWATCH_" + "__".join(key.split(".")).upper() for key in generate.settings_keys()
    } | {"LAPSEWATCH_CONFIG"}
    for path in SETTING_USERS:
        found = set(re.findall(r"\bLAPSEWATCH_[A-Z][A-Z_]*[A-Z]\b", path.read_text("utf-8")))
        assert found <= known, named(path)


def test_every_make_target_that_is_named_exists() -> None:
    """`make demo` and its like."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for path in PAGES:
        text = path.read_text("utf-8")
        used = set(re.findall(r"(?:^|`)make (?:-C \S+ )?([a-z0-9-]+)", text, re.MULTILINE))
        assert used <= targets, named(path)


# --- pages hang together -------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    """To a file that is there, and to a heading that it has."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
            assert anchor in slugs, target


def test_every_page_of_docs_is_in_the_index() -> None:
    """Nothing is written that nobody finds."""
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = [path for path in (ROOT / "docs").rglob("*.md") if path.name != "index.md"]
    assert all(f"({path.relative_to(ROOT / 'docs').as_posix()})" in index for path in pages)


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_documents_are_calm(path: Path) -> None:
    """No exclamation marks in prose, one title, no trailing spaces."""
    text = path.read_text("utf-8")
    prose = re.sub(r"```.*?```|`[^`]*`|<!--|!\[", "", text, flags=re.DOTALL)
    assert "!" not in prose
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert len(re.findall(r"^# ", outside, re.MULTILINE)) == 1
    assert not re.search(r"[ \t]$", text, re.MULTILINE)
