"""Search programs, which SEARCH, SORT, THREAD and ESEARCH share: grammar, and the capabilities that they need.

Programs are read in one pass, and chains of OR without recursion, for clients build long ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from fakemail.imap.capabilities import GMAIL, Requirement
from fakemail.imap.syntax import search_keys as keys
from fakemail.imap.syntax.scanner import DEEPEST, NUMBER_63, Scanner
from fakemail.imap.syntax.search_keys import ResultOption, SearchKey, SearchReturn, walk
from fakemail.imap.syntax.sets import required_by_numbers

# RFC 8474 §7: objectid = 1*255(ALPHA / DIGIT / "_" / "-")
_OBJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}(?![A-Za-z0-9_-])")
_KEY = re.compile(r"[A-Za-z-]+")
_OR = re.compile(r"OR +", re.IGNORECASE)
_ENTRY_FLAG = re.compile(r"/flags/(\\?[^\x00-\x20\x7f-\xff(){%*\"\\\]]+)", re.IGNORECASE)
_RESULTS: Final = {option.value: option for option in ResultOption}
# Charsets that clients in use still send; the names are those of the IANA registry.
_CHARSETS: Final = frozenset(
    ["US-ASCII", "UTF-8", "SHIFT_JIS", "ISO-2022-JP", "EUC-JP", "EUC-KR", "GB2312", "GBK", "GB18030", "BIG5"]
    + ["KOI8-R", "KOI8-U"]
    + [f"ISO-8859-{part}" for part in range(1, 17) if part != 12]
    + [f"WINDOWS-{page}" for page in range(1250, 1259)]
)


def search_return(scan: Scanner) -> SearchReturn | None:
    """search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"."""
    if not scan.try_word("RETURN"):
        return None
    scan.space()
    scan.open("result options")
    options: set[ResultOption] = set()
    partial = None
    going = not scan.empty()
    while going:
        name = scan.word("a result option")
        option = _RESULTS.get(name)
        if name == "PARTIAL":  # RFC 9394 §4
            scan.space()
            partial = scan.partial_range()
        elif option is None:
            scan.refuse(f"{name} is no result option; there are {', '.join(_RESULTS)} and PARTIAL.")
        else:
            options.add(option)
        going = scan.more("a result option")
    if partial and ResultOption.ALL in options:  # RFC 9394 §3.1
        scan.refuse("ALL and PARTIAL exclude each other.")
    scan.space()
    return SearchReturn(frozenset(options), partial)


def search_program(scan: Scanner) -> tuple[str | None, SearchKey]:
    """search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)."""
    if not scan.try_word("CHARSET"):
        return None, search_keys(scan, "UTF-8")
    scan.space()
    charset = search_charset(scan)
    scan.space()
    return charset, search_keys(scan, charset)


def search_charset(scan: Scanner) -> str:
    """charset = atom / quoted."""
    charset = scan.raw_astring("a charset").upper()
    known = scan.dialect.charsets
    if charset not in (_CHARSETS if known is None else known):
        names = "US-ASCII UTF-8" if known is None else " ".join(sorted(known))
        scan.refuse(f"Charset {charset[:40]!a} is not known.", response="NO", code=f"BADCHARSET ({names})")
    return charset


def search_keys(scan: Scanner, charset: str) -> SearchKey:
    reader = _Keys(scan, charset)
    found = [reader.key(0)]
    while scan.another():
        found.append(reader.key(0))
    return _all_of(found)


def _all_of(found: list[SearchKey]) -> SearchKey:
    if len(found) == 1:
        return found[0]
    flat: list[SearchKey] = []
    for key in found:
        flat.extend(key.keys if isinstance(key, keys.And) else (key,))
    return keys.And(tuple(flat))


