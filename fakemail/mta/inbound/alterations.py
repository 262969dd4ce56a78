"""Alterations that hosts make in messages which they relay, as a table.

Each breaks signatures in its own way; :data:`fakemail.model.host.ALTERATIONS` has their names. A footer goes
behind the text of each part that is shown, so that the parts stay readable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from fakemail.message.addresses import mailboxes
from fakemail.message.headers import Field, body_offset, split_fields
from fakemail.message.mime import parse

_FOOTER: Final = "--\r\nThis message was looked at on its way.\r\n"
_WSP: Final = re.compile(rb"[ \t]+")
_FOLD: Final = re.compile(rb"\r?\n(?=[ \t])")
_SUBJECT_MARK: Final = b" [EXTERNAL]"


class Alteration(NamedTuple):
    """One way to alter a message."""

    says: str
    """The change, and what it breaks."""
    alter: Callable[[bytes, str], bytes]
    """Takes the message and the name of the host."""


def alter(raw: bytes, names: Collection[str], *, host: str) -> bytes:
    """The message as a host passes it on that does all this, in the order of the table."""
    for name, alteration in ALTERATIONS.items():
        if name in names:
            raw = alteration.alter(raw, host)
    return raw


def _footer(raw: bytes, host: str) -> bytes:
    return add_footer(raw, _FOOTER)


def _whitespace(raw: bytes, host: str) -> bytes:
    end = body_offset(raw)
    lines = [_WSP.sub(b" ", line).rstrip(b" ") for line in raw[end:].split(b"\r\n")]
    return raw[:end] + b"\r\n".join(lines)


def _subject(raw: bytes, host: str) -> bytes:
    return _each_field(raw, "subject", lambda field: field._replace(raw=_SUBJECT_MARK + field.raw))


def _folding(raw: bytes, host: str) -> bytes:
    return _each_field(raw, None, lambda field: field._replace(raw=_FOLD.sub(b"", field.raw)))


def _from(raw: bytes, host: str) -> bytes:
    def change(field: Field) -> Field:
        # As forwarders do it to be aligned with themselves: hello@example.com becomes hello=example.com@ the host.
        found = mailboxes(field.raw)
        own = ", ".join(f"<{each.address.replace('@', '=')}@{host}>" for each in found)
        return field._replace(raw=b" " + own.encode("utf-8", "replace")) if own else field

    return _each_field(raw, "from", change)


def _second_from(raw: bytes, host: str) -> bytes:
    return f"From: Somebody else <somebody@{host}>\r\n".encode() + raw


def _signatures(raw: bytes, host: str) -> bytes:
    return _each_field(raw, "dkim-signature", lambda field: None)


def _each_field(raw: bytes, name: str | None, change: Callable[[Field], Field | None]) -> bytes:
    """The message with the fields of one name, or all of them, changed or taken out."""
    end = body_offset(raw)
    fields = split_fields(raw, 0, end)
    changed = [change(field) if name in (None, field.name.lower()) else field for field in fields]
    return as_lines(field for field in changed if field is not None) + b"\r\n" + raw[end:]


ALTERATIONS: Final[Mapping[str, Alteration]] = MappingProxyType(
    {
        "footer": Alteration(
            "Text is put behind the message, which breaks every signature but those with `l=`.", _footer
        ),
        "whitespace": Alteration(
            "White space in the body is squeezed, which breaks signatures that are simple about the body.",
            _whitespace,
        ),
        "subject": Alteration("The subject gets a mark in front, which breaks every signature.", _subject),
        "folding": Alteration(
            "Folded fields become one line, which breaks signatures that are simple about the header.",
            _folding,
        ),
        "from": Alteration(
            "The address in From becomes one of the host, so that the author is of another domain.", _from
        ),
        "second_from": Alteration(
            "A second From stands above the first, which breaks signatures that have From once too often.",
            _second_from,
        ),
        "signatures": Alteration("DKIM signatures are taken out.", _signatures),
    }
)
"""By name."""


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
