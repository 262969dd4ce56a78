"""The only reader of time, and the only keeper of timers. Nothing else in fakemail asks what time it is.

A clock holds jobs and tells which are due; running them is the runtime's part, in its own thread.
"""

from __future__ import annotations

import datetime as _datetime
import heapq
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from types import ModuleType

__all__ = [
    "Job",
    "RealClock",
    "TimeSource",
    "VirtualClock",
    "date",
    "datetime",
    "keep_real_dates",
    "machine_time",
    "monotonic",
    "real_dates",
]

# A test may put something else in the place of ``datetime.datetime`` for its app (freezegun, unittest.mock,
# monkeypatch), and what is imported for the first time meanwhile keeps that for good. So modules of ours that are
# loaded late take ``date`` and ``datetime`` from here, and other packages that keep them are loaded in real_dates().
_REAL_DATES = ModuleType("datetime", _datetime.__doc__)
_REAL_DATES.__dict__.update(vars(_datetime))


@contextmanager
def real_dates() -> Iterator[None]:
    """Within it, what is imported for the first time gets the real ``datetime``, whatever a test has made of it.

    Nobody else sees a difference but those who import ``datetime`` itself at that very moment.
    """
    given = sys.modules["datetime"]
    if vars(given).get("datetime") is _REAL_DATES.datetime:
        yield
        return
    sys.modules["datetime"] = _REAL_DATES
    try:
        yield
    finally:
        sys.modules["datetime"] = given


def keep_real_dates(packages: Iterable[str]) -> None:
    """Let the loaded modules of these packages use the real ``datetime`` from now on, whenever they are called."""
    wanted = tuple(packages)
    for name, module in tuple(sys.modules.items()):
        if name.partition(".")[0] in wanted and isinstance(vars(module).get("datetime"), ModuleType):
            vars(module)["datetime"] = _REAL_DATES


def machine_time() -> datetime:
    """The machine's time, also while a test freezes or moves the standard library's clock for its app.

    Tools for that replace what ``time`` and ``datetime`` say, some of them inside the interpreter. The
    file system is not among the things they reach.
    """
    with tempfile.TemporaryFile() as file:
        return _EPOCH + timedelta(seconds=os.fstat(file.fileno()).st_mtime)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Where the system has no such clock (Windows), the interpreter's own has to do.
_clock_gettime = getattr(time, "clock_gettime", lambda _: time.monotonic())
# Nothing of ours is called in between: the event loop asks twice for each command.
monotonic: Callable[[], float] = partial(_clock_gettime, getattr(time, "CLOCK_MONOTONIC", 0))
"""Seconds that only ever grow, out of reach of those tools as well: for real timeouts."""


class Job:
    """Something to be done at a time."""

    __slots__ = ("action", "due", "is_cancelled", "name")

    def __init__(self, due: datetime, action: Callable[[], object], name: str) -> None:
        self.due = due
        self.action = action
        self.name = name
        self.is_cancelled = False

    def cancel(self) -> None:
        """Do not do it after all."""
        self.is_cancelled = True

    def __repr__(self) -> str:
        return f"<Job {self.name!r} at {self.due:%Y-%m-%d %H:%M:%S}>"


class TimeSource:
    """Tells the time of the fake internet, always in UTC, and holds what is due when."""

    is_virtual: bool
    """Whether it stands still until it is moved."""

    def __init__(self) -> None:
        self._jobs: list[tuple[datetime, int, Job]] = []
        self._serial = count()
        self.on_change: Callable[[], object] = lambda: None
        """Function called when a job is added or the clock is moved, for the runner of the jobs."""

    def now(self) -> datetime:
        """The present time, with its time zone."""
        raise NotImplementedError

    def move(self, by: timedelta) -> None:
        """Move the clock forward. Raises ``ValueError`` for a negative span: time does not run back."""
        raise NotImplementedError

    def at(self, due: datetime, action: Callable[[], object], *, name: str) -> Job:
        """Have something done at a time; jobs of one time run in the order of their making."""
        job = Job(due, action, name)
        heapq.heappush(self._jobs, (due, next(self._serial), job))
        self.on_change()
        return job

    def after(self, span: timedelta, action: Callable[[], object], *, name: str) -> Job:
        """Have something done when a span has passed."""
        return self.at(self.now() + span, action, name=name)

    def next_due(self) -> datetime | None:
        """Time at which the next job is due; ``None`` when there is none."""
        while self._jobs and self._jobs[0][2].is_cancelled:
            heapq.heappop(self._jobs)
        return self._jobs[0][0] if self._jobs else None

    def take_due(self, until: datetime) -> list[Job]:
        """Take out the jobs of the next time that is not after ``until``: all that are due at that time."""
        due = self.next_due()
        if due is None or due > until:
            return []
        jobs: list[Job] = []
        while self._jobs and self._jobs[0][0] == due:
            job = heapq.heappop(self._jobs)[2]
            if not job.is_cancelled:
                jobs.append(job)
        return jobs

    def jobs(self) -> list[Job]:
        """Pending calls, the next first."""
        return [job for _, _, job in sorted(self._jobs) if not job.is_cancelled]


class VirtualClock(TimeSource):
    """A clock that stands still until it is moved."""

    is_virtual = True

    def __init__(self, start: datetime | None = None) -> None:
        super().__init__()
        self._now = start or machine_time().replace(microsecond=0)

    def now(self) -> datetime:
        """The time at which the clock stands."""
        return self._now

    def move(self, by: timedelta) -> None:
        """Move the clock forward; jobs that become due stay where they are until they are taken."""
        _require_forward(by)
        self._now += by
        self.on_change()


class RealClock(TimeSource):
    """The machine's own clock, which can be ahead of it but never behind."""

    is_virtual = False

    def __init__(self) -> None:
        super().__init__()
        self._began, self._started = machine_time(), monotonic()
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The machine's time, and as much as the clock was moved."""
        return self._began + timedelta(seconds=monotonic() - self._started) + self._ahead

    def move(self, by: timedelta) -> None:
        """Be ahead of the machine's time by that much more."""
        _require_forward(by)
        self._ahead += by
        self.on_change()


def _require_forward(by: timedelta) -> None:
    if by < timedelta():
        raise ValueError(f"a clock moves forward only, not by {by}")
