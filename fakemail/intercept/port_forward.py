"""A way through the wall of a namespace: connections that are made on one side go on to a service on the other.

Octets are carried as they come, both ways, and no faster than they are read.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias, cast

Reach: TypeAlias = Callable[[], Awaitable[socket.socket]]
"""Makes a connection to the service; raises ``OSError``."""
Spawn: TypeAlias = Callable[[Coroutine[Any, Any, object], str], None]
"""Runs a coroutine to its end."""


class PortForward:
    """One listening socket, and where it leads."""

    def __init__(self, sock: socket.socket, reach: Reach, spawn: Spawn, *, name: str) -> None:
        """``sock`` is bound; make it in the loop that shall carry. ``name`` says where it leads."""
        sock.listen()
        self._socket = sock
        self._name = name
        self.address: tuple[str, int] = sock.getsockname()[:2]
        """The address and port at which it listens."""
        self.reach = reach
        self.spawn = spawn
        self.ends: set[_ForwardEnd] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return  # it has gone again
        self.spawn(self._open(connection), f"a passage to {self._name}")

    async def _open(self, connection: socket.socket) -> None:
        near, far = _ForwardEnd(self), _ForwardEnd(self)
        near.other, far.other = far, near
        try:
            await self._loop.create_connection(lambda: far, sock=await self.reach())
        except OSError:
            _reset(connection)  # as the caller would be refused outside
            return
        await self._loop.connect_accepted_socket(lambda: near, connection)
        far.read_on()

    def close(self) -> None:
        """Stop forwarding."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for end in tuple(self.ends):
            end.abort()


class _ForwardEnd(asyncio.Protocol):
    """One of the two connections of a passage."""

    def __init__(self, passage: PortForward) -> None:
        self._passage = passage
        self._transport: asyncio.Transport | None = None
        self._has_ended = False
        """Whether nothing more comes from here."""
        self.other: _ForwardEnd | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._passage.ends.add(self)
        if self.other is not None and self.other._transport is None:
            self._transport.pause_reading()  # the other end comes in a moment

    def read_on(self) -> None:
        """Both ends are there."""
        self.resume_other(self)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other._transport is not None:
            self.other._transport.write(data)

    def eof_received(self) -> bool:
        self._has_ended = True
        other = self.other
        if other is None or other._transport is None or other._has_ended:
            return False  # both have said all, so this one closes, and the other with it
        other._transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.other is not None and self.other._transport is not None:
            self.other._transport.pause_reading()

    def resume_writing(self) -> None:
        self.resume_other(self.other)

    @staticmethod
    def resume_other(end: _ForwardEnd | None) -> None:
        if end is not None and end._transport is not None and not end._transport.is_closing():
            end._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._passage.ends.discard(self)
        self._transport = None
        other = None if self.other is None else self.other._transport
        if other is not None:
            other.abort() if exc is not None else other.close()

    def abort(self) -> None:
        """Drop it."""
        if self._transport is not None:
            self._transport.abort()


async def reach(address: str, port: int) -> socket.socket:
    """Connect to a service of this machine. Raises ``OSError``."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    return await arrived(sock, (address, port))


async def arrived(sock: socket.socket, address: tuple[str, int]) -> socket.socket:
    """A socket whose connection stands; it may have begun already. Raises ``OSError``."""
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _reset(connection: socket.socket) -> None:
    """Close a connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
