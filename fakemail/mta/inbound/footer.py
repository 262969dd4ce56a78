"""Puts text behind what a message says, as lists and gateways do: the parts of it stay readable.

Every signature over the body is broken by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from fakemail.message.headers import Field, body_offset, split_fields
from fakemail.message.mime import parse

_CONTENT: Final = re.compile(r"content-.*|mime-version", re.IGNORECASE)


def add_footer(raw: bytes, footer: str) -> bytes:
    """The message with a footer: lines with CRLF ends. An empty one changes nothing."""
    if not footer:
        return raw
    end = body_offset(raw)
    fields = split_fields(raw, 0, end)
    root = parse(raw)
    if (
        root.content_type == "text/plain"
        and root.encoding in ("7bit", "8bit", "quoted-printable")
        and root.disposition != "attachment"
    ):
        text = footer.replace("=", "=3D") if root.encoding == "quoted-printable" else footer
        return _with_line_end(raw) + text.encode("ascii", "replace")
    # Whatever else it is becomes the first part of a multipart, and the footer the second.
    content = [field for field in fields if _CONTENT.fullmatch(field.name)]
    outer = [field for field in fields if not _CONTENT.fullmatch(field.name)]
    mark = _boundary(raw)
    inner = [field for field in content if field.name.lower() != "mime-version"]
    return b"".join(
        [
            as_lines(outer),
            b"MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/mixed; boundary="{mark}"\r\n\r\n'.encode(),
            f"--{mark}\r\n".encode(),
            as_lines(inner) + b"\r\n" + raw[end:],
            f"\r\n--{mark}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n".encode(),
            footer.encode("ascii", "replace"),
            f"--{mark}--\r\n".encode(),
        ]
    )


def as_lines(fields: Iterable[Field]) -> bytes:
    """Fields as the lines of a header."""
    return b"".join(field.name.encode() + b":" + field.raw + b"\r\n" for field in fields)


def _with_line_end(raw: bytes) -> bytes:
    return raw if raw.endswith(b"\n") else raw + b"\r\n"


def _boundary(raw: bytes) -> str:
    number = 0
    while (mark := f"=_list_{number}").encode() in raw:
        number += 1
    return mark
