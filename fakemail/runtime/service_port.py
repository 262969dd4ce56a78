"""A running host: its ports and its connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from weakref import WeakSet

from fakemail.environment import Environment
from fakemail.errors import DeclarationError, nearest
from fakemail.faults import actions
from fakemail.faults.action import TlsContextFault
from fakemail.faults.host_faults import HostFaults
from fakemail.model.host import READING, HostSpec, Security, Service
from fakemail.mta.inbound.services import InboundServices
from fakemail.protocol.session import ProtocolSession
from fakemail.runtime.host_accounts import HostCredentials, MailboxBackend
from fakemail.runtime.network import LOCALHOST, LOOPBACK, Endpoint, Network
from fakemail.runtime.port_plans import PortPlan
from fakemail.runtime.virtual_timeouts import VirtualTimeouts
from fakemail.store.mailstore import MailStore
from fakemail.tls.authority import LIFETIME, KeyType, process_authority
from fakemail.tls.contexts import VERSIONS, ServerContext, server_context
from fakemail.tls.flaws import FLAWS, flawed_leaf
from fakemail.tls.leaf import Leaf
from fakemail.types.peer import Peer, is_among
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from fakemail.types.write_script import Pause
from fakemail.wire.connection import Connection
from fakemail.wire.ports import Listener, NetworkScope
from fakemail.wire.script_runner import Cancellable
from fakemail.wire.supervisor import Supervisor

if TYPE_CHECKING:
    from fakemail.wire.https_server import Document

_P = TypeVar("_P")


class ProtocolFactory(NamedTuple):
    """Connection and session of a protocol."""

    connect: Callable[[ServicePort], Connection]
    """The connection that carries it."""
    open: Callable[[ServicePort, Any], ProtocolSession]
    """The session that speaks it, for a new connection."""


class ServicePort:
    """One port of one host."""

    def __init__(
        self,
        running: RunningHost,
        service: Service,
        endpoint: Endpoint,
        factory: ProtocolFactory,
        *,
        scope: NetworkScope | None = None,
        caller: Peer | None = None,
    ) -> None:
        """``scope`` is where the port is, unless it is this process's own network; ``caller`` is who everybody is
        that connects, where all are on one machine."""
        self.running = running
        self._caller = caller
        self.is_here = scope is None
        """Whether it began in this process's own network."""
        self.host = running.name
        self.service = service.name
        self.implicit_tls = service.security is Security.TLS
        self.log = running.log
        self.supervisor = running.supervisor
        self.connections: set[Connection] = running.connections
        self.described = service
        self._factory = factory
        self.listener = self._listener(endpoint, scope)
        self.listeners = [self.listener]
        """Its listeners: on this machine, and inside namespaces."""

    @property
    def endpoint(self) -> Endpoint:
        """Its address and port on this machine."""
        return Endpoint(self.listener.address, self.listener.port)

    async def listen_on_localhost(self) -> int:
        """Listen at 127.0.0.1 too, if it does not yet, and return the port: there a name resolves to it anywhere."""
        here = next(
            (each for each in self.listeners if each.address == LOOPBACK and each.is_of_this_machine), None
        )
        if here is None:
            here = self._listener(Endpoint(LOOPBACK, 0))
            self.listeners.append(here)
            await self.running.apply_faults()
        port: int = here.port
        return port

    async def listen_at(self, endpoint: Endpoint, scope: NetworkScope) -> None:
        """Listen in one more place; as the faults demand, there as well."""
        self.listeners.append(self._listener(endpoint, scope))
        await self.running.apply_faults()

    def leave(self, listener: Listener) -> None:
        """Listen there no more."""
        if listener in self.listeners:
            self.listeners.remove(listener)
            listener.close()

    def _listener(self, endpoint: Endpoint, scope: NetworkScope | None = None) -> Listener:
        return Listener(
            endpoint.address,
            endpoint.port,
            purpose=f"{self.service} of {self.host}",
            factory=self._connection,
            scope=scope,
            window=self._window(),
        )

    def _window(self) -> int | None:
        """Receive window: the bytes that the system takes in before they are read; ``None`` for its default."""
        if self.running.grease_seed is None:
            return None
        from fakemail.grease import receive_window

        return receive_window(self.running.grease_seed, f"{self.service} of {self.host}")

    def _connection(self) -> asyncio.BaseProtocol:
        if not self.running.host.options.proxy_from:
            return self._factory.connect(self)
        from fakemail.wire.proxy import ProxyReader  # few hosts are behind a proxy

        return ProxyReader(self, lambda: self._factory.connect(self))

    def trusts(self, peer: Peer) -> bool:
        """Whether a client may speak for others by the PROXY protocol."""
        return is_among(peer, self.running.host.options.proxy_from)

    @property
    def idle_timeout(self) -> float:
        """In real seconds."""
        options = self.running.host.options
        return options.reading_timeout if self.described in READING else options.idle_timeout

    @property
    def faults(self) -> HostFaults:
        """The faults of this host."""
        return self.running.faults

    def later(self, connection: Connection, wait: Pause, then: Callable[[], None]) -> Cancellable:
        """Do something when a span has passed: on the fake clock if a host of ours waits for it."""
        timeouts, end = self.running.virtual_timeouts, Endpoint(*connection.remote_end)
        if wait.is_real or not timeouts.is_ours(end):
            return asyncio.get_running_loop().call_later(wait.span.total_seconds(), then)
        return timeouts.delay(end, wait.span, then)

    def hangs(self, connection: Connection) -> None:
        """Nothing more will be said on a connection, which stays open."""
        self.running.virtual_timeouts.hang(Endpoint(*connection.remote_end))

    @property
    def handler(self) -> object | None:
        """The aiosmtpd handler that a test attached to the host."""
        return self.running.handler

    def remember_login(self, number: int, login: str) -> None:
        """Note a login on a connection."""
        self.running.register.logins.append((number, login))

    def number(self) -> int:
        """The number of a new connection, unique in the fake internet."""
        return self.running.register.next_number()

    def peer(self, address: str, port: int) -> Peer:
        """The client that connects from an address and port."""
        if self._caller is not None:
            return self._caller._replace(port=port)
        return self.running.network.who(address, port)

    def tls_context(self, fault: TlsContextFault | None = None) -> ssl.SSLContext:
        """The host's side of TLS, or what a fault makes of it."""
        return self.running.tls_context if fault is None else self.running.context_with(fault)

    def open(self, connection: Connection) -> ProtocolSession:
        """The session of a new connection."""
        if self.running.network.is_ours(Endpoint(*connection.remote_end)):
            self.running.from_hosts.add(connection)
        return self._factory.open(self, connection)

    def profile(self, make: Callable[[HostSpec, Service], _P]) -> _P:
        """Profile of this port, made anew when the host has changed.

        Options can be changed at any time; sessions that are open keep the one they began with.
        """
        host = self.running.host
        known = self.running.profiles.get(self.service)
        if known is None or known[0] is not host:
            known = self.running.profiles[self.service] = (host, make(host, self.described))
        profile: _P = known[1]
        return profile


