"""Timeouts of our clients: how long they wait for a silent server, by the clock of the fake internet.

A virtual clock stands still until a test moves it, so a wait for a silent server is no work under way: the fake
internet is quiet meanwhile, and the wait ends when the server goes on after all, or when the clock has been moved by
the timeouts of RFC 5321 §4.5.3.2 (for a policy RFC 8461 §3.3).

That a server is silent is known of our own: a fault says so, or there is nothing that it still has to do. Of a real
server, which may be slow, it is supposed after a moment of real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Final

from fakemail.clock import Job, TimeSource
from fakemail.runtime.network import Endpoint
from fakemail.types.duration import minutes, seconds
from fakemail.types.stage import Stage
from fakemail.wire.connection import Connection

# RFC 5321 §4.5.3.2.1-6; what is not here is waited for as long as for the greeting, MAIL and RCPT.
_TIMEOUTS: Final = {
    Stage.CONNECT: seconds(30),  # RFC 5321 has none; Postfix waits as long (smtp_connect_timeout)
    Stage.SMTP_DATA: minutes(2),
    Stage.SMTP_BODY: minutes(3),  # for each send
    Stage.SMTP_END: minutes(10),
    Stage.HTTP_REQUEST: minutes(1),
}
_TIMEOUT: Final = minutes(5)

_LOOK: Final = 0.01
"""Real seconds until it is looked whether one of our own servers has anything left to do."""
_GRACE: Final = 1.0
"""Real seconds until a server that may be at work is taken for silent; a quarter each time that it was so before."""
_LEAST_GRACE: Final = 0.01
_TURNS: Final = 4
"""Turns of the loop in which what a server of ours has written is surely read."""

_Habit = tuple[Endpoint, Stage, int]
"""Point at which a server falls silent: after so many pieces of the answer at a stage."""


class PeerTimeout:
    """The waits of one client for one server, one after the other: ``async with wait(stage)`` around each.

    Raises ``TimeoutError`` when the clock has been moved far enough.
    """

    def __init__(self, timeouts: VirtualTimeouts, host: str, target: Endpoint) -> None:
        self._timeouts = timeouts
        self._host = host
        self._target = target
        self._end: Endpoint | None = None
        self._stage = Stage.CONNECT
        self._pieces = 0
        self._timeout: asyncio.Timeout | None = None
        self._timer: asyncio.Handle | None = None
        self._job: Job | None = None
        self._is_paused = False
        self._was_silent = False

    def __call__(self, stage: Stage) -> PeerTimeout:
        """The next wait is at that stage."""
        self._pieces = self._pieces + 1 if stage is self._stage else 0
        self._stage = stage
        return self

    async def __aenter__(self) -> None:
        self._was_silent = False
        self._timeout = asyncio.timeout(None)
        await self._timeout.__aenter__()
        self._watch()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._count()
        timeout, self._timeout = self._timeout, None
        if kind is None and not self._was_silent:
            self._timeouts.silences.pop(self._habit, None)
        if timeout is not None:
            await timeout.__aexit__(kind, error, trace)

    @property
    def _habit(self) -> _Habit:
        return self._target, self._stage, self._pieces

    @property
    def is_stalled(self) -> bool:
        """Whether only the clock, or the server, can end the present wait."""
        return self._job is not None

    # The connection ------------------------------------------------------------------------------

    def opens(self, end: Endpoint) -> None:
        """The client's own end of the connection is there."""
        self._end = end
        self._timeouts.open(end, self)

    def closes(self) -> None:
        """The client has closed the connection, or there will be none."""
        if self._end is not None:
            self._timeouts.close(self._end)
            self._end = None

    # The server ----------------------------------------------------------------------------------

    def pause(self) -> None:
        """The server does nothing until the clock is moved, or never anything again."""
        self._is_paused = True
        if self._timeout is not None and not self.is_stalled:
            self._watch()

    def resume(self) -> None:
        """The server goes on."""
        self._is_paused = False
        if self._timeout is not None:
            self._watch()

    def expire(self) -> None:
        """The wait has lasted long enough."""
        self._count()
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())

    # Inside --------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """The wait counts as work under way, until the server is known to be silent."""
        self._count()
        loop = asyncio.get_running_loop()
        if self._is_paused:
            self._timer = loop.call_soon(self._stall_unless_read, _TURNS)
        elif self._timeouts.is_own(self._host):
            self._timer = loop.call_later(_LOOK, self._look)
        else:
            self._wait_for_grace()

    def _look(self) -> None:
        if self._timeouts.is_idle(self._host, self._end):
            self._stall_unless_read(_TURNS)
        else:
            self._wait_for_grace()

    def _stall_unless_read(self, turns: int) -> None:
        """The server is silent; but what it has said before may be here without having been read."""
        if turns:
            self._timer = asyncio.get_running_loop().call_soon(self._stall_unless_read, turns - 1)
        else:
            self._stall()

    def _wait_for_grace(self) -> None:
        times = self._timeouts.silences.get(self._habit, 0)
        grace = max(_GRACE / 4**times, _LEAST_GRACE)
        self._timer = asyncio.get_running_loop().call_later(grace, self._suppose_silent)

    def _suppose_silent(self) -> None:
        habit = self._habit
        self._timeouts.silences[habit] = min(self._timeouts.silences.get(habit, 0) + 1, 8)
        self._was_silent = True
        self._stall()

    def _stall(self) -> None:
        self._count()
        span = _TIMEOUTS.get(self._stage, _TIMEOUT)
        self._job = self._timeouts.after(span, self.expire, name=f"timeout at {self._stage}")
        self._timeouts.add(self)

    def _count(self) -> None:
        """The wait is work under way again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._job is not None:
            self._job.cancel()
            self._job = None
            self._timeouts.waiting.discard(self)


class VirtualTimeouts:
    """Every wait of one fake internet for a server of which nothing comes."""

    def __init__(
        self,
        clock: TimeSource,
        *,
        connections_of: Callable[[str], Collection[Connection] | None],
        on_wait: Callable[[], None],
    ) -> None:
        """``connections_of`` is those of a host of ours, ``on_wait`` is called when
        nothing but the clock ends a wait."""
        self._clock = clock
        self._connections_of = connections_of
        self._on_wait = on_wait
        self._clients: dict[Endpoint, PeerTimeout] = {}
        self._delayed: dict[Endpoint, tuple[Job, Callable[[], None]]] = {}
        self.waiting: set[PeerTimeout] = set()
        self.silences: dict[_Habit, int] = {}
        """Number of times in a row that a server was taken for silent at a point."""

    def client(self, host: str, target: Endpoint) -> PeerTimeout:
        """The waits of a new client for a server of that host, which really is at ``target``."""
        return PeerTimeout(self, host, target)

    async def wait_to_connect(self, host: str, target: Endpoint) -> None:
        """Wait as long as a client waits for a connection that is never accepted."""
        wait = self.client(host, target)
        wait.pause()
        with suppress(TimeoutError):
            async with wait(Stage.CONNECT):
                await asyncio.get_running_loop().create_future()

    # For servers of ours -------------------------------------------------------------------------

    def is_ours(self, end: Endpoint) -> bool:
        """Whether a client of ours is at that end, and goes by a clock that stands still."""
        return self._clock.is_virtual and end in self._clients

    def delay(self, end: Endpoint, span: timedelta, then: Callable[[], None]) -> Job:
        """Let the client at that end wait until the clock has been moved by a span; then the server goes on.

        If the client has not so much patience, the server goes on when it has left.
        """
        client = self._clients[end]

        def resume() -> None:
            self._delayed.pop(end, None)
            client.resume()
            then()

        job = self.after(span, resume, name="delayed answer")
        self._delayed[end] = job, then
        client.pause()
        return job

    def hang(self, end: Endpoint) -> None:
        """The client at that end will never hear anything again."""
        if (client := self._clients.get(end)) is not None:
            client.pause()

    def holds(self, connection: Connection) -> bool:
        """Whether a client waits for that connection, and for nothing that it does by itself."""
        client = self._clients.get(Endpoint(*connection.remote_end))
        return client is not None and client.is_stalled

    # For waits -----------------------------------------------------------------------------------

    def open(self, end: Endpoint, client: PeerTimeout) -> None:
        """A client of ours has that end of its connection."""
        self._clients[end] = client

    def close(self, end: Endpoint) -> None:
        """It has closed the connection; a server that was to go on later finds that out."""
        self._clients.pop(end, None)
        delayed = self._delayed.pop(end, None)
        if delayed is not None and not delayed[0].is_cancelled:
            delayed[0].cancel()
            asyncio.get_running_loop().call_soon(delayed[1])

    def after(self, span: timedelta, action: Callable[[], None], *, name: str) -> Job:
        """Have something done when the clock has been moved by a span."""
        return self._clock.after(span, action, name=name)

    def add(self, wait: PeerTimeout) -> None:
        """Note a wait that only the clock or the server can end: the fake internet may be quiet now."""
        self.waiting.add(wait)
        self._on_wait()

    def is_own(self, host: str) -> bool:
        """Whether a host is ours."""
        return self._connections_of(host) is not None

    def is_idle(self, host: str, end: Endpoint | None) -> bool:
        """Whether the server of a connection is ours and has answered all that it was told."""
        connections = self._connections_of(host)
        if connections is None or end is None:
            return False
        return any(connection.is_idle for connection in connections if connection.remote_end == end)
