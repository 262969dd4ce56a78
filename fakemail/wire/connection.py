"""One accepted connection: bytes between a socket and a session, TLS in between, and the events of its life.

The same for every protocol; nothing here knows a command.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from fakemail.events.kinds import Connected, Disconnected, Handshake, ProxyIdentified
from fakemail.events.log import Log
from fakemail.faults import actions
from fakemail.faults.action import Instead, OnAnswer, TlsContextFault
from fakemail.faults.context import FaultContext
from fakemail.faults.host_faults import HostFaults
from fakemail.protocol.session import ProtocolSession
from fakemail.tls.layer import HandshakeFailure, ServerLayer
from fakemail.types.channel import HELLO_TOO_SOON, Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from fakemail.types.write_script import ConnectionEnd, Pause, Step
from fakemail.wire.ports import has_arrived
from fakemail.wire.script_runner import Cancellable, WriteScript, reset
from fakemail.wire.supervisor import Supervisor

# Bytes of output waiting for a client that does not read, beyond which nothing more is read from it.
_HIGH_WATER = 256 * 1024
# How long, in real seconds, a client has to read our last words before the connection is dropped.
_LINGER = 2.0
_CLIENT_HELLO = b"\x16\x03"  # RFC 8446 §5.1: how a record of a handshake begins, in every version of TLS

# Every connection of the process reads into this one buffer: the loop fills it and hands it to the
# connection in one step. A new buffer for each read costs more than a small command does.
_BUFFER = memoryview(bytearray(256 * 1024))


class Port(Protocol):
    """One port of one host, as its connections see it."""

    host: str
    service: str
    implicit_tls: bool
    log: Log
    supervisor: Supervisor
    connections: set[Connection]

    @property
    def idle_timeout(self) -> float:
        """In real seconds."""
        ...

    @property
    def faults(self) -> HostFaults:
        """The faults of this host."""
        ...

    def later(self, connection: Connection, wait: Pause, then: Callable[[], None]) -> Cancellable:
        """Call a function when a span has passed, on the clock of that client."""
        ...

    def hangs(self, connection: Connection) -> None:
        """Take note that nothing more is sent on a connection, which stays open."""
        ...

    def remember_login(self, number: int, login: str) -> None:
        """Keep the login of a connection."""
        ...

    def number(self) -> int:
        """The number of a new connection."""
        ...

    def peer(self, address: str, port: int) -> Peer:
        """The host or program that connects from there."""
        ...

    def trusts(self, peer: Peer) -> bool:
        """Whether a client may speak for others by the PROXY protocol."""
        ...

    @property
    def open(self) -> Callable[[Any], ProtocolSession]:
        """Makes the session of a new connection."""
        ...

    @property
    def handler(self) -> object | None:
        """The aiosmtpd handler attached to the host, if there is one."""
        ...

    def tls_context(self, fault: TlsContextFault | None = None) -> ssl.SSLContext:
        """The TLS context of the host, or the one that a fault makes of it."""
        ...


class Connection(asyncio.BufferedProtocol):
    """A connection from its first byte to its last."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.number = 0
        self.peer = Peer("", 0, "")
        self.introduced: tuple[str, Peer, Peer] | None = None  # how, by whom, who it is
        self._transport: asyncio.Transport | None = None
        self._session: ProtocolSession | None = None
        self._tls: ServerLayer | None = None
        self._ended = False
        self._known_login = ""
        self._eof = False
        self._going_on = False
        self._full = False
        """Whether the client does not read what is written to it."""
        self._wants_poll = False
        """Whether the session waits to be polled."""
        self._is_reading = True
        self._timer: asyncio.TimerHandle | None = None
        self._time = asyncio.get_running_loop().time
        self._last_input = 0.0
        self._has_spoken = False
        """Whether the client has sent anything in clear text."""
        self._script: WriteScript | None = None
        self._is_silent = False
        """Whether a fault keeps it open and answers nothing."""

    # What asyncio calls --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open a session for the client, and greet it."""
        port = self.port
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a connection needs a stream")
        if transport.is_closing():
            self._ended = True  # the port was closed before this connection was known
            return
        self._transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        end = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.number = port.number()
        self.peer = port.peer(*end) if self.introduced is None else self.introduced[2]
        port.connections.add(self)
        is_early = not port.implicit_tls and has_arrived(transport)
        port.log.append(
            Connected(
                host=port.host,
                connection=self.number,
                protocol=port.service,
                peer=self.peer,
                is_early=is_early,
            )
        )
        if self.introduced is not None:
            how, by, client = self.introduced
            port.log.append(
                ProxyIdentified(host=port.host, connection=self.number, how=how, by=by, client=client)
            )
        self._session = session = port.open(self)
        session.on_wake = self._wake
        self._watch_idleness()
        if port.faults.active and self._inject_at_connect():
            return
        if port.implicit_tls:
            self._tls = ServerLayer(port.tls_context())
        else:
            self._send(session.greet())

    def get_buffer(self, sizehint: int) -> memoryview:
        """The buffer for the next read."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read out of the buffer."""
        self.data_received(_BUFFER[:nbytes].tobytes())

    def data_received(self, data: bytes) -> None:
        """Feed the session."""
        if self._ended or self._is_silent:
            return
        session = self._session
        if session is None:
            return
        self._last_input = self._time()
        try:
            if self._tls is not None:
                self._received_ciphertext(data)
            else:
                if not self._has_spoken:
                    self._check_first_bytes(data)
                self._send(session.feed(data))
        except Exception as error:
            self._failed(error)
        if (
            session.has_more
            or session.is_waiting
            or self._ended
            or self._eof
            or not self._is_reading
            or self._script is not None
        ):
            self._regulate()  # else nothing has changed that it looks at

    def eof_received(self) -> bool:
        """Answer what the client has sent; it sends no more."""
        self._eof = True
        if self._tls is not None:
            self._tls.receive_eof()
            if self._tls.failed is not None:
                self._handshake_failed(self._tls.failed)
        if self._is_busy():
            return True  # _regulate closes when everything has been answered
        self._note_end("client", Reason.CONNECTION_LOST if self.in_progress else None)
        if self._tls is not None:
            # RFC 8446 §6.1: also to a client that said none. Without it the end looks like an attack, and OpenSSL 3.6
            # tells the client of a broken pipe where it wants to complain.
            self._tls.close_notify()
            self._flush()
        return False  # lets asyncio write what is left and close

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._note_end("client", Reason.CONNECTION_LOST if exc or self.in_progress else None)
        if self._timer is not None:
            self._timer.cancel()
        if self._script is not None:
            self._script.cancel()
        self.port.connections.discard(self)
        # What the session holds, a message of megabytes that never ended perhaps, goes now: session and connection
        # know each other, and would wait for the collector of cycles.
        self._transport = self._timer = self._script = self._tls = None
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read, so that what it causes stays bounded."""
        self._full = True
        self._regulate()

    def resume_writing(self) -> None:
        """Go on with a client that reads again."""
        self._full = False
        self._regulate()
        self._poll()

    def _wake(self) -> None:
        """Poll the session, which has output that follows from no input."""
        self._wants_poll = True
        if self._is_waiting():
            self._poll()
        else:
            # A mailbox is in the middle of informing all sessions: take the turn after that.
            asyncio.get_running_loop().call_soon(self._poll)

    def _poll(self) -> None:
        if not self._wants_poll or self._full or self._ended or self._session is None:
            return
        self._wants_poll = False
        try:
            self._send(self._session.poll())
        except Exception as error:
            self._failed(error)
        self._regulate()

    @property
    def remote_end(self) -> tuple[str, int]:
        """The real address and port of the client."""
        transport = self._transport
        name = transport.get_extra_info("peername") if transport is not None else None
        return name[:2] if name else ("", 0)

    # What the port calls -------------------------------------------------------------------------

    def abort(self) -> None:
        """Drop the connection at once."""
        self._note_end("server", Reason.SHUTTING_DOWN)
        if self._transport is not None:
            self._transport.abort()

    def hang_up(self, reason: Reason) -> None:
        """Say the last words of the server, and close."""
        if self._ended or self._transport is None:
            return
        if self._session is not None and (self._tls is None or self._tls.handshake_done):
            self._write(self._session.hang_up(reason))
        self._close("server", reason)

    # TLS -----------------------------------------------------------------------------------------

    def _check_first_bytes(self, data: bytes) -> None:
        """Record a client that begins TLS at a port where clear text comes first; it is answered as any other."""
        self._has_spoken = True
        if data.startswith(_CLIENT_HELLO):
            self._note_handshake(Channel("", "", "", ()), "server", "", HELLO_TOO_SOON)

    def _received_ciphertext(self, data: bytes) -> None:
        tls, session = self._tls, self._session
        if tls is None or session is None:
            return
        if not tls.has_begun and self.port.faults.active:
            if self._inject_at_handshake(tls, data):
                return
            data = b""
        was_done = tls.handshake_done
        plaintext = tls.receive(data)
        if tls.failed is not None:
            self._handshake_failed(tls.failed)
            return
        if tls.handshake_done and not was_done:
            self._secured(tls, session)
        output = session.feed(plaintext) if plaintext else b""
        self._send(output)
        if tls.closed_by_peer and not self._ended:
            self._eof = True

    def _secured(self, tls: ServerLayer, session: ProtocolSession) -> None:
        facts = tls.facts
        names = facts.peer.names if facts.peer is not None and facts.peer.verified else ()
        channel = Channel(
            facts.version, facts.cipher, facts.server_name or "", names, tls.tls_server_end_point
        )
        detail = ""
        if session.discarded_plaintext:
            detail = f"{session.discarded_plaintext} octets of clear text behind STARTTLS were thrown away"
        self._note_handshake(channel, "", "", detail)
        session.secured(channel)
        if self.port.implicit_tls:
            self._send(session.greet())

    def _handshake_failed(self, failure: HandshakeFailure) -> None:
        if not self._ended:
            channel = Channel("", "", "", ())
            self._note_handshake(channel, failure.refused_by, failure.alert, failure.detail)
            self._flush()
            self._close(failure.refused_by, Reason.TLS_FAILED)

    def _note_handshake(self, channel: Channel, refused_by: str, alert: str, detail: str) -> None:
        self.port.log.append(
            Handshake(
                host=self.port.host,
                connection=self.number,
                version=channel.version,
                cipher=channel.cipher,
                server_name=channel.server_name,
                client_certificate=channel.certificate_names[0] if channel.certificate_names else "",
                refused_by=refused_by,
                alert=alert,
                detail=detail,
            )
        )

    # Writing and ending --------------------------------------------------------------------------

    def _send(self, output: bytes) -> None:
        """Write output of the session, then do what its state demands."""
        session, transport = self._session, self._transport
        if session is None or self._is_silent:
            return
        if session.output.script or self._script is not None:
            self._run_script(session, output)
            return
        if self._tls is not None:
            self._write(output)
        elif output and transport is not None:
            transport.write(output)
        if session.closing or session.wants_tls or session.login:
            self._act_on(session)  # nothing else is demanded

    def _act_on(self, session: ProtocolSession) -> None:
        """Do what the state of the session demands after its output."""
        if session.login and session.login != self._known_login:
            self._known_login = session.login
            self.port.remember_login(self.number, session.login)
        if session.wants_tls and self._tls is None:
            self._tls = ServerLayer(self.port.tls_context())
        if session.closing:
            self._close("server", None)

    # Faults --------------------------------------------------------------------------------------

    def _inject_at_connect(self) -> bool:
        """Let a fault fire at a client that has just connected; whether one has."""
        port = self.port
        facts = FaultContext(client=self.peer, connection=self.number, service=port.service)
        action = port.faults.decide(Stage.CONNECT, facts)
        if not isinstance(action, Instead):
            return False
        self._play(action.script())
        return True

    def _inject_at_handshake(self, tls: ServerLayer, data: bytes) -> bool:
        """Let a fault fire when the ClientHello is complete; whether nothing is left to do with the data."""
        port = self.port
        if not tls.hear(data):
            return True
        if Stage.TLS_HANDSHAKE not in port.faults.active:
            return False
        name = tls.asked_for or ""
        facts = FaultContext(client=self.peer, connection=self.number, service=port.service, argument=name)
        action = port.faults.decide(Stage.TLS_HANDSHAKE, facts)
        if isinstance(action, TlsContextFault):
            tls.use(port.tls_context(action))
        if isinstance(action, Instead):
            steps = action.script()
        elif isinstance(action, OnAnswer):
            tls.receive(b"")
            steps = action.script(tls.take_outgoing())
        else:
            return False
        if isinstance(steps[-1], ConnectionEnd) and steps[-1] is not ConnectionEnd.HANG:
            alert = action.alert if isinstance(action, actions.tls_alert) else ""
            self._note_handshake(Channel("", "", name, ()), "server", alert, f"a fault: {action}")
        self._play(steps, self._transmit)
        return True

    def _run_script(self, session: ProtocolSession, output: bytes) -> None:
        """Carry out the script of a fault, and write the output after it."""
        steps, session.output.script = session.output.script, []
        self._play([*steps, output] if output else steps)

    def _play(self, steps: Sequence[Step], write: Callable[[bytes], None] | None = None) -> None:
        if self._script is None:
            self._script = WriteScript(
                write=write or self._write,
                end=self._end_badly,
                done=self._script_done,
                later=lambda wait, then: self.port.later(self, wait, then),
            )
        self._script.add(steps)

    def _script_done(self) -> None:
        """Go on behind the script of a fault."""
        self._script = None
        if self._session is not None and not self._ended:
            self._act_on(self._session)
        self._regulate()

    def _end_badly(self, how: ConnectionEnd) -> None:
        self._script = None
        transport = self._transport
        if how is ConnectionEnd.HANG:
            self._is_silent = True
            self._regulate()  # it still hears when the client leaves
            self.port.hangs(self)
            return
        self._note_end("server", Reason.FAULT)
        if transport is None:
            return
        if how is ConnectionEnd.RESET:
            reset(transport)
        else:
            self._close("server", Reason.FAULT)

    def _transmit(self, octets: bytes) -> None:
        if octets and self._transport is not None:
            self._transport.write(octets)

    def _write(self, output: bytes) -> None:
        if self._tls is None:
            self._transmit(output)
            return
        if output:
            self._tls.send(output)
        self._flush()

    def _flush(self) -> None:
        if self._tls is not None and self._transport is not None:
            outgoing = self._tls.take_outgoing()
            if outgoing:
                self._transport.write(outgoing)

    def _close(self, by: str, reason: Reason | None) -> None:
        self._note_end(by, reason)
        if self._tls is not None:
            self._tls.close_notify()
            self._flush()
        transport = self._transport
        if transport is None:
            return
        if self._full:
            transport.abort()  # it does not read, so the last words would never leave
        elif by == "server" and not self._eof:
            # With bytes of the client still unread, closing at once would make the system reset the
            # connection, and the client might lose our last words: let it read them and close first.
            try:
                transport.write_eof()
            except OSError:
                transport.abort()  # it has gone already
                return
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(_LINGER, transport.abort)
        else:
            transport.close()

    def _regulate(self) -> None:
        """Read on, or not, or end, as the state of the session and of the client demands.

        Nothing more is read while something that came before is unanswered, or while the client does
        not read: so what one client can cause stays bounded.
        """
        transport, session = self._transport, self._session
        if transport is None or transport.is_closing() or session is None:
            return
        if self._ended:
            wanted = not self._full
        else:
            if session.has_more and not self._full and not session.is_waiting and not self._going_on:
                self._going_on = True
                loop = asyncio.get_running_loop()
                if session.pause:
                    loop.call_later(session.pause, self._go_on)
                else:
                    loop.call_soon(self._go_on)  # other connections have their turn first
            busy = self._is_busy()
            if self._eof and not busy:
                self._close("client", Reason.CONNECTION_LOST if self.in_progress else None)
                return
            wanted = not self._full and not busy
        if wanted is not self._is_reading:
            self._is_reading = wanted
            if wanted:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def _go_on(self) -> None:
        """Answer more of what has arrived; others had their turn meanwhile."""
        self._going_on = False
        if self._ended or self._full or self._session is None:
            return
        try:
            self._send(self._session.more())
        except Exception as error:
            self._failed(error)
        self._regulate()

    def _is_busy(self) -> bool:
        if self._ended or self._session is None or self._is_silent:
            return False
        return self._session.is_waiting or self._session.has_more or self._script is not None

    @property
    def is_idle(self) -> bool:
        """Whether all that the client has sent is answered, and all answers are on their way."""
        transport = self._transport
        if transport is None or self._is_busy():
            return False
        return not transport.get_write_buffer_size() and not has_arrived(transport)

    @property
    def login(self) -> str:
        """The login, empty before it."""
        return "" if self._session is None else self._session.login

    def _is_waiting(self) -> bool:
        return self._session is not None and self._session.is_waiting

    @property
    def in_progress(self) -> str:
        """Words for an unfinished transaction, empty between transactions and after the end."""
        return "" if self._ended else self._session.in_progress if self._session is not None else ""

    def _note_end(self, by: str, reason: Reason | None) -> None:
        if self._ended:
            return
        where = self.in_progress
        self._ended = True
        self.port.log.append(
            Disconnected(host=self.port.host, connection=self.number, by=by, reason=reason, detail=where)
        )

    def _failed(self, error: Exception) -> None:
        """Our own code failed: tell the test, and end the session as a server does."""
        self.report(error)
        self.hang_up(Reason.LOCAL_ERROR)

    def report(self, error: Exception) -> None:
        """Tell the test about an error in a server's code, and where it was."""
        error.add_note(f"in {self.port.service} of {self.port.host}, connection {self.number}")
        self.port.supervisor.report(error)

    def _watch_idleness(self) -> None:
        """Start the one timer of the connection; it looks when the last input came, and sets itself again."""
        self._last_input = self._time()
        self._timer = asyncio.get_running_loop().call_later(self.port.idle_timeout, self._look)

    def _look(self) -> None:
        left = self._last_input + self.port.idle_timeout - self._time()
        if left > 0 or self._is_waiting():
            self._timer = asyncio.get_running_loop().call_later(max(left, 1.0), self._look)
        else:
            self.hang_up(Reason.TIMEOUT)
