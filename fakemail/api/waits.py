"""The event loop of the caller, asyncio or trio: whether code runs in one, and awaiting a future of another thread."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from types import FrameType
from typing import Any, TypeVar

from fakemail.errors import BlockingCallInLoop

_T = TypeVar("_T")


def require_blocking_allowed(verb: str) -> None:
    """Raise :class:`~fakemail.errors.BlockingCallInLoop` where a blocking wait would stop an event loop."""
    __tracebackhide__ = True
    if in_asyncio() or in_trio():
        raise BlockingCallInLoop(
            f"{verb}() blocks, and a task of an event loop runs here: whatever it waits for could never "
            f"happen. Use the fixture 'async_mailnet' (or AsyncMailNet) and 'await ...{verb}()'."
        )


def in_asyncio() -> bool:
    """Whether this code is run by an asyncio task.

    That a loop is set in this thread says little: Playwright's blocking interface, gevent and eventlet run one in
    another greenlet of the same thread, which goes on while this one waits.
    """
    loop = asyncio._get_running_loop()
    task = None if loop is None else asyncio.current_task(loop)
    if task is None:
        return False
    work: Any = task.get_coro()
    outermost = getattr(work, "cr_frame", None) or getattr(work, "gi_frame", None)
    return outermost is None or any(frame is outermost for frame in _frames())


def _frames() -> Iterator[FrameType]:
    """The frames of this code and of all that wait for it, greenlets included (a task may wait for one)."""
    greenlets: Any = sys.modules.get("greenlet")
    greenlet = None if greenlets is None else greenlets.getcurrent()
    frame: FrameType | None = sys._getframe()
    while True:
        while frame is not None:
            yield frame
            frame = frame.f_back
        greenlet = None if greenlet is None else greenlet.parent
        if greenlet is None:
            return
        frame = greenlet.gr_frame


def is_trio_running() -> bool:
    """Whether this thread runs trio, be it for a task or to wait for one."""
    trio: Any = sys.modules.get("trio")
    return trio is not None and trio.lowlevel.in_trio_run()


def in_trio() -> bool:
    """Whether this code is run by a trio task."""
    trio: Any = sys.modules.get("trio")
    return trio is not None and trio.lowlevel.in_trio_task()


async def arrive(future: Future[_T]) -> _T:
    """Await a future of another thread, under asyncio (with any loop) and under trio."""
    if in_trio():
        trio: Any = sys.modules["trio"]
        result: _T = await trio.to_thread.run_sync(future.result, abandon_on_cancel=True)
        return result
    return await asyncio.wrap_future(future)
