"""The rules of large receivers: as mail hosts enforce them, and as a report tells them beforehand."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from typing import Any

import pytest

from fakemail import DeclarationError, Delivered, MailNet, Reason, UnknownNameError, days, hours, samples
from fakemail.message.samples import GTUBE
from fakemail.model.content_rules import BULK_PACKS

NEWS = samples.newsletter()
NO_POST = NEWS.replace(b"List-Unsubscribe-Post", b"X-Post")
NO_LIST = NO_POST.replace(b"List-Unsubscribe:", b"X-Unsubscribe:")


def policy(net: MailNet, like: str, **more: Any) -> None:
    net.account("bob@example.org")
    net.domain("example.org").policy(bulk_sender={"like": like, **more}, dmarc="accept")


def shop(net: MailNet) -> Any:
    return net.account("news@example.com")


def submit(net: MailNet, raw: bytes, sender: str = "news@example.com") -> Any:
    """Send a message through the account's submission; the journey."""
    with net.account(sender).submission.smtplib() as client:
        client.sendmail(sender, ["bob@example.org"], raw)
    net.settle()
    return net.journeys(to="bob@example.org")[-1]


def reply_of(journey: Any) -> tuple[int, str]:
    reply = journey.attempts[-1].reply
    return reply.code, reply.enhanced


# Enforced ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("like", BULK_PACKS)
def test_a_good_newsletter_gets_through(mailnet: MailNet, like: str) -> None:
    policy(mailnet, like)
    submit(mailnet, NEWS)
    assert mailnet.account("bob@example.org").inbox.one().subject == "News"


def no_spf(net: MailNet) -> None:
    net.domain("example.com").publish(spf="")


def no_dkim(net: MailNet) -> None:
    net.domain("example.com").dkim(sign=False)


def neither(net: MailNet) -> None:
    no_spf(net)
    no_dkim(net)


def no_dmarc(net: MailNet) -> None:
    net.domain("example.com").publish(dmarc="")


def no_name(net: MailNet) -> None:
    address = net.domain("example.com").submission_host.ipv4
    net.dns.remove(".".join(reversed(address.split("."))) + ".in-addr.arpa", "PTR")


def no_tls(net: MailNet) -> None:
    net.domain("example.com").submission_host.configure(sending_tls="none")


@pytest.mark.parametrize(
    ("like", "flaw", "reason", "reply"),
    [
        ("gmail-like", neither, Reason.UNAUTHENTICATED, (550, "5.7.26")),
        ("gmail-like", no_spf, Reason.SPF_REQUIRED, (550, "5.7.27")),
        ("gmail-like", no_dkim, Reason.DKIM_REQUIRED, (550, "5.7.30")),
        ("gmail-like", no_dmarc, Reason.DMARC_REQUIRED, (550, "5.7.40")),
        ("gmail-like", no_name, Reason.REVERSE_DNS_REQUIRED, (550, "5.7.25")),
        ("gmail-like", no_tls, Reason.TLS_REQUIRED, (550, "5.7.29")),
        ("yahoo-like", neither, Reason.UNAUTHENTICATED, (550, "5.7.9")),
        ("yahoo-like", no_dkim, Reason.DKIM_REQUIRED, (554, "5.7.9")),
        ("yahoo-like", no_name, Reason.REVERSE_DNS_REQUIRED, (550, "5.7.25")),
        ("microsoft-like", no_spf, Reason.SPF_REQUIRED, (550, "5.7.515")),
        ("microsoft-like", no_dmarc, Reason.DMARC_REQUIRED, (550, "5.7.515")),
    ],
)
def test_what_is_missing_is_refused_and_foretold(
    mailnet: MailNet, like: str, flaw: Any, reason: Reason, reply: tuple[int, str]
) -> None:
    policy(mailnet, like)
    shop(mailnet)
    flaw(mailnet)
    foretold = next(iter(mailnet.deliverability(NEWS).for_(like)))
    journey = submit(mailnet, NEWS)
    assert (journey.reason, reply_of(journey)) == (reason, reply)
    assert foretold.reason is reason
    assert (foretold.reply.code, foretold.reply.enhanced) == reply
    assert foretold.outcome == "refuse"


def test_somebody_elses_domain_is_not_aligned(mailnet: MailNet) -> None:
    policy(mailnet, "gmail-like")
    shop(mailnet)
    mailnet.account("ann@other.test")
    raw = samples.newsletter(sender="ann@other.test")
    signed = mailnet.dkim_sign(raw, domain="example.com")
    with mailnet.submission.smtplib() as client:
        client.sendmail("news@example.com", ["bob@example.org"], signed)
    mailnet.settle()
    mailnet.domain("example.com").publish(spf="v=spf1 +all")
    report = mailnet.deliverability(signed, sender="news@example.com", via="smtp.example.com").for_(
        "gmail-like"
    )
    assert [each.rule for each in report] == ["alignment"]
    assert next(iter(report)).reason is Reason.NOT_ALIGNED


