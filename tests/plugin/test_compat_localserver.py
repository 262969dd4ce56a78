"""The fixture ``smtpserver`` of ``mailnet_compat``: the interface of pytest-localserver."""

from __future__ import annotations

import smtplib

import pytest

from fakemail import MailNet
from fakemail.compat.localserver import SmtpServer


def test_it_keeps_what_is_sent(smtpserver: SmtpServer, mailnet: MailNet) -> None:
    assert smtpserver.outbox == []
    host, port = smtpserver.addr
    with smtplib.SMTP(host, port, timeout=10) as client:
        client.sendmail("shop@example.com", ["bob@example.org"], "Subject: Hi\nTo: bob@example.org\n\nHello")
        client.sendmail("shop@example.com", ["root+x@localhost", "b@example.net"], "Subject: Again\n\nHello")
    first, second = smtpserver.outbox
    assert (first["Subject"], first["To"]) == ("Hi", "bob@example.org")
    assert first.details.peer[0] == "127.0.0.1"
    assert (second.details.mailfrom, second.details.rcpttos) == (
        "shop@example.com",
        ["root+x@localhost", "b@example.net"],
    )
    assert smtpserver.mailnet is mailnet
    assert mailnet.account("bob@example.org").inbox.one().subject == "Hi"


def test_it_can_be_stopped_more_than_once(smtpserver: SmtpServer) -> None:
    assert smtpserver.is_alive()
    assert smtpserver.accepting
    host, port = smtpserver.addr
    smtpserver.stop()
    smtpserver.stop(timeout=1)
    assert not smtpserver.is_alive()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP(host, port)


def test_a_server_without_a_fixture() -> None:
    server = SmtpServer(port=0)
    server.start()
    with smtplib.SMTP(*server.addr, timeout=10) as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: x\n\nx")
    assert [mail["Subject"] for mail in server.outbox] == ["x"]
    server.stop()
