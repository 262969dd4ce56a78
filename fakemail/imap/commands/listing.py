"""LIST with its extensions, and LSUB (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 8440)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from fakemail.imap.commands.condstore import enable_condstore
from fakemail.imap.commands.status import status_line
from fakemail.imap.responses import Completed
from fakemail.imap.syntax import mailbox_commands, printing
from fakemail.imap.syntax.mailbox_commands import ListReturn, ListSelect, StatusItem
from fakemail.store import names
from fakemail.store.account import FolderEntry
from fakemail.store.rights import OWNER_RIGHTS, in_order

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession

_TOKENS: Final = re.compile(r"[*%]+|.", re.DOTALL)
_ROOT: Final = b'* LIST (\\Noselect) "/" ""\r\n'


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


def list_mailboxes(session: ImapSession, command: mailbox_commands.List) -> Completed:
    """RFC 9051 §6.3.9."""
    if not command.extended and command.patterns == ("",):
        session.say(_ROOT)  # the delimiter, and the root of the reference
        return Completed()
    if StatusItem.HIGHESTMODSEQ in command.status:
        enable_condstore(session)
    listing = _Listing(session, command)
    session.say(*listing.lines())
    return Completed()


class _Listing:
    """One LIST command."""

    def __init__(self, session: ImapSession, command: mailbox_commands.List) -> None:
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


def list_subscribed(session: ImapSession, command: mailbox_commands.Lsub) -> Completed:
    """LSUB (RFC 3501 §6.3.9)."""
    if not command.pattern:
        session.say(_ROOT.replace(b"LIST", b"LSUB"))
        return Completed()
    matches = Pattern(command.reference, (command.pattern,))
    out: dict[str, bytes] = {}
    by_level = command.pattern.endswith("%")
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


# What XLIST calls the special uses that have other names in RFC 6154.
_XLIST_USES: Final = {"\\All": "\\AllMail", "\\Junk": "\\Spam", "\\Flagged": "\\Starred"}


def list_for_gmail(session: ImapSession, command: mailbox_commands.Xlist) -> Completed:
    """XLIST: as LIST, with special uses by other names, and INBOX marked."""
    if not command.pattern:
        session.say(_ROOT.replace(b"LIST", b"XLIST"))
        return Completed()
    matches = Pattern(command.reference, (command.pattern,))
    for entry in session.mailboxes.entries():
        if not matches(entry.name) or (entry.mailbox is None and not entry.has_children):
            continue
        words = list_attributes(entry, subscribed=False, special_use=True, children=True, rev1=True).decode()
        shown = [_XLIST_USES.get(word, word) for word in words.split()]
        if entry.name == "INBOX":
            shown.append("\\Inbox")
        name = printing.mailbox(entry.name, utf8=session.utf8)
        session.say(b'* XLIST (%b) "/" %b\r\n' % (" ".join(shown).encode(), name))
    return Completed()
