"""A plan in which every host has a loopback address of its own, and on it the real ports: 25, 587, 993, DNS on 53."""

from __future__ import annotations

import errno
import os

from fakemail.errors import DeclarationError, PortInUse
from fakemail.model.host import HostSpec, Service
from fakemail.runtime.fixed_ports import DNS_PORT
from fakemail.runtime.network import Endpoint, Network
from fakemail.wire.dns_server import DnsServer
from fakemail.wire.ports import has_loopback_range

# Second octets of the loopback addresses of fake internets, one each: away from what hosts with other ports have.
_FIRST, _NUMBER = 128, 120


class RealPorts:
    """See :data:`~fakemail.runtime.network.PortPlan`."""

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
