"""Waiting for something to become true in a fake internet, woken by its events and never by polling."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Container, Iterator
from concurrent.futures import Future
from types import FrameType
from typing import Any, TypeVar

from fakemail.errors import BlockingCallInLoop
from fakemail.events.kinds import Event
from fakemail.runtime.simulation import Simulation
from fakemail.types.stage import Stage
from fakemail.wire.loop import LoopThread

_T = TypeVar("_T")


def watch(
    internet: Simulation,
    thread: LoopThread,
    check: Callable[[], _T | None],
    *,
    stages: Container[Stage] | None,
    timeout: float,
) -> Future[_T | None]:
    """A future for the first result of ``check`` that is not ``None``; ``None`` when time is up.

    ``check`` is called at once, then after each event at one of the ``stages`` (``None``: every
    event, and every end of a task), always in the loop's thread. ``timeout`` is in real seconds. It fails with
    :class:`~fakemail.errors.ClosedError` as soon as the fake internet is closed.
    """
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
                internet.require_running()
                found = check()
            except BaseException as error:
                future.set_exception(error)
                finish(None)
            else:
                if found is not None:
                    finish(found)

        def heard(event: Event) -> None:
            if stages is None or event.stage in stages:
                # Not at once: what belongs to this event, such as the reply after a delivery, is
                # noted in the same turn of the loop, and whoever is woken may ask for it.
                thread.loop.call_soon(look)

        look()
        if future.done():
            return
        internet.on_stop.append(look)
        cleanup.append(lambda: internet.on_stop.remove(look))
        cleanup.append(internet.log.subscribe(heard))
        cleanup.append(thread.loop.call_later(timeout, finish, None).cancel)
        if stages is None:
            watchers = internet.supervisor.on_end
            watchers.append(look)
            cleanup.append(lambda: watchers.remove(look))

    thread.soon(begin)
    return future


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
    """The frames of this code and of whoever waits for it, greenlets included (a task may wait for one)."""
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
