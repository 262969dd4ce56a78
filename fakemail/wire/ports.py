"""Sockets to listen on: bound at once, on the port asked for or one that the system chooses.

A listener that is stopped keeps its port bound but does not listen, so that connections are really
refused, nobody else gets the port, and it can be started again in the same place.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, TypeVar

from fakemail.errors import PortInUse

_T = TypeVar("_T")

# Connections that arrive faster than the loop accepts them wait here; a test may open hundreds at once.
BACKLOG = 512


@cache
def has_loopback_range() -> bool:
    """Whether all of 127.0.0.0/8 is this machine (Linux), or 127.0.0.1 only (macOS, BSD)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.2", 0))
        except OSError:
            return False
    return True


def bound_socket(address: str, port: int, *, purpose: str) -> socket.socket:
    """A TCP socket bound to a loopback address; port 0 lets the system choose.

    Raises :class:`~fakemail.errors.PortInUse` with the port and whom to ask.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Connections of the last run in TIME_WAIT must not keep a fixed port from being used again.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise port_error(address, port, purpose, error) from error
    sock.setblocking(False)
    return sock


def port_error(address: str, port: int, purpose: str, error: OSError) -> Exception:
    """The exception for a port that could not be bound."""
    where = f"port {port} on {address} for {purpose}"
    if error.errno == errno.EADDRINUSE:
        return PortInUse(
            f"{where} is taken by another program. To see which: 'ss -ltnp sport = :{port}' (Linux) or "
            f"'lsof -nP -i :{port}' (macOS). Stop it, choose another port, or let the system choose "
            "(port 0; on the command line --ephemeral)."
        )
    if error.errno == errno.EACCES:
        return PortInUse(
            f"{where} may not be used by this user; ports below 1024 are for root on most systems."
        )
    return error


def at_once(work: Coroutine[Any, Any, _T]) -> _T:
    """The result of a coroutine that waits for nothing but the next turn of the loop.

    ``create_server`` does that when it is done already, and a world has many servers.
    """
    while True:
        try:
            work.send(None)
        except StopIteration as end:
            result: _T = end.value
            return result


class Listener:
    """One port that can be listened on, stopped, and listened on again."""

    def __init__(
        self, address: str, port: int, *, purpose: str, factory: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        self._purpose = purpose
        self._factory = factory
        self._socket = bound_socket(address, port, purpose=purpose)
        self._server: asyncio.Server | None = None
        self.address, self.port = self._socket.getsockname()[:2]

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted now."""
        return self._server is not None

    async def start(self) -> None:
        """Listen. Raises :class:`~fakemail.errors.PortInUse` if another program listens there already."""
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        try:
            self._server = at_once(loop.create_server(self._factory, sock=self._socket, backlog=BACKLOG))
        except OSError as error:
            # With SO_REUSEADDR two sockets may be bound to one port; only one of them may listen.
            raise port_error(self.address, self.port, self._purpose, error) from error

    def stop(self) -> None:
        """Refuse connections from now on; the ones that exist are the caller's to close."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._socket = bound_socket(self.address, self.port, purpose=self._purpose)

    def close(self) -> None:
        """Give the port back."""
        if self._server is not None:
            self._server.close()
            self._server = None
        else:
            self._socket.close()
