"""Functions and modules stay short enough to be read at one go."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FUNCTION, MODULE = 50, 400  # lines
OURS = ("monitor", "jobs", "tests", "docs")


def lengthy(source: str, where: str = "it.py") -> Iterator[str]:
    """What in a module is too long; decorators, signature and docstring count."""
    if (lines := len(source.splitlines())) > MODULE:
        yield f"{where} has {lines} lines, more than {MODULE}"
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        lines = (node.end_lineno or first) - first + 1
        if lines > FUNCTION:
            yield f"{where}:{first} {node.name} has {lines} lines, more than {FUNCTION}"


@pytest.mark.parametrize("folder", OURS)
def test_no_function_and_no_module_is_too_long(folder: str) -> None:
    """Nothing is excepted; what fails here is split, not listed."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    found = [
        text
        for path in paths
        for text in lengthy(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())
    ]
    assert not found, "\n".join(found)


def function(lines: int, head: str = "def made_up() -> None:") -> str:
    """A function of so many lines, the head included."""
    body = ["    pass"] * (lines - len(head.splitlines()))
    return "\n".join([head, *body]) + "\n"


@pytest.mark.parametrize(
    "head",
    [
        "def made_up() -> None:",
        "async def made_up() -> None:",
        '@cache\n@names(\n    "more"\n)\ndef made_up() -> None:',
        'def made_up(\n    a: int,\n) -> None:\n    """A docstring.\n\n    Of lines.\n    """',
    ],
)
def test_a_function_that_is_too_long_is_found(head: str) -> None:
    """By a single line, whatever the lines are of; at the limit it passes."""
    assert not [*lengthy(function(FUNCTION, head))]
    (found,) = lengthy(function(FUNCTION + 1, head))
    assert found == "it.py:1 made_up has 51 lines, more than 50"


def test_a_method_and_an_inner_function_are_measured_too() -> None:
    """The outer function holds the lines of the inner one, so both are named."""
    inner = "".join(f"    {line}\n" for line in function(FUNCTION + 1).splitlines())
    assert [*lengthy(f"class A:\n{inner}")] == ["it.py:2 made_up has 51 lines, more than 50"]
    assert len([*lengthy(f"def outer() -> None:\n{inner}")]) == 2


def test_a_module_that_is_too_long_is_found() -> None:
    """By a single line."""
    assert not [*lengthy("pass\n" * MODULE)]
    (found,) = lengthy("pass\n" * (MODULE + 1))
    assert found == "it.py has 401 lines, more than 400"
