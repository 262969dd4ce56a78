"""Retries, bounces and the clock: real messages over real sockets, days in milliseconds."""

from __future__ import annotations

import asyncio
import email
import email.policy

import pytest

from fakemail import (
    AsyncMailNet,
    Bounced,
    Delivered,
    Discarded,
    Expired,
    MailAssertionError,
    MailNet,
    Queued,
    Reason,
    Reply,
    Stage,
    days,
    hours,
    minutes,
    seconds,
)
from fakemail.clock import RealClock
from fakemail.errors import ServerError


@pytest.fixture
def net():
    with MailNet(seed=3) as mailnet:
        yield mailnet


@pytest.fixture
def shop(net):
    return net.account("bounces@shop.test")


class Grey:
    """An aiosmtpd handler that defers until it is told not to."""

    def __init__(self, reply):
        self.reply = reply

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if self.reply is not None:
            return self.reply
        envelope.rcpt_tos.append(address)
        return "250 OK"


def send(shop, *recipients, options=(), rcpt_options=(), content=b"Subject: Invoice\r\n\r\nPlease pay.\r\n"):
    with shop.submission.smtplib() as client:
        client.sendmail(shop.address, list(recipients), content, list(options), list(rcpt_options))


def test_a_deferred_message_waits_and_arrives_on_a_later_try(net, shop):
    bob = net.account("bob@example.org")
    handler = Grey("451 4.7.1 try again later")
    net.find_host("mx1.example.org").attach_handler(handler)
    start = net.clock.now()
    send(shop, bob.address)
    net.settle()
    assert bob.inbox.is_empty
    waiting = net.queue.one()
    assert (waiting.last_reply.code, waiting.attempts, waiting.recipients) == (451, 1, [bob.address])
    assert waiting.next_attempt - start == minutes(5)
    assert net.journey(to=bob).fate == Queued(Reply(451, "4.7.1"), Reason.HANDLER)
    handler.reply = None
    net.clock.advance(minutes(4))
    assert bob.inbox.is_empty
    net.clock.advance(minutes(1))
    assert [attempt.reply.code for attempt in net.journey(to=bob).attempts] == [451, 250]
    assert bob.inbox.one().received_at - start == minutes(5)
    assert net.queue.is_empty
    assert net.clock.now() - start == minutes(5)


def test_what_is_refused_comes_back_as_a_bounce(net, shop):
    net.account("bob@example.org")
    send(shop, "gone@example.org", "bob@example.org", "x@nowhere.test")
    net.settle()
    assert net.journey(to="gone@example.org").fate == Bounced(
        Stage.SMTP_RCPT, Reply(550, "5.1.1"), Reason.NO_SUCH_USER
    )
    assert net.journey(to="bob@example.org").fate == Delivered(net.journey(to="bob@example.org").recipient)
    bounce = shop.inbox.one()
    assert [(each.recipient, each.status) for each in bounce.delivery_report.recipients] == [
        ("gone@example.org", "5.1.1"),
        ("x@nowhere.test", "5.1.2"),
    ]
    assert str(bounce.envelope.sender) == "<>"
    parsed = email.message_from_bytes(bounce.raw, policy=email.policy.default)
    assert parsed.get_content_type() == "multipart/report"
    assert not parsed.defects


def test_what_nobody_takes_expires_after_a_warning(net, shop):
    net.account("bob@example.org")
    net.find_host("mx1.example.org").stop()
    send(shop, "bob@example.org")
    net.clock.advance(hours(3))
    assert shop.inbox.is_empty
    net.clock.advance(hours(10))
    assert shop.inbox.one().delivery_report.action == "delayed"
    net.clock.advance(days(5))
    assert [mail.delivery_report.action for mail in shop.inbox] == ["delayed", "failed"]
    assert net.journey(to="bob@example.org").fate == Expired(None, Reason.CONNECTION_REFUSED)
    assert net.queue.is_empty


