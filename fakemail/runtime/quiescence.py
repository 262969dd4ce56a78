"""Waiting until a fake internet is quiet, and moving its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from weakref import WeakKeyDictionary

from fakemail.environment import Environment
from fakemail.errors import ClosedError, MailAssertionError
from fakemail.runtime.connection_pool import ConnectionPool
from fakemail.runtime.hosts import Hosts
from fakemail.runtime.network import Endpoint, Network
from fakemail.runtime.virtual_timeouts import VirtualTimeouts
from fakemail.wire.connection import Connection
from fakemail.wire.smtp_server import SmtpConnection
from fakemail.wire.supervisor import Supervisor

_TURNS: Final = 16
"""Turns of the loop in which a server notices that a client in the same loop has left, after all that came before."""


class Quiescence:
    """Whether anything is going on in one fake internet, and waiting for the moment when nothing is."""

    def __init__(
        self,
        environment: Environment,
        *,
        supervisor: Supervisor,
        hosts: Hosts,
        network: Network,
        virtual_timeouts: VirtualTimeouts,
        connection_pool: ConnectionPool,
    ) -> None:
        self._clock = environment.clock
        self._log = environment.log
        self._supervisor = supervisor
        self._hosts = hosts
        self._network = network
        self._virtual_timeouts = virtual_timeouts
        self._connection_pool = connection_pool
        self._ending: WeakKeyDictionary[Connection, bool] = WeakKeyDictionary()
        """Connections whose client was a host of ours and has left; false where the server has had time to notice."""
        self._is_stopped = False
        self.on_stop: list[Callable[[], object]] = []
        """Called when the fake internet begins to stop, to wake what waits in it."""
        self._advancing = asyncio.Lock()  # it takes the loop in which it is first waited for

    def stop(self) -> None:
        """Let nothing wait any longer: all that does, raises :class:`~fakemail.errors.ClosedError`."""
        self._is_stopped = True
        for wake in tuple(self.on_stop):
            wake()

    def require_running(self) -> None:
        """Raise :class:`~fakemail.errors.ClosedError` for what waits in a fake internet that has been stopped."""
        if self._is_stopped:
            raise ClosedError(
                "this fake internet was closed while something waited in it; what was to come never will."
            )

    @property
    def is_settled(self) -> bool:
        """Whether no task runs and no session is between MAIL and its final reply."""
        # Tasks that wait for the clock, or behind those that do, are not at work.
        waiting = len(self._virtual_timeouts.waiting) + self._connection_pool.queueing
        return self._supervisor.count == waiting and not self.busy_connections()

    @property
    def activity(self) -> str:
        """Description of the work that keeps the fake internet from being settled."""
        busy = [
            f"connection {connection.number} of {connection.peer} to {connection.port.host} is {connection.in_progress}"
            for connection in self.busy_connections()
        ]
        tasks = [] if self._supervisor.is_idle else [f"under way: {', '.join(self._supervisor.names)}"]
        return "; ".join([*tasks, *busy]) or "nothing is going on"

    def busy_connections(self) -> list[Connection]:
        """The connections between MAIL and their final reply, of the app or of clients that have just left.

        Where a host of ours is the client, it is its task that is at work, or waits.
        """
        return [
            connection
            for running in self._hosts.running.values()
            for connection in running.connections
            # Readers may idle for hours; mail that is on its way is what quiet is about.
            if isinstance(connection, SmtpConnection)
            and connection.in_progress
            and (connection not in running.from_hosts or self._is_ending(connection))
        ]

    def _is_ending(self, connection: Connection) -> bool:
        """Whether the server may still find out that its client, a host of ours, has left, and write that down."""
        if self._network.is_ours(Endpoint(*connection.remote_end)):
            return False
        if connection not in self._ending:
            self._ending[connection] = True
            self._let_end(connection, _TURNS)
        return self._ending[connection]

    def _let_end(self, connection: Connection, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._let_end, connection, turns - 1)
            return
        self._ending[connection] = False
        self._supervisor.wake()

    async def quiet(self, *, max_wait: float) -> None:
        """Wait until our side is quiet (see :attr:`is_settled`), for that many real seconds at most.

        Raises :class:`~fakemail.errors.MailAssertionError` when it does not become quiet, and
        :class:`~fakemail.errors.ClosedError` when it is stopped meanwhile.
        """
        self.require_running()
        if self.is_settled:
            return
        woken = asyncio.Event()
        unsubscribe = self._log.subscribe(lambda _: woken.set())
        self._supervisor.on_end.append(woken.set)
        self.on_stop.append(woken.set)
        try:
            async with asyncio.timeout(max_wait):
                while not self.is_settled:
                    woken.clear()
                    await woken.wait()
                    self.require_running()
        except TimeoutError:
            raise MailAssertionError(
                f"the fake internet did not become quiet within {max_wait:g} s: {self.activity}."
            ) from None
        finally:
            unsubscribe()
            self._supervisor.on_end.remove(woken.set)
            self.on_stop.remove(woken.set)

    async def advance(self, by: timedelta, *, max_wait: float) -> None:
        """Run all that is due in a span, in order, becoming quiet after each; then stand at its end.

        Of two at once the second begins where the first ends, so that no time is lost.
        """
        clock = self._clock
        async with self._advancing:
            until = clock.now() + by
            await self.quiet(max_wait=max_wait)
            while jobs := clock.take_due(until):
                clock.move(max(jobs[0].due - clock.now(), timedelta()))
                for job in jobs:
                    job.action()
                await self.quiet(max_wait=max_wait)
            clock.move(max(until - clock.now(), timedelta()))
