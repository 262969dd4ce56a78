"""Every feature that the page lists names a test that exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "features.md"
ROWS = [
    (cells[1].strip(), re.findall(r"`([^`]+)`", cells[2]))
    for line in PAGE.read_text(encoding="utf-8").partition("## What is not there")[0].splitlines()
    if line.startswith("|") and (cells := line.split("|")) and cells[1].strip() not in ("feature", "---")
]


@cache
def functions(path: str) -> set[str]:
    """The names of the functions of a test file."""
    tree = ast.walk(ast.parse((TESTS / path).read_text(encoding="utf-8")))
    return {node.name for node in tree if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_feature_leads_to_a_test() -> None:
    assert len(ROWS) > 40
    assert [feature for feature, tests in ROWS if not tests] == []
    wrong = []
    for feature, tests in ROWS:
        for named in tests:
            path, _, name = named.partition("::")
            if not (TESTS / path).is_file() or (name and name not in functions(path)):
                wrong.append(f"{feature}: there is no {named}")
    assert wrong == []
