"""A plan of ports for a fake internet that people type the ports of: real ports plus an offset."""

from __future__ import annotations

from fakemail.model.domain import DomainSpec
from fakemail.model.host import READING, SMTP, SUBMISSION, SUBMISSIONS, HostSpec, Service
from fakemail.model.world import WorldSpec, usual_reading_host
from fakemail.runtime.network import LOOPBACK, Endpoint, Network
from fakemail.zones.zone_provisioning import INFRASTRUCTURE

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
        """See :data:`~fakemail.runtime.network.PortPlan`."""
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
        """Where the mail of a domain is read, or will be: its services may be declared before that is asked."""
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
