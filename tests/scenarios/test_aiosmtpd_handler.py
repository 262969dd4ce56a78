"""Handlers written for aiosmtpd, attached to a fake host; and what of aiosmtpd's insides they rely on."""

from __future__ import annotations

import smtplib

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from fakemail import MailNet, Reason, Refused, Reply, ServerError, Stage


class Picky:
    """A handler as aiosmtpd's documentation describes them."""

    def __init__(self):
        self.seen = []

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address.startswith("banned"):
            return "550 5.7.1 not welcome"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.seen.append(
            (type(server), type(session), envelope.mail_from, list(envelope.rcpt_tos), envelope.content)
        )
        if b"later" in envelope.content:
            return "451 4.7.0 come back\r\n"
        return "250 Message accepted for delivery"


@pytest.fixture
def net():
    with MailNet() as mailnet:
        yield mailnet


def send(net, *recipients, content=b"Subject: x\r\n\r\nhi\r\n"):
    with net.mx("example.org").smtplib() as client:
        return client.sendmail("me@x.example", list(recipients), content)


def test_its_replies_are_the_hosts_replies(net):
    bob = net.account("bob@example.org")
    net.account("banned@example.org")
    handler = Picky()
    net.find_host("mx1.example.org").attach_handler(handler)
    assert send(net, bob.address, "banned@example.org") == {"banned@example.org": (550, b"5.7.1 not welcome")}
    assert bob.inbox.one().subject == "x"
    (server, session, sender, recipients, content) = handler.seen[0]
    assert issubclass(server, SMTP)
    assert issubclass(session, Session)
    assert (sender, recipients, content) == ("me@x.example", [bob.address], b"Subject: x\r\n\r\nhi\r\n")
    assert net.journey(to="banned@example.org").fate == Refused(
        at=Stage.SMTP_RCPT, reply=Reply(550, "5.7.1"), reason=Reason.HANDLER
    )


def test_it_can_defer_a_message_and_the_session_goes_on(net):
    bob = net.account("bob@example.org")
    net.find_host("mx1.example.org").attach_handler(Picky())
    with net.mx("example.org").smtplib() as client:
        with pytest.raises(smtplib.SMTPDataError) as deferred:
            client.sendmail("me@x.example", [bob.address], b"later\r\n")
        assert deferred.value.smtp_code == 451
        assert client.sendmail("me@x.example", [bob.address], b"now\r\n") == {}
    assert len(bob.inbox) == 1


def test_the_host_decides_first(net):
    net.account("bob@example.org")
    handler = Picky()
    net.find_host("mx1.example.org").attach_handler(handler)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(net, "gone@example.org")
    assert handler.seen == []


def test_pipelined_commands_wait_for_its_answers(net):
    import socket

    bob = net.account("bob@example.org")
    net.find_host("mx1.example.org").attach_handler(Picky())
    settings = net.mx("example.org")
    with socket.create_connection((settings.host, settings.port), timeout=10) as sock:
        sock.sendall(
            b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
            b"Subject: piped\r\n\r\n.\r\nQUIT\r\n"
        )
        sock.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := sock.recv(4096):
            received += chunk
    assert [line[:3] for line in received.split(b"\r\n") if line[3:4] == b" "] == [
        b"220", b"250", b"250", b"250", b"354", b"250", b"221",
    ]  # fmt: skip
    assert bob.inbox.one().subject == "piped"


@pytest.mark.parametrize("reply", ["nonsense", None])
def test_an_answer_that_is_no_reply_fails_the_test_and_not_the_session(reply):
    class Broken:
        async def handle_DATA(self, server, session, envelope):
            return reply

    net = MailNet()
    with pytest.raises(ServerError, match="handle_DATA returned"), net:
        net.account("bob@example.org")
        net.find_host("mx1.example.org").attach_handler(Broken())
        with pytest.raises(smtplib.SMTPDataError, match="451"):
            send(net, "bob@example.org")


def test_its_exceptions_fail_the_test_and_not_the_session():
    class Broken:
        async def handle_MAIL(self, server, session, envelope, address, mail_options):
            raise RuntimeError("boom")

    net = MailNet()
    with pytest.raises(ServerError, match="RuntimeError: boom") as failed, net:
        net.account("bob@example.org")
        net.find_host("mx1.example.org").attach_handler(Broken())
        with pytest.raises(smtplib.SMTPSenderRefused):
            send(net, "bob@example.org")
    assert isinstance(failed.value.__cause__, RuntimeError)


def test_the_private_name_of_aiosmtpd_that_we_read_is_there():
    import asyncio

    async def hooks():
        server = SMTP(Picky(), hostname="x.test", loop=asyncio.get_running_loop())
        return set(server._handle_hooks)

    assert asyncio.run(hooks()) == {"RCPT", "DATA"}
    assert {"mail_from", "rcpt_tos", "content", "original_content", "smtp_utf8"} <= set(vars(Envelope()))


class Greeted:
    """A handler that knows who it talks to."""

    def __init__(self):
        self.seen = None

    async def handle_HELO(self, server, session, envelope, hostname):
        return "550 5.7.1 say EHLO"

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return ["550 5.7.1 not you"] if hostname == "spam.example.com" else responses

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        self.seen = session.host_name, session.extended_smtp, address, mail_options
        envelope.mail_from = address
        return "250 OK"


def test_it_is_asked_about_the_greeting(net):
    net.account("bob@example.org")
    handler = Greeted()
    mx = net.mx("example.org")
    mx.server.attach_handler(handler)
    with smtplib.SMTP(mx.host, mx.port) as client:
        assert client.helo("app.example.com") == (550, b"5.7.1 say EHLO")
        assert client.ehlo("spam.example.com") == (550, b"5.7.1 not you")
        assert client.ehlo("app.example.com")[0] == 250
        assert "size" in client.esmtp_features
        client.mail("Shop@Example.com", ["SIZE=10", "BODY=8BITMIME"])
    assert handler.seen == ("app.example.com", True, "Shop@Example.com", ["SIZE=10", "BODY=8BITMIME"])


def test_it_can_answer_its_own_exceptions(net):
    class Broken:
        async def handle_RCPT(self, *_):
            raise ValueError("no idea")

        async def handle_exception(self, error):
            return f"451 4.3.0 {error}"

    net.account("bob@example.org")
    mx = net.mx("example.org")
    mx.server.attach_handler(Broken())
    with smtplib.SMTP(mx.host, mx.port) as client:
        client.ehlo()
        client.mail("shop@example.com")
        assert client.rcpt("bob@example.org") == (451, b"4.3.0 no idea")
