"""The table of IMAP commands: in which state each is legal, what it needs, what may be told at its end.

The session runs by this table, the documentation prints it, and the tests walk through every row in every state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fakemail.imap.commands import (
    any_state,
    append,
    copy,
    fetch,
    folders,
    listing,
    login,
    metadata,
    notify,
    quota,
    rights,
    search,
    select,
    status,
    store,
)
from fakemail.imap.context import State
from fakemail.imap.news import News
from fakemail.imap.responses import Outcome, bad
from fakemail.terms.stage import Stage

if TYPE_CHECKING:
    from fakemail.imap.session import Session


class Row(NamedTuple):
    """One command, with its UID form."""

    name: str
    states: frozenset[State]
    handler: Callable[[Session, Any], Outcome]
    needs: tuple[str, ...] = ()
    """One of these capabilities must be offered, or the command does not exist."""
    stage: Stage = Stage.IMAP_UNKNOWN
    news: News = News.ALL
    """What may be told at the end of it; after UID always everything."""
    has_target: bool = False
    """Whether a missing mailbox is one that the client may create (TRYCREATE)."""

    def exists(self, offered: frozenset[str]) -> bool:
        """Whether there is such a command in a session that is offered these capabilities."""
        return not self.needs or not offered.isdisjoint(self.needs)

    def out_of_order(self, state: State) -> str:
        """What is said in a state in which it is not legal."""
        if state is State.STRANGER:
            return f"{self.name}: log in first."
        if State.SELECTED in self.states and state is State.AUTHENTICATED:
            return f"{self.name}: select a mailbox first."
        return f"{self.name} is not allowed after login."


_ANY: Final = frozenset(State)
_STRANGER: Final = frozenset({State.STRANGER})
_INSIDE: Final = frozenset({State.AUTHENTICATED, State.SELECTED})
_SELECTED: Final = frozenset({State.SELECTED})
_REV2: Final = "IMAP4rev2"


def _unknown(session: Session, command: object) -> Outcome:
    raise bad("There is no such command.")


UNKNOWN: Final = Row("The command", frozenset(), _unknown)
"""Stands for what is no command, and for what nobody asked for."""

_ROWS: Final = (
    # RFC 9051 §6.1: any state
    Row("CAPABILITY", _ANY, any_state.capability),
    Row("NOOP", _ANY, any_state.noop),
    Row("LOGOUT", _ANY, any_state.logout, news=News.NONE),
    Row("ID", _ANY, any_state.identify, ("ID",)),
    Row("COMPRESS", _INSIDE, any_state.compress, ("COMPRESS=DEFLATE",)),
    # RFC 9051 §6.2: not authenticated
    Row("STARTTLS", _STRANGER, any_state.start_tls, ("STARTTLS",)),
    Row("AUTHENTICATE", _STRANGER, login.authenticate),
    Row("LOGIN", _STRANGER, login.login),
    # RFC 9051 §6.3: authenticated
    Row("UNAUTHENTICATE", _INSIDE, any_state.unauthenticate, ("UNAUTHENTICATE",), news=News.NONE),
    Row("ENABLE", _INSIDE, any_state.enable, ("ENABLE", _REV2)),
    Row("SELECT", _INSIDE, select.select, news=News.NONE),
    Row("EXAMINE", _INSIDE, select.select, news=News.NONE),
    Row("CREATE", _INSIDE, folders.create),
    Row("DELETE", _INSIDE, folders.delete),
    Row("RENAME", _INSIDE, folders.rename),
    Row("SUBSCRIBE", _INSIDE, folders.subscribe),
    Row("UNSUBSCRIBE", _INSIDE, folders.unsubscribe),
    Row("LIST", _INSIDE, listing.list_mailboxes),
    Row("LSUB", _INSIDE, listing.list_subscribed, ("IMAP4rev1",)),
    Row("XLIST", _INSIDE, listing.list_for_gmail, ("XLIST",)),
    Row("NAMESPACE", _INSIDE, folders.namespace, ("NAMESPACE", _REV2)),
    Row("STATUS", _INSIDE, status.status),
    Row("APPEND", _INSIDE, append.append, has_target=True),
    Row("IDLE", _INSIDE, notify.idle, ("IDLE", _REV2)),
    Row("NOTIFY", _INSIDE, notify.notify, ("NOTIFY",)),
    Row("ESEARCH", _INSIDE, search.search_several, ("MULTISEARCH",), news=News.NO_EXPUNGE),
    Row("GETQUOTA", _INSIDE, quota.get_quota, ("QUOTA",)),
    Row("GETQUOTAROOT", _INSIDE, quota.get_quota_root, ("QUOTA",)),
    Row("SETQUOTA", _INSIDE, quota.set_quota, ("QUOTASET",)),
    Row("GETMETADATA", _INSIDE, metadata.get_metadata, ("METADATA",)),
    Row("SETMETADATA", _INSIDE, metadata.set_metadata, ("METADATA",)),
    Row("GETACL", _INSIDE, rights.get_acl, ("ACL",)),
    Row("SETACL", _INSIDE, rights.set_acl, ("ACL",)),
    Row("DELETEACL", _INSIDE, rights.delete_acl, ("ACL",)),
    Row("LISTRIGHTS", _INSIDE, rights.list_rights, ("ACL",)),
    Row("MYRIGHTS", _INSIDE, rights.my_rights, ("ACL",)),
    # RFC 9051 §6.4: selected
    Row("CHECK", _SELECTED, any_state.noop, ("IMAP4rev1",)),
    Row("CLOSE", _SELECTED, select.close, news=News.NONE),
    Row("UNSELECT", _SELECTED, select.unselect, ("UNSELECT", _REV2), news=News.NONE),
    Row("EXPUNGE", _SELECTED, copy.expunge),
    Row("SEARCH", _SELECTED, search.search, news=News.NO_EXPUNGE),
    Row("SORT", _SELECTED, search.sort, ("SORT",), news=News.NO_EXPUNGE),
    Row(
        "THREAD",
        _SELECTED,
        search.thread_messages,
        ("THREAD=REFERENCES", "THREAD=ORDEREDSUBJECT"),
        news=News.NO_EXPUNGE,
    ),
    Row("FETCH", _SELECTED, fetch.fetch, news=News.NO_EXPUNGE),
    Row("STORE", _SELECTED, store.store, news=News.NO_EXPUNGE),
    Row("COPY", _SELECTED, copy.copy, has_target=True),
    Row("MOVE", _SELECTED, copy.move, ("MOVE", _REV2), has_target=True),
    Row("REPLACE", _SELECTED, append.replace, ("REPLACE",), has_target=True),
)
COMMANDS: Final = {row.name: row._replace(stage=Stage[f"IMAP_{row.name}"]) for row in _ROWS}
"""Every command by its name."""
