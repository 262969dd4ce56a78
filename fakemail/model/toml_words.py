"""The words of a configuration: how TOML spells keys and texts, and how mistakes in it are told."""

from __future__ import annotations

import re
from typing import Final

from fakemail.model.toml_lines import Path

_SYNTAX: Final = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


def syntax_error(message: str, text: str, source: str) -> str:
    """What is wrong with a text that is no TOML, in the words of :mod:`tomllib`, and where."""
    match = _SYNTAX.fullmatch(message)
    if match is None:
        return f"{source or 'the configuration'}: not TOML: {message}"
    what = match[1][:1].lower() + match[1][1:]
    line = int(match[2]) if match[2] else text.count("\n") + (not text.endswith("\n"))
    column = f" (column {match[3]})" if match[3] else " at the end of the text"
    return f"{place(source, line)}: not TOML: {what}{column}"


def place(source: str, line: int) -> str:
    """A line, for a person."""
    return f"{source}:{line}" if source else f"line {line}"


def header(path: Path) -> str:
    """The name of a table as it stands in the text."""
    if len(path) > 1 and isinstance(path[1], int):
        inner = "".join(f".{write_key(str(key))}" for key in path[2:])
        return f"[[{path[0]}{inner}]] number {path[1] + 1}"
    return f"[{'.'.join(write_key(str(key)) for key in path)}]"


def in_words(value: object) -> str:
    """What a value is, for a person."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f"the string {value!r}"
        case int() | float():
            return f"the number {value}"
        case list():
            odd = next((each for each in value if not isinstance(each, str)), None)
            return "a list" if odd is None else f"a list with {in_words(odd)} in it"
        case dict():
            return "a table"
        case _:
            return f"the date or time {value}"


_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def write_key(key: str) -> str:
    """A key as TOML spells it: bare where that is allowed."""
    return key if _BARE.fullmatch(key) else write_text(key)


_TO_ESCAPE: Final = re.compile(r'[\x00-\x1f"\\\x7f]')


def write_text(text: str) -> str:
    """A string as TOML spells it, on one line."""
    return '"' + _TO_ESCAPE.sub(_escaped, text) + '"'


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return f"\\{char}" if char in '"\\' else f"\\u{ord(char):04x}"
