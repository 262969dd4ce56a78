"""Output of a session for its connection: bytes, or a script of writes, pauses and an end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, Protocol

from fakemail.types.write_script import ConnectionEnd, Pause, Step


class OutputFilter(Protocol):
    """Changes how output leaves, and nothing of what it says."""

    def pieces(self, output: bytes) -> list[bytes]:
        """The output in one or more segments."""
        ...


_BETWEEN_SEGMENTS: Final = Pause(timedelta(seconds=0.002), is_real=True)


class Output:
    """The output of one session since its connection last took it."""

    __slots__ = ("_encode", "_encoded", "_filter", "parts", "script")

    def __init__(self, filter_: OutputFilter | None = None) -> None:
        self.parts: list[bytes] = []
        """Output in order. Sessions append to it; it stays the same list."""
        self.script: list[Step] = []
        """Steps to be taken before the bytes that ``take`` returns are written. The connection empties it."""
        self._filter = filter_
        self._encode: Callable[[bytes], bytes] | None = None
        self._encoded = b""
        """Output from before the encoding began."""

    def take(self, *, whole: bool = False) -> bytes:
        """All that was said. ``whole`` keeps it in one piece, whatever the filter likes."""
        parts = self.parts
        if len(parts) == 1:
            output = parts.pop()
        else:
            output = b"".join(parts)
            parts.clear()
        if self._encode is not None:
            if output:
                output = self._encode(output)
            output, self._encoded = self._encoded + output, b""
        if self._filter is None or whole or self.script:
            return output
        first, *others = self._filter.pieces(output)
        if not others:
            return output
        self.script.append(first)
        for piece in others:
            self.script += (_BETWEEN_SEGMENTS, piece)
        return b""

    def cut(self, start: int) -> bytes:
        """Take back what was said from the part with that index on."""
        output = b"".join(self.parts[start:])
        del self.parts[start:]
        return output

    def play(self, steps: Sequence[Step]) -> bool:
        """Let a script of a fault follow what was said so far; whether it ends the connection."""
        script: list[Step] = [*self.parts, *steps]
        self.parts.clear()
        if self._encode is not None:
            encode = self._encode
            script = [encode(step) if isinstance(step, bytes) and step else step for step in script]
            script.insert(0, self._encoded)
            self._encoded = b""
        self.script += [step for step in script if step != b""]
        return bool(steps) and isinstance(steps[-1], ConnectionEnd)

    def encode_from_now_on(self, encode: Callable[[bytes], bytes]) -> None:
        """Send all that is said later through an encoding, such as a compression."""
        self._encoded = self.cut(0)
        self._encode = encode
