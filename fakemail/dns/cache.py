"""Cache of a resolver: answers, each for as long as it may be kept. Nothing here sends queries.

For how long that is, the answers say themselves: RFC 1035 §3.2.1 for records, RFC 2308 §5 for names and types
that are not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, Generic, NamedTuple, TypeVar

_A = TypeVar("_A")

MAX_KEPT: Final = 10_000
"""Answers in one cache. A sandbox may run for months, and be asked for any name."""


class _Entry(NamedTuple, Generic[_A]):
    answer: _A
    until: datetime
    mark: object


class Cache(Generic[_A]):
    """Answers by name and type."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._entries: dict[tuple[str, str], _Entry[_A]] = {}

    def recall(self, name: str, type: str, *, mark: object = None) -> _A | None:
        """The answer to a question while it may be used; with ``mark`` only one that was kept under the same."""
        entry = self._entries.get((name, type))
        if entry is None:
            return None
        if entry.until <= self._now():
            del self._entries[name, type]
            return None
        return entry.answer if mark is None or entry.mark == mark else None

    def keep(self, name: str, type: str, answer: _A, *, ttl: int, mark: object) -> None:
        """Keep an answer for that many seconds of the clock; for none at all it is not kept."""
        if ttl <= 0:
            return
        self._entries[name, type] = _Entry(answer, self._now() + timedelta(seconds=ttl), mark)
        if len(self._entries) > MAX_KEPT:
            del self._entries[next(iter(self._entries))]

    def __len__(self) -> int:
        return len(self._entries)


def time_to_live(kind: str, answer: Iterable[int], negative: int | None) -> int:
    """Seconds for which an answer may be kept.

    ``answer`` are the TTLs of its answer section, of which the least counts, for a chain of aliases is as good as
    its weakest link; ``negative`` is that of the SOA record that came with it, cut to its minimum field, without
    which a negative answer must not be kept (RFC 2308 §5). Failures are not kept at all: RFC 2308 §7 permits it.
    """
    if kind == "NOERROR":
        return min(answer, default=0)
    if kind in ("NODATA", "NXDOMAIN") and negative is not None:
        return min([*answer, negative])
    return 0
