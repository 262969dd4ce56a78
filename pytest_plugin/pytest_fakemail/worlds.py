"""A fake internet of a test run, and what the test that uses it has done in it. Loaded where one is used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fakemail.api.faults import remove_rules
from fakemail.api.journey_notes import with_notes

if TYPE_CHECKING:
    from fakemail.api.mailnet import BaseMailNet
    from fakemail.events.journey import Journey
    from fakemail.faults.rule import FaultRule


class World:
    """A fake internet that runs, and its log, which can be read after its end."""

    def __init__(self, net: BaseMailNet[Any, Any], *, allow: Iterable[str] = ()) -> None:
        self.net = net
        self._simulation = net._portal.simulation
        self.log = net._portal.simulation.log
        self.again = net._portal.again
        self.allow = tuple(allow)
        """The lint rules that may be broken in it."""
        self._began = (0, 0)
        self.known_faults = 0
        """Number of faults that had been declared when the present test began."""
        self._lasting: set[FaultRule] = set()

    @property
    def is_open(self) -> bool:
        """Whether the fake internet runs."""
        return self.net.is_running

    def begin_test(self) -> None:
        """A test begins: what happened so far is not its doing."""
        self._began = (self.log.times_cleared, len(self.log))
        self.known_faults = len(self._simulation.faults.added)

    @property
    def start(self) -> int:
        """Number of events that had happened when the present test began."""
        times_cleared, number = self._began
        return number if times_cleared == self.log.times_cleared else 0

    @property
    def number_of_faults(self) -> int:
        """Number of faults that were ever declared."""
        return len(self._simulation.faults.added)

    def keep_faults(self, since: int) -> None:
        """Those declared since there were that many belong to no test, and stay in force when it ends."""
        self._lasting.update(self._simulation.faults.added[since:])

    def end_test(self) -> None:
        """A test is over: the faults that it declared, in itself or in fixtures of its own, end with it."""
        rules = [rule for rule in self.new_faults if rule not in self._lasting]
        if rules and self.net.is_running:
            remove_rules(self.net._portal, rules)

    def let_settle(self) -> None:
        """Give what is under way a moment to end, so that a report does not stop in the middle of a story."""
        self.net._portal.let_settle()

    @property
    def new_faults(self) -> list[FaultRule]:
        """Those that were declared since the test began."""
        return self._simulation.faults.added[self.known_faults :]

    def expect_fired(self, wanted: bool) -> None:
        """From now on faults that are declared must fire, or need not."""
        self.net._portal.faults_must_fire = wanted

    @property
    def is_inhabited(self) -> bool:
        """Whether anything was declared that could get mail."""
        return bool(self._simulation.world.domains)

    def closed_hosts(self) -> list[str]:
        """A sentence for each host that lets nobody connect because the test wants it so."""
        return [
            f"{running.name} is switched off."
            if running.is_stopped
            else f"{running.name} refuses connections, by a fault of the test."
            for running in list(self._simulation.hosts.running.values())
            if running.is_stopped or running.faults.refuses("smtp")
        ]

    def with_notes(self, found: list[Journey]) -> list[Journey]:
        """The journeys, with what there is to do about those that are not at their end."""
        return with_notes(self._simulation, found)

    def raise_errors(self) -> None:
        """Raise an error of the servers' own code, if there was one."""
        __tracebackhide__ = True
        self._simulation.supervisor.raise_errors()
