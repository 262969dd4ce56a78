"""Lists in the DNS of addresses and of domains, good or bad (RFC 5782): what is asked, and what the answer means."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from fakemail.dns.names import reverse_name
from fakemail.policy.sender_facts import Resolve
from fakemail.policy.txt import addresses, is_conclusive, texts

_LONGEST = 200
"""Characters of what a list says about an entry."""


class Listing(NamedTuple):
    """Entry of a list for an address or a domain."""

    codes: tuple[str, ...] = ()
    """``127.0.0.2``..., each with a meaning that the list gives it; none for one that is not on it."""
    text: str = ""
    """Why it is on the list, in the list's words (RFC 5782 §2.1)."""
    failure: str = ""
    """Why the list could not be asked."""


def address_name(address: str, zone: str) -> str:
    """The name under which a list has an address (RFC 5782 §2.1, §2.4)."""
    reverse = reverse_name(address)
    return f"{reverse.rpartition('.')[0].rpartition('.')[0]}.{zone}"


def domain_name(domain: str, zone: str) -> str:
    """The name under which a list has a domain (RFC 5782 §3)."""
    return f"{domain.rstrip('.')}.{zone}"


def look_up(name: str, resolve: Resolve) -> Listing:
    """Ask for a name of a list."""
    answer = resolve(name, "A")
    if not is_conclusive(answer):
        return Listing(failure=answer.kind)
    # RFC 5782 §2.1: entries are in 127.0.0.0/8. Anything else was made by somebody who sells domains.
    codes = tuple(each for each in addresses(answer, "A") if _is_code(each))
    if not codes:
        return Listing()
    said = b" ".join(texts(resolve(name, "TXT"))).decode("utf-8", "replace")
    return Listing(codes, said[:_LONGEST])


def _is_code(value: str) -> bool:
    try:
        return ip_address(value).is_loopback and ":" not in value
    except ValueError:
        return False
