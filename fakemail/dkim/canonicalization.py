"""Canonical forms of headers and bodies: what stays the same on the way (RFC 6376 §3.4).

Messages have CRLF line ends here; :func:`with_crlf` gives them those. All of it is linear in the size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from fakemail.message.headers import Field

_BARE: Final = re.compile(rb"\r\n|\r|\n")
_WSP: Final = re.compile(rb"[ \t]+")
_FOLD: Final = re.compile(rb"\r\n(?=[ \t])")


def with_crlf(raw: bytes) -> bytes:
    """A message whose lines end with CRLF, as it goes over the wire; a lone CR or LF is a line end too."""
    # Counting is many times faster than looking for a line end that is none.
    ends = raw.count(b"\r\n")
    return raw if raw.count(b"\n") == ends == raw.count(b"\r") else _BARE.sub(b"\r\n", raw)


def simple_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.3: empty lines at the end are one line end; an empty body is one."""
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n"


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.4: white space at the ends of lines is nothing, all other is one space."""
    if not body:
        return b""
    if not body.endswith(b"\r\n"):
        body += b"\r\n"
    if b"  " in body or b"\t" in body:
        body = _WSP.sub(b" ", body)
    if b" \r\n" in body:
        body = body.replace(b" \r\n", b"\r\n")
    stripped = simple_body(body)
    return b"" if stripped == b"\r\n" else stripped


def simple_field(line: bytes) -> bytes:
    """RFC 6376 §3.4.1: a field as it stands. ``line`` is without its last line end, and so is what comes back."""
    return line


def relaxed_field(line: bytes) -> bytes:
    """RFC 6376 §3.4.2: a lower-case name, one line, single spaces, none around the colon or at the end."""
    name, _, value = line.partition(b":")
    value = _WSP.sub(b" ", _FOLD.sub(b"", value)).strip(b" ")
    return name.rstrip(b" \t").lower() + b":" + value


BODY: Final = {"simple": simple_body, "relaxed": relaxed_body}
FIELD: Final = {"simple": simple_field, "relaxed": relaxed_field}


class FieldStack:
    """The header fields of a message as signatures take them: of those with one name the last first.

    RFC 6376 §5.4.2: each name in ``h=`` takes one field, from the bottom up; none, where all are taken.
    """

    def __init__(self, raw: bytes, fields: Iterable[Field]) -> None:
        self._raw = raw
        self._fields: dict[str, list[Field]] = {}
        for field in fields:
            self._fields.setdefault(field.name.lower(), []).append(field)

    def select(self, names: Iterable[str]) -> list[bytes]:
        """The fields that a list of names stands for, raw and without their last line ends."""
        taken: dict[str, int] = {}
        chosen = []
        for name in names:
            every = self._fields.get(name, ())
            at = taken[name] = taken.get(name, 0) + 1
            if at <= len(every):
                field = every[-at]
                chosen.append(self._raw[field.start : field.end])
        return chosen


def signed_header(chosen: Iterable[bytes], own: bytes, kind: str) -> bytes:
    """The chosen fields in their canonical form, then the signature's own without ``b=`` (RFC 6376 §3.7)."""
    form = FIELD[kind]
    return b"".join(form(field) + b"\r\n" for field in chosen) + form(own)
