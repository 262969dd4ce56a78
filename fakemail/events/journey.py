"""Journeys: what became of each message for each of its recipients, as users see it.

How they are put together from events is in :mod:`fakemail.events.journey_builder`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field, replace
from functools import cached_property
from typing import Final, NamedTuple

from fakemail.events.event_index import EventIndex
from fakemail.events.journey_builder import Hop, RecipientTrace, traces, traces_of
from fakemail.events.kinds import Attempt, Event, MessageDelivered, Query
from fakemail.events.log import Log
from fakemail.events.smtp_transactions import SubmittedTransaction
from fakemail.events.text_layout import columns, shown
from fakemail.types import fate as fates
from fakemail.types.address import Address, NullPath, Path, path_key
from fakemail.types.dataclass import dataclass
from fakemail.types.domains import u_labels
from fakemail.types.fate import Fate
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.suggestions import Suggests


class JourneyStep(NamedTuple):
    """One line of the story of a journey."""

    number: int
    """From 1, in the order of time."""
    host: str
    what: str
    reply: Reply | None


@dataclass(frozen=True, repr=False, eq=False)
class Journey(Suggests):
    """The way of one message to one recipient, as far as it has come. Print it to read it."""

    recipient: Address
    sender: Path
    message_id: str
    """Value in the message, empty when no host queued or delivered it."""
    subject: str
    hops: tuple[Hop, ...]
    """Each session in which it was offered to a host, in order."""
    attempts: tuple[Attempt, ...]
    """Each try of a queue to hand it on, in order."""
    queries: tuple[Query, ...]
    """The DNS questions that hosts asked to route it."""
    deliveries: tuple[MessageDelivered, ...]
    """One for each mailbox it was put into: an alias may stand for many."""
    queue_ids: tuple[str, ...]
    """Its queue id at each host that took it, in order."""
    fate: Fate
    reason: Reason | None
    """Why it was refused, deferred or lost; ``None`` when nothing of that kind happened last."""
    reply: Reply | None
    """The last reply that decided about it, for example the one that its :attr:`fate` rests on."""
    _copies: Callable[[MessageDelivered], list[MessageDelivered]] = field(repr=False)
    _story: tuple[tuple[int, str, str, Reply | None], ...] = field(repr=False)
    note: str = ""
    """Addition to an open fate for its readers, by the present state; empty otherwise."""

    @cached_property
    def duplicates(self) -> tuple[MessageDelivered, ...]:
        """Other deliveries of the same message (the same Message-ID) into the same mailboxes, on whatever way."""
        return tuple(copy for delivered in self.deliveries for copy in self._copies(delivered))

    @cached_property
    def steps(self) -> tuple[JourneyStep, ...]:
        """The whole story, in order of time."""
        return tuple(
            JourneyStep(number, host, what, reply)
            for number, (_, host, what, reply) in enumerate(self._story, start=1)
        )

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of the events of its story."""
        return frozenset(number for number, *_ in self._story)

    @property
    def latest(self) -> int:
        """The number of the last event of its story, 0 if there is none."""
        return self._story[-1][0] if self._story else 0

    @property
    def is_notice(self) -> bool:
        """Whether it is a bounce, or another notice from the null sender (RFC 5321 §4.5.5)."""
        return isinstance(self.sender, NullPath)

    @property
    def is_arrived_notice(self) -> bool:
        """Whether it is a notice that got where it should."""
        return self.is_notice and isinstance(self.fate, fates.Delivered)

    def table(self, *, limit: int = 24) -> str:
        """The story as lines with aligned columns (number, host, what, reply) and the fate below.

        Of a story of more than ``limit`` steps the middle is left out.
        """
        rows = [
            (
                f"{step.number:3}",
                u_labels(step.host),
                shown(u_labels(step.what)),
                "" if step.reply is None else shown(str(step.reply)),
            )
            for step in self.steps
        ]
        lines = columns(rows)
        if len(lines) > limit:
            half = limit // 2
            lines[half : len(lines) - half] = [f"     ({len(lines) - 2 * half} more steps)"]
        return "\n".join([*lines, f"Fate: {self.fate}{self.note}"])

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<Journey to {self.recipient.shown}: {self.fate}{self.note.partition(chr(10))[0]}>"


