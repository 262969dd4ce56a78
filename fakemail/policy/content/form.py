"""Checks of the form of a message: header, lines and bytes (RFC 5322, RFC 6532), MIME parts, their boundaries and
encodings (RFC 2045, RFC 2046)."""

from __future__ import annotations

import codecs
import re
from datetime import timedelta
from typing import Final

from fakemail.message.decoding import unfold
from fakemail.message.envelope import BodyType
from fakemail.message.headers import ONCE_AT_MOST, blank_line, starts_with_body
from fakemail.message.mime import Part
from fakemail.message.parameters import content_type
from fakemail.policy.content.content_view import ContentView
from fakemail.smtp.body import has_bare_line_ends

# RFC 5322 §3.6, the table: what may be there once at most. RFC 2045 §3, RFC 2183 §2 for those of MIME.
_ONCE: Final = (
    *ONCE_AT_MOST,
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
)
# RFC 5322 §2.2: a field name is printable US-ASCII without the colon, which comes right behind it.
_FIELD: Final = re.compile(rb"[!-9;-~]+:")
_OBSOLETE: Final = re.compile(rb"[!-9;-~]+[ \t]+:")
# RFC 5322 §3.6.4: msg-id = [CFWS] "<" id-left "@" id-right ">" [CFWS]
_MESSAGE_ID: Final = re.compile(r"<[^<>@\s]+@[^<>@\s]+>")
# RFC 5322 §2.1.1: without the CRLF.
_LONGEST: Final = 998
_WANTED: Final = 78
_AHEAD: Final = timedelta(days=1)
_SHOWN: Final = 60


def required_fields(matter: ContentView) -> str:
    """RFC 5322 §3.6: the only required fields are Date and From."""
    if not matter.raw or starts_with_body(matter.raw):
        return "there is no header at all"
    missing = [name for name in ("Date", "From") if name not in matter.message.headers]
    return f"there is no {' and no '.join(missing)} field" if missing else ""


def message_id(matter: ContentView) -> str:
    """RFC 5322 §3.6.4: every message should have one, and it is unlike any other."""
    text = matter.message.headers.get("Message-ID")
    if text is None:
        return "there is no Message-ID field"
    return "" if _MESSAGE_ID.fullmatch(text.strip()) else f"the Message-ID {_cut(text)!r} is none"


def duplicate_fields(matter: ContentView) -> str:
    """RFC 5322 §3.6: most fields may be there once at most."""
    headers = matter.message.headers
    twice = [f"{name} ({number} times)" for name in _ONCE if (number := len(headers.fields_named(name))) > 1]
    return f"more than one field of a kind: {', '.join(twice)}" if twice else ""


def header_syntax(matter: ContentView) -> str:
    """RFC 5322 §2.2: the header is lines that are a field, or go on with one."""
    number = 0
    for number, line in enumerate(matter.header.split(b"\n"), 1):
        line = line.rstrip(b"\r")
        if not line or _FIELD.match(line):
            continue
        if number > 1 and line[:1] in b" \t":
            if line.isspace():
                return f"line {number} of the header has nothing but white space"
            continue
        what = "has white space before its colon" if _OBSOLETE.match(line) else "is no field"
        return f"line {number} of the header {what}: {_show(line)}"
    end = len(matter.header)
    if end < len(matter.raw) and not blank_line(matter.raw, 0, end):
        line = matter.raw[end:].partition(b"\n")[0].rstrip(b"\r")
        return f"line {max(number, 1)} of the header is no field: {_show(line)}"
    return ""


def from_field(matter: ContentView) -> str:
    """RFC 5322 §3.6.2: an address at least; with several authors there is a Sender as well."""
    fields = matter.message.headers.fields_named("From")
    if not fields:
        return ""
    found = matter.message.from_
    wrong = [each for each in found if not all(each.address.rpartition("@")[::2])]
    if not found or wrong:
        return f"the From field {_cut(fields[0].text)!r} has no address that mail can go to"
    if len(found) > 1 and "Sender" not in matter.message.headers:
        return f"the From field names {len(found)} authors, and there is no Sender field"
    return ""


def date_field(matter: ContentView) -> str:
    """RFC 5322 §3.3, and no date that lies in the future."""
    text = matter.message.headers.get("Date")
    if text is None:
        return ""
    date = matter.message.date
    if date is None:
        return f"the Date {_cut(text)!r} is none"
    try:
        ahead = date - matter.facts.now
    except OverflowError:
        return f"the Date {_cut(text)!r} is out of any range"
    return f"the Date is {ahead.days} days ahead" if ahead > _AHEAD else ""


def header_size(matter: ContentView) -> str:
    """Header larger than any program needs."""
    rules = matter.rules
    if len(matter.header) > rules.max_header:
        return f"the header has {len(matter.header)} octets, more than {rules.max_header}"
    number = len(matter.message.headers)
    return (
        f"the header has {number} fields, more than {rules.max_fields}" if number > rules.max_fields else ""
    )


def line_limit(matter: ContentView) -> str:
    """RFC 5322 §2.1.1: no line of more than 998 characters."""
    number, length = matter.longest_line
    return f"line {number} has {length} octets, more than {_LONGEST}" if length > _LONGEST else ""


def line_length(matter: ContentView) -> str:
    """RFC 5322 §2.1.1: no line should have more than 78 characters."""
    number, length = matter.longest_line
    return f"line {number} has {length} octets, more than {_WANTED}" if length > _WANTED else ""


def bare_line_ends(matter: ContentView) -> str:
    """RFC 5322 §2.3: CR and LF occur together only."""
    return "a CR or LF is not part of a CRLF" if has_bare_line_ends(matter.raw) else ""


def nul(matter: ContentView) -> str:
    """RFC 5322 §4: NUL is not allowed any more."""
    at = matter.raw.find(b"\0")
    return f"octet {at} is a NUL" if at >= 0 else ""


def eight_bit_header(matter: ContentView) -> str:
    """RFC 6532 §3: bytes above 127 in a header need SMTPUTF8, and are UTF-8."""
    header = matter.header
    if header.isascii():
        return ""
    try:
        header.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"octet {error.start} of the header is not UTF-8"
    return "" if matter.facts.smtputf8 else "the header has octets above 127, and SMTPUTF8 was not asked for"


def eight_bit_body(matter: ContentView) -> str:
    """RFC 6152 §3: bytes above 127 in a body are announced with BODY=8BITMIME."""
    if matter.facts.body is not BodyType.SEVEN_BIT or matter.raw[len(matter.header) :].isascii():
        return ""
    return "the body has octets above 127, and BODY=8BITMIME was not announced"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _show(line: bytes) -> str:
    return repr(line[:_SHOWN].decode("ascii", "backslashreplace"))


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
