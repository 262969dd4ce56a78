"""Who a client may be: lists of names, addresses and networks, as options and policies have them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from fakemail.types.domains import a_labels
from fakemail.types.peer import Peer


def is_among(peer: Peer, allowed: Iterable[str]) -> bool:
    """Whether a list names a client: by its name (``app`` for the program under test), its address, a network
    that it is in, or ``*`` for everybody."""
    return any(each == "*" or a_labels(each) == peer.name or _is_in(peer.address, each) for each in allowed)


def _is_in(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False
