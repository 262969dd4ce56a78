"""Hosts keep a connection for the next message, and nobody can tell but by counting."""

from __future__ import annotations

import gc
import warnings

import pytest

from fakemail import Delivered, MailNet, Reason, Reply, Stage, hours, minutes
from fakemail.events.kinds import Attempt, Connected
from fakemail.runtime import connection_pool

MX = "mx1.example.org"


@pytest.fixture
def net(monkeypatch):
    monkeypatch.setattr(connection_pool, "IDLE", 60.0)  # a busy machine may pause for longer than two seconds
    with MailNet(seed=3) as mailnet:
        yield mailnet


@pytest.fixture
def shop(net):
    return net.account("hello@shop.test")


@pytest.fixture
def bob(net):
    return net.account("bob@example.org")


def send(net, shop, *recipients, subject="x"):
    with shop.submission.smtplib() as client:
        client.sendmail(
            shop.address, [str(each.address) for each in recipients], f"Subject: {subject}\r\n\r\ny\r\n"
        )
    net.settle()


def calls(net, host=MX):
    """How often somebody connected to a host."""
    return len([event for event in net.events(Stage.CONNECT, host=host) if isinstance(event, Connected)])


def attempts(net):
    return [event for event in net.events(Stage.ATTEMPT) if isinstance(event, Attempt)]


def test_five_messages_go_over_one_connection(net, shop, bob):
    for number in range(5):
        send(net, shop, bob, subject=f"number {number}")
    assert calls(net) == 1
    assert [message.subject for message in bob.inbox] == [f"number {number}" for number in range(5)]
    for message in bob.inbox:
        assert "with ESMTPS" in message.headers["Received"]
        assert isinstance(net.journey(to=bob, subject=message.subject).fate, Delivered)


def test_five_recipients_and_then_one(net, shop, bob):
    others = [net.account(f"user{number}@example.org") for number in range(4)]
    send(net, shop, bob, *others)
    send(net, shop, others[0])
    assert calls(net) == 1
    assert [len(each.inbox) for each in (bob, *others)] == [1, 2, 1, 1, 1]


def test_a_host_may_have_another_habit(net, shop, bob):
    shop.submission.server.configure(keep_connections=False)
    send(net, shop, bob)
    send(net, shop, bob)
    assert calls(net) == 2


def test_a_fault_that_is_added_in_between_is_seen(net, shop, bob):
    send(net, shop, bob)
    host = net.host(MX)
    with host.faults.reply(Stage.SMTP_BANNER, Reply(554, "5.3.2", "not now")) as fault:
        send(net, shop, bob)
        assert fault.fired == 2  # at both addresses of the host
    assert len(bob.inbox) == 1
    send(net, shop, bob)
    assert len(bob.inbox) == 2


def test_a_fault_that_comes_and_goes_ends_a_kept_connection(net, shop, bob):
    send(net, shop, bob)
    net.host(MX).faults.refuse_connections().remove()
    send(net, shop, bob)
    assert calls(net) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda host: host.configure(hide={"PIPELINING"}),
        lambda host: host.certificate(),
        lambda host: host.attach_handler(object()),
        lambda host: host.stop().start(),
    ],
    ids=["options", "certificate", "handler", "switched off and on"],
)
def test_a_host_that_changed_is_called_anew(net, shop, bob, change):
    send(net, shop, bob)
    change(net.host(MX))
    send(net, shop, bob)
    assert calls(net) == 2
    assert len(bob.inbox) == 2


def test_a_host_that_is_switched_off_is_not_reached(net, shop, bob):
    send(net, shop, bob)
    net.host(MX).stop()
    send(net, shop, bob)
    assert attempts(net)[-1].reason is Reason.CONNECTION_REFUSED


def test_a_certificate_that_was_not_checked_is_checked(net, shop, bob):
    net.host(MX).certificate(flaw="expired")
    send(net, shop, bob)
    shop.submission.server.configure(sending_tls="verified")
    send(net, shop, bob)
    assert attempts(net)[-1].reason is Reason.CERTIFICATE_REFUSED


def test_a_refusal_does_not_end_the_connection(net, shop, bob):
    nobody = net.domain("example.org").account("nobody")
    nobody.configure(disabled=True)
    send(net, shop, bob, nobody)
    send(net, shop, nobody)
    send(net, shop, bob)
    assert calls(net) == 1
    assert [event.line for event in net.events(Stage.SMTP_RSET, host=MX)] == ["RSET"]
    assert [attempt.reason for attempt in attempts(net)].count(Reason.MAILBOX_DISABLED) == 2
    assert len(bob.inbox) == 2


