"""Which extensions a command makes use of, so that a server which does not offer them can refuse it.

The parser reads everything; what is offered depends on the server and its state, and the session compares.
Here lives only the mapping from what was written to the capability that allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from fakemail.imap.syntax import commands as c
from fakemail.imap.syntax import mailbox_commands as m
from fakemail.imap.syntax import search_keys as k
from fakemail.imap.syntax.commands import AppendMessage, Command
from fakemail.imap.syntax.fetch_items import FetchBinary, FetchBinarySize, FetchData, FetchItem
from fakemail.imap.syntax.sets import SavedResult

#: RFC 9051, appendix E: extensions that are part of IMAP4rev2 and need no capability of their own there.
PART_OF_REV2: Final = frozenset(
    {
        *("NAMESPACE", "UNSELECT", "UIDPLUS", "ESEARCH", "SEARCHRES", "ENABLE", "IDLE", "SASL-IR", "MOVE"),
        *("LIST-EXTENDED", "LIST-STATUS", "BINARY", "SPECIAL-USE", "STATUS=SIZE", "STATUS=DELETED"),
    }
)

_GMAIL: Final = "X-GM-EXT-1"

# Commands that are an extension by themselves.
_COMMANDS: Final[dict[type[Command], str]] = {
    c.Id: "ID",
    c.StartTlsCommand: "STARTTLS",
    c.Unauthenticate: "UNAUTHENTICATE",
    c.Enable: "ENABLE",
    c.IdleCommand: "IDLE",
    c.Unselect: "UNSELECT",
    c.Sort: "SORT",
    c.Move: "MOVE",
    c.Replace: "REPLACE",
    m.NamespaceCommand: "NAMESPACE",
    m.GetQuota: "QUOTA",
    m.GetQuotaRoot: "QUOTA",
    m.SetQuota: "QUOTASET",
    m.SetAcl: "ACL",
    m.DeleteAcl: "ACL",
    m.GetAcl: "ACL",
    m.ListRights: "ACL",
    m.MyRights: "ACL",
    m.NotifySet: "NOTIFY",
    m.NotifyNone: "NOTIFY",
    m.MultiSearch: "MULTISEARCH",
}
_FETCH_DATA: Final = {
    FetchData.MODSEQ: "CONDSTORE",
    FetchData.EMAILID: "OBJECTID",
    FetchData.THREADID: "OBJECTID",
    FetchData.SAVEDATE: "SAVEDATE",
    FetchData.PREVIEW: "PREVIEW",
    FetchData.PREVIEW_LAZY: "PREVIEW",
    FetchData.GMAIL_MESSAGE_ID: _GMAIL,
    FetchData.GMAIL_THREAD_ID: _GMAIL,
    FetchData.GMAIL_LABELS: _GMAIL,
}
_STATUS: Final = {
    m.StatusItem.SIZE: "STATUS=SIZE",
    m.StatusItem.DELETED: "STATUS=DELETED",
    m.StatusItem.DELETED_STORAGE: "QUOTA=RES-STORAGE",
    m.StatusItem.HIGHESTMODSEQ: "CONDSTORE",
    m.StatusItem.MAILBOXID: "OBJECTID",
    m.StatusItem.APPENDLIMIT: "APPENDLIMIT",
}
_KEYS: Final[dict[type[k.SearchKey], str]] = {
    k.Age: "WITHIN",
    k.Fuzzy: "SEARCH=FUZZY",
    k.ModSeqAtLeast: "CONDSTORE",
    k.EmailIdIs: "OBJECTID",
    k.ThreadIdIs: "OBJECTID",
    k.SaveDateSupported: "SAVEDATE",
    k.GmailRaw: _GMAIL,
    k.GmailMessageIdIs: _GMAIL,
    k.GmailThreadIdIs: _GMAIL,
    k.HasGmailLabel: _GMAIL,
}


def needed(command: Command) -> set[str]:
    """Return the capabilities that a command relies on beyond IMAP4rev1 (RFC 3501).

    ``STATUS=DELETED`` is a name of ours for the item DELETED, which comes with IMAP4rev2 or with
    ``QUOTA=RES-MESSAGE`` (RFC 9208 §4.1.4).
    """
    kind = type(command)
    names = {_COMMANDS[kind]} if kind in _COMMANDS else set()
    if isinstance(getattr(command, "numbers", None), SavedResult):
        names.add("SEARCHRES")
    if look := _DETAILS.get(kind):
        look(command, names)
    return names


def _authenticate(command: c.Authenticate, names: set[str]) -> None:
    if command.initial is not None:
        names.add("SASL-IR")


def _compress(command: c.Compress, names: set[str]) -> None:
    names.add(f"COMPRESS={command.mechanism}")


def _select(command: m.Select | m.Examine, names: set[str]) -> None:
    if command.condstore:
        names.add("CONDSTORE")
    if command.qresync:
        names.add("QRESYNC")


def _create(command: m.Create, names: set[str]) -> None:
    if command.special_use:
        names.add("CREATE-SPECIAL-USE")


def _list(command: m.List, names: set[str]) -> None:
    if command.extended:
        names.add("LIST-EXTENDED")
    if command.status:
        names.add("LIST-STATUS")
        _status_items(command.status, names)
    if m.ListReturn.SPECIAL_USE in command.returns or m.ListSelect.SPECIAL_USE in command.select:
        names.add("SPECIAL-USE")
    if m.ListReturn.MYRIGHTS in command.returns:
        names.add("LIST-MYRIGHTS")


def _status(command: m.StatusCommand, names: set[str]) -> None:
    _status_items(command.items, names)


def _status_items(items: Iterable[m.StatusItem], names: set[str]) -> None:
    names.update(_STATUS[item] for item in items if item in _STATUS)


def _append(command: m.Append, names: set[str]) -> None:
    if len(command.messages) > 1:
        names.add("MULTIAPPEND")
    for message in command.messages:
        _message(message, names)


def _replace(command: c.Replace, names: set[str]) -> None:
    _message(command.message, names)


def _message(message: AppendMessage, names: set[str]) -> None:
    if message.utf8:
        names.add("UTF8=ACCEPT")
    elif message.binary:
        names.add("BINARY")


def _metadata(command: m.GetMetadata | m.SetMetadata, names: set[str]) -> None:
    # RFC 5464 §1: METADATA covers both; METADATA-SERVER allows annotations of the server only
    names.add("METADATA" if command.mailbox else "METADATA-SERVER")


def _expunge(command: c.Expunge, names: set[str]) -> None:
    if command.uids is not None:
        names.add("UIDPLUS")
    if isinstance(command.uids, SavedResult):
        names.add("SEARCHRES")


def _search(command: c.Search | m.MultiSearch, names: set[str]) -> None:
    _results(command.returns, "ESEARCH", names)
    _keys(command.key, names)


def _sort(command: c.Sort, names: set[str]) -> None:
    _results(command.returns, "ESORT", names)
    _keys(command.key, names)
    if any(item.field in (k.SortField.DISPLAYFROM, k.SortField.DISPLAYTO) for item in command.criteria):
        names.add("SORT=DISPLAY")


def _thread(command: c.Thread, names: set[str]) -> None:
    names.add(f"THREAD={command.algorithm.value}")
    _keys(command.key, names)


def _results(returns: k.SearchReturn | None, base: str, names: set[str]) -> None:
    if returns is None:
        return
    names.add(base)
    if k.ResultOption.SAVE in returns.options:
        names.add("SEARCHRES")
    if returns.partial:
        names.add("PARTIAL")


def _keys(key: k.SearchKey, names: set[str]) -> None:
    for part in k.walk(key):
        if name := _KEYS.get(type(part)):
            names.add(name)
        elif isinstance(part, k.InSet) and isinstance(part.numbers, SavedResult):
            names.add("SEARCHRES")
        elif isinstance(part, k.DateIs) and part.field is k.DateField.SAVED:
            names.add("SAVEDATE")


def _fetch(command: c.Fetch, names: set[str]) -> None:
    _fetch_items(command.items, names)
    if command.changed_since is not None:
        names.add("CONDSTORE")
    if command.vanished:
        names.add("QRESYNC")
    if command.partial:
        names.add("PARTIAL")


def _fetch_items(items: Iterable[FetchItem], names: set[str]) -> None:
    for item in items:
        if isinstance(item, FetchData):
            if name := _FETCH_DATA.get(item):
                names.add(name)
        elif isinstance(item, FetchBinary | FetchBinarySize):
            names.add("BINARY")


def _store(command: c.Store, names: set[str]) -> None:
    if command.unchanged_since is not None:
        names.add("CONDSTORE")
    if command.labels:
        names.add(_GMAIL)


def _notify(command: m.NotifySet, names: set[str]) -> None:
    for group in command.groups:
        _fetch_items(group.fetch, names)


_DETAILS: Final[dict[type[Command], Callable[[Any, set[str]], None]]] = {
    c.Authenticate: _authenticate,
    c.Compress: _compress,
    c.Expunge: _expunge,
    c.Search: _search,
    c.Sort: _sort,
    c.Thread: _thread,
    c.Fetch: _fetch,
    c.Store: _store,
    c.Replace: _replace,
    m.Select: _select,
    m.Examine: _select,
    m.Create: _create,
    m.List: _list,
    m.StatusCommand: _status,
    m.Append: _append,
    m.GetMetadata: _metadata,
    m.SetMetadata: _metadata,
    m.MultiSearch: _search,
    m.NotifySet: _notify,
}
