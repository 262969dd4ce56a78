"""Runner of the script of a fault: bytes, waits, and an end, in their order.

The same for every protocol. What is in a script was decided elsewhere (:mod:`fakemail.types.write_script`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from fakemail.types.write_script import ConnectionEnd, Pause, Step


class Cancellable(Protocol):
    """A call that is to come later."""

    def cancel(self) -> None:
        """Let it not come."""
        ...


Later = Callable[[Pause, Callable[[], None]], Cancellable]
"""Calls a function after a wait."""


def in_real_time(wait: Pause, then: Callable[[], None]) -> Cancellable:
    """Call a function after a wait on the machine's clock."""
    return asyncio.get_running_loop().call_later(wait.span.total_seconds(), then)


def _nothing() -> None:
    """Nothing follows."""


class WriteScript:
    """The steps that are still to be taken; while there are any, nothing overtakes them."""

    def __init__(
        self,
        *,
        write: Callable[[bytes], None],
        end: Callable[[ConnectionEnd], None],
        done: Callable[[], None] = _nothing,
        later: Later = in_real_time,
    ) -> None:
        self._write = write
        self._end = end
        self._done = done
        self._later = later
        self._steps: deque[Step] = deque()
        self._waits_for: Cancellable | None = None
        self._is_running = False

    def add(self, steps: Iterable[Step]) -> None:
        """Do these after all the others."""
        self._steps.extend(steps)
        if self._waits_for is None and not self._is_running:
            self._go_on()

    def cancel(self) -> None:
        """Do nothing more."""
        self._steps.clear()
        if self._waits_for is not None:
            self._waits_for.cancel()
            self._waits_for = None

    def _go_on(self) -> None:
        self._waits_for = None
        self._is_running = True
        while self._steps:
            step = self._steps.popleft()
            if isinstance(step, Pause):
                self._is_running = False
                self._waits_for = self._later(step, self._go_on)
                return
            if isinstance(step, ConnectionEnd):
                self._steps.clear()
                self._end(step)
                break
            self._write(step)
        else:
            self._is_running = False
            self._done()
            return
        self._is_running = False


def reset(transport: asyncio.Transport) -> None:
    """Close with a segment that has RST, and throw away what is unsent."""
    linger = struct.pack("ii", 1, 0)  # on, for no time
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
