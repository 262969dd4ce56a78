"""The queue by itself: retries by the clock, bounces, and what is held, with a transfer that the test decides."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fakemail.clock import VirtualClock
from fakemail.environment import Environment
from fakemail.events.kinds import Deferred, MessageQueued, Returned
from fakemail.events.log import Log
from fakemail.message.envelope import Envelope, Origin, Recipient
from fakemail.message.message import MessageView
from fakemail.model.world import WorldSpec
from fakemail.mta.outbound.queue import MailQueue
from fakemail.mta.outbound.queued_message import QueuedMessage, RecipientResult
from fakemail.types.address import NULL_PATH, Address
from fakemail.types.duration import days, minutes
from fakemail.types.peer import Peer
from fakemail.types.reply import Reply
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.stage import Stage

HOST = "smtp.shop.test"
SHOP = Address("bounces", "shop.test")
BOB = Address("bob", "example.org")
ORIGIN = Origin("app", Peer("203.0.113.250", 1, "app"), "ESMTP", "", "", "")
TAKEN, LATER, NEVER = Reply(250, "2.0.0"), Reply(451, "4.7.1", "later"), Reply(550, "5.1.1", "no such user")


class AtOnce:
    """Tasks that wait for nothing: each is at its end when it was begun."""

    def spawn(self, work, name):
        with pytest.raises(StopIteration):
            work.send(None)

    def report(self, error):
        raise error


class Sender:
    """A queue whose transfers get the replies of a script, one for each attempt; the last one again and again."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.sent: list[QueuedMessage] = []
        self.clock = VirtualClock()
        self.log = Log(self.clock)
        world = WorldSpec()
        world.add_host(HOST)
        environment = Environment(
            clock=self.clock, random=SeededRandom(1), log=self.log, tasks=AtOnce(), world=world
        )
        self.queue = MailQueue(environment, transfer=self.transfer)

    async def transfer(self, message: QueuedMessage) -> list[RecipientResult]:
        self.sent.append(message)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return [
            RecipientResult(each, Stage.SMTP_RCPT, reply, None, "", "mx1.example.org", reports_delivery=True)
            for each in message.recipients
        ]

    def send(self, **options: object) -> None:
        envelope = Envelope(SHOP, (Recipient(BOB),), ORIGIN)
        self.queue.enqueue(HOST, "Q1", envelope, b"Subject: Invoice\r\n\r\nPlease pay.\r\n", **options)

    def advance(self, by: timedelta) -> None:
        until = self.clock.now() + by
        while jobs := self.clock.take_due(until):
            self.clock.move(max(jobs[0].due - self.clock.now(), timedelta()))
            for job in jobs:
                job.action()
        self.clock.move(max(until - self.clock.now(), timedelta()))

    def events(self, kind):
        return [event for event in self.log.events() if isinstance(event, kind)]


def test_what_is_taken_leaves_the_queue():
    sender = Sender(TAKEN)
    sender.send()
    assert [event.message for event in sender.events(MessageQueued)] == ["Q1"]
    assert not sender.queue.entries
    assert len(sender.sent) == 1


def test_what_is_deferred_is_tried_again_when_the_clock_says_so():
    sender = Sender(LATER, LATER, TAKEN)
    sender.send()
    (entry,) = sender.queue.entries.values()
    assert entry.next_attempt == sender.clock.now() + minutes(5)
    sender.advance(minutes(4))
    assert len(sender.sent) == 1
    sender.advance(minutes(11))
    assert len(sender.sent) == 3
    assert [event.attempts for event in sender.events(Deferred)] == [1, 2]
    assert not sender.queue.entries


def test_what_is_refused_goes_back_to_its_sender_from_nobody():
    sender = Sender(NEVER, TAKEN)
    sender.send()
    bounce = sender.sent[-1]
    assert (bounce.envelope.sender, bounce.recipients[0].address) == (NULL_PATH, SHOP)
    report = MessageView(bounce.content).delivery_report
    assert (report.recipient, report.status) == (str(BOB), "5.1.1")
    (returned,) = sender.events(Returned)
    assert (returned.expired, returned.report) == (False, bounce.queue_id)


def test_a_bounce_that_is_refused_is_not_answered():
    sender = Sender(NEVER)
    sender.send()
    assert len(sender.sent) == 2
    assert not sender.queue.entries


def test_what_is_deferred_for_five_days_expires():
    sender = Sender(LATER)
    sender.send()
    sender.advance(days(6))
    (mine, *_) = [event for event in sender.events(Returned) if event.message == "Q1"]
    assert mine.expired


def test_what_is_held_waits_until_it_is_flushed():
    sender = Sender(TAKEN)
    sender.send(is_held=True)
    sender.advance(days(1))
    assert sender.sent == []
    sender.queue.flush()
    assert len(sender.sent) == 1
