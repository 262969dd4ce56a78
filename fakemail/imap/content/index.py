"""Index of one header, for search, sort and thread: found once, and small.

An index reads single fields out of the bytes and never splits the whole header. Which messages match or in
which order they come is decided elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Final, NamedTuple

from fakemail.clock import date, datetime
from fakemail.imap.content.envelope import PLAIN_ADDRESS
from fakemail.message.addresses import AddressItemKind, read_addresses
from fakemail.message.decoding import decode_words, field_text, unfold, unfolded
from fakemail.message.headers import body_offset, has_field, parse_date, pick_fields
from fakemail.store.content import Content

_KEY: Final = "imap.headers"
_SIZE: Final = 500
"""Bytes that one index with its texts takes, roughly."""
_LONGEST_CACHED: Final = 400
"""Texts with more characters are made anew each time, so that no message can fill the memory."""
_UNREAD: Final = object()
_SLOTS: Final = {"from": "_from", "to": "_to", "cc": "_cc"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# RFC 5256 §2.2: a valid date counts even where time and zone do not.
_DAY: Final = re.compile(r"\b(\d{1,2})[ -]([A-Za-z]{3})[a-z]*[ -](\d{4}|\d{2})\b")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# RFC 5322 §3.6.4: msg-id = "<" id-left "@" id-right ">", read widely, quoted parts too.
_MESSAGE_ID: Final = re.compile(r'<((?:[^<>\s"]++|"(?:[^"\\<>]|\\.)*+")++)>')
# Every character whose title case is not its upper case, and some of their neighbours; for all others the upper case
# is taken, since that is known for a whole text at once.
_OWN_TITLE: Final = re.compile(
    "([\u00df\u0149\u01c4-\u01cc\u01f0-\u01f3\u0390\u03b0\u0587\u10d0-\u10ff\u1e96-\u1e9a\u1f50-\u1fff\ufb00-\ufb17]+)"
)
_QUOTES: Final = {ord(character): None for character in '"\\'}
_QUOTING: Final = re.compile(r'"|\\(.)')


class FirstAddress(NamedTuple):
    """The first address of an ENVELOPE member, decoded; ``""`` is NIL (RFC 5957 §3)."""

    name: str = ""
    mailbox: str = ""
    host: str = ""


def collation_key(text: str) -> str:
    """Text as it is compared and sorted: the collation ``i;unicode-casemap`` (RFC 5051 §2, RFC 9051 §6.4.4).

    Each character in title case, one to one, then decomposed: ``é`` is ``É`` and ``e`` with an accent behind it, ``ß``
    is not ``ss``.
    """
    if text.isascii():
        return text.upper()
    pieces = _OWN_TITLE.split(text)
    pieces[::2] = [piece.upper() for piece in pieces[::2]]
    pieces[1::2] = ["".join(map(_title, piece)) for piece in pieces[1::2]]
    return unicodedata.normalize("NFKD", "".join(pieces))


def _title(character: str) -> str:
    title = character.title()
    return title if len(title) == 1 else character  # the simple mapping, one to one


def index_of(content: Content) -> HeaderIndex:
    """The index of a message, cached with its bytes."""
    cached = content.recall(_KEY)
    if isinstance(cached, HeaderIndex):
        return cached
    index = HeaderIndex(content.raw)
    content.remember(_KEY, index, _SIZE)
    return index


class HeaderIndex:
    """The header of one message, one field at a time; those that are often needed are cached."""

    __slots__ = ("_cc", "_day", "_from", "_sent", "_subject", "_to", "body_start", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.body_start = body_offset(raw)
        """Offset of the first byte of the body."""
        self._subject = self._from = self._to = self._cc = _UNREAD
        self._sent: int | None = None
        self._day: int | None = -1

    def fields(self, name: str) -> list[bytes]:
        """The raw bodies of all fields of that name, lower-case, in order."""
        return [match[2] for match in pick_fields(self.raw, 0, self.body_start, (name,))]

    def has(self, name: str) -> bool:
        """Whether there is a field of that name, lower-case."""
        return has_field(self.raw, 0, self.body_start, name)

    def folded(self, name: str) -> str | None:
        """The decoded texts of all fields of that name, lower-case, as they are compared; None when there is none."""
        return self._cached("_subject" if name == "subject" else "", name, _folded)

    def addresses(self, name: str) -> str | None:
        """The addresses in all fields of that name, lower-case, as they are compared; None when there is no field.

        As in ENVELOPE, without comments, folds and quotes: ``Doe, John <john@example.org>, ann@example.org``.
        """
        return self._cached(_SLOTS.get(name, ""), name, _addresses)

    def _cached(self, slot: str, name: str, make: Callable[[bytes], str]) -> str | None:
        if slot and (cached := getattr(self, slot)) is not _UNREAD:
            return cached  # type: ignore[no-any-return]
        bodies = self.fields(name)
        text = "\n".join([make(body) for body in bodies]) if bodies else None
        if slot and (text is None or len(text) <= _LONGEST_CACHED):
            setattr(self, slot, text)
        return text

    def text(self, name: str) -> str:
        """The decoded text of the first field of that name, lower-case, or ``""``."""
        bodies = self.fields(name)
        return field_text(bodies[0]) if bodies else ""

    def first_address(self, name: str) -> FirstAddress:
        """The first address of the fields of that name, lower-case."""
        for body in self.fields(name):
            found = _first_address(body)
            if found is not None:
                return found
        return FirstAddress()

    @property
    def sent_day(self) -> date | None:
        """The day in the Date field, its time and zone ignored (RFC 9051 §6.4.4), or None."""
        self._read_date()
        return None if self._day is None else date.fromordinal(self._day)

    def sent(self, internal_date: datetime) -> int:
        """The sent date, in seconds since 1970 UTC; the internal date where no Date can be read.

        RFC 5256 §2.2.
        """
        self._read_date()
        return seconds(internal_date) if self._sent is None else self._sent

    @property
    def message_id(self) -> str:
        """The normalised Message-ID without brackets, or ``""``."""
        return next(iter(self._ids("message-id")), "")

    @property
    def references(self) -> list[str]:
        """Ids of the answered messages, oldest first: References, else the first of In-Reply-To (RFC 5256 §3)."""
        return self._ids("references") or self._ids("in-reply-to")[:1]

    def _ids(self, name: str) -> list[str]:
        bodies = self.fields(name)
        if not bodies:
            return []
        found: list[str] = _MESSAGE_ID.findall(unfold(bodies[0] if len(bodies) == 1 else b" ".join(bodies)))
        # RFC 5256 §3: <"a"@b> and <a@b> are the same.
        return [_QUOTING.sub(r"\1", one) if '"' in one else one for one in found]

    def _read_date(self) -> None:
        if self._day != -1:
            return
        bodies = self.fields("date")
        text = unfold(bodies[0])[:200] if bodies else ""
        when = parse_date(text) if text else None
        if when is not None:
            self._sent, self._day = seconds(when), when.toordinal()
            return
        day = _day(text)
        self._day = None if day is None else day.toordinal()
        if day is not None:
            self._sent = seconds(datetime(day.year, day.month, day.day, tzinfo=UTC))


def seconds(when: datetime) -> int:
    """A time in seconds since 1970 UTC."""
    aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(seconds=1)


def _folded(body: bytes) -> str:
    return collation_key(field_text(body))


def address_needle(text: str) -> str:
    """Text that is looked for in :meth:`HeaderIndex.addresses`."""
    return collation_key(text.translate(_QUOTES))


def _addresses(body: bytes) -> str:
    plain = PLAIN_ADDRESS.fullmatch(unfolded(body))
    if plain is not None:  # a single one, as in nearly all mail
        first = _first_address(body) or FirstAddress()
        return address_needle(_written(first.name, first.mailbox, first.host))
    written: list[str] = []
    group, among = "", written
    for item in read_addresses(body):
        if item.kind is AddressItemKind.GROUP_START:
            group, among = decode_words(item.name), []
        elif item.kind is AddressItemKind.GROUP_END:
            written.append(f"{group}: {', '.join(among)};" if among else f"{group}:;")
            among = written
        else:
            among.append(_written(decode_words(item.name), item.local, item.domain))
    return address_needle(", ".join(written))


def _written(name: str, local: str, domain: str) -> str:
    address = f"{local}@{domain}" if domain else local
    return f"{name} <{address}>" if name else address


def _first_address(body: bytes) -> FirstAddress | None:
    raw = unfolded(body)
    plain = PLAIN_ADDRESS.match(raw)
    if plain is not None:
        quoted, phrase, local, domain, bare_local, bare_domain, _ = plain.groups()
        name = quoted if phrase is None else phrase.strip()
        return FirstAddress(
            field_text(name) if name else "", unfold(local or bare_local), unfold(domain or bare_domain)
        )
    items = read_addresses(body)
    if not items:
        return None
    first = items[0]
    if first.kind is AddressItemKind.GROUP_START:
        return FirstAddress("", decode_words(first.name))
    return FirstAddress(decode_words(first.name), first.local, first.domain)


def _day(text: str) -> date | None:
    match = _DAY.search(text)
    if match is None or match[2].lower() not in _MONTHS:
        return None
    year = int(match[3])
    if len(match[3]) == 2:  # RFC 5322 §4.3
        year += 2000 if year < 50 else 1900
    try:
        return date(year, _MONTHS.index(match[2].lower()) + 1, int(match[1]))
    except ValueError:
        return None
