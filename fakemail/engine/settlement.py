"""The servers of a fake internet inside one namespace: on their public addresses and real ports, DNS on port 53."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from fakemail.capture.namespace import Namespace
from fakemail.capture.passage import Passage
from fakemail.engine.fixed_ports import DNS_PORT
from fakemail.engine.naming import NAME_SERVER
from fakemail.engine.network import Endpoint
from fakemail.errors import DeclarationError
from fakemail.model.addresses import APP_IPV4, APP_IPV6, IPV4_RANGES, IPV6_RANGE
from fakemail.model.host import SERVICES
from fakemail.tls.authority import process_authority
from fakemail.wire.ports import Listener

if TYPE_CHECKING:
    from fakemail.engine.internet import Internet
    from fakemail.engine.site import Site
    from fakemail.model.host import Host

NETWORKS = tuple(str(each) for each in (*IPV4_RANGES, IPV6_RANGE))


class Settlement:
    """One namespace, and everything of a fake internet that listens in it."""

    def __init__(self, internet: Internet, name: str, addresses: tuple[str, str]) -> None:
        """``name`` and ``addresses`` are those of the machine inside.

        Raises :class:`~fakemail.errors.NoNamespace` when there can be none.
        """
        self._internet = internet
        self.name, self.addresses = name, addresses
        server = internet.world.hosts[NAME_SERVER]
        self._name_servers = (server.ipv4, server.ipv6)
        self.namespace = Namespace(
            name=self.name,
            addresses=self.addresses,
            networks=NETWORKS,
            name_servers=self._name_servers,
            ca_file=str(process_authority().ca_file()),
            java_truststore=process_authority().java_truststore,
        )
        self._listening: list[tuple[Site, Listener]] = []
        self._passages: dict[Endpoint, Passage] = {}
        self._ends: list[Callable[[], None]] = []

    async def open(self) -> None:
        """Let every server that runs now be there as well; those that come later follow by themselves."""
        internet = self._internet
        for address in self._name_servers:
            tcp, udp = self.namespace.sockets(("tcp", address, DNS_PORT), ("udp", address, DNS_PORT))
            self._ends.append(internet.dns.answer_at(tcp, udp))
        for running in internet.hosts.values():
            for site in running.sites.values():
                await self.settle(site)
            self.pass_to_attached(running.host)
        internet.settlements.append(self)

    async def settle(self, site: Site) -> None:
        """Let a server listen inside, at the public addresses of its host."""
        host = site.running.host
        for address in (host.ipv4, host.ipv6):
            before = len(site.listeners)
            await site.listen_at(Endpoint(address, site.port.port), self.namespace)
            self._listening += [(site, each) for each in site.listeners[before:]]

    def pass_to_attached(self, host: Host) -> None:
        """Let the real servers that are attached to a host be reached inside, in the place of ours."""
        for service, real in self._internet.network.attached_to(host.name).items():
            port = SERVICES[service].port
            ours = [each for each in self._listening if each[0].running.name == host.name]
            for site, listener in [each for each in ours if each[0].port.port == port]:
                site.leave(listener)
                self._listening.remove((site, listener))
            for address in (host.ipv4, host.ipv6):
                self._pass_through(Endpoint(address, port), real)

    def expose(self, outside: Sequence[Endpoint]) -> None:
        """Let services of this machine, on loopback, be reached inside under the same address and port."""
        for endpoint in outside:
            self._pass_through(endpoint, endpoint)

    def _pass_through(self, inside: Endpoint, outside: Endpoint) -> None:
        passage = self._passages.get(inside)
        if passage is not None:
            passage.target = outside
            return
        try:
            sock = self.namespace.bind(*inside, purpose="passage")
        except OSError as error:
            raise DeclarationError(
                f"{inside.address} port {inside.port} cannot be passed through: {error.strerror}."
            ) from None
        self._passages[inside] = Passage(sock, outside, self._internet.supervisor.spawn)

    def leave(self) -> None:
        """End every process inside, and listen there no more."""
        internet = self._internet
        if self in internet.settlements:
            internet.settlements.remove(self)
        internet.network.moved_out(*self.addresses)
        self.namespace.close()
        for site, listener in self._listening:
            site.leave(listener)
        for passage in self._passages.values():
            passage.close()
        for end in self._ends:
            end()
        self._listening.clear()
        self._passages.clear()
        self._ends.clear()


async def settle(internet: Internet, host: str | None) -> Settlement:
    """A namespace with the fake internet in it: that host of it, or else the program under test.

    Raises :class:`~fakemail.errors.DeclarationError` when another namespace has its addresses, and
    :class:`~fakemail.errors.NoNamespace` when there can be none.
    """
    name, addresses = "app", (APP_IPV4, APP_IPV6)
    if host is not None:
        described = internet.world.host(host)
        name, addresses = described.name, (described.ipv4, described.ipv6)
    # From here on they are taken, for the next one may be asked for before this one stands.
    if not internet.network.lives_inside(name, *addresses):
        raise DeclarationError(
            f"there is a namespace with the address {addresses[0]} of {name!r} already; close that "
            "one, use it for both commands, or give this one a host of its own: host='app2.shop.test'."
        )
    try:
        # The keeper takes some milliseconds to come up, and the servers need not stand still for that.
        loop = asyncio.get_running_loop()
        settlement = await loop.run_in_executor(None, partial(Settlement, internet, name, addresses))
    except BaseException:
        internet.network.moved_out(*addresses)
        raise
    try:
        await settlement.open()
    except BaseException:
        settlement.leave()
        raise
    return settlement
