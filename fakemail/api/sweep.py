"""``mailnet.sweep(run)``: a journey once without faults, and once more for every single thing that can fail on it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from fakemail.api.results import Results
from fakemail.api.stopping import Stopped, take_back_cancellation
from fakemail.api.watchdog import Watchdog
from fakemail.errors import DeclarationError, MailAssertionError
from fakemail.events.kinds import Event
from fakemail.sweep.points import FailurePoint, counters, points
from fakemail.sweep.verdict import Mail, Run, SweepOutcome, deliveries, judge, table
from fakemail.types.address import Address
from fakemail.types.address import address as read_address

if TYPE_CHECKING:
    from fakemail.api.mailnet import AnyNet
    from fakemail.faults.rule import FaultRule

PATIENCE: Final = 2.0
"""Real seconds without any event after which an app is said to hang."""

Told = Iterable[Any] | None
"""Whom an app says it could not reach: addresses or accounts."""


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

    def __init__(self, point: FailurePoint | None, *, patience: float, first: Trial | None = None) -> None:
        self.point = point
        self._patience = patience
        self._first = first
        self._rules: list[FaultRule] = counters() if point is None else [point.rule]
        self._watchdog: Watchdog | None = None
        self._error: BaseException | None = None
        self._told: frozenset[str] = frozenset()
        self.events: list[Event] = []
        """What happened, once it is over."""

    def begin(self, net: AnyNet) -> None:
        """Put the fault in force, or the counters, before anything else happens."""
        internet = net.internet

        async def add() -> None:
            for rule in self._rules:
                internet.faults.add(rule)
            await internet.heed_faults()

        net.perform(add())
        usual = None if self._first is None else self._first._watchdog
        self._watchdog = Watchdog(net, self._patience, usual=usual)

    def raised(self, error: BaseException) -> None:
        """The run ended with an exception."""
        self._error = error

    def returned(self, told: Told) -> None:
        """The run ended, and said whom the app could not reach."""
        if told is not None:
            self._told = frozenset(_key(each) for each in told)

    def over(self) -> None:
        """The app's part is over: nothing is cut or stopped any more."""
        if self._watchdog is not None:
            self._watchdog.stop()

    def end(self, net: AnyNet) -> None:
        """The run is over, and the fake internet quiet."""
        self.over()
        self.events = net.internet.log.events()

    def settled(self, net: AnyNet) -> Future[bool | None]:
        """When the fake internet is quiet, or as good as."""
        self.over()
        return net._settled(net.timeout)

    @property
    def hung(self) -> str:
        """How it was ended, if it did not end by itself."""
        return "" if self._watchdog is None else self._watchdog.told

    @property
    def points(self) -> list[FailurePoint]:
        """The points of the journey, after the first run."""
        return points(self._rules)

    @property
    def deliveries(self) -> Counter[Mail]:
        """What arrived."""
        return deliveries(self.events)

    def judge(self, first: Trial, handles: tuple[type[BaseException], ...]) -> SweepOutcome:
        """What the app made of the fault, beside the first run."""
        if self.point is None:
            raise RuntimeError("the first run has no fault to be judged by")
        # The system's refusal of connections is not counted.
        fired = sum(rule.fired for rule in self._rules) or self.point.action == "refuse"
        run = Run(self.events, self._error, self._told, self.hung, int(fired))
        return judge(self.point, first.deliveries, run, handles=handles)


def _key(who: Any) -> str:
    return who.key if isinstance(who, Address) else read_address(str(getattr(who, "address", who))).key


class Sweep:
    """The runs of one sweep, in order. The first decides which others there are."""

    def __init__(
        self,
        *,
        handles: type[BaseException] | tuple[type[BaseException], ...] = (),
        only: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._handles = handles if isinstance(handles, tuple) else (handles,)
        self._only = only
        self._patience = patience
        self.first = Trial(None, patience=patience)
        self.outcomes: list[SweepOutcome] = []

    def trials(self) -> Iterator[Trial]:
        """Each run to be made; the next is asked for when the one before has ended."""
        yield self.first
        for point in self.chosen():
            trial = self.trial(point)
            yield trial
            self.outcomes.append(self.judge(trial))

    def trial(self, point: FailurePoint) -> Trial:
        """The run in which that fails."""
        return Trial(point, patience=self._patience, first=self.first)

    def judge(self, trial: Trial) -> SweepOutcome:
        """What the app made of it."""
        return trial.judge(self.first, self._handles)

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


def sweep_blocking(net: AnyNet, sweep: Sweep, run: Callable[[Any], Told]) -> SweepReport:
    """Make the runs one after the other."""
    __tracebackhide__ = True
    for trial in sweep.trials():
        with fresh(net) as world:
            trial.begin(world)
            try:
                trial.returned(run(world))
            except Exception as error:
                if trial.point is None:
                    raise  # what fails without any fault is no matter of a sweep
                trial.raised(error)
            except Stopped as error:
                trial.raised(error)
            trial.settled(world).result()
            trial.end(world)
    return SweepReport(sweep.outcomes)


async def sweep_awaiting(
    net: AnyNet,
    sweep: Sweep,
    run: Callable[[Any], Awaitable[Told]],
    arrive: Callable[[Future[bool | None]], Awaitable[bool | None]],
) -> SweepReport:
    """The same for a run that is awaited."""
    __tracebackhide__ = True
    for trial in sweep.trials():
        async with fresh(net) as world:
            trial.begin(world)
            try:
                trial.returned(await run(world))
            except Exception as error:
                if trial.point is None:
                    raise
                trial.raised(error)
            except Stopped as error:
                trial.raised(error)
            except asyncio.CancelledError:
                if not trial.hung:
                    raise
                take_back_cancellation()
            await arrive(trial.settled(world))
            trial.end(world)
    return SweepReport(sweep.outcomes)


def fresh(net: AnyNet) -> Any:
    """A new fake internet with the options of this one, and nothing in it but what its configuration has."""
    world = type(net)(config=net._config, seed=net.seed, timeout=net.timeout, grease=net.grease)
    world.again = net.again
    return world
