"""The DNS server's sockets: UDP and TCP on one port number. What is answered is decided in
:mod:`fakemail.dns.responder`.

Both sides are protocols without tasks of their own: a query is answered in the call that brings it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, cast

from fakemail.dns.responder import ChangeAnswer, DnsResponse, Transport, failed, respond
from fakemail.dns.zones import Zone, Zones
from fakemail.errors import ServerError
from fakemail.types.write_script import ConnectionEnd, Step
from fakemail.wire.ports import Acceptor, bound_socket, own, port_error
from fakemail.wire.script_runner import WriteScript, reset

OnQuery = Callable[[str, int, Transport, DnsResponse], None]
"""Told of each reply: the client's address and port, the transport, the reply."""
FindChange = Callable[[str, int, Transport], ChangeAnswer | None]
"""Asked before each answer what may go wrong with it: for a client's address and port, and a transport."""
MayHave = Callable[[str, int, Zone], bool]
"""Asked whether a client's address and port may have all of a zone."""
OnError = Callable[[BaseException], None]
"""Told of each exception in our own code."""

_PORT_TRIES: Final = 50
_LARGEST_DATAGRAM: Final = 0xFFFF
_OVER_TCP: Final = "DNS over TCP"


class DnsServer:
    """Answers for the zones of one fake internet. Make, start and stop it in one event loop."""

    def __init__(
        self,
        zones: Zones | Callable[[], Zones],
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        on_query: OnQuery,
        on_error: OnError,
        find_change: FindChange = lambda *_: None,
        may_transfer: MayHave = lambda *_: False,
        idle_timeout: float = 30.0,
        max_connections: int = 256,
    ) -> None:
        """``zones`` may be a function that is asked for them at each query. ``port`` 0 lets the system
        choose. ``idle_timeout`` is in real seconds and for TCP connections, of which the longest idle is
        closed when there are more than ``max_connections``."""
        self._zones = zones
        self.address = address
        self.port = port
        self.idle_timeout = idle_timeout
        self.max_connections = max_connections
        self._on_query = on_query
        self._on_error = on_error
        self._find_change = find_change
        self._may_transfer = may_transfer
        self._acceptor: Acceptor | None = None
        self._udp: _Datagrams | None = None
        self._elsewhere: list[Acceptor | _Datagrams] = []
        # In the order of their last activity: the first is the longest idle.
        self._connections: dict[_DnsConnection, None] = {}
        self._open = 0
        self._stopped = False
        self._all_closed: asyncio.Future[None] | None = None

    @property
    def zones(self) -> Zones:
        """The zones that it serves."""
        return self._zones if isinstance(self._zones, Zones) else self._zones()

    async def start(self) -> None:
        """Listen. :attr:`port` is known afterwards.

        Raises :class:`~fakemail.errors.PortInUse` when a fixed port is taken.
        """
        if self._acceptor is not None:
            raise ServerError("this DNS server runs already.")
        tcp, udp = _bind_both(self.address, self.port)
        self.port = tcp.getsockname()[1]
        try:
            self._acceptor = Acceptor(tcp, lambda: _DnsConnection(self))
        except BaseException as error:
            tcp.close()
            udp.close()
            if isinstance(error, OSError):
                # Two sockets may be bound to one TCP port; only one of them may listen.
                raise port_error(self.address, self.port, _OVER_TCP, error) from error
            raise
        self._udp = _Datagrams(self, udp)
        self._stopped = False

    def answer_at(self, tcp: socket.socket, udp: socket.socket) -> Callable[[], None]:
        """Answer at further sockets as well, bound by the caller; the function that comes back ends it."""
        more: list[Acceptor | _Datagrams] = [
            Acceptor(tcp, lambda: _DnsConnection(self)),
            _Datagrams(self, udp),
        ]
        self._elsewhere += more

        def end() -> None:
            for each in more:
                if each in self._elsewhere:
                    self._elsewhere.remove(each)
                    each.close()

        return end

    async def stop(self) -> None:
        """Stop listening and close every connection, at once. The port is free afterwards."""
        while self._elsewhere:
            self._elsewhere.pop().close()
        if self._acceptor is None or self._udp is None:
            return
        self._acceptor.close()
        self._udp.close()
        for connection in tuple(self._connections):
            connection.abort()
        self._acceptor = self._udp = None
        self._stopped = True
        await asyncio.sleep(0)  # a connection accepted in this turn of the loop is made known in the next
        if self._open:
            self._all_closed = asyncio.get_running_loop().create_future()
            await self._all_closed

    def respond(
        self, client: str, port: int, packet: bytes, transport: Transport
    ) -> bytes | tuple[Step, ...]:
        """The reply to a packet, logged, or what a fault makes of it; empty for silence.

        A defect of ours is reported and gets SERVFAIL.
        """
        try:
            change = self._find_change(client, port, transport)
            may_transfer = partial(self._may_transfer, client, port)
            response = respond(
                self.zones, packet, transport=transport, change=change, may_transfer=may_transfer
            )
        except Exception as error:
            self._on_error(error)
            response = failed(packet)
        if response is None:
            return b""
        try:
            self._on_query(client, port, transport, response)
        except Exception as error:
            self._on_error(error)
        return response.wire if response.script is None else response.script

    def opened(self, connection: _DnsConnection) -> None:
        """A connection was made."""
        self._open += 1
        if self._stopped:
            # It was accepted in the turn of the loop in which we stopped.
            connection.abort()
            return
        self._connections[connection] = None
        if len(self._connections) > self.max_connections:
            oldest = next(iter(self._connections))
            del self._connections[oldest]
            oldest.abort()

    def active(self, connection: _DnsConnection) -> None:
        """A connection brought something."""
        if self._connections.pop(connection, True) is None:
            self._connections[connection] = None

    def closed(self, connection: _DnsConnection) -> None:
        """A connection was closed."""
        self._connections.pop(connection, None)
        self._open -= 1
        if self._open == 0 and self._all_closed is not None:
            self._all_closed.set_result(None)
            self._all_closed = None


