"""Sockets to listen on: bound at once, on the port asked for or one that the system chooses.

A listener that is stopped keeps its port bound but does not listen, so that connections are really
refused, nobody else gets the port, and it can be started again in the same place.

A process that is forked from this one closes the sockets it inherited: a worker that lives on would keep ports taken
and connections open which are closed here.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import cache
from typing import Any, Final, Protocol
from weakref import WeakSet

from fakemail.errors import PortInUse, TooManyOpenFiles


class NetworkScope(Protocol):
    """A network in which ports are: this machine's own, or that of a namespace."""

    def bind(self, address: str, port: int, *, purpose: str) -> socket.socket:
        """A TCP socket that is bound there and does not block."""
        ...

    def probe_connect(self, address: str, port: int) -> socket.socket:
        """A TCP socket that does not block and has begun to connect to there."""
        ...


# Connections that arrive faster than the loop accepts them wait here; a test may open hundreds at once.
BACKLOG = 512
# Real seconds until the next try after the system could not hand a connection out.
_RETRY: Final = 1.0
# Real seconds in which a connection to this machine is there, or the backlog is full.
_FILLED: Final = 0.05
_MOST_FILLERS: Final = 8
# Bytes: what every host must take (RFC 9293 §3.7.1).
_SMALL_SEGMENT: Final = 536


@cache
def has_loopback_range() -> bool:
    """Whether all of 127.0.0.0/8 is this machine (Linux), or 127.0.0.1 only (macOS, BSD)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.2", 0))
        except OSError:
            return False
    return True


def has_arrived(transport: asyncio.BaseTransport) -> bool:
    """Whether the other end of a new connection has sent something already."""
    number = transport.get_extra_info("socket").fileno()
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


def bound_socket(address: str, port: int, *, purpose: str) -> socket.socket:
    """A TCP socket bound to a loopback address; port 0 lets the system choose.

    Raises :class:`~fakemail.errors.PortInUse` with the port and whom to ask.
    """
    sock = stream_socket(f"port {port} on {address} for {purpose} could not be opened")
    try:
        # Connections of the last run in TIME_WAIT must not keep a fixed port from being used again.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. asyncio sets it itself only where the protocol number was given; without
        # it, replies that are written one by one wait 40 ms for the acknowledgement of the one before.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise port_error(address, port, purpose, error) from error
    sock.setblocking(False)
    return own(sock)


def knocking_socket(address: str, port: int) -> socket.socket:
    """A TCP socket that does not block and has begun to connect."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.connect_ex((address, port))
    return own(sock)