class ConnectionRegister:
    """Numbers of the connections to all hosts of one fake internet, and the logins on them."""

    def __init__(self) -> None:
        self.next_number = count(1).__next__
        self.logins: list[tuple[int, str]] = []
        """The number of a connection and the login on it, in the order of time."""

    def login_of(self, number: int) -> str:
        """The last login on a connection, empty for none."""
        return next((login for of, login in reversed(self.logins) if of == number), "")

    def keep(self, numbers: Container[int]) -> None:
        """Forget the logins on all other connections."""
        self.logins = [(number, login) for number, login in self.logins if number in numbers]


class RunningHost:
    """A host that listens."""

    def __init__(
        self,
        environment: Environment,
        host: HostSpec,
        *,
        protocols: Mapping[str, ProtocolFactory],
        supervisor: Supervisor,
        network: Network,
        faults: HostFaults,
        virtual_timeouts: VirtualTimeouts,
        register: ConnectionRegister,
        inbound: InboundServices,
        store: MailStore,
        certified: datetime,
        grease_seed: int | None,
        on_listen: Iterable[Callable[[ServicePort], Awaitable[None]]],
    ) -> None:
        """``certified`` is when it got its certificate; ``grease_seed`` is the seed of what varies in what it says to
        the app, ``None`` for nothing; ``on_listen`` is called with each new port."""
        self._clock = environment.clock
        self._world = environment.world
        self.log = environment.log
        self.supervisor = supervisor
        self.network = network
        self.virtual_timeouts = virtual_timeouts
        self.register = register
        self.inbound = inbound
        self.grease_seed = grease_seed
        self._on_listen = on_listen
        self.name = host.name
        self._protocols = protocols
        self.ports: dict[str, ServicePort] = {}
        self.local: list[ServicePort] = []
        """Its ports as the local mail server of a machine."""
        self.connections: set[Connection] = set()
        self.from_hosts: WeakSet[Connection] = WeakSet()
        """Those of them whose client is a host of the fake internet."""
        self.profiles: dict[str, tuple[HostSpec, Any]] = {}
        self.handler: object | None = None
        self.documents: dict[str, Document] = {}
        """Documents that it serves over HTTPS, by path."""
        self.credentials = HostCredentials(environment.world, host.name)
        self.mailboxes = MailboxBackend(environment, store=store, credentials=self.credentials)
        self.faults = faults
        self.is_stopped = False
        self.revision = object()
        """Another one after each change that those must not miss who keep a connection."""
        self._flaw: str | None = None
        self._certified = certified
        self._is_outlived = False
        self._contexts: dict[TlsContextFault, ServerContext] = {}
        self._leaves: dict[str, Leaf] = {}

    @property
    def host(self) -> HostSpec:
        """The host as it is described now."""
        return self._world.hosts[self.name]

    async def listen(self, plan: PortPlan) -> None:
        """Open the ports of the services that do not listen yet.

        Raises :class:`~fakemail.errors.DeclarationError` for a service that has no protocol.
        """
        for service in self.host.services:
            if service.name in self.ports or self.network.attached(self.name, service.name):
                continue
            factory = self._protocols.get(service.name)
            if factory is None:
                raise DeclarationError(
                    f"host {self.name!r}: {service.name!r} cannot be served yet; "
                    + nearest(service.name, self._protocols)
                )
            service_port = ServicePort(self, service, plan(self.host, service), factory)
            self._forget_contexts()  # the certificate names every address of the host
            self.ports[service.name] = service_port
            self.network.publish(self.host, service, service_port.endpoint)
            for follow in tuple(self._on_listen):
                await follow(service_port)
        await self.apply_faults()

    async def listen_for(
        self,
        service: Service,
        endpoint: Endpoint,
        *,
        scope: NetworkScope | None = None,
        caller: Peer | None = None,
    ) -> ServicePort:
        """Be a machine's own mail server, at a port there; see :data:`~fakemail.model.host.LOCAL`."""
        service_port = ServicePort(
            self, service, endpoint, self._protocols[service.name], scope=scope, caller=caller
        )
        await self.adopt(service_port)
        return service_port

    async def adopt(self, service_port: ServicePort) -> None:
        """Listen at one more port, which is no service of the host in the fake internet."""
        self._forget_contexts()  # the certificate names every address of the host
        self.local.append(service_port)
        await self.apply_faults()

    def leave(self, service_port: ServicePort) -> None:
        """Be that no more."""
        self.local.remove(service_port)
        for listener in tuple(service_port.listeners):
            service_port.leave(listener)

    async def start(self) -> None:
        """Listen again after a stop, on the same ports."""
        self.is_stopped = False
        await self.apply_faults()

    async def apply_faults(self) -> None:
        """Listen, or not, as the faults demand."""
        self.revision = object()
        self._apply_faults_to_attached()
        for rule in self.faults.active.get(Stage.TLS_HANDSHAKE, ()):
            if isinstance(rule.action, actions.present_certificate):
                self._revoke(rule.action.flaw)
        for service_port in self._all_ports():
            for listener in service_port.listeners:
                if self.is_stopped or self.faults.refuses(service_port.service):
                    listener.stop()
                elif self.faults.hangs(service_port.service):
                    listener.fill_backlog()
                else:
                    await listener.start()

    def _listeners(self) -> list[Listener]:
        return [listener for service_port in self._all_ports() for listener in service_port.listeners]

    def _all_ports(self) -> tuple[ServicePort, ...]:
        return (*self.ports.values(), *self.local)

    def stop(self) -> None:
        """Refuse connections, and end those that exist with 421."""
        self.is_stopped = True
        self.revision = object()
        self._apply_faults_to_attached()
        for listener in self._listeners():
            listener.stop()
        for connection in tuple(self.connections):
            connection.hang_up(Reason.SHUTTING_DOWN)

    def remove(self) -> None:
        """End the connections with 421, and give the ports back."""
        self.stop()
        for service_port in self._all_ports():
            for listener in tuple(service_port.listeners):
                service_port.leave(listener)

    def _apply_faults_to_attached(self) -> None:
        """A real server cannot be kept from listening, so ours are kept from connecting to it."""
        self.network.shut(self.name, is_shut=self.is_stopped or self.faults.refuses("smtp"))

    def close(self) -> None:
        """Give the ports back and drop every connection."""
        for listener in self._listeners():
            listener.close()
        for connection in tuple(self.connections):
            connection.abort()

    def present(self, flaw: str | None) -> None:
        """Present a certificate with that flaw from now on, or a good one.

        Raises :class:`~fakemail.errors.DeclarationError` for a flaw that there is not.
        """
        if flaw is not None and flaw not in FLAWS:
            raise DeclarationError(
                f"host {self.name!r}: there is no certificate flaw {flaw!r}; {nearest(flaw, FLAWS)}"
            )
        self._flaw = flaw
        self._certified, self._is_outlived = self._clock.now(), False
        self.revision = object()
        self._forget_contexts()
        self._revoke(flaw)

    def _revoke(self, flaw: str | None) -> None:
        """Let a certificate that is to be revoked be on the list before the first client looks at it."""
        if flaw == "revoked":
            self._leaf(flaw)

    def _forget_contexts(self) -> None:
        self.__dict__.pop("_usual_context", None)
        self._contexts.clear()
        self._leaves.clear()

    @property
    def tls_context(self) -> ServerContext:
        """The server's side of TLS; the certificate is good for the name and the loopback address.

        When the fake internet's clock has been moved past its end, one is presented that is over by the machine's
        clock too, since that is what the TLS of every client looks at.
        """
        self._let_age()
        return self._usual_context

    @cached_property
    def _usual_context(self) -> ServerContext:
        return self._context(self._flaw)

    def _let_age(self) -> None:
        if not self._is_outlived and self._clock.now() - self._certified > LIFETIME:
            self._is_outlived = True
            self._forget_contexts()

    def context_with(self, fault: TlsContextFault) -> ServerContext:
        """The server's side of TLS as a fault wants it."""
        self._let_age()
        context = self._contexts.get(fault)
        if context is None:
            context = self._contexts[fault] = self._make_context(fault)
        return context

    def _make_context(self, fault: TlsContextFault) -> ServerContext:
        match fault:
            case actions.present_certificate(flaw):
                return self._context(flaw)
            case actions.only_tls(versions):
                known = sorted(VERSIONS[version] for version in versions)
                return self._context(self._flaw, minimum_version=known[0], maximum_version=known[-1])
            case actions.only_ciphers(ciphers):
                key_type = "ecdsa" if "ECD" in ciphers else "rsa"
                return self._context(self._flaw, ciphers=ciphers, key_type=key_type)
            case _:
                raise TypeError(f"no TLS context is like {fault}")

    def _context(self, flaw: str | None, **options: Any) -> ServerContext:
        leaf = None if flaw is None else self._leaf(flaw)
        if leaf is None and self._is_outlived:
            key_type: KeyType = options.get("key_type", "ecdsa")
            usual = process_authority().leaf(self.name, addresses=self._loopback(), key_type=key_type)
            leaf = process_authority().outlived(usual)
        return server_context(
            self.name,
            addresses=self._loopback(),
            authority=process_authority(),
            client_certificates="ask",
            leaf=leaf,
            **options,
        )

    def _leaf(self, flaw: str) -> Leaf:
        leaf = self._leaves.get(flaw)
        if leaf is None:
            leaf = self._leaves[flaw] = flawed_leaf(flaw, self.name, addresses=self._loopback())
        return leaf

    def _loopback(self) -> tuple[str, ...]:
        """Addresses in its certificate: those where it listens, and those where it may be asked to."""
        addresses = (service_port.endpoint.address for service_port in self._all_ports())
        return tuple(dict.fromkeys((*addresses, LOOPBACK, LOCALHOST)))
