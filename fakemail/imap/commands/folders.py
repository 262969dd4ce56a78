"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, NAMESPACE: the tree of mailboxes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from fakemail.imap.responses import Completed, no
from fakemail.imap.syntax import mailbox_commands, printing
from fakemail.store.errors import NoSuchSubscription
from fakemail.store.names import SEPARATOR
from fakemail.types.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


def create(session: ImapSession, command: mailbox_commands.Create) -> Completed:
    """RFC 9051 §6.3.4, RFC 6154 §3."""
    name = _plain(command.mailbox)
    box = session.mailboxes.create(name, special_use=command.special_use)
    if session.may("OBJECTID"):
        return Completed("", f"MAILBOXID ({box.mailbox_id})")  # RFC 8474 §4.1
    return Completed()


def delete(session: ImapSession, command: mailbox_commands.Delete) -> Completed:
    """RFC 9051 §6.3.5. A session that deletes what it has selected goes back to no mailbox."""
    account = session.mailboxes
    box = account.find(command.mailbox)
    own = session.view is not None and session.view.mailbox is box and command.mailbox != "INBOX"
    if own:
        session.deselect()
    account.delete(command.mailbox)
    if own:
        session.say(printing.condition("OK", "The selected mailbox is deleted.", code="CLOSED"))
    return Completed()


def rename(session: ImapSession, command: mailbox_commands.Rename) -> Completed:
    """RFC 9051 §6.3.6."""
    session.mailboxes.rename(command.old, _plain(command.new))
    return Completed()


def subscribe(session: ImapSession, command: mailbox_commands.Subscribe) -> Completed:
    """RFC 9051 §6.3.7."""
    session.mailboxes.subscribe(command.mailbox.removesuffix(SEPARATOR))
    return Completed()


def unsubscribe(session: ImapSession, command: mailbox_commands.Unsubscribe) -> Completed:
    """RFC 9051 §6.3.8: OK also for what is not subscribed."""
    with suppress(NoSuchSubscription):
        session.mailboxes.unsubscribe(command.mailbox.removesuffix(SEPARATOR))
    return Completed()


def namespace(session: ImapSession, command: mailbox_commands.NamespaceCommand) -> Completed:
    """RFC 9051 §6.3.10: one personal namespace."""
    session.say(b'* NAMESPACE (("" "%b")) NIL NIL\r\n' % SEPARATOR.encode())
    return Completed()


def _plain(name: str) -> str:
    # A name with wildcards could never be listed alone (RFC 9051 §5.1); other servers refuse it too.
    if "*" in name or "%" in name:
        raise no(Reason.NOT_ALLOWED, "A mailbox name has no wildcards in it.", code="CANNOT")
    return name
