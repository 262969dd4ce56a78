"""One accepted connection: octets between a socket and a session core, TLS in between, and the tap.

The same for every protocol whose core is a session that is fed; nothing here knows a command.
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

# While this much output waits for a client that does not read, nothing more is read from it.
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
        """What goes wrong at this host."""
        ...

    def later(self, connection: Connection, wait: Pause, then: Callable[[], None]) -> Cancellable:
        """Do something when a span has passed, on the clock by which that client goes."""
        ...

    def hangs(self, connection: Connection) -> None:
        """Nothing more will be said on a connection, which stays open."""
        ...

    def remember_login(self, number: int, login: str) -> None:
        """Somebody has logged in on a connection."""
        ...

    def number(self) -> int:
        """The number of a new connection."""
        ...

    def peer(self, address: str, port: int) -> Peer:
        """Who connects from there."""
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
        """The server's side of TLS, or what a fault makes of it."""
        ...


class Connection(asyncio.BufferedProtocol):
    """A connection from its first octet to its last."""

    def __init__(self, site: Port) -> None:
        self.site = site
        self.number = 0
        self.peer = Peer("", 0, "")
        self.introduced: tuple[str, Peer, Peer] | None = None  # how, by whom, who it is
        self.channel: Channel | None = None
        self._transport: asyncio.Transport | None = None
        self._core: ProtocolSession | None = None
        self._tls: ServerLayer | None = None
        self._ended = False
        self._known_login = ""
        self._eof = False
        self._going_on = False
        self._full = False
        """Whether the client does not read what is written to it."""
        self._has_news = False
        """Whether the session waits to be polled."""
        self._is_reading = True
        self._timer: asyncio.TimerHandle | None = None
        self._time = asyncio.get_running_loop().time
        self._heard = 0.0
        self._is_heard = False
        """Whether the client has sent anything in clear text."""
        self._performance: WriteScript | None = None
        self._is_mute = False
        """Whether a fault keeps it open without a word."""

    # What asyncio calls --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there."""
        site = self.site
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a connection needs a stream")
        if transport.is_closing():
            self._ended = True  # the port was closed before anybody could be told of this connection
            return
        self._transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        address, port = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.number = site.number()
        self.peer = site.peer(address, port) if self.introduced is None else self.introduced[2]
        site.connections.add(self)
        is_early = not site.implicit_tls and has_arrived(transport)
        site.log.append(
            Connected(
                host=site.host,
                connection=self.number,
                protocol=site.service,
                peer=self.peer,
                is_early=is_early,
            )
        )
        if self.introduced is not None:
            how, by, client = self.introduced
            site.log.append(
                ProxyIdentified(host=site.host, connection=self.number, how=how, by=by, client=client)
            )
        self._core = core = site.open(self)
        core.on_wake = self._wake
        self._watch_idleness()
        if site.faults.active and self._is_struck():
            return
        if site.implicit_tls:
            self._tls = ServerLayer(site.tls_context())
        else:
            self._send(core.greet())

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next octets go."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """They are there."""
        self.data_received(_BUFFER[:nbytes].tobytes())

    def data_received(self, data: bytes) -> None:
        """Octets came."""
        if self._ended or self._is_mute:
            return
        core = self._core
        if core is None:
            return
        self._heard = self._time()
        try:
            if self._tls is not None:
                self._received_ciphertext(data)
            else:
                if not self._is_heard:
                    self._hear_first(data)
                self._send(core.feed(data))
        except Exception as error:
            self._failed(error)
        if (
            core.has_more
            or core.is_waiting
            or self._ended
            or self._eof
            or not self._is_reading
            or self._performance is not None
        ):
            self._regulate()  # else nothing has changed that it looks at

    def eof_received(self) -> bool:
        """The client will send no more; what it has sent is answered all the same."""
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
        """The connection is gone."""
        self._note_end("client", Reason.CONNECTION_LOST if exc or self.in_progress else None)
        if self._timer is not None:
            self._timer.cancel()
        if self._performance is not None:
            self._performance.cancel()
        self.site.connections.discard(self)
        # What the session holds, a message of megabytes that never ended perhaps, goes now: session and connection
        # know each other, and would wait for the collector of cycles.
        self._transport = self._timer = self._performance = self._tls = None
        core, self._core = self._core, None
        if core is not None:
            core.close()

    def pause_writing(self) -> None:
        """The client does not read: stop reading from it, so that what it causes stays bounded."""
        self._full = True
        self._regulate()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._full = False
        self._regulate()
        self._poll()

    def _wake(self) -> None:
        """The session has something to say that follows from no input."""
        self._has_news = True
        if self._is_waiting():
            self._poll()
        else:
            # A mailbox is in the middle of telling all sessions: take the turn after that.
            asyncio.get_running_loop().call_soon(self._poll)

    def _poll(self) -> None:
        if not self._has_news or self._full or self._ended or self._core is None:
            return
        self._has_news = False
        try:
            self._send(self._core.poll())
        except Exception as error:
            self._failed(error)
        self._regulate()

    @property
    def remote_end(self) -> tuple[str, int]:
        """The real address and port of the client."""
        transport = self._transport
        name = transport.get_extra_info("peername") if transport is not None else None
        return name[:2] if name else ("", 0)

    # What the site calls -------------------------------------------------------------------------

    def abort(self) -> None:
        """Drop the connection at once."""
        self._note_end("server", Reason.SHUTTING_DOWN)
        if self._transport is not None:
            self._transport.abort()

    def hang_up(self, reason: Reason) -> None:
        """End the connection politely."""
        if self._ended or self._transport is None:
            return
        if self._core is not None and (self._tls is None or self._tls.handshake_done):
            self._write(self._core.hang_up(reason))
        self._close("server", reason)

    # TLS -----------------------------------------------------------------------------------------

    def _hear_first(self, data: bytes) -> None:
        """Tell a client that begins TLS at a port where clear text comes first; it is answered as any other."""
        self._is_heard = True
        if data.startswith(_CLIENT_HELLO):
            self._note_handshake(Channel("", "", "", ()), "server", "", HELLO_TOO_SOON)

    def _received_ciphertext(self, data: bytes) -> None:
        tls, core = self._tls, self._core
        if tls is None or core is None:
            return
        if not tls.has_begun and self.site.faults.active:
            if self._is_handshake_struck(tls, data):
                return
            data = b""
        was_done = tls.handshake_done
        plaintext = tls.receive(data)
        if tls.failed is not None:
            self._handshake_failed(tls.failed)
            return
        if tls.handshake_done and not was_done:
            self._secured(tls, core)
        output = core.feed(plaintext) if plaintext else b""
        self._send(output)
        if tls.closed_by_peer and not self._ended:
            self._eof = True

    def _secured(self, tls: ServerLayer, core: ProtocolSession) -> None:
        facts = tls.facts
        names = facts.peer.names if facts.peer is not None and facts.peer.verified else ()
        channel = Channel(
            facts.version, facts.cipher, facts.server_name or "", names, tls.tls_server_end_point
        )
        self.channel = channel
        detail = ""
        if core.discarded_plaintext:
            detail = f"{core.discarded_plaintext} octets of clear text behind STARTTLS were thrown away"
        self._note_handshake(channel, "", "", detail)
        core.secured(channel)
        if self.site.implicit_tls:
            self._send(core.greet())

    def _handshake_failed(self, failure: HandshakeFailure) -> None:
        if not self._ended:
            channel = Channel("", "", "", ())
            self._note_handshake(channel, failure.refused_by, failure.alert, failure.detail)
            self._flush()
            self._close(failure.refused_by, Reason.TLS_FAILED)

    def _note_handshake(self, channel: Channel, refused_by: str, alert: str, detail: str) -> None:
        self.site.log.append(
            Handshake(
                host=self.site.host,
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
        """Write what the core said, then do what it wants."""
        core, transport = self._core, self._transport
        if core is None or self._is_mute:
            return
        if core.output.script or self._performance is not None:
            self._perform(core, output)
            return
        if self._tls is not None:
            self._write(output)
        elif output and transport is not None:
            transport.write(output)
        if core.closing or core.wants_tls or core.login:
            self._heed(core)  # else it wants nothing

    def _heed(self, core: ProtocolSession) -> None:
        """Do what the core wants after its output."""
        if core.login and core.login != self._known_login:
            self._known_login = core.login
            self.site.remember_login(self.number, core.login)
        if core.wants_tls and self._tls is None:
            self._tls = ServerLayer(self.site.tls_context())
        if core.closing:
            self._close("server", None)

    # Faults --------------------------------------------------------------------------------------

    def _is_struck(self) -> bool:
        """Let a fault strike whoever has just connected."""
        site = self.site
        facts = FaultContext(client=self.peer, connection=self.number, service=site.service)
        action = site.faults.decide(Stage.CONNECT, facts)
        if not isinstance(action, Instead):
            return False
        self._play(action.script())
        return True

    def _is_handshake_struck(self, tls: ServerLayer, data: bytes) -> bool:
        """Let a fault strike when the ClientHello is complete; whether there is nothing left to do with it."""
        site = self.site
        if not tls.hear(data):
            return True
        if Stage.TLS_HANDSHAKE not in site.faults.active:
            return False
        name = tls.asked_for or ""
        facts = FaultContext(client=self.peer, connection=self.number, service=site.service, argument=name)
        action = site.faults.decide(Stage.TLS_HANDSHAKE, facts)
        if isinstance(action, TlsContextFault):
            tls.use(site.tls_context(action))
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

    def _perform(self, core: ProtocolSession, output: bytes) -> None:
        """Carry out the script of a fault, and write the output after it."""
        steps, core.output.script = core.output.script, []
        self._play([*steps, output] if output else steps)

    def _play(self, steps: Sequence[Step], write: Callable[[bytes], None] | None = None) -> None:
        if self._performance is None:
            self._performance = WriteScript(
                write=write or self._write,
                end=self._end_badly,
                done=self._performed,
                later=lambda wait, then: self.site.later(self, wait, then),
            )
        self._performance.add(steps)

    def _performed(self) -> None:
        """All is said that a fault has spoilt: go on as if nothing had been."""
        self._performance = None
        if self._core is not None and not self._ended:
            self._heed(self._core)
        self._regulate()

    def _end_badly(self, how: ConnectionEnd) -> None:
        self._performance = None
        transport = self._transport
        if how is ConnectionEnd.HANG:
            self._is_mute = True
            self._regulate()  # it still hears when the client leaves
            self.site.hangs(self)
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
            # With octets of the client still unread, closing at once would make the system reset the
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
        transport, core = self._transport, self._core
        if transport is None or transport.is_closing() or core is None:
            return
        if self._ended:
            wanted = not self._full
        else:
            if core.has_more and not self._full and not core.is_waiting and not self._going_on:
                self._going_on = True
                loop = asyncio.get_running_loop()
                if core.pause:
                    loop.call_later(core.pause, self._go_on)
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
        if self._ended or self._full or self._core is None:
            return
        try:
            self._send(self._core.more())
        except Exception as error:
            self._failed(error)
        self._regulate()

    def _is_busy(self) -> bool:
        if self._ended or self._core is None or self._is_mute:
            return False
        return self._core.is_waiting or self._core.has_more or self._performance is not None

    @property
    def is_idle(self) -> bool:
        """Whether all that the client has sent is answered, and all answers are on their way."""
        transport = self._transport
        if transport is None or self._is_busy():
            return False
        return not transport.get_write_buffer_size() and not has_arrived(transport)

    @property
    def login(self) -> str:
        """Who has logged in, empty for nobody."""
        return "" if self._core is None else self._core.login

    def _is_waiting(self) -> bool:
        return self._core is not None and self._core.is_waiting

    @property
    def in_progress(self) -> str:
        """What the session is in the middle of, in words; empty between transactions and after the end."""
        return "" if self._ended else self._core.in_progress if self._core is not None else ""

    def _note_end(self, by: str, reason: Reason | None) -> None:
        if self._ended:
            return
        where = self.in_progress
        self._ended = True
        self.site.log.append(
            Disconnected(host=self.site.host, connection=self.number, by=by, reason=reason, detail=where)
        )

    def _failed(self, error: Exception) -> None:
        """Our own code failed: tell the test, and end the session as a server does."""
        self.report(error)
        self.hang_up(Reason.LOCAL_ERROR)

    def report(self, error: Exception) -> None:
        """Tell the test about an error in a server's code, and where it was."""
        error.add_note(f"in {self.site.service} of {self.site.host}, connection {self.number}")
        self.site.supervisor.report(error)

    def _watch_idleness(self) -> None:
        """One timer for a connection's life; it looks when somebody was last heard and sets itself again."""
        self._heard = self._time()
        self._timer = asyncio.get_running_loop().call_later(self.site.idle_timeout, self._look)

    def _look(self) -> None:
        left = self._heard + self.site.idle_timeout - self._time()
        if left > 0 or self._is_waiting():
            self._timer = asyncio.get_running_loop().call_later(max(left, 1.0), self._look)
        else:
            self.hang_up(Reason.TIMEOUT)
