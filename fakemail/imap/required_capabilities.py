"""Which capability each argument of a command needs. Without it the argument does not exist.

The commands themselves are in :mod:`fakemail.imap.states`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from fakemail.imap.syntax import commands, mailbox_commands
from fakemail.imap.syntax.commands import Command
from fakemail.imap.syntax.fetch_items import FetchBinary, FetchBinarySize, FetchData, FetchItem
from fakemail.imap.syntax.mailbox_commands import ListReturn, ListSelect, StatusItem
from fakemail.imap.syntax.search_keys import (
    Age,
    And,
    DateField,
    DateIs,
    EmailIdIs,
    Fuzzy,
    GmailMessageIdIs,
    GmailRaw,
    GmailThreadIdIs,
    HasGmailLabel,
    InSet,
    ModSeqAtLeast,
    Not,
    Or,
    ResultOption,
    SaveDateSupported,
    SearchKey,
    SearchReturn,
    SortField,
    ThreadAlgorithm,
    ThreadIdIs,
)
from fakemail.imap.syntax.sets import NumberSet, SavedResult

Need = tuple[str, tuple[str, ...]]
"""What was asked for, and the capabilities of which one is needed."""

_REV2: Final = "IMAP4rev2"
_GMAIL: Final = ("X-GM-EXT-1",)
_FETCH: Final[dict[FetchData, tuple[str, ...]]] = {
    FetchData.MODSEQ: ("CONDSTORE",),
    FetchData.EMAILID: ("OBJECTID",),
    FetchData.THREADID: ("OBJECTID",),
    FetchData.SAVEDATE: ("SAVEDATE",),
    FetchData.PREVIEW: ("PREVIEW",),
    FetchData.PREVIEW_LAZY: ("PREVIEW",),
    FetchData.GMAIL_MESSAGE_ID: _GMAIL,
    FetchData.GMAIL_THREAD_ID: _GMAIL,
    FetchData.GMAIL_LABELS: _GMAIL,
}
_STATUS: Final[dict[StatusItem, tuple[str, ...]]] = {
    StatusItem.SIZE: ("STATUS=SIZE", _REV2),
    StatusItem.DELETED: (_REV2, "QUOTA=RES-MESSAGE"),
    StatusItem.DELETED_STORAGE: ("QUOTA=RES-STORAGE",),
    StatusItem.HIGHESTMODSEQ: ("CONDSTORE",),
    StatusItem.MAILBOXID: ("OBJECTID",),
    StatusItem.APPENDLIMIT: ("APPENDLIMIT",),
}
_SEARCH: Final[dict[type, tuple[str, ...]]] = {
    Age: ("WITHIN",),
    EmailIdIs: ("OBJECTID",),
    ThreadIdIs: ("OBJECTID",),
    Fuzzy: ("SEARCH=FUZZY",),
    ModSeqAtLeast: ("CONDSTORE",),
    SaveDateSupported: ("SAVEDATE",),
    GmailRaw: _GMAIL,
    GmailMessageIdIs: _GMAIL,
    GmailThreadIdIs: _GMAIL,
    HasGmailLabel: _GMAIL,
}
_DISPLAY: Final = frozenset({SortField.DISPLAYFROM, SortField.DISPLAYTO})
_THREAD: Final = {algorithm: (f"THREAD={algorithm.value}",) for algorithm in ThreadAlgorithm}
_SEARCHRES: Final = ("SEARCHRES", _REV2)
_ESEARCH: Final = ("ESEARCH", _REV2)


def first_missing(command: Command, offered: frozenset[str]) -> str:
    """What among its arguments is not there in this session, as a sentence; empty if everything is."""
    reader = _READERS.get(type(command))
    if reader is not None:
        for what, needs in reader(command):
            if offered.isdisjoint(needs):
                return f"There is no {what} here."
    return ""


def _items(items: Iterable[FetchItem]) -> Iterator[Need]:
    for item in items:
        if isinstance(item, FetchData):
            if item in _FETCH:
                yield item.value, _FETCH[item]
        elif isinstance(item, FetchBinary | FetchBinarySize):
            yield "BINARY", ("BINARY", _REV2)


def _numbers(numbers: NumberSet) -> Iterator[Need]:
    if isinstance(numbers, SavedResult):
        yield "$", _SEARCHRES


def _keys(key: SearchKey) -> Iterator[Need]:
    waiting = [key]
    while waiting:
        part = waiting.pop()
        if isinstance(part, And | Or):
            waiting += part.keys
            continue
        if type(part) in _SEARCH:
            yield "such search key", _SEARCH[type(part)]
        if isinstance(part, Not | Fuzzy):
            waiting.append(part.key)
        elif isinstance(part, InSet):
            yield from _numbers(part.numbers)
        elif isinstance(part, DateIs) and part.field is DateField.SAVED:
            yield "search by save date", ("SAVEDATE",)


def _returns(returns: SearchReturn | None, *needs: str) -> Iterator[Need]:
    if returns is None:
        return
    if returns.partial is not None:
        yield "PARTIAL", ("PARTIAL",)
    yield "RETURN", needs
    if ResultOption.SAVE in returns.options:
        yield "SAVE", _SEARCHRES


def _fetch(command: commands.Fetch) -> Iterator[Need]:
    yield from _numbers(command.numbers)
    yield from _items(command.items)
    if command.changed_since is not None:
        yield "CHANGEDSINCE", ("CONDSTORE",)
    if command.vanished:
        yield "VANISHED", ("QRESYNC",)
    if command.partial is not None:
        yield "PARTIAL", ("PARTIAL",)


def _store(command: commands.Store) -> Iterator[Need]:
    yield from _numbers(command.numbers)
    if command.unchanged_since is not None:
        yield "UNCHANGEDSINCE", ("CONDSTORE",)
    if command.labels:
        yield "X-GM-LABELS", _GMAIL


def _copy(command: commands.Copy | commands.Move) -> Iterator[Need]:
    return _numbers(command.numbers)


def _expunge(command: commands.Expunge) -> Iterator[Need]:
    if command.uids is not None:
        yield "command UID EXPUNGE", ("UIDPLUS", _REV2)
        yield from _numbers(command.uids)


def _search(command: commands.Search) -> Iterator[Need]:
    yield from _returns(command.returns, *_ESEARCH)
    yield from _keys(command.key)


def _sort(command: commands.Sort) -> Iterator[Need]:
    yield from _returns(command.returns, "ESORT")
    if any(criterion.field in _DISPLAY for criterion in command.criteria):
        yield "sorting by display names", ("SORT=DISPLAY",)
    yield from _keys(command.key)


def _thread(command: commands.Thread) -> Iterator[Need]:
    yield command.algorithm.value, _THREAD[command.algorithm]
    yield from _keys(command.key)


def _multi_search(command: mailbox_commands.MultiSearch) -> Iterator[Need]:
    yield from _returns(command.returns, "MULTISEARCH")
    yield from _keys(command.key)


def _select(command: mailbox_commands.Select | mailbox_commands.Examine) -> Iterator[Need]:
    if command.condstore:
        yield "parameter CONDSTORE", ("CONDSTORE",)
    if command.qresync is not None:
        yield "parameter QRESYNC", ("QRESYNC",)


def _create(command: mailbox_commands.Create) -> Iterator[Need]:
    if command.special_use:
        yield "parameter USE", ("CREATE-SPECIAL-USE",)


def _status_items(items: Iterable[StatusItem]) -> Iterator[Need]:
    for item in items:
        if item in _STATUS:
            yield f"STATUS item {item.value}", _STATUS[item]


def _status(command: mailbox_commands.StatusCommand) -> Iterator[Need]:
    return _status_items(command.items)


def _list(command: mailbox_commands.List) -> Iterator[Need]:
    if ListSelect.SPECIAL_USE in command.select or ListReturn.SPECIAL_USE in command.returns:
        yield "SPECIAL-USE", ("SPECIAL-USE", _REV2)
    if ListReturn.MYRIGHTS in command.returns:
        yield "MYRIGHTS", ("LIST-MYRIGHTS",)
    if command.status:
        yield "STATUS in LIST", ("LIST-STATUS", _REV2)
    plain = not (command.select - {ListSelect.SPECIAL_USE} or command.returns - {ListReturn.SPECIAL_USE})
    if command.extended and not (plain and (command.select or command.returns)):
        yield "extended LIST", ("LIST-EXTENDED", _REV2)
    yield from _status_items(command.status)


def _append(command: mailbox_commands.Append) -> Iterator[Need]:
    if len(command.messages) > 1:
        yield "APPEND of several messages", ("MULTIAPPEND",)
    for message in command.messages:
        yield from _message(message)


def _message(message: commands.AppendMessage) -> Iterator[Need]:
    if message.utf8:
        yield "UTF8", ("UTF8=ACCEPT", _REV2)
    elif message.binary:
        yield "literal8", ("BINARY", _REV2)


def _replace(command: commands.Replace) -> Iterator[Need]:
    return _message(command.message)


def _authenticate(command: commands.Authenticate) -> Iterator[Need]:
    if command.initial is not None:
        yield "initial response", ("SASL-IR", _REV2)


def _notify(command: mailbox_commands.NotifySet) -> Iterator[Need]:
    for group in command.groups:
        yield from _items(group.fetch)


_READERS: Final[dict[type[Command], Callable[[Any], Iterator[Need]]]] = {
    commands.Fetch: _fetch,
    commands.Store: _store,
    commands.Copy: _copy,
    commands.Move: _copy,
    commands.Expunge: _expunge,
    commands.Search: _search,
    commands.Sort: _sort,
    commands.Thread: _thread,
    commands.Replace: _replace,
    commands.Authenticate: _authenticate,
    mailbox_commands.MultiSearch: _multi_search,
    mailbox_commands.Select: _select,
    mailbox_commands.Examine: _select,
    mailbox_commands.Create: _create,
    mailbox_commands.StatusCommand: _status,
    mailbox_commands.List: _list,
    mailbox_commands.Append: _append,
    mailbox_commands.NotifySet: _notify,
}
