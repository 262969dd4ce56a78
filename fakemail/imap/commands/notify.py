"""NOTIFY and IDLE: to be told without asking (RFC 5465, RFC 2177)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.imap import updates
from fakemail.imap.commands.mailbox_sets import matches
from fakemail.imap.commands.status import status_line
from fakemail.imap.notifications import Notifications
from fakemail.imap.responses import AwaitContinuation, Completed, bad
from fakemail.imap.syntax import commands, mailbox_commands
from fakemail.imap.syntax.mailbox_commands import EventGroup, FilterKind, NotifyEvent, StatusItem
from fakemail.store.mailbox import Mailbox

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


def notify(
    session: ImapSession, command: mailbox_commands.NotifySet | mailbox_commands.NotifyNone
) -> Completed:
    """RFC 5465 §3."""
    groups = command.groups if isinstance(command, mailbox_commands.NotifySet) else ()
    # RFC 5465 §3.1: 'a successful NOTIFY SET command implies an implicit NOOP command'
    if groups:
        updates.tell(session, expunges=True)
    if session.notifications is not None:
        session.notifications.stop()
    session.notifications = Notifications(session, groups)
    if isinstance(command, mailbox_commands.NotifySet) and command.status:
        _tell_statuses(session, groups)
    return Completed()


def _tell_statuses(session: ImapSession, groups: tuple[EventGroup, ...]) -> None:
    """A STATUS of each mailbox whose messages are of interest, but the selected one."""
    wanted: dict[Mailbox, dict[StatusItem, None]] = {}
    account, view = session.mailboxes, session.view
    for entry in account.entries():
        box = entry.mailbox
        if box is None or (view is not None and view.mailbox is box):
            continue
        for group in groups:
            if matches(group.mailboxes, box.name, account):
                items = _items(group, condstore=session.may("CONDSTORE"))
                if items:
                    wanted.setdefault(box, {}).update(dict.fromkeys(items))
    session.say(*[status_line(session, box, list(items)) for box, items in wanted.items()])


def _items(group: EventGroup, *, condstore: bool) -> list[StatusItem]:
    events = group.events
    if group.mailboxes.kind in (FilterKind.SELECTED, FilterKind.SELECTED_DELAYED):
        return []
    items = []
    if events & {NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE}:
        items += [StatusItem.MESSAGES, StatusItem.UIDNEXT, StatusItem.UIDVALIDITY]
    if NotifyEvent.FLAG_CHANGE in events:
        items.append(StatusItem.UIDVALIDITY)
        if condstore:
            items.append(StatusItem.HIGHESTMODSEQ)
    return items


def idle(session: ImapSession, command: commands.IdleCommand) -> AwaitContinuation:
    """RFC 2177 §3: until DONE."""

    def on_line(line: str) -> Completed:
        session.idling = False
        if line.upper() != "DONE":
            raise bad("Expected DONE.")
        return Completed()

    session.idling = True
    return AwaitContinuation("idling", on_line)
