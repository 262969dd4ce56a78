"""SEARCH and ESEARCH, and their responses, which SORT shares (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 7377, RFC 9394).

The grammar of search programs is in :mod:`fakemail.imap.syntax.search_program`; which messages match is worked out in
:mod:`fakemail.imap.content.search`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from fakemail.imap import gmail
from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import REV2, SELECTED, AllowedUpdates, Command
from fakemail.imap.content.search import SearchContext, Test, TooDeep, compile_search
from fakemail.imap.context import ImapContext
from fakemail.imap.mailbox_filters import FilterKind, MailboxFilter, filtered_mailboxes
from fakemail.imap.responses import Completed, bad
from fakemail.imap.selected_mailbox import Numbered, SelectedMailbox
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import Scanner
from fakemail.imap.syntax.search_keys import (
    InSet,
    ModSeqAtLeast,
    ResultOption,
    SearchKey,
    SearchReturn,
    walk,
)
from fakemail.imap.syntax.search_program import (
    required_by_keys,
    required_by_returns,
    search_program,
    search_return,
)
from fakemail.imap.syntax.sets import SAVED_RESULT, SavedResult
from fakemail.store.mailbox import Mailbox
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage

_ALL: Final = SearchReturn(frozenset({ResultOption.ALL}))


@dataclass(frozen=True, slots=True)
class Search(Command):
    """SEARCH (RFC 9051 §6.4.4).

    ``returns`` is None without RETURN; ``charset`` is upper-case, None when not given.
    """

    name = "SEARCH"
    stage = Stage.IMAP_SEARCH
    states = SELECTED
    updates = AllowedUpdates.NO_EXPUNGE
    has_uid_form = True

    key: SearchKey
    returns: SearchReturn | None = None
    charset: str | None = None
    uid: bool = False

    @classmethod
    def parse(cls, scan: Scanner) -> Search:
        """ "SEARCH" [search-return-opts] SP search-program (RFC 9051 §9)."""
        scan.space()
        returns = search_return(scan)
        charset, key = search_program(scan)
        return cls(key, returns, charset, scan.uid)

    def requirements(self) -> Iterator[Requirement]:
        """ESEARCH for RETURN, and a capability for each key and option that has one."""
        yield from required_by_returns(self.returns, "ESEARCH", REV2)
        yield from required_by_keys(self.key)

    def run(self, session: ImapContext) -> Completed:
        """Search the selected mailbox."""
        view = session.selected
        found = matching(session, view, self.key, uid=self.uid)
        returns = self.returns
        if returns is None and session.rev2:
            returns = _ALL  # RFC 9051 §6.4.4: ESEARCH even without RETURN
        send_results(session, view, b"SEARCH", self.key, returns, found, uid=self.uid)
        return Completed()


@dataclass(frozen=True, slots=True)
class MultiSearch(Command):
    """ESEARCH: a search of several mailboxes (RFC 7377 §2.1). ``sources`` is None for the selected one."""

    name = "ESEARCH"
    stage = Stage.IMAP_ESEARCH
    capabilities = ("MULTISEARCH",)
    updates = AllowedUpdates.NO_EXPUNGE

    key: SearchKey
    sources: tuple[MailboxFilter, ...] | None = None
    returns: SearchReturn | None = None
    charset: str | None = None

    @classmethod
    def parse(cls, scan: Scanner) -> MultiSearch:
        """ "ESEARCH" [SP "IN" SP "(" source-mbox [SP "(" scope-options ")"] ")"] [SP search-return-opts]

        SP search-program (RFC 7377 §4); there are no scope options.
        """
        scan.space()
        sources: list[MailboxFilter] = []
        if scan.try_word("IN"):
            scan.space()
            scan.open("mailboxes to search")
            while True:
                start = scan.at
                found = MailboxFilter.parse(scan)
                if found.kind is FilterKind.SELECTED_DELAYED:
                    scan.at = start
                    scan.fail("a mailbox filter other than selected-delayed")
                sources.append(found)
                if not scan.more("a mailbox filter"):
                    break
            scan.space()
        returns = search_return(scan)
        charset, key = search_program(scan)
        return cls(key, tuple(sources) if sources else None, returns, charset)

    def requirements(self) -> Iterator[Requirement]:
        """A capability for each key and option that has one."""
        yield from required_by_returns(self.returns, "MULTISEARCH")
        yield from required_by_keys(self.key)

    def run(self, session: ImapContext) -> Completed:
        """Search, with one response for each mailbox in which something was found."""
        returns = self.returns or SearchReturn()
        sources = self.sources
        if sources is None:
            boxes = [session.selected.mailbox]
        else:
            if ResultOption.SAVE in returns.options and any(
                f.kind is not FilterKind.SELECTED for f in sources
            ):
                raise bad("Only a search of the selected mailbox can be saved.")  # RFC 7377 §2.1
            if any(source.kind is FilterKind.SELECTED for source in sources):
                _ = session.selected
            boxes = filtered_mailboxes(sources, session.mailboxes, session.view)
        elsewhere = sources is not None and any(source.kind is not FilterKind.SELECTED for source in sources)
        for key in walk(self.key):
            if elsewhere and isinstance(key, InSet) and not (key.uid and key.numbers is not SAVED_RESULT):
                raise bad("Message numbers mean something in the selected mailbox only.")  # RFC 7377 §2.1
        for box in boxes:
            view = session.view
            if view is not None and view.mailbox is box:
                found = _matching_selected(session, view, self.key, with_expunged=True)
            else:
                found = _matching_in(session, box, self.key)
            if ResultOption.SAVE in returns.options and view is not None:
                view.saved = sorted(_saved(returns, found))
            words = _results(self.key, returns, found, by_uid=True)
            if found and returns.options != {ResultOption.SAVE}:
                correlator = b"(TAG %b MAILBOX %b UIDVALIDITY %d)" % (
                    printing.string(session.tag),
                    printing.mailbox(box.name, utf8=session.utf8),
                    box.uid_validity,
                )
                session.say(printing.untagged(b"ESEARCH", correlator, b"UID", *words))
        return Completed()


# Matching -----------------------------------------------------------------------------------------


def matching(session: ImapContext, view: SelectedMailbox, key: SearchKey, *, uid: bool) -> list[Numbered]:
    """The messages of the selected mailbox that match, for SEARCH, SORT and THREAD.

    Behind UID expunges can be sent at the end; without it a message is there until then, as for FETCH (RFC 2180
    §4.1.1).
    """
    if not uid:
        session.require_numbers()
    return _matching_selected(session, view, key, with_expunged=not uid)


def _matching_selected(
    session: ImapContext, view: SelectedMailbox, key: SearchKey, *, with_expunged: bool
) -> list[Numbered]:
    if _asks_modseq(key):
        session.enable_condstore()
    if session.uid_only and any(
        isinstance(part, InSet) and not part.uid and not isinstance(part.numbers, SavedResult)
        for part in walk(key)
    ):
        session.require_numbers()
    known = view.known
    test = _test(
        session,
        key,
        len(known),
        known[-1] if known else 0,
        saved=frozenset(view.saved),
        recent=view.recent if not session.rev2 else frozenset(),
    )
    return [row for row in view.everything(with_expunged=with_expunged) if test(row[1], row[0])]


def _matching_in(session: ImapContext, box: Mailbox, key: SearchKey) -> list[Numbered]:
    """The messages of a mailbox that is not selected that match."""
    messages = box.at(0)
    test = _test(session, key, len(messages), messages[-1].uid if messages else 0)
    return [row for row in enumerate(messages, 1) if test(row[1], row[0])]


def _test(
    session: ImapContext,
    key: SearchKey,
    largest_number: int,
    largest_uid: int,
    *,
    saved: Container[int] = frozenset(),
    recent: Container[int] = frozenset(),
) -> Test:
    context = SearchContext(
        now=session.backend.now(),
        largest_number=largest_number,
        largest_uid=largest_uid,
        saved=saved,
        recent=recent,
        save_dates=session.may("SAVEDATE"),
        gmail_message_id=gmail.message_id,
        gmail_thread_id=gmail.thread_id,
        gmail_labels=partial(gmail.labels, session.mailboxes, None),
        gmail_query=gmail.read_query,
    )
    try:
        return compile_search(key, context)
    except TooDeep as error:
        raise bad(f"{error}.", code="LIMIT") from None


def _asks_modseq(key: SearchKey) -> bool:
    return any(isinstance(part, ModSeqAtLeast) for part in walk(key))


# Responses ----------------------------------------------------------------------------------------


def numbers_of(rows: Iterable[Numbered], *, by_uid: bool) -> list[int]:
    """The numbers of messages in a response: UIDs, or message sequence numbers."""
    return [message.uid for _, message in rows] if by_uid else [number for number, _ in rows]


def send_results(
    session: ImapContext,
    view: SelectedMailbox,
    name: bytes,
    key: SearchKey,
    returns: SearchReturn | None,
    found: Sequence[Numbered],
    *,
    uid: bool,
) -> None:
    """Send the results of SEARCH or SORT: with ``returns`` as ESEARCH, else as the response of that name."""
    if returns is not None:
        _send_extended(session, view, key, returns, found, uid=uid)
        return
    numbers = numbers_of(found, by_uid=uid)
    line = b"* " + name
    if numbers:
        line += b" " + " ".join(map(str, numbers)).encode()
        if _asks_modseq(key):  # RFC 7162 §3.1.6
            line += b" (MODSEQ %d)" % max(message.modseq for _, message in found)
    session.say(line + b"\r\n")


def _send_extended(
    session: ImapContext,
    view: SelectedMailbox,
    key: SearchKey,
    returns: SearchReturn,
    found: Sequence[Numbered],
    *,
    uid: bool,
) -> None:
    """Send an ESEARCH response, and set ``$``."""
    if ResultOption.SAVE in returns.options:
        view.saved = sorted(_saved(returns, found))
        if returns.options == {ResultOption.SAVE} and returns.partial is None:
            return  # RFC 5182 §2.1: nothing but saving was asked for
    words = [b"(TAG %b)" % printing.string(session.tag)]
    if uid:
        words.append(b"UID")
    words += _results(key, returns, found, by_uid=uid)
    session.say(printing.untagged(b"ESEARCH", *words))


def _saved(returns: SearchReturn, found: Sequence[Numbered]) -> list[int]:
    """RFC 5182 §2.4: with MIN or MAX alone only those, otherwise everything; of a page only that."""
    uids = numbers_of(found, by_uid=True)
    options = returns.options
    if returns.partial is not None:
        return returns.partial.of(uids)  # RFC 9394 §3.2
    if uids and not options & {ResultOption.ALL, ResultOption.COUNT} and options != {ResultOption.SAVE}:
        ends = []
        if ResultOption.MIN in options:
            ends.append(uids[0])
        if ResultOption.MAX in options:
            ends.append(uids[-1])
        return sorted(set(ends))
    return uids


def _results(
    key: SearchKey, returns: SearchReturn, found: Sequence[Numbered], *, by_uid: bool
) -> list[bytes]:
    """The return data of ESEARCH (RFC 4731 §3.1); of SORT in its order."""
    options = returns.options
    wants_all = ResultOption.ALL in options or (not options and returns.partial is None)
    numbers = numbers_of(found, by_uid=by_uid)
    words: list[bytes] = []
    if numbers and ResultOption.MIN in options:
        words.append(b"MIN %d" % numbers[0])
    if numbers and ResultOption.MAX in options:
        words.append(b"MAX %d" % numbers[-1])
    if ResultOption.COUNT in options:
        words.append(b"COUNT %d" % len(numbers))
    if numbers and wants_all:
        words.append(b"ALL " + printing.sequence_set(numbers))
    if returns.partial is not None:
        there = printing.sequence_set(returns.partial.of(numbers)) or printing.NIL
        words.append(b"PARTIAL (%b %b)" % (printing.partial_range(returns.partial), there))
    if found and _asks_modseq(key):
        words.append(b"MODSEQ %d" % _modseq(returns, found, wants_all))
    return words


def _modseq(returns: SearchReturn, found: Sequence[Numbered], wants_all: bool) -> int:
    """RFC 4731 §3.2: of all messages, or with MIN and MAX alone of those."""
    options = returns.options
    ends = [found[0]] if ResultOption.MIN in options else []
    ends += [found[-1]] if ResultOption.MAX in options else []
    whole = wants_all or ResultOption.COUNT in options or returns.partial is not None or not ends
    return max(message.modseq for _, message in (found if whole else ends))
