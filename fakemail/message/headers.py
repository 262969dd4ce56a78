"""The header block of a message or a part: where it ends, its fields in order, look-up by name.

Works on offsets into the raw bytes and takes everything: CRLF and LF, lines without a colon, 8-bit
bytes, NULs, no empty line. The meaning of a field is read elsewhere. All code that cuts header from
body asks :func:`body_offset`, so that it is cut at one place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_tz
from functools import lru_cache
from typing import Final, NamedTuple, overload

from fakemail.message.decoding import field_text
from fakemail.types.suggestions import Suggests

# RFC 5322 §3.6.8: ftext = %d33-57 / %d59-126. No field has another name.
_FIELD_NAME: Final = re.compile(rb"[!-9;-~]+")
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""Mark that editors put at the start of a file in UTF-8. In front of a header it is passed over."""


def pick_fields(raw: bytes, start: int, end: int, names: tuple[str, ...]) -> Iterator[re.Match[bytes]]:
    """The fields with these lower-case names in the header ``raw[start:end]``, in order.

    In each match, group 1 is the name as written and group 2 the body, which may end with a CR.
    ``start`` must be the start of a line.
    """
    patterns = _patterns(names)
    if patterns is None:
        return
    first, others = patterns
    match = first.match(raw, start, end)
    if match is not None:
        yield match
    yield from others.finditer(raw, start, end)


def first_body(raw: bytes, start: int, end: int, name: str) -> bytes | None:
    """The raw body of the first field of that lower-case name, or None."""
    match = next(pick_fields(raw, start, end, (name,)), None)
    return None if match is None else match[2]


def has_field(raw: bytes, start: int, end: int, name: str) -> bool:
    """Whether the header has a field of that lower-case name."""
    return next(pick_fields(raw, start, end, (name,)), None) is not None


@lru_cache(maxsize=128)
def _patterns(names: tuple[str, ...]) -> tuple[re.Pattern[bytes], re.Pattern[bytes]] | None:
    """Patterns for a field on the first line, and on any other."""
    encoded = [name.encode("utf-8", "replace") for name in names]
    known = b"|".join([re.escape(name) for name in encoded if _FIELD_NAME.fullmatch(name)])
    if not known:
        return None
    # RFC 5322 §2.2, §2.2.3, §4.5: white space before the colon is obsolete, and read. A line end in front,
    # which has no case, lets the search skip from line to line.
    field = b"((?i:" + known + rb"))[ \t]*+:(.*+(?:\n[ \t].*+)*+)"
    return re.compile(b"(?:" + BYTE_ORDER_MARK + b")?+" + field), re.compile(b"\n" + field)


# RFC 5322 §2.2: field = field-name ":" field-body CRLF; §3.6.8: ftext = %d33-57 / %d59-126;
# §4.5: white space before the colon is obsolete, and read. §2.2.3: a folded line starts with WSP.
_NAME: Final = rb"[!-9;-~]++[ \t]*+:"
_FIELD: Final = re.compile(rb"(?m)^(?:\xef\xbb\xbf)?+([!-9;-~]++)[ \t]*+:(.*(?:\n[ \t].*)*)")
# What may stand before the first field and is passed over: the mark that editors put at the start of a file, the
# line of an mbox file, lines that would go on with a field if there were one.
_HEADER_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?+(?:>*+From .*+\n)?+(?:[ \t].*+\n)*+" + _NAME)
# The line end, the first that is found fast, behind which no field begins and none goes on.
_HEADER_END: Final = re.compile(rb"\n(?!" + _NAME + rb"|[ \t])")
_MAILBOX_LINE: Final = re.compile(rb">*From ")
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
    """One header field: its name as written, its raw body (folding kept), its place in the bytes."""

    name: str
    raw: bytes
    """Everything between the colon and the last line end, as received."""
    start: int
    """Offset of the first byte of the name."""
    end: int
    """Offset behind the last byte of the body, before its line end."""

    @property
    def text(self) -> str:
        """The body for people: unfolded and decoded."""
        return field_text(self.raw)


def body_offset(raw: bytes, start: int = 0, end: int | None = None) -> int:
    """Offset of the first byte of the body, in ``raw[start:end]``.

    The header ends at its first line that is no field and goes on with none, as Postfix and Python have it
    (RFC 5322 §2.1, §2.2). An empty line belongs to the header; any other line is the first of the body.
    What has no field at all is a body that came without header.
    """
    stop = len(raw) if end is None else end
    first = _HEADER_START.match(raw, start, stop)
    if first is None:
        at = start
    else:
        last = _HEADER_END.search(raw, first.end(), stop)
        if last is None:
            return stop
        at = last.end()
    if raw.startswith(b"\n", at, stop):
        return at + 1
    return at + 2 if raw.startswith(b"\r\n", at, stop) else at


def blank_line(raw: bytes, start: int, end: int) -> bytes:
    """The empty line at the end of the header ``raw[start:end]``; ``b""`` where the body follows without one."""
    before = end - 2 if raw.endswith(b"\r\n", start, end) else end - 1
    is_there = raw.endswith(b"\n", start, end) and (before == start or raw.endswith(b"\n", start, before))
    return raw[before:end] if is_there else b""


def starts_with_body(raw: bytes) -> bool:
    """Whether fields in front of the message need an empty line behind them: its first line is no field.

    A line that begins with white space would go on with the last of them.
    """
    if raw.startswith((b"\n", b"\r\n")):
        return False
    return raw.startswith((b" ", b"\t", BYTE_ORDER_MARK)) or _HEADER_START.match(raw) is None


def starts_with_mailbox_line(raw: bytes) -> bool:
    """Whether the header begins with the line that stands before each message of an mbox file (RFC 4155)."""
    return _MAILBOX_LINE.match(raw) is not None and not starts_with_body(raw)


def head_of(raw: bytes) -> bytes:
    """The header block of a message without its empty line, for :func:`field_in_head`."""
    end = body_offset(raw)
    return raw[: end - len(blank_line(raw, 0, end))]


def field_in_head(head: bytes, name: str) -> str:
    """The decoded body of the first field of that lower-case name, ``""`` if there is none."""
    body = first_body(head, 0, len(head), name)
    return "" if body is None else field_text(body)


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
        fields.append(Field(match[1].decode("ascii"), body, match.start(1), last))
    return tuple(fields)


class Headers(Suggests):
    """The fields of one header block in their order, found by name without regard to case.

    ``headers["Subject"]`` is decoded text; :meth:`first` and :meth:`fields_named` give the raw bytes.
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
        # Not parsedate_to_datetime(): it would look for datetime where a test may have put something else.
        found = parsedate_tz(text[:_DATE_OCTETS])
        if found is None:
            return None
        # RFC 5322 §3.3: "-0000" is universal time, from a system that does not know its own zone.
        return datetime(*found[:6], tzinfo=timezone(timedelta(seconds=found[9] or 0)))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def message_ids(text: str) -> list[str]:
    """The message identifiers of a Message-ID, In-Reply-To or References field, brackets kept.

    A field without brackets gives its words as they stand.
    """
    return _MESSAGE_ID.findall(text) or [word for word in text.split() if "@" in word]
