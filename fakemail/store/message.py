"""A message in a mailbox: the bytes, and what the mailbox knows about them. And how its flags are named."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import field
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from fakemail.message.envelope import Envelope
from fakemail.store.content import Content
from fakemail.types.address import Address
from fakemail.types.dataclass import dataclass

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = "\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"
SYSTEM_FLAGS = (ANSWERED, FLAGGED, DELETED, SEEN, DRAFT)
"""RFC 9051 §2.3.2. ``\\Recent`` is no flag of a message here; :attr:`Mailbox.recent` counts it."""
NO_FLAGS: frozenset[str] = frozenset()


class FlagAction(Enum):
    """The action of STORE on flags (RFC 9051 §6.4.6); the value is the sign before FLAGS."""

    ADD = "+"
    REMOVE = "-"
    REPLACE = ""


class Delivery(NamedTuple):
    """Delivery by which a message came into the mailbox."""

    recipient: Address
    """The address of the envelope for which it is here."""
    envelope: Envelope | None = None
    host: str = ""
    """The name of the host that delivered it."""
    queue_id: str = ""
    dns_state: int = 0
    """The state of the DNS that it came under."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message on its way into a mailbox."""

    content: Content | bytes
    flags: Collection[str] = NO_FLAGS
    internal_date: datetime | None = None
    """``None`` for the present time."""
    delivery: Delivery | None = None


# Not frozen for speed only: no code changes one. A change of flags makes a new one, so that a snapshot stays
# what it was. Equality is identity.
@dataclass(slots=True, eq=False)
class StoredMessage:
    """One message in one mailbox, as it was at one moment. A value: it never changes."""

    uid: int
    content: Content = field(repr=False)
    flags: frozenset[str]
    """System flags and keywords. Equal sets of one mailbox are mostly one object."""
    internal_date: datetime
    modseq: int
    """The mod-sequence of its last change (RFC 7162 §3.1)."""
    saved_at: datetime
    """Time at which it came into this mailbox (RFC 8514)."""
    delivery: Delivery | None
    """``None`` for a message that no mail host delivered."""
    mailbox_id: str

    @property
    def raw(self) -> bytes:
        """Return-Path and Received if it was delivered, then the bytes as they came."""
        return self.content.raw

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return len(self.content.raw)

    @property
    def envelope(self) -> Envelope | None:
        """``None`` for a message that was put into the mailbox without any transport."""
        return self.delivery.envelope if self.delivery is not None else None

    @property
    def recipient(self) -> Address | None:
        """The address of the envelope for which it is here."""
        return self.delivery.recipient if self.delivery is not None else None

    @property
    def host(self) -> str:
        """The name of the host that delivered it, empty if none did."""
        return self.delivery.host if self.delivery is not None else ""

    @property
    def queue_id(self) -> str:
        """The id under which that host had it, empty if none had."""
        return self.delivery.queue_id if self.delivery is not None else ""

    def __str__(self) -> str:
        return f"message {self.uid} ({self.size} octets)"


class FlagNames:
    """The flags of one mailbox, spelled as they were first used: case does not count (RFC 5788 §3)."""

    __slots__ = ("_sets", "_spellings")

    def __init__(self) -> None:
        self._spellings = {flag.lower(): flag for flag in SYSTEM_FLAGS}
        self._sets: dict[frozenset[str], frozenset[str]] = {NO_FLAGS: NO_FLAGS}

    @property
    def keywords(self) -> tuple[str, ...]:
        """Every keyword that was ever used here, in the order of first use."""
        return tuple(self._spellings.values())[len(SYSTEM_FLAGS) :]

    def canonical(self, flags: Iterable[str]) -> frozenset[str]:
        """The flags in this mailbox's spelling, ``\\Recent`` left out; equal sets give one object."""
        asked = flags if isinstance(flags, frozenset) else frozenset(flags)
        known = self._sets.get(asked)
        if known is None:
            spellings = self._spellings
            known = frozenset(
                spellings.setdefault(f.lower(), f) for f in sorted(asked) if f.lower() != "\\recent"
            )
            if len(self._sets) > 1000:  # so that made-up sets cannot fill it
                self._sets.clear()
            known = self._sets.setdefault(known, known)
            self._sets[asked] = known
        return known

    def unknown(self, flags: Iterable[str]) -> int:
        """Number of the flags that were never used here."""
        return sum(flag.lower() not in self._spellings for flag in set(flags))
