"""LIST with its extensions, LSUB and XLIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 8440)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, Self

from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import REV2, Command
from fakemail.imap.commands.status import StatusItem, required_by_status_items, status_items, status_line
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import Scanner
from fakemail.store import names
from fakemail.store.account import FolderEntry
from fakemail.store.rights import OWNER_RIGHTS, in_order
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage

_TOKENS: Final = re.compile(r"[*%]+|.", re.DOTALL)
_ROOT: Final = b'* LIST (\\Noselect) "/" ""\r\n'


class ListSelect(Enum):
    """Selection options of LIST (RFC 5258 §3.1, RFC 6154 §5.2)."""

    SUBSCRIBED = "SUBSCRIBED"
    REMOTE = "REMOTE"
    RECURSIVEMATCH = "RECURSIVEMATCH"
    SPECIAL_USE = "SPECIAL-USE"


class ListReturn(Enum):
    """Return options of LIST (RFC 5258 §3.2, RFC 6154 §5.2, RFC 8440 §3)."""

    SUBSCRIBED = "SUBSCRIBED"
    CHILDREN = "CHILDREN"
    SPECIAL_USE = "SPECIAL-USE"
    MYRIGHTS = "MYRIGHTS"


_SELECT: Final = {option.value: option for option in ListSelect}
_RETURN: Final = {option.value: option for option in ListReturn}


@dataclass(frozen=True, slots=True)
class List(Command):
    """LIST (RFC 9051 §6.3.9). ``status`` holds the items of RETURN (STATUS (...)) (RFC 5819 §2), or nothing.

    ``extended`` says that the client used any part of the extended syntax (RFC 5258 §3). The reference and
    the patterns are decoded like mailbox names, but INBOX keeps its case in them.
    """

    name = "LIST"
    stage = Stage.IMAP_LIST

    reference: str
    patterns: tuple[str, ...]
    select: frozenset[ListSelect] = frozenset()
    returns: frozenset[ListReturn] = frozenset()
    status: tuple[StatusItem, ...] = ()
    extended: bool = False

    @classmethod
    def parse(cls, scan: Scanner) -> List:
        """ "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts] (RFC 5258 §6)."""
        scan.space()
        select: frozenset[ListSelect] = frozenset()
        extended = scan.peek() == "("
        if extended:
            select = _select_options(scan)
            scan.space()
        reference = scan.pattern()
        scan.space()
        # mbox-or-pat = list-mailbox / patterns; patterns = "(" list-mailbox *(SP list-mailbox) ")"
        if scan.peek() == "(":
            extended = True
            scan.open("patterns")
            patterns = [scan.pattern()]
            while scan.more("a pattern"):
                patterns.append(scan.pattern())
        else:
            patterns = [scan.pattern()]
        returns: frozenset[ListReturn] = frozenset()
        status: tuple[StatusItem, ...] = ()
        if scan.another():
            if not scan.try_word("RETURN"):
                scan.fail("RETURN")
            scan.space()
            extended = True
            returns, status = _return_options(scan)
        return cls(reference, tuple(patterns), select, returns, status, extended)

    def requirements(self) -> Iterator[Requirement]:
        """A capability for each option, and LIST-EXTENDED for the syntax, where no option alone allows it."""
        if ListSelect.SPECIAL_USE in self.select or ListReturn.SPECIAL_USE in self.returns:
            yield "SPECIAL-USE", ("SPECIAL-USE", REV2)
        if ListReturn.MYRIGHTS in self.returns:
            yield "MYRIGHTS", ("LIST-MYRIGHTS",)
        if self.status:
            yield "STATUS in LIST", ("LIST-STATUS", REV2)
        plain = not (self.select - {ListSelect.SPECIAL_USE} or self.returns - {ListReturn.SPECIAL_USE})
        if self.extended and not (plain and (self.select or self.returns)):
            yield "extended LIST", ("LIST-EXTENDED", REV2)
        yield from required_by_status_items(self.status)

    def run(self, session: ImapContext) -> Completed:
        """List the names that match."""
        if not self.extended and self.patterns == ("",):
            session.say(_ROOT)  # the delimiter, and the root of the reference
            return Completed()
        if StatusItem.HIGHESTMODSEQ in self.status:
            session.enable_condstore()
        session.say(*_Listing(session, self).lines())
        return Completed()


def _select_options(scan: Scanner) -> frozenset[ListSelect]:
    """list-select-opts: 'If a list-select-mod-opt appears, then a list-select-base-opt must also appear.'"""
    scan.open("selection options")
    options: set[ListSelect] = set()
    going = not scan.empty()
    while going:
        name = scan.word("a selection option")
        option = _SELECT.get(name)
        if option is None:
            scan.refuse(f"{name} is no selection option of LIST.")
        options.add(option)
        going = scan.more("a selection option")
    if ListSelect.RECURSIVEMATCH in options and not options & {ListSelect.SUBSCRIBED, ListSelect.SPECIAL_USE}:
        scan.refuse("RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE beside it.")
    return frozenset(options)


