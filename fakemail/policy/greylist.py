"""Greylisting (RFC 6647): an unknown sender is deferred, and known once it comes back."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Final, NamedTuple

from fakemail.types.address import Address, Path

# RFC 6647 §4.1, §5: addresses of one network count as one client, since large senders retry from others.
_IPV4_PREFIX: Final = 24
_IPV6_PREFIX: Final = 64


class Triplet(NamedTuple):
    """Triplet that is remembered: a client's network, a sender, a recipient."""

    network: str
    sender: str
    recipient: str


def triplet(address: str, sender: Path | None, recipient: Address) -> Triplet:
    """The triplet of a RCPT."""
    prefix = _IPV6_PREFIX if ":" in address else _IPV4_PREFIX
    network = str(ip_network(f"{address}/{prefix}", strict=False))
    who = sender.key if isinstance(sender, Address) else "" if sender is None else str(sender)
    return Triplet(network, who, recipient.key)


class Greylist:
    """The memory of one fake internet's greylisting hosts."""

    def __init__(self) -> None:
        self._first: dict[Triplet, datetime] = {}
        self._known: dict[Triplet, datetime] = {}

    def left(
        self,
        who: Triplet,
        *,
        now: datetime,
        window: timedelta,
        retry_within: timedelta = timedelta(days=2),
        remember_for: timedelta = timedelta(days=36),
    ) -> timedelta | None:
        """Remaining delay of a triplet, ``None`` for a known one or after the whole window.

        Who comes back later than ``retry_within`` starts anew; who got through is known ``remember_for``.
        """
        known = self._known.get(who)
        if known is not None and now - known <= remember_for:
            self._known[who] = now
            return None
        first = self._first.get(who)
        if first is None or now - first > retry_within:
            self._first[who] = first = now
        if now - first >= window:
            del self._first[who]
            self._known[who] = now
            return None
        return first + window - now