def test_mail_without_a_way_to_unsubscribe_goes_to_junk_at_one_and_not_at_the_other(mailnet: MailNet) -> None:
    policy(mailnet, "yahoo-like")
    submit(mailnet, NO_LIST)
    bob = mailnet.account("bob@example.org")
    assert bob.folder("Junk").one().subject == "News"
    policy(mailnet, "gmail-like")
    submit(mailnet, NO_LIST)
    assert bob.inbox.one().subject == "News"


def test_what_follows_can_be_something_else(mailnet: MailNet) -> None:
    policy(mailnet, "gmail-like", outcomes={"one_click": "refuse", "tls": "accept"})
    shop(mailnet)
    no_tls(mailnet)
    journey = submit(mailnet, NO_POST)
    assert (journey.reason, reply_of(journey)) == (Reason.UNSUBSCRIBE_REQUIRED, (550, "5.7.1"))
    assert isinstance(submit(mailnet, NEWS).fate, Delivered)


def test_nobody_may_pretend_to_be_the_receiver(mailnet: MailNet) -> None:
    policy(mailnet, "gmail-like")
    shop(mailnet)
    raw = mailnet.dkim_sign(samples.newsletter(sender="team@example.org"), domain="example.com")
    spared = dict.fromkeys(("alignment", "spf", "tls", "reverse_dns"), "accept")
    policy(mailnet, "gmail-like", outcomes={**spared, "impersonation": "refuse"})
    with mailnet.mx("example.org").smtplib() as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("news@example.com", ["bob@example.org"], raw)
    assert refused.value.smtp_code == 550
    assert mailnet.journey(to="bob@example.org").reason is Reason.IMPERSONATION


def test_who_sends_little_is_asked_less_until_it_is_much(mailnet: MailNet) -> None:
    policy(mailnet, "gmail-like", counts_from=3)
    shop(mailnet)
    no_dkim(mailnet)
    assert all(isinstance(submit(mailnet, NEWS).fate, Delivered) for _ in range(2))
    assert submit(mailnet, NEWS).reason is Reason.DKIM_REQUIRED
    mailnet.clock.advance(days(30))
    assert submit(mailnet, NEWS).reason is Reason.DKIM_REQUIRED


@pytest.mark.parametrize(
    ("like", "reply"),
    [("gmail-like", (421, "4.7.28")), ("yahoo-like", (421, "4.7.0")), ("microsoft-like", (451, "4.7.650"))],
)
def test_too_much_at_once_is_slowed_down(mailnet: MailNet, like: str, reply: tuple[int, str]) -> None:
    policy(mailnet, like, rate=(2, hours(1)))
    shop(mailnet)
    assert all(isinstance(submit(mailnet, NEWS).fate, Delivered) for _ in range(2))
    journey = submit(mailnet, NEWS)
    assert (journey.reason, reply_of(journey)) == (Reason.RATE_LIMITED, reply)
    mailnet.clock.advance(hours(3))
    assert len(mailnet.account("bob@example.org").inbox) == 3


def test_what_our_own_hosts_pass_on_has_been_judged(mailnet: MailNet) -> None:
    policy(mailnet, "gmail-like")
    mailnet.route_to("example.org", via="filter.example.org")
    submit(mailnet, NEWS)
    assert mailnet.account("bob@example.org").inbox.one().subject == "News"


def test_dns_that_fails_defers(mailnet: MailNet) -> None:
    policy(mailnet, "gmail-like")
    shop(mailnet)
    mailnet.dns.faults.servfail(name="example.com", type="TXT")
    journey = submit(mailnet, NEWS)
    assert reply_of(journey)[0] == 451


# Foretold ----------------------------------------------------------------------------------------------


