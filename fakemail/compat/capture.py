"""A mail host that takes everything, on an address and port of choice.

Domains and mailboxes that nobody declared are made when mail for them arrives. A domain that was declared keeps its
own mail hosts, and this one relays to them.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from fakemail.compat.session import PROMPTS, CaptureSession, CheckPassword
from fakemail.errors import DeclarationError
from fakemail.faults.action import TlsContextFault
from fakemail.message.envelope import Envelope
from fakemail.model.domain import DomainSpec
from fakemail.model.host import SMTP, HostSpec, Security, Service
from fakemail.mta.inbound.smtp_backend import SmtpBackend
from fakemail.protocol.session import ProtocolSession
from fakemail.runtime.network import LOCALHOST, Endpoint
from fakemail.runtime.protocols import grease_of
from fakemail.runtime.service_port import ProtocolFactory, RunningHost, ServicePort
from fakemail.smtp.backend import Backend, Receipt
from fakemail.smtp.extensions import SmtpProfile
from fakemail.types.address import Address
from fakemail.types.domains import a_labels
from fakemail.types.peer import Peer, is_ip_address
from fakemail.types.reason import Reason
from fakemail.types.verdict import ACCEPTED, Verdict
from fakemail.wire.loop import finish
from fakemail.wire.smtp_server import HandlerBackend, SmtpConnection
from fakemail.zones.zone_provisioning import INFRASTRUCTURE

if TYPE_CHECKING:
    from fakemail.api.mailnet import BaseMailNet
    from fakemail.sasl.exchange import CredentialStore

HANDSHAKE_TIMEOUT = 5.0
"""Real seconds that a client has to begin TLS at a port for nothing else."""
_HIDDEN: Final = frozenset(
    {
        "PIPELINING",
        "VRFY",
        "EXPN",
        "ENHANCEDSTATUSCODES",
        "DSN",
        "CHUNKING",
        "BINARYMIME",
        "REQUIRETLS",
        "LIMITS",
    }
)
"""The keywords that aiosmtpd does not have."""


_RUNNING: Final[WeakSet[RunningHost | None]] = WeakSet()
"""The hosts that take everything, in all fake internets."""


class CaptureHost:
    """Host of a fake internet that accepts mail from any client for any address."""

    def __init__(
        self,
        mailnet: BaseMailNet[Any, Any],
        *,
        name: str | None = None,
        check_password: CheckPassword | None = None,
        credentials: CredentialStore | None = None,
        prompts: tuple[bytes, bytes] = PROMPTS,
        **options: Any,
    ) -> None:
        """``name`` is the host's, if it is free. ``check_password`` judges PLAIN and LOGIN, ``credentials`` every other
        mechanism, and ``prompts`` are the challenges of LOGIN; ``options`` are those of ``host.configure()``."""
        self._portal = mailnet._portal
        simulation = self._portal.simulation
        free = (each for each in _names(name) if each not in simulation.world.hosts)
        self.host = mailnet.host(next(free), relay_for="*")
        """The host: its faults, its options."""
        _RUNNING.add(self.running)
        self.check_password = check_password
        self.credentials = credentials
        self.prompts = prompts
        self.ssl_context: ssl.SSLContext | None = None
        """A server's context in place of the one by the fake internet's authority."""
        self.before_session: Callable[[], None] | None = None
        """Function called for each connection, in the loop's thread, before its session begins."""
        self.call_limits: Mapping[str, int] = {}
        """Limit of each command in one connection; ``*`` stands for all others."""
        self.latest: SmtpConnection | None = None
        """The connection that was opened last."""
        self._port: CapturePort | None = None
        self.host.configure(
            hide=_HIDDEN,
            own_senders_only=False,
            accept_bare_line_ends=True,
            **options,
        )

    @property
    def running(self) -> RunningHost:
        """The host in the runtime."""
        return self._portal.simulation.hosts.running[self.host.name]

    @property
    def endpoint(self) -> Endpoint | None:
        """Address on which it listens; ``None`` while it does not."""
        return None if self._port is None else self._port.endpoint

    def listen(self, address: str, port: int, security: Security) -> Endpoint:
        """Listen there, and no more where it listened before; with port 0 the system chooses one.

        Raises :class:`~fakemail.errors.PortInUse`.
        """
        self.close()

        async def open_port() -> CapturePort:
            service = Service("submission", port, security)
            opened = CapturePort(self, self.running, service, Endpoint(address, port))
            await self.running.adopt(opened)
            return opened

        self._port = self._portal.perform(open_port())
        return self._port.endpoint

    def close(self) -> None:
        """Listen no more; connections that are open stay."""
        port, self._port = self._port, None
        if port is not None and self._portal.running is not None:
            self._portal.call(lambda: self.running.leave(port))

    def make_mailbox(self, address: Address) -> None:
        """Make a mailbox for an undeclared address, with its domain, in the loop's thread."""
        simulation = self._portal.simulation
        world = simulation.world
        if address.domain not in world.domains:
            name = self.host.name
            domain = world.add_domain(address.domain, mx=[name], submission_host=name)
            finish(simulation.hosts.run_domain(domain))
        elif not self._takes(world.domains[address.domain]):
            return
        finish(simulation.hosts.run_account(world.domains[address.domain].without_detail(address)))

    def _takes(self, domain: DomainSpec) -> bool:
        """Whether its mail is delivered here: its domain is undeclared, and any server may accept it."""
        local_domains = self.running.inbound.local_domains.of(self.host.name)
        hosts = self._portal.simulation.hosts.running
        if domain.mail_hosts and all(hosts.get(name) in _RUNNING for name in domain.mail_hosts):
            local_domains[domain.name] = None
        return domain.name in local_domains


