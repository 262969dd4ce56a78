"""Hosts on loopback addresses of their own, on the real ports, where the machine allows it."""

from __future__ import annotations

import smtplib
import socket

import dns.resolver
import pytest

from fakemail import DeclarationError, MailNet
from namespaces import require_low_ports


@pytest.fixture(autouse=True)
def _allowed():
    require_low_ports()


@pytest.mark.mailnet(real_ports=True)
def test_every_service_is_on_its_real_port(mailnet):
    bob = mailnet.account("bob@example.org")
    assert (mailnet.mx("example.org").port, bob.submission.port, bob.submissions.port) == (25, 587, 465)
    assert (bob.imap.port, bob.imaps.port, bob.pop3.port, bob.pop3s.port) == (143, 993, 110, 995)
    assert mailnet.dns.port == 53
    assert len({mailnet.mx("example.org").host, bob.submission.host, bob.imap.host, mailnet.dns.host}) == 4
    with smtplib.SMTP(mailnet.mx("example.org").host) as client:
        client.sendmail("hello@shop.test", [bob.address], "Subject: News\n\nAll new.")
    assert bob.inbox.wait_for_one().subject == "News"


@pytest.mark.mailnet(real_ports=True)
def test_a_resolver_needs_an_address_only(mailnet):
    mailnet.domain("example.org")
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [mailnet.dns.host]
    assert str(resolver.resolve("example.org", "MX")[0].exchange) == "mx1.example.org."


@pytest.mark.mailnet(real_ports=True)
def test_mail_travels_between_hosts_there(mailnet):
    shop, bob = mailnet.accounts("hello@shop.test", "bob@example.org")
    with shop.submission.smtplib() as client:
        client.sendmail(shop.address, [bob.address], "Subject: News\n\nAll new.")
    assert bob.inbox.wait_for_one().subject == "News"


def test_several_stand_side_by_side():
    with MailNet(real_ports=True) as one, MailNet(real_ports=True) as other:
        for net in (one, other):
            net.domain("example.org")
        hosts = {net.mx("example.org").host for net in (one, other)}
        assert len(hosts) == 2
        assert one.mx("example.org").port == other.mx("example.org").port == 25
    for host in hosts:
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect((host, 25))


def test_two_plans_exclude_each_other():
    with pytest.raises(DeclarationError, match="exclude each other"):
        MailNet(real_ports=True, port_offset=1000)
