"""Expunged uids by mod-sequence: exact, and 24 bytes for each run of neighbours (RFC 7162 §3.2)."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence


class ExpungeHistory:
    """The expunged uids of one mailbox, by mod-sequence."""

    __slots__ = ("_first", "_last", "_modseq")

    def __init__(self) -> None:
        self._modseq = array("Q")
        self._first = array("Q")
        self._last = array("Q")

    def add(self, modseq: int, uids: Sequence[int]) -> None:
        """Note ascending uids under a mod-sequence that is not lower than any before."""
        first = last = uids[0]
        for uid in uids:
            if uid > last + 1:
                self._note(modseq, first, last)
                first = uid
            last = uid
        self._note(modseq, first, last)

    def _note(self, modseq: int, first: int, last: int) -> None:
        self._modseq.append(modseq)
        self._first.append(first)
        self._last.append(last)

    def since(self, modseq: int) -> list[tuple[int, int]]:
        """The uids expunged after that mod-sequence, as ascending runs ``(first, last)``."""
        start = bisect_right(self._modseq, modseq)
        runs: list[tuple[int, int]] = []
        for first, last in sorted(zip(self._first[start:], self._last[start:], strict=True)):
            if runs and first <= runs[-1][1] + 1:
                runs[-1] = runs[-1][0], last
            else:
                runs.append((first, last))
        return runs

    def clear(self) -> None:
        """Forget everything: the uids mean something else now."""
        for column in (self._modseq, self._first, self._last):
            del column[:]

    def __len__(self) -> int:
        return len(self._modseq)
