"""The log: numbering, filters, subscribers, and reading while another thread appends."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from fakemail.clock import VirtualClock
from fakemail.errors import DeclarationError
from fakemail.events.kinds import Attempt, Disconnected, Event, MessageDelivered, MessageQueued, SmtpCommand
from fakemail.events.log import Log
from fakemail.types.address import NULL_PATH, address
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

BOB = address("bob@example.org")
ANN = address("ann@shop.test")
OK = Reply(250)


@pytest.fixture
def log() -> Log:
    return Log(VirtualClock(datetime(2026, 1, 2, tzinfo=UTC)))


def fill(log: Log) -> None:
    log.append(
        SmtpCommand(
            stage=Stage.SMTP_MAIL,
            host="a",
            connection=1,
            line="MAIL FROM:<ann@shop.test>",
            reply=OK,
            reason=None,
            address=ANN,
        )
    )
    log.append(
        SmtpCommand(
            stage=Stage.SMTP_RCPT,
            host="a",
            connection=1,
            line="RCPT TO:<bob@example.org>",
            reply=OK,
            reason=None,
            address=BOB,
        )
    )
    log.append(
        MessageQueued(
            host="a",
            connection=1,
            message="Q1",
            sender=ANN,
            recipients=(BOB, ANN),
            size=9,
            head=b"",
            origin="",
        )
    )
    log.append(
        Attempt(
            host="a",
            message="Q1",
            recipient=BOB,
            mail_host="b",
            address="",
            at=Stage.SMTP_END,
            reply=OK,
            reason=None,
            detail="",
            tls="",
            final=True,
            onward="Q2",
        )
    )
    log.append(
        SmtpCommand(
            stage=Stage.SMTP_MAIL,
            host="b",
            connection=2,
            line="MAIL FROM:<>",
            reply=OK,
            reason=None,
            address=NULL_PATH,
        )
    )
    log.append(
        MessageDelivered(
            host="b", connection=2, message="Q2", recipient=BOB, account=BOB, mailbox="INBOX", uid=1
        )
    )


def numbers(events: list[Event]) -> list[int]:
    return [event.number for event in events]


def test_number_and_time_are_filled_in() -> None:
    clock = VirtualClock(datetime(2026, 1, 2, tzinfo=UTC))
    log = Log(clock)
    first = log.append(Disconnected(host="a", connection=1, by="client", reason=None, detail=""))
    clock.move(timedelta(seconds=5))
    second = log.append(Disconnected(host="a", connection=2, by="server", reason=None, detail="why"))
    assert second == Disconnected(
        number=2, time=clock.now(), host="a", connection=2, by="server", reason=None, detail="why"
    )
    assert (first.number, second.time - first.time) == (1, timedelta(seconds=5))
    assert (len(log), list(log), repr(log)) == (2, [first, second], "<Log of 2 events>")


def test_attempt_may_leave_out_the_onward_queue_id(log: Log) -> None:
    assert (
        log.append(
            Attempt(
                host="a",
                message="Q1",
                recipient=BOB,
                mail_host="b",
                address="",
                at=Stage.SMTP_END,
                reply=OK,
                reason=None,
                detail="",
                tls="",
                final=True,
            )
        ).onward
        == ""
    )


def test_filters(log: Log) -> None:
    fill(log)
    assert numbers(log.events()) == [1, 2, 3, 4, 5, 6]
    assert numbers(log.events(Stage.SMTP_MAIL)) == [1, 5]
    assert numbers(log.events(Stage.SMTP_AUTH)) == []
    assert numbers(log.events(host="b")) == [5, 6]
    assert numbers(log.events(connection=1)) == [1, 2, 3]
    assert numbers(log.events(message="Q1")) == [3, 4]
    assert numbers(log.events(recipient="BOB@example.org")) == [2, 3, 4, 6]
    assert numbers(log.events(recipient=ANN)) == [3]
    assert numbers(log.events(sender=ANN)) == [1, 3]
    assert numbers(log.events(sender="<>")) == numbers(log.events(sender=NULL_PATH)) == [5]
    assert numbers(log.events(since=4)) == [5, 6]
    assert numbers(log.events(Stage.SMTP_MAIL, host="b", since=1)) == [5]
    with pytest.raises(DeclarationError, match="no '@'"):
        log.events(recipient="bob")


def test_subscribers_see_each_event_after_it_is_in_the_log(log: Log) -> None:
    seen: list[tuple[int, int]] = []
    unsubscribe = log.subscribe(lambda event: seen.append((event.number, len(log))))
    fill(log)
    unsubscribe()
    unsubscribe()
    fill(log)
    assert seen == [(number, number) for number in range(1, 7)]


def test_subscriber_may_leave_while_it_is_called_and_twice_the_same_leaves_once(log: Log) -> None:
    seen: list[str] = []

    def once(event: Event) -> None:
        seen.append(f"once {event.number}")
        leave()

    def always(event: Event) -> None:
        seen.append(f"always {event.number}")

    leave = log.subscribe(once)
    first = log.subscribe(always)
    log.subscribe(always)
    log.append(Disconnected(host="a", connection=1, by="client", reason=None, detail=""))
    first()
    first()
    log.append(Disconnected(host="a", connection=1, by="client", reason=None, detail=""))
    assert seen == ["once 1", "always 1", "always 1", "always 2"]


def test_readers_on_another_thread_see_a_prefix(log: Log) -> None:
    torn: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = numbers(log.events())
            if found != list(range(1, len(found) + 1)):
                torn.append(len(found))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(300):
        fill(log)
    done.set()
    reader.join()
    assert torn == []
    assert len(log) == 1800
