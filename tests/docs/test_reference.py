"""Reference pages: printed from the code, complete, and no standard claimed without a test."""

from __future__ import annotations

import dis
import inspect
import re
import runpy
from enum import Enum
from functools import cache
from pathlib import Path

import pytest

import fakemail

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
GENERATOR = runpy.run_path(str(ROOT / "docs" / "generate.py"), run_name="generate")
LEDGER = re.compile(r"^\| RFC (?P<rfc>\d+) \|(?P<what>.*)\| (?P<done>\w+) \|(?P<where>.*)\|$", re.MULTILINE)


@pytest.mark.parametrize("name", [*sorted(GENERATOR["GENERATED"]), "config.md"])
def test_a_page_is_what_the_code_says(name):
    written = (REFERENCE / name).read_text("utf-8")
    assert written == GENERATOR["page"](name), "out of date: run 'python docs/generate.py' and commit"


def test_every_public_name_has_an_entry():
    heads = re.findall(r"^### (\w+)$", (REFERENCE / "api.md").read_text("utf-8"), flags=re.MULTILINE)
    assert set(fakemail.__all__) - set(heads) == set()
    assert [name for name in fakemail.__all__ if not hasattr(fakemail, name)] == []


ENTRIES: dict[str, str] = dict(
    re.findall(
        r"^### (\w+)\n(.*?)(?=^##|\Z)",
        (REFERENCE / "api.md").read_text("utf-8"),
        flags=re.MULTILINE | re.DOTALL,
    )
)
KINDS = {name: getattr(fakemail, name) for name in fakemail.__all__} | GENERATOR["returned"]()
CLASSES = sorted(
    name for name, kind in KINDS.items() if isinstance(kind, type) and not issubclass(kind, Enum)
)


def names_of(kind: type) -> set[str]:
    """The public names of a class as the interpreter knows them: in its bases, and set by their constructors."""
    found: set[str] = set()
    for base in kind.__mro__:
        if base.__module__.startswith("fakemail"):
            found.update(vars(base), vars(base).get("__annotations__", {}))
            made_by = base.__init__ if "__init__" in vars(base) else names_of
            for each in dis.get_instructions(inspect.unwrap(made_by)):
                if each.opname == "STORE_ATTR":
                    found.add(each.argval)
    return {name for name in found if not name.startswith("_")}


def names_on_the_page(name: str) -> set[str]:
    text = ENTRIES[name]
    found = set(re.findall(r"^- `(?:await )?(\w+)", text, flags=re.MULTILINE))
    for base in re.findall(r"It has all of \[(\w+)\]", text):
        found |= names_on_the_page(base)
    return found


@pytest.mark.parametrize("name", CLASSES)
def test_an_entry_has_every_public_name_and_no_other(name):
    if "Its names have [a page of their own]" not in ENTRIES[name]:
        assert names_on_the_page(name) == names_of(KINDS[name])


def test_names_that_readers_look_for_are_there():
    assert {"run", "queue", "faults", "dns", "clock", "accounts"} <= names_on_the_page("AsyncMailNet")
    assert {"run", "popen"} <= names_on_the_page("Namespace")


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
