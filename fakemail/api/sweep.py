"""``mailnet.sweep(run)``: a journey once without faults, and once more for every single thing that can fail on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeAlias

from fakemail.api.handles import Results
from fakemail.api.portal import Portal
from fakemail.api.watchdog import HANG_TIMEOUT, Stopped, Watchdog
from fakemail.errors import DeclarationError, MailAssertionError
from fakemail.events.kinds import Event
from fakemail.sweep.points import FailurePoint, counters, points
from fakemail.sweep.verdict import Mail, Run, SweepOutcome, deliveries, outcome_of, table
from fakemail.types.address import Address, address

if TYPE_CHECKING:
    from fakemail.faults.rule import FaultRule

Unreached: TypeAlias = Iterable[Any] | None
"""The recipients that an app says it could not reach: addresses or accounts."""


class SweepReport(Results[SweepOutcome]):
    """The outcomes of a sweep, one for each failure point. Print it for a table."""

    def __init__(self, found: Iterable[SweepOutcome]) -> None:
        super().__init__(found, question="the outcomes of the sweep")

    @property
    def mishandled(self) -> Results[SweepOutcome]:
        """The points that the app should have handled better."""
        found = [outcome for outcome in self if outcome.is_mishandled]
        return Results(found, question="the mishandled points of the sweep")

    def check(self) -> None:
        """Raise :class:`~fakemail.errors.MailAssertionError` with the whole table if anything was mishandled."""
        __tracebackhide__ = True
        if self.mishandled:
            raise MailAssertionError(f"not every failure was handled:\n{self}")

    def __str__(self) -> str:
        return table(self)

    def __repr__(self) -> str:
        return f"<SweepReport of {len(self)} points, {len(self.mishandled)} mishandled>"


class Trial:
    """One run in a fake internet of its own: the first, or one with a fault."""

    def __init__(
        self, point: FailurePoint | None, *, hang_timeout: float, first: Trial | None = None
    ) -> None:
        self.point = point
        self._hang_timeout = hang_timeout
        self._first = first
        self._rules: list[FaultRule] = counters() if point is None else [point.rule]
        self._watchdog: Watchdog | None = None
        self._error: BaseException | None = None
        self._unreached: frozenset[str] = frozenset()
        self.events: list[Event] = []
        """The events of the run, once it is over."""

    def begin(self, portal: Portal) -> None:
        """Put the fault in force, or the counters, before anything else happens."""
        internet = portal.simulation

        async def add() -> None:
            for rule in self._rules:
                internet.faults.add(rule)
            await internet.fault_updates.apply()

        portal.perform(add())
        usual = None if self._first is None else self._first._watchdog
        self._watchdog = Watchdog(portal, self._hang_timeout, usual=usual)

    def raised(self, error: BaseException) -> None:
        """The run ended with an exception."""
        self._error = error

    def raised_or_raise(self, error: BaseException) -> None:
        """Keep the exception of a run with a fault. That of the first run is raised: it is no matter of a sweep."""
        __tracebackhide__ = True
        if not isinstance(error, Stopped) and (self.point is None or not isinstance(error, Exception)):
            raise error
        self._error = error

    def returned(self, unreached: Unreached) -> None:
        """The run ended and returned the recipients that the app could not reach."""
        if unreached is not None:
            self._unreached = frozenset(_key(each) for each in unreached)

    def over(self) -> None:
        """The app's part is over: nothing is cut or stopped any more."""
        if self._watchdog is not None:
            self._watchdog.stop()

    def end(self, portal: Portal) -> None:
        """The run is over, and the fake internet quiet."""
        self.over()
        self.events = portal.simulation.log.events()

    def settled(self, portal: Portal) -> Future[bool | None]:
        """Wait until the fake internet is quiet, or nearly so."""
        self.over()
        return portal.settled(None)

    @property
    def hung(self) -> str:
        """The way in which it was ended, if it did not end by itself."""
        return "" if self._watchdog is None else self._watchdog.report

    @property
    def points(self) -> list[FailurePoint]:
        """The points of the journey, after the first run."""
        return points(self._rules)

    @property
    def deliveries(self) -> Counter[Mail]:
        """The mail that arrived."""
        return deliveries(self.events)

    def outcome(self, first: Trial, expected_errors: tuple[type[BaseException], ...]) -> SweepOutcome:
        """The verdict on how the app handled the fault, compared with the first run."""
        if self.point is None:
            raise RuntimeError("the first run has no fault, and so no outcome")
        # The system's refusal of connections is not counted.
        fired = sum(rule.fired for rule in self._rules) or self.point.action == "refuse"
        run = Run(self.events, self._error, self._unreached, self.hung, int(fired))
        return outcome_of(self.point, first.deliveries, run, expected_errors=expected_errors)


def _key(who: Any) -> str:
    return who.key if isinstance(who, Address) else address(str(getattr(who, "address", who))).key


class Sweep:
    """The runs of one sweep, in order. The first decides which others there are."""

    def __init__(
        self,
        *,
        expected_errors: type[BaseException] | tuple[type[BaseException], ...] = (),
        only: str | None = None,
        hang_timeout: float = HANG_TIMEOUT,
    ) -> None:
        self._expected_errors = expected_errors if isinstance(expected_errors, tuple) else (expected_errors,)
        self._only = only
        self._hang_timeout = hang_timeout
        self.first = Trial(None, hang_timeout=hang_timeout)
        self.outcomes: list[SweepOutcome] = []

    def trials(self) -> Iterator[Trial]:
        """Each run to be made; the next is asked for when the one before has ended."""
        yield self.first
        for point in self.chosen():
            trial = self.trial(point)
            yield trial
            self.outcomes.append(self.outcome(trial))

    def trial(self, point: FailurePoint) -> Trial:
        """The run in which one point fails."""
        return Trial(point, hang_timeout=self._hang_timeout, first=self.first)

    def outcome(self, trial: Trial) -> SweepOutcome:
        """The verdict on a run."""
        return trial.outcome(self.first, self._expected_errors)

    def chosen(self) -> list[FailurePoint]:
        """The points that are wanted, after the first run."""
        found = self.first.points
        if self._only is None:
            return found
        chosen = [point for point in found if fnmatchcase(point.name, self._only)]
        if not chosen:
            names = ", ".join(dict.fromkeys(point.name for point in found))
            raise DeclarationError(
                f"no failure point of this journey is like {self._only!r}; there are {names}."
            )
        return chosen
