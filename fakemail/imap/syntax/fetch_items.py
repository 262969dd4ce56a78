"""Data items of FETCH: values, grammar, and the capabilities that they need.

How a message answers them is the business of :mod:`fakemail.imap.content`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final

from fakemail.imap.capabilities import GMAIL, Requirement
from fakemail.imap.syntax.scanner import NUMBER_63, Scanner
from fakemail.types.dataclass import dataclass


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
    """The text of a message or part that a section names (RFC 9051 §6.4.5.1); the value is how it is written."""

    ALL = ""
    HEADER = "HEADER"
    HEADER_FIELDS = "HEADER.FIELDS"
    HEADER_FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class Section:
    """The section between the brackets of ``BODY[...]``.

    ``part`` is the part number, ``(1, 2)`` for ``1.2`` and empty for the message itself. ``fields`` are the
    names for HEADER.FIELDS and HEADER.FIELDS.NOT, as the client wrote them.
    """

    part: tuple[int, ...] = ()
    text: SectionText = SectionText.ALL
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchBody:
    """``BODY[section]<start.count>``; with ``peek``, the message does not become ``\\Seen``.

    ``partial`` is (first byte counted from 0, greatest number of bytes).
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
    """``BINARY.SIZE[part]``: how many bytes that would be."""

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

# Grammar ------------------------------------------------------------------------------------------

_ITEMS = {item.value: item for item in FetchData if item is not FetchData.PREVIEW_LAZY}
_ITEM = re.compile(r"[A-Za-z0-9.-]+")
# RFC 9051 §9: section-part = nz-number *("." nz-number)
_PART = re.compile(r"[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*+")
_SECTION_TEXT = re.compile(r"[A-Za-z.]+")
_SECTION_TEXTS = {text.value: text for text in SectionText if text.value}
# Tells the modifiers of a lone PREVIEW from those of FETCH.
_LAZY = re.compile(r" +\((?= *LAZY)", re.IGNORECASE)
# No message has parts as deep as this.
_DEEPEST_PART = 100


def fetch_items(scan: Scanner) -> tuple[FetchItem, ...]:
    if scan.peek() == "(":
        return fetch_item_list(scan)
    found = _ITEM.match(scan.text, scan.at)
    if found and (macro := MACROS.get(found[0].upper())):
        scan.at = found.end()
        return macro
    item = _fetch_item(scan)
    if item is FetchData.PREVIEW and (lazy := _LAZY.match(scan.text, scan.at)):
        scan.at = lazy.end() - 1
        return (_preview(scan),)
    return (item,)


def fetch_item_list(scan: Scanner) -> tuple[FetchItem, ...]:
    """ "(" fetch-att *(SP fetch-att) ")", each item once."""
    scan.open("fetch items")
    items: list[FetchItem] = []
    going = True
    while going:
        item = _fetch_item(scan)
        going = scan.more("a fetch item")
        if item is FetchData.PREVIEW and going and scan.peek() == "(":
            item = _preview(scan)
            going = scan.more("a fetch item")
        items.append(item)
    return tuple(dict.fromkeys(items))


def _preview(scan: Scanner) -> FetchData:
    """ "PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"]; preview-mod = "LAZY" (RFC 8970 §6)."""
    scan.open("modifiers of PREVIEW")
    while True:
        if scan.word("LAZY") != "LAZY":
            scan.refuse("PREVIEW has the modifier LAZY only.")
        if not scan.more("LAZY"):
            return FetchData.PREVIEW_LAZY


def _fetch_item(scan: Scanner) -> FetchItem:
    start = scan.at
    name = scan.take(_ITEM, "a fetch item")[0].upper()
    if scan.text.startswith("[", scan.at):
        if name in ("BODY", "BODY.PEEK"):
            return FetchBody(_section(scan), name == "BODY.PEEK", _partial(scan))
        if name in ("BINARY", "BINARY.PEEK"):
            return FetchBinary(_binary_part(scan), name == "BINARY.PEEK", _partial(scan))
        if name == "BINARY.SIZE":
            return FetchBinarySize(_binary_part(scan))
    item = _ITEMS.get(name)
    if item is None:
        if name in ("BODY.PEEK", "BINARY", "BINARY.PEEK", "BINARY.SIZE"):
            scan.fail(f"'[' after {name}")
        scan.at = start
        scan.fail("a fetch item")
    return item


def _part(scan: Scanner) -> tuple[int, ...]:
    found = _PART.match(scan.text, scan.at)
    if not found:
        return ()
    numbers = found[0].split(".")
    if len(numbers) > _DEEPEST_PART:
        scan.fail(f"a part number of at most {_DEEPEST_PART} levels")
    scan.at = found.end()
    return tuple(map(int, numbers))


def _section(scan: Scanner) -> Section:
    """section = "[" [section-spec] "]"; section-spec = section-msgtext / (section-part ["." section-text])."""
    scan.at += 1
    part = _part(scan)
    if scan.try_mark("]"):
        return Section(part)
    if part and not scan.try_mark("."):
        scan.fail("'.' or ']' after a part number")
    start = scan.at
    text = _SECTION_TEXTS.get(scan.take(_SECTION_TEXT, "a section or ']'")[0].upper())
    if text is None or (text is SectionText.MIME and not part):
        scan.at = start
        scan.fail("HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or, after a part number, MIME")
    fields: list[str] = []
    if text in (SectionText.HEADER_FIELDS, SectionText.HEADER_FIELDS_NOT):
        # header-list = "(" header-fld-name *(SP header-fld-name) ")"
        scan.space()
        scan.open("names of header fields")
        fields.append(scan.astring("the name of a header field"))
        while scan.more("the name of a header field"):
            fields.append(scan.astring("the name of a header field"))
    if not scan.try_mark("]"):
        scan.fail("']' after a section")
    return Section(part, text, tuple(fields))


def _binary_part(scan: Scanner) -> tuple[int, ...]:
    """section-binary = "[" [section-part] "]"."""
    scan.at += 1
    part = _part(scan)
    if not scan.try_mark("]"):
        scan.fail("a part number and ']'")
    return part


def _partial(scan: Scanner) -> tuple[int, int] | None:
    """partial = "<" number64 "." nz-number64 ">"."""
    if not scan.try_mark("<"):
        return None
    first = scan.number("the first octet", NUMBER_63)
    if not scan.try_mark("."):
        scan.fail("'.' and a number of octets")
    count = scan.nz_number("a number of octets", NUMBER_63)
    if not scan.try_mark(">"):
        scan.fail("'>'")
    return first, count


# Capabilities -------------------------------------------------------------------------------------

_REQUIRED: Final[dict[FetchData, tuple[str, ...]]] = {
    FetchData.MODSEQ: ("CONDSTORE",),
    FetchData.EMAILID: ("OBJECTID",),
    FetchData.THREADID: ("OBJECTID",),
    FetchData.SAVEDATE: ("SAVEDATE",),
    FetchData.PREVIEW: ("PREVIEW",),
    FetchData.PREVIEW_LAZY: ("PREVIEW",),
    FetchData.GMAIL_MESSAGE_ID: GMAIL,
    FetchData.GMAIL_THREAD_ID: GMAIL,
    FetchData.GMAIL_LABELS: GMAIL,
}


def required_by_fetch_items(items: Iterable[FetchItem]) -> Iterator[Requirement]:
    for item in items:
        if isinstance(item, FetchData):
            if item in _REQUIRED:
                yield item.value, _REQUIRED[item]
        elif isinstance(item, FetchBinary | FetchBinarySize):
            yield "BINARY", ("BINARY", "IMAP4rev2")
