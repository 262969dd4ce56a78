"""Accounts, domains and hosts that are removed while programs use them."""

from __future__ import annotations

import imaplib
import poplib
import smtplib

import pytest

from fakemail import (
    AsyncMailNet,
    Bounced,
    Delivered,
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


@pytest.mark.anyio
async def test_the_same_from_a_loop(async_mailnet: AsyncMailNet) -> None:
    bob = async_mailnet.account(BOB)
    bob.remove()
    assert async_mailnet.accounts() == ()
    with pytest.raises(FakemailError):
        bob.remove()