class _Keys:
    """Reads search keys, with the charset of their strings at hand."""

    __slots__ = ("charset", "scan")

    def __init__(self, scan: Scanner, charset: str) -> None:
        self.scan = scan
        self.charset = charset

    def key(self, depth: int) -> SearchKey:
        """One search-key; ``depth`` counts the parentheses and NOT around it."""
        scan = self.scan
        if depth > DEEPEST:
            scan.refuse(f"Search keys are nested deeper than {DEEPEST} levels.")
        first = scan.peek()
        if first == "(":
            return self._parentheses(depth)
        if first and first in "0123456789*$":
            return keys.InSet(scan.number_set())
        start = scan.at
        name = scan.take(_KEY, "a search key")[0].upper()
        if plain := _PLAIN.get(name):
            return plain
        if name == "OR":
            return self._any_of(depth)
        if name in ("NOT", "FUZZY"):  # RFC 6203 §6: "FUZZY" SP search-key
            scan.space()
            inner = self.key(depth + 1)
            return keys.Not(inner) if name == "NOT" else keys.Fuzzy(inner)
        reader = _WITH_ARGUMENTS.get(name)
        if reader is None:
            scan.at = start
            scan.fail("a search key")
        scan.space()
        return reader(self, name)

    def _parentheses(self, depth: int) -> SearchKey:
        """ "(" search-key *(SP search-key) ")"."""
        self.scan.open("search keys")
        found = [self.key(depth + 1)]
        while self.scan.more("a search key"):
            found.append(self.key(depth + 1))
        return _all_of(found)

    def _any_of(self, depth: int) -> SearchKey:
        """ "OR" SP search-key SP search-key, and all that are chained to it on either side."""
        scan = self.scan
        missing = 2
        flat: list[SearchKey] = []
        while missing:
            scan.space()
            if found := _OR.match(scan.text, scan.at):
                scan.at = found.end() - 1
                missing += 1
                continue
            key = self.key(depth + 1)
            flat.extend(key.keys if isinstance(key, keys.Or) else (key,))
            missing -= 1
        return keys.Or(tuple(flat))

    def text(self) -> str:
        """An astring in the charset of the command."""
        raw = self.scan.raw_astring("text to search for")
        if raw.isascii() and self.charset != "ISO-2022-JP":
            return raw
        try:
            return raw.encode("latin-1").decode(self.charset)
        except UnicodeDecodeError:
            self.scan.refuse(f"The text to search for is not valid {self.charset}.")


def _header(name: str) -> Callable[[_Keys, str], SearchKey]:
    return lambda reader, _: keys.HeaderContains(name, reader.text())


def _addresses(name: str) -> Callable[[_Keys, str], SearchKey]:
    # RFC 9051 §6.4.4: "in the envelope structure's FROM field"
    return lambda reader, _: keys.AddressContains(name, reader.text())


def _any_header(reader: _Keys, _: str) -> SearchKey:
    """ "HEADER" SP header-fld-name SP astring."""
    name = reader.scan.astring("the name of a header field")
    reader.scan.space()
    return keys.HeaderContains(name, reader.text())


def _date(reader: _Keys, name: str) -> SearchKey:
    """ "BEFORE" / "ON" / "SINCE", alone or after "SENT" or "SAVED" (RFC 8514 §5), SP date."""
    field = keys.DateField.INTERNAL
    for other in (keys.DateField.SENT, keys.DateField.SAVED):
        if name.startswith(other.value):
            field = other
    relation = keys.DateRelation(name.removeprefix(field.value))
    return keys.DateIs(field, relation, reader.scan.date())


def _keyword(reader: _Keys, name: str) -> SearchKey:
    """ "KEYWORD" / "UNKEYWORD" SP flag-keyword."""
    flag = keys.HasFlag(reader.scan.flag())
    return flag if name == "KEYWORD" else keys.Not(flag)


def _modseq(reader: _Keys, _: str) -> SearchKey:
    """ "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer (RFC 7162 §7)."""
    scan = reader.scan
    if scan.peek() != '"':
        return keys.ModSeqAtLeast(scan.number("a mod-sequence", NUMBER_63))
    entry = scan.string("a metadata item")
    found = _ENTRY_FLAG.fullmatch(entry)
    if not found:
        scan.refuse('A metadata item of MODSEQ is written as "/flags/name".')
    scan.space()
    kind = scan.word("priv, shared or all").lower()
    if kind not in ("priv", "shared", "all"):
        scan.refuse("The kind of a metadata item is priv, shared or all.")
    scan.space()
    return keys.ModSeqAtLeast(scan.number("a mod-sequence", NUMBER_63), found[1], kind)


def _object_id(reader: _Keys, name: str) -> SearchKey:
    """ "EMAILID" / "THREADID" SP objectid (RFC 8474 §7)."""
    text = reader.scan.take(_OBJECT_ID, "an object identifier")[0]
    return keys.EmailIdIs(text) if name == "EMAILID" else keys.ThreadIdIs(text)


def _gmail_id(reader: _Keys, name: str) -> SearchKey:
    number = reader.scan.number("a number of 64 bits", 2**64 - 1)
    return keys.GmailMessageIdIs(number) if name == "X-GM-MSGID" else keys.GmailThreadIdIs(number)


