"""STATUS: counters of a mailbox that is not selected (RFC 9051 §6.3.11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from fakemail.imap.commands.condstore import enable_condstore
from fakemail.imap.responses import Completed
from fakemail.imap.syntax import mailbox_commands, printing
from fakemail.imap.syntax.mailbox_commands import StatusItem
from fakemail.store.mailbox import Mailbox

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession

_VALUES: Final[dict[StatusItem, Callable[[Mailbox], object]]] = {
    StatusItem.MESSAGES: len,
    StatusItem.RECENT: lambda box: box.recent,
    StatusItem.UIDNEXT: lambda box: box.uid_next,
    StatusItem.UIDVALIDITY: lambda box: box.uid_validity,
    StatusItem.UNSEEN: lambda box: box.unseen,
    StatusItem.DELETED: lambda box: box.deleted,
    StatusItem.SIZE: lambda box: box.size,
    StatusItem.HIGHESTMODSEQ: lambda box: box.highest_modseq,
    StatusItem.MAILBOXID: lambda box: f"({box.mailbox_id})",
    StatusItem.DELETED_STORAGE: lambda box: box.deleted_size,
}


def status(session: ImapSession, command: mailbox_commands.StatusCommand) -> Completed:
    """RFC 9051 §6.3.11."""
    box = session.mailboxes.get(command.mailbox)
    if StatusItem.HIGHESTMODSEQ in command.items:
        enable_condstore(session)  # RFC 7162 §3.1
    session.say(status_line(session, box, command.items))
    return Completed()


def status_line(session: ImapSession, box: Mailbox, items: Sequence[StatusItem]) -> bytes:
    """A STATUS response."""
    words = []
    for item in items:
        if item is StatusItem.APPENDLIMIT:
            value: object = session.profile.max_message_size
        elif item is StatusItem.RECENT and session.view is not None and session.view.mailbox is box:
            value = session.view.recent.count(session.view.known) + session.view.arrived
        else:
            value = _VALUES[item](box)
        words.append(f"{item.value} {value}".encode())
    name = printing.mailbox(box.name, utf8=session.utf8)
    return printing.untagged(b"STATUS", name, printing.parenthesised(words))