_NO_LOCK: Final = nullcontext()


def add_lines(journey: Journey, lines: Iterable[tuple[int, str, str]]) -> Journey:
    """A journey with more lines: behind which event, at which host, what. Lines that it has are not repeated."""
    told = "\n".join(what for _, _, what, _ in journey._story)
    more = [(number, host, what, None) for number, host, what in lines if what not in told]
    if not more:
        return journey
    return replace(journey, _story=tuple(sorted((*journey._story, *more), key=lambda line: line[0])))


class Journeys:
    """All journeys of a log, found again at each question from what has come since the last one."""

    def __init__(
        self, events: Log | Iterable[Event], *, lock: AbstractContextManager[object] = _NO_LOCK
    ) -> None:
        """``lock`` is held while it works, where several threads ask."""
        self._log = events if isinstance(events, Log) else None
        self._lock = lock
        self._begin()
        if not isinstance(events, Log):
            self._add(events)

    def all(self) -> list[Journey]:
        """The journeys of all messages to all recipients, in the order in which they set out."""
        return self.find()

    def find(
        self,
        *,
        to: Address | str | None = None,
        sender: Path | str | None = None,
        subject: str | None = None,
        message_id: str | None = None,
        queue_id: str | None = None,
    ) -> list[Journey]:
        """The journeys that match everything that is given, in the order in which they set out.

        The case of local parts does not matter, nor do the angle brackets of a message id; ``queue_id``
        is the one at any host of the journey; the null sender is ``"<>"``.
        """
        recipient = None if to is None else path_key(to)
        asked = {
            "sender": None if sender is None else path_key(sender),
            "subject": subject,
            "message_id": None if message_id is None else message_id.strip("<>"),
            "queue_id": queue_id,
        }
        with self._lock:
            self._update()
            keys: set[str] | None = None if recipient is None else {recipient}
            if keys is None and any(asked.values()):
                keys = self._index.recipients(**{name: value or None for name, value in asked.items()})
            return [
                self._journey(trace)
                for trace in traces(self._index, keys)
                if asked["sender"] in (None, path_key(trace.sender))
                and asked["subject"] in (None, trace.subject)
                and asked["message_id"] in (None, trace.message_id.strip("<>"))
                and (queue_id is None or queue_id in trace.queue_ids)
            ]

    def submitted(self, *, since: int = 0) -> tuple[list[SubmittedTransaction], int]:
        """Transactions of apps that have ended, in the order of their ends, and up to where that is.

        ``since`` is such a place from an earlier call; from one before the log was cleared, all are new.
        """
        with self._lock:
            self._update()
            ended = self._index.transactions.ended
            start = since if since <= len(ended) else 0
            return [each for each in ended[start:] if self._index.is_of_app(each)], len(ended)

    def of(self, transaction: SubmittedTransaction) -> list[Journey]:
        """The journeys of a message to its recipients, in the order of RCPT."""
        with self._lock:
            self._update()
            return [self._journey(trace) for trace in traces_of(self._index, transaction)]

    def _begin(self) -> None:
        self._index = EventIndex()
        self._number = 0
        self._times_cleared = 0 if self._log is None else self._log.times_cleared

    def _update(self) -> None:
        if self._log is None:
            return
        if self._log.times_cleared != self._times_cleared:
            self._begin()
        self._add(self._log.events(since=self._number))

    def _add(self, events: Iterable[Event]) -> None:
        for event in events:
            self._index.add(event)
            self._number = event.number

    def _journey(self, trace: RecipientTrace) -> Journey:
        index, until = self._index, self._number

        def copies(delivered: MessageDelivered) -> list[MessageDelivered]:
            with self._lock:
                return index.copies(delivered, until=until)

        return Journey(
            recipient=trace.recipient,
            sender=trace.sender,
            message_id=trace.message_id,
            subject=trace.subject,
            hops=tuple(trace.hops),
            attempts=tuple(trace.attempts),
            queries=tuple(trace.queries[number] for number in sorted(trace.queries)),
            deliveries=tuple(trace.deliveries),
            queue_ids=tuple(trace.queue_ids),
            fate=trace.fate,
            reason=trace.reason,
            reply=trace.reply,
            _copies=copies,
            _story=tuple(trace.story),
        )
