"""Peer of a connection, as the fake internet sees it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from fakemail.types.domains import a_labels
from fakemail.types.suggestions import suggests_fields


@suggests_fields
class Peer(NamedTuple):
    """A client, by the address that it has in the fake internet."""

    address: str
    """IP address, for example ``203.0.113.5``."""
    port: int
    name: str
    """The name of the fake host it is, or ``app`` for the program under test."""

    @property
    def is_app(self) -> bool:
        """Whether it is the program under test."""
        return self.name == "app"

    def __str__(self) -> str:
        return f"{self.name} [{self.address}]"


def is_ip_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address, and no name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_among(peer: Peer, allowed: Iterable[str]) -> bool:
    """Whether a list names a client: by its name (``app`` for the program under test), its address, a network
    that it is in, or ``*`` for everybody."""
    return any(each == "*" or a_labels(each) == peer.name or _is_in(peer.address, each) for each in allowed)


def _is_in(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False
