"""How much the domains of the world send to a receiver: the memory behind who counts as a bulk sender."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Final

_DAY: Final = timedelta(days=1)


class BulkVolume:
    """How much the registered domains have sent to a receiver. Who was a bulk sender once stays one (Google's FAQ)."""

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
