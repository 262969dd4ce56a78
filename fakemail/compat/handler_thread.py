"""Hooks of a handler on an event loop of their own.

A handler of a test may block: it writes files, asks databases, sends mail to another server of the fake internet. That
must not keep the loop of the fake internet from serving.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from functools import wraps
from threading import Thread
from typing import Any


class HandlerThread:
    """A thread whose loop runs the hooks of one handler."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._given = loop
        self._made: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Event loop, made at the first use."""
        if self._given is not None:
            return self._given
        if self._made is None:
            self._made = asyncio.new_event_loop()
        return self._made

    def start(self) -> None:
        """Run the loop, unless it runs already."""
        if not self.loop.is_running():
            self._thread = Thread(target=self._run, name="fakemail handler", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def stop(self) -> None:
        """End the thread. What hooks are in the middle of is dropped."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self.loop.call_soon_threadsafe(self._end)
            thread.join()
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def _end(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.call_soon(self.loop.stop)

    def wrap(self, handler: object, *, decode_data: bool = False) -> object:
        """A handler with the same hooks, which may be awaited on another loop.

        With ``decode_data`` the content of a message is text.
        """
        return _Hooks(self.loop, handler, decode_data=decode_data)


class _Hooks:
    def __init__(self, loop: asyncio.AbstractEventLoop, handler: object, *, decode_data: bool) -> None:
        for name in dir(handler):
            if name.startswith("handle_"):
                hook = getattr(handler, name)
                setattr(self, name, _elsewhere(loop, hook, decodes=decode_data and name == "handle_DATA"))


def _elsewhere(loop: asyncio.AbstractEventLoop, hook: Callable[..., Any], *, decodes: bool) -> Any:
    @wraps(hook)
    async def run(*arguments: Any) -> Any:
        if decodes:
            envelope = arguments[-1]
            envelope.content = envelope.original_content.decode("utf-8", "surrogateescape")

        async def call() -> Any:
            result = hook(*arguments)
            return await result if inspect.isawaitable(result) else result

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), loop))

    return run
