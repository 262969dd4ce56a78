"""The Sender Rewriting Scheme: a forwarder puts its own domain into the reverse-path, and can take it out again.

``SRS0=hash=day=domain=local@forwarder``; a second forwarder makes ``SRS1=hash=first==rest@second`` of it, so
that a bounce goes back to the first. The hash shows that the forwarder made it, the day that it is not old.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Final

from fakemail.types.address import Address

GOOD_FOR: Final = 21
"""Days in which a bounce comes back."""
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_DAYS: Final = 1024  # two characters of base 32
_SRS0: Final = re.compile(r"SRS0[=+-]([^=]+)=([A-Z2-7]{2})=([^=]+)=(.+)", re.IGNORECASE)
_SRS1: Final = re.compile(r"SRS1[=+-]([^=]+)=([^=]+)=(.+)", re.IGNORECASE)
_OPENING: Final = re.compile(r"SRS[01][=+-]", re.IGNORECASE)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Srs:
    """The rewriting of the forwarders that share one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def forward(self, sender: Address, domain: str, *, now: datetime) -> Address:
        """The reverse-path with which a forwarder in that domain sends mail of a sender on."""
        if sender.domain == domain:
            return sender  # SPF holds without any rewriting
        if again := _SRS1.fullmatch(sender.local):
            first, rest = again[2], again[3]
        elif _SRS0.fullmatch(sender.local):
            first, rest = sender.domain, sender.local[4:]
        else:
            day = _day(now)
            stamp = _ALPHABET[day >> 5] + _ALPHABET[day & 31]
            mark = self._hash(stamp, sender.domain, sender.local)
            return Address(f"SRS0={mark}={stamp}={sender.domain}={sender.local}", domain)
        return Address(f"SRS1={self._hash(first, rest)}={first}={rest}", domain)

    def reverse(self, address: Address, *, now: datetime) -> Address | None:
        """The address behind one that was rewritten: itself if it is no such one, ``None`` if it is not good."""
        if _OPENING.match(address.local) is None:
            return address
        if match := _SRS0.fullmatch(address.local):
            mark, stamp, domain, local = match.groups()
            stamp = stamp.upper()
            made = (_ALPHABET.index(stamp[0]) << 5) + _ALPHABET.index(stamp[1])
            is_fresh = (_day(now) - made) % _DAYS <= GOOD_FOR
            is_ours = self._is(mark, stamp, domain, local)
            return Address(local, domain) if is_fresh and is_ours else None
        if match := _SRS1.fullmatch(address.local):
            mark, first, rest = match.groups()
            return Address(f"SRS0{rest}", first) if self._is(mark, first, rest) else None
        return None

    def _is(self, mark: str, *parts: str) -> bool:
        # Case may be lost on the way, so it does not count.
        return hmac.compare_digest(mark.lower().encode(), self._hash(*parts).lower().encode())

    def _hash(self, *parts: str) -> str:
        octets = "".join(parts).lower().encode("utf-8", "replace")
        digest = hmac.new(self._secret, octets, hashlib.sha1).digest()
        return base64.b64encode(digest, b"+/").decode()[:4].replace("=", "A")


def _day(now: datetime) -> int:
    return (now - _EPOCH).days % _DAYS