def message() -> EmailMessage:
    news = EmailMessage()
    news["From"], news["To"], news["Subject"] = "Shop <news@example.com>", "bob@example.org", "News"
    news["List-Unsubscribe"] = "<https://example.com/u/1>"
    news["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    news.set_content("All socks are blue this week.\n\nUnsubscribe: https://example.com/u/1\n")
    return news


@pytest.mark.parametrize("form", [lambda m: m, bytes, str, lambda m: m.as_bytes()])
def test_a_message_in_every_form(mailnet: MailNet, form: Any) -> None:
    shop(mailnet)
    report = mailnet.deliverability(form(message()))
    assert report.ok, str(report)
    assert report.refused_by == report.quarantined_by == ()
    assert report.authentication == "spf=pass, dkim=pass, dmarc=pass, iprev=pass"


def test_nothing_is_sent_or_asked(mailnet: MailNet) -> None:
    shop(mailnet)
    before = len(mailnet.events())
    mailnet.deliverability(message())
    assert len(mailnet.events()) == before


def test_a_report_says_what_to_do(mailnet: MailNet) -> None:
    shop(mailnet)
    no_dmarc(mailnet)
    report = mailnet.deliverability(NEWS.replace(b"=One-Click", b"=Yes"))
    assert not report.ok
    assert report.refused_by == BULK_PACKS
    assert str(report.for_("gmail-like")) == (
        "'News' from news@example.com, as if sent by smtp.example.com [198.51.100.3]\n"
        "spf=pass, dkim=pass, dmarc=none, iprev=pass\n"
        "gmail-like: would reject it\n"
        "  dmarc_record (refuse): example.com publishes no DMARC record\n"
        "    reply: 550 5.7.40 blocked: example.com has no DMARC record with a policy\n"
        "    to do: publish v=DMARC1; p=none at _dmarc below the author's domain\n"
        "  one_click (required): List-Unsubscribe-Post does not say List-Unsubscribe=One-Click\n"
        "    to do: write List-Unsubscribe with an https link, List-Unsubscribe-Post: List-Unsubscribe=One-Click, "
        "and sign both"
    )


def test_a_receipt_needs_no_way_to_unsubscribe(mailnet: MailNet) -> None:
    shop(mailnet)
    receipt = samples.plain(sender="news@example.com")
    assert not mailnet.deliverability(receipt).ok
    assert mailnet.deliverability(receipt, transactional=True).ok


def test_content_is_looked_at_too(mailnet: MailNet) -> None:
    shop(mailnet)
    report = mailnet.deliverability(NEWS + GTUBE + b"\r\n").for_("content")
    assert report.quarantined_by == ("content",)
    assert {each.rule for each in report} == {"gtube", "spam", "line_length"}
    report = mailnet.deliverability(NEWS + GTUBE + b"\r\n", rules={"points": {"gtube": 0}})
    assert report.for_("content").quarantined_by == ()


def test_a_delivered_message_is_judged_as_it_came(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    shop(mailnet)
    with mailnet.mx("example.org").smtplib() as client:
        client.sendmail("news@example.com", ["bob@example.org"], NEWS)
    report = mailnet.deliverability(bob.inbox.one())
    assert report.sent.startswith("as mx1.example.org got it from app [")
    assert "spf=fail, dkim=none" in report.authentication
    assert set(report.refused_by) == set(BULK_PACKS)
    submit(mailnet, NEWS)
    assert mailnet.deliverability(bob.inbox[-1]).ok


def test_a_message_in_a_mailbox_that_nobody_sent(mailnet: MailNet) -> None:
    desk = shop(mailnet)
    desk.inbox.put(NEWS)
    assert mailnet.deliverability(desk.inbox.one()).sent.startswith("as if sent by smtp.example.com")


def test_via_another_host_with_another_sender(mailnet: MailNet) -> None:
    shop(mailnet)
    host = mailnet.host("out.esp.test", services=["smtp"])
    report = mailnet.deliverability(NEWS, via=host, sender="bounces@esp.test")
    assert report.sent == f"as if sent by out.esp.test [{host.ipv4}]"
    assert report.authentication.startswith("spf=none, dkim=none, dmarc=fail")


def test_the_senders_own_submission_host_sends(mailnet: MailNet) -> None:
    shop(mailnet)
    ann = mailnet.account("ann@other.test")
    report = mailnet.deliverability(NEWS, sender=ann)
    assert report.sent.startswith("as if sent by smtp.other.test")
    assert report.authentication.startswith("spf=pass, dkim=none, dmarc=fail")
    assert [each.rule for each in report.for_("microsoft-like")] == ["dkim", "alignment", "one_click"]


def test_wrong_questions(mailnet: MailNet) -> None:
    with pytest.raises(DeclarationError, match="no author whose address can be read; say who sends it"):
        mailnet.deliverability(b"Subject: x\r\n\r\nHello\r\n")
    with pytest.raises(UnknownNameError):
        mailnet.deliverability(NEWS, via="nowhere.test")
    with pytest.raises(DeclarationError, match="there is no receiver 'gmail'; did you mean 'gmail-like'"):
        mailnet.deliverability(NEWS).for_("gmail")
    with pytest.raises(DeclarationError, match="rules: there is no rule 'max_link'"):
        mailnet.deliverability(NEWS, rules={"max_link": 1})
    with pytest.raises(DeclarationError, match="a message is bytes"):
        mailnet.deliverability(42)  # type: ignore[arg-type]


@pytest.mark.parametrize("raw", [b"", b"\xff" * 1000, b"From: \r\n\r\n", *samples.malformed().values()])
def test_any_octets_get_a_report(mailnet: MailNet, raw: bytes) -> None:
    shop(mailnet)
    report = mailnet.deliverability(raw, via="smtp.example.com")
    assert not report.ok
    assert str(report)
