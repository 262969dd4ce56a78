"""The only reader of time. Nothing else in fakemail asks the operating system what time it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

# Taken when the module is loaded, so that a test that freezes or moves the standard library's clock
# for the app does not move ours.
_wall = time.time


class Clock(Protocol):
    """Tells the time of the fake internet, always in UTC."""

    def now(self) -> datetime:
        """The present time, with its time zone."""
        ...


class VirtualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime.fromtimestamp(int(_wall()), UTC)

    def now(self) -> datetime:
        """The time at which the clock stands."""
        return self._now

    def move(self, by: timedelta) -> None:
        """Move the clock forward. Raises ``ValueError`` for a negative span: time does not run back."""
        if by < timedelta():
            raise ValueError(f"a clock moves forward only, not by {by}")
        self._now += by


class RealClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The machine's time."""
        return datetime.fromtimestamp(_wall(), UTC)
