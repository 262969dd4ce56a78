"""What a connection asks of the session core that it carries, and of the port that it belongs to.

Only shapes: sessions are in the packages of the protocols, ports in :mod:`fakemail.runtime.service_port`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from fakemail.events.log import Log
from fakemail.faults.actions.tls import TlsContextFault
from fakemail.faults.host_faults import HostFaults
from fakemail.faults.write_script import Pause, Step
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from fakemail.wire.script_runner import Cancellable
from fakemail.wire.supervisor import Supervisor

if TYPE_CHECKING:
    from fakemail.wire.connection import Connection


@runtime_checkable
class ProtocolSession(Protocol):
    """A session core, as :class:`fakemail.smtp.session.SmtpSession` is one."""

    login: str
    wants_tls: bool
    closing: bool
    has_more: bool
    discarded_plaintext: int
    script: list[Step]
    """What a fault wants to be done before the output that is returned; who has done it clears it."""
    struck_at: Stage
    """Where it struck."""

    def greet(self) -> bytes:
        """What the server says first."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take octets in, give octets out."""
        ...

    def more(self) -> bytes:
        """Go on where ``feed`` stopped."""
        ...

    def resume(self, answer: Any) -> bytes:
        """Go on with an answer from elsewhere."""
        ...

    def secured(self, channel: Channel) -> None:
        """TLS is active from now on."""
        ...

    def hang_up(self, reason: Reason) -> bytes:
        """The last words before the server closes the connection."""
        ...

    @property
    def is_waiting(self) -> bool:
        """Whether an answer from elsewhere is outstanding."""
        ...

    @property
    def in_progress(self) -> str:
        """What it is in the middle of, in words."""
        ...


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

    def tls_context(self, fault: TlsContextFault | None = None) -> ssl.SSLContext:
        """The server's side of TLS, or what a fault makes of it."""
        ...
