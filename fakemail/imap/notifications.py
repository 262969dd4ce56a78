"""NOTIFY: what a client wants to hear of without asking, and what waits to be told (RFC 5465).

Changes of the selected mailbox are told by :mod:`fakemail.imap.updates`, as far as this allows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from fakemail.imap.commands.fetch import fetch_lines
from fakemail.imap.commands.listing import list_attributes
from fakemail.imap.commands.mailbox_sets import matches
from fakemail.imap.commands.status import status_line
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.fetch_items import FetchData
from fakemail.imap.syntax.mailbox_commands import EventGroup, FilterKind, NotifyEvent, StatusItem
from fakemail.store import names
from fakemail.store.account import FolderEntry
from fakemail.store.changes import (
    Arrived,
    Change,
    Expunged,
    FlagsChanged,
    MailboxCreated,
    MailboxDeleted,
    MailboxRenamed,
    MetadataChanged,
    SubscriptionChanged,
    UidValidityChanged,
)
from fakemail.store.mailbox import Mailbox
from fakemail.store.message import StoredMessage

if TYPE_CHECKING:
    from fakemail.imap.selected_mailbox import SelectedMailbox
    from fakemail.imap.session import ImapSession

MOST_WAITING: Final = 1000
"""Notifications that may wait; with more, the server gives up (RFC 5465 §5.8)."""

_SELECTED: Final = (FilterKind.SELECTED, FilterKind.SELECTED_DELAYED)


class Notifications:
    """What one ``NOTIFY SET`` asked for; without groups, nothing (``NOTIFY NONE``)."""

    def __init__(self, session: ImapSession, groups: Sequence[EventGroup]) -> None:
        self._session = session
        own = [group for group in groups if group.mailboxes.kind in _SELECTED]
        self.selected = own[0] if own else None
        """The group for the selected mailbox."""
        self.others = tuple(group for group in groups if group.mailboxes.kind not in _SELECTED)
        self._statuses: dict[Mailbox, dict[StatusItem, None]] = {}
        self._lines: dict[object, Callable[[], bytes]] = {}
        self._overflown = False
        account = session.mailboxes
        self._subscription = account.listen(self._heard) if self.others else None

    def stop(self) -> None:
        """Hear nothing more."""
        if self._subscription is not None:
            self._subscription.cancel()

    # The selected mailbox ------------------------------------------------------------------------

    @property
    def tells_selected(self) -> bool:
        """Whether the client wants to hear of the selected mailbox."""
        return self.selected is not None and bool(self.selected.events)

    @property
    def at_once(self) -> bool:
        """Whether also expunges are told between commands (RFC 5465 §6.1)."""
        return self.selected is not None and self.selected.mailboxes.kind is FilterKind.SELECTED

    @property
    def tells_flags(self) -> bool:
        """Whether the client wants to hear of flags in the selected mailbox."""
        return self.selected is not None and NotifyEvent.FLAG_CHANGE in self.selected.events

    def tell_new(self, view: SelectedMailbox, messages: Sequence[StoredMessage]) -> None:
        """What the client wants to know at once of new messages (RFC 5465 §5.2)."""
        if self.selected is None or not self.selected.fetch or not messages:
            return
        items = list(self.selected.fetch)
        if FetchData.UID not in items:
            items.insert(0, FetchData.UID)
        for batch in fetch_lines(self._session, view, view.numbered(messages), items):
            self._session.say(*batch)

    # Other mailboxes -----------------------------------------------------------------------------

    def _heard(self, change: Change) -> None:
        if self._overflown or self._session.is_acting:
            return  # RFC 5465 §5: the client knows what it has done itself
        match change:
            case Arrived():
                self._count(change.mailbox, NotifyEvent.MESSAGE_NEW)
            case Expunged():
                self._count(change.mailbox, NotifyEvent.MESSAGE_EXPUNGE)
            case FlagsChanged() | UidValidityChanged():
                self._count(change.mailbox, NotifyEvent.FLAG_CHANGE)
            case MailboxCreated() | MailboxDeleted():
                self._name(change.name)
                for parent in list(names.parents(change.name))[:1]:
                    self._name(parent)
            case MailboxRenamed():
                self._renamed(change)
            case SubscriptionChanged():
                if self._wants(change.name, NotifyEvent.SUBSCRIPTION_CHANGE):
                    self._wait(change.name, lambda: self._list_line(change.name))
            case MetadataChanged():
                self._annotated(change)
            case _:
                return
        if len(self._lines) + len(self._statuses) > MOST_WAITING:
            self._overflown = True
            self._lines.clear()
            self._statuses.clear()
        if self._overflown or self._lines or self._statuses:
            self._session.wake()

    def _wants(self, name: str, event: NotifyEvent) -> bool:
        account = self._session.mailboxes
        return any(event in group.events and matches(group.mailboxes, name, account) for group in self.others)

    def _wait(self, key: object, line: Callable[[], bytes]) -> None:
        self._lines.pop(key, None)
        self._lines[key] = line

    def _count(self, box: Mailbox, event: NotifyEvent) -> None:
        view = self._session.view
        if (view is not None and view.mailbox is box) or not self._wants(box.name, event):
            return
        self._statuses.setdefault(box, {}).update(dict.fromkeys(self._status_items(event)))

    def _status_items(self, event: NotifyEvent) -> list[StatusItem]:
        # RFC 5465 §5.1 to §5.3
        if event is NotifyEvent.FLAG_CHANGE:
            items = [StatusItem.UIDVALIDITY, StatusItem.UNSEEN]
        else:
            items = [StatusItem.UIDNEXT, StatusItem.MESSAGES]
        if self._session.condstore:
            items.append(StatusItem.HIGHESTMODSEQ)
        return items

    def _name(self, name: str) -> None:
        if self._wants(name, NotifyEvent.MAILBOX_NAME):
            self._wait(name, lambda: self._list_line(name))

    def _renamed(self, change: MailboxRenamed) -> None:
        old, new = change.old, change.new
        if self._wants(new, NotifyEvent.MAILBOX_NAME) or self._wants(old, NotifyEvent.MAILBOX_NAME):
            # RFC 5465 §5.4: LIST of the new name with OLDNAME
            self._wait(new, lambda: self._list_line(new, old))

    def _annotated(self, change: MetadataChanged) -> None:
        event = NotifyEvent.MAILBOX_METADATA_CHANGE if change.name else NotifyEvent.SERVER_METADATA_CHANGE
        wanted = (
            self._wants(change.name, event)
            if change.name
            else any(event in group.events for group in self.others)
        )
        if wanted:
            name = printing.mailbox(change.name, utf8=self._session.utf8) if change.name else b'""'
            entries = [printing.astring(entry) for entry in change.entries]
            self._wait((change.name, change.entries), lambda: printing.untagged(b"METADATA", name, *entries))

    def _list_line(self, name: str, old: str | None = None) -> bytes:
        account, utf8 = self._session.mailboxes, self._session.utf8
        entries = account.entries(subscribed=True)
        entry = next((one for one in entries if one.name == name), FolderEntry(name, None, False, False))
        words = list_attributes(entry, subscribed=True, special_use=True, children=True)
        line = b'* LIST (%b) "/" %b' % (words, printing.mailbox(name, utf8=utf8))
        if old is not None:
            line += b' ("OLDNAME" (%b))' % printing.mailbox(old, utf8=utf8)
        return line + b"\r\n"

    def tell(self, session: ImapSession) -> None:
        """Say what has happened in other mailboxes."""
        if self._overflown:
            session.say(
                printing.condition("OK", "Too much has happened to tell.", code="NOTIFICATIONOVERFLOW")
            )
            self.stop()
            session.notifications = Notifications(session, ())
            return
        lines, self._lines = self._lines, {}
        statuses, self._statuses = self._statuses, {}
        session.say(*[line() for line in lines.values()])
        session.say(
            *[status_line(session, box, list(items)) for box, items in statuses.items() if not box.is_gone]
        )
