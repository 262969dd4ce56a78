"""Checks of how a message is put together: its MIME parts, their borders and encodings (RFC 2045, RFC 2046)."""

from __future__ import annotations

import codecs
import re
from typing import Final

from fakemail.message.decoding import unfold
from fakemail.message.mime import Part
from fakemail.message.parameters import content_type
from fakemail.policy.content.content_view import ContentView

# RFC 2045 §6.1, and the names that RFC 3030 and old programs add.
_ENCODINGS: Final = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})
# RFC 2046 §5.1.1: boundary := 0*69<bchars> bcharsnospace
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=\s]")


def mime_depth(matter: ContentView) -> str:
    """Parts inside of parts, deeper than any program makes them."""
    depth = _depth(matter.message.root)
    most = matter.rules.max_depth
    return f"parts are nested {depth} deep, deeper than {most}" if depth > most else ""


def mime_parts(matter: ContentView) -> str:
    """More parts than any program makes."""
    number, most = len(matter.parts), matter.rules.max_parts
    return f"the message has {number} parts, more than {most}" if number > most else ""


def mime_version(matter: ContentView) -> str:
    """RFC 2045 §4: what uses MIME says so."""
    headers = matter.message.headers
    if "Content-Type" not in headers and "Content-Transfer-Encoding" not in headers:
        return ""
    return "" if "MIME-Version" in headers else "there are fields of MIME, and there is no MIME-Version field"


def content_types(matter: ContentView) -> str:
    """RFC 2045 §5.1: a Content-Type that is one."""
    for part in matter.parts:
        field = part.content_fields.get(b"content-type")
        if field is not None and content_type(unfold(field)) is None:
            return f"the Content-Type {unfold(field)[:60]!r} is none"
    return ""


def boundaries(matter: ContentView) -> str:
    """RFC 2046 §5.1.1: a multipart names its boundary, begins with it and ends with it."""
    for part in matter.parts:
        if part.is_multipart and (flaw := _boundary_flaw(part)):
            return f"{part.content_type}: {flaw}"
    return ""


def encodings(matter: ContentView) -> str:
    """RFC 2045 §6: a transfer encoding that there is, that is kept to, and none around parts but the identity."""
    for part in matter.parts:
        encoding = part.encoding
        if encoding not in _ENCODINGS:
            return f"{part.content_type}: there is no transfer encoding {encoding[:40]!r}"
        if part.is_multipart and encoding in ("base64", "quoted-printable"):
            return f"{part.content_type} is encoded as {encoding}, which a multipart must not be"
        if encoding == "base64" and (wrong := _NOT_BASE64.search(part.body)):
            return f"{part.content_type}: {wrong[0]!r} is no character of base64"
    return ""


def charsets(matter: ContentView) -> str:
    """RFC 2045 §6.1: a charset that there is, and bytes that are in it."""
    for part in matter.parts:
        if part.type.main != "text":
            continue
        charset = part.parameters.get("charset", "")
        name = charset.strip().lower() or "us-ascii"
        try:
            codec = codecs.lookup(name)
        except (LookupError, ValueError):
            return f"{part.content_type}: there is no charset {charset[:40]!r}"
        if codec.name in ("ascii", "utf-8"):
            try:
                part.content.decode(codec.name)
            except UnicodeDecodeError as error:
                return f"{part.content_type}: octet {error.start} is not {name}"
    return ""


def _depth(root: Part) -> int:
    depth = 0
    level = root.children
    while level:
        depth += 1
        level = tuple([child for part in level for child in part.children])
    return depth


def _boundary_flaw(part: Part) -> str:
    boundary = part.parameters.get("boundary", "")
    if not boundary:
        return "it names no boundary"
    if not _BOUNDARY.fullmatch(boundary):
        return f"the boundary {boundary[:80]!r} has more than 70 characters, or wrong ones"
    if not part.children:
        return f"its boundary {boundary!r} is nowhere in it"
    # The blank line before the body serves as the line end before the delimiter.
    if part.raw.find(f"\n--{boundary}--".encode(), max(0, part.body_start - 1), part.end) < 0:
        return f"the boundary {boundary!r} does not close it"
    return ""
