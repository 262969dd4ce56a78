"""Journeys: what became of each message for each of its recipients, as users see it.

How they are put together from events is in :mod:`fakemail.events.trace_builder`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from fakemail.events.hops import Hop, JourneyStep
from fakemail.events.kinds import Attempt, Event, MessageDelivered, Query
from fakemail.events.log import path_key
from fakemail.events.text_layout import columns, shown
from fakemail.events.trace_builder import RecipientTrace, traces
from fakemail.types import fate as fates
from fakemail.types.address import Address, NullPath, Path
from fakemail.types.domains import u_labels
from fakemail.types.fate import Fate
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.suggestions import Suggests


class _Copies:
    """The deliveries of each message to each mailbox, looked through when somebody first asks."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events

    @cached_property
    def _found(self) -> dict[tuple[str, str, str], dict[int, MessageDelivered]]:
        found: dict[tuple[str, str, str], dict[int, MessageDelivered]] = {}
        for event in self._events:
            if isinstance(event, MessageDelivered) and event.message and event.message_id:
                found.setdefault(_content(event), {}).setdefault(event.uid, event)
        return found

    def of(self, delivered: MessageDelivered) -> list[MessageDelivered]:
        """The other copies that lie in the same mailbox."""
        copies = self._found.get(_content(delivered), {})
        return [copy for uid, copy in copies.items() if uid != delivered.uid]


def _content(delivered: MessageDelivered) -> tuple[str, str, str]:
    return delivered.account.key, delivered.mailbox, delivered.message_id


@dataclass(frozen=True, repr=False, eq=False)
class Journey(Suggests):
    """The way of one message to one recipient, as far as it has come. Print it to read it."""

    recipient: Address
    sender: Path
    message_id: str
    """As it stands in the message, empty when no host queued or delivered it."""
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
    _copies: _Copies = field(repr=False)
    _story: tuple[tuple[int, str, str, Reply | None], ...] = field(repr=False)
    note: str = ""
    """What the present adds to an open fate, for those who read it; empty otherwise."""

    @cached_property
    def duplicates(self) -> tuple[MessageDelivered, ...]:
        """Other deliveries of the same message (the same Message-ID) into the same mailboxes, on whatever way."""
        return tuple(copy for delivered in self.deliveries for copy in self._copies.of(delivered))

    @cached_property
    def steps(self) -> tuple[JourneyStep, ...]:
        """The whole story, in order of time."""
        return tuple(
            JourneyStep(number, host, what, reply)
            for number, (_, host, what, reply) in enumerate(self._story, start=1)
        )

    def told_also(self, lines: Iterable[tuple[int, str, str]]) -> Journey:
        """The same with more to its story: behind which event, at which host, what. What is told is not repeated."""
        told = "\n".join(what for _, _, what, _ in self._story)
        more = [(number, host, what, None) for number, host, what in lines if what not in told]
        if not more:
            return self
        return replace(self, _story=tuple(sorted((*self._story, *more), key=lambda line: line[0])))

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
        """Whether it is a bounce, or another notice from nobody (RFC 5321 §4.5.5)."""
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


def journeys(events: Iterable[Event]) -> list[Journey]:
    """The journeys of all messages to all recipients, in the order in which they set out."""
    events = list(events)
    copies = _Copies(events)
    return [_journey(trace, copies) for trace in traces(events)]


def find(
    events: Iterable[Event],
    *,
    to: Address | str | None = None,
    sender: Path | str | None = None,
    subject: str | None = None,
    message_id: str | None = None,
    queue_id: str | None = None,
) -> list[Journey]:
    """The journeys that match everything that is given.

    The case of local parts does not matter, nor do the angle brackets of a message id; ``queue_id``
    is the one at any host of the journey; the null sender is ``"<>"``.
    """
    events = list(events)
    copies = _Copies(events)
    found = traces(events)
    if to is not None:
        key = path_key(to)
        found = [trace for trace in found if trace.recipient.key == key]
    if sender is not None:
        key = path_key(sender)
        found = [trace for trace in found if path_key(trace.sender) == key]
    if subject is not None:
        found = [trace for trace in found if trace.subject == subject]
    if message_id is not None:
        bare = message_id.strip("<>")
        found = [trace for trace in found if trace.message_id.strip("<>") == bare]
    if queue_id is not None:
        found = [trace for trace in found if queue_id in trace.queue_ids]
    return [_journey(trace, copies) for trace in found]


def _journey(trace: RecipientTrace, copies: _Copies) -> Journey:
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
