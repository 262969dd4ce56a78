"""Plans of ports: where on this machine the services of each host listen.

Ports that the system chooses, real ports plus an offset for people to type, or the real ports themselves.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TypeAlias

from fakemail.errors import DeclarationError, PortInUse
from fakemail.model.domain import DomainSpec
from fakemail.model.host import READING, SMTP, SUBMISSION, SUBMISSIONS, HostSpec, Service
from fakemail.model.world import WorldSpec, usual_reading_host
from fakemail.runtime.network import LOOPBACK, Endpoint, Network
from fakemail.wire.dns_server import DnsServer
from fakemail.wire.ports import has_loopback_range
from fakemail.zones.zone_provisioning import INFRASTRUCTURE

PortPlan: TypeAlias = Callable[[HostSpec, Service], Endpoint]
"""Says where a service of a host shall listen; port 0 lets the system choose."""

DNS_PORT = 53
_HIGHEST = 65535
ANY_PORT = _HIGHEST
"""An offset that leaves every port to the system, on the same addresses."""


class FixedPorts:
    """Says where services listen: each host on its own loopback address, its real ports plus an offset.

    What people reach for first is on 127.0.0.1: the SMTP port of the first mail host that was declared, the
    ports of the first host where mail is read, and the smarthost's submission ports. Where the machine has
    no further loopback addresses, the system chooses the ports of all other hosts.
    """

    def __init__(self, network: Network, world: WorldSpec, *, offset: int) -> None:
        self._network = network
        self._world = world
        self._offset = offset
        self._first: str | None = None
        self._first_reading: str | None = None

    def __call__(self, host: HostSpec, service: Service) -> Endpoint:
        """See :data:`PortPlan`."""
        port = shifted(service.port, self._offset)
        if (
            self._is_first(host, service)
            or self._is_first_reading(host, service)
            or self._is_smarthost(host, service)
        ):
            return Endpoint(LOOPBACK, port)
        own = self._network.loopback_of(host.name)
        return Endpoint(own, 0 if own == LOOPBACK else port)

    def _is_first(self, host: HostSpec, service: Service) -> bool:
        if service is not SMTP:
            return False
        if self._first is None:
            homes = (each for each in self._world.domains.values() if each.name != INFRASTRUCTURE)
            # Once chosen it stays: its port is held, whatever becomes of the domain.
            self._first = next((each.mail_hosts[0] for each in homes if each.mail_hosts), None)
        return host.name == self._first

    def _is_first_reading(self, host: HostSpec, service: Service) -> bool:
        if service not in READING:
            return False
        if self._first_reading is None:
            homes = (each for each in self._world.domains.values() if each.name != INFRASTRUCTURE)
            self._first_reading = next(filter(None, map(self._reading_host, homes)), None)
        return host.name == self._first_reading

    def _reading_host(self, domain: DomainSpec) -> str:
        """The host where the mail of a domain is read, or will be: it may be declared before it is asked for."""
        usual = usual_reading_host(domain.name)
        declared = self._world.hosts.get(usual)
        is_usual = declared is not None and any(service in READING for service in declared.services)
        return domain.imap_host or (usual if is_usual else "")

    def _is_smarthost(self, host: HostSpec, service: Service) -> bool:
        ours = self._world.domains.get(INFRASTRUCTURE)
        return ours is not None and host.name == ours.submission_host and service in (SUBMISSION, SUBMISSIONS)


def shifted(port: int, offset: int) -> int:
    """A real port plus the offset; 0, for any free one, where that is no port number."""
    return port + offset if 0 < port + offset <= _HIGHEST else 0


def own_ports(network: Network) -> PortPlan:
    """Every host on its loopback address, on ports that the system chooses."""

    def plan(host: HostSpec, _: Service) -> Endpoint:
        return Endpoint(network.loopback_of(host.name), 0)

    return plan


# Second octets of the loopback addresses of fake internets, one each: away from what hosts with other ports have.
_FIRST, _NUMBER = 128, 120


class RealPorts:
    """Every host on a loopback address of its own, and there the real ports: 25, 587, 993, DNS on 53."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, host: HostSpec, service: Service) -> Endpoint:
        """The host's own address, and the service's own port."""
        return Endpoint(self._network.loopback_of(host.name), service.port)

    async def start(self, dns: DnsServer) -> None:
        """Start the name server at the first address of a range that no other fake internet has.

        Raises :class:`~fakemail.errors.DeclarationError` where this machine does not allow it.
        """
        if not has_loopback_range():
            raise DeclarationError(
                "real_ports: this system has no loopback address but 127.0.0.1, so hosts cannot have one each; "
                "on macOS 'ifconfig lo0 alias 127.128.0.1' adds one. Without it, use the settings of each server."
            )
        dns.port = DNS_PORT
        for number in range(_NUMBER):
            # Several processes at once begin in different places.
            octet = _FIRST + (os.getpid() + number) % _NUMBER
            dns.address = f"127.{octet}.0.1"
            try:
                await dns.start()
            except PortInUse as error:
                if getattr(error.__cause__, "errno", None) == errno.EACCES:
                    raise DeclarationError(
                        "real_ports: this user may not listen on ports below 1024; be root, or have an administrator "
                        "allow it: 'sysctl net.ipv4.ip_unprivileged_port_start=25'."
                    ) from None
                continue
            self._network.begin_at(octet)
            return
        raise DeclarationError(
            f"real_ports: {_NUMBER} fake internets with real ports stand on this machine already."
        )
