"""Watchdog of a sweep: ends the run of an app that hangs, by its connections first, and then in its own code.

In Python only the main thread can be interrupted while it waits, by a signal; code of other threads is left alone.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Final

from fakemail.api.portal import Portal
from fakemail.api.waits import is_trio_running

HANG_TIMEOUT: Final = 2.0
"""Real seconds without any event after which an app is said to hang, by default."""
_LOOKS: Final = 4
"""Number of looks within the timeout."""
_LONGEST: Final = 10 * _LOOKS
"""Number of looks that a run may last longer than the run without faults, whatever happens in it."""
# The system ignores it where nobody handles it, so that one which comes late does no harm.
_SIGNAL: Final = getattr(signal, "SIGURG", None)
_LIBRARY: Final = str(Path(threading.__file__).parent)


class Watchdog:
    """A watch on the events of a fake internet, which ends the run of an app that hangs.

    The run without faults is only watched, and shows how long the app is silent by itself: a run with a fault may be
    silent longer than that one, but not by more than the timeout.
    """

    def __init__(self, portal: Portal, hang_timeout: float, *, usual: Watchdog | None) -> None:
        self.report = ""
        """The intervention, in words; empty if there was none."""
        self._portal, self._hang_timeout = portal, hang_timeout
        self._simulation = portal.simulation
        self._seen = -1
        self._silence = self._longest_silence = self._looks = 0
        self._may_be_silent = _LOOKS + (0 if usual is None else usual._longest_silence)
        self._may_last = None if usual is None else usual._looks + _LONGEST
        self._stopper = Stopper()
        self._is_on = True
        self._stopper.begin()
        portal.call(self._look)

    def stop(self) -> None:
        """End the watch; it may be ended again."""
        if not self._is_on:
            return
        self._is_on = False
        self._stopper.end()
        if self._stopper.place and self.report.endswith("stopped"):
            self.report += f" in {self._stopper.place}"

    def _look(self) -> None:
        if not self._is_on:
            return
        events = len(self._simulation.log)
        self._looks += 1
        self._silence = self._silence + 1 if events == self._seen else 0
        self._longest_silence = max(self._longest_silence, self._silence)
        self._seen = events
        if self._may_last is not None:
            self._bite(self._may_last)
        self._portal.thread.loop.call_later(self._hang_timeout / _LOOKS, self._look)

    def _bite(self, may_last: int) -> None:
        if self._looks > may_last:
            self._may_last = self._looks + _LOOKS  # again, if need be
            self._end("it went on and on, until it was stopped")
        elif self._silence >= self._may_be_silent:
            self._silence = 0
            if self._cut():
                self.report = "nothing happened any more, until the connection was cut"
            else:
                self._end("nothing happened any more, until it was stopped")

    def _cut(self) -> bool:
        """Abort the app's connections; whether there were any."""
        found = [
            connection
            for running in list(self._simulation.hosts.running.values())
            for connection in tuple(running.connections)
            if connection.peer.is_app
        ]
        for connection in found:
            connection.abort()
        return bool(found)

    def _end(self, report: str) -> None:
        if self._stopper.stop():
            self.report = report


class Stopped(BaseException):
    """Raised in the code that is stopped."""


class Stopper:
    """Can stop what the main thread does between :meth:`begin` and :meth:`end`. Elsewhere it does nothing."""

    def __init__(self) -> None:
        self.place = ""
        """The place at which the code was stopped: a function and a line."""
        self._is_on = False
        self._before: Any = None
        self._task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        """Allow this thread to be stopped from now on, if it is the main thread."""
        if _SIGNAL is None or threading.current_thread() is not threading.main_thread():
            return
        self._task = asyncio.current_task() if asyncio._get_running_loop() is not None else None
        self._before = signal.signal(_SIGNAL, self._stop_here)
        self._is_on = True

    def end(self) -> None:
        """Allow no stop from now on."""
        if self._is_on:
            self._is_on = False
            signal.signal(_SIGNAL, signal.SIG_DFL if self._before is None else self._before)  # type: ignore[arg-type]

    def stop(self) -> bool:
        """Stop it, from any thread; ``False`` where that cannot be done."""
        main = threading.main_thread().ident
        if not self._is_on or _SIGNAL is None or main is None:
            return False
        signal.pthread_kill(main, _SIGNAL)
        return True

    def _stop_here(self, number: int, frame: FrameType | None) -> None:
        if not self._is_on or is_trio_running():
            return
        loop = asyncio._get_running_loop()
        if loop is None or asyncio.current_task(loop) is not None:
            self.place = _place(frame)
            raise Stopped
        # The loop itself waits: an exception would end it and not the code that awaits something.
        for task in asyncio.all_tasks(loop) if self._task is None else (self._task,):
            self.place = _place(_inmost(task))
            loop.call_soon_threadsafe(task.cancel)


def take_back_cancellation() -> None:
    """The running task was stopped, and goes on with something else."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def _inmost(task: asyncio.Task[Any]) -> FrameType | None:
    """The frame in which a task waits."""
    stack = task.get_stack(limit=1)
    return stack[0] if stack else None


def _place(frame: FrameType | None) -> str:
    """The inmost place that is not in the standard library, for people."""
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith((_LIBRARY, "<")) or "site-packages" in code.co_filename:
            return f"{code.co_name} ({Path(code.co_filename).name}:{frame.f_lineno})"
        frame = frame.f_back
    return ""
