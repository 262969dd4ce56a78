"""Where SEARCH BODY and TEXT look: the decoded text of a message, part by part (RFC 9051 §6.4.4).

Text of ``text/*`` parts, headers of enclosed messages, and what is in other parts of ``message/*``, such as the
report of a bounce, are read; attachments are not.
"""

from __future__ import annotations

import re
from typing import Final

from fakemail.imap.content.index import HeaderIndex, collation_key
from fakemail.message.decoding import decode_words, guess
from fakemail.message.mime import Part, parse

# Without these two the whole body is plain text (RFC 2045 §5.2, §6.1).
_MIME: Final = re.compile(rb"\n(?i:content-t)")


def header_contains(index: HeaderIndex, needle: str) -> bool:
    """Whether the decoded header of a message, field names too, holds some folded text."""
    return needle in _header_text(index.raw[: index.body_start])


def body_contains(index: HeaderIndex, needle: str, *, part_headers: bool = False) -> bool:
    """Whether the decoded body holds some folded text; ``part_headers`` looks into MIME headers too."""
    raw = index.raw
    if _has_mime(raw, index.body_start):
        return _contains(parse(raw), needle, part_headers)
    return _in_text(guess(raw[index.body_start :]), needle)


def _contains(root: Part, needle: str, part_headers: bool) -> bool:
    for part in root.walk():
        kind = part.type.main
        is_text = kind == "text" or (kind == "message" and not part.children)
        if is_text and _in_text(part.crlf_text, needle):
            return True
        enclosed = part.is_message
        for child in part.children:
            if (enclosed or part_headers) and needle in _header_text(child.header):
                return True
    return False


def _in_text(text: str, needle: str) -> bool:
    return needle in collation_key(text.replace("\r\n", "\n") if "\n" in needle else text)


def _has_mime(raw: bytes, end: int) -> bool:
    return raw[:9].lower() == b"content-t" or _MIME.search(raw, 0, end) is not None


def _header_text(header: bytes) -> str:
    text = guess(header).replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", "\t")  # unfolded
    return collation_key(decode_words(text) if "=?" in text else text)
