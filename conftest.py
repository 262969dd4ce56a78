"""Documentation pages are tests: the Python of a Markdown page is collected as one module.

Lines keep their numbers, so a traceback points into the page. A comment on the line above a block
says more about it:

``<!-- from PATH -->``
    It is copied from that file. ``tests/docs`` checks that it still is. It is run if it is a test's.
``<!-- fails -->``
    Its test fails on purpose. ``tests/docs`` runs it and compares what is printed.
``<!-- not run: WHY -->``
    It is compiled and not run.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\s*$")
NOTE = re.compile(r"^\s*<!-- (?P<note>.*?) -->\s*$")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are processors: many tests wait for programs that they start, or for time-outs."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors + 1


class Block(NamedTuple):
    """One fenced block of a page."""

    line: int
    """Where its first line of code is, from 1."""
    language: str
    code: str
    note: str
    """The comment on the line above it."""

    @property
    def runs(self) -> bool:
        """Whether it is part of the page's module."""
        if self.language != "python" or self.note.startswith(("fails", "not run")):
            return False
        return not self.note.startswith("from ") or "/test_" in self.note


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text("utf-8").splitlines()
    start, language, note = 0, "", ""
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if fence is None:
            continue
        if not start:
            start, language = number + 1, fence["language"]
            above = NOTE.match(lines[number - 2]) if number > 1 else None
            note = above["note"] if above else ""
        else:
            code = textwrap.dedent("\n".join(lines[start - 1 : number - 1])) + "\n"
            yield Block(start, language, code, note)
            start = 0


class Page(pytest.Module):
    """A page as a test module."""

    def _getobj(self) -> ModuleType:
        source: list[str] = []
        for block in blocks(self.path):
            if block.language == "python":
                compile(block.code, str(self.path), "exec")
            if block.runs:
                source += [""] * (block.line - 1 - len(source)) + block.code.splitlines()
        name = "page_" + re.sub(r"\W", "_", str(self.path.relative_to(self.config.rootpath).with_suffix("")))
        module = ModuleType(name)
        module.__file__ = str(self.path)
        sys.modules[name] = module
        exec(compile("\n".join(source) + "\n", str(self.path), "exec"), module.__dict__)  # noqa: S102
        return module


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Page | None:
    """Collect Markdown pages."""
    if file_path.suffix == ".md":
        page: Page = Page.from_parent(parent, path=file_path)
        return page
    return None
