"""Map of the fake internet's network: the loopback address and port behind each public one."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from fakemail.errors import DeclarationError
from fakemail.model.addresses import APP_IPV4
from fakemail.model.host import SMTP, HostSpec, Service
from fakemail.types.peer import Peer
from fakemail.wire.ports import has_loopback_range

LOOPBACK = "127.0.0.1"
LOCALHOST = "localhost"
"""The one name that is on loopback on every machine (RFC 6761 §6.3)."""
# Second octet of the loopback addresses of hosts: away from 127.0.0.1, from Debian's 127.0.1.1 and
# from 127.0.0.53, where a local resolver may live.
_RANGE = 90


class Endpoint(NamedTuple):
    """A real address and port."""

    address: str
    port: int


def real_endpoint(host: str, address: str, port: int) -> Endpoint:
    """The endpoint of a real server. Raises :class:`~fakemail.errors.DeclarationError` for what is not on loopback."""
    try:
        is_loopback = ip_address(address).is_loopback
    except ValueError:
        raise DeclarationError(
            f"host {host!r}: {address!r} is not an IP address; say '127.0.0.1' or '::1'."
        ) from None
    if not is_loopback:
        raise DeclarationError(
            f"host {host!r}: {address} is not on loopback, and nothing may leave this machine."
        )
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise DeclarationError(f"host {host!r}: a port is a number from 1 to 65535, not {port!r}.")
    return Endpoint(address, port)


class Network:
    """The map between the fake internet's addresses and this machine's."""

    def __init__(self) -> None:
        self._serial = 0
        self._range = _RANGE
        self._loopback: dict[str, str] = {}
        self._endpoints: dict[tuple[str, int], Endpoint] = {}
        self._owners: dict[str, str] = {}
        self._callers: dict[Endpoint, Peer] = {}
        self._attached: dict[tuple[str, str], Endpoint] = {}
        self._foreign: dict[tuple[str, int], str] = {}
        self._shut: set[str] = set()
        self._inside: dict[str, str] = {}

    def begin_at(self, octet: int) -> None:
        """Give hosts addresses of another range, from 127.octet.0.2 on; call it before there are any."""
        self._range = octet

    def loopback_of(self, host: str) -> str:
        """The loopback address of a host: its own where the machine has more than one."""
        known = self._loopback.get(host)
        if known is None:
            self._serial += 1
            high, low = divmod(self._serial, 250)
            own = f"127.{self._range + high // 250}.{high % 250}.{low + 1}"
            known = self._loopback[host] = own if has_loopback_range() else LOOPBACK
        return known

    def publish(self, host: HostSpec, service: Service, endpoint: Endpoint) -> None:
        """A service of a host is at that endpoint from now on."""
        for public in (host.ipv4, host.ipv6):
            self._endpoints[public, service.port] = endpoint
            self._owners[public] = host.name

    def withdraw(self, host: HostSpec) -> None:
        """No service of a host is anywhere from now on."""
        for known in (self._endpoints, self._foreign):
            for place in [place for place in known if place[0] in (host.ipv4, host.ipv6)]:
                del known[place]
        for key in [key for key in self._attached if key[0] == host.name]:
            del self._attached[key]

    def attach(self, host: HostSpec, service: Service, endpoint: Endpoint) -> None:
        """A service of a host is run by a real server there."""
        self._attached[host.name, service.name] = endpoint
        self._foreign.update(dict.fromkeys([(host.ipv4, service.port), (host.ipv6, service.port)], host.name))
        self.publish(host, service, endpoint)

    def shut(self, host: str, *, is_shut: bool) -> None:
        """Keep our hosts from the real servers of a host, which listen all the same, or let them connect again."""
        if is_shut:
            self._shut.add(host)
        else:
            self._shut.discard(host)

    def refuses(self, public: str, port: int) -> bool:
        """Whether a real server is there to which our hosts may not connect."""
        return bool(self._shut) and self._foreign.get((public, port)) in self._shut

    def is_foreign(self, host: str) -> bool:
        """Whether a real server runs any service of a host."""
        return any(name == host for name, _ in self._attached)

    def attached(self, host: str, service: str) -> Endpoint | None:
        """The endpoint of the real server that runs a service of a host; ``None`` if the service is ours."""
        return self._attached.get((host, service))

    def attached_to(self, host: str) -> dict[str, Endpoint]:
        """The real servers of a host, by service."""
        return {service: real for (name, service), real in self._attached.items() if name == host}

    def is_external_mail_host(self, public: str) -> bool:
        """Whether a real server takes the mail at a public address."""
        return (self._owners.get(public, ""), SMTP.name) in self._attached

    def find(self, public: str, port: int) -> Endpoint | None:
        """The endpoint behind a public address and port; ``None`` if none was ever published."""
        return self._endpoints.get((public, port))

    def is_at(self, address: str, port: int) -> bool:
        """Whether anything of the fake internet is really at an address and port of this machine."""
        return Endpoint(address, port) in self._endpoints.values()

    def owner(self, public: str) -> str:
        """The host that has a public address; empty for none."""
        return self._owners.get(public, "")

    def calls_from(self, endpoint: Endpoint, caller: Peer) -> None:
        """A connection from that real endpoint is made by a fake host."""
        self._callers[endpoint] = caller

    def is_ours(self, endpoint: Endpoint) -> bool:
        """Whether a fake host has made the connection from that real endpoint."""
        return endpoint in self._callers

    def hung_up(self, endpoint: Endpoint) -> None:
        """The connection from that endpoint is over."""
        self._callers.pop(endpoint, None)

    def lives_inside(self, name: str, *addresses: str) -> bool:
        """A program has a network of its own, where these addresses are really its; false if another one has."""
        plain = [str(ip_address(each)) for each in addresses]
        if any(each in self._inside for each in plain):
            return False
        self._inside.update(dict.fromkeys(plain, name))
        return True

    def moved_out(self, *addresses: str) -> None:
        """It has none any more."""
        for each in addresses:
            self._inside.pop(str(ip_address(each)), None)

    def who(self, address: str, port: int) -> Peer:
        """The client at the other end of a connection: a host, a namespace, or else the program under test."""
        caller = self._callers.get(Endpoint(address, port))
        if caller is not None:
            return caller
        name = self._inside.get(address)
        return Peer(APP_IPV4, port, "app") if name is None else Peer(address, port, name)
