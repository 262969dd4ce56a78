"""The one event-loop thread of a process, shared by every fake internet in it.

It starts when first needed and is a daemon, so that it never keeps a program from ending.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from fakemail.clock import monotonic
from fakemail.errors import ClosedError

_T = TypeVar("_T")


class LoopThread:
    """An event loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.SelectorEventLoop()
        self.loop.time = monotonic  # type: ignore[method-assign]  # a test may freeze time for its app
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="fakemail", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    @property
    def is_usable(self) -> bool:
        """Whether the thread is alive in this process (a fork has the object but not the thread)."""
        return self.is_of_this_process and self._thread.is_alive()

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in this thread."""
        return threading.current_thread() is self._thread

    def soon(self, function: Callable[[], object]) -> None:
        """Call a plain function in the loop's thread, without waiting for it."""
        self._require_own_process()
        self.loop.call_soon_threadsafe(function)

    def start(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run a coroutine in the loop; the future belongs to the caller."""
        self._require_own_process(work)
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the loop and wait for it."""
        self._require_another_thread(work)
        return self.start(work).result()

    def run_at_once(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine that waits for nothing, and wait for it.

        No task is made for it, which saves two turns of the loop.
        """
        self._require_another_thread(work)
        return self.call(lambda: finish(work))

    @property
    def is_of_this_process(self) -> bool:
        """Whether this process started it; after a fork the child has the loop, and no thread that runs it."""
        return self._pid == os.getpid()

    def _require_own_process(self, work: Coroutine[Any, Any, object] | None = None) -> None:
        """Raise :class:`~fakemail.errors.ClosedError` where no answer could come."""
        if self._pid != os.getpid():
            if work is not None:
                work.close()
            raise ClosedError(
                f"this fake internet runs in process {self._pid}, and this is process {os.getpid()}, forked "
                "from it: here its ports can be connected to, and nothing else."
            )

    def _require_another_thread(self, work: Coroutine[Any, Any, object]) -> None:
        if self.is_current:
            work.close()
            raise RuntimeError("the event-loop thread cannot wait for itself")

    def call(self, function: Callable[[], _T]) -> _T:
        """Call a plain function in the loop's thread and wait for its result."""
        if self.is_current:
            return function()
        self._require_own_process()
        future: Future[_T] = Future()

        def work() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self.loop.call_soon_threadsafe(work)
        return future.result()


def finish(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that waits for nothing, in the loop's thread."""
    try:
        work.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    work.close()
    raise RuntimeError(f"{work!r} waits for something; run it as a task")


_lock = threading.Lock()
_shared: LoopThread | None = None


def loop_thread() -> LoopThread:
    """The process's loop thread."""
    global _shared
    with _lock:
        if _shared is None or not _shared.is_usable:
            _shared = LoopThread()
        return _shared
