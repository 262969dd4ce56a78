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

    def assign(self, owner: str, *, ipv4: str | None = None, ipv6: str | None = None) -> tuple[str, str]:
        """Reserve an IPv4 and an IPv6 address for a host: those given, else free ones.

        Raises ``DeclarationError``, and reserves nothing, if one is taken or no address of ours, or
        when none is left.
        """
        own4 = None if ipv4 is None else self._checked(ipv4, owner, 4)
        own6 = None if ipv6 is None else self._checked(ipv6, owner, 6)
        pair = (own4 or self._free_ipv4(owner), own6 or self._free_ipv6())
        for text in pair:
            self._taken[text] = owner
        return pair

    def release(self, owner: str) -> None:
        """Let the addresses of a host be given to others that ask for them; no other gets them by itself."""
        for text in [text for text, name in self._taken.items() if name == owner]:
            del self._taken[text]

    def _checked(self, text: str, owner: str, version: int) -> str:
        try:
            parsed = ip_address(text)
        except ValueError:
            raise DeclarationError(f"host {owner!r}: {text!r} is not an IP address.") from None
        if parsed.version != version:
            raise DeclarationError(
                f"host {owner!r}: {text} is an IPv{parsed.version} address; an IPv{version} address is wanted."
            )
        ranges: tuple[IPv4Network | IPv6Network, ...] = (*IPV4_RANGES, IPV6_RANGE)
        scoped = "%" in text  # one address under two names would make two hosts one
        if scoped or not any(parsed in net for net in ranges if net.version == parsed.version):
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
        return key

    def _free_ipv4(self, owner: str) -> str:
        for candidate in self._ipv4:
            if (text := str(candidate)) not in self._taken:
                return text
        raise DeclarationError(f"host {owner!r}: every address of the fake internet is taken.")

    def _free_ipv6(self) -> str:
        while True:
            self._serial += 1
            if (text := str(IPV6_RANGE[self._serial])) not in self._taken:
                return text

    def owner(self, text: str) -> str | None:
        """Name of the host with that address, ``None`` without one."""
        return self._taken.get(text)
