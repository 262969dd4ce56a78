"""Tag lists (RFC 6376 §3.2): ``v=1; d=example.org; ...``, of signatures and of key records."""

from __future__ import annotations

import re
from typing import Final

# RFC 6376 §3.2: tag-name = ALPHA *ALNUMPUNC; ALNUMPUNC = ALPHA / DIGIT / "_"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FWS: Final = " \t\r\n"


class TagError(ValueError):
    """A tag list that is none. Its text is a sentence about the case."""


def read_tags(text: str) -> dict[str, str]:
    """The tags by name, white space around their values removed, in the order in which they stand.

    Raises :class:`TagError`: one broken tag makes the whole list worthless (RFC 6376 §3.2).
    """
    tags: dict[str, str] = {}
    parts = text.split(";")
    if not parts[-1].strip(_FWS):
        parts.pop()  # tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
    for part in parts:
        name, sign, value = part.partition("=")
        name = name.strip(_FWS)
        if not sign or _NAME.fullmatch(name) is None:
            raise TagError(f"{part.strip(_FWS)[:40]!r} is no tag")
        if name in tags:
            raise TagError(f"{name}= stands there twice")
        tags[name] = value.strip(_FWS)
    return tags


def without_value(field: bytes, name: bytes = b"b") -> bytes:
    """A field with the value of one tag removed, and the white space around it (RFC 6376 §3.7)."""
    head, colon, body = field.partition(b":")
    parts = body.split(b";")
    for at, part in enumerate(parts):
        tag, sign, _ = part.partition(b"=")
        if sign and tag.strip(b" \t\r\n") == name:
            parts[at] = tag + sign
            break
    return head + colon + b";".join(parts)


def squeezed(value: str) -> str:
    """A value with every white space removed: base64 may be folded anywhere."""
    return "".join(value.split())


def listed(value: str) -> tuple[str, ...]:
    """The items of a list with colons, such as ``h=``."""
    return tuple(item.strip(_FWS) for item in value.split(":"))
