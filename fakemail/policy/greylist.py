"""Greylisting (RFC 6647): who is unknown is asked to come back, and who comes back is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Final, NamedTuple

from fakemail.terms.address import Address, Path
from fakemail.terms.reason import Reason
from fakemail.terms.verdict import ACCEPTED, Verdict, deferred

# RFC 6647 §4.1, §5: addresses of one network count as one client, since large senders retry from others.
_IPV4_PREFIX: Final = 24
_IPV6_PREFIX: Final = 64


class Triplet(NamedTuple):
    """What is remembered: a client's network, a sender, a recipient."""

    network: str
    sender: str
    recipient: str


def triplet(address: str, sender: Path | None, recipient: Address) -> Triplet:
    """The triplet of a RCPT."""
    prefix = _IPV6_PREFIX if ":" in address else _IPV4_PREFIX
    network = str(ip_network(f"{address}/{prefix}", strict=False))
    return Triplet(network, "" if sender is None else str(sender).lower(), recipient.key)


class Greylist:
    """The memory of one fake internet's greylisting hosts."""

    def __init__(
        self, *, retry_within: timedelta = timedelta(days=2), remember_for: timedelta = timedelta(days=36)
    ) -> None:
        """Who comes back later than ``retry_within`` starts anew; who got through is known ``remember_for``."""
        self._retry_within = retry_within
        self._remember_for = remember_for
        self._first: dict[Triplet, datetime] = {}
        self._known: dict[Triplet, datetime] = {}

    def check(self, who: Triplet, *, now: datetime, window: timedelta) -> Verdict:
        """Accept whom we know or who has waited for the whole window; ask the others to come back."""
        known = self._known.get(who)
        if known is not None and now - known <= self._remember_for:
            self._known[who] = now
            return ACCEPTED
        first = self._first.get(who)
        if first is None or now - first > self._retry_within:
            self._first[who] = first = now
        if now - first >= window:
            del self._first[who]
            self._known[who] = now
            return ACCEPTED
        left = int((first + window - now).total_seconds())
        return deferred(Reason.GREYLISTED, f"come back in {left} seconds")