def test_the_sender_decides_who_is_told_and_how_much(net, shop):
    """RFC 3461."""
    bob = net.account("bob@example.org")
    send(shop, "gone@example.org", rcpt_options=["NOTIFY=NEVER"])
    net.settle()
    assert shop.inbox.is_empty
    fate = net.journey(to="gone@example.org").fate
    assert fate == Discarded(Reason.NO_SUCH_USER)
    assert str(fate) == "given up by smtp.shop.test, and the sender not told: 550 5.1.1 (no such user)"
    send(
        shop,
        bob.address,
        options=["RET=HDRS", "ENVID=QQ+2D1"],
        rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Bob@Old.example"],
    )
    net.settle()
    report = shop.inbox.one().delivery_report
    assert (report.action, report.status, report.envelope_id) == ("delivered", "2.0.0", "QQ-1")
    assert report.recipients[0].original_recipient == "Bob@Old.example"
    assert report.reporting_host == "mx1.example.org"


def test_a_host_that_reports_nothing_itself_makes_the_one_before_it_say_relayed(net, shop):
    """RFC 3461 §5.2.2."""
    bob = net.account("bob@example.org")
    net.find_host("mx1.example.org").configure(hide={"DSN"})
    send(shop, bob.address, rcpt_options=["NOTIFY=SUCCESS"])
    net.settle()
    assert shop.inbox.one().delivery_report.action == "relayed"


def test_a_bounce_is_never_bounced(net):
    net.account("bob@example.org")
    with net.submission.smtplib() as client:
        client.sendmail("", ["gone@example.org"], b"Subject: x\r\n\r\n")
    net.settle()
    assert net.journey(to="gone@example.org").fate == Discarded(Reason.NO_SUCH_USER)
    assert net.queue.is_empty


def test_the_queue_can_be_held_flushed_and_dropped(net, shop):
    bob = net.account("bob@example.org")
    net.queue.hold()
    send(shop, bob.address)
    send(shop, "bob@example.org")
    net.settle()
    assert len(net.queue) == 2
    assert all(mail.is_held and mail.attempts == 0 for mail in net.queue)
    first, second = net.queue.all()
    net.clock.advance(days(1))
    assert bob.inbox.is_empty
    second.drop()
    net.queue.flush()
    net.settle()
    assert len(bob.inbox) == 1
    assert {journey.fate for journey in net.journeys(to=bob)} == {
        Delivered(net.journeys(to=bob)[0].recipient),
        Discarded(Reason.DROPPED),
    }
    assert first.recipients == []
    assert str(net.journeys(to=bob)[1].fate) == "silently discarded by smtp.shop.test: dropped from the queue"


def test_a_journey_that_waits_says_how_a_test_gets_on(net, shop):
    bob = net.account("bob@example.org")
    handler = Grey("451 4.7.1 try again later")
    net.find_host("mx1.example.org").attach_handler(handler)
    net.queue.hold()
    send(shop, bob.address)
    assert str(net.journey(to=bob)).endswith(
        "\nFate: waiting in the queue of smtp.shop.test\n      held: flush() lets it go"
    )
    net.queue.flush()
    net.settle()
    now = net.clock.now()
    told = (
        "Fate: waiting in the queue of smtp.shop.test: 451 4.7.1 (refused by the test's own handler)\n"
        f"      next try at {now + minutes(5):%a %H:%M:%S}, and the clock stands at {now:%H:%M:%S}: "
        "mailnet.clock.advance(minutes(5)) gets there"
    )
    assert str(net.journey(to=bob)).endswith(told)
    with pytest.raises(MailAssertionError) as failed:
        bob.inbox.one()
    assert told.replace("\n", "\n        ") in str(failed.value)
    net.clock.advance(minutes(2))
    assert "advance(minutes(3)) gets there" in str(net.journey(to=bob))
    handler.reply = None
    net.clock.advance(minutes(3))
    assert str(net.journey(to=bob)).endswith("\nFate: delivered to bob@example.org, INBOX")


def test_a_journey_that_is_under_way_says_so(net, shop):
    bob = net.account("bob@example.org")
    go_on = asyncio.Event()

    class Slow:
        async def handle_RCPT(self, server, session, envelope, address, options):
            await go_on.wait()
            return "550 5.7.1 no"

    net.find_host("mx1.example.org").attach_handler(Slow())
    send(shop, bob.address)
    assert repr(net.journey(to=bob)).endswith(" (not settled)>")
    net._portal.call(go_on.set)
    net.settle()
    assert "settled" not in repr(net.journey(to=bob))


