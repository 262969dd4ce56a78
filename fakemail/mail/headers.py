"""The header block of a message or a part: where it ends, its fields in order, look-up by name.

Works on offsets into the raw octets and takes everything: CRLF and LF, lines without a colon, 8-bit
octets, NULs, no blank line. What a field means is read elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple, overload

from fakemail.mail.decoding import field_text

# RFC 5322 §2.2: field = field-name ":" field-body CRLF; §3.6.8: ftext = %d33-57 / %d59-126;
# §4.5: white space before the colon is obsolete, and read. §2.2.3: a folded line starts with WSP.
_FIELD_START = re.compile(rb"[!-9;-~]++[ \t]*+:")
_FIELD = re.compile(rb"(?m)^([!-9;-~]++)[ \t]*+:(.*(?:\n[ \t].*)*)")
# RFC 5322 §3.6.4: msg-id = "<" id-left "@" id-right ">", read widely.
_MESSAGE_ID = re.compile(r"<[^<>\s]++>")
# RFC 5322 §3.6, the table: what may be there once at most.
ONCE_AT_MOST: Final = (
    "Date",
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Subject",
)
# The longest field body that can be a date; the rest of a longer one is comment.
_DATE_OCTETS = 200


class Field(NamedTuple):
    """One header field: its name as written, its raw body (folding kept), its place in the octets."""

    name: str
    raw: bytes
    """Everything between the colon and the last line end, as received."""
    start: int
    """Offset of the first octet of the name."""
    end: int
    """Offset behind the last octet of the body, before its line end."""

    @property
    def text(self) -> str:
        """The body for people: unfolded and decoded."""
        return field_text(self.raw)


def body_offset(raw: bytes, start: int = 0, end: int | None = None) -> int:
    """Offset of the first octet behind the header block and its blank line, in ``raw[start:end]``.

    Only an empty line ends a header block (RFC 5322 §2.1); a line without colon is passed over.
    Without an empty line everything is header, except where the first line already is no field:
    that is a body that came without header.
    """
    stop = len(raw) if end is None else end
    if raw.startswith(b"\n", start, stop):
        return start + 1
    if raw.startswith(b"\r\n", start, stop):
        return start + 2
    if _FIELD_START.match(raw, start, stop) is None and not raw.startswith(
        (b"From ", b">From "),
        start,
        stop,  # left by mbox files
    ):
        return start
    crlf = raw.find(b"\n\r\n", start, stop)
    bare = raw.find(b"\n\n", start, stop if crlf < 0 else crlf + 2)
    if bare >= 0:
        return bare + 2
    return stop if crlf < 0 else crlf + 3


def starts_with_body(raw: bytes) -> bool:
    """Whether there is no header block at all: ``body_offset(raw) == 0``, for something that is not empty."""
    return _FIELD_START.match(raw) is None and not raw.startswith((b"\n", b"\r\n", b"From ", b">From "))


def head_of(raw: bytes) -> bytes:
    """The header block of a message, for :func:`field_in_head`; all of it where no blank line ends it."""
    end = raw.find(b"\r\n\r\n")
    return raw if end < 0 else raw[: end + 2]


def field_in_head(head: bytes, name: bytes) -> str:
    """The decoded body of the first field of that name, ``""`` if there is none, without splitting all of them."""
    # It starts with the line feed before the name because that is found much faster than the start of a line.
    field = rb"\n%s[ \t]*:((?:.*\n)(?:[ \t].*\n)*)" % name
    match = re.search(field, b"\n" + head, re.IGNORECASE)
    return field_text(match[1]).strip() if match else ""


def split_fields(raw: bytes, start: int = 0, end: int | None = None) -> tuple[Field, ...]:
    """The fields of the header block ``raw[start:end]``, in order.

    ``start`` must be the start of a line. Lines that are no field are left out.
    """
    stop = len(raw) if end is None else end
    fields = []
    for match in _FIELD.finditer(raw, start, stop):
        body = match[2]
        last = match.end()
        if body.endswith(b"\r"):
            body = body[:-1]
            last -= 1
        fields.append(Field(match[1].decode("ascii"), body, match.start(), last))
    return tuple(fields)


class Headers:
    """The fields of one header block in their order, found by name without regard to case.

    ``headers["Subject"]`` is decoded text; :meth:`first` and :meth:`fields_named` give the raw octets.
    Iteration gives the names as written, in order, a repeated field as often as it stands there.
    """

    __slots__ = ("_index", "fields")

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = fields
        index: dict[str, list[Field]] = {}
        for field in fields:
            index.setdefault(field.name.lower(), []).append(field)
        self._index = index

    def first(self, name: str) -> Field | None:
        """The first field of that name, raw, or None."""
        found = self._index.get(name.lower())
        return found[0] if found else None

    def fields_named(self, name: str) -> list[Field]:
        """All fields of that name, raw, in order."""
        return list(self._index.get(name.lower(), ()))

    def __getitem__(self, name: str) -> str:
        field = self.first(name)
        if field is None:
            raise KeyError(name)
        return field.text

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """The decoded text of the first field of that name, or the default."""
        field = self.first(name)
        return default if field is None else field.text

    def all(self, name: str) -> list[str]:
        """The decoded texts of all fields of that name, in order."""
        return [field.text for field in self.fields_named(name)]

    def items(self) -> Iterator[tuple[str, str]]:
        """Names as written and decoded texts, in order."""
        return ((field.name, field.text) for field in self.fields)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._index

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __repr__(self) -> str:
        return f"<Headers {', '.join(self)}>"


def parse_date(text: str) -> datetime | None:
    """The time of a Date field, with its zone (UTC where it names none), or None (RFC 5322 §3.3)."""
    try:
        when = parsedate_to_datetime(text[:_DATE_OCTETS])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # RFC 5322 §3.3: "-0000" is universal time, from a system that does not know its own zone.
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when


def message_ids(text: str) -> list[str]:
    """The message identifiers of a Message-ID, In-Reply-To or References field, brackets kept.

    A field without brackets gives its words as they stand.
    """
    return _MESSAGE_ID.findall(text) or [word for word in text.split() if "@" in word]