def _flags() -> dict[str, SearchKey]:
    """The keys without arguments (RFC 9051 §6.4.4, RFC 3501 §6.4.4)."""
    plain: dict[str, SearchKey] = {
        "ALL": keys.AllMessages(),
        "SAVEDATESUPPORTED": keys.SaveDateSupported(),
        "RECENT": keys.HasFlag("\\Recent"),
        "OLD": keys.Not(keys.HasFlag("\\Recent")),
        "NEW": keys.And((keys.HasFlag("\\Recent"), keys.Not(keys.HasFlag("\\Seen")))),
    }
    for flag in ("Answered", "Deleted", "Draft", "Flagged", "Seen"):
        key = keys.HasFlag(f"\\{flag}")
        plain[flag.upper()] = key
        plain["UN" + flag.upper()] = keys.Not(key)
    return plain


_PLAIN: Final = _flags()
_WITH_ARGUMENTS: Final[dict[str, Callable[[_Keys, str], SearchKey]]] = {
    "BCC": _addresses("Bcc"),
    "CC": _addresses("Cc"),
    "FROM": _addresses("From"),
    "SUBJECT": _header("Subject"),
    "TO": _addresses("To"),
    "HEADER": _any_header,
    "BODY": lambda reader, _: keys.BodyContains(reader.text()),
    "TEXT": lambda reader, _: keys.TextContains(reader.text()),
    **{field.value + relation.value: _date for field in keys.DateField for relation in keys.DateRelation},
    "KEYWORD": _keyword,
    "UNKEYWORD": _keyword,
    # RFC 9051 §9: "LARGER" SP number64 / "SMALLER" SP number64
    "LARGER": lambda reader, _: keys.SizeIs(True, reader.scan.number("a size in octets", NUMBER_63)),
    "SMALLER": lambda reader, _: keys.SizeIs(False, reader.scan.number("a size in octets", NUMBER_63)),
    # RFC 5032 §3: ( "OLDER" / "YOUNGER" ) SP nz-number
    "OLDER": lambda reader, _: keys.Age(True, reader.scan.nz_number("a number of seconds")),
    "YOUNGER": lambda reader, _: keys.Age(False, reader.scan.nz_number("a number of seconds")),
    "UID": lambda reader, _: keys.InSet(reader.scan.number_set(), uid=True),
    "MODSEQ": _modseq,
    "EMAILID": _object_id,
    "THREADID": _object_id,
    "X-GM-MSGID": _gmail_id,
    "X-GM-THRID": _gmail_id,
    "X-GM-RAW": lambda reader, _: keys.GmailRaw(reader.text()),
    "X-GM-LABELS": lambda reader, _: keys.HasGmailLabel(reader.scan.label()),
}


# Capabilities -------------------------------------------------------------------------------------

_REQUIRED: Final[dict[type, tuple[str, ...]]] = {
    keys.Age: ("WITHIN",),
    keys.EmailIdIs: ("OBJECTID",),
    keys.ThreadIdIs: ("OBJECTID",),
    keys.Fuzzy: ("SEARCH=FUZZY",),
    keys.ModSeqAtLeast: ("CONDSTORE",),
    keys.SaveDateSupported: ("SAVEDATE",),
    keys.GmailRaw: GMAIL,
    keys.GmailMessageIdIs: GMAIL,
    keys.GmailThreadIdIs: GMAIL,
    keys.HasGmailLabel: GMAIL,
}


def required_by_keys(key: SearchKey) -> Iterator[Requirement]:
    """The capabilities that search keys need."""
    for part in walk(key):
        if type(part) in _REQUIRED:
            yield "such search key", _REQUIRED[type(part)]
        elif isinstance(part, keys.InSet):
            yield from required_by_numbers(part.numbers)
        elif isinstance(part, keys.DateIs) and part.field is keys.DateField.SAVED:
            yield "search by save date", ("SAVEDATE",)


def required_by_returns(returns: SearchReturn | None, *alternatives: str) -> Iterator[Requirement]:
    """The capabilities that RETURN and its options need."""
    if returns is None:
        return
    if returns.partial is not None:
        yield "PARTIAL", ("PARTIAL",)
    yield "RETURN", alternatives
    if ResultOption.SAVE in returns.options:
        yield "SAVE", ("SEARCHRES", "IMAP4rev2")
