"""Queues of all hosts: messages that each has taken and not yet sent, and when it tries again.

What happens after an attempt is the table in :mod:`fakemail.mta.outbound.retry_schedule`; this module carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from fakemail.clock import Job
from fakemail.environment import Environment
from fakemail.events.kinds import Deferred, MessageQueued, Returned
from fakemail.message.envelope import Envelope, Origin, Recipient
from fakemail.message.headers import head_of
from fakemail.message.reports.dsn import DsnAction, is_due
from fakemail.mta.outbound.queued_message import LocalCopy, QueuedMessage, RecipientResult
from fakemail.mta.outbound.retry_schedule import NextStep, RetrySchedule, attempt_result
from fakemail.types.address import NULL_PATH, Address
from fakemail.types.dataclass import dataclass
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage


@dataclass
class QueueEntry:
    """A message for which a host is responsible, and how its recipients stand."""

    message: QueuedMessage
    arrived: datetime
    waiting: list[Recipient]
    """Recipients that are neither done nor given up."""
    attempts: int = 0
    is_running: bool = False
    is_held: bool = False
    is_frozen: bool = False
    was_warned: bool = False
    job: Job | None = None
    last: dict[Address, RecipientResult] = field(default_factory=dict)
    """Result of the last attempt for each recipient."""

    @property
    def next_attempt(self) -> datetime | None:
        """Time of the next attempt; ``None`` while it is being tried, or held."""
        return self.job.due if self.job is not None and not self.job.is_cancelled else None


class MailQueue:
    """Every queued message of the fake internet, by its queue id."""

    def __init__(
        self,
        environment: Environment,
        *,
        transfer: Callable[[QueuedMessage], Coroutine[Any, Any, Sequence[RecipientResult]]],
    ) -> None:
        """``transfer`` tries each recipient of a message once."""
        self._clock = environment.clock
        self._log = environment.log
        self._random = environment.random
        self._tasks = environment.tasks
        self._world = environment.world
        self._transfer = transfer
        self.entries: dict[str, QueueEntry] = {}
        self.schedule = RetrySchedule()
        self.is_held = False
        """Whether new messages wait instead of being tried at once."""

    def enqueue(
        self,
        host: str,
        queue_id: str,
        envelope: Envelope,
        raw: bytes,
        *,
        recipients: Sequence[Recipient] | None = None,
        origin: str = "",
        after: timedelta | None = None,
        copies: Mapping[str, LocalCopy] = MappingProxyType({}),
        is_held: bool = False,
    ) -> None:
        """Take a message into a host's queue, to be sent at once, or ``after`` some time.

        ``copies`` are for accounts of the host itself, by the key of the address. ``is_held`` keeps it there until
        it is flushed."""
        targets = tuple(envelope.recipients if recipients is None else recipients)
        self._log.append(
            MessageQueued(
                host=host,
                message=queue_id,
                sender=envelope.sender,
                recipients=tuple(target.address for target in targets),
                size=len(raw),
                head=head_of(raw),
                origin=origin,
            )
        )
        message = QueuedMessage(host, queue_id, envelope, raw, targets, copies)
        self.add(message, after=after, is_held=is_held)

    def send_report(
        self, host: str, queue_id: str, to: Address, raw: bytes, *, requiretls: bool = False
    ) -> None:
        """Send a host's own report, to the sender of a message or to a domain."""
        envelope = _report_envelope(host, self._world.hosts[host].ipv4, to, requiretls=requiretls)
        self.enqueue(host, queue_id, envelope, raw)

    def add(self, message: QueuedMessage, *, after: timedelta | None = None, is_held: bool = False) -> None:
        """Take a message in, and try it at once, or ``after`` some time, or when it is flushed (``is_held``)."""
        clock = self._clock
        entry = QueueEntry(message, clock.now(), list(message.recipients), is_held=is_held or self.is_held)
        self.entries[message.queue_id] = entry
        if after is None:
            self._start(entry)
        else:
            due = clock.now() + after
            entry.job = clock.at(due, lambda: self._start(entry), name=f"delivery {message.queue_id}")

    def give_back(self, message: QueuedMessage, results: Sequence[RecipientResult]) -> None:
        """Return a message that was taken and will not be delivered, for those recipients."""
        entry = QueueEntry(message, self._clock.now(), [])
        self._return(entry, [(result, False) for result in results])

    def flush(self, entries: Iterable[QueueEntry] | None = None) -> None:
        """Try messages now instead of when they are due; held ones are released."""
        for entry in list(self.entries.values() if entries is None else entries):
            entry.is_held = False
            self._start(entry)

    def freeze(self, entries: Iterable[QueueEntry]) -> None:
        """Do not try these messages until they are thawed, not even when all are flushed."""
        for entry in entries:
            entry.is_frozen = True
            if entry.job is not None:
                entry.job.cancel()

    def thaw(self, entries: Iterable[QueueEntry]) -> None:
        """Try frozen messages again, now."""
        for entry in list(entries):
            if entry.is_frozen:
                entry.is_frozen = False
                self._start(entry)

    def hold(self, entries: Iterable[QueueEntry]) -> None:
        """Do not try these messages until they are flushed; they grow older all the same."""
        for entry in entries:
            entry.is_held = True
            if entry.job is not None:
                entry.job.cancel()

    def drop(self, entries: Iterable[QueueEntry]) -> None:
        """Discard messages without a bounce."""
        for entry in list(entries):
            if entry.job is not None:
                entry.job.cancel()
            self.entries.pop(entry.message.queue_id, None)
            for recipient in entry.waiting:
                dropped = RecipientResult(
                    recipient, Stage.QUEUE, None, Reason.DROPPED, "", "", reports_delivery=False
                )
                self._note_returned(entry, dropped, expired=False, report="")
            entry.waiting.clear()

    def forget(self) -> None:
        """Be empty, as if nothing had ever been taken in."""
        for entry in self.entries.values():
            if entry.job is not None:
                entry.job.cancel()
        self.entries.clear()

    def report(
        self,
        message: QueuedMessage,
        arrived: datetime,
        action: DsnAction,
        results: Sequence[RecipientResult],
    ) -> dict[Address, str]:
        """Send the sender a report about those recipients for whom one is due; return its queue id for each."""
        sender = message.envelope.sender
        due = [result for result in results if is_due(action, message.envelope, result.recipient)]
        if not due or not isinstance(sender, Address):
            return {}
        from fakemail.mta.outbound import bounces  # where something bounces only

        queue_id = self._random.queue_id()
        raw = bounces.write(
            message,
            action,
            due,
            to=sender,
            arrived=arrived,
            now=self._clock.now(),
            until=arrived + self.schedule.give_up_after if action is DsnAction.DELAYED else None,
            queue_id=queue_id,
            style=self._world.hosts[message.host].options.bounces,
        )
        if raw is None:
            return {}
        self.send_report(message.host, queue_id, sender, raw, requiretls=message.envelope.requiretls)
        return {result.recipient.address: queue_id for result in due}

    # Inside --------------------------------------------------------------------------------------

    def _start(self, entry: QueueEntry) -> None:
        if entry.is_held or entry.is_frozen or entry.is_running or entry.message.queue_id not in self.entries:
            return
        if entry.job is not None:
            entry.job.cancel()
            entry.job = None
        entry.is_running = True
        self._tasks.spawn(self._attempt(entry), f"transfer {entry.message.queue_id}")

    async def _attempt(self, entry: QueueEntry) -> None:
        entry.attempts += 1
        try:
            results = await self._transfer(replace(entry.message, recipients=tuple(entry.waiting)))
        finally:
            entry.is_running = False
        if entry.message.queue_id in self.entries:  # and not dropped meanwhile
            self._conclude(entry, results)

    def _conclude(self, entry: QueueEntry, results: Sequence[RecipientResult]) -> None:
        """Act on what came of an attempt."""
        now = self._clock.now()
        retries: list[tuple[RecipientResult, datetime]] = []
        returns: list[tuple[RecipientResult, bool]] = []
        relayed: list[RecipientResult] = []
        for result in results:
            entry.last[result.recipient.address] = result
            tried = attempt_result(result.reply, result.reason, at=result.at)
            step, gap = self.schedule.decide(tried, age=now - entry.arrived, attempts=entry.attempts)
            if step is NextStep.RETRY:
                retries.append((result, now + gap))
            elif step is not NextStep.DONE:
                returns.append((result, step is NextStep.EXPIRE))
            elif not result.reports_delivery:
                relayed.append(result)
        entry.waiting = [result.recipient for result, _ in retries]
        self._return(entry, returns)
        self.report(entry.message, entry.arrived, DsnAction.RELAYED, relayed)
        if retries:
            self._defer(entry, retries)
        else:
            del self.entries[entry.message.queue_id]

    def _defer(self, entry: QueueEntry, retries: Sequence[tuple[RecipientResult, datetime]]) -> None:
        clock = self._clock
        until = min(due for _, due in retries)
        for result, _ in retries:
            self._log.append(
                Deferred(
                    host=entry.message.host,
                    message=entry.message.queue_id,
                    recipient=result.recipient.address,
                    attempts=entry.attempts,
                    until=until,
                    reply=result.reply,
                    reason=result.reason,
                )
            )
        warn_after = self.schedule.warn_after
        if warn_after is not None and not entry.was_warned and clock.now() - entry.arrived >= warn_after:
            entry.was_warned = True
            self.report(entry.message, entry.arrived, DsnAction.DELAYED, [result for result, _ in retries])
        if not (entry.is_held or entry.is_frozen):
            entry.job = clock.at(until, lambda: self._start(entry), name=f"retry {entry.message.queue_id}")

    def _return(self, entry: QueueEntry, returns: Sequence[tuple[RecipientResult, bool]]) -> None:
        reports = self.report(
            entry.message, entry.arrived, DsnAction.FAILED, [result for result, _ in returns]
        )
        for result, expired in returns:
            report = reports.get(result.recipient.address, "")
            self._note_returned(entry, result, expired=expired, report=report)

    def _note_returned(
        self, entry: QueueEntry, result: RecipientResult, *, expired: bool, report: str
    ) -> None:
        self._log.append(
            Returned(
                host=entry.message.host,
                message=entry.message.queue_id,
                recipient=result.recipient.address,
                expired=expired,
                report=report,
                at=result.at,
                reply=result.reply,
                reason=result.reason,
                remote=result.remote if result.reply is not None else "",
            )
        )


def _report_envelope(host: str, address: str, to: Address, *, requiretls: bool = False) -> Envelope:
    """The envelope of a report: with the null reverse-path, so that it is never answered (RFC 3461 §6.1)."""
    origin = Origin(host, Peer(address, 0, host), "ESMTP", "", "", "")
    return Envelope(NULL_PATH, (Recipient(to),), origin, smtputf8=not to.is_ascii, requiretls=requiretls)
