"""The MIME tree of a message as offsets into its raw bytes (RFC 2045, RFC 2046).

Byte-exact: the sizes and borders are those that IMAP's BODYSTRUCTURE and BODY[...] need. Nothing is
decoded before it is asked for, and nothing here chooses what a person would read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from fakemail.message.decoding import charset_text, field_text, transfer_content, unfold
from fakemail.message.headers import Headers, body_offset, pick_fields, split_fields
from fakemail.message.parameters import (
    ContentType,
    content_type,
    decoded_parameters,
    disposition,
    strip_comments,
)

MAX_DEPTH: Final = 40
"""Parts nested deeper than this are not taken apart."""
MAX_PARTS: Final = 50_000
"""Parts beyond this number stay inside the last one."""
# RFC 2046 §5.1.1: boundary = 0*69<bchars> bcharsnospace. Longer ones are seen and harmless.
_MAX_BOUNDARY: Final = 1000
# RFC 2046 §5.1.1: close-delimiter = delimiter "--"; transport-padding = *LWSP-char. A delimiter is the
# whole line, so that a boundary which begins with another one is not taken for it.
_AFTER_BOUNDARY: Final = re.compile(rb"(--)?[ \t]*+(?:\r?\n|\r?\Z)")
# What is read of the header of a part, all of it in one pass.
_FIELDS: Final = (
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "content-id",
    "content-description",
    "content-md5",
    "content-language",
    "content-location",
)
_TYPES_KEPT: Final = 256
_LONGEST_KEPT: Final = 200
_TEXT_PLAIN: Final = ContentType("text", "plain")
_MESSAGE: Final = ContentType("message", "rfc822")
_IDENTITY: Final = frozenset({"7bit", "8bit", "binary"})


class Part:
    """One part of a message, or the message itself: places in :attr:`raw`, and what its header says.

    The header with its blank line is ``raw[header_start:body_start]``, the body ``raw[body_start:end]``.
    A multipart has its parts as :attr:`children`; an unencoded ``message/rfc822`` has one child, the
    enclosed message. Neither may have any where the bytes are broken.
    """

    __slots__ = (
        "_content",
        "_headers",
        "_parameters",
        "body_start",
        "children",
        "content_fields",
        "end",
        "header_start",
        "raw",
        "type",
    )

    def __init__(self, raw: bytes, start: int, end: int, default: ContentType) -> None:
        self.raw = raw
        """The bytes of the whole message."""
        self.header_start = start
        self.body_start = body_offset(raw, start, end)
        self.end = end
        self.children: tuple[Part, ...] = ()
        """The parts of a multipart, or the enclosed message."""
        self._headers: Headers | None = None
        self.content_fields: dict[bytes, bytes] = {}
        """The raw bodies of the fields of MIME by lower-case name; the first of each counts."""
        for match in pick_fields(raw, start, self.body_start, _FIELDS):
            self.content_fields.setdefault(match[1].lower(), match[2])
        field = self.content_fields.get(b"content-type")
        read = _known_type if field is None or len(field) <= _LONGEST_KEPT else _type
        self.type = default if field is None else read(field)
        """The media type and its parameters as written."""
        self._content: bytes | None = None
        self._parameters: dict[str, str] | None = None

    @property
    def headers(self) -> Headers:
        """The fields of the header of the part."""
        if self._headers is None:  # most of what is asked about a tree needs two fields, not all
            self._headers = Headers(split_fields(self.raw, self.header_start, self.body_start))
        return self._headers

    @property
    def content_type(self) -> str:
        """The media type, lower-case, without parameters: ``"text/plain"``."""
        return f"{self.type.main}/{self.type.sub}"

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of Content-Type, decoded (RFC 2231). ``type.raw_parameters`` has them as written."""
        if self._parameters is None:
            self._parameters = decoded_parameters(self.type.raw_parameters)
        return self._parameters

    @property
    def encoding(self) -> str:
        """The Content-Transfer-Encoding, lower-case; ``"7bit"`` when there is none (RFC 2045 §6.1)."""
        return transfer_encoding(self.content_fields)

    @property
    def is_multipart(self) -> bool:
        """Whether the type is ``multipart/*``."""
        return self.type.main == "multipart"

    @property
    def is_message(self) -> bool:
        """Whether the type is ``message/rfc822`` (or ``message/global``, RFC 6532 §3.7)."""
        return self.type.main == "message" and self.type.sub in ("rfc822", "global")

    @property
    def size(self) -> int:
        """Bytes of the body as it stands, encoded (RFC 9051 §7.5.2: body size)."""
        return self.end - self.body_start

    @property
    def lines(self) -> int:
        """Line ends in the body; a last line without one does not count."""
        return self.raw.count(b"\n", self.body_start, self.end)

    @property
    def header(self) -> bytes:
        """The header block with its blank line, as received."""
        return self.raw[self.header_start : self.body_start]

    @property
    def body(self) -> bytes:
        """The body as received, not decoded."""
        return self.raw[self.body_start : self.end]

    @property
    def content(self) -> bytes:
        """The body with its transfer encoding undone."""
        if self._content is None:
            self._content = transfer_content(self.body, self.encoding)
        return self._content

    @property
    def text(self) -> str:
        """The content as text in its charset, with ``\\n`` as line end."""
        return self.crlf_text.replace("\r\n", "\n")

    @property
    def crlf_text(self) -> str:
        """The content as text in its charset, with line ends as they came."""
        raw = self.type.raw_parameters
        # Nearly always the only one, and then there is nothing to decode.
        if len(raw) == 1 and raw[0][0] == "charset" and "=?" not in raw[0][1]:
            return charset_text(self.content, raw[0][1])
        return charset_text(self.content, self.parameters.get("charset", ""))

    @property
    def disposition(self) -> str:
        """``"attachment"``, ``"inline"``, another word, or ``""`` without Content-Disposition (RFC 2183)."""
        return self._disposition()[0]

    @property
    def filename(self) -> str:
        """The file name that the part suggests, decoded and as given, or ``""``: not safe as a path."""
        named = decoded_parameters(self._disposition()[1]).get("filename")
        return named or self.parameters.get("name", "")

    @property
    def content_id(self) -> str:
        """The Content-ID without its angle brackets, or ``""``."""
        field = self.content_fields.get(b"content-id")
        return "" if field is None else field_text(field).strip("<> \t")

    def walk(self) -> Iterator[Part]:
        """This part and everything below it, in the order of the bytes."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.children))

    def section(self, *numbers: int) -> Part | None:
        """The part with an IMAP section number, such as ``1, 2`` for ``BODY[1.2]`` (RFC 9051 §6.4.5.1).

        Called on a whole message. A message that is no multipart has itself as part 1.
        """
        part, whole = self, True
        for number in numbers:
            if not whole and part.is_message and part.children:
                part, whole = part.children[0], True
            if part.is_multipart:
                if not 1 <= number <= len(part.children):
                    return None
                part, whole = part.children[number - 1], False
            elif whole and number == 1:
                whole = False
            else:
                return None
        return part

    def _disposition(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        field = self.content_fields.get(b"content-disposition")
        return ("", ()) if field is None else disposition(unfold(field))

    def __repr__(self) -> str:
        inside = f", {len(self.children)} parts" if self.is_multipart else ""
        return f"<Part {self.content_type}, {self.size} octets{inside}>"


def parse(raw: bytes) -> Part:
    """Parse a message into its tree. Never fails; time grows with the bytes times :data:`MAX_DEPTH`."""
    return _Parser(raw).part(0, len(raw), _TEXT_PLAIN, 0)


def transfer_encoding(fields: Mapping[bytes, bytes]) -> str:
    """The Content-Transfer-Encoding among :attr:`Part.content_fields`, as :attr:`Part.encoding` has it."""
    field = fields.get(b"content-transfer-encoding")
    return "7bit" if field is None else strip_comments(unfold(field)).strip().lower() or "7bit"


def _type(field: bytes) -> ContentType:
    # RFC 2045 §5.2: a type that cannot be read counts as text/plain.
    return content_type(unfold(field)) or _TEXT_PLAIN


# Most parts of most mail have one of a few types, written alike.
_known_type: Final = lru_cache(maxsize=_TYPES_KEPT)(_type)


class _Parser:
    """One parse: the bytes and how many parts may still be made."""

    __slots__ = ("left", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.left = MAX_PARTS

    def part(self, start: int, end: int, default: ContentType, depth: int) -> Part:
        part = Part(self.raw, start, end, default)
        self.left -= 1
        if depth >= MAX_DEPTH:
            return part
        if part.is_multipart:
            part.children = self._parts(part, depth)
        elif part.is_message and part.encoding in _IDENTITY and part.size:
            # RFC 2046 §5.2.1: no other encoding is allowed here. Where there is one, the bytes are not
            # a message, and servers do not look inside.
            part.children = (self.part(part.body_start, part.end, _TEXT_PLAIN, depth + 1),)
        return part

    def _parts(self, part: Part, depth: int) -> tuple[Part, ...]:
        boundary = _boundary(part)
        if not boundary:
            return ()
        # RFC 2046 §5.1.5: the default type inside a digest.
        default = _MESSAGE if part.type.sub == "digest" else _TEXT_PLAIN
        borders = self._borders(part.body_start, part.end, boundary)
        return tuple(self.part(start, end, default, depth + 1) for start, end in borders)

    def _borders(self, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
        """Begin and end of each part between the delimiter lines of a boundary."""
        raw = self.raw
        needle = b"\n--" + boundary
        found: list[tuple[int, int]] = []
        opened = -1
        # The blank line before the body serves as the line end before a first delimiter.
        at = raw.find(needle, start - 1, end)
        while at >= 0 and len(found) + 1 < self.left:
            line_end = _AFTER_BOUNDARY.match(raw, at + len(needle), end)
            if line_end is None:
                at = raw.find(needle, at + 1, end)
                continue
            if opened >= 0:
                # RFC 2046 §5.1.1: the line end before a delimiter belongs to the delimiter.
                stop = at - 1 if raw[at - 1 : at] == b"\r" else at
                found.append((opened, max(opened, stop)))
            if line_end[1]:
                return found
            opened = line_end.end()
            at = raw.find(needle, opened - 1, end)
        if opened >= 0:
            found.append((opened, end))
        return found


def _boundary(part: Part) -> bytes:
    """The boundary as bytes; RFC 2046 §5.1.1: it does not end with white space."""
    # As written first: an encoded-word look-alike is a lawful boundary and must not be decoded.
    value = dict(reversed(part.type.raw_parameters)).get("boundary") or part.parameters.get("boundary", "")
    data = value.rstrip().encode("utf-8", "replace")
    if len(data) > _MAX_BOUNDARY:
        return b""
    field = part.content_fields.get(b"content-type")
    if not data.isascii() and field is not None and data not in field:
        return value.rstrip().encode("latin-1", "replace")
    return data
