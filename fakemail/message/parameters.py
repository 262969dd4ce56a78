"""Structured field bodies: ``Content-Type`` and ``Content-Disposition`` with their parameters.

RFC 2045 §5.1 with comments and quoted strings, RFC 2231 continuations and charsets. No MIME tree.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from fakemail.message.decoding import charset_text, decode_words

_SPECIAL = re.compile(r'[()"\\]')
# RFC 2045 §5.1: parameter = attribute "=" value; value = token / quoted-string. Values with spaces and
# no quotes are wrong and common (filename=my report.pdf), so a bare value runs to the next semicolon.
_PARAMETER = re.compile(r';\s*+([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?|([^;"]*+))', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
# RFC 2045 §5.1: token = 1*<any CHAR except SPACE, CTLs or tspecials>
_TYPE = re.compile(
    r"([^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]++)\s*+/\s*+([^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]++)\s*+(?:;|$)"
)
# RFC 2231 §3, §4: title*0*, title*1, title*
_SECTION = re.compile(r"([^*]++)(?:\*([0-9]{1,4}))?(\*)?")


class ContentType(NamedTuple):
    """A media type, lower-case, and its parameters as written (names lower-case, quotes removed)."""

    main: str
    sub: str
    raw_parameters: tuple[tuple[str, str], ...] = ()


def strip_comments(text: str) -> str:
    """Remove the comments of a structured field body (RFC 5322 §3.2.2), nested ones too."""
    if "(" not in text:
        return text
    out: list[str] = []
    kept = depth = skip = 0
    quoted = False
    for special in _SPECIAL.finditer(text):
        at = special.start()
        if at < skip:
            continue
        mark = special[0]
        if mark == "\\":
            skip = at + 2
        elif mark == '"' and not depth:
            quoted = not quoted
        elif mark == "(" and not quoted:
            if not depth:
                out.append(text[kept:at])
            depth += 1
        elif mark == ")" and depth:
            depth -= 1
            kept = at + 1
    if not depth:
        out.append(text[kept:])
    return " ".join(out)


def raw_parameters(text: str) -> tuple[tuple[str, str], ...]:
    """The parameters of a field body without comments, in order, as written except for the quotes."""
    return tuple(
        (
            match[1].lower(),
            match[3].strip() if match[2] is None else _QUOTED_PAIR.sub(r"\1", match[2]),
        )
        for match in _PARAMETER.finditer(text)
    )


def content_type(text: str) -> ContentType | None:
    """Read an unfolded Content-Type body; None when it is no media type (RFC 2045 §5.2 has the default)."""
    bare = strip_comments(text).strip()
    match = _TYPE.match(bare)
    if match is None:
        return None
    return ContentType(match[1].lower(), match[2].lower(), raw_parameters(bare))


def disposition(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Read an unfolded Content-Disposition body: its lower-case kind and its raw parameters (RFC 2183)."""
    bare = strip_comments(text)
    kind, _, _ = bare.partition(";")
    return kind.strip().lower(), raw_parameters(bare)


def decoded_parameters(raw: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Parameters for people: RFC 2231 sections joined and decoded, encoded-words decoded.

    The first of two equal names counts, and an RFC 2231 form before a plain one (RFC 6266 §4.3).
    """
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, value in raw:
        match = _SECTION.fullmatch(name)
        if match is None or (match[2] is None and match[3] is None):
            plain.setdefault(name, value)
        else:
            sections.setdefault(match[1], {}).setdefault(int(match[2] or 0), (value, match[3] is not None))
    # Encoded-words in quoted strings are wrong (RFC 2047 §5) and common.
    decoded = {name: decode_words(value) for name, value in plain.items()}
    for name, parts in sections.items():
        if 0 in parts:
            decoded[name] = _join_sections(parts)
    return decoded


def _join_sections(parts: dict[int, tuple[str, bool]]) -> str:
    # RFC 2231 §4.1: only the first section carries charset'language'.
    first, extended = parts[0]
    charset = ""
    if extended and first.count("'") >= 2:
        charset, _, first = first.split("'", 2)
    data = [_octets(first, extended)]
    number = 1
    while number in parts:
        data.append(_octets(*parts[number]))
        number += 1
    return charset_text(b"".join(data), charset)


def _octets(value: str, extended: bool) -> bytes:
    return unquote_to_bytes(value) if extended else value.encode("utf-8", "replace")
