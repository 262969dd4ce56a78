"""Accounts, domains and hosts that are removed while programs use them."""

from __future__ import annotations

import imaplib
import poplib
import smtplib

import dns.resolver
import pytest

from fakemail import (
    AsyncMailNet,
    Bounced,
    DeclarationError,
    Delivered,
    Discarded,
    FakemailError,
    MailNet,
    Reason,
    Refused,
    UnknownNameError,
    samples,
)

BOB = "bob@example.org"


def send(net: MailNet, to: str = BOB) -> None:
    with net.submission.smtplib() as client:
        client.sendmail("shop@shop.test", [to], samples.plain())


def test_an_account_that_was_removed_is_unknown(mailnet: MailNet) -> None:
    ann, bob = mailnet.accounts("ann@example.org", BOB)
    bob.inbox.put(samples.plain())
    bob.remove()
    assert mailnet.accounts() == (ann,)
    assert not mailnet.messages
    with (
        mailnet.mx("example.org").smtplib() as client,
        pytest.raises(smtplib.SMTPRecipientsRefused) as refused,
    ):
        client.sendmail("shop@shop.test", [BOB], samples.plain())
    assert refused.value.recipients[BOB][0] == 550
    fate = mailnet.journey(to=BOB).fate
    assert isinstance(fate, Refused)
    assert fate.reason is Reason.NO_SUCH_USER
    for change in (bob.remove, lambda: bob.inbox.put(samples.plain()), lambda: bob.create_folder("A")):
        with pytest.raises(UnknownNameError, match="no account"):
            change()
    assert bob.inbox.is_empty


def test_sessions_of_a_removed_account_end(mailnet: MailNet) -> None:
    ann, bob = mailnet.accounts("ann@example.org", BOB)
    bob.inbox.put(samples.plain())
    others = ann.imaps.imaplib()
    imap, pop3, smtp = bob.imaps.imaplib(), bob.pop3s.poplib(), bob.submission.smtplib()
    imap.select()
    settings = bob.imaps
    bob.remove()
    with pytest.raises(imaplib.IMAP4.abort):
        imap.noop()
    with pytest.raises((poplib.error_proto, OSError)):
        pop3.stat()
    with pytest.raises(smtplib.SMTPException):
        smtp.sendmail(BOB, [ann.address], samples.plain())
    assert " BYE " in bob.transcript(imap=True)
    assert " 421 " in bob.transcript(smtp=True)
    imap.shutdown()
    pop3.close()
    smtp.close()
    assert others.noop()[0] == "OK"
    others.logout()
    client = imaplib.IMAP4_SSL(settings.host, settings.port, ssl_context=settings.ssl_context)
    with client, pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.login(settings.username, settings.password)


def test_mail_under_way_to_a_removed_account_bounces(mailnet: MailNet) -> None:
    mailnet.account("shop@shop.test")
    bob = mailnet.account(BOB)
    bob.domain.hosts[0].stop()
    send(mailnet)
    mailnet.settle()
    bob.remove()
    mailnet.find_host("mx1.example.org").start()
    mailnet.queue.flush()
    mailnet.settle()
    assert isinstance(mailnet.journey(to=BOB).fate, Bounced)


def test_a_removed_account_can_come_back(mailnet: MailNet) -> None:
    bob = mailnet.account(BOB, password="old")
    bob.inbox.put(samples.plain())
    bob.folder("Archive").delete()
    bob.remove()
    new = mailnet.account(BOB, password="new")
    assert new is not bob
    assert (new.password, len(new.inbox), len(new.folders())) == ("new", 0, 6)
    send(mailnet)
    assert mailnet.settle() is None
    assert isinstance(mailnet.journey(to=BOB).fate, Delivered)


def test_what_leads_to_a_removed_account_leads_nowhere(mailnet: MailNet) -> None:
    bob = mailnet.account(BOB)
    ann = mailnet.account("ann@example.org")
    bob.domain.alias("sales", bob).catch_all(bob)
    ann.set_forwarding(bob)
    bob.remove()
    for to in ("sales@example.org", "anybody@example.org"):
        with mailnet.mx("example.org").smtplib() as client, pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("shop@shop.test", [to], samples.plain())
    send(mailnet, "ann@example.org")
    mailnet.settle()
    assert len(ann.inbox) >= 1


def test_a_removed_domain_is_not_in_dns(mailnet: MailNet) -> None:
    bob = mailnet.account(BOB)
    bob.inbox.put(samples.plain())
    mailnet.account("ann@example.net")
    assert mailnet.dns.resolver().resolve("example.org", "MX")
    client = bob.imaps.imaplib()
    settings = mailnet.mx("example.org")
    bob.domain.remove()
    assert [each.name for each in mailnet.domains()] == ["example.net"]
    assert not [each.name for each in mailnet.hosts() if each.name.endswith("example.org")]
    for name, type in (("example.org", "MX"), ("mx1.example.org", "A"), ("_dmarc.example.org", "TXT")):
        with pytest.raises(dns.resolver.NXDOMAIN):
            mailnet.dns.resolver().resolve(name, type)
    with pytest.raises(imaplib.IMAP4.abort):
        client.noop()
    client.shutdown()
    with pytest.raises(ConnectionRefusedError):
        settings.smtplib()
    send(mailnet)
    mailnet.settle()
    fate = mailnet.journey(to=BOB).fate
    assert isinstance(fate, Bounced)
    with pytest.raises(UnknownNameError, match="no domain"):
        bob.domain.remove()


