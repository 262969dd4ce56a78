"""Jobs for the end of the day, by the fake internet's clock: reports cover a day of UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from fakemail.clock import Job, TimeSource


class DailyJob:
    """Reports cover a day of UTC (RFC 8460 §4.1, RFC 7489 §7.2)."""

    def __init__(self, clock: TimeSource, action: Callable[[datetime, datetime], None], *, name: str) -> None:
        """``action`` is given the start and the end of the day."""
        self._clock = clock
        self._action = action
        self._name = name
        self._job: Job | None = None

    def arm(self) -> None:
        """Let it be done at the end of this day."""
        if self._job is None:
            midnight = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(
                days=1
            )
            self._job = self._clock.at(midnight, self._due, name=self._name)

    def _due(self) -> None:
        self._job = None
        until = self._clock.now()
        self._action(until - timedelta(days=1), until)