def stream_socket(what: str) -> socket.socket:
    """A TCP socket. Raises :class:`~fakemail.errors.TooManyOpenFiles`, which begins with ``what``."""
    try:
        return own(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    except OSError as error:
        raise too_many_open_files(error, what) or error from None


def too_many_open_files(error: OSError, what: str) -> TooManyOpenFiles | None:
    """The exception for a socket that could not be had; ``None`` where it was not for want of descriptors."""
    if error.errno not in (errno.EMFILE, errno.ENFILE):
        return None
    if error.errno == errno.ENFILE:
        return TooManyOpenFiles(f"{what}: the system has no file descriptor left.")
    limit = _descriptor_limit()
    return TooManyOpenFiles(
        f"{what}: this process has no file descriptor left{f' of {limit}' if limit else ''}. Close connections "
        "and files that are no longer used, or raise the limit with 'ulimit -n'."
    )


def _descriptor_limit() -> int:
    """Limit of file descriptors of the process, 0 where it is unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class _ThisMachine:
    """This process's own network; see :class:`NetworkScope`."""

    bind = staticmethod(bound_socket)
    probe_connect = staticmethod(knocking_socket)


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
    return too_many_open_files(error, f"{where} could not be opened") or error


class Acceptor:
    """Acceptor of the connections of a port, from when it is made until it is closed.

    asyncio's own servers make the transport of a connection in a task, one turn of the loop after they
    have accepted it; a server that is closed in between loses the socket. Here the transport is made in
    the call that accepts, so there is no moment at which a connection belongs to nobody.
    """

    def __init__(self, sock: socket.socket, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """Listen with a bound socket, which is ours if that succeeds. Make it in the loop that shall serve.

        Raises ``OSError`` if another socket listens there already.
        """
        sock.listen(BACKLOG)
        self._socket = own(sock)
        self._factory = factory
        self._loop = asyncio.get_running_loop()
        self._arriving: set[Coroutine[Any, Any, object]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._loop.add_reader(sock.fileno(), self._accept)  # with the socket itself, each look-up prints it

    def close(self) -> None:
        """Listen no more and give the port back.

        Connections whose protocol has not been told of them yet are closed: it is told in the next turn
        of the loop, of a transport that is closing, and then that the connection is lost.
        """
        self._loop.remove_reader(self._socket.fileno())
        if self._retry is not None:
            self._retry.cancel()
        stop_listening(self._socket)
        for work in tuple(self._arriving):
            work.close()  # closes the transport
        self._arriving.clear()

    def _accept(self) -> None:
        for _ in range(BACKLOG):
            try:
                connection, _address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return  # nobody else is waiting
            except OSError as error:
                # No file descriptor is left, say. The one who knocks stays in the queue, so look again later.
                self._loop.remove_reader(self._socket.fileno())
                self._retry = self._loop.call_later(
                    _RETRY, self._loop.add_reader, self._socket.fileno(), self._accept
                )
                what = f"a connection to port {self._socket.getsockname()[1]} could not be accepted"
                full = too_many_open_files(error, what)
                self._loop.call_exception_handler(
                    {"message": str(full)} if full is not None else {"message": what, "exception": error}
                )
                return
            self._take_in(own(connection))

    def _take_in(self, connection: socket.socket) -> None:
        """Make the transport now; its protocol hears of it in the next turn of the loop."""
        work = self._loop.connect_accepted_socket(self._factory, connection)
        try:
            # It waits for one thing only: that the protocol has been told. The transport is there by then.
            told: asyncio.Future[Any] = work.send(None)
        except BaseException:
            connection.close()
            raise
        self._arriving.add(work)

        def end(_: object) -> None:
            if work in self._arriving:
                self._arriving.discard(work)
                with suppress(StopIteration):
                    work.send(None)

        told.add_done_callback(end)


class Listener:
    """One port that can be listened on, stopped, and listened on again."""

    def __init__(
        self,
        address: str,
        port: int,
        *,
        purpose: str,
        factory: Callable[[], asyncio.BaseProtocol],
        scope: NetworkScope | None = None,
        window: int | None = None,
    ) -> None:
        """``scope`` is where the port is, unless it is this process's own network. ``window`` is how many bytes at
        most the system takes in before they are read, in small segments."""
        self._window = window
        self._purpose = purpose
        self._factory = factory
        self._scope: NetworkScope = scope or _ThisMachine()
        self._socket = self._bind(address, port)
        self._acceptor: Acceptor | None = None
        self._fillers: list[socket.socket] = []
        """Connections of our own that fill the backlog."""
        self.address, self.port = self._socket.getsockname()[:2]

    def _bind(self, address: str, port: int) -> socket.socket:
        try:
            sock = self._scope.bind(address, port, purpose=self._purpose)
        except OSError as error:
            raise port_error(address, port, self._purpose, error) from None
        if self._window is not None:
            # Both, and before anybody connects: with the segments of loopback, larger than the window, each would
            # wait for a timer of the system's.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._window)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SMALL_SEGMENT)
        return sock

    @property
    def is_of_this_machine(self) -> bool:
        """Whether the port is in this process's own network."""
        return isinstance(self._scope, _ThisMachine)

    async def start(self) -> None:
        """Listen. Raises :class:`~fakemail.errors.PortInUse` if another program listens there already."""
        if self._acceptor is not None:
            return
        if self._fillers:
            self.stop()
        try:
            self._acceptor = Acceptor(self._socket, self._factory)
        except OSError as error:
            # With SO_REUSEADDR two sockets may be bound to one port; only one of them may listen.
            raise port_error(self.address, self.port, self._purpose, error) from error

    def fill_backlog(self) -> None:
        """Listen with a backlog that is full, so that the system answers no new connection."""
        if self._fillers:
            return
        self.stop()
        self._socket.listen(0)
        # How many fit into a backlog of 0 is the system's affair: fill it until nobody gets through.
        for _ in range(_MOST_FILLERS):
            filler = self._scope.probe_connect(self.address, self.port)
            self._fillers.append(filler)
            if not select.select([], [filler], [], _FILLED)[1]:
                break

    def stop(self) -> None:
        """Refuse connections from now on; the ones that exist are the caller's to close."""
        if self._acceptor is None and not self._fillers:
            return
        self._release_backlog()
        if self._acceptor is not None:
            self._acceptor.close()
        stop_listening(self._socket)
        self._acceptor = None
        self._socket = self._bind(self.address, self.port)

    def close(self) -> None:
        """Give the port back."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        else:
            self._release_backlog()
            stop_listening(self._socket)

    def _release_backlog(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()


_SOCKETS: WeakSet[socket.socket] = WeakSet()


def own(sock: socket.socket) -> socket.socket:
    """Let no forked process keep a socket open."""
    _register()
    _SOCKETS.add(sock)
    return sock


@cache
def _register() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_close_all)


def _close_all() -> None:
    # Only the descriptors go. What the loop of the other process watches is the same as before.
    for sock in tuple(_SOCKETS):
        sock.close()


def stop_listening(sock: socket.socket) -> None:
    """Close a socket that may listen, whoever else has it: a process may be forked by something else than Python."""
    with suppress(OSError):  # it did not listen
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
