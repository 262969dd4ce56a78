"""Lines out of bytes that arrive in any pieces, none longer than a limit."""

from __future__ import annotations

from typing import Final

OVERLONG: Final = b""
"""Stands for a line that was too long and is thrown away; no real line is empty."""


class LineReader:
    """Input of one connection that was not read yet.

    A line ends with LF; whether a CR has to stand before it is the protocol's decision. ``buffer`` may be read directly
    where what follows is no line, such as a message.
    """

    __slots__ = ("_limit", "buffer", "is_skipping")

    def __init__(self, limit: int) -> None:
        """``limit`` is the longest line in bytes, its end included."""
        self._limit = limit
        self.buffer = bytearray()
        self.is_skipping = False
        """Whether the rest of a line that was too long is still to come."""

    def take(self) -> bytes | None:
        """The next line with its end, or :data:`OVERLONG`; ``None`` while none is complete."""
        buffer = self.buffer
        end = buffer.find(b"\n") + 1
        if end == 0:
            if len(buffer) > self._limit:
                self.is_skipping = True
                buffer.clear()
            return None
        line = bytes(buffer[:end])
        del buffer[:end]
        if self.is_skipping or end > self._limit:
            self.is_skipping = False
            return OVERLONG
        return line

    def clear(self) -> int:
        """Throw away what was not read; returns how many bytes that were."""
        size = len(self.buffer)
        self.buffer.clear()
        return size
