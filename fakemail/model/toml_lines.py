"""Line numbers of the tables and keys of a TOML text, which the standard library's parser does not tell.

It reads text that is known to be valid, and reads it once.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

from fakemail.model.schema import Path

# What can hide a bracket or a line end: strings and comments (TOML 1.0, "String", "Comment").
_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{1,2}(?!"))?'
    r"|'''.*?'''(?:'{1,2}(?!'))?"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}=\n]"
    r"|[^\[\]{}=\n\"'#]+",
    re.DOTALL,
)
_BARE_KEYS: Final = re.compile(r"[A-Za-z0-9_.-]+")


class Lines:
    """The lines of the tables and keys of one text."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}
        self._read(text.replace("\r\n", "\n"))

    def of(self, path: Path) -> int:
        """The line of a path, of the nearest table around it if it has none of its own; 1 at the worst."""
        while path:
            if (line := self._lines.get(path)) is not None:
                return line
            path = path[:-1]
        return 1

    def _read(self, text: str) -> None:
        table: Path = ()
        statement, line, start, depth, key_end = "", 1, 1, 0, False
        for token in _TOKEN.findall(text + "\n"):
            if token == "\n" and depth == 0:
                table = self._statement(table, statement.strip(), start)
                statement, key_end = "", False
                start = line + 1
            elif token == "=" and depth == 0:
                key_end = True
            elif not token.startswith("#"):
                if token in ("[", "{"):
                    depth += 1
                elif token in ("]", "}"):
                    depth -= 1
                if not key_end:
                    statement += token
            line += token.count("\n")

    def _statement(self, table: Path, statement: str, line: int) -> Path:
        """Take note of a header or of the key of a pair; return the table that is current from here on."""
        if not statement:
            return table
        if statement.startswith("["):
            keys = _keys(statement.strip("[]"))
            path = self._inside(keys)
            if statement.startswith("[["):
                number = self._tables.get(path, -1) + 1
                self._tables[path] = number
                path = (*path, number)
            self._lines.setdefault(path, line)
            return path
        keys = _keys(statement)
        for length in range(1, len(keys) + 1):
            self._lines.setdefault((*table, *keys[:length]), line)
        return table

    def _inside(self, keys: tuple[str, ...]) -> Path:
        """The path of a header: a table in an array belongs to the last element of the array."""
        path: Path = ()
        for place, key in enumerate(keys):
            path = (*path, key)
            if place + 1 < len(keys) and path in self._tables:
                path = (*path, self._tables[path])
        return path


def _keys(dotted: str) -> tuple[str, ...]:
    """The parts of a dotted key."""
    if _BARE_KEYS.fullmatch(dotted):
        return tuple(dotted.split("."))
    found: object = tomllib.loads(f"{dotted} = 0")
    keys = []
    while isinstance(found, dict):
        key, found = next(iter(found.items()))
        keys.append(key)
    return tuple(keys)