def test_a_host_that_bears_few_refusals_sees_none_too_many(net, shop, bob):
    net.domain("example.org").policy(greylist=minutes(5))
    net.host(MX).configure(max_errors=5)
    for _ in range(4):
        net.queue.hold()
        send(net, shop, bob)
    net.queue.flush()
    net.settle()
    assert {attempt.reply.code for attempt in attempts(net)} == {451}
    net.clock.advance(hours(1))
    assert len(bob.inbox) == 4
    assert net.events(Stage.DISCONNECT, host=MX)
    assert Reason.TOO_MANY_ERRORS not in {event.reason for event in net.events(Stage.SMTP_RCPT, host=MX)}


def test_a_connection_is_not_kept_over_a_leap_of_the_clock(net, shop, bob):
    send(net, shop, bob)
    net.clock.advance(minutes(15))
    send(net, shop, bob)
    assert calls(net) == 2


def test_only_so_many_connections_are_made_to_a_host_at_once(net, shop, bob, monkeypatch):
    monkeypatch.setattr(connection_pool, "MAX_AT_ONCE", 3)
    net.queue.hold()
    for number in range(12):
        send(net, shop, bob, subject=f"number {number}")
    net.queue.flush()
    net.settle()
    assert calls(net) <= 3
    assert len(bob.inbox) == 12


class Second:
    """An aiosmtpd handler that does something at the second MAIL."""

    def __init__(self, what):
        self.what = what
        self.count = 0

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.count += 1
        envelope.mail_from = address
        return "250 OK" if self.count != 2 else self.what(server)


@pytest.mark.parametrize(
    "what", [lambda _: "421 4.3.2 busy", lambda server: server.abort() or "250 OK"], ids=["421", "gone"]
)
def test_a_kept_connection_that_is_over_is_replaced_without_a_word(net, shop, bob, what):
    handler = Second(what)
    net.host(MX).attach_handler(handler)
    send(net, shop, bob)
    send(net, shop, bob, subject="again")
    assert (handler.count, calls(net)) == (3, 2)
    assert [message.subject for message in bob.inbox] == ["x", "again"]
    assert [attempt.final and attempt.reply.is_positive for attempt in attempts(net)] == [True, True]
    journey = net.journey(to=bob, subject="again")
    assert isinstance(journey.fate, Delivered)


def test_an_idle_connection_ends_with_quit(net, shop, bob, monkeypatch):
    monkeypatch.setattr(connection_pool, "IDLE", 0.0)
    send(net, shop, bob)
    net.wait_for(Stage.SMTP_QUIT, host=MX)
    assert [event.line for event in net.events(Stage.SMTP_QUIT, host=MX)] == ["QUIT"]
    send(net, shop, bob)
    assert calls(net) == 2


def test_a_connection_carries_so_many_messages_and_no_more(net, shop, bob, monkeypatch):
    monkeypatch.setattr(connection_pool, "MAX_MESSAGES", 2)
    for _ in range(4):
        send(net, shop, bob)
    assert calls(net) == 2
    assert len(net.events(Stage.SMTP_QUIT, host=MX)) == 2


def test_only_so_many_are_kept(net, shop, bob, monkeypatch):
    monkeypatch.setattr(connection_pool, "MAX_KEPT", 1)
    eve = net.account("eve@example.net")
    send(net, shop, bob)
    send(net, shop, eve)
    assert len(net.wait_for(Stage.SMTP_QUIT, host=MX)) == 1
    send(net, shop, eve)
    send(net, shop, bob)
    assert (calls(net), calls(net, "mx1.example.net")) == (2, 1)


def test_messages_at_once_have_connections_of_their_own(net, shop, bob):
    net.queue.hold()
    for number in range(5):
        send(net, shop, bob, subject=f"number {number}")
    net.queue.flush()
    net.settle()
    made = calls(net)
    assert len(bob.inbox) == 5
    send(net, shop, bob)
    assert calls(net) == made


def test_the_end_leaves_nothing_open():
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(10):
            with MailNet() as net:
                shop, bob = net.account("hello@shop.test"), net.account("bob@example.org")
                send(net, shop, bob)
                net.host(MX).configure(hide={"PIPELINING"})
                with shop.submission.smtplib() as client:
                    client.sendmail(shop.address, [bob.address], "Subject: x\r\n\r\ny\r\n")
        gc.collect()
    assert [str(each.message) for each in caught] == []
