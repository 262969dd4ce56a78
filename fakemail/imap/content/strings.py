"""Strings as they stand in a response: quoted where that is possible, else literals (RFC 9051 §4.3).

What the bytes of a message may hold decides here; command syntax lives in :mod:`fakemail.imap.syntax`.
"""

from __future__ import annotations

import re
from typing import Final

NIL: Final = b"NIL"
_LONGEST_QUOTED: Final = 4096
"""Bytes beyond which a literal is kinder to clients that read whole lines."""
# RFC 3501 §9: QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials;
# TEXT-CHAR = <any CHAR except CR and LF>; CHAR = %x01-7F. The first pattern needs no escapes.
_BARE: Final = re.compile(rb"[\t !#-\[\]-~]*+")
_QUOTABLE: Final = re.compile(rb"[^\x00\r\n\x80-\xff]*+")
_SPECIAL: Final = re.compile(rb'(["\\])')


def string(data: bytes, *, utf8: bool = False) -> bytes:
    """Bytes as an IMAP string.

    Bytes beyond ASCII go into a literal as they are; with ``utf8`` (IMAP4rev2, or after
    ``ENABLE UTF8=ACCEPT``, RFC 6855 §3) well-formed UTF-8 is quoted. A NUL, which no string may hold, becomes
    U+FFFD.
    """
    if len(data) <= _LONGEST_QUOTED:
        if _BARE.fullmatch(data):
            return b'"%b"' % data
        if _QUOTABLE.fullmatch(data) or (utf8 and _is_utf8_text(data)):
            return b'"%b"' % _SPECIAL.sub(rb"\\\1", data)
    if b"\x00" in data:
        data = data.replace(b"\x00", b"\xef\xbf\xbd")
    return literal(data)


def nstring(data: bytes | None, *, utf8: bool = False) -> bytes:
    """A string, or ``NIL`` for what is not there."""
    return NIL if data is None else string(data, utf8=utf8)


def literal(data: bytes) -> bytes:
    """A literal; the bytes must not hold NUL (RFC 9051 §9: CHAR8)."""
    return b"{%d}\r\n%b" % (len(data), data)


def without_nul(data: bytes) -> bytes:
    """The bytes with each NUL as 0x80, so that a literal can hold them and no offset moves."""
    return data.replace(b"\x00", b"\x80") if b"\x00" in data else data


def _is_utf8_text(data: bytes) -> bool:
    if b"\r" in data or b"\n" in data or b"\x00" in data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
