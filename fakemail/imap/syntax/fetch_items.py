"""What a FETCH can ask for, as values.

Here live data items and sections. How a message answers them is the business of
:mod:`fakemail.imap.content`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FetchData(Enum):
    """Data items without arguments; the value is how the item is written."""

    BODY = "BODY"
    BODYSTRUCTURE = "BODYSTRUCTURE"
    ENVELOPE = "ENVELOPE"
    FLAGS = "FLAGS"
    INTERNALDATE = "INTERNALDATE"
    RFC822 = "RFC822"
    RFC822_HEADER = "RFC822.HEADER"
    RFC822_SIZE = "RFC822.SIZE"
    RFC822_TEXT = "RFC822.TEXT"
    UID = "UID"
    MODSEQ = "MODSEQ"  # RFC 7162 §3.1.5
    EMAILID = "EMAILID"  # RFC 8474 §5.3
    THREADID = "THREADID"
    SAVEDATE = "SAVEDATE"  # RFC 8514 §4.2
    PREVIEW = "PREVIEW"  # RFC 8970 §3.1
    PREVIEW_LAZY = "PREVIEW (LAZY)"
    GMAIL_MESSAGE_ID = "X-GM-MSGID"
    GMAIL_THREAD_ID = "X-GM-THRID"
    GMAIL_LABELS = "X-GM-LABELS"


class SectionText(Enum):
    """Which text of a message or part a section names (RFC 9051 §6.4.5.1); the value is how it is written."""

    ALL = ""
    HEADER = "HEADER"
    HEADER_FIELDS = "HEADER.FIELDS"
    HEADER_FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class Section:
    """What stands between the brackets of ``BODY[...]``.

    ``part`` is the part number, ``(1, 2)`` for ``1.2`` and empty for the message itself. ``fields`` are the
    names for HEADER.FIELDS and HEADER.FIELDS.NOT, as the client wrote them.
    """

    part: tuple[int, ...] = ()
    text: SectionText = SectionText.ALL
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchBody:
    """``BODY[section]<start.count>``; with ``peek``, the message does not become ``\\Seen``.

    ``partial`` is (first octet counted from 0, greatest number of octets).
    """

    section: Section
    peek: bool = False
    partial: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class FetchBinary:
    """``BINARY[part]<start.count>``: a part without its transfer encoding (RFC 3516 §4.2)."""

    part: tuple[int, ...]
    peek: bool = False
    partial: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class FetchBinarySize:
    """``BINARY.SIZE[part]``: how many octets that would be."""

    part: tuple[int, ...]


FetchItem = FetchData | FetchBody | FetchBinary | FetchBinarySize

#: RFC 9051 §6.4.5: the macros, which stand alone in place of a list.
MACROS: dict[str, tuple[FetchItem, ...]] = {
    "FAST": (FetchData.FLAGS, FetchData.INTERNALDATE, FetchData.RFC822_SIZE),
    "ALL": (FetchData.FLAGS, FetchData.INTERNALDATE, FetchData.RFC822_SIZE, FetchData.ENVELOPE),
    "FULL": (
        FetchData.FLAGS,
        FetchData.INTERNALDATE,
        FetchData.RFC822_SIZE,
        FetchData.ENVELOPE,
        FetchData.BODY,
    ),
}
