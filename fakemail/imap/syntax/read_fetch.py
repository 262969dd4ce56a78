"""FETCH, STORE, COPY, MOVE, REPLACE and EXPUNGE, with data items, flags and messages to store.

Each ``read_`` function reads what follows the name of its command.
"""

from __future__ import annotations

import re

from fakemail.imap.syntax import commands
from fakemail.imap.syntax.commands import AppendMessage, Command, StoreAction
from fakemail.imap.syntax.fetch_items import (
    MACROS,
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchData,
    FetchItem,
    Section,
    SectionText,
)
from fakemail.imap.syntax.framing import LITERAL_MARK
from fakemail.imap.syntax.scanner import NUMBER_63, Scanner
from fakemail.imap.syntax.sets import STAR, PartialRange
from fakemail.imap.syntax.utf7 import decode_utf7

_ITEMS = {item.value: item for item in FetchData if item is not FetchData.PREVIEW_LAZY}
_ITEM = re.compile(r"[A-Za-z0-9.-]+")
# RFC 9051 §9: section-part = nz-number *("." nz-number)
_PART = re.compile(r"[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*+")
_SECTION_TEXT = re.compile(r"[A-Za-z.]+")
_SECTION_TEXTS = {text.value: text for text in SectionText if text.value}
# RFC 9051 §9: store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
_STORE_ITEM = re.compile(r"([+-]?)(FLAGS|X-GM-LABELS)(\.SILENT)?(?= )", re.IGNORECASE)
# A label of Gmail: system labels begin with a backslash and are not quoted.
_LABEL = re.compile(r'\\[^\x00-\x20\x7f-\xff(){%*"\\]+')
# Tells the modifiers of a lone PREVIEW from those of FETCH.
_LAZY = re.compile(r" +\((?= *LAZY)", re.IGNORECASE)
_known_items: dict[str, tuple[FetchItem, ...]] = {}
_MOST_KNOWN = 256
_LONGEST_KNOWN = 256
# No message has parts as deep as this.
_DEEPEST_PART = 100


def read_fetch(scan: Scanner, *, uid: bool) -> Command:
    """ "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")

    [SP "(" fetch-modifier *(SP fetch-modifier) ")"] (RFC 9051 §9, RFC 4466 §6).
    """
    scan.space()
    numbers = scan.number_set()
    scan.space()
    # Clients ask for the same few lists of items again and again.
    rest = scan.text[scan.at :]
    if (known := _known_items.get(rest)) and not scan.dialect.strict:
        scan.at += len(rest)
        return commands.Fetch(numbers, known, uid=uid)
    items = _fetch_items(scan)
    if not scan.another():
        _remember_items(scan, rest, items)
        return commands.Fetch(numbers, items, uid=uid)
    changed_since: int | None = None
    partial: PartialRange | None = None
    vanished = False
    scan.open("modifiers of FETCH")
    while True:
        modifier = scan.word("a modifier of FETCH")
        if modifier == "VANISHED":  # RFC 7162 §7, rexpunges-fetch-mod
            vanished = True
        elif modifier == "CHANGEDSINCE":  # RFC 7162 §7: "CHANGEDSINCE" SP mod-sequence-value
            scan.space()
            changed_since = scan.number("a mod-sequence", NUMBER_63)
        elif modifier == "PARTIAL":  # RFC 9394 §4
            scan.space()
            partial = scan.partial_range()
        else:
            scan.refuse(f"FETCH has the modifiers CHANGEDSINCE, VANISHED and PARTIAL, not {modifier}.")
        if not scan.more("a modifier"):
            break
    if vanished and (changed_since is None or not uid):  # RFC 7162 §3.2.6
        scan.refuse("VANISHED is for UID FETCH with CHANGEDSINCE.")
    return commands.Fetch(numbers, items, changed_since, vanished, partial, uid)


def _remember_items(scan: Scanner, text: str, items: tuple[FetchItem, ...]) -> None:
    """Keep what a text means, for texts that mean the same in every dialect but the strict one."""
    if (
        len(text) <= _LONGEST_KNOWN
        and text.isascii()
        and LITERAL_MARK not in text
        and not scan.dialect.strict
    ):
        if len(_known_items) >= _MOST_KNOWN:
            _known_items.clear()
        _known_items[text] = items


