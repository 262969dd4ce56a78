"""Reference pages: printed from the code, complete, and no standard claimed without a test."""

from __future__ import annotations

import re
import runpy
from functools import cache
from pathlib import Path

import pytest

import fakemail

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
GENERATOR = runpy.run_path(str(ROOT / "docs" / "generate.py"), run_name="generate")
LEDGER = re.compile(r"^\| RFC (?P<rfc>\d+) \|(?P<what>.*)\| (?P<done>\w+) \|(?P<where>.*)\|$", re.MULTILINE)


@pytest.mark.parametrize("name", sorted(GENERATOR["GENERATED"]))
def test_a_page_is_what_the_code_says(name):
    written = (REFERENCE / name).read_text("utf-8")
    assert written == GENERATOR["page"](name), "out of date: run 'python docs/generate.py' and commit"


def test_every_public_name_has_an_entry():
    heads = re.findall(r"^### (\w+)$", (REFERENCE / "api.md").read_text("utf-8"), flags=re.MULTILINE)
    assert set(fakemail.__all__) - set(heads) == set()
    assert [name for name in fakemail.__all__ if not hasattr(fakemail, name)] == []


def test_every_entry_says_something():
    text = (REFERENCE / "api.md").read_text("utf-8")
    silent = [line for line in text.splitlines() if re.fullmatch(r"- `.*`: *", line)]
    assert silent == []


@cache
def _ledger() -> list[re.Match[str]]:
    return list(LEDGER.finditer((REFERENCE / "standards.md").read_text("utf-8")))


def test_the_ledger_says_yes_partial_or_no():
    assert len(_ledger()) > 30
    assert {row["done"] for row in _ledger()} <= {"yes", "partial", "no"}
    rows = [
        line for line in (REFERENCE / "standards.md").read_text("utf-8").splitlines() if line[:5] == "| RFC"
    ]
    assert len(rows) == len(_ledger())


def test_the_tests_that_are_named_are_there():
    wrong = []
    for row in _ledger():
        named = re.findall(r"`([^`]+)`", row["where"])
        wrong += [
            f"RFC {row['rfc']}: there is no tests/{name}"
            for name in named
            if not (ROOT / "tests" / name).exists()
        ]
        if row["done"] == "yes" and "`" not in row["where"]:
            wrong.append(f"RFC {row['rfc']}: yes, but no test is named")
    assert wrong == []


def test_every_rfc_that_the_extensions_name_is_in_the_ledger():
    pages = ("smtp.md", "imap.md", "pop3.md")
    named = {rfc for page in pages for rfc in re.findall(r"RFC (\d+)", (REFERENCE / page).read_text("utf-8"))}
    assert named - {row["rfc"] for row in _ledger()} == set()
