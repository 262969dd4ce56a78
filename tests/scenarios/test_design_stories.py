"""Stories of deferral, failover and bounces, as a test of an app tells them."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import dkim
import pytest

from fakemail import (
    Bounced,
    DeclarationError,
    Discarded,
    Dropped,
    Reason,
    Refused,
    Reply,
    Stage,
    days,
    minutes,
)

# The app's own key, which it has for its tests alone.
APP_KEY = b"""\
-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQC7E3LpOSgMXzWsJv/pLwLhsvQOjnCMi7J/cVU150YKgTsCGo45
09K9uyS5jcTO3/dIs5273YgxWKIPnVndBKm7h9IIHcXLOCLJ+m3gBVZqLcWhR+VW
K4HwOXAD5oc6CfBMk4lD2wds/LnohIabqmX17kKKf0Sm+4F1BlILrteeHwIDAQAB
AoGAbv9iLfkoxvZy3RsiulOXbR0F6+Ed7HYyyaUP/vSjPTZiMaRaAPuqzcJNTv9L
58dBbNSN4VrXJRhGx+b/28CZh9R8zHilxBG/fWCxgirrq8uvZdBc2i4cVd6gEGvB
tAvGn3+DsMMcJd2wdYagG4lfZHCguPdaH9QJTyV+7bRO/QkCQQDifKbf5EZNYPp7
Pcsx6QH56GEyAem+rKU5PN9txjDbZBePtGVB1Nw00EUVTSEGhre+KOevH36KOTmF
XHr2ImKDAkEA03QXm9bcw5np4eHN5Guk/7905mkGnH6TNYN2B4sIV7JjwcwwzTAp
qGUtOhW1sps+Ns7Dq8A5lA4tg9sBj7iTNQJBALkCeFKGJ4OIB7TqqnSv0SRy1grC
k01lvGYAOsdyUXC116VVCC35kpQ12WjoI2UwYSIeSfu872I8EqfE/tDXD78CQQDK
bQHI42lWK3sWDcfAGzjKyGtNxE9a82VTvnT4haXH5nPPa/1wAOJwXeNtDqlxwWJO
r6PsQMoeLXBvIPKetrDdAkAkPmf9I1jWFEFSN9LqYgsjlbESwtrLLXAYExSHi4Uo
cOFUArxNdLvsPvq4g+8QWx3/n8YW/KPjcfMB25YrMNFS
-----END RSA PRIVATE KEY-----
"""


MailerError = smtplib.SMTPException  # the app under test lets through what comes


def send_receipt(to, smtp, sender="shop@shop.test", sign_with=None):
    raw = b"Subject: Receipt\r\n\r\nThank you.\r\n"
    if sign_with is not None:
        domain, selector = (name.encode() for name in sign_with)
        raw = b"From: " + sender.encode() + b"\r\n" + raw
        raw = dkim.sign(raw, selector, domain, APP_KEY) + raw
    with smtp.smtplib() as client:
        client.sendmail(sender, [to], raw)


def register_customer(name, address, smtp):
    welcome = EmailMessage()
    welcome["From"], welcome["To"], welcome["Subject"] = smtp.username, address, f"Welcome, {name}"
    welcome.set_content("Confirm: https://shop.test/confirm/4711\n")
    with smtp.smtplib() as client:
        client.send_message(welcome)


def send_invoice(to, bounces_to, smtp):
    send_receipt(to, smtp, sender=bounces_to)


def test_new_customer_gets_a_welcome_mail(mailnet):
    shop = mailnet.account("hello@shop.test")
    bob = mailnet.account("bob@example.org")
    register_customer("Bob", bob.address, smtp=shop.submission)
    mail = bob.inbox.wait_for_one()
    assert mail.subject == "Welcome, Bob"
    assert mail.link("Confirm").startswith("https://shop.test/confirm/")
    assert (mail.auth.spf, mail.auth.dkim, mail.auth.dmarc) == ("pass", "pass", "pass")


def test_greylisted_mail_arrives_on_the_second_try(mailnet):
    bob = mailnet.account("bob@example.org")
    mailnet.domain("example.org").policy(greylist=minutes(5))
    send_receipt(to=bob.address, smtp=mailnet.submission)
    mailnet.settle()
    assert bob.inbox.is_empty
    assert mailnet.queue.one().last_reply.code == 451
    mailnet.clock.advance(minutes(15))
    assert [a.reply.code for a in mailnet.journey(to=bob).attempts] == [451, 250]


def test_second_mail_server_takes_over(mailnet):
    bob = mailnet.account("bob@example.org")
    first, second = mailnet.domain("example.org").set_mx("mx1", "mx2")
    first.faults.refuse_connections()
    send_receipt(to=bob.address, smtp=mailnet.submission)
    assert bob.inbox.wait_for_one().received_by == second


def test_bounce_marks_the_customer_unreachable(mailnet):
    shop = mailnet.account("bounces@shop.test")
    mailnet.account("bob@example.org")
    mailnet.mx("example.org").faults.reply(
        Stage.SMTP_RCPT, Reply(452, "4.2.2", "mailbox full"), to="bob@example.org"
    )
    send_invoice(to="bob@example.org", bounces_to=shop.address, smtp=shop.submission)
    mailnet.clock.advance(days(5))
    bounce = [mail for mail in shop.inbox if mail.delivery_report.action == "failed"]
    (report,) = (mail.delivery_report for mail in bounce)
    assert (report.action, report.status, report.recipient) == ("failed", "4.2.2", "bob@example.org")


def test_mail_signed_with_an_unpublished_key_is_refused(mailnet):
    bob = mailnet.account("bob@example.org")
    mailnet.domain("shop.test").publish(dmarc="v=DMARC1; p=reject", dkim={"old": None}, spf="v=spf1 -all")
    with pytest.raises(MailerError):
        send_receipt(to=bob.address, sign_with=("shop.test", "old"), smtp=mailnet.mx("example.org"))
    refused = mailnet.journey(to=bob)
    assert refused.reason == Reason.DMARC_REJECT
    assert mailnet.dns.queries(name="old._domainkey.shop.test", type="TXT").one().answer == "NXDOMAIN"


def test_greylisting_knows_who_came_back(mailnet):
    bob = mailnet.account("bob@example.org")
    mailnet.domain("example.org").policy(greylist=minutes(5))
    send_receipt(to=bob.address, smtp=mailnet.submission)
    mailnet.clock.advance(minutes(5))
    send_receipt(to=bob.address, smtp=mailnet.submission)
    mailnet.settle()
    assert len(bob.inbox) == 2
    send_receipt(to=bob.address, smtp=mailnet.submission, sender="another@shop.test")
    mailnet.settle()
    assert mailnet.queue.one().reason is Reason.GREYLISTED
    mailnet.domain("example.org").policy()
    mailnet.queue.flush()
    mailnet.settle()
    assert len(bob.inbox) == 3


@pytest.mark.parametrize(
    "stage", [Stage.SMTP_HELO, Stage.SMTP_MAIL, Stage.SMTP_RCPT, Stage.SMTP_DATA, Stage.SMTP_END]
)
def test_a_reply_at_every_stage(mailnet, stage):
    bob = mailnet.account("bob@example.org")
    fault = mailnet.mx("example.org").faults.reply(stage, Reply(554, "5.7.0", "not here"))
    send_receipt(to=bob.address, smtp=mailnet.submission)
    mailnet.settle()
    assert fault.fired >= 1
    fault.remove()
    journey = mailnet.journey(to=bob)
    assert (journey.reply, journey.reason) == (Reply(554, "5.7.0"), Reason.FAULT)
    send_receipt(to=bob.address, smtp=mailnet.submission)
    assert bob.inbox.wait_for_one().subject == "Receipt"


def test_a_banner_that_says_no(mailnet):
    bob = mailnet.account("bob@example.org")
    mailnet.mx("example.org").faults.reply(Stage.SMTP_BANNER, Reply(554, None, "go away"))
    send_receipt(to=bob.address, smtp=mailnet.submission)
    mailnet.settle()
    assert mailnet.journey(to=bob).reply == Reply(554)


@pytest.mark.parametrize(
    "stage", [Stage.SMTP_BANNER, Stage.SMTP_MAIL, Stage.SMTP_RCPT, Stage.SMTP_DATA, Stage.SMTP_END]
)
def test_a_connection_that_is_dropped_is_tried_again(mailnet, stage):
    bob = mailnet.account("bob@example.org")
    mailnet.mx("example.org").faults.drop(stage, times=2)  # once for each address of the host
    send_receipt(to=bob.address, smtp=mailnet.submission)
    mailnet.clock.advance(minutes(60))
    assert len(bob.inbox) == 1
    assert Reason.CONNECTION_LOST in [attempt.reason for attempt in mailnet.journey(to=bob).attempts]


@pytest.mark.parametrize("stage", [Stage.SMTP_RCPT, Stage.SMTP_DATA, Stage.SMTP_END])
def test_the_journey_says_who_dropped_the_connection(mailnet, stage):
    import smtplib

    bob = mailnet.account("bob@example.org")
    mx = mailnet.mx("example.org")
    mx.faults.drop(stage)
    send_receipt(to=bob.address, smtp=mailnet.submission, sender="relayed@shop.test")
    mailnet.settle()
    story = [(step.host, step.what) for step in mailnet.journey(to=bob).steps]
    dropped = "dropped the connection of {} at " + f"{stage}: a fault of the test"
    assert (mx.server.name, dropped.format("smtp.mailnet.example.net [198.51.100.5]")) in story
    assert "S: (dropped the connection)   (a fault of the test)" in mailnet.transcript()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send_receipt(to=bob.address, smtp=mx, sender="direct@shop.test")
    fate = mailnet.journey(sender="direct@shop.test").fate
    assert fate == Dropped(stage, Reason.FAULT)
    assert str(fate) == f"cut off at {stage} by mx1.example.org: a fault of the test"


@pytest.mark.parametrize("reply", [Reply(250), Reply(354, None, "go ahead")])
def test_a_fault_does_not_say_yes(mailnet, reply):
    mailnet.domain("example.org")
    faults = mailnet.mx("example.org").faults
    with pytest.raises(DeclarationError, match=f"at smtp.rcpt answers 4yz or 5yz, not {reply}: "):
        faults.reply(Stage.SMTP_RCPT, reply)
    assert faults.all() == []


def test_faults_are_for_whom_they_are_meant(mailnet):
    ann, bob = mailnet.accounts("ann@example.org", "bob@example.org")
    host = mailnet.mx("example.org").server
    host.faults.reply(Stage.SMTP_RCPT, Reply(550, "5.1.1"), to="a*@example.org")
    host.faults.reply(Stage.SMTP_MAIL, Reply(550, "5.7.1"), sender="@spam.test", skip=1)
    for account in (ann, bob):
        send_receipt(to=account.address, smtp=mailnet.submission)
    for _ in range(2):
        send_receipt(to=bob.address, smtp=mailnet.submission, sender="x@spam.test")
    mailnet.settle()
    # The shop's own address does not exist, so nobody can be told.
    assert mailnet.journey(to=ann).fate == Discarded(Reason.FAULT) or mailnet.journey(to=ann).fate == Bounced(
        Stage.SMTP_RCPT, Reply(550, "5.1.1"), Reason.FAULT
    )
    assert len(bob.inbox) == 2
    assert [fault.fired for fault in host.faults.all()] == [1, 1]


def test_faults_can_be_removed(mailnet):
    bob = mailnet.account("bob@example.org")
    host = mailnet.mx("example.org").server
    with host.faults.refuse_connections() as fault:
        assert "connect" in repr(fault)
        with pytest.raises(ConnectionRefusedError):
            send_receipt(to=bob.address, smtp=host.settings("smtp"))
    send_receipt(to=bob.address, smtp=host.settings("smtp"))
    host.faults.reply(Stage.SMTP_RCPT, Reply(450, "4.0.0"), must_fire=False)
    host.faults.clear()
    send_receipt(to=bob.address, smtp=host.settings("smtp"))
    assert len(bob.inbox) == 2
    assert host.faults.all() == []


def test_a_refusal_of_the_servers_own_is_not_changed_by_a_fault_for_others(mailnet):
    mailnet.account("bob@example.org")
    host = mailnet.mx("example.org").server
    host.faults.reply(Stage.SMTP_RCPT, Reply(450, "4.0.0"), to="bob@example.org", must_fire=False)
    import smtplib

    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send_receipt(to="gone@example.org", smtp=host.settings("smtp"))
    assert mailnet.journey(to="gone@example.org").fate == Refused(
        Stage.SMTP_RCPT, Reply(550, "5.1.1"), Reason.NO_SUCH_USER
    )
