"""Libraries that go past what a redirect replaces in Python's sockets.

uvloop and pycares (aiodns) look up names and connect in compiled code; trio keeps some methods as it found them.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

from fakemail.intercept.patches import Patches

Real: TypeAlias = Callable[[str, int, int], tuple[Any, ...]]
"""The real address for a host, a port and a family; an ``OSError`` for what leads out of the fake internet."""
Seen: TypeAlias = Callable[[Any, Any], Any]
"""The address that a program sees for one that a socket has got something from."""


def redirect(patches: Patches, *, name_server: tuple[str, int], real: Real, seen: Seen) -> None:
    """Redirect those of them that are installed."""
    if find_spec("uvloop") is not None:
        _redirect_uvloop(patches, real)
    if find_spec("pycares") is not None:
        _redirect_pycares(patches, name_server)
    if "trio" in sys.modules:  # one that is imported later finds what has been replaced
        _redirect_trio(patches, seen)


def _redirect_uvloop(patches: Patches, real: Real) -> None:
    loop: Any = import_module("uvloop").Loop
    connect: Callable[..., Awaitable[Any]] = loop.create_connection

    async def create_connection(
        self: Any, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        if host is None or options.get("sock") is not None:
            return await connect(self, protocol_factory, host, port, **options)
        if options.get("ssl") and options.get("server_hostname") is None:
            options["server_hostname"] = host
        error: OSError | None = None
        for family, _, _, _, where in socket.getaddrinfo(
            host, port, options.get("family", 0), socket.SOCK_STREAM
        ):
            try:
                address = real(str(where[0]), int(where[1]), family)
                return await connect(self, protocol_factory, address[0], address[1], **options)
            except OSError as failed:
                error = error or failed
        raise error or OSError(f"{host!r} has no address")

    async def getaddrinfo(self: Any, host: Any, port: Any, **options: Any) -> list[Any]:
        return socket.getaddrinfo(host, port, **options)

    async def getnameinfo(self: Any, where: Any, flags: int = 0) -> tuple[str, str]:
        return socket.getnameinfo(where, flags)

    patches.put(loop, "create_connection", create_connection)
    patches.put(loop, "getaddrinfo", getaddrinfo)
    patches.put(loop, "getnameinfo", getnameinfo)


def _redirect_pycares(patches: Patches, name_server: tuple[str, int]) -> None:
    channel: Any = import_module("pycares").Channel
    begin: Callable[..., None] = channel.__init__
    chosen: Any = channel.servers
    address, port = name_server

    def open_channel(self: Any, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **{**options, "servers": [address], "udp_port": port, "tcp_port": port})

    def choose(self: Any, _: Any) -> None:
        chosen.fset(self, [f"{address}:{port}"])  # whomever the program names, the answers are ours

    patches.put(channel, "__init__", open_channel)
    patches.put(channel, "servers", property(chosen.fget, choose))


def _redirect_trio(patches: Patches, seen: Seen) -> None:
    kinds: list[Any] = import_module("trio").socket.SocketType.__subclasses__()
    kind = next(each for each in kinds if each.__module__.startswith("trio."))  # others are fakes of tests
    receive: Callable[..., Awaitable[tuple[Any, Any]]] = kind.recvfrom
    receive_into: Callable[..., Awaitable[tuple[Any, Any]]] = kind.recvfrom_into

    async def recvfrom(self: Any, *arguments: Any) -> tuple[Any, Any]:
        data, address = await receive(self, *arguments)
        return data, seen(self._sock, address)

    async def recvfrom_into(self: Any, *arguments: Any, **more: Any) -> tuple[Any, Any]:
        number, address = await receive_into(self, *arguments, **more)
        return number, seen(self._sock, address)

    patches.put(kind, "recvfrom", recvfrom)
    patches.put(kind, "recvfrom_into", recvfrom_into)
