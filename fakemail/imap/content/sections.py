"""BODY[...], BINARY[...] and their old RFC822 names: the bytes that a section names (RFC 9051 §6.4.5).

Results are bytes, not yet strings of a response. Slices of the message are copied once, and a header is
only taken apart where fields are chosen from it.
"""

from __future__ import annotations

from typing import Final

from fakemail.imap.content.strings import literal, without_nul
from fakemail.imap.syntax.fetch_items import Section, SectionText
from fakemail.message.headers import blank_line, body_offset, pick_fields
from fakemail.message.mime import Part

WHOLE: Final = Section()
HEADER: Final = Section(text=SectionText.HEADER)  # RFC822.HEADER
TEXT: Final = Section(text=SectionText.TEXT)  # RFC822.TEXT
# RFC 2045 §6.1. Anything else cannot be decoded, and must not be guessed (RFC 3516 §4.3).
_DECODABLE: Final = frozenset({"7bit", "8bit", "binary", "quoted-printable", "base64"})

Partial = tuple[int, int]
"""First byte counted from 0, and the greatest number of bytes."""


class UnknownEncoding(Exception):
    """A part cannot be decoded: the answer is NO with ``[UNKNOWN-CTE]`` (RFC 3516 §4.3)."""

    def __init__(self, encoding: str) -> None:
        super().__init__(f"the Content-Transfer-Encoding {encoding!r} is not known")
        self.encoding = encoding


def needs_tree(section: Section) -> bool:
    """Whether :func:`section` needs the MIME tree: the whole message and its own header do not."""
    return bool(section.part)


def section(
    raw: bytes, wanted: Section, *, root: Part | None = None, partial: Partial | None = None
) -> bytes | None:
    """The bytes of ``BODY[wanted]<partial>``, or None where the message has no such part.

    ``root`` is the tree of ``raw``; it is needed for sections with part numbers only.
    """
    if wanted.part:
        if root is None:
            raise ValueError(
                f"section {wanted.part} needs the MIME tree of the message: give root=parse(raw)"
            )
        return _part_section(root, wanted, partial)
    if wanted.text is SectionText.ALL:
        return _cut(raw, 0, len(raw), partial)
    start = body_offset(raw)
    if wanted.text is SectionText.TEXT:
        return _cut(raw, start, len(raw), partial)
    return _header(raw, 0, start, wanted, partial)


def section_size(raw: bytes, wanted: Section, *, root: Part | None = None) -> int | None:
    """The size in bytes of what :func:`section` would give."""
    if not wanted.part and wanted.text is SectionText.ALL:
        return len(raw)
    found = section(raw, wanted, root=root)
    return None if found is None else len(found)


def binary(root: Part, numbers: tuple[int, ...], *, partial: Partial | None = None) -> bytes | None:
    """The decoded bytes of ``BINARY[numbers]<partial>``, or None where the message has no such part.

    Multiparts, enclosed messages and the whole message have no encoding to undo and come as they are.
    Raises :class:`UnknownEncoding`.
    """
    if not numbers:
        return _cut(root.raw, root.header_start, root.end, partial)
    part = root.section(*numbers)
    if part is None:
        return b"" if _is_empty_part(root, numbers) else None
    if part.is_multipart or part.is_message:
        return _cut(part.raw, part.body_start, part.end, partial)
    if part.encoding not in _DECODABLE:
        raise UnknownEncoding(part.encoding)
    content = part.content
    return content if partial is None else content[partial[0] : partial[0] + partial[1]]


def binary_size(root: Part, numbers: tuple[int, ...]) -> int | None:
    """The size of :func:`binary` in bytes."""
    content = binary(root, numbers)
    return None if content is None else len(content)


def body_string(data: bytes) -> bytes:
    """Bytes of a section as a response has them: a literal, NUL as 0x80, which moves no offset."""
    return literal(without_nul(data))


def binary_string(data: bytes) -> bytes:
    """Decoded bytes as a response has them: a literal8 where there are NULs (RFC 3516 §4.2)."""
    return b"~{%d}\r\n%b" % (len(data), data) if b"\x00" in data else literal(data)


def _part_section(root: Part, wanted: Section, partial: Partial | None) -> bytes | None:
    part = root.section(*wanted.part)
    if part is None:
        empty = _is_empty_part(root, wanted.part) and wanted.text in (SectionText.ALL, SectionText.MIME)
        return b"" if empty else None
    if wanted.text is SectionText.ALL:
        return _cut(part.raw, part.body_start, part.end, partial)
    if wanted.text is SectionText.MIME:
        return _cut(part.raw, part.header_start, part.body_start, partial)
    # RFC 9051 §6.4.5.1: HEADER and TEXT behind a number refer to an enclosed message.
    if not part.is_message or not part.children:
        return None
    message = part.children[0]
    if wanted.text is SectionText.TEXT:
        return _cut(message.raw, message.body_start, message.end, partial)
    return _header(message.raw, message.header_start, message.body_start, wanted, partial)


def _is_empty_part(root: Part, numbers: tuple[int, ...]) -> bool:
    """Whether a number names the one empty part that BODYSTRUCTURE shows for what has no parts."""
    if numbers[-1] != 1:
        return False
    above = root.section(*numbers[:-1]) if len(numbers) > 1 else root
    if above is not None and len(numbers) > 1 and above.is_message and above.children:
        above = above.children[0]
    return above is not None and (above.is_multipart or above.is_message) and not above.children


def _header(raw: bytes, start: int, end: int, wanted: Section, partial: Partial | None) -> bytes:
    if wanted.text is SectionText.HEADER:
        return _cut(raw, start, end, partial)
    # RFC 9051 §6.4.5.1: the blank line is there in all subsets, but for a header that has none.
    blank = blank_line(raw, start, end)
    stop = end - len(blank)
    names = tuple(name.lower() for name in wanted.fields)
    inside = wanted.text is SectionText.HEADER_FIELDS
    out = []
    rest = start
    for match in pick_fields(raw, start, end, names):
        first = match.start(1)
        last = raw.find(b"\n", match.end(), stop) + 1 or stop
        out.append(raw[first:last] if inside else raw[rest:first])
        rest = last
    if not inside:  # lines that are no field are left too
        out.append(raw[rest:stop])
    out.append(blank)
    chosen = b"".join(out)
    return chosen if partial is None else chosen[partial[0] : partial[0] + partial[1]]


def _cut(raw: bytes, start: int, end: int, partial: Partial | None) -> bytes:
    if partial is not None:
        start = min(start + partial[0], end)
        end = min(start + partial[1], end)
    return raw if start == 0 and end == len(raw) else raw[start:end]
