"""What can happen to the answer of a name server. How it is done is in :mod:`fakemail.dns.faults`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fakemail.faults.actions.action import FaultAction


@dataclass(frozen=True, slots=True)
class Rcode(FaultAction):
    """Answer with this response code and no records: ``NXDOMAIN``, ``SERVFAIL``, ``REFUSED``, ``NOTIMP``..."""

    rcode: str


@dataclass(frozen=True, slots=True)
class NoData(FaultAction):
    """The name exists, but has no records of that type (RFC 2308 §2.2)."""


@dataclass(frozen=True, slots=True)
class Records(FaultAction):
    """Answer with these records, in zone-file form, whatever the zone has."""

    values: tuple[str, ...]
    ttl: int = 300


@dataclass(frozen=True, slots=True)
class RotateRecords(FaultAction):
    """Answer with the first of these sets of records, next time with the second, and so round and round.

    An empty set is NODATA.
    """

    sets: tuple[tuple[str, ...], ...]
    ttl: int = 300


@dataclass(frozen=True, slots=True)
class StaleAnswer(FaultAction):
    """Answer as at the time at which the fault was declared, whatever was changed since."""

    then: Callable[[str, str], object] = field(repr=False)

    def __str__(self) -> str:
        return "stale answer"


@dataclass(frozen=True, slots=True)
class CnameLoop(FaultAction):
    """Say that the name stands for another, and that one for the first."""


@dataclass(frozen=True, slots=True)
class LameDelegation(FaultAction):
    """Know nothing of the zone, though one was told to ask here: an empty answer that points back to the root."""


@dataclass(frozen=True, slots=True)
class SplitText(FaultAction):
    """Cut the text of TXT records into strings of so many octets, which belong together without any space."""

    size: int = 20


@dataclass(frozen=True, slots=True)
class ShuffleRecords(FaultAction):
    """Give the records in an order of chance."""


@dataclass(frozen=True, slots=True)
class DuplicateRecords(FaultAction):
    """Give each record twice."""


@dataclass(frozen=True, slots=True)
class Ttl(FaultAction):
    """Give the records this time to live, in seconds."""

    ttl: int


@dataclass(frozen=True, slots=True)
class NoAdditional(FaultAction):
    """Leave the addresses of the hosts out that the answer names."""


@dataclass(frozen=True, slots=True)
class ClaimAuthentic(FaultAction):
    """Say that the answer was validated with DNSSEC, which it was not, and to those who did not ask."""


@dataclass(frozen=True, slots=True)
class TruncateAnswer(FaultAction):
    """Over UDP, say that the answer does not fit, so that it is asked for again over TCP."""


@dataclass(frozen=True, slots=True)
class WrongId(FaultAction):
    """Answer under another message id, as somebody does who guesses it (RFC 5452)."""


@dataclass(frozen=True, slots=True)
class WrongQuestion(FaultAction):
    """Answer another question than the one that was asked."""


@dataclass(frozen=True, slots=True)
class MalformedAnswer(FaultAction):
    """End the message in the middle of a record."""
