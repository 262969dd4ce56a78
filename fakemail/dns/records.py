"""One resource record as a frozen value. No zones, no messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Final

from fakemail.dns.names import Labels, name_key, text_to_labels
from fakemail.dns.rdata import Part, bytes_to_text, rdata_parts, read_rdata, uncompressed
from fakemail.dns.rrtypes import META_TYPES, read_type, type_number
from fakemail.errors import DeclarationError
from fakemail.types.dataclass import dataclass

DEFAULT_TTL: Final = 300
"""Seconds."""
_MAX_TTL: Final = 2**31 - 1  # RFC 2181 §8
# So much that the largest message (RFC 1035 §4.2.2) has room for the names, the header and EDNS as well.
_MAX_DATA: Final = 0xFFFF - 600
# Which word of the data is a host whose addresses go into the additional section (RFC 1035 §3.3, RFC 2782).
_HOST_WORD: Final = {"MX": 1, "NS": 0, "SRV": 3}


@dataclass(frozen=True)
class Record:
    """A resource record (RFC 1035 §3.2.1) of class IN. :func:`record` makes one from what a person wrote."""

    name: str
    """Its owner: lower-case, without the final dot."""
    type: str
    """``MX``, ``TXT``..., or ``TYPE65280`` for a type without a name."""
    ttl: int
    """Seconds."""
    value: str
    """The data as in a zone file, names absolute: ``10 mx1.example.org.``"""

    def __str__(self) -> str:
        return f"{self.name}. {self.ttl} IN {self.type} {self.value}"

    @cached_property
    def text(self) -> str:
        """Type and data, for logs: ``MX 10 mx1.example.org.``"""
        return f"{self.type} {self.value}"

    @cached_property
    def number(self) -> int:
        """The number of its type."""
        return type_number(self.type)

    @cached_property
    def labels(self) -> Labels:
        """The owner's labels."""
        return text_to_labels(self.name)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The data in wire form, its names apart so that a message can compress them."""
        return rdata_parts(self.type, self.value)

    @cached_property
    def wire(self) -> bytes:
        """The data in wire form, nothing compressed."""
        return b"".join([part if isinstance(part, bytes) else uncompressed(part) for part in self.parts])

    @cached_property
    def target(self) -> str | None:
        """The key of the name that a CNAME stands for; ``None`` for other types."""
        return self.value[:-1].lower() if self.type == "CNAME" and self.value.endswith(".") else None

    @cached_property
    def host(self) -> str | None:
        """The key of the host that an MX, NS or SRV record names; ``None`` for other types, and for none."""
        word = _HOST_WORD.get(self.type)
        # Data that was given as bytes names no host.
        if word is None or self.value.startswith("\\#"):
            return None
        return self.value.split(" ")[word][:-1].lower() or None

    def at(self, name: str) -> Record:
        """The same record with another owner, as a wildcard gives it (RFC 1034 §4.3.3)."""
        return replace(self, name=name)


class LateRecord(Record):
    """Record whose data is made at the first use, because making it is not cheap.

    Two are equal when they are made of the same things; it is never equal to a record that is written out.
    """

    def __init__(
        self, name: str, type: str, *of: str, make: Callable[[], str], ttl: int = DEFAULT_TTL
    ) -> None:
        """``make`` gives the data in zone-file form, and ``of`` is all that it depends on."""
        self.__dict__.update(name=name, type=type, ttl=ttl, _of=of, _make=make)

    @cached_property
    def value(self) -> str:
        """The data as in a zone file."""
        made: str = self.__dict__["_make"]()
        return made

    def at(self, name: str) -> Record:
        """The same record with another owner."""
        return Record(name, self.type, self.ttl, self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LateRecord):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[object, ...]:
        return (self.name, self.type, self.ttl, self.__dict__["_of"])


def require_room(record: Record) -> None:
    """Raise :class:`~fakemail.errors.DeclarationError` for data that no message can carry.

    The length of a record's data has 16 bits (RFC 1035 §3.2.1), and so has that of a message (§4.2.2).
    """
    # No data is longer on the wire than in a zone file, and that of nearly every record is short.
    if len(record.value) > _MAX_DATA and (size := len(record.wire)) > _MAX_DATA:
        raise DeclarationError(
            f"{size} octets are more than a record can have, which is {_MAX_DATA}: "
            "a DNS message has 65535 at most, header and names included"
        )


def record(name: str, type: str, value: str | bytes, *, ttl: int = DEFAULT_TTL) -> Record:
    """Make a record from what a person wrote.

    ``value`` is in zone-file form, its names absolute with or without their final dot; the text of a TXT
    record may be given as it is meant (see :func:`~fakemail.dns.rdata.read_rdata`). ``bytes`` are taken as the
    wire form and are not looked at, so that malformed data can be served. ``ttl`` is in seconds.
    Raises :class:`~fakemail.errors.DeclarationError` with the name, the type and what is wrong.
    """
    try:
        type = read_type(type)
        if isinstance(value, bytes):
            if type in META_TYPES:
                raise DeclarationError(f"{type} is a type of question, not of data")
            data = bytes_to_text(value)
        else:
            data = read_rdata(type, value)
        if not 0 <= ttl <= _MAX_TTL:
            raise DeclarationError(f"the TTL is {ttl}, not from 0 to {_MAX_TTL} seconds")
        made = Record(name_key(name), type, ttl, data)
        require_room(made)
        return made
    except DeclarationError as error:
        raise DeclarationError(f"record {name} {type}: {str(error).rstrip('.')}") from None
