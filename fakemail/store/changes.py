"""What can happen to mailboxes, as values, and the listeners that are told.

A change is told after it was made, on the thread that made it. When a listener makes another change, that one is
told after the present one has reached everybody, so that all hear everything in one order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fakemail.store.mailbox import Mailbox
    from fakemail.store.message import StoredMessage


@dataclass(frozen=True, slots=True)
class Arrived:
    """Messages were added at the end: delivered, appended, copied or moved here."""

    mailbox: Mailbox
    messages: tuple[StoredMessage, ...]
    modseq: int


@dataclass(frozen=True, slots=True)
class FlagsChanged:
    """Flags of messages changed; the messages are as they are now, in the order of their uids."""

    mailbox: Mailbox
    messages: tuple[StoredMessage, ...]
    modseq: int


@dataclass(frozen=True, slots=True)
class Expunged:
    """Messages are gone for good: expunged, moved away or replaced. The uids ascend."""

    mailbox: Mailbox
    uids: tuple[int, ...]
    modseq: int
    messages: tuple[StoredMessage, ...] = ()
    """As they were, in the order of their uids: a session may have to answer for them once more."""


@dataclass(frozen=True, slots=True)
class UidValidityChanged:
    """Every message has got a new uid; what a client knew is worth nothing."""

    mailbox: Mailbox
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class MailboxCreated:
    """A mailbox was made."""

    mailbox: Mailbox
    name: str


@dataclass(frozen=True, slots=True)
class MailboxDeleted:
    """A mailbox is gone, with its messages."""

    mailbox: Mailbox
    name: str


@dataclass(frozen=True, slots=True)
class MailboxRenamed:
    """A mailbox has another name; its ids, messages and annotations stayed."""

    mailbox: Mailbox
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class SubscriptionChanged:
    """A name was subscribed or unsubscribed."""

    name: str
    subscribed: bool


@dataclass(frozen=True, slots=True)
class MetadataChanged:
    """Annotations changed; ``name`` is empty for those of the server (RFC 5464 §4.4)."""

    name: str
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RightsChanged:
    """The access control list of a mailbox changed (RFC 4314)."""

    mailbox: Mailbox
    identifier: str


Change = (
    Arrived
    | FlagsChanged
    | Expunged
    | UidValidityChanged
    | MailboxCreated
    | MailboxDeleted
    | MailboxRenamed
    | SubscriptionChanged
    | MetadataChanged
    | RightsChanged
)
Listener = Callable[[Change], None]


def _nobody(_: Change) -> None:
    """Listens no more."""


class Subscription:
    """A listener's place; ``cancel`` it to hear nothing more, at any time, as often as you like."""

    __slots__ = ("_among", "listener")

    def __init__(self, among: Listeners, listener: Listener) -> None:
        self._among: Listeners | None = among
        self.listener = listener

    @property
    def is_active(self) -> bool:
        """Whether the listener is still told."""
        return self._among is not None

    def cancel(self) -> None:
        """Tell the listener nothing more, not even what is being told just now."""
        among, self._among = self._among, None
        self.listener = _nobody  # who listens usually holds this place, and should go when it goes
        if among is not None:
            among.places = tuple(place for place in among.places if place is not self)


class Listeners:
    """Those who listen to one mailbox, or to one account, in the order in which they came."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        self.places: tuple[Subscription, ...] = ()

    def add(self, listener: Listener) -> Subscription:
        """Tell a listener everything from now on."""
        place = Subscription(self, listener)
        self.places += (place,)
        return place


class Announcer:
    """Tells the changes of one account, one after the other."""

    __slots__ = ("_pending", "_telling", "everything")

    def __init__(self) -> None:
        self.everything = Listeners()
        """Those who hear of every mailbox of the account."""
        self._pending: deque[tuple[Change, Listeners | None]] = deque()
        self._telling = False

    def tell(self, change: Change, nearby: Listeners | None = None) -> None:
        """Tell those who listen to the mailbox, then those who listen to the account.

        A listener's error is raised when all have been told: the change itself is made.
        """
        self._pending.append((change, nearby))
        if self._telling:
            return
        self._telling = True
        errors: list[Exception] = []
        try:
            while self._pending:
                told, near = self._pending.popleft()
                places = (near.places if near is not None else ()) + self.everything.places
                for place in places:
                    if place.is_active:
                        _tell_one(place, told, errors)
        finally:
            self._telling = False
        if errors:
            raise errors[0]


def _tell_one(place: Subscription, change: Change, errors: list[Exception]) -> None:
    try:
        place.listener(change)
    except Exception as error:
        errors.append(error)
