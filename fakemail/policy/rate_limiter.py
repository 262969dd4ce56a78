"""Rate limits over a sliding window, and the volume of bulk senders."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from fakemail.model.policy import RateLimit


class RateLimiter:
    """Counts of accepted items, by kind (``address``, ``sender``...) and key."""

    def __init__(self) -> None:
        self._passed: dict[tuple[str, str], deque[datetime]] = {}

    def has_room(self, kind: str, who: str, rate: RateLimit, *, now: datetime, pending: int = 0) -> bool:
        """Whether one more may pass now, beside those that are on their way. Rejected ones do not count, so
        that a patient client gets in."""
        passed = self._passed.get((kind, who))
        if passed is None:
            return rate.most > pending
        # One kind can be counted under several rates, so what is too old for this one is not forgotten.
        recent = sum(1 for moment in passed if now - moment < rate.span)
        return recent + pending < rate.most

    def count(self, kind: str, who: str, rates: Iterable[RateLimit], *, now: datetime) -> None:
        """Note that one has passed; what none of the rates that count it reaches any more is forgotten."""
        passed = self._passed.setdefault((kind, who), deque())
        passed.append(now)
        span = max(rate.span for rate in rates)
        while len(passed) > _KEPT or now - passed[0] >= span:
            passed.popleft()


_KEPT = 100_000
"""Most moments that are remembered for one key."""


_DAY: Final = timedelta(days=1)


class BulkVolume:
    """Messages that registered domains have sent to a receiver. A bulk sender stays one (Google's FAQ)."""

    def __init__(self) -> None:
        self._recent: dict[tuple[str, str], deque[datetime]] = {}
        self._most: dict[tuple[str, str], int] = {}

    def count(self, receiver: str, domain: str, *, now: datetime) -> int:
        """One more message. Returns the most that have come in any day so far."""
        key = (receiver, domain)
        recent = self._recent.setdefault(key, deque())
        recent.append(now)
        while now - recent[0] >= _DAY:
            recent.popleft()
        self._most[key] = most = max(len(recent), self._most.get(key, 0))
        return most
