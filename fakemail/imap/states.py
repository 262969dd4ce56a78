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
from fakemail.imap.context import ImapState
from fakemail.imap.responses import Outcome, bad
from fakemail.imap.updates import AllowedUpdates
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


class ImapCommandRow(NamedTuple):
    """One command, with its UID form."""

    name: str
    states: frozenset[ImapState]
    handler: Callable[[ImapSession, Any], Outcome]
    needs: tuple[str, ...] = ()
    """One of these capabilities must be offered, or the command does not exist."""
    stage: Stage = Stage.IMAP_UNKNOWN
    news: AllowedUpdates = AllowedUpdates.ALL
    """What may be told at the end of it; after UID always everything."""
    has_target: bool = False
    """Whether a missing mailbox is one that the client may create (TRYCREATE)."""

    def exists(self, offered: frozenset[str]) -> bool:
        """Whether there is such a command in a session that is offered these capabilities."""
        return not self.needs or not offered.isdisjoint(self.needs)

    def out_of_order(self, state: ImapState) -> str:
        """What is said in a state in which it is not legal."""
        if state is ImapState.NOT_AUTHENTICATED:
            return f"{self.name}: log in first."
        if ImapState.SELECTED in self.states and state is ImapState.AUTHENTICATED:
            return f"{self.name}: select a mailbox first."
        return f"{self.name} is not allowed after login."


_ANY: Final = frozenset(ImapState)
_STRANGER: Final = frozenset({ImapState.NOT_AUTHENTICATED})
_INSIDE: Final = frozenset({ImapState.AUTHENTICATED, ImapState.SELECTED})
_SELECTED: Final = frozenset({ImapState.SELECTED})
_REV2: Final = "IMAP4rev2"


def _unknown(session: ImapSession, command: object) -> Outcome:
    raise bad("There is no such command.")


UNKNOWN: Final = ImapCommandRow("The command", frozenset(), _unknown)
"""Stands for what is no command, and for what nobody asked for."""

_ROWS: Final = (
    # RFC 9051 §6.1: any state
    ImapCommandRow("CAPABILITY", _ANY, any_state.capability),
    ImapCommandRow("NOOP", _ANY, any_state.noop),
    ImapCommandRow("LOGOUT", _ANY, any_state.logout, news=AllowedUpdates.NONE),
    ImapCommandRow("ID", _ANY, any_state.identify, ("ID",)),
    ImapCommandRow("COMPRESS", _INSIDE, any_state.compress, ("COMPRESS=DEFLATE",)),
    # RFC 9051 §6.2: not authenticated
    ImapCommandRow("STARTTLS", _STRANGER, any_state.start_tls, ("STARTTLS",)),
    ImapCommandRow("AUTHENTICATE", _STRANGER, login.authenticate),
    ImapCommandRow("LOGIN", _STRANGER, login.login),
    # RFC 9051 §6.3: authenticated
    ImapCommandRow(
        "UNAUTHENTICATE", _INSIDE, any_state.unauthenticate, ("UNAUTHENTICATE",), news=AllowedUpdates.NONE
    ),
    ImapCommandRow("ENABLE", _INSIDE, any_state.enable, ("ENABLE", _REV2)),
    ImapCommandRow("SELECT", _INSIDE, select.select, news=AllowedUpdates.NONE),
    ImapCommandRow("EXAMINE", _INSIDE, select.select, news=AllowedUpdates.NONE),
    ImapCommandRow("CREATE", _INSIDE, folders.create),
    ImapCommandRow("DELETE", _INSIDE, folders.delete),
    ImapCommandRow("RENAME", _INSIDE, folders.rename),
    ImapCommandRow("SUBSCRIBE", _INSIDE, folders.subscribe),
    ImapCommandRow("UNSUBSCRIBE", _INSIDE, folders.unsubscribe),
    ImapCommandRow("LIST", _INSIDE, listing.list_mailboxes),
    ImapCommandRow("LSUB", _INSIDE, listing.list_subscribed, ("IMAP4rev1",)),
    ImapCommandRow("XLIST", _INSIDE, listing.list_for_gmail, ("XLIST",)),
    ImapCommandRow("NAMESPACE", _INSIDE, folders.namespace, ("NAMESPACE", _REV2)),
    ImapCommandRow("STATUS", _INSIDE, status.status),
    ImapCommandRow("APPEND", _INSIDE, append.append, has_target=True),
    ImapCommandRow("IDLE", _INSIDE, notify.idle, ("IDLE", _REV2)),
    ImapCommandRow("NOTIFY", _INSIDE, notify.notify, ("NOTIFY",)),
    ImapCommandRow(
        "ESEARCH", _INSIDE, search.search_several, ("MULTISEARCH",), news=AllowedUpdates.NO_EXPUNGE
    ),
    ImapCommandRow("GETQUOTA", _INSIDE, quota.get_quota, ("QUOTA",)),
    ImapCommandRow("GETQUOTAROOT", _INSIDE, quota.get_quota_root, ("QUOTA",)),
    ImapCommandRow("SETQUOTA", _INSIDE, quota.set_quota, ("QUOTASET",)),
    ImapCommandRow("GETMETADATA", _INSIDE, metadata.get_metadata, ("METADATA",)),
    ImapCommandRow("SETMETADATA", _INSIDE, metadata.set_metadata, ("METADATA",)),
    ImapCommandRow("GETACL", _INSIDE, rights.get_acl, ("ACL",)),
    ImapCommandRow("SETACL", _INSIDE, rights.set_acl, ("ACL",)),
    ImapCommandRow("DELETEACL", _INSIDE, rights.delete_acl, ("ACL",)),
    ImapCommandRow("LISTRIGHTS", _INSIDE, rights.list_rights, ("ACL",)),
    ImapCommandRow("MYRIGHTS", _INSIDE, rights.my_rights, ("ACL",)),
    # RFC 9051 §6.4: selected
    ImapCommandRow("CHECK", _SELECTED, any_state.noop, ("IMAP4rev1",)),
    ImapCommandRow("CLOSE", _SELECTED, select.close, news=AllowedUpdates.NONE),
    ImapCommandRow("UNSELECT", _SELECTED, select.unselect, ("UNSELECT", _REV2), news=AllowedUpdates.NONE),
    ImapCommandRow("EXPUNGE", _SELECTED, copy.expunge),
    ImapCommandRow("SEARCH", _SELECTED, search.search, news=AllowedUpdates.NO_EXPUNGE),
    ImapCommandRow("SORT", _SELECTED, search.sort, ("SORT",), news=AllowedUpdates.NO_EXPUNGE),
    ImapCommandRow(
        "THREAD",
        _SELECTED,
        search.thread_messages,
        ("THREAD=REFERENCES", "THREAD=ORDEREDSUBJECT"),
        news=AllowedUpdates.NO_EXPUNGE,
    ),
    ImapCommandRow("FETCH", _SELECTED, fetch.fetch, news=AllowedUpdates.NO_EXPUNGE),
    ImapCommandRow("STORE", _SELECTED, store.store, news=AllowedUpdates.NO_EXPUNGE),
    ImapCommandRow("COPY", _SELECTED, copy.copy, has_target=True),
    ImapCommandRow("MOVE", _SELECTED, copy.move, ("MOVE", _REV2), has_target=True),
    ImapCommandRow("REPLACE", _SELECTED, append.replace, ("REPLACE",), has_target=True),
)
COMMANDS: Final = {row.name: row._replace(stage=Stage[f"IMAP_{row.name}"]) for row in _ROWS}
"""Every command by its name."""