def _names(wanted: str | None) -> Iterator[str]:
    """Names for such a host, the best first."""
    if wanted and wanted != LOCALHOST and not is_ip_address(wanted):
        yield a_labels(wanted)
    yield f"smtpd.{INFRASTRUCTURE}"
    yield from (f"smtpd{number}.{INFRASTRUCTURE}" for number in count(2))


class CapturePort(ServicePort):
    """The port of such a host."""

    def __init__(
        self, capture: CaptureHost, running: RunningHost, service: Service, endpoint: Endpoint
    ) -> None:
        caller = Peer(endpoint.address, 0, "app")
        super().__init__(running, service, endpoint, ProtocolFactory(SmtpConnection, _open), caller=caller)
        self.capture = capture
        self._profiles: tuple[HostSpec, SmtpProfile, SmtpProfile] | None = None

    def _connection(self) -> asyncio.BaseProtocol:
        connection = super()._connection()
        if self.implicit_tls and isinstance(connection, SmtpConnection):
            asyncio.get_running_loop().call_later(HANDSHAKE_TIMEOUT, _end_without_tls, connection)
        return connection

    def tls_context(self, fault: TlsContextFault | None = None) -> ssl.SSLContext:
        """The context that was given, or one by the authority of the fake internet."""
        own = self.capture.ssl_context
        return own if own is not None and fault is None else super().tls_context(fault)

    def profiles(self) -> tuple[SmtpProfile, SmtpProfile]:
        """Options of its sessions, which offer AUTH, and of its decisions, which are those of a mail host."""
        host = self.running.host
        if self._profiles is None or self._profiles[0] is not host:
            self._profiles = host, SmtpProfile(host, self.described), SmtpProfile(host, SMTP)
        return self._profiles[1:]


def _end_without_tls(connection: SmtpConnection) -> None:
    """Part with a client that waits for a greeting where TLS has to come first."""
    if not connection.is_secured:
        connection.hang_up(Reason.TIMEOUT)


def _open(port: ServicePort, connection: SmtpConnection) -> ProtocolSession:
    if not isinstance(port, CapturePort):
        raise TypeError("this session is opened at a port of its own")
    running, capture = port.running, port.capture
    if capture.before_session is not None:
        capture.before_session()
    profile, decisions = port.profiles()
    backend: Backend = CaptureBackend(capture, running, decisions, connection)
    if connection.handler is not None:
        backend = HandlerBackend(connection, backend, replies_to_errors=True)
    session = CaptureSession(
        profile,
        backend,
        port.log.smtp_recorder(port.host, connection.number),
        connection.peer,
        faults=running.faults,
        connection=connection.number,
        grease=grease_of(port, connection),
    )
    session.serve(connection, capture.check_password, capture.prompts, capture.call_limits)
    capture.latest = connection
    return session


class CaptureBackend(SmtpBackend):
    """Decisions of a mail host that makes the mailboxes it lacks."""

    def __init__(
        self, capture: CaptureHost, running: RunningHost, profile: SmtpProfile, connection: SmtpConnection
    ) -> None:
        super().__init__(running.inbound, running, profile, connection.peer, connection.number)
        self._capture = capture
        if capture.credentials is not None:
            self.credentials = capture.credentials
        self._unknown: set[str] = set()
        """Recipients with an impossible domain: they are accepted, and their mail is delivered nowhere."""

    def check_recipient(self, recipient: Address, login: str) -> Verdict | None:
        """Accept every recipient; what the fake internet knows and refuses (full, disabled) is refused."""
        if recipient.domain and not (
            recipient.key in self._world.accounts and recipient.domain in self._local_domains
        ):
            try:
                self._capture.make_mailbox(recipient)
            except DeclarationError:
                self._unknown.add(recipient.key)
                return ACCEPTED
        return super().check_recipient(recipient, login)

    def take(self, envelope: Envelope, content: bytes) -> Receipt | None:
        """Deliver to the recipients that can have a mailbox."""
        if self._unknown:
            known = tuple(each for each in envelope.recipients if each.address.key not in self._unknown)
            if not known:
                queue_id = self.chance.queue_id()
                return Receipt(ACCEPTED, queue_id, f"taken as {queue_id}")
            envelope = envelope._replace(recipients=known)
        return super().take(envelope, content)
