"""Lists in the fake DNS of addresses and domains, good or bad, as a test keeps them (RFC 5782)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from fakemail.api.hosts import Host
from fakemail.api.portal import Portal
from fakemail.dns.names import name_key
from fakemail.dns.rdata import txt
from fakemail.dns.records import record
from fakemail.errors import DeclarationError
from fakemail.model.addresses import APP_IPV4, APP_IPV6
from fakemail.policy.blocklists import address_name, domain_name
from fakemail.types.address import is_domain_name
from fakemail.types.domains import u_labels
from fakemail.types.peer import is_ip_address
from fakemail.types.suggestions import Suggests

# RFC 5782 §5: what every list has so that it can be tested, and what no list may have.
_TEST_POINTS = ("127.0.0.2", "::ffff:7f00:2", "test")


class Blocklist(Suggests):
    """A zone that lists addresses, or domains. It is good or bad by who asks: ``dnsbl=``, ``rhsbl=``, ``dnswl=``."""

    def __init__(self, portal: Portal, zone: str) -> None:
        """It has the test points of RFC 5782 §5: ``127.0.0.2``, ``::FFFF:7F00:2`` and the domain ``test`` are on it."""
        self._portal = portal
        self.zone = name_key(zone)
        if not self.zone:
            raise DeclarationError("a list needs a zone of its own, such as 'zen.example'.")
        self._portal.call(lambda: portal.simulation.zone_provisioning.ensure_zone(self.zone))
        missing = [each for each in _TEST_POINTS if not self._has(each)]
        self._put(missing, "for tests", "127.0.0.2")

    def add(self, *entries: str | Host, reason: str = "", code: str = "127.0.0.2") -> Blocklist:
        """Put addresses (IPv4, IPv6), domains or hosts on it; ``"app"`` is the program under test.

        ``reason`` is what the list says about them (TXT), ``code`` an address in 127.0.0.0/8 that says what kind of
        entry it is. Raises :class:`~fakemail.errors.DeclarationError` for what is none of that.
        """
        try:
            is_code = ip_address(code) in _CODES
        except ValueError:
            is_code = False
        if not is_code:
            raise DeclarationError(
                f"list {self.zone!r}: a code is an address in 127.0.0.0/8 such as '127.0.0.2', not {code!r}."
            )
        names = [name for entry in entries for name in self._names(entry)]
        self._put(names, reason or f"listed by {self.zone}", code)
        return self

    def remove(self, *entries: str | Host) -> Blocklist:
        """Take entries off it."""
        zones = self._portal.simulation.zones
        names = [self._entry(name) for entry in entries for name in self._names(entry)]

        def remove() -> None:
            for name in names:
                zones.remove(name)

        self._portal.call(remove)
        return self

    def __contains__(self, entry: str | Host) -> bool:
        """Whether it lists an address, a domain, or every address of a host."""
        return all(map(self._has, self._names(entry)))

    def _names(self, entry: str | Host) -> tuple[str, ...]:
        if not isinstance(entry, str):
            return entry.ipv4, entry.ipv6
        if entry == "app":
            return APP_IPV4, APP_IPV6
        if is_ip_address(entry) or is_domain_name(entry):
            return (entry,)
        raise DeclarationError(
            f"list {self.zone!r}: {entry!r} is neither an address, nor a domain, nor a host of this fake internet."
        )

    def _entry(self, name: str) -> str:
        return (
            address_name(name, self.zone) if is_ip_address(name) else domain_name(name_key(name), self.zone)
        )

    def _has(self, name: str) -> bool:
        return bool(self._portal.call(lambda: self._portal.simulation.zones.records(self._entry(name), "A")))

    def _put(self, names: list[str], reason: str, code: str) -> None:
        zones = self._portal.simulation.zones

        def put() -> None:
            for name in map(self._entry, names):
                zones.replace(name, "A", [record(name, "A", code)])
                zones.replace(name, "TXT", [record(name, "TXT", txt(reason))])

        self._portal.call(put)

    def __repr__(self) -> str:
        return f"<Blocklist {u_labels(self.zone)}>"


_CODES = ip_network("127.0.0.0/8")
