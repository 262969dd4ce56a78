"""The queues of a fake internet as a test sees them: what waits, why, and until when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from fakemail.api.handles import Handle, Results
from fakemail.api.hosts import Host
from fakemail.api.portal import Portal
from fakemail.errors import DeclarationError
from fakemail.mta.outbound.queue import QueueEntry
from fakemail.mta.outbound.queued_message import RecipientResult
from fakemail.mta.outbound.retry_schedule import RetrySchedule
from fakemail.types.duration import require_span
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.suggestions import Suggests


class QueuedMail(Suggests):
    """A message that a host has taken and not yet delivered or relayed to all recipients."""

    def __init__(self, portal: Portal, entry: QueueEntry) -> None:
        self._portal = portal
        self._entry = entry

    @property
    def queue_id(self) -> str:
        """Its id at the host."""
        return self._entry.message.queue_id

    @property
    def host(self) -> Host:
        """The host that has it."""
        return Host(self._portal, self._entry.message.host)

    @property
    def sender(self) -> str:
        """The reverse-path; ``<>`` for a bounce."""
        return str(self._entry.message.envelope.sender)

    @property
    def recipients(self) -> list[str]:
        """The recipients that do not have it yet and are not given up."""
        return [str(recipient.address) for recipient in self._entry.waiting]

    @property
    def attempts(self) -> int:
        """Number of attempts so far."""
        return self._entry.attempts

    @property
    def last_reply(self) -> Reply | None:
        """The last reply to it; ``None`` if there was none."""
        replies = [result.reply for result in self._waiting_results() if result.reply is not None]
        return replies[-1] if replies else None

    @property
    def reason(self) -> Reason | None:
        """The reason why the last attempt failed."""
        reasons = [result.reason for result in self._waiting_results() if result.reason is not None]
        return reasons[-1] if reasons else None

    def _waiting_results(self) -> list[RecipientResult]:
        entry = self._entry
        return [entry.last[each.address] for each in entry.waiting if each.address in entry.last]

    @property
    def next_attempt(self) -> datetime | None:
        """Time of the next attempt; ``None`` while it is being tried, or held."""
        return self._entry.next_attempt

    @property
    def is_held(self) -> bool:
        """Whether it is not tried until it is flushed."""
        return self._entry.is_held

    @property
    def is_frozen(self) -> bool:
        """Whether it is not tried until it is thawed."""
        return self._entry.is_frozen

    @property
    def raw(self) -> bytes:
        """Its octets, as they will be sent."""
        return self._entry.message.content

    def hold(self) -> None:
        """Do not try it until it is flushed; it grows older all the same."""
        self._portal.call(lambda: self._portal.simulation.mail_queue.hold([self._entry]))

    def freeze(self) -> None:
        """Do not try it until it is thawed, not even when everything is flushed; it grows older all the same."""
        self._portal.call(lambda: self._portal.simulation.mail_queue.freeze([self._entry]))

    def thaw(self) -> None:
        """Try it now, if it is frozen, and on schedule from then on."""
        self._portal.call(lambda: self._portal.simulation.mail_queue.thaw([self._entry]))

    def flush(self) -> None:
        """Try it now, unless it is frozen."""
        self._portal.call(lambda: self._portal.simulation.mail_queue.flush([self._entry]))

    def drop(self) -> None:
        """Drop it without a bounce."""
        self._portal.call(lambda: self._portal.simulation.mail_queue.drop([self._entry]))

    def __repr__(self) -> str:
        last = self.last_reply or self.reason
        why = f": {last}" if last else ""
        to = ", ".join(self.recipients)
        return f"<QueuedMail {self.queue_id} at {self._entry.message.host}, {self.sender} to {to}{why}>"


class Queue(Handle):
    """Everything that waits, at all hosts, oldest first."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def __iter__(self) -> Iterator[QueuedMail]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self._portal.simulation.mail_queue.entries)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return len(self) == 0

    def all(self) -> Results[QueuedMail]:
        """The waiting messages, as a list."""
        entries = list(self._portal.simulation.mail_queue.entries.values())
        return Results([QueuedMail(self._portal, entry) for entry in entries], question="the queued messages")

    def one(self) -> QueuedMail:
        """The only message that waits. Raises :class:`~fakemail.errors.MailAssertionError` for none or several."""
        __tracebackhide__ = True
        return self.all().one()

    def flush(self) -> None:
        """Try everything now, and whatever comes at once again."""
        queue = self._portal.simulation.mail_queue

        def flush() -> None:
            queue.is_held = False
            queue.flush()

        self._portal.call(flush)

    def hold(self) -> None:
        """Hold what waits, and all that comes, until :meth:`flush`."""
        queue = self._portal.simulation.mail_queue

        def hold() -> None:
            queue.is_held = True
            queue.hold(queue.entries.values())

        self._portal.call(hold)

    def drop(self) -> None:
        """Drop everything without a bounce."""
        queue = self._portal.simulation.mail_queue
        self._portal.call(lambda: queue.drop(queue.entries.values()))

    def schedule(
        self,
        *,
        gaps: Sequence[timedelta] | None = None,
        give_up_after: timedelta | None = None,
        warn_after: timedelta | None = None,
    ) -> None:
        """Change when messages are tried again, given up, and when their senders are warned.

        ``gaps`` are the times from one attempt to the next, the last is repeated. What is not given
        stays as it is. Raises ``TypeError`` for what is no duration, ``ValueError`` for a negative one, and
        :class:`~fakemail.errors.DeclarationError` for no gaps, or one of no length.
        """
        __tracebackhide__ = True
        if isinstance(gaps, timedelta):
            raise TypeError(f"gaps are several durations, as in gaps=[minutes(5), hours(1)], not {gaps!r}.")
        for gap in () if gaps is None else gaps:
            require_span("each of gaps", gap)
        for name, span in (("give_up_after", give_up_after), ("warn_after", warn_after)):
            if span is not None:
                require_span(name, span)
        if gaps is not None and (not gaps or min(gaps) <= timedelta()):
            raise DeclarationError(
                f"there is at least one gap between attempts, and all are positive: {gaps!r}."
            )
        queue = self._portal.simulation.mail_queue

        def change() -> None:
            old = queue.schedule
            queue.schedule = RetrySchedule(
                old.gaps if gaps is None else tuple(gaps),
                old.give_up_after if give_up_after is None else give_up_after,
                old.warn_after if warn_after is None else warn_after,
            )

        self._portal.call(change)

    def _name(self) -> str:
        return "Queue"

    def _state(self) -> str:
        return f" of {len(self)} messages"
