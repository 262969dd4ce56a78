"""BODY and BODYSTRUCTURE: the MIME tree of a message in parentheses (RFC 9051 §7.5.2).

Sizes and lines are those of the encoded bytes. The tree itself is built in :mod:`fakemail.message.mime`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from fakemail.imap.content.envelope import EMPTY_ENVELOPE, envelope
from fakemail.imap.content.strings import NIL, string
from fakemail.message.decoding import unfold, unfolded
from fakemail.message.mime import Part, transfer_encoding
from fakemail.message.parameters import ContentType, disposition, strip_comments

# RFC 2231 §3, §4: title*0*, title*1, title*
_SECTION: Final = re.compile(r"([^*]++)(?:\*([0-9]{1,4}))?(\*)?")
# RFC 9051 §9: body-type-mpart = 1*body SP media-subtype: a multipart must have a part, and where the bytes
# have none it is an empty one, which BODY[1] can fetch.
_NO_PART: Final = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0'
_NO_EXTENSION: Final = b" NIL NIL NIL NIL"
_DESCRIPTIONS_KEPT: Final = 512
_LONGEST_KEPT: Final = 300
# RFC 2046 §4.1.2: the default charset, given to clients as other servers do.
_DEFAULT_CHARSET: Final = (("charset", "us-ascii"),)

Parameters = tuple[tuple[str, str], ...]


def body(part: Part, *, utf8: bool = False) -> bytes:
    """The structure without extension data, as FETCH BODY gives it.

    ``utf8`` is set for IMAP4rev2 and after ``ENABLE UTF8=ACCEPT``: well-formed UTF-8 in quoted strings, and
    ``message/global`` described like ``message/rfc822``, which RFC 3501 does not know.
    """
    return _structure(part, False, utf8)


def bodystructure(part: Part, *, utf8: bool = False) -> bytes:
    """The structure with extension data, as FETCH BODYSTRUCTURE gives it."""
    return _structure(part, True, utf8)


def wire_parameters(raw: Parameters) -> Parameters:
    """Parameters with their RFC 2231 sections joined, in order of first appearance.

    Plain sections give the plain name; where a section is encoded, the value stays encoded and the name
    keeps its asterisk (``filename*``), so that clients can read charset and language.
    """
    if not any("*" in name for name, _ in raw):
        return raw
    joined: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, value in raw:
        match = _SECTION.fullmatch(name)
        if match is None or match[2] is None:
            joined.setdefault(name, value)
            continue
        key = f"{match[1]}*0"
        joined.setdefault(key, "")  # keeps the place in the order
        sections.setdefault(key, {}).setdefault(int(match[2]), (value, match[3] is not None))
    out = []
    for name, value in joined.items():
        if name in sections:
            out.append(_join(name[:-2], sections[name]))
        else:
            out.append((name, value))
    return tuple(out)


def _join(name: str, parts: dict[int, tuple[str, bool]]) -> tuple[str, str]:
    values = []
    number = 0
    while number in parts:
        values.append(parts[number])
        number += 1
    if not values:  # RFC 2231 §3: sections count from 0; these do not, and are left as they stand
        first = min(parts)
        encoded = parts[first][1]
        return f"{name}*{first}{'*' if encoded else ''}", parts[first][0]
    if not any(encoded for _, encoded in values):
        return name, "".join(value for value, _ in values)
    whole = "".join(value if encoded else quote(value) for value, encoded in values)
    # RFC 2231 §4.1: only the first section carries charset'language'.
    return f"{name}*", whole if values[0][1] else f"''{whole}"


def _structure(part: Part, extended: bool, utf8: bool) -> bytes:
    return (_multipart if part.is_multipart else _single)(part, extended, utf8)


def _multipart(part: Part, extended: bool, utf8: bool) -> bytes:
    # RFC 9051 §9: body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
    children = b"".join([_structure(child, extended, utf8) for child in part.children]) or _no_part(extended)
    subtype = string(part.type.sub.encode(), utf8=utf8)
    if not extended:
        return b"(%b %b)" % (children, subtype)
    fields = part.content_fields
    parameters = _parameters(part.type.raw_parameters, fields.get(b"content-type"), utf8)
    return b"(%b %b %b %b)" % (children, subtype, parameters, _common_extension(fields, utf8))


def _single(part: Part, extended: bool, utf8: bool) -> bytes:
    fields = part.content_fields
    short = sum(map(len, fields.values())) <= _LONGEST_KEPT
    describe = _known_description if short else _description
    before, after = describe(part.type, tuple(fields.items()), extended, utf8)
    words = [before, b"%d" % part.size]
    if part.type.main == "text":
        words.append(b"%d" % part.lines)
    elif part.is_message and (utf8 or part.type.sub == "rfc822"):
        words += _enclosed(part, extended, utf8)
        words.append(b"%d" % part.lines)
    if extended:
        words.append(after)
    return b"(%b)" % b" ".join(words)


def _description(
    kind: ContentType, content_fields: tuple[tuple[bytes, bytes], ...], extended: bool, utf8: bool
) -> tuple[bytes, bytes]:
    """The fields of a part that is no multipart: those before the size, and the extension data."""
    main, sub, parameters = kind
    fields = dict(content_fields)
    if main == "text" and not any(name.partition("*")[0] == "charset" for name, _ in parameters):
        parameters += _DEFAULT_CHARSET
    # RFC 9051 §9: body-fields = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP
    # body-fld-bytes
    words = (
        string(main.encode(), utf8=utf8),
        string(sub.encode(), utf8=utf8),
        _parameters(parameters, fields.get(b"content-type"), utf8),
        _text(fields.get(b"content-id"), utf8),
        _text(fields.get(b"content-description"), utf8),
        string(transfer_encoding(fields).encode("utf-8", "replace"), utf8=utf8),
    )
    extension = b""
    if extended:
        extension = b"%b %b" % (_text(fields.get(b"content-md5"), utf8), _common_extension(fields, utf8))
    return b" ".join(words), extension


# The same programs write the same headers, so most parts of a mailbox are described alike.
_known_description: Final = lru_cache(maxsize=_DESCRIPTIONS_KEPT)(_description)


def _enclosed(part: Part, extended: bool, utf8: bool) -> list[bytes]:
    """Envelope and structure of the message in a ``message/rfc822``, empty ones where none can be read."""
    if not part.children:
        return [EMPTY_ENVELOPE, _no_part(extended)]
    inner = part.children[0]
    return [
        envelope(inner.raw, inner.header_start, inner.body_start, utf8=utf8),
        _structure(inner, extended, utf8),
    ]


def _no_part(extended: bool) -> bytes:
    return _NO_PART + (_NO_EXTENSION if extended else b"") + b")"


def _common_extension(fields: dict[bytes, bytes], utf8: bool) -> bytes:
    # RFC 9051 §9: [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc ...]]]
    return b"%b %b %b" % (
        _disposition(fields.get(b"content-disposition"), utf8),
        _languages(fields.get(b"content-language"), utf8),
        _text(fields.get(b"content-location"), utf8),
    )


def _disposition(field: bytes | None, utf8: bool) -> bytes:
    # RFC 9051 §9: body-fld-dsp = "(" string SP body-fld-param ")" / nil
    if field is None:
        return NIL
    kind, raw = disposition(unfold(field))
    if not kind and not raw:
        return NIL
    return b"(%b %b)" % (string(kind.encode("utf-8", "replace"), utf8=utf8), _parameters(raw, field, utf8))


def _languages(field: bytes | None, utf8: bool) -> bytes:
    # RFC 9051 §9: body-fld-lang = nstring / "(" string *(SP string) ")"
    if field is None:
        return NIL
    tags = [tag.strip() for tag in strip_comments(unfold(field)).split(",")]
    printed = [string(tag.encode("utf-8", "replace"), utf8=utf8) for tag in tags if tag]
    return b"(%b)" % b" ".join(printed) if printed else NIL


def _parameters(raw: Parameters, field: bytes | None, utf8: bool) -> bytes:
    # RFC 9051 §9: body-fld-param = "(" string SP string *(SP string SP string) ")" / nil
    if not raw:
        return NIL
    words: list[bytes] = []
    for name, value in wire_parameters(raw):
        words.append(string(_as_received(name, field), utf8=utf8))
        words.append(string(_as_received(value, field), utf8=utf8))
    return b"(%b)" % b" ".join(words)


def _as_received(text: str, field: bytes | None) -> bytes:
    """Bytes of a text out of a field: those of the field, which may have been Latin-1."""
    if text.isascii():
        return text.encode("ascii")
    data = text.encode("utf-8", "replace")
    if field is not None and data not in field:
        return text.encode("latin-1", "replace")
    return data


def _text(field: bytes | None, utf8: bool) -> bytes:
    return NIL if field is None else string(unfolded(field), utf8=utf8)
