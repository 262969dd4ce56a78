"""The only maker of tasks. It keeps them and their errors, and ends them.

A task that nobody holds is garbage-collected in mid-flight, and one whose error nobody reads fails
in silence; here neither happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fakemail.errors import ServerError


class Supervisor:
    """Owns the tasks of one fake internet."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self.errors: list[BaseException] = []
        """Errors of our own code, in order."""
        self.on_end: list[Callable[[], object]] = []
        """Called when a task has ended."""

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> None:
        """Run a coroutine to its end. Call it in the loop's thread."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def report(self, error: BaseException) -> None:
        """Keep an error of our own code for the test's teardown."""
        self.errors.append(error)

    def raise_errors(self) -> None:
        """Raise the first error of our own code, if there was one."""
        errors, self.errors = self.errors, []
        if errors:
            __tracebackhide__ = True
            first = errors[0]
            where = "".join(f" {note}" for note in getattr(first, "__notes__", ())[:1])
            what = str(first) if isinstance(first, ServerError) else f"{type(first).__name__}: {first}"
            more = f" ({len(errors)} errors in all)" if len(errors) > 1 else ""
            raise ServerError(f"a server of the fake internet failed{where}: {what}{more}") from first

    def wake(self) -> None:
        """Call the watchers: what they wait for may have come about without the end of a task."""
        for watcher in self.on_end[:]:
            watcher()

    @property
    def is_idle(self) -> bool:
        """Whether no task is running."""
        return not self._tasks

    @property
    def count(self) -> int:
        """Number of running tasks."""
        return len(self._tasks)

    @property
    def names(self) -> list[str]:
        """The names of the tasks that run."""
        return sorted(task.get_name() for task in self._tasks)

    async def cancel(self, prefix: str) -> None:
        """Cancel the tasks whose names begin so, and wait until each has ended."""
        await _end([task for task in self._tasks if task.get_name().startswith(prefix)])

    async def aclose(self) -> None:
        """Cancel every task and wait until each has ended."""
        await _end(list(self._tasks))

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.report(error)
        self.wake()


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)
