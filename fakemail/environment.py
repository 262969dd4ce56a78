"""Environment of one fake internet: what every service of it may rely on, and nothing more."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from fakemail.clock import TimeSource
from fakemail.events.log import Log
from fakemail.model.world import WorldSpec
from fakemail.types.dataclass import dataclass
from fakemail.types.seeded_random import SeededRandom


class Tasks(Protocol):
    """Owner of tasks, as :class:`fakemail.wire.supervisor.Supervisor` is one."""

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> None:
        """Run a coroutine to its end."""
        ...

    def report(self, error: BaseException) -> None:
        """Keep an error of our own code for the test's teardown."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Clock, random numbers, log, tasks and the described world; what else a service needs, it takes by name."""

    clock: TimeSource
    random: SeededRandom
    log: Log
    tasks: Tasks
    world: WorldSpec
