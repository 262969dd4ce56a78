"""What search, sort and thread need to know of a header, found once and kept small.

An index reads single fields out of the octets and never splits the whole header. Which messages match or in
which order they come is decided elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from fakemail.imap.content.envelope import PLAIN_ADDRESS
from fakemail.mail.addresses import Kind, read_addresses
from fakemail.mail.decoding import decode_words, field_text, unfold, unfolded
from fakemail.mail.fields import has_field, pick_fields
from fakemail.mail.headers import body_offset, parse_date

_KEY: Final = "imap.headers"
_OCTETS: Final = 500
"""What one index with its texts weighs, roughly."""
_LONGEST_KEPT: Final = 400
"""Texts with more characters are made anew each time, so that no message can fill the memory."""
_UNREAD: Final = object()
_KEPT: Final = {"subject": "_subject", "from": "_from", "to": "_to", "cc": "_cc"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# RFC 5256 §2.2: a valid date counts even where time and zone do not.
_DAY: Final = re.compile(r"\b(\d{1,2})[ -]([A-Za-z]{3})[a-z]*[ -](\d{4}|\d{2})\b")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# RFC 5322 §3.6.4: msg-id = "<" id-left "@" id-right ">", read widely, quoted parts too.
_MESSAGE_ID: Final = re.compile(r'<((?:[^<>\s"]++|"(?:[^"\\<>]|\\.)*+")++)>')
_QUOTING: Final = re.compile(r'"|\\(.)')


class HasContent(Protocol):
    """The octets of one message, and a place to keep what was found out about them."""

    @property
    def raw(self) -> bytes: ...
    @property
    def email_id(self) -> str: ...
    @property
    def thread_id(self) -> str: ...
    def recall(self, key: str) -> object: ...
    def remember(self, key: str, value: object, octets: int) -> None: ...


class HasMessage(Protocol):
    """A message in a mailbox, as far as search, sort and thread look at it."""

    @property
    def uid(self) -> int: ...
    @property
    def content(self) -> HasContent: ...
    @property
    def flags(self) -> frozenset[str]: ...
    @property
    def internal_date(self) -> datetime: ...
    @property
    def modseq(self) -> int: ...
    @property
    def saved_at(self) -> datetime: ...


class FirstAddress(NamedTuple):
    """The first address of an ENVELOPE member, decoded; ``""`` is NIL (RFC 5957 §3)."""

    name: str = ""
    mailbox: str = ""
    host: str = ""


def fold(text: str) -> str:
    """Text as it is compared: without regard to case and compatibility forms (after RFC 5051)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def collation_key(text: str) -> str:
    """Text as it is sorted, by code points: the collation ``i;unicode-casemap`` (RFC 5256 §1, RFC 5051 §2)."""
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", "".join([_title(character) for character in text]))


def _title(character: str) -> str:
    title = character.title()
    return title if len(title) == 1 else character  # the simple mapping, one to one


def index_of(content: HasContent) -> HeaderIndex:
    """The index of a message, kept with its octets."""
    kept = content.recall(_KEY)
    if isinstance(kept, HeaderIndex):
        return kept
    index = HeaderIndex(content.raw)
    content.remember(_KEY, index, _OCTETS)
    return index


class HeaderIndex:
    """The header of one message, one field at a time; what is asked for often is kept."""

    __slots__ = ("_cc", "_day", "_from", "_sent", "_subject", "_to", "body_start", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.body_start = body_offset(raw)
        """Offset of the first octet of the body."""
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
        """The decoded and folded texts of all fields of that name, lower-case; None when there is none."""
        slot = _KEPT.get(name)
        if slot is None:
            return self._folded(name)
        kept = getattr(self, slot)
        if kept is not _UNREAD:
            return kept  # type: ignore[no-any-return]
        text = self._folded(name)
        if text is None or len(text) <= _LONGEST_KEPT:
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
        """When it was sent, in seconds since 1970 UTC; the internal date where no Date can be read.

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
        """What it answers, oldest first: References, else the first of In-Reply-To (RFC 5256 §3)."""
        return self._ids("references") or self._ids("in-reply-to")[:1]

    def _ids(self, name: str) -> list[str]:
        bodies = self.fields(name)
        if not bodies:
            return []
        found: list[str] = _MESSAGE_ID.findall(unfold(bodies[0] if len(bodies) == 1 else b" ".join(bodies)))
        # RFC 5256 §3: <"a"@b> and <a@b> are the same.
        return [_QUOTING.sub(r"\1", one) if '"' in one else one for one in found]

    def _folded(self, name: str) -> str | None:
        bodies = self.fields(name)
        return "\n".join([fold(field_text(body)) for body in bodies]) if bodies else None

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
    if first.kind is Kind.GROUP_START:
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
