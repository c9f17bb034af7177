"""Values in PowerShell scripts: each is read back as one literal, in every script."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import Phase, example, find, given, settings
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader

from monitor.errors import UsageError
from monitor.onboard import ExchangeSetup, Form, Model
from monitor.powershell import DASHES, QUOTES, literal, quoted_in_filter
from monitor.render import exchange_script
from tests.powershell_tokens import SINGLE, Token, Unreadable, tokens

TEMPLATES = Path(__file__).parents[2] / "templates" / "setup"
EVERY = [(model, form) for model in Model for form in Form]
HOSTILE = [
    "o'brien@contoso.example", "‘", "’", "‚", "‛", "'; Remove-Mailbox -Identity 'x",
    "’; Remove-Mailbox -Identity ’x", "$(Get-Date)", "$env:USERNAME", "`$x`", '"@', "'@", "@'",
    '"', "“”„", "#>", "<#", "# x", "{{ s }}", "{% raw %}", "a;b|c&d", "Zoë 株式会社 🙂", "--%", "%",
    "x'‘’‚‛'", " ", "",
]  # fmt: skip

# Text that PowerShell might trip over. Piece by piece: an alphabet with these characters in it
# would hold so many others that one of them is hardly ever drawn.
TRICKS = st.sampled_from(
    [*"'‘’‚‛\"“”„`$(){}[]@#<>;|&=%-–—―, a", "$(", "@'", "'@", "<#", "#>", "{{"]
)
REFUSED = ("Cc", "Cf", "Cs", "Zl", "Zp")
nasty = st.lists(st.one_of(TRICKS, st.text(max_size=2)), max_size=12).map("".join)
# The same without what is refused, so that the search is not spent on it.
allowed = st.text(st.characters(exclude_categories=REFUSED), max_size=2)
fitting = (
    st.lists(st.one_of(TRICKS, allowed), max_size=12)
    .map("".join)
    .filter(lambda value: value[:1] not in tuple(DASHES))
)


def setups(model: Model, values: st.SearchStrategy[str]) -> st.SearchStrategy[ExchangeSetup]:
    """Every text of the set-up drawn from `values`."""
    return st.builds(
        ExchangeSetup, values, values, values, values, values,
        model=st.just(model), environment=st.one_of(values, st.none()),
    )  # fmt: skip


def rendered(setup: ExchangeSetup, form: Form, quote: Callable[[object], str]) -> str:
    """A script with another way to quote: what a known-bad one would make of the same templates."""
    scripts = Environment(
        loader=FileSystemLoader(TEMPLATES), finalize=quote, autoescape=False,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    return scripts.get_template(f"{form}.ps1").render(
        s=setup, form=str(form), rbac=setup.model is Model.RBAC,
        environment=setup.environment or "", own_cloud=setup.environment is None,
    )  # fmt: skip


def values_of(found: list[Token]) -> dict[str, str]:
    """What the script sets each of its variables to, where that is one literal and no more."""
    return {
        name.value: text.value
        for before, name, equals, text, after in zip(
            found, found[1:], found[2:], found[3:], found[4:], strict=False
        )
        if name.kind == "variable" and equals.value == "=" and text.kind == "string"
        if before.kind in ("newline", "punctuation") and after.value in ("\n", ",")
    }


def shape(found: list[Token]) -> list[tuple[str, str]]:
    """The script without the texts of its literals: what it would do, whatever the values are."""
    return [(t.kind, "" if t.kind == "string" else t.value) for t in found]


def wanted(setup: ExchangeSetup, form: Form) -> dict[str, str]:
    """The value that each variable must have."""
    names = {"$TenantName": setup.tenant, "$DirectoryId": setup.directory_id,
             "$ClientId": setup.client_id, "$ObjectId": setup.object_id,
             "$Mailbox": setup.mailbox, "$Model": str(setup.model),
             "$ExchangeEnvironment": setup.environment or ""}  # fmt: skip
    if form is not Form.CHECK:
        names["$RecordName"] = setup.record_name
    if form is Form.SETUP:
        names["$DisplayName"] = setup.display_name
    if setup.model is Model.RBAC:
        names["$ScopeName"] = setup.scope_name
        if form is Form.SETUP:
            names["$ScopeFilter"] = setup.scope_filter
    return names


@cache
def plain_shape(model: Model, form: Form, own_cloud: bool) -> list[tuple[str, str]]:
    """The shape with harmless values."""
    setup = ExchangeSetup("t", "d", "c", "o", "m", model, None if own_cloud else "E")
    return shape(tokens(exchange_script(setup, form)))


def keeps_its_word(script: str, setup: ExchangeSetup, form: Form) -> bool:
    """Whether every value is one literal, and nothing else in the script has changed."""
    try:
        found = tokens(script)
    except Unreadable:
        return False
    same = shape(found) == plain_shape(setup.model, form, setup.environment is None)
    values = values_of(found)
    return same and all(values.get(name) == text for name, text in wanted(setup, form).items())


def only_plain_doubled(value: object) -> str:
    """The usual mistake: U+2018 to U+201B end a literal just as well."""
    return "'" + str(value).replace("'", "''") + "'"


# --- the promise ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "form"), EVERY)
def test_every_value_is_read_back_as_one_literal_in_every_script(model: Model, form: Form) -> None:
    """Whatever the value is: quotes, code, brackets, Unicode. Or it is refused."""

    @settings(max_examples=60, deadline=None)
    @given(setups(model, fitting))
    def holds(setup: ExchangeSetup) -> None:
        assert keeps_its_word(exchange_script(setup, form), setup, form)

    holds()


@settings(max_examples=200, deadline=None)
@given(setups(Model.RBAC, nasty), st.sampled_from(Form))
def test_a_value_is_a_literal_or_refused_and_never_anything_else(
    setup: ExchangeSetup, form: Form
) -> None:
    """Control characters and leading dashes included."""
    try:
        script = exchange_script(setup, form)
    except UsageError:
        assert not all(_fits(value) for value in wanted(setup, form).values())
    else:
        assert keeps_its_word(script, setup, form)


@pytest.mark.parametrize("value", [text for text in HOSTILE if text[:1] not in tuple(DASHES)])
@pytest.mark.parametrize(("model", "form"), EVERY)
def test_each_known_trick_is_only_text(model: Model, form: Form, value: str) -> None:
    """The ways out of a literal that people know, in all fields at once."""
    setup = ExchangeSetup(value, value, value, value, value, model, value)
    assert keeps_its_word(exchange_script(setup, form), setup, form)


@pytest.mark.parametrize(("model", "form"), EVERY)
@pytest.mark.parametrize("quote", "‘’‚‛")
def test_doubling_only_the_plain_quote_would_be_noticed(
    model: Model, form: Form, quote: str
) -> None:
    """The known-bad quoting: it passes for every value that the other four quotes are not in."""
    good = ExchangeSetup("o'brien", "d", "c", "o", "m", model)
    assert keeps_its_word(rendered(good, form, only_plain_doubled), good, form)
    bad = ExchangeSetup("t", "d", "c", "o", f"x{quote}; Remove-Mailbox y #", model)
    assert keeps_its_word(exchange_script(bad, form), bad, form)
    assert not keeps_its_word(rendered(bad, form, only_plain_doubled), bad, form)


@pytest.mark.parametrize("quote", [
    only_plain_doubled,
    lambda value: f'"{value}"',
    lambda value: f"'{value}'",
    str,
])  # fmt: skip
def test_the_property_finds_a_hole_in_every_bad_quoting(quote: Callable[[object], str]) -> None:
    """Without being told where: the search of the property test has teeth."""

    def broken(setup: ExchangeSetup) -> bool:
        script = rendered(setup, Form.CHECK, quote)
        return not keeps_its_word(script, setup, Form.CHECK)

    how = settings(max_examples=500, deadline=None, derandomize=True, database=None,
                   phases=[Phase.generate])  # fmt: skip
    assert find(setups(Model.MAILBOX, fitting), broken, settings=how)


def test_the_templates_are_rendered_as_the_known_bad_ones_are() -> None:
    """Else the known-bad variants would prove nothing about the product."""
    for model, form in EVERY:
        setup = ExchangeSetup("t", "d", "c", "o", "o'b@c.example", model)
        assert rendered(setup, form, literal) == exchange_script(setup, form)


def _fits(value: str) -> bool:
    try:
        literal(value)
    except UsageError:
        return False
    return True


# --- literal --------------------------------------------------------------------------------------


@given(nasty)
@example("".join(HOSTILE[:20]))
def test_a_literal_is_one_token_with_exactly_the_value(value: str) -> None:
    """Beside other tokens too."""
    if not _fits(value):
        return
    found = tokens(f"f {literal(value)}, {literal(value)}")
    assert [t.value for t in found if t.kind == "string"] == [value, value]
    assert len(found) == 4


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("a\nb", "a control character (U+000A) at place 2"), ("a\r", "U+000D"), ("\0", "U+0000"),
        ("a\tb", "U+0009"), ("\x1b[2J", "U+001B"), ("\x85", "U+0085"), ("a\u2028b", "U+2028"),
        ("\u2029", "U+2029"), ("a\u202eb", "an invisible character"), ("\ufeff", "U+FEFF"),
        ("\ud800", "half a character"), ("-Force", 'begins with "-"'), ("–x", "would be taken for"),
        ("—x", "begins with"), ("―x", "begins with"),
    ],
)  # fmt: skip
def test_what_cannot_be_quoted_is_refused_and_said(value: str, told: str) -> None:
    """Line breaks, NUL, invisible characters, and what looks like a parameter."""
    with pytest.raises(UsageError) as caught:
        literal(value)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()
    for form in Form:
        with pytest.raises(UsageError):
            exchange_script(ExchangeSetup("t", "d", "c", "o", value), form)


def test_a_filter_is_quoted_twice() -> None:
    """Once for Exchange, once for PowerShell."""
    setup = ExchangeSetup("t", "d", "c", "o", "o'brien@contoso.example", Model.RBAC)
    assert setup.scope_filter == "PrimarySmtpAddress -eq 'o''brien@contoso.example'"
    script = exchange_script(setup, Form.SETUP)
    assert "'PrimarySmtpAddress -eq ''o''''brien@contoso.example'''" in script
    assert quoted_in_filter("a'b") == "'a''b'"


# --- the tokenizer itself -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("'a''b'", [("string", "a'b")]),
        ("‘a’’b‚", [("string", "a’b")]),
        ("'a‛", [("string", "a")]),
        ("'a\nb'", [("string", "a\nb")]),
        ("@'\na'b\n'@", [("string", "a'b")]),
        ('@"  \na"b\n"@', [("expandable", 'a"b')]),
        ('"a`"b""c$(f ")")d"', [("expandable", 'a`"b""c$(f ")")d')]),
        ("“a„", [("expandable", "a")]),
        ("# 'x\n$a", [("newline", "\n"), ("variable", "$a")]),
        ("<# '\n #>$script:a", [("variable", "$script:a")]),
        ("f -Name:$x `\n @how", [("word", "f"), ("parameter", "-Name:"), ("variable", "$x"),
                                ("variable", "@how")]),
        ("a#b", [("word", "a#b")]),
        ("${a b}@{", [("variable", "${a b}"), ("punctuation", "@"), ("punctuation", "{")]),
    ],
)  # fmt: skip
def test_the_tokenizer_reads_what_the_specification_says(
    text: str, told: list[tuple[str, str]]
) -> None:
    """Known answers, by hand."""
    closed = text + "}" * text.endswith("@{")
    assert [(t.kind, t.value) for t in tokens(closed)][: len(told)] == told


@pytest.mark.parametrize(
    "text", ["'a", '"a', "'a''", "@'\na'@", "@'a\n'@", "<# a", '"$(a"', "(", ")", "({)}"]
)
def test_the_tokenizer_refuses_what_does_not_end(text: str) -> None:
    """As PowerShell would."""
    with pytest.raises(Unreadable):
        tokens(text)


# --- real PowerShell ------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="PowerShell is not installed")
@pytest.mark.parametrize(("model", "form"), EVERY)
def test_powershell_itself_parses_every_script(model: Model, form: Form, tmp_path: Path) -> None:
    """Where it is installed: no parse error, and the mailbox comes out as it went in."""
    setup = ExchangeSetup("t", "d", "c", "o", "x'‘’‚‛$(1)`\"y", model)
    file = tmp_path / "script.ps1"
    file.write_bytes(exchange_script(setup, form).encode("utf-8-sig"))
    ask = (
        "$e = $null; $t = $null; [Console]::OutputEncoding = [Text.Encoding]::UTF8;"
        f"$null = [Management.Automation.Language.Parser]::ParseFile('{file}', [ref]$t, [ref]$e);"
        "$e | ForEach-Object { $_.Message }; $t | ForEach-Object { $_.Value }"
    )
    done = subprocess.run(["pwsh", "-NoProfile", "-Command", ask], capture_output=True,
                          check=True, timeout=120)  # fmt: skip
    assert setup.mailbox in done.stdout.decode("utf-8").splitlines()


def test_the_five_quotes_are_the_ones_of_the_tokenizer() -> None:
    """Written down twice on purpose: once in the product, once from the specification."""
    assert sorted(QUOTES) == sorted(SINGLE)
