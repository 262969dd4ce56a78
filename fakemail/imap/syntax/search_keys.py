"""Search programs as trees of values, with sort and thread criteria and result options.

Different spellings of one meaning are one value here: ``UNSEEN`` is ``Not(HasFlag("\\\\Seen"))`` and
``FROM x`` is ``AddressContains("From", x)``. How a message answers a key is the business of
:mod:`fakemail.imap.content`.
"""

from __future__ import annotations

import datetime
from enum import Enum

from fakemail.imap.syntax.sets import NumberSet, PartialRange
from fakemail.types.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class AllMessages:
    """``ALL``: every message."""


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more keys. Parentheses inside parentheses are one value."""

    keys: tuple[SearchKey, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of two or more keys. Chains of OR, however they are nested, are one value."""

    keys: tuple[SearchKey, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The messages that do not match a key."""

    key: SearchKey


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """``FUZZY``: a key that may match loosely (RFC 6203 §3)."""

    key: SearchKey


@dataclass(frozen=True, slots=True)
class InSet:
    """Messages by sequence number, or by UID when ``uid`` is set; the set may be ``$``."""

    numbers: NumberSet
    uid: bool = False


@dataclass(frozen=True, slots=True)
class HasFlag:
    """A system flag in its usual spelling (``\\Seen``, ``\\Recent``) or a keyword as the client wrote it."""

    flag: str


@dataclass(frozen=True, slots=True)
class HeaderContains:
    """A header field holds some text; empty text asks whether the field is there at all."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class AddressContains:
    """The addresses of an ENVELOPE member hold some text; empty text asks whether the field is there at all."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class BodyContains:
    """The body (not the header) holds some text."""

    text: str


@dataclass(frozen=True, slots=True)
class TextContains:
    """The header or the body holds some text."""

    text: str


class DateField(Enum):
    """A date of a message; the value is the prefix of the key."""

    INTERNAL = ""
    SENT = "SENT"  # the Date field, without its time and zone
    SAVED = "SAVED"  # RFC 8514 §4.3


class DateRelation(Enum):
    """Relation of that date to the key's, by whole days."""

    BEFORE = "BEFORE"
    ON = "ON"
    SINCE = "SINCE"


@dataclass(frozen=True, slots=True)
class DateIs:
    """``BEFORE``, ``SENTSINCE``, ``SAVEDON``..."""

    field: DateField
    relation: DateRelation
    date: datetime.date


@dataclass(frozen=True, slots=True)
class SaveDateSupported:
    """``SAVEDATESUPPORTED``: all messages where the mailbox keeps save dates, else none (RFC 8514 §4.3)."""


@dataclass(frozen=True, slots=True)
class SizeIs:
    """``LARGER`` (strictly) than so many bytes, or ``SMALLER`` when ``larger`` is not set."""

    larger: bool
    size: int


@dataclass(frozen=True, slots=True)
class Age:
    """``OLDER`` or ``YOUNGER`` than so many seconds, by internal date (RFC 5032 §3)."""

    older: bool
    seconds: int


@dataclass(frozen=True, slots=True)
class ModSeqAtLeast:
    """``MODSEQ``: changed at or after a mod-sequence (RFC 7162 §3.1.5).

    ``flag`` and ``kind`` (``"priv"``, ``"shared"`` or ``"all"``) name one metadata item, if the client did.
    """

    modseq: int
    flag: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class EmailIdIs:
    """``EMAILID`` (RFC 8474 §6)."""

    id: str


@dataclass(frozen=True, slots=True)
class ThreadIdIs:
    """``THREADID`` (RFC 8474 §6)."""

    id: str


@dataclass(frozen=True, slots=True)
class GmailRaw:
    """``X-GM-RAW``: a search in the language of Gmail's web page."""

    text: str


@dataclass(frozen=True, slots=True)
class GmailMessageIdIs:
    """``X-GM-MSGID``."""

    id: int


@dataclass(frozen=True, slots=True)
class GmailThreadIdIs:
    """``X-GM-THRID``."""

    id: int


@dataclass(frozen=True, slots=True)
class HasGmailLabel:
    """``X-GM-LABELS``."""

    label: str


SearchKey = (
    AllMessages
    | And
    | Or
    | Not
    | Fuzzy
    | InSet
    | HasFlag
    | HeaderContains
    | AddressContains
    | BodyContains
    | TextContains
    | DateIs
    | SaveDateSupported
    | SizeIs
    | Age
    | ModSeqAtLeast
    | EmailIdIs
    | ThreadIdIs
    | GmailRaw
    | GmailMessageIdIs
    | GmailThreadIdIs
    | HasGmailLabel
)


def walk(key: SearchKey) -> list[SearchKey]:
    """A key and all that are in it, in no particular order."""
    found: list[SearchKey] = []
    waiting = [key]
    while waiting:
        key = waiting.pop()
        found.append(key)
        if isinstance(key, And | Or):
            waiting.extend(key.keys)
        elif isinstance(key, Not | Fuzzy):
            waiting.append(key.key)
    return found


class ResultOption(Enum):
    """Result options of SEARCH, SORT and ESEARCH (RFC 4731 §3.1, RFC 5182 §2)."""

    MIN = "MIN"
    MAX = "MAX"
    ALL = "ALL"
    COUNT = "COUNT"
    SAVE = "SAVE"


@dataclass(frozen=True, slots=True)
class SearchReturn:
    """``RETURN (...)``; empty parentheses mean ALL and stay empty here. ``partial`` as in RFC 9394 §3.1."""

    options: frozenset[ResultOption] = frozenset()
    partial: PartialRange | None = None


class SortField(Enum):
    """RFC 5256 §3 and, for the DISPLAY names, RFC 5957 §4."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    FROM = "FROM"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"


@dataclass(frozen=True, slots=True)
class SortCriterion:
    """One sort criterion, perhaps reversed."""

    field: SortField
    reverse: bool = False


class ThreadAlgorithm(Enum):
    """Threading algorithms (RFC 5256 §3)."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    REFERENCES = "REFERENCES"
