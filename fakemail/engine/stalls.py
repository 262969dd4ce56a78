"""Waits of our own hosts that last until the clock is moved: for a server that a fault made slow, or silent.

Time stands still until a test moves it, so such a wait is no work under way: the fake internet is quiet meanwhile.
How long a client waits is the schedule of RFC 5321 §4.5.3.2, and for a policy a minute (RFC 8461 §3.3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from fakemail.clock import Job
from fakemail.terms.duration import minutes, seconds
from fakemail.terms.stage import Stage

if TYPE_CHECKING:
    from fakemail.engine.internet import Internet
    from fakemail.engine.network import Endpoint
    from fakemail.wire.connection import Connection

# RFC 5321 §4.5.3.2.2-6: what is not here is waited for as long as for the greeting, MAIL and RCPT.
# A message that fits into the buffers of the systems between us is sent at once, and waited for at its end.
_PATIENCE: Final = {
    Stage.SMTP_DATA: minutes(2),
    Stage.SMTP_BODY: minutes(10),
    Stage.SMTP_END: minutes(10),
    Stage.HTTP_REQUEST: minutes(1),
}
_USUAL_PATIENCE: Final = minutes(5)
_CONNECT_PATIENCE: Final = seconds(30)  # RFC 5321 has none; Postfix waits as long (smtp_connect_timeout)


class Waits(Protocol):
    """A client of ours that can be told how long to wait."""

    def stall(self) -> None:
        """Wait without looking at the real clock."""
        ...

    def go_on(self) -> None:
        """The server goes on."""
        ...

    def give_up(self) -> None:
        """That was long enough."""
        ...


class Stall:
    """One wait of one client. ``cancel`` it when it has become pointless."""

    def __init__(self, stalls: Stalls, client: Waits | None, end: Endpoint | None = None) -> None:
        self._stalls = stalls
        self.end = end
        """The client's own end of the connection that is slow."""
        self._client = client
        self.jobs: list[Job] = []

    def begin(self) -> None:
        """The client waits from now on."""
        self._stalls.waiting.add(self)
        if self._client is not None:
            self._client.stall()
        self._stalls.tell()

    def cancel(self) -> None:
        """It is over, one way or the other."""
        for job in self.jobs:
            job.cancel()
        self._stalls.waiting.discard(self)

    def go_on(self, then: Callable[[], None]) -> None:
        """The server goes on."""
        self.cancel()
        if self._client is not None:
            self._client.go_on()
        then()

    def give_up(self, then: Callable[[], None]) -> None:
        """The client has waited long enough; the server goes on after that, and finds it gone."""
        self.cancel()
        if self._client is not None:
            self._client.give_up()
        asyncio.get_running_loop().call_soon(then)


class Stalls:
    """Every such wait of one fake internet."""

    def __init__(self, internet: Internet) -> None:
        self._internet = internet
        self._clients: dict[Endpoint, Waits] = {}
        self.waiting: set[Stall] = set()

    def arrives(self, end: Endpoint, client: Waits) -> None:
        """A client of ours has that end of its connection."""
        self._clients[end] = client

    def leaves(self, end: Endpoint) -> None:
        """It has closed the connection."""
        self._clients.pop(end, None)

    def is_ours(self, end: Endpoint) -> bool:
        """Whether a client of ours is at that end, and goes by a clock that stands still."""
        return self._internet.clock.is_virtual and end in self._clients

    def stall(self, end: Endpoint, stage: Stage, span: timedelta | None, then: Callable[[], None]) -> Stall:
        """Let the client wait for a span, or as long as it has patience."""
        clock, stall = self._internet.clock, Stall(self, self._clients[end], end)
        patience = _PATIENCE.get(stage, _USUAL_PATIENCE)
        if span is not None and span < patience:
            stall.jobs.append(clock.after(span, lambda: stall.go_on(then), name=f"slow at {stage}"))
        else:
            stall.jobs.append(clock.after(patience, lambda: stall.give_up(then), name=f"patience at {stage}"))
        stall.begin()
        return stall

    def holds(self, connection: Connection) -> bool:
        """Whether a client waits for that connection."""
        end = connection.remote_end
        return any(stall.end == end for stall in self.waiting)

    async def wait_to_connect(self) -> None:
        """Wait as long as a client waits for a connection that nobody takes in."""
        stall, over = Stall(self, None), asyncio.Event()
        job = self._internet.clock.after(
            _CONNECT_PATIENCE, lambda: stall.go_on(over.set), name="patience to connect"
        )
        stall.jobs.append(job)
        stall.begin()
        try:
            await over.wait()
        finally:
            stall.cancel()

    def tell(self) -> None:
        """Somebody may be waiting for things to become quiet."""
        for watcher in self._internet.supervisor.on_end[:]:
            watcher()
