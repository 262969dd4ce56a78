"""The way from a test into its fake internet: the simulation, and calls into the thread that it runs in.

Both faces of a fake internet and all its handles hold the same :class:`Portal`. It knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from fakemail.errors import ClosedError, DeclarationError
from fakemail.events.kinds import Event
from fakemail.runtime.simulation import Simulation
from fakemail.runtime.sink import SINK
from fakemail.types.address import Address
from fakemail.types.stage import Stage
from fakemail.wire.loop import LoopThread, loop_thread
from fakemail.zones.zone_provisioning import is_infrastructure

MOMENT = 0.3
"""Real seconds that a failure waits for what is under way, before it tells of it."""

_T = TypeVar("_T")


class Portal:
    """Access to one simulation from the threads of a test, as anyio's ``BlockingPortal`` is to an event loop."""

    def __init__(self, *, timeout: float, again: str) -> None:
        self.thread: LoopThread = loop_thread()
        self.running: Simulation | None = None
        """The simulation between start and end."""
        self.timeout = timeout
        """Real seconds that a wait lasts by default."""
        self.again = again
        """Instruction to run the test again with the same seed, for failure texts."""
        self.faults_must_fire = False
        """Whether faults that are declared now must fire by default."""
        self._accounts: dict[tuple[object, str], Any] = {}
        """Handles on accounts by their class and the key of their address."""

    @property
    def simulation(self) -> Simulation:
        """The simulation; raises :class:`~fakemail.errors.ClosedError` when it does not run."""
        if self.running is None:
            raise ClosedError("this fake internet is not running; use it inside its 'with' block.")
        return self.running

    def call(self, function: Callable[[], _T]) -> _T:
        """Call a function in the loop's thread."""
        return self.thread.call(function)

    def perform(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a short coroutine in the loop's thread, and wait for it."""
        return self.thread.run(work)

    def account(self, kind: Callable[[Portal, Address], _T], wanted: Address, password: str | None) -> _T:
        """The handle of that class on an account, which is made if it is not there; the same handle each time."""
        key = kind, wanted.key
        known: _T | None = self._accounts.get(key)
        if known is None:
            self.thread.run_at_once(self._make_account(wanted, password))
            known = self._accounts[key] = kind(self, self.simulation.world.account(wanted).address)
        return known

    async def _make_account(self, wanted: Address, password: str | None) -> None:
        simulation = self.simulation
        if SINK in simulation.world.hosts and wanted.domain not in simulation.world.domains:
            simulation.sink.make_mailbox(wanted, password)
        await simulation.hosts.run_account(wanted, password)

    def remove_account(self, address: Address) -> None:
        """Remove an account, and forget the handles on it."""
        self.call(lambda: self.simulation.hosts.remove_account(address))
        self._forget_removed()

    def remove_domain(self, name: str) -> None:
        """Remove a domain with its accounts, and forget the handles on them."""
        self.call(lambda: self.simulation.hosts.remove_domain(name))
        self._forget_removed()

    def remove_host(self, name: str) -> None:
        """Remove a host."""
        self.call(lambda: self.simulation.hosts.remove_host(name))

    def require_declared(self, name: str, what: str) -> None:
        """Raise :class:`~fakemail.errors.DeclarationError` for a part of the fake internet's own machinery."""
        if is_infrastructure(name):
            raise DeclarationError(f"the {what} {name!r} belongs to the fake internet itself, and stays.")

    def _forget_removed(self) -> None:
        for key in [each for each in self._accounts if each[1] not in self.simulation.world.accounts]:
            del self._accounts[key]

    def watch(
        self, check: Callable[[], _T | None], *, stages: Container[Stage] | None, timeout: float | None
    ) -> Future[_T | None]:
        """A future for the first result of ``check`` that is not ``None``; ``None`` when time is up.

        ``check`` is called at once, then after each event at one of the ``stages`` (``None``: every
        event, and every end of a task), always in the loop's thread. ``timeout`` is in real seconds. It fails with
        :class:`~fakemail.errors.ClosedError` as soon as the fake internet is closed.
        """
        simulation, loop = self.simulation, self.thread.loop
        seconds = self.timeout if timeout is None else timeout
        future: Future[_T | None] = Future()

        def begin() -> None:
            cleanup: list[Callable[[], object]] = []

            def finish(result: _T | None) -> None:
                for step in cleanup:
                    step()
                if not future.done():
                    future.set_result(result)

            def look() -> None:
                if future.done():
                    return
                try:
                    simulation.quiescence.require_running()
                    found = check()
                except BaseException as error:
                    future.set_exception(error)
                    finish(None)
                else:
                    if found is not None:
                        finish(found)

            def on_event(event: Event) -> None:
                if stages is None or event.stage in stages:
                    # Not at once: what belongs to this event, such as the reply after a delivery, is
                    # recorded in the same turn of the loop, and the test that is woken may ask for it.
                    loop.call_soon(look)

            look()
            if future.done():
                return
            simulation.quiescence.on_stop.append(look)
            cleanup.append(lambda: simulation.quiescence.on_stop.remove(look))
            cleanup.append(simulation.log.subscribe(on_event))
            cleanup.append(loop.call_later(seconds, finish, None).cancel)
            if stages is None:
                watchers = simulation.supervisor.on_end
                watchers.append(look)
                cleanup.append(lambda: watchers.remove(look))

        self.thread.soon(begin)
        return future

    def settled(self, timeout: float | None) -> Future[bool | None]:
        """A future for the moment at which the fake internet is quiet; ``None`` when time is up."""
        simulation = self.simulation
        return self.watch(lambda: simulation.quiescence.is_settled or None, stages=None, timeout=timeout)

    def let_settle(self) -> None:
        """Give what is under way a moment to end, so that a failure text does not stop in the middle of a story."""
        if self.running is not None:
            with suppress(TimeoutError):  # a loop that stands still has a log all the same
                self.settled(MOMENT).result(10 * MOMENT)
