"""Display of text from a peer: on one line, harmless for a terminal, not endless.

What must stay secret is not decided here but in :mod:`fakemail.events.secrets`.
"""

from __future__ import annotations

from collections.abc import Sequence


def shown(text: str, *, limit: int = 200) -> str:
    """Text with control, format and undecodable characters escaped, cut after ``limit`` characters.

    Format characters (direction marks and the like) are escaped because they reorder what a
    terminal shows. Undecodable octets, which ``surrogateescape`` has smuggled in, show as ``\\xNN``.
    """
    rest = len(text) - limit
    if rest > 0:
        text = text[:limit]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _escaped(char) for char in text)
    return f"{text}... [{rest} more]" if rest > 0 else text


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def columns(rows: Sequence[Sequence[str]], *, widest: int = 90) -> list[str]:
    """Rows as lines with aligned columns; a cell wider than ``widest`` pushes only its own row."""
    widths: list[int] = []
    for row in rows:
        widths += [0] * (len(row) - len(widths))
        for place, cell in enumerate(row):
            if widths[place] < len(cell) <= widest:
                widths[place] = len(cell)
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
