"""Who is at the other end of a connection, as the fake internet sees it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from fakemail.types.suggestions import suggests_fields


@suggests_fields
class Peer(NamedTuple):
    """A client, by the address that it has in the fake internet."""

    address: str
    """For example ``203.0.113.5``."""
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
