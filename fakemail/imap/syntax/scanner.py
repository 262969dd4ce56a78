"""The terminals that all commands share: spaces, atoms, strings, numbers, mailbox names, sets and dates.

Here lives a cursor over one frame. It moves forward only; every method reads one thing or raises a
:class:`CommandError` that says what was expected and where. The grammar of each command is with the command, in
:mod:`fakemail.imap.commands`.
"""

from __future__ import annotations

import datetime
import re
from typing import Final, NoReturn

from fakemail.clock import date as any_date
from fakemail.clock import datetime as any_moment
from fakemail.errors import ProtocolError
from fakemail.imap.syntax.framing import LITERAL_MARK, Frame, Literal
from fakemail.imap.syntax.sets import SAVED_RESULT, STAR, NumberSet, PartialRange, SequenceSet
from fakemail.imap.syntax.utf7 import decode_utf7
from fakemail.types.dataclass import dataclass

# RFC 9051 §9: ATOM-CHAR = <any CHAR except atom-specials>;
# atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
_ATOM = re.compile(r'[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
# ASTRING-CHAR = ATOM-CHAR / resp-specials
_ASTRING_ATOM = re.compile(r'[^\x00-\x20\x7f-\xff(){%*"\\]+')
_ASTRING_ATOM_UTF8 = re.compile(r'[^\x00-\x20\x7f(){%*"\\]+')
# list-char = ATOM-CHAR / list-wildcards / resp-specials
_LIST_ATOM = re.compile(r'[^\x00-\x20\x7f-\xff(){"\\]+')
_LIST_ATOM_UTF8 = re.compile(r'[^\x00-\x20\x7f(){"\\]+')
# quoted = DQUOTE *QUOTED-CHAR DQUOTE; QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> /
# "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
_QUOTED = re.compile(r'"([^"\\\x00]*+(?:\\["\\][^"\\\x00]*+)*+)"')
_QUOTED_PAIR = re.compile(r"\\(.)")
# Servers in use also take a backslash before any other character.
_LENIENT_QUOTED = re.compile(r'"([^"\\\x00]*+(?:\\[^\x00][^"\\\x00]*+)*+)"')
_NUMBER = re.compile(r"[0-9]+")
_NON_ZERO = re.compile(r"[1-9][0-9]*")
# seq-number = nz-number / "*"; seq-range = seq-number ":" seq-number
_ONE = r"(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?"
_SET = re.compile(rf"{_ONE}(?:,{_ONE})*+(?![0-9])")
# RFC 9394 §4: partial-range-first = nz-number ":" nz-number; partial-range-last = MINUS nz-number ":" ...
_PARTIAL_RANGE = re.compile(r"(-?)([1-9][0-9]{0,9}):(-?)([1-9][0-9]{0,9})(?![0-9])")
# RFC 9051 §9: flag = "\" atom / atom
_FLAG = re.compile(r'\\?[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
# A system label of Gmail, which is not quoted.
_LABEL = re.compile(r'\\[^\x00-\x20\x7f-\xff(){%*"\\]+')
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# date-text = date-day "-" date-month "-" date-year; servers in use also take one-digit days in date-time.
_DATE = re.compile(r"([ 0-9]?[0-9])-([A-Za-z]{3})-([0-9]{4})")
# date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
_DATE_TIME = re.compile(
    rf'"{_DATE.pattern} ([0-9]{{2}}):([0-9]{{2}}):([0-9]{{2}}) ([+-])([0-9]{{2}})([0-9]{{2}})"'
)

_SYSTEM_FLAGS: Final = {
    flag.upper(): flag for flag in ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
}

_EVERYTHING: Final = SequenceSet(((1, STAR),))

#: Numbers are bounded: 32 bits for messages and sizes of old, 63 for new sizes and mod-sequences.
NUMBER_32: Final = 2**32 - 1
NUMBER_63: Final = 2**63 - 1
#: How deep parentheses and NOT may be nested.
DEEPEST: Final = 100


@dataclass(frozen=True, slots=True)
class Dialect:
    """Options of reading a command.

    ``utf8`` is the state after ENABLE IMAP4rev2 or UTF8=ACCEPT: mailbox names are UTF-8 (RFC 6855 §3).
    ``strict`` refuses what servers in use let pass: several spaces, spaces at the end of a line or inside
    parentheses, needless backslashes, one-digit days, 8-bit bytes in quoted strings before ``utf8``; ``seven_bit``
    refuses the last alone. ``charsets`` are the only ones that SEARCH takes, ``None`` for all that are known.
    """

    utf8: bool = False
    strict: bool = False
    seven_bit: bool = False
    charsets: frozenset[str] | None = None


class CommandError(ProtocolError):
    """A command that breaks the grammar or a limit.

    ``tag`` is None when none could be read (the response is then untagged, RFC 9051 §7.1.3), ``response`` is
    ``"BAD"`` or ``"NO"``, ``code`` a response code without brackets, ``text`` says what was expected and where.
    ``command`` is the name of the command, upper-case and without UID, empty while it is not known.
    """

    def __init__(
        self,
        text: str,
        *,
        tag: str | None = None,
        command: str = "",
        response: str = "BAD",
        code: str | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.tag = tag
        self.command = command
        self.response = response
        self.code = code


class UnknownCommand(CommandError):
    """The word after the tag is no command of ours."""


class Scanner:
    """A cursor over a frame. ``text`` and ``at`` may be read by callers that match expressions themselves."""

    __slots__ = (
        *("_astring_atom", "_literals", "_used", "at", "command", "dialect", "secret", "tag", "text", "uid"),
    )

    def __init__(self, frame: Frame, dialect: Dialect) -> None:
        self.text = frame.text
        self.at = 0
        self.dialect = dialect
        self.tag: str | None = None
        self.command = ""
        self.uid = False
        """Whether UID stands before the name of the command."""
        self.secret = False  # set while passwords are read: then nothing of the line is repeated
        self._literals = frame.literals
        self._used = 0
        self._astring_atom = _ASTRING_ATOM_UTF8 if dialect.utf8 and not dialect.strict else _ASTRING_ATOM

    def fail(self, expected: str) -> NoReturn:
        """Refuse the command because something else was expected here."""
        found = self.text[self.at : self.at + 20].partition(LITERAL_MARK)
        if self.secret:
            here = "something else"
        elif found[0][:1] >= "\x80":  # never a mistake in what was expected
            here = "an octet beyond US-ASCII"
        elif found[0]:
            here = ascii(found[0])
        else:
            here = "a literal" if found[1] else "the end of the line"
        text = f"Expected {expected} at octet {self.at + 1}, found {here}."
        raise CommandError(text, tag=self.tag, command=self.command)

    def refuse(self, text: str, *, response: str = "BAD", code: str | None = None) -> NoReturn:
        """Refuse the command for a reason of its own, in up to 200 characters."""
        raise CommandError(text[:200], tag=self.tag, command=self.command, response=response, code=code)

    def peek(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def take(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        """Read what an expression matches here."""
        found = pattern.match(self.text, self.at)
        if found is None:
            self.fail(expected)
        self.at = found.end()
        return found

    # Punctuation

    def space(self) -> None:
        """SP: exactly one space by the RFC, one or more outside strict."""
        if not self.skip_space():
            self.fail("a space")

    def skip_space(self) -> bool:
        """Read SP if it is here."""
        text, at = self.text, self.at
        if not text.startswith(" ", at):
            return False
        at += 1
        if not self.dialect.strict:
            while text.startswith(" ", at):
                at += 1
        self.at = at
        return True

    def another(self) -> bool:
        """Read SP before one more argument that may be there; spaces at the end of the line are left out."""
        if not self.skip_space():
            return False
        if self.at < len(self.text):
            return True
        if self.dialect.strict:
            self.fail("an argument after the space")
        return False

    def try_mark(self, mark: str) -> bool:
        """Read a punctuation mark if it is here."""
        if self.text.startswith(mark, self.at):
            self.at += len(mark)
            return True
        return False

    def open(self, what: str) -> None:
        """``(`` before ``what``."""
        if not self.try_mark("("):
            self.fail(f"'(' before {what}")
        if not self.dialect.strict:
            self.skip_space()

    def more(self, what: str) -> bool:
        """Between items of a parenthesised list: True at a space before one more, False after ``)``."""
        spaced = self.skip_space()
        if self.text.startswith(")", self.at) and not (spaced and self.dialect.strict):
            self.at += 1
            return False
        if not spaced:
            self.fail(f"a space or ')' after {what}")
        return True

    def empty(self) -> bool:
        """Read ``)`` if it is here, right after ``(``."""
        return self.try_mark(")")

    def finish(self) -> None:
        """The end of the command."""
        if not self.dialect.strict:
            self.skip_space()
        if self.at < len(self.text):
            self.fail("the end of the command")

    # Atoms and strings

    def atom(self, what: str) -> str:
        """An atom, in the client's case."""
        return self.take(_ATOM, what)[0]

    def word(self, what: str) -> str:
        """An atom in upper case, for keywords."""
        return self.take(_ATOM, what)[0].upper()

    def try_word(self, keyword: str) -> bool:
        """Read a keyword if it is here as a whole atom."""
        found = _ATOM.match(self.text, self.at)
        if found and found[0].upper() == keyword:
            self.at = found.end()
            return True
        return False

    def raw_astring(self, what: str) -> str:
        """An astring whose bytes are the characters of the result."""
        text, at = self.text, self.at
        if text.startswith('"', at) or text.startswith(LITERAL_MARK, at):
            return self.raw_string(what)
        return self.take(self._astring_atom, what)[0]

    def raw_string(self, what: str) -> str:
        """A quoted string or a literal, likewise."""
        text, at = self.text, self.at
        if text.startswith(LITERAL_MARK, at):
            literal = self.literal()
            if literal.binary:
                self.refuse(f"Expected {what}, found a literal8.")
            if b"\0" in literal.data:  # RFC 9051 §9: CHAR8 = %x01-ff
                self.refuse(f"NUL is not allowed in {what}.")
            return literal.data.decode("latin-1")
        found = (_QUOTED if self.dialect.strict else _LENIENT_QUOTED).match(text, at)
        if found is None:
            self.fail(f"{what} as a closed quoted string" if text.startswith('"', at) else what)
        inner = found[1]
        dialect = self.dialect
        if (dialect.strict or dialect.seven_bit) and not dialect.utf8 and not inner.isascii():
            self.fail(f"{what} in US-ASCII")
        self.at = found.end()
        return _QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner

    def literal(self) -> Literal:
        """A literal or literal8; the caller has seen the mark."""
        self.at += 1
        literal = self._literals[self._used]
        self._used += 1
        return literal

    def unicode(self, raw: str, what: str) -> str:
        """Bytes as text: UTF-8, of which US-ASCII is a part."""
        if raw.isascii():
            return raw
        try:
            return raw.encode("latin-1").decode()
        except UnicodeDecodeError:
            self.refuse(f"{what.capitalize()} is not valid UTF-8.")

    def astring(self, what: str) -> str:
        """An astring as text."""
        return self.unicode(self.raw_astring(what), what)

    def string(self, what: str) -> str:
        """A string (no atom) as text."""
        return self.unicode(self.raw_string(what), what)

    def nstring(self, what: str) -> str | None:
        """A string as text, or None for NIL."""
        return None if self.try_word("NIL") else self.string(what)

    # Names

    def mailbox(self) -> str:
        """A mailbox name in Unicode; INBOX in any case is ``INBOX``."""
        raw = self.raw_astring("a mailbox name")
        if raw.upper() == "INBOX":
            return "INBOX"
        if self.dialect.utf8:
            return self.unicode(raw, "the mailbox name")
        try:
            return decode_utf7(raw)
        except ValueError as error:
            self.refuse(f"The mailbox name is not modified UTF-7: {error}.", response="NO", code="CANNOT")

    def pattern(self) -> str:
        """list-mailbox, or the reference before it: like a mailbox name, with ``%`` and ``*``.

        What is no valid name is returned as it is, for it can match nothing.
        """
        if self.peek() in ('"', LITERAL_MARK):
            raw = self.raw_string("a mailbox pattern")
        else:
            lenient = self.dialect.utf8 and not self.dialect.strict
            raw = self.take(_LIST_ATOM_UTF8 if lenient else _LIST_ATOM, "a mailbox pattern")[0]
        if self.dialect.utf8:
            return self.unicode(raw, "the pattern")
        try:
            return decode_utf7(raw)
        except ValueError:
            return raw

    def label(self) -> str:
        """A label of Gmail: ``\\Inbox`` and its like, or an astring in the encoding of mailbox names."""
        found = _LABEL.match(self.text, self.at)
        if found:
            self.at = found.end()
            return found[0]
        raw = self.raw_astring("a label")
        if self.dialect.utf8:
            return self.unicode(raw, "the label")
        try:
            return decode_utf7(raw)
        except ValueError as error:
            self.refuse(f"The label is not modified UTF-7: {error}.")

    def flag(self) -> str:
        """A flag or keyword that a client may set; system flags get their usual spelling."""
        start = self.at
        flag = self.take(_FLAG, "a flag")[0]
        if flag[0] == "\\":
            name = flag.upper()
            if name == "\\RECENT":  # RFC 9051 §9, flag: 'Does not include "\Recent"'
                self.at = start
                self.fail("a flag that can be set")
            return _SYSTEM_FLAGS.get(name, flag)
        return flag

    def flag_list(self) -> tuple[str, ...]:
        """flag-list = "(" [flag *(SP flag)] ")", each flag once."""
        self.open("flags")
        if self.empty():
            return ()
        flags = [self.flag()]
        while self.more("a flag"):
            flags.append(self.flag())
        return tuple(dict.fromkeys(flags))

    # Numbers and sets

    def number(self, what: str, largest: int = NUMBER_32) -> int:
        """number: digits, 0 included."""
        return self._bounded(_NUMBER, what, largest)

    def nz_number(self, what: str, largest: int = NUMBER_32) -> int:
        """nz-number: digits, the first not 0."""
        return self._bounded(_NON_ZERO, what, largest)

    def _bounded(self, pattern: re.Pattern[str], what: str, largest: int) -> int:
        start = self.at
        digits = self.take(pattern, what)[0]
        # The length is looked at first, for int() takes its time over long texts.
        if len(digits) > 20 or (number := int(digits)) > largest:
            self.at = start
            self.fail(f"{what} not above {largest}")
        return number

    def number_set(self) -> NumberSet:
        """sequence-set, or ``$`` (RFC 9051 §9)."""
        if self.try_mark("$"):
            return SAVED_RESULT
        return self.sequence_set()

    def sequence_set(self) -> SequenceSet:
        """sequence-set without ``$``."""
        start = self.at
        text = self.take(_SET, "a set of message numbers")[0]
        if text == "1:*":
            return _EVERYTHING
        ranges = []
        for item in text.split(","):
            first, _, last = item.partition(":")
            low = STAR if first == "*" else int(first)
            high = low if not last else STAR if last == "*" else int(last)
            if low > NUMBER_32 or high > NUMBER_32:
                self.at = start
                self.fail(f"message numbers not above {NUMBER_32}")
            # 4:2 is 2:4, and *:4 is 4:*
            if (low > high and high != STAR) or (low == STAR and high != STAR):
                low, high = high, low
            ranges.append((low, high))
        return SequenceSet(tuple(ranges))

    def partial_range(self) -> PartialRange:
        """partial-range (RFC 9394 §4)."""
        start = self.at
        found = self.take(_PARTIAL_RANGE, "a range such as 1:100 or -1:-100")
        first, last = int(found[2]), int(found[4])
        if found[1] != found[3] or max(first, last) > NUMBER_32:
            self.at = start
            self.fail(f"a range with both ends counted from one side and not above {NUMBER_32}")
        return PartialRange(min(first, last), max(first, last), from_end=bool(found[1]))

    # Dates

    def date(self) -> datetime.date:
        """date = date-text / DQUOTE date-text DQUOTE."""
        start = self.at
        quoted = self.try_mark('"')
        found = self.take(_DATE, "a date such as 1-Feb-2026")
        if quoted and not self.try_mark('"'):
            self.fail("'\"' after a date")
        try:
            return any_date(*_day(found))
        except ValueError:
            self.at = start
            self.fail("a date that exists")

    def date_time(self) -> datetime.datetime:
        """date-time, with its zone."""
        start = self.at
        found = self.take(_DATE_TIME, 'a date such as "01-Feb-2026 12:00:00 +0000"')
        hours, minutes = int(found[8]), int(found[9])
        try:
            if minutes > 59 or (self.dialect.strict and len(found[1]) == 1):
                raise ValueError
            offset = datetime.timedelta(hours=hours, minutes=minutes)
            zone = datetime.timezone(offset if found[7] == "+" else -offset)
            clock = int(found[4]), int(found[5]), int(found[6])
            return any_moment(*_day(found), *clock, tzinfo=zone)
        except ValueError:
            self.at = start
            self.fail("a date, time and zone that exist")


def _day(found: re.Match[str]) -> tuple[int, int, int]:
    return int(found[3]), _MONTHS.index(found[2].upper()) + 1, int(found[1])
