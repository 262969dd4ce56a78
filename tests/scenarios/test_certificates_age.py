"""Certificates age with the clock of the fake internet."""

from __future__ import annotations

import imaplib
import smtplib
import ssl

import pytest

from fakemail import Bounced, MailNet, Queued, days
from fakemail.tls.authority import LIFETIME


@pytest.fixture
def net():
    with MailNet() as mailnet:
        yield mailnet


def send(account, to, subject):
    with smtplib.SMTP(account.submission.host, account.submission.port) as client:
        context = account.submission.ssl_context
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.starttls(context=context)
        client.login(account.address, account.password)
        client.sendmail(account.address, [to], f"Subject: {subject}\r\n\r\nHello\r\n")


def test_a_verified_hop_fails_when_the_certificate_is_over(net):
    shop, bob = net.accounts("hello@example.net", "bob@example.org")
    shop.submission.server.configure(sending_tls="verified")
    send(shop, bob.address, "one")
    net.settle()
    net.clock.advance(days(4000))
    send(shop, bob.address, "two")
    net.settle()
    assert [each.subject for each in bob.inbox] == ["one"]
    journey = net.journey(subject="two")
    assert isinstance(journey.fate, Queued)
    assert "certificate not verified (the certificate is good from" in str(journey)
    net.mx("example.org").server.certificate()  # a new one
    net.clock.advance(days(1))
    net.settle()
    assert [each.subject for each in bob.inbox] == ["one", "two"]
    assert not isinstance(net.journey(subject="two").fate, Bounced)


def test_opportunistic_tls_takes_any(net):
    shop, bob = net.accounts("hello@example.net", "bob@example.org")
    net.clock.advance(days(4000))
    send(shop, bob.address, "one")
    net.settle()
    assert bob.inbox.one().tls == "TLSv1.3"


def test_dane_asks_for_the_key_and_not_for_the_time(net):
    """RFC 7672 §3.1.1: with DANE-EE the dates in the certificate do not count."""
    shop, bob = net.accounts("hello@example.net", "bob@example.org")
    net.domain("example.org").enable_dnssec()
    net.clock.advance(days(4000))
    send(shop, bob.address, "one")
    net.settle()
    assert bob.inbox.one().subject == "one"
    assert any(each.type == "TLSA" for each in net.dns.queries())


@pytest.mark.parametrize(("after", "is_good"), [(LIFETIME, True), (LIFETIME + days(1), False)])
def test_clients_of_an_app(net, after, is_good):
    bob = net.account("bob@example.org")
    net.clock.advance(after)
    clients = (
        lambda: bob.submission.smtplib(),
        lambda: bob.submissions.smtplib(),
        lambda: bob.imaps.imaplib(),
        lambda: bob.imap.imaplib(),
        lambda: bob.pop3s.poplib(),
    )
    for connect in clients:
        if is_good:
            client = connect()
            (client.logout if isinstance(client, imaplib.IMAP4) else client.quit)()
        else:
            with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
                connect()
