"""Listeners of mailboxes and accounts, and the announcer that calls them.

A change is announced after it was made, on the thread that made it. When a listener makes another change, that one is
announced after the present one has reached every listener, so that all get all changes in one order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_Change = TypeVar("_Change")


def _ignore(_: object) -> None:
    """The listener of a cancelled subscription."""


class Subscription(Generic[_Change]):
    """A listener's place; ``cancel`` ends it, at any time, as often as you like."""

    __slots__ = ("_among", "listener")

    def __init__(self, among: Listeners[_Change], listener: Callable[[_Change], None]) -> None:
        self._among: Listeners[_Change] | None = among
        self.listener = listener

    @property
    def is_active(self) -> bool:
        """Whether the listener is still called."""
        return self._among is not None

    def cancel(self) -> None:
        """Call the listener no more, not even with the change that is being announced just now."""
        among, self._among = self._among, None
        self.listener = _ignore  # a listener usually holds this place, and should go when it goes
        if among is not None:
            among.places = tuple(place for place in among.places if place is not self)


class Listeners(Generic[_Change]):
    """The listeners of one mailbox, or of one account, in the order in which they came."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        self.places: tuple[Subscription[_Change], ...] = ()

    def add(self, listener: Callable[[_Change], None]) -> Subscription[_Change]:
        """Call a listener with every change from now on."""
        place = Subscription(self, listener)
        self.places += (place,)
        return place


class Announcer(Generic[_Change]):
    """Announces the changes of one account, one after the other."""

    __slots__ = ("_is_running", "_pending", "everything")

    def __init__(self) -> None:
        self.everything: Listeners[_Change] = Listeners()
        """The listeners of the whole account."""
        self._pending: deque[tuple[_Change, Listeners[_Change] | None]] = deque()
        self._is_running = False

    def announce(self, change: _Change, nearby: Listeners[_Change] | None = None) -> None:
        """Call the listeners of the mailbox (``nearby``), then those of the account.

        A listener's error is raised when all have been called: the change itself is made.
        """
        self._pending.append((change, nearby))
        if self._is_running:
            return
        self._is_running = True
        errors: list[Exception] = []
        try:
            while self._pending:
                announced, near = self._pending.popleft()
                places = (near.places if near is not None else ()) + self.everything.places
                for place in places:
                    if place.is_active:
                        _call(place, announced, errors)
        finally:
            self._is_running = False
        if errors:
            raise errors[0]


def _call(place: Subscription[_Change], change: _Change, errors: list[Exception]) -> None:
    try:
        place.listener(change)
    except Exception as error:
        errors.append(error)