def _fetch_items(scan: Scanner) -> tuple[FetchItem, ...]:
    if scan.peek() == "(":
        return fetch_item_list(scan)
    found = _ITEM.match(scan.text, scan.at)
    if found and (macro := MACROS.get(found[0].upper())):
        scan.at = found.end()
        return macro
    item = _fetch_item(scan)
    if item is FetchData.PREVIEW and (lazy := _LAZY.match(scan.text, scan.at)):
        scan.at = lazy.end() - 1
        return (_preview(scan),)
    return (item,)


def fetch_item_list(scan: Scanner) -> tuple[FetchItem, ...]:
    """ "(" fetch-att *(SP fetch-att) ")", each item once."""
    scan.open("fetch items")
    items: list[FetchItem] = []
    going = True
    while going:
        item = _fetch_item(scan)
        going = scan.more("a fetch item")
        if item is FetchData.PREVIEW and going and scan.peek() == "(":
            item = _preview(scan)
            going = scan.more("a fetch item")
        items.append(item)
    return tuple(dict.fromkeys(items))


def _preview(scan: Scanner) -> FetchData:
    """ "PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"]; preview-mod = "LAZY" (RFC 8970 §6)."""
    scan.open("modifiers of PREVIEW")
    while True:
        if scan.word("LAZY") != "LAZY":
            scan.refuse("PREVIEW has the modifier LAZY only.")
        if not scan.more("LAZY"):
            return FetchData.PREVIEW_LAZY


def _fetch_item(scan: Scanner) -> FetchItem:
    start = scan.at
    name = scan.take(_ITEM, "a fetch item")[0].upper()
    if scan.text.startswith("[", scan.at):
        if name in ("BODY", "BODY.PEEK"):
            return FetchBody(_section(scan), name == "BODY.PEEK", _partial(scan))
        if name in ("BINARY", "BINARY.PEEK"):
            return FetchBinary(_binary_part(scan), name == "BINARY.PEEK", _partial(scan))
        if name == "BINARY.SIZE":
            return FetchBinarySize(_binary_part(scan))
    item = _ITEMS.get(name)
    if item is None:
        if name in ("BODY.PEEK", "BINARY", "BINARY.PEEK", "BINARY.SIZE"):
            scan.fail(f"'[' after {name}")
        scan.at = start
        scan.fail("a fetch item")
    return item


def _part(scan: Scanner) -> tuple[int, ...]:
    found = _PART.match(scan.text, scan.at)
    if not found:
        return ()
    numbers = found[0].split(".")
    if len(numbers) > _DEEPEST_PART:
        scan.fail(f"a part number of at most {_DEEPEST_PART} levels")
    scan.at = found.end()
    return tuple(map(int, numbers))


def _section(scan: Scanner) -> Section:
    """section = "[" [section-spec] "]"; section-spec = section-msgtext / (section-part ["." section-text])."""
    scan.at += 1
    part = _part(scan)
    if scan.try_mark("]"):
        return Section(part)
    if part and not scan.try_mark("."):
        scan.fail("'.' or ']' after a part number")
    start = scan.at
    text = _SECTION_TEXTS.get(scan.take(_SECTION_TEXT, "a section or ']'")[0].upper())
    if text is None or (text is SectionText.MIME and not part):
        scan.at = start
        scan.fail("HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or, after a part number, MIME")
    fields: list[str] = []
    if text in (SectionText.HEADER_FIELDS, SectionText.HEADER_FIELDS_NOT):
        # header-list = "(" header-fld-name *(SP header-fld-name) ")"
        scan.space()
        scan.open("names of header fields")
        fields.append(scan.astring("the name of a header field"))
        while scan.more("the name of a header field"):
            fields.append(scan.astring("the name of a header field"))
    if not scan.try_mark("]"):
        scan.fail("']' after a section")
    return Section(part, text, tuple(fields))


def _binary_part(scan: Scanner) -> tuple[int, ...]:
    """section-binary = "[" [section-part] "]"."""
    scan.at += 1
    part = _part(scan)
    if not scan.try_mark("]"):
        scan.fail("a part number and ']'")
    return part


def _partial(scan: Scanner) -> tuple[int, int] | None:
    """partial = "<" number64 "." nz-number64 ">"."""
    if not scan.try_mark("<"):
        return None
    first = scan.number("the first octet", NUMBER_63)
    if not scan.try_mark("."):
        scan.fail("'.' and a number of octets")
    count = scan.nz_number("a number of octets", NUMBER_63)
    if not scan.try_mark(">"):
        scan.fail("'>'")
    return first, count


