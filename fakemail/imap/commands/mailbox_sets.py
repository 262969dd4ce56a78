"""Which mailboxes a filter of NOTIFY and ESEARCH means (RFC 5465 §6, RFC 7377 §2.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fakemail.imap.syntax.mailbox_commands import FilterKind, MailboxFilter
from fakemail.store import names
from fakemail.store.account import AccountStore
from fakemail.store.mailbox import INBOX, Mailbox

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


def matches(wanted: MailboxFilter, name: str, account: AccountStore) -> bool:
    """Whether a filter, other than those of the selected mailbox, means a name."""
    match wanted.kind:
        case FilterKind.INBOXES:
            return name == INBOX  # the only one that mail is delivered to of itself
        case FilterKind.PERSONAL:
            return True
        case FilterKind.SUBSCRIBED:
            return name in account.subscriptions()
        case FilterKind.MAILBOXES:
            return name in wanted.mailboxes
        case FilterKind.SUBTREE:
            return any(name == top or names.is_below(name, top) for top in wanted.mailboxes)
        case FilterKind.SUBTREE_ONE:
            return any(
                name == top or (names.is_below(name, top) and names.SEPARATOR not in name[len(top) + 1 :])
                for top in wanted.mailboxes
            )
        case _:
            return False


def mailboxes_of(session: ImapSession, filters: Iterable[MailboxFilter]) -> list[Mailbox]:
    """The mailboxes that any of the filters means, each once, in the order of a listing."""
    account, view = session.mailboxes, session.view
    found = []
    wanted = list(filters)
    for entry in account.entries():
        box = entry.mailbox
        if box is None:
            continue
        own = view is not None and view.mailbox is box
        if any(
            own if one.kind is FilterKind.SELECTED else matches(one, entry.name, account) for one in wanted
        ):
            found.append(box)
    return found
