"""The servers of a fake internet inside one namespace: on their public addresses and real ports, DNS on port 53."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial

from fakemail.environment import Environment
from fakemail.errors import DeclarationError
from fakemail.intercept.namespace import NetworkNamespace
from fakemail.intercept.port_forward import PortForward, arrived, reach
from fakemail.model.addresses import IPV4_RANGES, IPV6_RANGE
from fakemail.model.host import LOCAL, SERVICES, HostSpec
from fakemail.runtime.hosts import Hosts
from fakemail.runtime.network import LOOPBACK, Endpoint, Network
from fakemail.runtime.port_plans import DNS_PORT
from fakemail.runtime.service_port import ServicePort
from fakemail.tls.authority import process_authority
from fakemail.types.peer import Peer
from fakemail.wire.dns_server import DnsServer
from fakemail.wire.ports import Listener, bound_socket
from fakemail.zones.zone_provisioning import NAME_SERVER

NETWORKS = tuple(str(each) for each in (*IPV4_RANGES, IPV6_RANGE))


class NamespaceListeners:
    """One namespace, and everything of a fake internet that listens in it."""

    def __init__(
        self,
        environment: Environment,
        name: str,
        addresses: tuple[str, str],
        *,
        hosts: Hosts,
        network: Network,
        name_server: DnsServer,
    ) -> None:
        """``name`` and ``addresses`` are those of the machine inside.

        Raises :class:`~fakemail.errors.NamespaceUnavailable` when there can be none.
        """
        self._spawn = environment.tasks.spawn
        self._hosts = hosts
        self._network = network
        self._name_server = name_server
        self.name, self.addresses = name, addresses
        server = environment.world.hosts[NAME_SERVER]
        self._name_servers = (server.ipv4, server.ipv6)
        self.namespace = NetworkNamespace(
            name=self.name,
            addresses=self.addresses,
            networks=NETWORKS,
            name_servers=self._name_servers,
            ca_file=str(process_authority().ca_file()),
            ca_hash=process_authority().subject_hash,
            java_truststore=process_authority().java_truststore,
        )
        self._listening: list[tuple[ServicePort, Listener]] = []
        self._local: list[ServicePort] = []
        self._passages: dict[Endpoint, PortForward] = {}
        self._published: dict[int, PortForward] = {}
        self._ends: list[Callable[[], None]] = []

    async def open(self) -> None:
        """Let every server that runs now be there as well; those that come later follow by themselves."""
        for address in self._name_servers:
            tcp, udp = self.namespace.sockets(("tcp", address, DNS_PORT), ("udp", address, DNS_PORT))
            self._ends.append(self._name_server.answer_at(tcp, udp))
        for running in self._hosts.running.values():
            for service_port in running.ports.values():
                await self.bind(service_port)
            self.pass_to_attached(running.host)
        self._hosts.on_listen.append(self.bind)
        server = await self._hosts.smarthost()
        who = Peer(self.addresses[0], 0, self.name)
        for service in LOCAL:
            here = Endpoint(LOOPBACK, service.port)
            service_port = await server.listen_for(service, here, scope=self.namespace, caller=who)
            await service_port.listen_at(Endpoint("::1", service.port), self.namespace)
            self._local.append(service_port)

    async def bind(self, service_port: ServicePort) -> None:
        """Let a server listen inside, at the public addresses of its host."""
        host = service_port.running.host
        for address in (host.ipv4, host.ipv6):
            before = len(service_port.listeners)
            await service_port.listen_at(Endpoint(address, service_port.described.port), self.namespace)
            self._listening += [(service_port, each) for each in service_port.listeners[before:]]

    def pass_to_attached(self, host: HostSpec) -> None:
        """Let the real servers that are attached to a host be reached inside, in the place of ours."""
        for service, real in self._network.attached_to(host.name).items():
            port = SERVICES[service].port
            ours = [each for each in self._listening if each[0].running.name == host.name]
            for service_port, listener in [each for each in ours if each[0].described.port == port]:
                service_port.leave(listener)
                self._listening.remove((service_port, listener))
            for address in (host.ipv4, host.ipv6):
                self._pass_through(Endpoint(address, port), real)

    def expose(self, outside: Sequence[Endpoint]) -> None:
        """Let services of this machine, on loopback, be reached inside under the same address and port."""
        for endpoint in outside:
            self._pass_through(endpoint, endpoint)

    def _pass_through(self, inside: Endpoint, outside: Endpoint) -> None:
        passage = self._passages.get(inside)
        if passage is not None:
            passage.reach = partial(reach, *outside)
            return
        for (
            service_port
        ) in self._local:  # who wants a mail server of this machine there wants it in the place of ours
            for listener in [each for each in service_port.listeners if (each.address, each.port) == inside]:
                service_port.leave(listener)
        try:
            sock = self.namespace.bind(*inside, purpose="passage")
        except OSError as error:
            raise DeclarationError(
                f"{inside.address} port {inside.port} cannot be passed through: {error.strerror}."
            ) from None
        name = f"{outside.address} port {outside.port}"
        self._passages[inside] = PortForward(sock, partial(reach, *outside), self._spawn, name=name)

    def publish(self, port: int, inside: int) -> Endpoint:
        """Let a server inside be reached from this machine, at that port of 127.0.0.1; 0 lets the system choose one.

        Returns where it is. Raises :class:`~fakemail.errors.PortInUse`.
        """
        known = self._published.get(inside)
        if known is not None and port in (0, known.address[1]):
            return Endpoint(*known.address)
        sock = bound_socket(LOOPBACK, port, purpose=f"port {inside} of {self.name}")
        passage = PortForward(
            sock,
            partial(self._reach, inside),
            self._spawn,
            name=f"{self.name} port {inside}",
        )
        self._published[inside] = passage
        self._ends.append(passage.close)
        return Endpoint(*passage.address)

    def published(self, inside: int) -> Endpoint | None:
        """The address on this machine at which a server inside is reached; ``None`` for none."""
        passage = self._published.get(inside)
        return None if passage is None else Endpoint(*passage.address)

    async def _reach(self, port: int) -> socket.socket:
        """Connect to a server inside, which may listen on loopback only, or on its public address only."""
        refusal: OSError | None = None
        for address in (LOOPBACK, "::1", *self.addresses):
            try:
                return await arrived(self.namespace.probe_connect(address, port), (address, port))
            except OSError as error:
                refusal = refusal or error
        raise refusal or OSError

    def leave(self) -> None:
        """End every process inside, and listen there no more."""
        if self.bind in self._hosts.on_listen:
            self._hosts.on_listen.remove(self.bind)
        self._network.moved_out(*self.addresses)
        self.namespace.close()
        for service_port, listener in self._listening:
            service_port.leave(listener)
        for service_port in self._local:
            service_port.running.leave(service_port)
        for passage in self._passages.values():
            passage.close()
        for end in self._ends:
            end()
        self._listening.clear()
        self._local.clear()
        self._passages.clear()
        self._published.clear()
        self._ends.clear()
