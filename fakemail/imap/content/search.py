"""SEARCH on one message: a key tree becomes one test, made once for each command (RFC 9051 §6.4.4).

Cheap tests come before those that read a header, and those before the ones that read a body. How keys are
written is the business of :mod:`fakemail.imap.syntax`; which messages there are is known to the session.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable
from datetime import timedelta
from enum import IntEnum
from typing import Final, NamedTuple

from fakemail.clock import date, datetime
from fakemail.imap.content.index import HeaderIndex, address_needle, collation_key, index_of
from fakemail.imap.syntax.search_keys import (
    AddressContains,
    Age,
    AllMessages,
    And,
    BodyContains,
    DateField,
    DateIs,
    DateRelation,
    EmailIdIs,
    Fuzzy,
    GmailMessageIdIs,
    GmailRaw,
    GmailThreadIdIs,
    HasFlag,
    HasGmailLabel,
    HeaderContains,
    InSet,
    ModSeqAtLeast,
    Not,
    Or,
    SaveDateSupported,
    SearchKey,
    SizeIs,
    TextContains,
    ThreadIdIs,
)
from fakemail.imap.syntax.sets import SequenceSet
from fakemail.message.decoding import decode_words, guess
from fakemail.message.mime import Part
from fakemail.message.mime import parse as parse_mime
from fakemail.store.message import StoredMessage
from fakemail.types.dataclass import dataclass

MAX_NESTING: Final = 100
"""ORs and NOTs inside each other beyond this number are refused; flat lists may be of any length."""

# Without these two the whole body is plain text (RFC 2045 §5.2, §6.1).
_MIME: Final = re.compile(rb"\n(?i:content-t)")

Test = Callable[[StoredMessage, int], bool]
"""Whether a message, with its sequence number, matches."""


class TooDeep(Exception):
    """A search program nests deeper than :data:`MAX_NESTING`."""


class _Cost(IntEnum):
    """The data that a test reads, cheapest first."""

    NOTHING = 0
    VALUE = 1
    HEADER = 2
    BODY = 3


class _RatedKey(NamedTuple):
    cost: _Cost
    test: Test


def _no_labels(message: StoredMessage) -> Iterable[str]:
    return ()


def _no_id(message: StoredMessage) -> int:
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchContext:
    """The facts that a search needs beside the message."""

    now: datetime
    """Present time for OLDER and YOUNGER."""
    largest_number: int = 0
    """The sequence number that ``*`` means."""
    largest_uid: int = 0
    """The UID that ``*`` means."""
    saved: Container[int] = frozenset()
    """The UIDs that ``$`` means (RFC 5182)."""
    recent: Container[int] = frozenset()
    """The UIDs that are ``\\Recent`` in this session."""
    save_dates: bool = True
    """Whether the mailbox keeps save dates (RFC 8514); without, internal dates stand in."""
    gmail_message_id: Callable[[StoredMessage], int] = _no_id
    gmail_thread_id: Callable[[StoredMessage], int] = _no_id
    gmail_labels: Callable[[StoredMessage], Iterable[str]] = _no_labels
    gmail_query: Callable[[str], SearchKey] = TextContains
    """The ordinary keys that X-GM-RAW stands for."""


def compile_search(key: SearchKey, context: SearchContext) -> Test:
    """One test for a whole search program. Raises :class:`TooDeep`."""
    return _compile(key, context, MAX_NESTING).test


def _compile(key: SearchKey, context: SearchContext, depth: int) -> _RatedKey:
    if not depth:
        raise TooDeep(f"search keys nest deeper than {MAX_NESTING}")
    match key:
        case And():
            parts = [_compile(part, context, depth - 1) for part in _flat(key, And)]
            return _all_of(sorted(parts, key=_cost))
        case Or():
            parts = [_compile(part, context, depth - 1) for part in _flat(key, Or)]
            return _any_of(sorted(parts, key=_cost))
        case Not() | Fuzzy():
            negated = False
            inner: SearchKey = key
            while isinstance(inner, Not | Fuzzy):  # RFC 6203 §3: FUZZY may match exactly
                negated ^= isinstance(inner, Not)
                inner = inner.key
            rated = _compile(inner, context, depth - 1)
            return _negated(rated) if negated else rated
        case GmailRaw():
            return _compile(context.gmail_query(key.text), context, depth - 1)
        case _:
            return _leaf(key, context)


def _cost(rated: _RatedKey) -> _Cost:
    return rated.cost


def _flat(key: SearchKey, kind: type[And] | type[Or]) -> list[SearchKey]:
    """The parts of ANDs inside ANDs, or of ORs inside ORs, in order."""
    out: list[SearchKey] = []
    waiting = [key]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, kind):
            out.append(part)
        else:
            waiting.extend(reversed(part.keys))
    return out


def _all_of(parts: list[_RatedKey]) -> _RatedKey:
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.test for part in parts)
    cost = max((part.cost for part in parts), default=_Cost.NOTHING)
    if len(tests) == 2:
        first, second = tests
        return _RatedKey(cost, lambda message, number: first(message, number) and second(message, number))

    def every(message: StoredMessage, number: int) -> bool:
        for test in tests:  # noqa: SIM110 -- a generator costs more than most of the tests
            if not test(message, number):
                return False
        return True

    return _RatedKey(cost, every)


def _any_of(parts: list[_RatedKey]) -> _RatedKey:
    tests = tuple(part.test for part in parts)

    def some(message: StoredMessage, number: int) -> bool:
        for test in tests:  # noqa: SIM110
            if test(message, number):
                return True
        return False

    return _RatedKey(max(part.cost for part in parts), some)


def _negated(rated: _RatedKey) -> _RatedKey:
    test = rated.test
    return _RatedKey(rated.cost, lambda message, number: not test(message, number))


def _leaf(key: SearchKey, context: SearchContext) -> _RatedKey:
    match key:
        case AllMessages():
            return _RatedKey(_Cost.NOTHING, lambda message, number: True)
        case SaveDateSupported():
            supported = context.save_dates
            return _RatedKey(_Cost.NOTHING, lambda message, number: supported)
        case AddressContains(name=field, text=text):
            return _RatedKey(_Cost.HEADER, _address_test(field.lower(), address_needle(text)))
        case HeaderContains() | BodyContains() | TextContains():
            return _text_test(key)
        case DateIs():
            return _date_test(key, context)
        case InSet():
            return _RatedKey(_Cost.VALUE, _set_test(key, context))
        case HasFlag():
            return _RatedKey(_Cost.VALUE, _flag_test(key.flag, context))
        case _:
            return _RatedKey(_Cost.VALUE, _value_test(key, context))


def _value_test(key: SearchKey, context: SearchContext) -> Test:
    match key:
        case SizeIs(larger=larger, size=size):
            if larger:
                return lambda message, number: len(message.content.raw) > size
            return lambda message, number: len(message.content.raw) < size
        case Age(older=older, seconds=seconds):
            return _age_test(older, seconds, context.now)
        case ModSeqAtLeast(modseq=modseq):
            # Metadata items have no mod-sequences of their own here (RFC 7162 §3.1.5 allows that).
            return lambda message, number: message.modseq >= modseq
        case EmailIdIs(id=wanted):
            return lambda message, number: message.content.email_id == wanted
        case ThreadIdIs(id=wanted):
            return lambda message, number: message.content.thread_id == wanted
        case GmailMessageIdIs(id=number_wanted):
            message_id = context.gmail_message_id
            return lambda message, number: message_id(message) == number_wanted
        case GmailThreadIdIs(id=number_wanted):
            thread_id = context.gmail_thread_id
            return lambda message, number: thread_id(message) == number_wanted
        case HasGmailLabel(label=label):
            labels, name = context.gmail_labels, collation_key(label)
            return lambda message, number: any(collation_key(one) == name for one in labels(message))
        case _:
            raise TypeError(f"{key!r} is no search key")


def _age_test(older: bool, age: int, now: datetime) -> Test:
    # RFC 5032 §3: YOUNGER matches dates later than or at the time that long ago, OLDER dates at or before.
    try:
        then = now - timedelta(seconds=age)
    except OverflowError:  # before the year 1
        return lambda message, number: not older
    if older:
        return lambda message, number: message.internal_date <= then
    return lambda message, number: message.internal_date >= then


def _flag_test(flag: str, context: SearchContext) -> Test:
    name = flag.lower()
    if name == "\\recent":
        recent = context.recent
        return lambda message, number: message.uid in recent
    # Few sets of flags are in use, so the answer for each is cached; case does not count (RFC 9051 §2.3.2).
    known: dict[frozenset[str], bool] = {}

    def test(message: StoredMessage, number: int) -> bool:
        flags = message.flags
        found = known.get(flags)
        if found is None:
            found = known[flags] = flag in flags or any(one.lower() == name for one in flags)
        return found

    return test


def _set_test(key: InSet, context: SearchContext) -> Test:
    if not isinstance(key.numbers, SequenceSet):
        saved = context.saved
        return lambda message, number: message.uid in saved
    ranges = key.numbers.resolve(context.largest_uid if key.uid else context.largest_number)
    if len(ranges) == 1:
        low, high = ranges[0]
        if key.uid:
            return lambda message, number: low <= message.uid <= high
        return lambda message, number: low <= number <= high
    starts = [first for first, _ in ranges]
    ends = [last for _, last in ranges]

    def inside(value: int) -> bool:
        at = bisect_right(starts, value) - 1
        return at >= 0 and value <= ends[at]

    if key.uid:
        return lambda message, number: inside(message.uid)
    return lambda message, number: inside(number)


def _date_test(key: DateIs, context: SearchContext) -> _RatedKey:
    # RFC 9051 §6.4.4: time and zone are disregarded: the day is the one written down.
    compare = _COMPARISONS[key.relation]
    wanted = key.date
    if key.field is DateField.SENT:

        def sent(message: StoredMessage, number: int) -> bool:
            day = index_of(message.content).sent_day
            return day is not None and compare(day, wanted)

        return _RatedKey(_Cost.HEADER, sent)
    # RFC 8514 §4.3: without save dates, internal dates stand in.
    if key.field is DateField.SAVED and context.save_dates:
        return _RatedKey(_Cost.VALUE, lambda message, number: compare(message.saved_at.date(), wanted))
    return _RatedKey(_Cost.VALUE, lambda message, number: compare(message.internal_date.date(), wanted))


_COMPARISONS: Final[dict[DateRelation, Callable[[date, date], bool]]] = {
    DateRelation.BEFORE: date.__lt__,
    DateRelation.ON: date.__eq__,
    DateRelation.SINCE: date.__ge__,
}


def _text_test(key: HeaderContains | BodyContains | TextContains) -> _RatedKey:
    needle = collation_key(key.text)
    if isinstance(key, HeaderContains):
        return _RatedKey(_Cost.HEADER, _field_test(key.name.lower(), needle))
    if not needle:  # every text holds the empty one
        return _RatedKey(_Cost.NOTHING, lambda message, number: True)
    if isinstance(key, BodyContains):
        return _RatedKey(
            _Cost.BODY, lambda message, number: _body_contains(index_of(message.content), needle)
        )

    def anywhere(message: StoredMessage, number: int) -> bool:
        index = index_of(message.content)
        return _header_contains(index, needle) or _body_contains(index, needle, part_headers=True)

    return _RatedKey(_Cost.BODY, anywhere)


def _address_test(name: str, needle: str) -> Test:
    if not needle:
        return lambda message, number: index_of(message.content).has(name)

    def test(message: StoredMessage, number: int) -> bool:
        text = index_of(message.content).addresses(name)
        return text is not None and needle in text

    return test


def _field_test(name: str, needle: str) -> Test:
    if not needle:  # RFC 9051 §6.4.4: an empty string matches all messages that have the field
        return lambda message, number: index_of(message.content).has(name)

    def test(message: StoredMessage, number: int) -> bool:
        text = index_of(message.content).folded(name)
        return text is not None and needle in text

    return test


# Text: of text/* parts, headers of enclosed messages, and other parts of message/*, such as the report of a bounce.
# Attachments are not searched.


def _header_contains(index: HeaderIndex, needle: str) -> bool:
    """Whether the decoded header of a message, field names too, holds some folded text."""
    return needle in _header_text(index.raw[: index.body_start])


def _body_contains(index: HeaderIndex, needle: str, *, part_headers: bool = False) -> bool:
    """Whether the decoded body holds some folded text; ``part_headers`` looks into MIME headers too."""
    raw = index.raw
    if _has_mime(raw, index.body_start):
        return _part_contains(parse_mime(raw), needle, part_headers)
    return _in_text(guess(raw[index.body_start :]), needle)


def _part_contains(root: Part, needle: str, part_headers: bool) -> bool:
    for part in root.walk():
        kind = part.type.main
        is_text = kind == "text" or (kind == "message" and not part.children)
        if is_text and _in_text(part.crlf_text, needle):
            return True
        enclosed = part.is_message
        for child in part.children:
            if (enclosed or part_headers) and needle in _header_text(child.header):
                return True
    return False


def _in_text(text: str, needle: str) -> bool:
    return needle in collation_key(text.replace("\r\n", "\n") if "\n" in needle else text)


def _has_mime(raw: bytes, end: int) -> bool:
    return raw[:9].lower() == b"content-t" or _MIME.search(raw, 0, end) is not None


def _header_text(header: bytes) -> str:
    text = guess(header).replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", "\t")  # unfolded
    return collation_key(decode_words(text) if "=?" in text else text)
