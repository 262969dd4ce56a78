"""What a signature covers: which header fields its names stand for, and the octets that it was made over."""

from __future__ import annotations

from collections.abc import Iterable

from fakemail.dkim.canonicalization import FIELD
from fakemail.message.headers import Field


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
