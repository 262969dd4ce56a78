"""The shop's own tests."""

from __future__ import annotations

import smtplib

import pytest
from webshop import Mailer, send_newsletter, send_receipt, sign_up

from fakemail import HasAttachment, HasSubject, MailNet, Reason, Refused, Reply, SentTo, Settings, Stage


def mailer(smtp: Settings) -> Mailer:
    """The shop's mailer, aimed at a server of the fake internet."""
    return Mailer(smtp.host, smtp.port, smtp.username, smtp.password, smtp.security, smtp.ssl_context)


def test_a_new_customer_gets_a_welcome_mail(mailnet: MailNet) -> None:
    shop = mailnet.account("hello@example.com")
    bob = mailnet.account("bob@example.org")

    sign_up("Bob", bob.address, mailer=mailer(shop.submission))

    mail = bob.inbox.wait_for_one()
    assert mail.subject == "Welcome, Bob"
    assert mail.link("Confirm").startswith("https://example.com/confirm/")
    assert "Please confirm" in mail.text


def test_the_receipt_is_attached(mailnet: MailNet) -> None:
    orders = mailnet.account("orders@example.com")
    bob = mailnet.account("bob@example.org")

    send_receipt(7, bob.address, pdf=b"%PDF-1.4 ...", mailer=mailer(orders.submissions))

    mail = bob.inbox.wait_for_one(
        matching=HasSubject("Receipt for order 7") & HasAttachment("receipt-7.pdf") & SentTo(bob)
    )
    assert mail.attachments[0].content == b"%PDF-1.4 ..."


def test_a_dead_address_does_not_sink_the_newsletter(mailnet: MailNet) -> None:
    ann, bob = mailnet.accounts("ann@example.org", "bob@example.org")

    report = send_newsletter(
        "All new.",
        [ann.address, "gone@example.org", bob.address],
        mailer=mailer(mailnet.mx("example.org")),
    )

    assert report.sent == [ann.address, bob.address]
    assert list(report.refused) == ["gone@example.org"]
    assert ann.inbox.one().subject == bob.inbox.one().subject == "News"
    assert mailnet.journey(to="gone@example.org").fate == Refused(
        at=Stage.SMTP_RCPT, reply=Reply(550, "5.1.1"), reason=Reason.NO_SUCH_USER
    )


def test_a_wrong_password_is_an_error_and_no_mail_leaves(mailnet: MailNet) -> None:
    shop = mailnet.account("hello@example.com", password="right")
    bob = mailnet.account("bob@example.org")
    wrong = mailer(shop.submission)
    wrong.password = "wrong"

    with pytest.raises(smtplib.SMTPAuthenticationError):
        sign_up("Bob", bob.address, mailer=wrong)

    mailnet.settle()
    bob.inbox.expect_empty()
    # The refusals stay in the log: smtplib tries one mechanism after the other.
    refusals = [event for event in mailnet.events(Stage.SMTP_AUTH) if event.reason]
    assert {refusal.reason for refusal in refusals} == {Reason.AUTH_FAILED}


def test_the_shop_speaks_tls_before_it_logs_in(mailnet: MailNet) -> None:
    shop = mailnet.account("hello@example.com")
    bob = mailnet.account("bob@example.org")

    sign_up("Bob", bob.address, mailer=mailer(shop.submission))

    handshake = mailnet.events(Stage.TLS_HANDSHAKE, host=shop.submission.server)[0]
    login = mailnet.events(Stage.SMTP_AUTH)[0]
    assert handshake.version == "TLSv1.3"
    assert handshake.number < login.number
