"""NOTIFY (RFC 5465) and IDLE (RFC 2177): updates without a command in progress."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import REV2, Command
from fakemail.imap.commands.list import list_attributes
from fakemail.imap.commands.status import StatusItem, status_line
from fakemail.imap.context import ImapContext
from fakemail.imap.mailbox_filters import MailboxFilter
from fakemail.imap.notifications import EventGroup, NameChange, NotifyEvent
from fakemail.imap.responses import AwaitContinuation, Completed, bad
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.fetch_items import FetchItem, fetch_item_list, required_by_fetch_items
from fakemail.imap.syntax.scanner import Scanner
from fakemail.imap.updates import send_updates
from fakemail.store.account import FolderEntry
from fakemail.store.mailbox import Mailbox
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage

_EVENTS: Final = {event.value.upper(): event for event in NotifyEvent}
_MESSAGE_EVENTS = {
    NotifyEvent.MESSAGE_NEW,
    NotifyEvent.MESSAGE_EXPUNGE,
    NotifyEvent.FLAG_CHANGE,
    NotifyEvent.ANNOTATION_CHANGE,
}


class Notify(Command):
    """NOTIFY (RFC 5465 §3): the base of its two forms."""

    name = "NOTIFY"
    stage = Stage.IMAP_NOTIFY
    capabilities = ("NOTIFY",)

    @classmethod
    def parse(cls, scan: Scanner) -> Notify:
        """ "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE") (RFC 5465 §8)."""
        scan.space()
        verb = scan.word("SET or NONE")
        if verb == "NONE":
            return NotifyNone()
        if verb != "SET":
            scan.refuse(f"NOTIFY is followed by SET or NONE, not {verb}.")
        scan.space()
        status = scan.try_word("STATUS")
        if status:
            scan.space()
        groups = [_event_group(scan)]
        while scan.another():
            groups.append(_event_group(scan))
        # RFC 5465 §8, filter-mailboxes-selected: 'Only one of them can be specified in a NOTIFY command.'
        if sum(group.mailboxes.is_selected for group in groups) > 1:
            scan.refuse("Only one event group may be for the selected mailbox.")
        return NotifySet(tuple(groups), status)


@dataclass(frozen=True, slots=True)
class NotifySet(Notify):
    """``NOTIFY SET`` (RFC 5465 §3.1). ``status`` asks for a STATUS of each mailbox at once."""

    groups: tuple[EventGroup, ...]
    status: bool = False

    def requirements(self) -> Iterator[Requirement]:
        """Capabilities needed by the items that are fetched of new messages."""
        for group in self.groups:
            yield from required_by_fetch_items(group.fetch)

    def run(self, session: ImapContext) -> Completed:
        """Ask for these events, and for no others any more."""
        # RFC 5465 §3.1: 'a successful NOTIFY SET command implies an implicit NOOP command'
        send_updates(session, expunges=True)
        session.notify(self.groups)
        if self.status:
            _send_statuses(session, self.groups)
        return Completed()


class NotifyNone(Notify):
    """``NOTIFY NONE`` (RFC 5465 §3.2)."""

    def run(self, session: ImapContext) -> Completed:
        """Ask for nothing."""
        session.notify(())
        return Completed()


def _event_group(scan: Scanner) -> EventGroup:
    """event-group = "(" filter-mailboxes SP events ")"; events = ( "(" event *(SP event) ")" ) / "NONE"."""
    scan.open("an event group")
    mailboxes = MailboxFilter.parse(scan)
    scan.space()
    if scan.try_word("NONE"):
        group = EventGroup(mailboxes)
    else:
        group = _events(scan, mailboxes)
    if scan.more("events"):
        scan.fail("')' after events")
    return group


def _events(scan: Scanner, mailboxes: MailboxFilter) -> EventGroup:
    events: set[NotifyEvent] = set()
    unknown: list[str] = []
    fetch: tuple[FetchItem, ...] = ()
    scan.open("events")
    going = True
    while going:
        word = scan.atom("an event")
        event = _EVENTS.get(word.upper())
        if event is None:
            unknown.append(word)
        else:
            events.add(event)
        going = scan.more("an event")
        if going and event is NotifyEvent.MESSAGE_NEW and scan.peek() == "(":
            # RFC 5465 §8: the list 'may only be present for the SELECTED/SELECTED-DELAYED mailbox filter'
            if not mailboxes.is_selected:
                scan.refuse("MessageNew has fetch items for the selected mailbox only.")
            fetch = fetch_item_list(scan)
            going = scan.more("fetch items")
    if unknown:  # RFC 5465 §5
        names = " ".join(event.value for event in NotifyEvent)
        scan.refuse("There is no such event.", response="NO", code=f"BADEVENT ({names})")
    _check_events(scan, mailboxes, events)
    return EventGroup(mailboxes, frozenset(events), fetch)


def _check_events(scan: Scanner, mailboxes: MailboxFilter, events: set[NotifyEvent]) -> None:
    """RFC 5465 §8, event-group and message-event: what must be together, and what must not."""
    if mailboxes.is_selected and not events <= _MESSAGE_EVENTS:
        scan.refuse("Only message events are allowed for the selected mailbox.")
    pair = {NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE}
    if events & _MESSAGE_EVENTS and not pair <= events:
        scan.refuse("MessageNew and MessageExpunge go together, and other message events need both.")


def _send_statuses(session: ImapContext, groups: tuple[EventGroup, ...]) -> None:
    """Send a STATUS of each mailbox whose messages are of interest, but the selected one."""
    wanted: dict[Mailbox, dict[StatusItem, None]] = {}
    account, view = session.mailboxes, session.view
    for entry in account.entries():
        box = entry.mailbox
        if box is None or (view is not None and view.mailbox is box):
            continue
        for group in groups:
            if group.mailboxes.matches(box.name, account):
                items = _initial_items(group, condstore=session.may("CONDSTORE"))
                if items:
                    wanted.setdefault(box, {}).update(dict.fromkeys(items))
    session.say(*[status_line(session, box, list(items)) for box, items in wanted.items()])


def _initial_items(group: EventGroup, *, condstore: bool) -> list[StatusItem]:
    events = group.events
    if group.mailboxes.is_selected:
        return []
    items = []
    if events & {NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE}:
        items += [StatusItem.MESSAGES, StatusItem.UIDNEXT, StatusItem.UIDVALIDITY]
    if NotifyEvent.FLAG_CHANGE in events:
        items.append(StatusItem.UIDVALIDITY)
        if condstore:
            items.append(StatusItem.HIGHESTMODSEQ)
    return items


def send_notifications(session: ImapContext) -> None:
    """Send what waits about other mailboxes."""
    notifications = session.notifications
    if notifications is None:
        return
    if notifications.overflown:
        session.say(printing.condition("OK", "Too much has happened to tell.", code="NOTIFICATIONOVERFLOW"))
        session.notify(())
        return
    changes, notifications.changes = notifications.changes, {}
    statuses, notifications.statuses = notifications.statuses, {}
    for change in changes.values():
        if isinstance(change, NameChange):
            session.say(_list_line(session, change))
        else:
            name = printing.mailbox(change.name, utf8=session.utf8) if change.name else b'""'
            entries = [printing.astring(entry) for entry in change.entries]
            session.say(printing.untagged(b"METADATA", name, *entries))
    for box, events in statuses.items():
        if not box.is_deleted:
            items = dict.fromkeys(item for event in events for item in _changed_items(session, event))
            session.say(status_line(session, box, list(items)))


def _changed_items(session: ImapContext, event: NotifyEvent) -> list[StatusItem]:
    # RFC 5465 §5.1 to §5.3
    if event is NotifyEvent.FLAG_CHANGE:
        items = [StatusItem.UIDVALIDITY, StatusItem.UNSEEN]
    else:
        items = [StatusItem.UIDNEXT, StatusItem.MESSAGES]
    if session.condstore:
        items.append(StatusItem.HIGHESTMODSEQ)
    return items


def _list_line(session: ImapContext, change: NameChange) -> bytes:
    entries = session.mailboxes.entries(subscribed=True)
    entry = next(
        (one for one in entries if one.name == change.name), FolderEntry(change.name, None, False, False)
    )
    words = list_attributes(entry, subscribed=True, special_use=True, children=True)
    line = b'* LIST (%b) "/" %b' % (words, printing.mailbox(change.name, utf8=session.utf8))
    if change.old is not None:  # RFC 5465 §5.4: LIST of the new name with OLDNAME
        line += b' ("OLDNAME" (%b))' % printing.mailbox(change.old, utf8=session.utf8)
    return line + b"\r\n"


class IdleCommand(Command):
    """IDLE. The line DONE that ends it is no command: the session takes it from the frame."""

    name = "IDLE"
    stage = Stage.IMAP_IDLE
    capabilities = ("IDLE", REV2)

    def run(self, session: ImapContext) -> AwaitContinuation:
        """Send updates as they come, until DONE (RFC 2177 §3)."""

        def on_line(line: str) -> Completed:
            session.idling = False
            if line.upper() != "DONE":
                raise bad("Expected DONE.")
            return Completed()

        session.idling = True
        return AwaitContinuation("idling", on_line)
