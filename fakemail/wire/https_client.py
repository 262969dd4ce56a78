"""One GET over HTTPS from one of our hosts: the certificate is checked, redirects are not followed. A door to h11."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import h11

from fakemail.errors import FakemailError, TooManyOpenFiles
from fakemail.tls.layer import ClientLayer
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage
from fakemail.wire.ports import stream_socket

_READ: Final = 64 * 1024


class FetchFailed(FakemailError):
    """There is no answer. ``is_certificate`` tells whether that is because of the server's certificate."""

    def __init__(self, detail: str, *, is_certificate: bool = False) -> None:
        super().__init__(detail)
        self.is_certificate = is_certificate


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer."""

    status: int
    content_type: str
    body: bytes


async def fetch(
    name: str,
    path: str,
    *,
    target: tuple[str, int],
    source: str,
    context: ssl.SSLContext,
    connected_from: Callable[[tuple[str, int]], object],
    max_size: int,
    wait: Callable[[Stage], AbstractAsyncContextManager[None]],
) -> Fetched:
    """Get what a host of that name has at a path.

    ``wait`` is around each single wait, and raises ``TimeoutError`` when it has lasted long enough; a body of more
    than ``max_size`` bytes is cut off behind them. ``connected_from`` is told our own end before the connection is
    made.
    Raises :class:`FetchFailed`.
    """
    try:
        sock = stream_socket(f"{name} could not be connected to")
    except TooManyOpenFiles as error:
        raise FetchFailed(str(error)) from None
    with sock:
        sock.setblocking(False)
        try:
            sock.bind((source, 0))
            connected_from(sock.getsockname()[:2])
            async with wait(Stage.CONNECT):
                await asyncio.get_running_loop().sock_connect(sock, target)
            return await _HttpExchange(sock, context, name, wait).get(path, max_size)
        except TimeoutError:
            raise FetchFailed(f"{name} did not answer in time") from None
        except h11.RemoteProtocolError as error:
            raise FetchFailed(f"{name} does not speak HTTP: {error}") from None
        except OSError as error:
            raise FetchFailed(f"{name}: {os.strerror(error.errno) if error.errno else error}") from None


class _HttpExchange:
    """One connection with one request."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        name: str,
        wait: Callable[[Stage], AbstractAsyncContextManager[None]],
    ) -> None:
        self._socket = sock
        self._wait = wait
        self._name = name
        self._tls = ClientLayer(context, server_hostname=name)
        self._http = h11.Connection(h11.CLIENT)

    async def get(self, path: str, max_size: int) -> Fetched:
        headers = [("Host", self._name), ("User-Agent", "fakemail"), ("Connection", "close")]
        request = self._http.send(h11.Request(method="GET", target=path, headers=headers))
        self._tls.send((request or b"") + (self._http.send(h11.EndOfMessage()) or b""))
        await self._flush()
        status, content_type, body = 0, "", bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._read())
            elif isinstance(event, h11.Response):
                status = event.status_code
                fields = dict(event.headers)
                content_type = fields.get(b"content-type", b"").decode("latin-1")
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > max_size:
                    break
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                break
        self._tls.close_notify()
        await self._flush()
        return Fetched(status, content_type, bytes(body[: max_size + 1]))

    async def _read(self) -> bytes:
        """The next plaintext; empty at the end of it."""
        while True:
            async with self._wait(Stage.HTTP_REQUEST):
                octets = await asyncio.get_running_loop().sock_recv(self._socket, _READ)
            plaintext = self._tls.receive(octets) if octets else b""
            if not octets:
                self._tls.receive_eof()
            await self._flush()
            if self._tls.failed is not None:
                by_us = self._tls.failed.refused_by == "client"
                raise FetchFailed(f"TLS with {self._name}: {self._tls.failed}", is_certificate=by_us)
            if plaintext or self._tls.closed_by_peer:
                return plaintext

    async def _flush(self) -> None:
        outgoing = self._tls.take_outgoing()
        if outgoing:
            async with self._wait(Stage.HTTP_REQUEST):
                await asyncio.get_running_loop().sock_sendall(self._socket, outgoing)