def read_store(scan: Scanner, *, uid: bool) -> Command:
    """ "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"] SP store-att-flags."""
    scan.space()
    numbers = scan.number_set()
    scan.space()
    unchanged_since: int | None = None
    if scan.peek() == "(":
        scan.open("modifiers of STORE")
        if not scan.try_word("UNCHANGEDSINCE"):
            scan.fail("UNCHANGEDSINCE")
        scan.space()
        unchanged_since = scan.number("a mod-sequence", NUMBER_63)
        if scan.more("a mod-sequence"):
            scan.fail("')', for there is only one modifier")
        scan.space()
    found = scan.take(_STORE_ITEM, "FLAGS, +FLAGS or -FLAGS and a space")
    labels = found[2].upper() != "FLAGS"
    scan.space()
    flags = _labels(scan) if labels else _flags(scan)
    action, silent = StoreAction(found[1]), bool(found[3])
    return commands.Store(numbers, action, flags, silent, unchanged_since, labels, uid)


def _flags(scan: Scanner) -> tuple[str, ...]:
    if scan.peek() == "(":
        return scan.flag_list()
    flags = [scan.flag()]
    while scan.another():
        flags.append(scan.flag())
    return tuple(dict.fromkeys(flags))


def _labels(scan: Scanner) -> tuple[str, ...]:
    labels: list[str] = []
    if scan.peek() != "(":
        labels.append(label(scan))
        while scan.another():
            labels.append(label(scan))
        return tuple(dict.fromkeys(labels))
    scan.open("labels")
    if scan.empty():
        return ()
    labels.append(label(scan))
    while scan.more("a label"):
        labels.append(label(scan))
    return tuple(dict.fromkeys(labels))


def label(scan: Scanner) -> str:
    """A label of Gmail: ``\\Inbox`` and its like, or an astring in the encoding of mailbox names."""
    found = _LABEL.match(scan.text, scan.at)
    if found:
        scan.at = found.end()
        return found[0]
    octets = scan.octets("a label")
    if scan.dialect.utf8:
        return scan.unicode(octets, "the label")
    try:
        return decode_utf7(octets)
    except ValueError as error:
        scan.refuse(f"The label is not modified UTF-7: {error}.")


def read_copy(scan: Scanner, *, uid: bool) -> Command:
    """ "COPY" SP sequence-set SP mailbox."""
    scan.space()
    numbers = scan.number_set()
    scan.space()
    return commands.Copy(numbers, scan.mailbox(), uid)


def read_move(scan: Scanner, *, uid: bool) -> Command:
    """ "MOVE" SP sequence-set SP mailbox."""
    scan.space()
    numbers = scan.number_set()
    scan.space()
    return commands.Move(numbers, scan.mailbox(), uid)


def read_expunge(scan: Scanner, *, uid: bool) -> Command:
    """ "EXPUNGE", or "UID" SP "EXPUNGE" SP sequence-set (RFC 4315 §4)."""
    if not uid:
        return commands.Expunge()
    scan.space()
    return commands.Expunge(scan.number_set())


def read_replace(scan: Scanner, *, uid: bool) -> Command:
    """ "REPLACE" SP seq-number SP mailbox append-message (RFC 8508 §5)."""
    scan.space()
    number = STAR if scan.try_mark("*") else scan.nz_number("a message number or '*'")
    scan.space()
    mailbox = scan.mailbox()
    scan.space()
    return commands.Replace(number, mailbox, new_message(scan), uid)


def new_message(scan: Scanner) -> AppendMessage:
    """append-message = append-opts SP append-data; append-opts = [SP flag-list] [SP date-time] (RFC 4466 §6).

    append-data = literal / literal8 / "UTF8" SP "(" literal8 ")" (RFC 6855 §4). A quoted string is no message.
    """
    flags: tuple[str, ...] = ()
    date = None
    if scan.peek() == "(":
        flags = scan.flag_list()
        scan.space()
    if scan.peek() == '"':
        date = scan.date_time()
        scan.space()
    utf8 = scan.try_word("UTF8")
    if utf8:
        scan.space()
        scan.open("a literal8")
    if scan.peek() != LITERAL_MARK:
        scan.fail("a message as a literal")
    literal = scan.literal()
    if b"\0" in literal.octets and not literal.binary:
        scan.refuse("NUL is allowed in a literal8 only.")
    if utf8 and not literal.binary:
        scan.refuse("A message in UTF8 (...) is a literal8.")
    if utf8 and scan.more("a message"):
        scan.fail("')' after a message")
    return AppendMessage(literal.octets, flags, date, literal.binary, utf8)
