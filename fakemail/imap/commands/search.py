"""SEARCH, SORT, THREAD and the search of several mailboxes, with their ways to answer.

Which messages match is worked out in :mod:`fakemail.imap.content`; here is what is asked and what is said
(RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 5256, RFC 7377, RFC 9394).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from fakemail.imap import gmail
from fakemail.imap.commands.condstore import enable_condstore
from fakemail.imap.commands.mailbox_sets import mailboxes_of
from fakemail.imap.commands.sets import require_numbers
from fakemail.imap.content.search import SearchContext, Test, TooDeep, compile_search
from fakemail.imap.content.sorting import sort_order
from fakemail.imap.content.threading import thread, thread_lists
from fakemail.imap.responses import Completed, bad
from fakemail.imap.selected_mailbox import Numbered, SelectedMailbox
from fakemail.imap.syntax import commands, mailbox_commands, printing
from fakemail.imap.syntax.mailbox_commands import FilterKind
from fakemail.imap.syntax.search_keys import (
    And,
    Fuzzy,
    InSet,
    ModSeqAtLeast,
    Not,
    Or,
    ResultOption,
    SearchKey,
    SearchReturn,
)
from fakemail.imap.syntax.sets import SAVED_RESULT, PartialRange, SavedResult
from fakemail.store.mailbox import Mailbox

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession

_ALL = SearchReturn(frozenset({ResultOption.ALL}))


def search(session: ImapSession, command: commands.Search) -> Completed:
    """RFC 9051 §6.4.4."""
    view = session.selected
    if not command.uid:
        require_numbers(session)
    found = _matching(session, view, command.key, with_gone=not command.uid)
    returns = command.returns
    if returns is None and session.rev2:
        returns = _ALL  # RFC 9051 §6.4.4: ESEARCH even without RETURN
    if returns is not None:
        _tell_extended(session, view, command, returns, found)
        return Completed()
    numbers = _numbers(found, by_uid=command.uid)
    line = _listed(b"* SEARCH", numbers)
    if found and _asks_modseq(command.key):
        line += b" (MODSEQ %d)" % max(message.modseq for _, message in found)  # RFC 7162 §3.1.6
    session.say(line + b"\r\n")
    return Completed()


def sort(session: ImapSession, command: commands.Sort) -> Completed:
    """RFC 5256 §3, RFC 5267 §3.1."""
    view = session.selected
    if not command.uid:
        require_numbers(session)
    found = _matching(session, view, command.key, with_gone=not command.uid)
    order = sort_order([message for _, message in found], command.criteria)
    ordered = [found[place] for place in order]
    if command.returns is not None:
        _tell_extended(session, view, command, command.returns, ordered)
        return Completed()
    numbers = _numbers(ordered, by_uid=command.uid)
    line = _listed(b"* SORT", numbers)
    if found and _asks_modseq(command.key):
        line += b" (MODSEQ %d)" % max(message.modseq for _, message in found)
    session.say(line + b"\r\n")
    return Completed()


def thread_messages(session: ImapSession, command: commands.Thread) -> Completed:
    """RFC 5256 §3."""
    view = session.selected
    if not command.uid:
        require_numbers(session)
    found = _matching(session, view, command.key, with_gone=not command.uid)
    threads = thread([message for _, message in found], command.algorithm)
    lists = thread_lists(threads, _numbers(found, by_uid=command.uid))
    session.say(b"* THREAD %b\r\n" % lists if lists else b"* THREAD\r\n")
    return Completed()


def search_several(session: ImapSession, command: mailbox_commands.MultiSearch) -> Completed:
    """ESEARCH: one response for each mailbox in which something was found (RFC 7377 §2.1)."""
    returns = command.returns or SearchReturn()
    sources = command.sources
    if sources is None:
        boxes = [session.selected.mailbox]
    else:
        if ResultOption.SAVE in returns.options and any(f.kind is not FilterKind.SELECTED for f in sources):
            raise bad("Only a search of the selected mailbox can be saved.")  # RFC 7377 §2.1
        if any(source.kind is FilterKind.SELECTED for source in sources):
            _ = session.selected
        boxes = mailboxes_of(session, sources)
    elsewhere = sources is not None and any(source.kind is not FilterKind.SELECTED for source in sources)
    for key in _leaves(command.key):
        if elsewhere and isinstance(key, InSet) and not (key.uid and key.numbers is not SAVED_RESULT):
            raise bad("Message numbers mean something in the selected mailbox only.")  # RFC 7377 §2.1
    for box in boxes:
        view = session.view
        if view is not None and view.mailbox is box:
            found = _matching(session, view, command.key, with_gone=True)
        else:
            found = _matching_in(session, box, command.key)
        if ResultOption.SAVE in returns.options and view is not None:
            view.saved = sorted(_saved(returns, found))
        words = _results(command.key, returns, found, by_uid=True)
        if found and returns.options != {ResultOption.SAVE}:
            correlator = b"(TAG %b MAILBOX %b UIDVALIDITY %d)" % (
                printing.string(session.tag),
                printing.mailbox(box.name, utf8=session.utf8),
                box.uid_validity,
            )
            session.say(printing.untagged(b"ESEARCH", correlator, b"UID", *words))
    return Completed()


# What matches -------------------------------------------------------------------------------------


def _matching(
    session: ImapSession, view: SelectedMailbox, key: SearchKey, *, with_gone: bool
) -> list[Numbered]:
    """The messages of the selected mailbox that match.

    ``with_gone`` is for commands at whose end expunges cannot be told: until then a message is there, as for FETCH
    (RFC 2180 §4.1.1).
    """
    if _asks_modseq(key):
        enable_condstore(session)
    if session.uid_only and any(
        isinstance(leaf, InSet) and not leaf.uid and not isinstance(leaf.numbers, SavedResult)
        for leaf in _leaves(key)
    ):
        require_numbers(session)
    known = view.known
    test = _compile(
        key,
        SearchContext(
            now=session.backend.now(),
            largest_number=len(known),
            largest_uid=known[-1] if known else 0,
            saved=frozenset(view.saved),
            recent=view.recent if not session.rev2 else frozenset(),
            save_dates=session.may("SAVEDATE"),
            gmail_message_id=gmail.message_id,
            gmail_thread_id=gmail.thread_id,
            gmail_labels=partial(gmail.labels, session.mailboxes, None),
            gmail_query=gmail.read_query,
        ),
    )
    return [row for row in view.everything(with_gone=with_gone) if test(row[1], row[0])]


def _matching_in(session: ImapSession, box: Mailbox, key: SearchKey) -> list[Numbered]:
    """The messages of another mailbox that match."""
    messages = box.at(0)
    context = SearchContext(
        now=session.backend.now(),
        largest_number=len(messages),
        largest_uid=messages[-1].uid if messages else 0,
        save_dates=session.may("SAVEDATE"),
        gmail_message_id=gmail.message_id,
        gmail_thread_id=gmail.thread_id,
        gmail_labels=partial(gmail.labels, session.mailboxes, None),
        gmail_query=gmail.read_query,
    )
    test = _compile(key, context)
    return [row for row in enumerate(messages, 1) if test(row[1], row[0])]


def _compile(key: SearchKey, context: SearchContext) -> Test:
    try:
        return compile_search(key, context)
    except TooDeep as error:
        raise bad(f"{error}.", code="LIMIT") from None


def _leaves(key: SearchKey) -> Iterable[SearchKey]:
    waiting = [key]
    while waiting:
        part = waiting.pop()
        if isinstance(part, And | Or):
            waiting += part.keys
        elif isinstance(part, Not | Fuzzy):
            waiting.append(part.key)
        else:
            yield part


def _asks_modseq(key: SearchKey) -> bool:
    return any(isinstance(leaf, ModSeqAtLeast) for leaf in _leaves(key))


# What is said -------------------------------------------------------------------------------------


def _numbers(rows: Iterable[Numbered], *, by_uid: bool) -> list[int]:
    return [message.uid for _, message in rows] if by_uid else [number for number, _ in rows]


def _listed(name: bytes, numbers: Sequence[int]) -> bytes:
    return b"%b %b" % (name, " ".join(map(str, numbers)).encode()) if numbers else name


def _tell_extended(
    session: ImapSession,
    view: SelectedMailbox,
    command: commands.Search | commands.Sort,
    returns: SearchReturn,
    found: Sequence[Numbered],
) -> None:
    """An ESEARCH response, and what ``$`` means from now on."""
    if ResultOption.SAVE in returns.options:
        view.saved = sorted(_saved(returns, found))
        if returns.options == {ResultOption.SAVE} and returns.partial is None:
            return  # RFC 5182 §2.1: nothing but saving was asked for
    words = [b"(TAG %b)" % printing.string(session.tag)]
    if command.uid:
        words.append(b"UID")
    words += _results(command.key, returns, found, by_uid=command.uid)
    session.say(printing.untagged(b"ESEARCH", *words))


def _saved(returns: SearchReturn, found: Sequence[Numbered]) -> list[int]:
    """RFC 5182 §2.4: with MIN or MAX alone only those, otherwise everything; of a page only that."""
    uids = _numbers(found, by_uid=True)
    options = returns.options
    if returns.partial is not None:
        return _page(uids, returns.partial)  # RFC 9394 §3.2
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
    numbers = _numbers(found, by_uid=by_uid)
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
        there = printing.sequence_set(_page(numbers, returns.partial)) or printing.NIL
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


def _page(numbers: Sequence[int], wanted: PartialRange) -> list[int]:
    count = len(numbers)
    if wanted.from_end:
        return list(numbers[max(count - wanted.last, 0) : max(count - wanted.first + 1, 0)])
    return list(numbers[wanted.first - 1 : wanted.last])
