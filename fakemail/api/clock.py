"""The clock of a fake internet as a test sees it: it stands until it is moved."""

from __future__ import annotations

from datetime import MAXYEAR, datetime, timedelta

from fakemail.api.handles import Handle
from fakemail.api.portal import Portal
from fakemail.api.waits import arrive, require_blocking_allowed


class BaseClock(Handle):
    """Clock of a fake internet without its waits."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def now(self) -> datetime:
        """The present time, in UTC."""
        return self._portal.simulation.clock.now()

    def _forward(self, span: object) -> timedelta:
        """A span that the clock can go, or an error for who called."""
        __tracebackhide__ = True
        if not isinstance(span, timedelta):
            raise TypeError(
                f"a clock is moved by a duration such as hours(2) or minutes(5), not by {span!r}."
            )
        if span < timedelta():
            raise ValueError(f"time does not run back, so a clock cannot be moved by -{-span} (h:mm:ss).")
        try:
            self.now() + span
        except OverflowError:
            raise ValueError(
                f"the calendar ends with the year {MAXYEAR}, and {span.days} days from now are beyond it."
            ) from None
        return span

    def _name(self) -> str:
        return "Clock"

    def _state(self) -> str:
        return f" at {self.now():%Y-%m-%d %H:%M:%S} UTC"


class Clock(BaseClock):
    """A clock whose moves block until everything due has happened."""

    def advance(self, span: timedelta) -> None:
        """Run every timer that is due in that span, in order, becoming quiet after each; then stand at its end.

        Retries, bounces and all else that waits happen on the way, with real messages over real
        sockets, so five days take milliseconds. Raises ``TypeError`` for what is no span, ``ValueError`` for a
        negative one and for one past the end of the calendar, and
        :class:`~fakemail.errors.MailAssertionError` when our side does not become quiet in time.
        """
        __tracebackhide__ = True
        require_blocking_allowed("clock.advance")
        span = self._forward(span)
        self._portal.perform(self._portal.simulation.quiescence.advance(span, max_wait=self._portal.timeout))


class AsyncClock(BaseClock):
    """A clock whose moves are awaited."""

    async def advance(self, span: timedelta) -> None:
        """See :meth:`Clock.advance`."""
        __tracebackhide__ = True
        span = self._forward(span)
        work = self._portal.simulation.quiescence.advance(span, max_wait=self._portal.timeout)
        await arrive(self._portal.thread.start(work))