def _return_options(scan: Scanner) -> tuple[frozenset[ListReturn], tuple[StatusItem, ...]]:
    """ "RETURN" SP "(" [return-option *(SP return-option)] ")"; status-option = "STATUS" SP "(" ... ")"."""
    scan.open("return options")
    options: set[ListReturn] = set()
    status: tuple[StatusItem, ...] = ()
    going = not scan.empty()
    while going:
        name = scan.word("a return option")
        option = _RETURN.get(name)
        if name == "STATUS":  # RFC 5819 §4
            scan.space()
            status = status_items(scan)
        elif option is None:
            scan.refuse(f"{name} is no return option of LIST.")
        else:
            options.add(option)
        going = scan.more("a return option")
    return frozenset(options), status


@dataclass(frozen=True, slots=True)
class _OldList(Command):
    """A command with the arguments that LIST had before it was extended."""

    reference: str
    pattern: str

    @classmethod
    def parse(cls, scan: Scanner) -> Self:
        """SP mailbox SP list-mailbox (RFC 3501 §9)."""
        scan.space()
        reference = scan.pattern()
        scan.space()
        return cls(reference, scan.pattern())


class Lsub(_OldList):
    """LSUB (RFC 3501 §6.3.9)."""

    name = "LSUB"
    stage = Stage.IMAP_LSUB
    capabilities = ("IMAP4rev1",)

    def run(self, session: ImapContext) -> Completed:
        """List the subscribed names that match."""
        if not self.pattern:
            session.say(_ROOT.replace(b"LIST", b"LSUB"))
            return Completed()
        matches = Pattern(self.reference, (self.pattern,))
        out: dict[str, bytes] = {}
        by_level = self.pattern.endswith("%")
        for name in sorted(session.mailboxes.subscriptions(), key=names.order):
            if matches(name):
                out[name] = b""
            elif by_level:
                # 'foo/bar is subscribed and foo is not: LSUB "" "%" gives foo with \Noselect'
                for parent in names.parents(name):
                    if matches(parent):
                        out.setdefault(parent, b"\\Noselect")
        utf8 = session.utf8
        session.say(
            *(
                b'* LSUB (%b) "/" %b\r\n' % (out[name], printing.mailbox(name, utf8=utf8))
                for name in sorted(out, key=names.order)
            )
        )
        return Completed()


# The special uses that have other names in XLIST than in RFC 6154.
# What XLIST calls the special uses that have other names in RFC 6154.
_XLIST_USES: Final = {"\\All": "\\AllMail", "\\Junk": "\\Spam", "\\Flagged": "\\Starred"}


class Xlist(_OldList):
    """XLIST, which Gmail had before SPECIAL-USE (RFC 6154)."""

    name = "XLIST"
    stage = Stage.IMAP_XLIST
    capabilities = ("XLIST",)

    def run(self, session: ImapContext) -> Completed:
        """List as LIST does, with special uses by other names, and INBOX marked."""
        if not self.pattern:
            session.say(_ROOT.replace(b"LIST", b"XLIST"))
            return Completed()
        matches = Pattern(self.reference, (self.pattern,))
        for entry in session.mailboxes.entries():
            if not matches(entry.name) or (entry.mailbox is None and not entry.has_children):
                continue
            words = list_attributes(
                entry, subscribed=False, special_use=True, children=True, rev1=True
            ).decode()
            shown = [_XLIST_USES.get(word, word) for word in words.split()]
            if entry.name == "INBOX":
                shown.append("\\Inbox")
            name = printing.mailbox(entry.name, utf8=session.utf8)
            session.say(b'* XLIST (%b) "/" %b\r\n' % (" ".join(shown).encode(), name))
        return Completed()


class Pattern:
    """Names that some patterns mean: ``*`` is anything, ``%`` anything within one level (RFC 9051 §6.3.9)."""

    def __init__(self, reference: str, patterns: Iterable[str]) -> None:
        self._automata = [_Automaton(_canonical(_joined(reference, pattern))) for pattern in patterns]

    def __call__(self, name: str) -> bool:
        return any(automaton.matches(name) for automaton in self._automata)


class _Automaton:
    """One pattern as bits of a number: bit n is set while the first n tokens can have matched.

    An expression would try every way to share a name among many wildcards; this takes one step a character.
    """

    __slots__ = ("_end", "_literals", "_stars", "_wild")

    def __init__(self, pattern: str) -> None:
        self._literals: dict[str, int] = {}
        self._stars = self._wild = 0
        bit = 1
        for token in _TOKENS.findall(pattern):
            if token[0] not in "*%":
                self._literals[token] = self._literals.get(token, 0) | bit
            else:
                self._wild |= bit
                if "*" in token:  # a run of wildcards is one
                    self._stars |= bit
            bit <<= 1
        self._end = bit

    def matches(self, name: str) -> bool:
        literals, stars, wild = self._literals, self._stars, self._wild
        state = 1
        state |= (state & wild) << 1
        for character in name:
            stay = stars if character == names.SEPARATOR else wild
            state = ((state & literals.get(character, 0)) << 1) | (state & stay)
            if not state:
                return False
            state |= (state & wild) << 1
        return bool(state & self._end)


