"""ENVELOPE: the header of a message as IMAP clients list it (RFC 9051 §7.5.2, RFC 3501 §7.4.2).

Encoded-words and dates stay as written. Decoding for people lives in :mod:`fakemail.message`.
"""

from __future__ import annotations

import re
from typing import Final

from fakemail.imap.content.strings import NIL, nstring, string
from fakemail.message.addresses import AddressItem, AddressItemKind, octets_of, split_addresses
from fakemail.message.decoding import unfolded
from fakemail.message.headers import body_offset, pick_fields

NO_MAILBOX: Final = b"MISSING_MAILBOX"
"""Stands for the mailbox of something in an address list that is no address."""
NO_DOMAIN: Final = b"MISSING_DOMAIN"
"""Stands for the domain of an address that has none: NIL would mean a group."""
EMPTY_ENVELOPE: Final = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"

_NAMES: Final = (
    "date",
    "subject",
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "in-reply-to",
    "message-id",
)
# The addresses of nearly all mail: name <local@domain>, "name" <local@domain>, local@domain.
PLAIN_ADDRESS: Final = re.compile(
    rb'[ \t]*+(?:(?:"([^"\\]*+)"|([^"(),:;<>@\[\]\\\x00-\x08\x0a-\x1f]*+))[ \t]*+'
    rb'<([^"(),:;<>@\[\]\\\x00-\x20]++)@([^"(),:;<>@\[\]\\\x00-\x20]++)>'
    rb'|([^"(),:;<>@\[\]\\\x00-\x20]++)@([^"(),:;<>@\[\]\\\x00-\x20]++))[ \t]*+(?:(,)|\Z)'
)


def envelope(raw: bytes, start: int = 0, end: int | None = None, *, utf8: bool = False) -> bytes:
    """The ENVELOPE of the message whose header is ``raw[start:end]``, in parentheses.

    Without ``end``, the header of the message in ``raw[start:]``.

    Of a repeated Date, Subject, In-Reply-To or Message-ID the first counts; repeated address fields are
    one list.
    """
    found: dict[bytes, list[bytes]] = {}
    stop = body_offset(raw, start) if end is None else end
    for match in pick_fields(raw, start, stop, _NAMES):
        found.setdefault(match[1].lower(), []).append(match[2])

    def text(name: bytes) -> bytes:
        # RFC 9051 §7.5.2: NIL when the field is absent, "" when it is empty.
        bodies = found.get(name)
        return NIL if bodies is None else string(unfolded(bodies[0]), utf8=utf8)

    def addresses(name: bytes, default: bytes = NIL) -> bytes:
        printed = b"".join([_addresses(body, utf8) for body in found.get(name, ())])
        # RFC 9051 §9: env-from = "(" 1*address ")" / nil. An empty list has no other form than NIL.
        return b"(%b)" % printed if printed else default

    from_ = addresses(b"from")
    fields = (
        text(b"date"),
        text(b"subject"),
        from_,
        # RFC 9051 §7.5.2: the server defaults Sender and Reply-To to From, absent or empty.
        addresses(b"sender", from_),
        addresses(b"reply-to", from_),
        addresses(b"to"),
        addresses(b"cc"),
        addresses(b"bcc"),
        text(b"in-reply-to"),
        text(b"message-id"),
    )
    return b"(%b)" % b" ".join(fields)


def _addresses(body: bytes, utf8: bool) -> bytes:
    raw = unfolded(body)
    plain = _plain_addresses(raw, utf8)
    if plain is not None:
        return plain
    items = split_addresses(raw.decode("utf-8", "surrogateescape"))
    return b"".join([_address(item, utf8) for item in items])


def _plain_addresses(raw: bytes, utf8: bool) -> bytes | None:
    """The addresses of a list without anything unusual in it, or None."""
    out = []
    at = 0
    while True:
        match = PLAIN_ADDRESS.match(raw, at)
        if match is None:
            return None
        quoted, phrase, local, domain, bare_local, bare_domain, comma = match.groups()
        name = quoted if phrase is None else b" ".join(phrase.split())
        out.append(
            b"(%b NIL %b %b)"
            % (
                string(name, utf8=utf8) if name else NIL,
                string(local or bare_local, utf8=utf8),
                string(domain or bare_domain, utf8=utf8),
            )
        )
        at = match.end()
        if comma is None:
            return b"".join(out)


def _address(item: AddressItem, utf8: bool) -> bytes:
    # RFC 9051 §9: address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
    # RFC 9051 §7.5.2: a host of NIL starts a group named in the mailbox, or ends one when that is NIL too.
    if item.kind is AddressItemKind.GROUP_START:
        return b"(NIL NIL %b NIL)" % string(octets_of(item.name), utf8=utf8)
    if item.kind is AddressItemKind.GROUP_END:
        return b"(NIL NIL NIL NIL)"
    return b"(%b %b %b %b)" % (
        nstring(octets_of(item.name) or None, utf8=utf8),
        nstring(octets_of(item.route) or None, utf8=utf8),
        string(octets_of(item.local) or NO_MAILBOX, utf8=utf8),
        string(octets_of(item.domain) or NO_DOMAIN, utf8=utf8),
    )
