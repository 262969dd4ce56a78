"""The pages themselves: links that lead somewhere, copied code that is still a copy, output that is real."""

from __future__ import annotations

import os
import re
from importlib import util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def _collector():
    spec = util.spec_from_file_location("pages_conftest", ROOT / "conftest.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


blocks = _collector().blocks
BLOCKS = [(page, block) for page in PAGES for block in blocks(page)]


def _place(page: Path, line: int) -> str:
    return f"{page.relative_to(ROOT)}:{line}"


def _prose(page: Path) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    heads = re.findall(r"^#+ +(.+?) *$", _prose(page), flags=re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", head)) for head in heads]
    return {head.strip().lower().replace(" ", "-") for head in plain}


def test_there_are_pages():
    assert ROOT / "README.md" in PAGES
    assert ROOT / "docs" / "tutorial.md" in PAGES
    assert any(block.runs for _, block in BLOCKS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in _anchors(found)):
            wrong.append(target)
    assert wrong == []


def test_every_page_can_be_reached_from_the_index():
    """By links, from page to page."""
    reached, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.exists():
            continue
        reached.add(page)
        targets = re.findall(r"\]\(([^)#\s]+\.md)", _prose(page))
        waiting += [(page.parent / target).resolve() for target in targets if "://" not in target]
    assert {page for page in PAGES if page.parent != ROOT} <= reached


def test_copied_code_is_a_copy():
    wrong = []
    for page, block in BLOCKS:
        if block.note.startswith("from "):
            source = (ROOT / block.note.removeprefix("from ")).read_text("utf-8")
            if block.code.strip("\n") not in source:
                wrong.append(f"{_place(page, block.line)} is not in {block.note.removeprefix('from ')}")
    assert wrong == []


def test_no_name_of_a_test_is_used_twice_on_a_page():
    """The second would hide the first."""
    wrong = []
    for page in PAGES:
        seen = set()
        for block in blocks(page):
            for name in re.findall(r"^(?:async )?def (\w+)", block.code, flags=re.MULTILINE):
                if block.runs and name in seen:
                    wrong.append(f"{_place(page, block.line)}: {name}")
                seen.add(name)
    assert wrong == []


def _stable(text: str) -> list[str]:
    """Lines without what differs from run to run: queue ids, seeds, and room at either end."""
    text = re.sub(r"\b[0-9A-Z]{6}0000[0-9]\b", "QUEUE-ID", text)
    text = re.sub(r"(--mailnet-seed=)\d+", r"\1SEED", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


FAILING = [(page, block) for page, block in BLOCKS if block.note == "fails"]


@pytest.mark.parametrize(
    ("page", "block"), FAILING, ids=[_place(page, block.line) for page, block in FAILING]
)
def test_a_failing_test_prints_what_the_page_says(page, block, pytester, monkeypatch):
    printed = next(other for other in blocks(page) if other.line > block.line and other.language == "text")
    for name in [name for name in os.environ if name.startswith("PYTEST")]:
        monkeypatch.delenv(name)
    (pytester.path / "test_invitation.py").write_text(block.code)
    others = ("cacheprovider", "asyncio", "playwright", "fakefs", "hypothesispytest")
    done = pytester.runpytest_inprocess("-q", *(f"-pno:{other}" for other in others))
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    lines = _stable(done.stdout.str())
    assert [line for line in _stable(printed.code) if line not in lines] == []