def _joined(reference: str, pattern: str) -> str:
    return pattern if not reference or pattern.startswith(names.SEPARATOR) else reference + pattern


def _canonical(pattern: str) -> str:
    first, slash, rest = pattern.partition(names.SEPARATOR)
    # RFC 9051 §5.1: INBOX in any case, also where wildcards follow it
    if re.fullmatch(r"inbox[*%]*", first, re.IGNORECASE):
        first = "INBOX" + first[5:]
    return first + slash + rest


class _Listing:
    """One LIST command."""

    def __init__(self, session: ImapContext, command: List) -> None:
        self.session = session
        self.select = command.select
        self.returns = command.returns
        self.status = command.status
        self.matches = Pattern(command.reference, command.patterns)
        # RFC 5258 §3.1: SUBSCRIBED as a selection implies it as something to return
        self.shows_subscribed = bool(
            ListSelect.SUBSCRIBED in self.select or ListReturn.SUBSCRIBED in self.returns
        )
        # RFC 6154 §2: a plain LIST may have the special uses, an extended one when asked
        self.shows_use = session.may("SPECIAL-USE", "IMAP4rev2") and (
            not command.extended
            or ListSelect.SPECIAL_USE in self.select
            or ListReturn.SPECIAL_USE in self.returns
        )
        self.shows_children = session.may("CHILDREN", "LIST-EXTENDED", "IMAP4rev2")

    def lines(self) -> list[bytes]:
        """The responses."""
        wants_subscribed = ListSelect.SUBSCRIBED in self.select
        entries = self.session.mailboxes.entries(subscribed=wants_subscribed)
        below: frozenset[str] = frozenset()
        unlisted: frozenset[str] = frozenset()
        if ListSelect.RECURSIVEMATCH in self.select:
            chosen_names = [entry.name for entry in entries if self._is_chosen(entry)]
            below = _parents(chosen_names)
            # RFC 5258 §3.5: CHILDINFO alone is redundant where every child that it speaks of is listed itself
            unlisted = _parents(name for name in chosen_names if not self.matches(name))
            # Parents of names that are subscribed only are no names of the account (RFC 5258 §5, example 7).
            more = below - {entry.name for entry in entries}
            entries = (*entries, *(FolderEntry(name, None, True, False) for name in sorted(more)))
        out: list[bytes] = []
        for entry in entries:
            if not self.matches(entry.name):
                continue
            chosen = self._is_chosen(entry)
            inside = entry.name in (below if chosen else unlisted)
            if not chosen and not inside:
                continue
            if entry.mailbox is None and not wants_subscribed and not entry.has_children:
                continue
            # RFC 5258 §3.5: CHILDINFO names the options that only a child fulfils
            out.append(self._line(entry, child_info=inside))
            if self.status and entry.mailbox is not None:
                out.append(status_line(self.session, entry.mailbox, self.status))
        return out

    def _is_chosen(self, entry: FolderEntry) -> bool:
        if ListSelect.SUBSCRIBED in self.select and not entry.subscribed:
            return False
        if ListSelect.SPECIAL_USE in self.select:
            return entry.mailbox is not None and bool(entry.mailbox.special_use)
        return True

    def _line(self, entry: FolderEntry, *, child_info: bool) -> bytes:
        words = list_attributes(
            entry,
            subscribed=self.shows_subscribed,
            special_use=self.shows_use,
            children=self.shows_children,
            rev1=not self.session.rev2 and not self.select and not self.returns,
        )
        line = b'* LIST (%b) "/" %b' % (words, printing.mailbox(entry.name, utf8=self.session.utf8))
        extended: list[bytes] = []
        if child_info:
            options = [
                option.value
                for option in (ListSelect.SUBSCRIBED, ListSelect.SPECIAL_USE)
                if option in self.select
            ]
            extended.append(b'"CHILDINFO" (%b)' % " ".join(f'"{option}"' for option in options).encode())
        if ListReturn.MYRIGHTS in self.returns and entry.mailbox is not None:  # RFC 8440 §3
            extended.append(b'"MYRIGHTS" (%b)' % in_order(frozenset(OWNER_RIGHTS)).encode())
        if extended:
            line += b" (%b)" % b" ".join(extended)
        return line + b"\r\n"


def _parents(of: Iterable[str]) -> frozenset[str]:
    return frozenset(parent for name in of for parent in names.parents(name))


def list_attributes(
    entry: FolderEntry, *, subscribed: bool, special_use: bool, children: bool, rev1: bool = False
) -> bytes:
    """The attributes of a LIST response."""
    words = []
    for word in entry.attributes:
        if word == "\\Subscribed":
            keep = subscribed
        elif word in ("\\HasChildren", "\\HasNoChildren"):
            keep = children
        elif word == "\\NonExistent":
            keep = not rev1  # RFC 3501 knows \Noselect only
        elif word == "\\Noselect":
            keep = rev1  # RFC 5258 §3: \NonExistent implies it
        else:
            keep = special_use
        if keep:
            words.append(word)
    return " ".join(words).encode("ascii")
