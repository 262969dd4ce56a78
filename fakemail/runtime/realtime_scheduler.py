"""Does what is due while a real clock goes on by itself; a virtual one is moved by the test, which does it then."""

from __future__ import annotations

import asyncio

from fakemail.clock import TimeSource
from fakemail.wire.supervisor import Supervisor


class RealtimeScheduler:
    """Waits for the next job of a clock, in real time."""

    def __init__(self, clock: TimeSource, supervisor: Supervisor) -> None:
        self._clock = clock
        self._supervisor = supervisor
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch the clock, if it is a real one. Call it in the loop."""
        if not self._clock.is_virtual:
            self._clock.on_change = self._set
            self._set()

    def stop(self) -> None:
        """Do no more of what is due."""
        self._clock.on_change = lambda: None
        self._cancel()

    def _set(self) -> None:
        self._cancel()
        due = self._clock.next_due()
        if due is not None:
            left = (due - self._clock.now()).total_seconds()
            self._timer = asyncio.get_running_loop().call_later(max(left, 0), self._tick)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        for job in self._clock.take_due(self._clock.now()):
            try:
                job.action()
            except Exception as error:
                error.add_note(f"in {job.name}")
                self._supervisor.report(error)
        self._set()
