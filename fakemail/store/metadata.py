"""Annotations of a mailbox or of the server (RFC 5464): names, values, limits."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fakemail.store.errors import AnnotationTooLarge, InvalidName, LimitReached

MAX_SIZE = 65_536
"""Bytes of one value."""
MAX_ENTRIES = 1000
MAX_NAME = 1000

# RFC 5464 §3.1, §5: slash-separated, no "//", no "/" at the end, no "*" and "%", no controls, ASCII.
_ENTRY = re.compile(r"/(?:private|shared)(?:/[ -$&-)+-.0-~]++)++")


def entry_name(name: str) -> str:
    """The name in the form under which it is stored: case does not count. Raises ``InvalidName``."""
    if len(name) > MAX_NAME or _ENTRY.fullmatch(folded := name.lower()) is None:
        raise InvalidName(name, f"{name[:80]!r} is no name of an annotation below /private or /shared.")
    return folded


class Metadata:
    """The annotations of one mailbox, or of the server."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        """The value of one entry."""
        return self._entries.get(name.lower())

    def below(self, name: str, depth: int | None = None) -> dict[str, bytes]:
        """The entry and those below it, so many levels deep, ``None`` for all (DEPTH, RFC 5464 §4.2.2)."""
        top = name.lower().rstrip("/")
        level = top.count("/")
        return {
            entry: value
            for entry, value in sorted(self._entries.items())
            if entry == top
            or (entry.startswith(top + "/") and (depth is None or entry.count("/") - level <= depth))
        }

    def update(self, entries: Mapping[str, bytes | None]) -> tuple[str, ...]:
        """Set entries, remove those with ``None``: all, or none. Return the names of those that changed.

        Raises ``InvalidName``, ``AnnotationTooLarge``, ``LimitReached``.
        """
        after = dict(self._entries)
        for name, value in entries.items():
            folded = entry_name(name)
            if value is None:
                after.pop(folded, None)
            elif len(value) > MAX_SIZE:
                raise AnnotationTooLarge(name, MAX_SIZE)
            else:
                after[folded] = value
        if len(after) > MAX_ENTRIES and len(after) > len(self._entries):
            raise LimitReached("annotations", MAX_ENTRIES)
        before, self._entries = self._entries, after
        return tuple(
            dict.fromkeys(
                name.lower() for name in entries if before.get(name.lower()) != after.get(name.lower())
            )
        )

    def __len__(self) -> int:
        return len(self._entries)
