"""Delivery reports in the styles of real servers, and ready notices, read back."""

from __future__ import annotations

import email
import email.policy

import pytest

from fakemail import DeclarationError, MailNet, Reason, days, notices, samples
from fakemail.message.message import MessageView
from fakemail.model.host import BOUNCE_STYLES

ORIGINAL = samples.plain(sender="shop@shop.test", to="gone@example.org", subject="Invoice")
ORIGINAL_ID = MessageView(ORIGINAL).message_id


@pytest.fixture
def net():
    with MailNet(seed=3) as mailnet:
        yield mailnet


def send(account, to, **options):
    with account.submission.smtplib() as client:
        client.sendmail(account.address, to, samples.plain(sender=account.address, to=to), **options)


@pytest.mark.parametrize("style", BOUNCE_STYLES)
def test_a_host_bounces_in_the_style_of_its_kind(net, style):
    shop = net.account("shop@shop.test")
    net.account("bob@example.org")
    net.domain("shop.test").submission_host.configure(bounces=style)
    send(shop, ["gone@example.org", "lost@example.org"])
    net.settle()
    bounce = shop.inbox.one()
    report = bounce.delivery_report
    assert [(each.recipient, each.action, each.status) for each in report.recipients] == [
        ("gone@example.org", "failed", "5.1.1"),
        ("lost@example.org", "failed", "5.1.1"),
    ]
    assert all("550 5.1.1" in each.diagnostic for each in report.recipients)
    assert report.is_standard == (style not in ("qmail", "plain"))
    assert report.reporting_host == "smtp.shop.test"
    assert report.original_message_id == net.journey(to="gone@example.org").message_id
    assert str(bounce.envelope.sender) == "<>"
    assert not email.message_from_bytes(bounce.raw, policy=email.policy.default).defects


@pytest.mark.parametrize("style", BOUNCE_STYLES)
def test_what_expires_is_told_in_every_style_and_delays_in_most(net, style):
    shop = net.account("shop@shop.test")
    net.account("bob@example.org")
    net.domain("shop.test").submission_host.configure(bounces=style)
    net.find_host("mx1.example.org").stop()
    send(shop, "bob@example.org")
    net.clock.advance(days(6))
    actions = [mail.delivery_report.action for mail in shop.inbox]
    assert actions == (["failed"] if style in ("qmail", "plain") else ["delayed", "failed"])
    assert shop.inbox[-1].delivery_report.status.startswith(("4.4.", "5.4."))
    assert net.journey(to="bob@example.org").reason is Reason.CONNECTION_REFUSED


def test_a_style_that_is_none_is_refused(net):
    host = net.domain("shop.test").submission_host
    with pytest.raises(DeclarationError, match="did you mean 'postfix'"):
        host.configure(bounces="postfx")
    with pytest.raises(DeclarationError, match="did you mean 'gmail'"):
        notices.bounce(style="gmial")


@pytest.mark.parametrize("style", BOUNCE_STYLES)
def test_a_bounce_can_be_put_into_a_mailbox(net, style):
    shop = net.account("shop@shop.test")
    mail = shop.inbox.put(
        notices.bounce(ORIGINAL, style=style, reply="552 5.2.2 the mailbox is full", remote="mx.example.org")
    )
    report = mail.delivery_report
    assert (report.recipient, report.status) == ("gone@example.org", "5.2.2")
    assert "552 5.2.2 the mailbox is full" in report.diagnostic
    assert report.original_message_id == ORIGINAL_ID
    assert mail.complaint_report is None
    assert mail.disposition_report is None


def test_a_bounce_can_be_sent_as_servers_do(net):
    shop = net.account("shop@shop.test")
    with net.mx("shop.test").smtplib() as client:
        client.sendmail("", [shop.address], notices.bounce(ORIGINAL, style="exchange"))
    assert shop.inbox.wait_for_one().delivery_report.recipient == "gone@example.org"


def test_other_actions_and_reports_that_a_style_has_not():
    delayed = MessageView(
        notices.bounce(ORIGINAL, style="postfix", action="delayed", reply="451 4.7.1 later")
    )
    assert (delayed.delivery_report.action, delayed.delivery_report.status) == ("delayed", "4.7.1")
    taken = MessageView(notices.bounce(ORIGINAL, style="gmail", action="delivered"))
    assert (taken.delivery_report.action, taken.delivery_report.status) == ("delivered", "2.0.0")
    with pytest.raises(DeclarationError, match="report failures only"):
        notices.bounce(ORIGINAL, style="qmail", action="delayed")
    with pytest.raises(DeclarationError, match="say who is meant"):
        notices.bounce(b"Subject: x\r\n\r\n")


def test_a_complaint(net):
    """RFC 5965."""
    mail = MessageView(notices.complaint(ORIGINAL, source_ip="203.0.113.9"))
    report = mail.complaint_report
    assert (report.kind, report.recipients) == ("abuse", ("gone@example.org",))
    assert (report.sender, report.source_ip) == ("shop@shop.test", "203.0.113.9")
    assert report.reported_domains == ("shop.test",)
    assert report.original_message_id == ORIGINAL_ID
    assert report.arrival_date.year == 2024
    assert mail.delivery_report is None
    redacted = MessageView(notices.complaint(ORIGINAL, is_redacted=True, kind="fraud")).complaint_report
    assert (redacted.kind, redacted.recipients, redacted.original_message_id) == ("fraud", (), ORIGINAL_ID)


def test_a_disposition_notification():
    """RFC 8098."""
    mail = MessageView(notices.disposition(ORIGINAL))
    report = mail.disposition_report
    assert (report.disposition, report.recipient) == ("displayed", "gone@example.org")
    assert report.original_message_id == ORIGINAL_ID
    assert not report.is_automatic
    assert not report.was_sent_automatically
    assert mail.to == ["shop@shop.test"]
    assert mail.delivery_report is None
    deleted = MessageView(notices.disposition(ORIGINAL, what="deleted", is_automatic=True)).disposition_report
    assert (deleted.disposition, deleted.is_automatic) == ("deleted", True)


def test_an_out_of_office_reply():
    """RFC 3834."""
    mail = MessageView(notices.out_of_office(ORIGINAL, text="Back on Monday."))
    assert mail.headers["Auto-Submitted"] == "auto-replied"
    assert (mail.sender, mail.to, mail.subject) == ("gone@example.org", ["shop@shop.test"], "Auto: Invoice")
    assert mail.in_reply_to == ORIGINAL_ID
    assert mail.is_automatic
    assert mail.delivery_report is None


def test_notices_are_the_same_at_every_call():
    for make in (notices.bounce, notices.complaint, notices.disposition, notices.out_of_office):
        assert make() == make()
        assert make() != make(ORIGINAL)
        parsed = email.message_from_bytes(make(ORIGINAL), policy=email.policy.default)
        assert not parsed.defects


def test_a_delay_is_for_now():
    report = MessageView(notices.bounce(ORIGINAL, style="standard", action="delayed")).delivery_report
    assert [(each.action, each.status) for each in report.recipients] == [("delayed", "4.4.1")]
    report = MessageView(notices.bounce(ORIGINAL)).delivery_report
    assert [(each.action, each.status) for each in report.recipients] == [("failed", "5.1.1")]
