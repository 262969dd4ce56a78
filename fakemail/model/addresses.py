"""The plan of public addresses: who gets which address of the documentation ranges.

RFC 5737 and RFC 3849 set them aside for examples, so that none of them is anybody's. When their
762 hosts are used up, the plan goes on with the benchmarking range of RFC 2544 (198.18.0.0/15).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from itertools import chain

from fakemail.errors import DeclarationError

IPV4_RANGES = (
    IPv4Network("198.51.100.0/24"),
    IPv4Network("192.0.2.0/24"),
    IPv4Network("203.0.113.0/24"),
    IPv4Network("198.18.0.0/15"),
)
IPV6_RANGE = IPv6Network("2001:db8::/32")

# The program under test lives at the end of the third range, away from the hosts.
APP_IPV4 = "203.0.113.250"
APP_IPV6 = "2001:db8:a::250"


class AddressPlan:
    """Hands out public addresses, in order, and sees that no two hosts get the same one."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {APP_IPV4: "app", APP_IPV6: "app"}
        self._ipv4: Iterator[IPv4Address] = chain.from_iterable(net.hosts() for net in IPV4_RANGES)
        self._serial = 0

    def claim(self, text: str, owner: str) -> str:
        """Reserve one address for a host. Raises ``DeclarationError`` if it is taken or no address of ours."""
        try:
            parsed = ip_address(text)
        except ValueError:
            raise DeclarationError(f"host {owner!r}: {text!r} is not an IP address.") from None
        ranges: tuple[IPv4Network | IPv6Network, ...] = (*IPV4_RANGES, IPV6_RANGE)
        if not any(parsed in net for net in ranges if net.version == parsed.version):
            raise DeclarationError(
                f"host {owner!r}: {text} is outside the ranges of the fake internet, which are "
                f"{', '.join(str(net) for net in ranges)}."
            )
        key = str(parsed)
        if key in self._taken:
            raise DeclarationError(
                f"host {owner!r}: {key} is the address of {self._taken[key]!r} already; "
                "leave the address out to get a free one."
            )
        self._taken[key] = owner
        return key

    def next_pair(self, owner: str) -> tuple[str, str]:
        """The next free IPv4 and IPv6 address. Raises ``DeclarationError`` when none is left."""
        for candidate in self._ipv4:
            if (ipv4 := str(candidate)) not in self._taken:
                break
        else:
            raise DeclarationError(f"host {owner!r}: every address of the fake internet is taken.")
        self._serial += 1
        ipv6 = str(IPV6_RANGE[self._serial])
        while ipv6 in self._taken:
            self._serial += 1
            ipv6 = str(IPV6_RANGE[self._serial])
        self._taken[ipv4] = self._taken[ipv6] = owner
        return ipv4, ipv6

    def release(self, *texts: str) -> None:
        """Give addresses back."""
        for text in texts:
            self._taken.pop(text, None)

    def owner(self, text: str) -> str | None:
        """The name of the host with that address, ``None`` if nobody has it."""
        return self._taken.get(text)