def test_a_removed_domain_can_come_back(mailnet: MailNet) -> None:
    mailnet.account(BOB).inbox.put(samples.plain())
    mailnet.account(BOB).imaps.imaplib().logout()
    mailnet.domain("example.org").alias("sales", BOB).remove()
    bob = mailnet.account(BOB)
    assert bob.inbox.is_empty
    send(mailnet)
    assert bob.inbox.wait_for_one()
    bob.imaps.imaplib().logout()
    assert mailnet.dns.resolver().resolve("example.org", "MX")


def test_hosts_that_others_use_stay(mailnet: MailNet) -> None:
    mailnet.host("mx.provider.test", services=["smtp"])
    mailnet.domain("example.org", mx=["mx.provider.test", "mx2"])
    mailnet.domain("example.net", mx=["mx.provider.test"])
    mailnet.host("www.example.org")
    mailnet.domain("example.org").remove()
    names = [each.name for each in mailnet.hosts()]
    assert "mx.provider.test" in names
    assert "www.example.org" in names
    assert "mx2.example.org" not in names
    resolver = mailnet.dns.resolver()
    assert resolver.resolve("www.example.org", "A")
    with pytest.raises(dns.resolver.NoAnswer):
        resolver.resolve("example.org", "MX")
    mailnet.account("ann@example.net")
    with mailnet.find_host("mx.provider.test").settings("smtp").smtplib() as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("shop@shop.test", [BOB], samples.plain())
        client.sendmail("shop@shop.test", ["ann@example.net"], samples.plain())
    mailnet.domain("example.net").remove()
    settings = mailnet.find_host("mx.provider.test").settings("smtp")
    with settings.smtplib() as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail("shop@shop.test", ["ann@example.net"], samples.plain())


def test_a_transaction_of_a_removed_domain_is_cut_off(mailnet: MailNet) -> None:
    mailnet.account(BOB)
    client = mailnet.mx("example.org").smtplib()
    client.mail("shop@shop.test")
    client.rcpt(BOB)
    mailnet.domain("example.org").remove()
    assert client.noop()[0] == 421
    client.close()
    assert not mailnet.messages


def test_a_removed_host_is_gone(mailnet: MailNet) -> None:
    relay = mailnet.host("relay.provider.test", services=["smtp"], ipv4="192.0.2.7")
    client = relay.settings("smtp").smtplib()
    assert mailnet.dns.resolver().resolve("relay.provider.test", "A")
    relay.remove()
    assert client.noop()[0] == 421
    client.close()
    with pytest.raises(dns.resolver.NXDOMAIN):
        mailnet.dns.resolver().resolve("relay.provider.test", "A")
    with pytest.raises(UnknownNameError, match="no host"):
        relay.settings("smtp")
    with pytest.raises(UnknownNameError, match="no host"):
        relay.remove()
    again = mailnet.host("relay.provider.test", services=["smtp"], ipv4="192.0.2.7")
    with again.settings("smtp").smtplib() as client:
        assert client.noop()[0] == 250


def test_the_queue_of_a_removed_host_is_dropped(mailnet: MailNet) -> None:
    mailnet.account(BOB)
    mailnet.find_host("mx1.example.org").stop()
    relay = mailnet.host("relay.provider.test", services=["smtp"], relay_for=["*"])
    with relay.settings("smtp").smtplib() as client:
        client.sendmail("shop@shop.test", [BOB], samples.plain())
    mailnet.settle()
    assert len(mailnet.queue) == 1
    relay.remove()
    assert mailnet.queue.is_empty
    fate = mailnet.journey(to=BOB).fate
    assert isinstance(fate, Discarded)
    assert fate.reason is Reason.DROPPED


def test_a_host_of_a_domain_and_the_machinery_stay(mailnet: MailNet) -> None:
    mailnet.account(BOB)
    mailnet.submission.smtplib().quit()
    with pytest.raises(DeclarationError, match="it is one of the domain"):
        mailnet.find_host("mx1.example.org").remove()
    with pytest.raises(DeclarationError, match="belongs to the fake internet itself"):
        mailnet.submission.server.remove()
    mailnet.domain("example.org").set_mx("mx2")
    mailnet.find_host("mx1.example.org").remove()
    send(mailnet)
    assert mailnet.account(BOB).inbox.wait_for_one()


@pytest.mark.anyio
async def test_the_same_from_a_loop(async_mailnet: AsyncMailNet) -> None:
    bob = async_mailnet.account(BOB)
    bob.remove()
    assert async_mailnet.accounts() == ()
    with pytest.raises(FakemailError):
        bob.remove()