class _Datagrams:
    """Queries over UDP. A reader of the loop without a transport: so it is there, and gone, at once."""

    def __init__(self, server: DnsServer, sock: socket.socket) -> None:
        self._server = server
        self._socket = own(sock)
        self._loop = asyncio.get_running_loop()
        self._scripts: set[WriteScript] = set()
        self._loop.add_reader(sock.fileno(), self._answer)  # with the socket itself, each look-up prints it

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        for script in self._scripts:
            script.cancel()
        self._socket.close()

    def _answer(self) -> None:
        # A client that went away before its reply came is no affair of ours, nor is a full buffer: a
        # datagram may always be lost.
        with suppress(OSError):
            data, client = self._socket.recvfrom(_LARGEST_DATAGRAM)
            reply = self._server.respond(client[0], client[1], data, "udp")
            if isinstance(reply, tuple):
                self._run_script(reply, client)
            elif reply:
                self._socket.sendto(reply, client)

    def _run_script(self, steps: tuple[Step, ...], client: tuple[str, int]) -> None:
        """Do what a fault makes of a reply."""

        def write(datagram: bytes) -> None:
            with suppress(OSError):
                self._socket.sendto(datagram, client)

        def stop(_: ConnectionEnd | None = None) -> None:
            self._scripts.discard(script)  # there is no connection, so each end is silence

        script = WriteScript(write=write, end=stop, done=stop)
        self._scripts.add(script)
        script.add(steps)


class _DnsConnection(asyncio.Protocol):
    """Many queries one after the other, each with two bytes of length before it (RFC 1035 §4.2.2)."""

    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._paused = False
        self._ended = False
        self._idle: asyncio.TimerHandle | None = None
        self._client = ("", 0)

    def abort(self) -> None:
        """Close without waiting for the client to read."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # A client that has gone again has no name any more.
        self._client = (transport.get_extra_info("peername") or ("", 0))[:2]
        self._server.opened(self)
        self._wait()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._server.active(self)
        self._wait()
        self._answer()

    def eof_received(self) -> bool:
        # A client may say that it has no more questions and still wait for its answers.
        self._ended = True
        return self._paused

    def pause_writing(self) -> None:
        # It asks and does not read: no more is answered until it does, and no more is taken in.
        self._paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        self._answer()
        if not self._paused and self._transport is not None:
            if self._ended:
                self._transport.close()
            else:
                self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._idle is not None:
            self._idle.cancel()
        self._server.closed(self)

    def _wait(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._server.idle_timeout, self.abort)

    def _answer(self) -> None:
        """Answer every complete query in the buffer (RFC 7766 §6.2.1.1: pipelining)."""
        buffer, at = self._buffer, 0
        while not self._paused and self._transport is not None and len(buffer) - at >= 2:
            end = at + 2 + int.from_bytes(buffer[at : at + 2])
            if len(buffer) < end:
                break
            packet = bytes(buffer[at + 2 : end])
            at = end
            reply = self._server.respond(self._client[0], self._client[1], packet, "tcp")
            if isinstance(reply, tuple):
                # The messages of a transfer, or what a fault makes of a reply.
                WriteScript(write=self._write, end=self._end).add(reply)
            elif reply:
                self._transport.write(len(reply).to_bytes(2) + reply)
        del buffer[:at]

    def _write(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.write(len(message).to_bytes(2) + message)

    def _end(self, how: ConnectionEnd) -> None:
        if self._transport is None:
            return
        if how is ConnectionEnd.RESET:
            reset(self._transport)
        elif how is ConnectionEnd.DROP:
            self._transport.close()


def _bind_both(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket with one port number.

    TCP is bound first: its ports are the scarcer ones. The system may then find that the UDP port of the
    number it chose is taken, so another number is tried.
    """
    for left in reversed(range(_PORT_TRIES if port == 0 else 1)):
        tcp = bound_socket(address, port, purpose=_OVER_TCP)
        number = tcp.getsockname()[1]
        try:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        except OSError as error:
            tcp.close()
            raise port_error(address, number, "DNS over UDP", error) from None
        try:
            udp.setblocking(False)
            udp.bind((address, number))
        except OSError as error:
            tcp.close()
            udp.close()
            if left == 0 or error.errno != errno.EADDRINUSE:
                raise port_error(address, number, "DNS over UDP", error) from error
        else:
            return tcp, udp
    raise AssertionError("the last try returns or raises")
