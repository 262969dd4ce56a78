"""Carries out a sending dialogue over a real connection."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable

from fakemail.errors import ProtocolError
from fakemail.smtp.dialogue import Answer, Dialogue, PeerFailure, ReplyReader, Send
from fakemail.terms.channel import Channel
from fakemail.terms.reason import Reason
from fakemail.terms.reply import Reply
from fakemail.tls.layer import ClientLayer

_READ = 64 * 1024


class SmtpClient:
    """One connection from one of our hosts to another server."""

    def __init__(
        self,
        *,
        target: tuple[str, int],
        source: str,
        tls_context: Callable[[], ssl.SSLContext],
        server_name: str,
        connected_from: Callable[[tuple[str, int]], object],
        hung_up: Callable[[tuple[str, int]], object] = lambda _: None,
        check: Callable[[ClientLayer], PeerFailure | None] = lambda _: None,
        timeout: float = 30.0,
    ) -> None:
        """``timeout`` is for each single wait, in real seconds. ``connected_from`` is told our own end
        before the connection is made, so that the server can tell who calls, and ``hung_up`` when it is
        closed. ``check`` looks at TLS after its handshake, and says why it is not good enough."""
        self._target = target
        self._source = source
        self._tls_context = tls_context
        self._server_name = server_name
        self._connected_from = connected_from
        self._hung_up = hung_up
        self._check = check
        self._timeout = timeout
        self._replies = ReplyReader()
        self._ready: list[Reply] = []
        self._tls: ClientLayer | None = None
        self._own_end: tuple[str, int] | None = None
        self._is_connected = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._wait: asyncio.Timeout | None = None
        self._is_stalled = False

    async def run(self, dialogue: Dialogue) -> None:
        """Connect, unless that was done, and go through the dialogue; how it ended is in the dialogue itself.

        The connection is closed in the end, unless the dialogue wants it to stay.
        """
        try:
            try:
                if not self._is_connected:
                    await self._connect()
            except PeerFailure as failure:
                dialogue.never_began(failure)
            else:
                await self._go(dialogue)
        finally:
            if not dialogue.stays:
                self.close()

    async def leave(self) -> None:
        """Say goodbye and close; for a connection that stayed."""
        try:
            await self._send(Send(b"QUIT\r\n", 1))
        except PeerFailure:
            pass  # nobody waits for what the server says
        finally:
            self.close()

    def close(self) -> None:
        """Close at once. Closing again does nothing."""
        self._socket.close()
        if self._own_end is not None:
            self._hung_up(self._own_end)
            self._own_end = None

    def stall(self) -> None:
        """Wait without an end of its own, since a clock that stands still says how long."""
        self._is_stalled = True
        self._let_wait_until(None)

    def go_on(self) -> None:
        """Wait as usual again."""
        self._is_stalled = False
        self._let_wait_until(self._timeout)

    def give_up(self) -> None:
        """The present wait has lasted long enough, and a server that is silent is waited for no more."""
        self._is_stalled = False
        self._timeout = 0.0
        self._let_wait_until(0)

    def _let_wait_until(self, left: float | None) -> None:
        if self._wait is not None:
            now = asyncio.get_running_loop().time()
            self._wait.reschedule(None if left is None else now + left)

    @property
    def is_quiet(self) -> bool:
        """Whether the connection is there and nothing unasked has come over it."""
        if self._ready:
            return False
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    async def _go(self, dialogue: Dialogue) -> None:
        steps = dialogue.steps()
        try:
            step = next(steps)
            while True:
                try:
                    answer: Answer = await (self._send(step) if isinstance(step, Send) else self._start_tls())
                except PeerFailure as failure:
                    step = steps.throw(failure)
                else:
                    step = steps.send(answer)
        except StopIteration:
            return

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._socket.bind((self._source, 0))
            self._own_end = self._socket.getsockname()[:2]
            self._connected_from(self._own_end)
            async with asyncio.timeout(self._timeout):
                await loop.sock_connect(self._socket, self._target)
            self._is_connected = True
        except TimeoutError:
            raise PeerFailure(Reason.TIMEOUT, "the connection was not answered") from None
        except OSError as error:
            raise PeerFailure(Reason.CONNECTION_REFUSED, _words(error)) from None

    async def _send(self, step: Send) -> list[Reply]:
        await self._write(step.octets)
        while len(self._ready) < step.replies:
            try:
                octets = await self._read()
            except PeerFailure as failure:
                # RFC 5321 §3.8: 421 may answer any command, and nothing comes after it.
                if self._ready and self._ready[-1].code == 421:
                    self._ready += [self._ready[-1]] * (step.replies - len(self._ready))
                    break
                raise PeerFailure(failure.reason, failure.detail, in_answer=bool(self._ready)) from None
            try:
                self._ready += self._replies.feed(octets)
            except ProtocolError as error:
                raise PeerFailure(Reason.PROTOCOL_ERROR, str(error)) from None
        answers, self._ready = self._ready[: step.replies], self._ready[step.replies :]
        return answers

    async def _start_tls(self) -> Channel:
        # Whatever came in clear text behind the 220 is not the server's word (RFC 3207 §5).
        self._ready, self._replies = [], ReplyReader()
        tls = self._tls = ClientLayer(self._tls_context(), server_hostname=self._server_name or None)
        try:
            await self._flush()
            while not tls.handshake_done:
                await self._read_into(tls)
        except PeerFailure as failure:
            # However a handshake ends: there is no TLS, and who can do without it will (RFC 7435 §3).
            raise PeerFailure(Reason.TLS_FAILED, failure.detail) from None
        refusal = self._check(tls)
        if refusal is not None:
            tls.close_notify()
            await self._flush()
            raise refusal
        facts = tls.facts
        return Channel(facts.version, facts.cipher, self._server_name, (), tls.tls_server_end_point)

    async def _read_into(self, tls: ClientLayer) -> bytes:
        octets = await self._receive()
        if octets:
            plaintext = tls.receive(octets)
        else:
            tls.receive_eof()
            plaintext = b""
        await self._flush()
        if tls.failed is not None:
            raise PeerFailure(Reason.TLS_FAILED, str(tls.failed))
        if tls.closed_by_peer and not plaintext:
            raise PeerFailure(Reason.CONNECTION_LOST, "the server closed the connection")
        return plaintext

    async def _read(self) -> bytes:
        if self._tls is not None:
            return await self._read_into(self._tls)
        octets = await self._receive()
        if not octets:
            raise PeerFailure(Reason.CONNECTION_LOST, "the server closed the connection")
        return octets

    async def _write(self, octets: bytes) -> None:
        if self._tls is not None:
            self._tls.send(octets)
            await self._flush()
        elif octets:
            await self._transmit(octets)

    async def _flush(self) -> None:
        if self._tls is not None and (outgoing := self._tls.take_outgoing()):
            await self._transmit(outgoing)

    async def _receive(self) -> bytes:
        try:
            async with asyncio.timeout(None if self._is_stalled else self._timeout) as self._wait:
                return await asyncio.get_running_loop().sock_recv(self._socket, _READ)
        except TimeoutError:
            raise PeerFailure(Reason.TIMEOUT, "the server did not answer") from None
        except OSError as error:
            raise PeerFailure(Reason.CONNECTION_LOST, _words(error)) from None
        finally:
            self._wait = None

    async def _transmit(self, octets: bytes) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.get_running_loop().sock_sendall(self._socket, octets)
        except TimeoutError:
            raise PeerFailure(Reason.TIMEOUT, "the server did not read") from None
        except OSError as error:
            raise PeerFailure(Reason.CONNECTION_LOST, _words(error)) from None


def _words(error: OSError) -> str:
    """What the system says, without the addresses of this machine, which mean nothing in the fake internet."""
    return os.strerror(error.errno) if error.errno else str(error)
