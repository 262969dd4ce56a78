"""Every feature that the page lists names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "features.md"
ROWS = [
    (cells[1].strip(), re.findall(r"`([^`]+)`", cells[2]))
    for line in PAGE.read_text(encoding="utf-8").partition("## What is not there")[0].splitlines()
    if line.startswith("|") and (cells := line.split("|")) and cells[1].strip() not in ("feature", "---")
]


def test_the_page_has_rows():
    assert len(ROWS) > 40


@pytest.mark.parametrize(("feature", "tests"), ROWS, ids=[row[0] for row in ROWS])
def test_a_feature_names_its_test(feature, tests):
    assert tests, f"{feature} names no test"
    for named in tests:
        path, _, name = named.partition("::")
        assert (TESTS / path).is_file(), f"{feature}: there is no file tests/{path}"
        if name:
            tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
            names = {
                node.name
                for node in ast.walk(tree)
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            }
            assert name in names, f"{feature}: there is no {name} in tests/{path}"
