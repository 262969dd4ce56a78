"""Values as they are written in responses: strings, names, flags, dates, sets, sections, and whole response lines.

Small functions from a value to bytes. Which response is due is the business of the session; how a
message becomes ENVELOPE or BODYSTRUCTURE is that of :mod:`fakemail.imap.content`. Nothing that comes from
outside can end a line early: text is cleaned, and strings with CR or LF become literals.

``utf8`` is the state after ENABLE IMAP4rev2 or UTF8=ACCEPT: UTF-8 may then stand in quoted strings
(RFC 6855 §3), and mailbox names need no modified UTF-7.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from typing import Final

from fakemail.imap.syntax.fetch_items import (
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchData,
    FetchItem,
    Section,
)
from fakemail.imap.syntax.sets import STAR, NumberSet, PartialRange, SavedResult
from fakemail.imap.syntax.utf7 import encode_utf7

NIL: Final = b"NIL"
CRLF: Final = b"\r\n"

# RFC 9051 §9: astring = 1*ASTRING-CHAR / string
_ASTRING_ATOM: Final = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+')
# QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
_PLAIN: Final = re.compile(rb'[^\x00\r\n\x80-\xff"\\]*')
_QUOTABLE: Final = re.compile(rb"[^\x00\r\n\x80-\xff]*")
_QUOTABLE_UTF8: Final = re.compile(rb"[^\x00\r\n]*")
_SPECIAL: Final = re.compile(rb'(["\\])')
_LONGEST_QUOTED: Final = 1024
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\ud800-\udfff]+")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# Strings and names


def literal(raw: bytes, *, binary: bool = False) -> bytes:
    """``{n}`` CRLF and the bytes, or a literal8, which alone may hold NUL (RFC 3516 §7).

    Raises :class:`ValueError` for NUL in a plain literal.
    """
    if binary:
        return b"~{%d}\r\n%b" % (len(raw), raw)
    if b"\0" in raw:
        raise ValueError("a literal cannot hold NUL: print it as a literal8 or replace the NUL")
    return b"{%d}\r\n%b" % (len(raw), raw)


def string(text: str | bytes, *, utf8: bool = False) -> bytes:
    """A quoted string where one can hold the text, else a literal."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    if len(raw) <= _LONGEST_QUOTED:
        if _PLAIN.fullmatch(raw):
            return b'"%b"' % raw
        if _QUOTABLE.fullmatch(raw) or (utf8 and _QUOTABLE_UTF8.fullmatch(raw) and _is_utf8(raw)):
            return b'"%b"' % _SPECIAL.sub(rb"\\\1", raw)
    return literal(raw)


def nstring(text: str | bytes | None, *, utf8: bool = False) -> bytes:
    """A string, or ``NIL`` for None."""
    return NIL if text is None else string(text, utf8=utf8)


def astring(text: str | bytes, *, utf8: bool = False) -> bytes:
    """An atom where the text is one (and not ``NIL``, which some clients take for nothing), else a string."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    if _ASTRING_ATOM.fullmatch(raw) and raw.upper() != NIL:
        return raw
    return string(raw, utf8=utf8)


def mailbox(name: str, *, utf8: bool = False) -> bytes:
    """A mailbox name as an astring: UTF-8, or modified UTF-7 before ``utf8`` (RFC 3501 §5.1.3)."""
    return astring(name if utf8 else encode_utf7(name), utf8=utf8)


def parenthesised(items: Iterable[bytes]) -> bytes:
    """``(a b c)``."""
    return b"(%b)" % b" ".join(items)


def flag_list(flags: Iterable[str]) -> bytes:
    """``(\\Seen $Forwarded)``, in the order given."""
    return f"({' '.join(flags)})".encode("ascii")


# Numbers, sets and dates


def sequence_set(numbers: Sequence[int]) -> bytes:
    """Numbers as a set with runs drawn together: ``1:4,7``.

    The order is kept, so that two sets of COPYUID stay parallel (RFC 4315 §3). Empty for no numbers, which
    is no valid sequence-set.
    """
    if not numbers:
        return b""
    written: list[bytes] = []
    start = end = numbers[0]
    for number in numbers[1:]:
        if number == end + 1:
            end = number
        else:
            written.append(_range(start, end))
            start = end = number
    written.append(_range(start, end))
    return b",".join(written)


def number_set(numbers: NumberSet) -> bytes:
    """A set as a client writes it."""
    if isinstance(numbers, SavedResult):
        return b"$"
    return b",".join(_range(first, last) for first, last in numbers.ranges)


def ranges(pairs: Iterable[tuple[int, int]]) -> bytes:
    """(first, last) pairs as a set; ``STAR`` is written ``*``."""
    return b",".join(_range(first, last) for first, last in pairs)


def partial_range(page: PartialRange) -> bytes:
    """``1:100`` or ``-1:-100`` (RFC 9394 §4)."""
    return (b"-%d:-%d" if page.from_end else b"%d:%d") % (page.first, page.last)


def _range(first: int, last: int) -> bytes:
    if first == last:
        return b"%d" % first if first != STAR else b"*"
    return b"%d:%d" % (first, last) if last != STAR else b"%d:*" % first


def date(day: datetime.date) -> bytes:
    """``1-Feb-2026``."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}".encode()