def test_the_schedule_is_the_tests_own(net, shop):
    net.account("bob@example.org")
    net.find_host("mx1.example.org").stop()
    net.queue.schedule(gaps=[minutes(1)], give_up_after=minutes(3))
    send(shop, "bob@example.org")
    net.clock.advance(minutes(3))
    journey = net.journey(to="bob@example.org")
    assert journey.fate == Expired(None, Reason.CONNECTION_REFUSED)
    assert len({attempt.time for attempt in journey.attempts}) == 4


def test_a_long_story_is_told_without_its_middle(net, shop):
    net.account("bob@example.org")
    net.find_host("mx1.example.org").stop()
    send(shop, "bob@example.org")
    net.clock.advance(days(6))
    table = net.journey(to="bob@example.org").table()
    assert "more steps)" in table
    assert len(table.splitlines()) == 26
    assert "127." not in table, "this machine's addresses mean nothing in the fake internet"


def test_time_does_not_run_back(net):
    with pytest.raises(ValueError, match="time does not run back"):
        net.clock.advance(days(-1))


def test_a_session_that_stays_open_keeps_the_clock_from_moving():
    with MailNet(timeout=0.05) as net:
        net.domain("example.org")
        with net.mx("example.org").smtplib() as client:
            client.mail("me@x.example")
            with pytest.raises(
                MailAssertionError, match=r"did not become quiet within 0\.05 s: connection 1 of app"
            ):
                net.clock.advance(minutes(1))


def test_the_awaiting_face_moves_its_clock_too():
    import asyncio

    async def play():
        async with AsyncMailNet() as net:
            shop, bob = net.accounts("shop@shop.test", "bob@example.org")
            host = net.find_host("mx1.example.org").stop()
            await asyncio.to_thread(send, shop, bob.address)
            await net.settle()
            host.start()
            await net.clock.advance(minutes(5))
            return (await bob.inbox.wait_for_one()).subject

    assert asyncio.run(play()) == "Invoice"


def test_two_advances_at_once_lose_no_time():
    async def use():
        async with AsyncMailNet() as net:
            shop = net.account("shop@shop.test")
            net.domain("example.org").hosts[0].stop()
            await asyncio.to_thread(send, shop, "bob@example.org")
            await net.settle()
            start = net.clock.now()
            # Each try takes turns of the loop, in which the other could go on.
            await asyncio.gather(net.clock.advance(hours(1)), net.clock.advance(hours(2)))
            return net.clock.now() - start

    assert asyncio.run(use()) == hours(3)


def test_on_a_real_clock_what_is_due_is_done_by_itself():
    with MailNet(clock=RealClock()) as net:
        shop, bob = net.account("bounces@shop.test"), net.account("bob@example.org")
        net.domain("example.org").policy(greylist=seconds(0.1))
        net.queue.schedule(gaps=[seconds(0.2)])
        send(shop, bob.address)
        bob.inbox.wait_for_one(timeout=20)
        net.settle()
        assert [attempt.reply.code for attempt in net.journey(to=bob).attempts] == [451, 250]


def test_a_real_clock_can_be_moved_forward():
    with MailNet(clock=RealClock()) as net:
        shop, bob = net.account("bounces@shop.test"), net.account("bob@example.org")
        net.domain("example.org").policy(greylist=minutes(5))
        send(shop, bob.address)
        net.settle()
        before = net.clock.now()
        net.clock.advance(hours(1))
        assert len(bob.inbox) == 1
        assert net.clock.now() - before >= hours(1)


def test_an_error_in_what_is_due_on_a_real_clock_fails_the_test():
    def break_down():
        raise ZeroDivisionError

    net = MailNet(clock=RealClock()).start()
    net._portal.call(lambda: net._portal.simulation.clock.after(seconds(0), break_down, name="a broken job"))
    for _ in range(100_000):
        if net._portal.call(lambda: net._portal.simulation.supervisor.errors):
            break
    with pytest.raises(ServerError, match="in a broken job"):
        net.close()
