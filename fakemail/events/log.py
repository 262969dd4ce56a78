"""The log of one fake internet: append-only, written by one thread, read by any.

It holds what it is given and formats nothing. What the events mean together is told by the other
modules of this package.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from operator import attrgetter
from typing import Final, Protocol, TypeVar

from msgspec.structs import force_setattr, replace

from fakemail.events.kinds import (
    Attempt,
    ClientBytes,
    Deferred,
    Event,
    MessageDelivered,
    MessageQueued,
    Redirected,
    Returned,
    SmtpCommand,
)
from fakemail.types.address import Address, Path, path_key
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

_E = TypeVar("_E", bound=Event)
Subscriber = Callable[[Event], object]


_NO_LOCK: Final = nullcontext()


class TellsTime(Protocol):
    """The part of a clock that the log needs."""

    def now(self) -> datetime:
        """The present time, with its time zone."""
        ...


class SmtpRecorder(Protocol):
    """Records one command of SMTP and its reply."""

    def __call__(
        self,
        stage: Stage,
        line: str,
        reply: Reply | None,
        reason: Reason | None,
        address: Path | None = None,
        message: str = "",
        client_bytes: ClientBytes | None = None,
        /,
    ) -> None:
        """Add one :class:`~fakemail.events.kinds.SmtpCommand`."""
        ...


class _Subscriber:
    """Holder of one subscriber; compared by identity, so that one that is there twice leaves once."""

    __slots__ = ("call",)

    def __init__(self, call: Subscriber) -> None:
        self.call = call


class Log:
    """All events of one fake internet, in the order in which they happened.

    Only one thread may append. Every reading method works on a snapshot, so that other threads may
    read at any time: copying a list is one indivisible step in CPython.
    """

    def __init__(self, clock: TellsTime, *, lock: AbstractContextManager[object] = _NO_LOCK) -> None:
        """``lock`` is held by readers that look events up by stage or connection, where several threads do."""
        self._now = clock.now
        self._events: list[Event] = []
        self._lock = lock
        self._sorted = 0
        """Number of events in the two that follow, which readers extend."""
        self._by_stage: defaultdict[Stage, list[Event]] = defaultdict(list)
        self._by_connection: defaultdict[int, list[Event]] = defaultdict(list)
        self._subscribers: list[_Subscriber] = []
        self.times_cleared = 0
        """Number of restarts of the log: event numbers from before one are void."""

    def clear(self, *, keep: Callable[[Event], bool]) -> None:
        """Forget everything but some events, which are numbered anew."""
        kept = [event for event in self._events if keep(event)]
        # The list stays the same: each open connection has it.
        self._events[:] = [replace(event, number=number) for number, event in enumerate(kept, start=1)]
        self.times_cleared += 1
        with self._lock:
            self._sorted = 0
            self._by_stage.clear()
            self._by_connection.clear()

    def append(self, event: _E) -> _E:
        """Add an event, and give it its number and its time. Returns it."""
        events = self._events
        # Frozen for everybody else: it is not in the log before this.
        force_setattr(event, "number", len(events) + 1)
        force_setattr(event, "time", self._now())
        events.append(event)
        if self._subscribers:
            self._tell(event)
        return event

    def smtp_recorder(self, host: str, connection: int) -> SmtpRecorder:
        """The recorder of one connection: :meth:`append`, faster, for the most common kind of event."""
        events, now, subscribers = self._events, self._now, self._subscribers

        def record(
            stage: Stage,
            line: str,
            reply: Reply | None,
            reason: Reason | None,
            address: Path | None = None,
            message: str = "",
            octets: ClientBytes | None = None,
        ) -> None:
            event = SmtpCommand(
                number=len(events) + 1,
                time=now(),
                stage=stage,
                host=host,
                connection=connection,
                message=message,
                line=line,
                reply=reply,
                reason=reason,
                address=address,
                client_bytes=octets,
            )
            events.append(event)
            if subscribers:
                self._tell(event)

        return record

    def _tell(self, event: Event) -> None:
        for seat in self._subscribers[:]:
            seat.call(event)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call ``subscriber(event)`` after each append, on the appending thread, until unsubscribed.

        Returns the function that unsubscribes; calling it again does nothing. A subscriber must be
        quick, and what it raises goes to the one who appends.
        """
        seat = _Subscriber(subscriber)
        self._subscribers.append(seat)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._subscribers.remove(seat)

        return unsubscribe

    def events(
        self,
        stage: Stage | None = None,
        *,
        host: str | None = None,
        connection: int | None = None,
        message: str | None = None,
        recipient: Address | str | None = None,
        sender: Path | str | None = None,
        since: int = 0,
    ) -> list[Event]:
        """The events that match everything that is given.

        ``recipient`` and ``sender`` match the events that name that address themselves: RCPT,
        queued, attempt and delivered for the one, MAIL and queued for the other. ``since`` is the
        number of the last event that is *not* wanted.
        """
        found = self._looked_up(stage, connection, since)
        if stage is not None and connection is not None:
            found = [event for event in found if event.stage is stage]
        if host is not None:
            found = [event for event in found if event.host == host]
        if message is not None:
            found = [event for event in found if event.message == message]
        if recipient is not None:
            key = path_key(recipient)
            found = [event for event in found if key in map(path_key, recipients_of(event))]
        if sender is not None:
            key = path_key(sender)
            found = [event for event in found if (path := sender_of(event)) and path_key(path) == key]
        return found

    def _looked_up(self, stage: Stage | None, connection: int | None, since: int) -> list[Event]:
        """The events of a connection, else those at a stage, else all; behind that number."""
        if stage is None and connection is None:
            return self._events[since:]
        with self._lock:
            for event in self._events[self._sorted :]:
                self._by_stage[event.stage].append(event)
                self._by_connection[event.connection].append(event)
                self._sorted += 1
            found = self._by_stage.get(stage, []) if stage is not None else []
            if connection is not None:
                found = self._by_connection.get(connection, [])
            return found[bisect_right(found, since, key=attrgetter("number")) :]

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events[:])

    def __repr__(self) -> str:
        return f"<Log of {len(self._events)} events>"


def recipients_of(event: Event) -> tuple[Address, ...]:
    """The recipients that an event names."""
    if isinstance(event, Attempt | Deferred | Returned | MessageDelivered | Redirected):
        return (event.recipient,)
    if isinstance(event, MessageQueued):
        return event.recipients
    if (
        isinstance(event, SmtpCommand)
        and event.stage is Stage.SMTP_RCPT
        and isinstance(event.address, Address)
    ):
        return (event.address,)
    return ()


def sender_of(event: Event) -> Path | None:
    """The sender that an event names, if it names one."""
    if isinstance(event, MessageQueued):
        return event.sender
    if isinstance(event, SmtpCommand) and event.stage is Stage.SMTP_MAIL:
        return event.address
    return None