def date_time(moment: datetime.datetime) -> bytes:
    """``" 1-Feb-2026 12:00:00 +0000"`` with its quotes, in the zone of the value; without a zone, in UTC."""
    offset = moment.utcoffset()
    seconds = 0 if offset is None else offset.days * 86400 + offset.seconds
    sign = "-" if seconds < 0 else "+"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return (
        f'"{moment.day:2d}-{_MONTHS[moment.month - 1]}-{moment.year:04d} '
        f'{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} {sign}{hours:02d}{minutes:02d}"'
    ).encode()


# Fetch items


def section(wanted: Section) -> bytes:
    """The text between the brackets of ``BODY[...]``, with field names as the client wrote them."""
    written = ".".join([*map(str, wanted.part), *([wanted.text.value] if wanted.text.value else [])]).encode()
    if wanted.fields:
        written += b" " + parenthesised(astring(name) for name in wanted.fields)
    return written


def fetch_label(item: FetchItem) -> bytes:
    """The name under which a FETCH response gives an item: without PEEK, and of the range only its start."""
    if isinstance(item, FetchData):
        return b"PREVIEW" if item is FetchData.PREVIEW_LAZY else item.value.encode()
    if isinstance(item, FetchBody):
        return b"BODY[%b]%b" % (section(item.section), _origin(item.partial))
    part = ".".join(map(str, item.part)).encode()
    if isinstance(item, FetchBinarySize):
        return b"BINARY.SIZE[%b]" % part
    return b"BINARY[%b]%b" % (part, _origin(item.partial))


def fetch_request(item: FetchItem) -> bytes:
    """An item as a client asks for it."""
    label = item.value.encode() if isinstance(item, FetchData) else fetch_label(item)
    if not isinstance(item, FetchBody | FetchBinary):
        return label
    if item.partial:
        label = label.removesuffix(_origin(item.partial)) + b"<%d.%d>" % item.partial
    return label.replace(b"[", b".PEEK[", 1) if item.peek else label


def _origin(partial: tuple[int, int] | None) -> bytes:
    return b"<%d>" % partial[0] if partial else b""


# Whole responses


def clean(text: str, *, utf8: bool = False) -> bytes:
    """Text for people, on one line: control characters become spaces, and what is not US-ASCII ``?``.

    RFC 9051 §9: text = 1*(TEXT-CHAR / UTF8-2 / ...), 'Non-ASCII text can only be returned after ENABLE
    IMAP4rev2'; so it stays with ``utf8``.
    """
    text = _CONTROLS.sub(" ", text) or " "
    return text.encode("utf-8") if utf8 else text.encode("ascii", "replace")


def untagged(*words: bytes) -> bytes:
    """``* `` and words, with CRLF. The words are taken as they are: print them with the functions here."""
    return b"* %b\r\n" % b" ".join(words)


def _condition(response: str, text: str, code: str | bytes | None, utf8: bool) -> bytes:
    words = [response.encode("ascii")]
    if code:
        words.append(b"[%b]" % (code if isinstance(code, bytes) else clean(code, utf8=utf8)))
    words.append(clean(text, utf8=utf8))
    return b" ".join(words)


def tagged(
    tag: str, response: str, text: str, *, code: str | bytes | None = None, utf8: bool = False
) -> bytes:
    """``A1 OK [CODE] text``, the end of a command. ``response`` is OK, NO or BAD.

    A ``code`` of bytes is taken as it is, for codes that hold names: ``b"APPENDUID 1 5"``.
    """
    return b"%b %b\r\n" % (tag.encode("latin-1"), _condition(response, text, code, utf8))


def condition(response: str, text: str, *, code: str | bytes | None = None, utf8: bool = False) -> bytes:
    """``* OK [CODE] text``; ``response`` may also be BYE or PREAUTH."""
    return untagged(_condition(response, text, code, utf8))


def highest_modseq(modseq: int) -> bytes:
    """``* OK [HIGHESTMODSEQ n]`` (RFC 7162 §3.1.2.1)."""
    return condition("OK", "Highest.", code=f"HIGHESTMODSEQ {modseq}")


def continuation(text: str | bytes = "") -> bytes:
    """``+ text``: a request to go on. Bytes are a SASL challenge in base64, perhaps empty."""
    if isinstance(text, bytes):
        return b"+ %b\r\n" % text
    return b"+ %b\r\n" % clean(text)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
