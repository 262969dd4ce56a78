"""Tag lists (RFC 6376 §3.2), ``v=1; d=example.org; ...``: of signatures, key records, DMARC and BIMI records."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
    parts = text.split(";")
    if not parts[-1].strip(_FWS):
        parts.pop()  # tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
    tags, errors = _tags(parts)
    if errors:
        raise TagError(errors[0])
    return tags


def read_lenient_tags(text: str) -> tuple[dict[str, str], list[str]]:
    """The tags by name in lower case, and a sentence for each that is passed over (RFC 9989 §4.7).

    Of two tags with one name the first counts; nothing between two semicolons is no mistake.
    """
    parts = [part for part in text.split(";") if part.strip(_FWS)]
    return _tags(parts, ignore_case=True)


def _tags(parts: Iterable[str], *, ignore_case: bool = False) -> tuple[dict[str, str], list[str]]:
    tags: dict[str, str] = {}
    errors: list[str] = []
    for part in parts:
        name, sign, value = part.partition("=")
        name = name.strip(_FWS).lower() if ignore_case else name.strip(_FWS)
        if not sign or _NAME.fullmatch(name) is None:
            errors.append(f"{part.strip(_FWS)[:40]!r} is no tag")
        elif name in tags:
            errors.append(f"{name}= stands there twice")
        else:
            tags[name] = value.strip(_FWS)
    return tags, errors


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
