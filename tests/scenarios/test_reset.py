"""``mailnet.reset()``: mailboxes, queue and log are empty; what is declared stays."""

from __future__ import annotations

import asyncio
import smtplib

import pytest

from fakemail import AsyncMailNet, ClosedError, MailNet, Reply, Stage, days, hours

_MESSAGE = b"From: bob@example.org\r\nSubject: Hi\r\n\r\nText.\r\n"


def _send(net: MailNet, to: str) -> None:
    bob = net.account("bob@example.org")
    with bob.submission.smtplib() as client:
        client.sendmail(bob.address, [to], _MESSAGE)


def test_what_goes_and_what_stays() -> None:
    with MailNet() as net:
        bob, eve = net.account("bob@example.org", password="secret"), net.account("eve@example.net")
        net.dns.add("www.example.org", "A", "192.0.2.80")
        bob.folder("Archive").put(_MESSAGE)
        net.clock.advance(days(3))
        now = net.clock.now()
        net.mx("example.net").faults.reply(Stage.SMTP_RCPT, Reply(451))
        _send(net, eve.address)
        _send(net, bob.address)
        net.settle()
        assert bob.inbox
        assert len(net.queue) == 1
        net.reset()
        assert not bob.inbox
        assert not bob.folder("Archive")
        assert not net.queue
        assert not net.events()
        assert not net.journeys()
        assert net.transcript() == ""
        assert net.dns.queries() == []
        assert net.clock.now() == now
        assert bob.password == "secret"
        assert net.dns.records("www.example.org", "A")
        assert len(net.mx("example.net").faults) == 1
        net.mx("example.net").faults.clear()
        net.clock.advance(hours(5))
        assert not eve.inbox  # nothing of it is tried again
        _send(net, eve.address)
        assert eve.inbox.wait_for_one().subject == "Hi"
        net.settle()
        assert [each.number for each in net.events()] == list(range(1, len(net.events()) + 1))
        assert str(net.journey(to=eve).fate).startswith("delivered")


def test_what_is_under_way_does_not_arrive() -> None:
    with MailNet() as net:
        eve = net.account("eve@example.net")
        fault = net.mx("example.net").faults.no_reply(Stage.SMTP_RCPT)
        _send(net, eve.address)
        net.wait_for(Stage.SMTP_MAIL, host="mx1.example.net")
        net.reset()
        fault.remove()
        net.settle()
        net.clock.advance(days(6))
        assert not eve.inbox
        assert not net.account("bob@example.org").inbox  # no bounce either
        _send(net, eve.address)
        assert eve.inbox.wait_for_one()
        net.settle()


def test_a_reader_is_told_that_messages_went() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        bob.inbox.put(_MESSAGE)
        with bob.imap.imaplib() as client:
            assert client.select("INBOX") == ("OK", [b"1"])
            net.reset()
            client.noop()
            assert client.response("EXPUNGE") == ("EXPUNGE", [b"1"])
            bob.inbox.put(_MESSAGE)
            client.noop()
            assert client.response("EXISTS")[1][-1] == b"1"


def test_the_other_face_resets_the_same() -> None:
    async def work() -> None:
        async with AsyncMailNet() as net:
            bob = net.account("bob@example.org")
            bob.inbox.put(_MESSAGE)
            net.as_blocking().reset()
            assert not bob.inbox
            bob.inbox.put(_MESSAGE)
            net.reset()
            assert not bob.inbox

    asyncio.run(work())


def test_a_closed_one_cannot_be_reset() -> None:
    net = MailNet().start()
    net.close()
    with pytest.raises(ClosedError, match="not running"):
        net.reset()


def test_a_connection_that_goes_on_is_known_afterwards() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        with net.mx("example.org").smtplib() as client:
            client.ehlo()
            net.reset()
            client.sendmail("a@example.net", [bob.address], _MESSAGE)
        net.settle()
        assert len(net.journeys()) == 1
        assert "app" in net.journey().steps[0].what


def test_a_message_of_the_app_that_is_half_handed_in_is_dropped() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        idle = bob.submission.smtplib()
        client = bob.submission.smtplib()
        client.mail(bob.address)
        client.rcpt(bob.address)
        net.reset()
        net.settle()
        assert idle.noop()[0] == 250  # who submits nothing stays
        idle.quit()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.data(_MESSAGE)
        client.close()
        net.settle()
        assert not bob.inbox
        assert not net.journeys()
