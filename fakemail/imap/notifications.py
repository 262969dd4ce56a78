"""Events that a client asked for with NOTIFY, and changes that wait to be sent (RFC 5465).

Changes of the selected mailbox are sent by :mod:`fakemail.imap.updates`, as far as this allows; what waits here is
about other mailboxes, and printed in :mod:`fakemail.imap.commands.notify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

from fakemail.imap.mailbox_filters import FilterKind, MailboxFilter
from fakemail.imap.syntax.fetch_items import FetchItem
from fakemail.store import names
from fakemail.store.account import AccountStore
from fakemail.store.mailbox import (
    Arrived,
    Change,
    Expunged,
    FlagsChanged,
    Listener,
    Mailbox,
    MailboxCreated,
    MailboxDeleted,
    MailboxRenamed,
    MetadataChanged,
    SubscriptionChanged,
    UidValidityChanged,
)
from fakemail.types.dataclass import dataclass

MOST_WAITING: Final = 1000
"""Notifications that may wait; with more, the server gives up (RFC 5465 §5.8)."""


class NotifyEvent(Enum):
    """An event that NOTIFY can report (RFC 5465 §5)."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    ANNOTATION_CHANGE = "AnnotationChange"
    MAILBOX_NAME = "MailboxName"
    SUBSCRIPTION_CHANGE = "SubscriptionChange"
    MAILBOX_METADATA_CHANGE = "MailboxMetadataChange"
    SERVER_METADATA_CHANGE = "ServerMetadataChange"


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Events wanted for some mailboxes; no events mean NONE. ``fetch`` belongs to MessageNew."""

    mailboxes: MailboxFilter
    events: frozenset[NotifyEvent] = frozenset()
    fetch: tuple[FetchItem, ...] = ()


@dataclass(frozen=True, slots=True)
class NameChange:
    """A LIST response that waits; ``old`` is the name before a rename."""

    name: str
    old: str | None = None


class Notifications:
    """The event groups of one ``NOTIFY SET``; without groups, of ``NOTIFY NONE``."""

    def __init__(self, groups: Sequence[EventGroup], account: AccountStore, listener: Listener) -> None:
        """``listener`` is called with every change of the account if there are groups for other mailboxes."""
        self._account = account
        self.selected = next((group for group in groups if group.mailboxes.is_selected), None)
        """The group for the selected mailbox."""
        self.others = tuple(group for group in groups if not group.mailboxes.is_selected)
        self.statuses: dict[Mailbox, dict[NotifyEvent, None]] = {}
        """Mailboxes whose counters wait to be sent, with the events that changed them."""
        self.changes: dict[object, NameChange | MetadataChanged] = {}
        """Changes of names and annotations that wait to be sent, in their order."""
        self.overflown = False
        self._subscription = account.listen(listener) if self.others else None

    def stop(self) -> None:
        """End the subscription."""
        if self._subscription is not None:
            self._subscription.cancel()

    # The selected mailbox ------------------------------------------------------------------------

    @property
    def wants_selected(self) -> bool:
        """Whether changes of the selected mailbox are wanted."""
        return self.selected is not None and bool(self.selected.events)

    @property
    def at_once(self) -> bool:
        """Whether also expunges are sent between commands (RFC 5465 §6.1)."""
        return self.selected is not None and self.selected.mailboxes.kind is FilterKind.SELECTED

    @property
    def wants_flags(self) -> bool:
        """Whether flags in the selected mailbox are wanted."""
        return self.selected is not None and NotifyEvent.FLAG_CHANGE in self.selected.events

    # Other mailboxes -----------------------------------------------------------------------------

    def note(self, change: Change, selected: Mailbox | None) -> bool:
        """Keep a change until it can be sent; whether anything waits now."""
        if self.overflown:
            return False
        match change:
            case Arrived():
                self._count(change.mailbox, NotifyEvent.MESSAGE_NEW, selected)
            case Expunged():
                self._count(change.mailbox, NotifyEvent.MESSAGE_EXPUNGE, selected)
            case FlagsChanged() | UidValidityChanged():
                self._count(change.mailbox, NotifyEvent.FLAG_CHANGE, selected)
            case MailboxCreated() | MailboxDeleted():
                for name in (change.name, *list(names.parents(change.name))[:1]):
                    if self._wants(name, NotifyEvent.MAILBOX_NAME):
                        self._wait(name, NameChange(name))
            case MailboxRenamed(old=old, new=new):
                if self._wants(new, NotifyEvent.MAILBOX_NAME) or self._wants(old, NotifyEvent.MAILBOX_NAME):
                    self._wait(new, NameChange(new, old))
            case SubscriptionChanged():
                if self._wants(change.name, NotifyEvent.SUBSCRIPTION_CHANGE):
                    self._wait(change.name, NameChange(change.name))
            case MetadataChanged():
                if self._wants_annotations(change.name):
                    self._wait((change.name, change.entries), change)
            case _:
                return False
        if len(self.changes) + len(self.statuses) > MOST_WAITING:
            self.overflown = True
            self.changes.clear()
            self.statuses.clear()
        return self.overflown or bool(self.changes) or bool(self.statuses)

    def _wants(self, name: str, event: NotifyEvent) -> bool:
        return any(
            event in group.events and group.mailboxes.matches(name, self._account) for group in self.others
        )

    def _wants_annotations(self, name: str) -> bool:
        if name:
            return self._wants(name, NotifyEvent.MAILBOX_METADATA_CHANGE)
        return any(NotifyEvent.SERVER_METADATA_CHANGE in group.events for group in self.others)

    def _wait(self, key: object, change: NameChange | MetadataChanged) -> None:
        self.changes.pop(key, None)
        self.changes[key] = change

    def _count(self, box: Mailbox, event: NotifyEvent, selected: Mailbox | None) -> None:
        if selected is not box and self._wants(box.name, event):
            self.statuses.setdefault(box, {})[event] = None
