"""A message with bytes beyond ASCII as one without (RFC 6152 §3): bodies are encoded, and the rest stays as it is.

What is signed does not stay so: DKIM breaks, as it does when servers do this in life.
"""

from __future__ import annotations

from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Iterator
from typing import Final, NamedTuple

from fakemail.message.headers import blank_line
from fakemail.message.mime import Part, parse

_ENCODING: Final = "Content-Transfer-Encoding"
# RFC 1428 §3: who does not know the charset says so.
_UNKNOWN_TEXT: Final = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
_PLAIN: Final = frozenset({"7bit", "8bit", "binary"})


class _Edit(NamedTuple):
    """Bytes to stand in place of others."""

    start: int
    end: int
    data: bytes


def to_seven_bit(raw: bytes) -> bytes | None:
    """The message with bodies in ASCII only; ``None`` where a body must not be encoded, or is broken already.

    Header fields are left alone: what stands there beyond ASCII is for SMTPUTF8, and no encoding of MIME helps.
    """
    edits: list[_Edit] = []
    for part in parse(raw).walk():
        body = part.body
        if part.children:
            edits += _container(part)
        elif not body.isascii():
            # RFC 2046 §5: what is made of parts or messages is never encoded as a whole.
            if part.type.main in ("multipart", "message") or part.encoding not in _PLAIN:
                return None
            edits += _leaf(part)
    pieces, at = [], 0
    for edit in sorted(edits):
        pieces += [raw[at : edit.start], edit.data]
        at = edit.end
    return b"".join([*pieces, raw[at:]])


def _container(part: Part) -> Iterator[_Edit]:
    """RFC 2045 §6.4: a part says of itself what holds for everything in it."""
    if part.encoding in ("8bit", "binary"):
        yield _declare(part, b"7bit")
    borders = [
        part.body_start,
        *(end for child in part.children for end in (child.header_start, child.end)),
        part.end,
    ]
    # Between the parts is what nobody reads, and the delimiters.
    for start, end in zip(borders[::2], borders[1::2], strict=True):
        between = part.raw[start:end]
        if not between.isascii():
            yield _Edit(start, end, between.decode("ascii", "replace").replace("\ufffd", "?").encode())


def _leaf(part: Part) -> Iterator[_Edit]:
    if part.type.main == "text":
        yield _declare(part, b"quoted-printable")
        lines = [b2a_qp(line, istext=False).replace(b"\n", b"\r\n") for line in part.body.split(b"\r\n")]
        yield _Edit(part.body_start, part.end, b"\r\n".join(lines))
        return
    yield _declare(part, b"base64")
    encoded = encodebytes(part.body).replace(b"\n", b"\r\n")
    # The line end before a delimiter is the delimiter's, and that at the end of the message is its own.
    is_last = part.end == len(part.raw)
    yield _Edit(part.body_start, part.end, encoded if is_last else encoded.removesuffix(b"\r\n"))


def _declare(part: Part, encoding: bytes) -> _Edit:
    """Name the encoding in the header of a part, in place of another or at its end."""
    field = part.headers.first(_ENCODING)
    if field is not None:
        return _Edit(field.start, field.end, b"%s: %s" % (_ENCODING.encode(), encoding))
    line = b"%s: %s\r\n" % (_ENCODING.encode(), encoding)
    is_message = part.header_start == 0
    if is_message and part.headers.first("Content-Type") is None:
        line = _UNKNOWN_TEXT + line
    elif is_message and part.headers.first("MIME-Version") is None:
        line = b"MIME-Version: 1.0\r\n" + line
    if part.body_start == part.header_start:  # a body that came without a header
        return _Edit(part.body_start, part.body_start, line + b"\r\n")
    end = part.body_start - len(blank_line(part.raw, part.header_start, part.body_start))
    return _Edit(end, end, line)
