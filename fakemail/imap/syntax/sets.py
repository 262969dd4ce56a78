"""Sets of message numbers and ranges of results, as clients name them.

Here are the values; what numbers exist is known to the session. Nothing here reads or writes the wire.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from fakemail.imap.capabilities import Requirement
from fakemail.types.dataclass import dataclass

_T = TypeVar("_T")

#: Stands for ``*``, the greatest number in use, in a range; no message has the number 0.
STAR: Final = 0


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Message sequence numbers or UIDs (RFC 9051 §9, sequence-set).

    ``ranges`` holds (first, last) pairs in the order of the client. A pair of numbers is in rising order;
    with ``*`` it is ``(n, STAR)``, and a lone ``*`` is ``(STAR, STAR)``.
    """

    ranges: tuple[tuple[int, int], ...]

    @property
    def has_star(self) -> bool:
        """Whether ``*`` is in the set, so that it means something else when messages arrive."""
        return any(last == STAR for _, last in self.ranges)

    @property
    def highest(self) -> int:
        """The greatest number written out in the set; 0 for a lone ``*``."""
        return max(max(pair) for pair in self.ranges)

    def resolve(self, largest: int) -> list[tuple[int, int]]:
        """Return rising (first, last) pairs that neither overlap nor touch, with ``*`` meaning ``largest``.

        ``559:*`` includes the largest number even when that is below 559 (RFC 9051 §9, seq-range). With
        ``largest`` 0 there are no messages, and ranges with ``*`` are empty.
        """
        pairs = []
        for first, last in self.ranges:
            if last != STAR:
                pairs.append((first, last))
            elif largest:
                start = first or largest
                pairs.append((start, largest) if start <= largest else (largest, start))
        if len(pairs) < 2:
            return pairs
        pairs.sort()
        merged = [pairs[0]]
        for first, last in pairs[1:]:
            low, high = merged[-1]
            if first > high + 1:
                merged.append((first, last))
            elif last > high:
                merged[-1] = (low, last)
        return merged


@dataclass(frozen=True, slots=True)
class SavedResult:
    """``$``: the messages that the last SEARCH RETURN (SAVE) found (RFC 5182 §2.1)."""


SAVED_RESULT: Final = SavedResult()

#: What a command may name its messages by.
NumberSet = SequenceSet | SavedResult


@dataclass(frozen=True, slots=True)
class PartialRange:
    """A page of results, ``1:50`` or, counted from the end, ``-1:-50`` (RFC 9394 §3.1).

    ``first`` and ``last`` are positive and in rising order; ``from_end`` says that 1 is the last result.
    """

    first: int
    last: int
    from_end: bool = False

    def of(self, results: Sequence[_T]) -> list[_T]:
        """The results of this page, always in their own order."""
        if self.from_end:
            count = len(results)
            return list(results[max(count - self.last, 0) : max(count - self.first + 1, 0)])
        return list(results[self.first - 1 : self.last])


def required_by_numbers(numbers: NumberSet) -> Iterator[Requirement]:
    """SEARCHRES for ``$``."""
    if isinstance(numbers, SavedResult):
        yield "$", ("SEARCHRES", "IMAP4rev2")


def intersect(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The numbers that two ascending lists of (first, last) pairs have in common."""
    found = []
    i = j = 0
    while i < len(left) and j < len(right):
        first, last = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if first <= last:
            found.append((first, last))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return found
