"""Carries out a sending dialogue over a real connection."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from fakemail.errors import ProtocolError
from fakemail.smtp.client import Answer, ClientTransaction, PeerFailure, ReplyReader, SendStep
from fakemail.tls.layer import ClientLayer
from fakemail.types.channel import Channel
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.wire.ports import stream_socket

_READ: Final = 64 * 1024
_WRITE: Final = 256 * 1024  # bytes that are handed to the system at once, and waited for
_QUIT: Final = SendStep(b"QUIT\r\n", (Stage.SMTP_QUIT,))
# Up to here, more replies than commands leave open which answers which. Behind a yes to STARTTLS they are in clear
# text and thrown away (RFC 3207 §5); when the message is handed over, its reply has told all there is to know.
_IN_STEP: Final = frozenset(
    {Stage.SMTP_BANNER, Stage.SMTP_HELO, Stage.SMTP_MAIL, Stage.SMTP_RCPT, Stage.SMTP_DATA}
)


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
        wait: Callable[[Stage], AbstractAsyncContextManager[None]],
    ) -> None:
        """Raises :class:`~fakemail.errors.TooManyOpenFiles`.

        ``wait`` is around each single wait, and raises ``TimeoutError`` when it has lasted long enough.
        ``connected_from`` is told our own end before the connection is made, so that the server can tell who calls,
        and ``hung_up`` when it is closed; neither should keep hold of this client. ``check`` looks at TLS after its
        handshake, and says why it is not good enough."""
        self._target = target
        self._source = source
        self._tls_context = tls_context
        self._server_name = server_name
        self._connected_from = connected_from
        self._hung_up = hung_up
        self._check = check
        self._wait = wait
        self._replies = ReplyReader()
        self._ready: list[Reply] = []
        self._tls: ClientLayer | None = None
        self._own_end: tuple[str, int] | None = None
        self._is_connected = False
        self._socket = stream_socket("no connection to another server could be made")
        self._stage = Stage.CONNECT
        self.owes_quit = False
        """Whether the dialogue is over, and the server has still to be told: see :meth:`leave`."""

    async def run(self, dialogue: ClientTransaction) -> None:
        """Connect, unless that was done, and go through the dialogue; how it ended is in the dialogue itself.

        The connection is closed in the end, unless the dialogue wants it to stay, or wants to say goodbye: that
        changes nothing for the message, so nobody has to wait for it.
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
            if not (dialogue.stays or self.owes_quit):
                self.close()

    async def leave(self) -> None:
        """Say goodbye and close; for a connection that was left open."""
        try:
            await self._send(_QUIT)
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

    async def _go(self, dialogue: ClientTransaction) -> None:
        steps = dialogue.steps()
        try:
            step = next(steps)
            while True:
                if step == _QUIT:
                    self.owes_quit = True
                    return
                try:
                    answer: Answer = await (
                        self._send(step) if isinstance(step, SendStep) else self._start_tls()
                    )
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
            async with self._wait(Stage.CONNECT):
                await loop.sock_connect(self._socket, self._target)
            self._is_connected = True
        except TimeoutError:
            raise PeerFailure(Reason.TIMEOUT, "the connection was not answered") from None
        except OSError as error:
            raise PeerFailure(Reason.CONNECTION_REFUSED, _words(error)) from None

    async def _send(self, step: SendStep) -> list[Reply]:
        # The message is sent as long as the server reads it; what comes then is the answer to its end.
        self._stage = Stage.SMTP_BODY if step.stages[0] is Stage.SMTP_END else step.stages[0]
        await self._write(step.octets)
        while len(self._ready) < step.replies:
            self._stage = step.stages[len(self._ready)]
            try:
                self._ready += self._replies.feed(b"") or self._replies.feed(await self._read())
            except ProtocolError as error:
                raise PeerFailure(Reason.PROTOCOL_ERROR, str(error)) from None
            except PeerFailure as failure:
                # RFC 5321 §3.8: 421 may answer any command, and nothing comes after it.
                if self._ready and self._ready[-1].code == 421:
                    self._ready += [self._ready[-1]] * (step.replies - len(self._ready))
                    break
                raise PeerFailure(failure.reason, failure.detail, in_answer=bool(self._ready)) from None
        answers, self._ready = self._ready[: step.replies], self._ready[step.replies :]
        is_in_step = step.stages[-1] in _IN_STEP or (
            step.stages[-1] is Stage.SMTP_STARTTLS and not answers[-1].is_positive
        )
        if self._ready and self._ready[0].code != 421 and is_in_step:
            raise PeerFailure(
                Reason.PROTOCOL_ERROR, "more replies than commands", in_answer=True, is_out_of_step=True
            )
        return answers

    async def _start_tls(self) -> Channel:
        # Whatever came in clear text behind the 220 is not the server's word (RFC 3207 §5).
        self._ready, self._replies, self._stage = [], ReplyReader(), Stage.TLS_HANDSHAKE
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
            async with self._wait(self._stage):
                return await asyncio.get_running_loop().sock_recv(self._socket, _READ)
        except TimeoutError:
            raise PeerFailure(Reason.TIMEOUT, "the server did not answer") from None
        except OSError as error:
            raise PeerFailure(Reason.CONNECTION_LOST, _words(error)) from None

    async def _transmit(self, octets: bytes) -> None:
        loop, view = asyncio.get_running_loop(), memoryview(octets)
        try:
            for start in range(0, len(view), _WRITE):
                async with self._wait(self._stage):
                    await loop.sock_sendall(self._socket, view[start : start + _WRITE])
        except TimeoutError:
            raise PeerFailure(Reason.TIMEOUT, "the server did not read") from None
        except OSError as error:
            raise PeerFailure(Reason.CONNECTION_LOST, _words(error)) from None


def _words(error: OSError) -> str:
    """System's error text without the addresses of this machine, which mean nothing in the fake internet."""
    return os.strerror(error.errno) if error.errno else str(error)
