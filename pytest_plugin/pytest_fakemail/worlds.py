"""Worlds of a test run: opened as options say, remembered for the report, closed in the end."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import pytest

from fakemail import DeclarationError
from fakemail.api.config import load
from fakemail.api.fault_tables import declare
from fakemail.api.faults import lift
from fakemail.api.journey_notes import with_notes
from pytest_fakemail.fixtures import CALLED, SHARED, TRIAL, WORLDS
from pytest_fakemail.options import Options, of_item, read

if TYPE_CHECKING:
    from fakemail.api.mailnet import BaseMailNet
    from fakemail.events.journey import Journey
    from fakemail.faults.rule import FaultRule

_Net = TypeVar("_Net", bound="BaseMailNet[Any, Any]")


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
        """How many faults had been declared when the present test began."""
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
        """How many events had happened when the present test began."""
        times_cleared, number = self._began
        return number if times_cleared == self.log.times_cleared else 0

    @property
    def number_of_faults(self) -> int:
        """How many were ever declared."""
        return len(self._simulation.faults.added)

    def keep_faults(self, since: int) -> None:
        """Those declared since there were that many belong to no test, and stay in force when it ends."""
        self._lasting.update(self._simulation.faults.added[since:])

    def end_test(self) -> None:
        """A test is over: the faults that it declared, in itself or in fixtures of its own, end with it."""
        rules = [rule for rule in self.new_faults if rule not in self._lasting]
        if rules and self.net.is_running:
            lift(self.net._portal, rules)

    def let_settle(self) -> None:
        """Give what is under way a moment to end, so that a report does not stop in the middle of a story."""
        self.net._portal.let_settle()

    @property
    def new_faults(self) -> list[FaultRule]:
        """Those that were declared since the test began."""
        return self._simulation.faults.added[self.known_faults :]

    def expect_strikes(self, wanted: bool) -> None:
        """From now on faults that are declared must strike, or need not."""
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
            for running in list(self._simulation.hosts.values())
            if running.is_stopped or running.faults.refuses("smtp")
        ]

    def with_notes(self, found: list[Journey]) -> list[Journey]:
        """The journeys, with what there is to do about those that are not at their end."""
        return with_notes(self._simulation, found)

    def raise_errors(self) -> None:
        """Raise an error of the servers' own code, if there was one."""
        __tracebackhide__ = True
        self._simulation.raise_errors()


def open_own(kind: type[_Net], item: pytest.Item) -> _Net:
    """A world for one test, as its markers say."""
    __tracebackhide__ = True
    try:
        net = _open(kind, of_item(item), item.stash.setdefault(WORLDS, []))
        if TRIAL in item.stash:
            item.stash[TRIAL].begin(net._portal)
        return net
    except pytest.UsageError as error:
        mistake = str(error)
    except DeclarationError as error:
        mistake = f"{item.nodeid}: mailnet(): {error}"
    # A mark is at fault, and no line of code that could be shown.
    pytest.fail(mistake, pytrace=False)


def conclude(item: pytest.Item, net: BaseMailNet[Any, Any]) -> None:
    """The test is over, and its world is about to end."""
    if TRIAL in item.stash:
        from pytest_fakemail.sweeping import conclude

        conclude(item, net)


def _open(kind: type[_Net], options: Options, worlds: list[World]) -> _Net:
    __tracebackhide__ = True
    net = kind(**_arguments(options))
    net._portal.again = f"--mailnet-seed={net.seed}"
    net.start()
    worlds.append(World(net, allow=options.allow))
    try:
        for domain in options.domains:
            net.domain(domain)
        net.accounts(*options.accounts)
        for table in options.faults:
            declare(net._portal, table)
        if options.redirect:
            net.redirect(children=options.children)
    except BaseException:
        net.close()
        raise
    return net


def _arguments(options: Options) -> dict[str, Any]:
    """The arguments for a MailNet."""
    arguments: dict[str, Any] = {
        "grease": options.grease,
        "seed": options.seed,
        "real_ports": options.real_ports,
    }
    if options.timeout is not None:
        arguments["timeout"] = options.timeout
    if options.config is not None:
        described = arguments["config"] = load(options.config)
        if options.seed is None:
            arguments["seed"] = described.seed
        if options.grease is None:
            arguments["grease"] = described.grease
    if arguments["seed"] is None:
        arguments["seed"] = options.default_seed
    if arguments["grease"] is None:
        arguments["grease"] = options.default_grease
    return arguments


class Factory(Generic[_Net]):
    """Makes worlds that live until they are closed, at the latest until the end of the session."""

    def __init__(self, config: pytest.Config, kind: type[_Net], name: str) -> None:
        self._config = config
        self._kind = kind
        self._name = name
        self._worlds: list[World] = config.stash.setdefault(SHARED, [])
        self._number = count(1)
        self._exits = ExitStack()

    def __call__(self, **options: Any) -> _Net:
        """A new fake internet that runs already: for a ``with`` block, or to be left to the session's end.

        The options are those of the mark ``mailnet``; a relative ``config=`` starts at pytest's rootdir.
        """
        __tracebackhide__ = True
        wanted = read(
            options,
            config=self._config,
            base=self._config.rootpath,
            seed_text=f"{self._name} {next(self._number)}",
            where=f"{self._name}()",
        )
        net = _open(self._kind, wanted, self._worlds)
        self._worlds[-1].keep_faults(0)
        self._worlds[-1].expect_strikes(self._config.stash.get(CALLED, False))
        self._exits.callback(net.close)
        return net

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self._exits.close()
