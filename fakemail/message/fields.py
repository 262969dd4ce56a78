"""Single fields out of a header block, without taking the whole block apart.

Reads a header as :func:`fakemail.message.headers.split_fields` does, for a few names at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

# RFC 5322 §3.6.8: ftext = %d33-57 / %d59-126. No field has another name.
_NAME: Final = re.compile(rb"[!-9;-~]+")
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""What editors put at the start of a file in UTF-8. In front of a header it is passed over."""


def pick_fields(raw: bytes, start: int, end: int, names: tuple[str, ...]) -> Iterator[re.Match[bytes]]:
    """The fields with these lower-case names in the header ``raw[start:end]``, in order.

    In each match, group 1 is the name as written and group 2 the body, which may end with a CR.
    ``start`` must be the start of a line.
    """
    patterns = _patterns(names)
    if patterns is None:
        return
    first, others = patterns
    match = first.match(raw, start, end)
    if match is not None:
        yield match
    yield from others.finditer(raw, start, end)


def first_body(raw: bytes, start: int, end: int, name: str) -> bytes | None:
    """The raw body of the first field of that lower-case name, or None."""
    match = next(pick_fields(raw, start, end, (name,)), None)
    return None if match is None else match[2]


def has_field(raw: bytes, start: int, end: int, name: str) -> bool:
    """Whether the header has a field of that lower-case name."""
    return next(pick_fields(raw, start, end, (name,)), None) is not None


@lru_cache(maxsize=128)
def _patterns(names: tuple[str, ...]) -> tuple[re.Pattern[bytes], re.Pattern[bytes]] | None:
    """Patterns for a field on the first line, and on any other."""
    encoded = [name.encode("utf-8", "replace") for name in names]
    known = b"|".join([re.escape(name) for name in encoded if _NAME.fullmatch(name)])
    if not known:
        return None
    # RFC 5322 §2.2, §2.2.3, §4.5: white space before the colon is obsolete, and read. A line end in front,
    # which has no case, lets the search skip from line to line.
    field = b"((?i:" + known + rb"))[ \t]*+:(.*+(?:\n[ \t].*+)*+)"
    return re.compile(b"(?:" + BYTE_ORDER_MARK + b")?+" + field), re.compile(b"\n" + field)
