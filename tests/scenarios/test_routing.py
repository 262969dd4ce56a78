"""Where mail goes: MX records of all kinds, also bad ones; hosts that are down; loops. Each ends in a named fate."""

from __future__ import annotations

import pytest

from fakemail import (
    Bounced,
    Delivered,
    Expired,
    MailNet,
    Queued,
    Reason,
    Reply,
    Stage,
    days,
    minutes,
)
from fakemail.events.kinds import Attempt


@pytest.fixture
def shop(mailnet):
    return mailnet.account("hello@shop.test")


def send(mailnet, shop, *to, content=b"Subject: x\r\n\r\ny\r\n", options=()):
    with shop.submission.smtplib() as client:
        client.sendmail(shop.address, list(to), content, list(options))
    mailnet.settle()


def tried(mailnet):
    return [event.mail_host for event in mailnet.events(Stage.ATTEMPT) if isinstance(event, Attempt)]


@pytest.mark.parametrize(
    "records",
    [
        [("odd.test", "MX", "10 localhost.")],
        [("odd.test", "MX", "10 mail.localhost.")],
        [("odd.test", "MX", "10 mx.odd.test."), ("mx.odd.test", "A", "127.0.0.1")],
        [("odd.test", "MX", "10 mx.odd.test."), ("mx.odd.test", "AAAA", "::1")],
        [("odd.test", "A", "127.0.0.1")],
        [("odd.test", "A", "0.0.0.0")],
    ],
    ids=["localhost", "below localhost", "127.0.0.1", "::1", "no MX", "0.0.0.0"],
)
def test_mail_hosts_that_lead_back_to_the_sender_are_a_loop(mailnet, shop, records):
    for record in records:
        mailnet.dns.add(*record)
    send(mailnet, shop, "bob@odd.test")
    journey = mailnet.journey(to="bob@odd.test")
    assert journey.fate == Bounced(Stage.ROUTE, None, Reason.MAIL_LOOP)
    assert "is the sending host itself" in str(journey)
    assert shop.inbox.one().delivery_report.status == "5.4.6"


def test_an_address_literal_of_the_sender_itself_is_a_loop(mailnet, shop):
    send(mailnet, shop, "bob@[127.0.0.1]")
    (journey,) = [each for each in mailnet.journeys() if str(each.sender) == shop.address]
    assert journey.reason is Reason.MAIL_LOOP


def test_an_mx_record_with_an_address_in_place_of_a_name_leads_nowhere(mailnet, shop):
    mailnet.dns.add("odd.test", "MX", "10 127.0.0.1.")
    send(mailnet, shop, "bob@odd.test")
    mailnet.settle()
    assert mailnet.journey(to="bob@odd.test").fate == Bounced(Stage.ROUTE, None, Reason.NO_ADDRESS)
    assert shop.inbox.one().delivery_report.status == "5.4.4"


def test_a_domain_without_mail_hosts_and_without_an_address(mailnet, shop):
    mailnet.domain("bare.test").set_mx()
    mailnet.dns.remove("bare.test", "A")
    mailnet.dns.remove("bare.test", "AAAA")
    send(mailnet, shop, "bob@bare.test")
    mailnet.settle()
    assert mailnet.journey(to="bob@bare.test").fate == Bounced(Stage.ROUTE, None, Reason.NO_ADDRESS)


def test_one_good_mail_host_is_enough(mailnet, shop):
    bob = mailnet.account("bob@example.org")
    mailnet.dns.add("example.org", "MX", "5 localhost.")
    send(mailnet, shop, bob.address)
    assert tried(mailnet) == ["mx1.example.org"]
    assert isinstance(mailnet.journey(to=bob).fate, Delivered)


def test_the_name_of_a_mail_host_may_be_an_alias(mailnet, shop):
    bob = mailnet.account("bob@example.org")
    mailnet.dns.replace("example.org", "MX", "10 mail.example.org.")
    mailnet.dns.add("mail.example.org", "CNAME", "mx1.example.org.")
    send(mailnet, shop, bob.address)
    assert (tried(mailnet), len(bob.inbox)) == (["mail.example.org"], 1)


def test_a_retry_goes_where_the_first_attempt_would(mailnet, shop):
    bob = mailnet.account("bob@example.org")
    first, second = mailnet.domain("example.org").set_mx("mx1", "mx2")
    first.stop()
    second.stop()
    send(mailnet, shop, bob.address)
    assert mailnet.journey(to=bob).fate == Queued(None, Reason.CONNECTION_REFUSED)
    assert list(dict.fromkeys(tried(mailnet))) == [first.name, second.name]
    first.start()
    second.start()
    mailnet.clock.advance(minutes(5))
    assert bob.inbox.one().received_by == first


def test_equal_mail_hosts_share_the_mail_by_the_seed():
    def shares(seed):
        with MailNet(seed=seed) as net:
            shop, bob = net.account("hello@shop.test"), net.account("bob@example.org")
            net.domain("example.org").set_mx("mx1", "mx2")
            net.dns.replace("example.org", "MX", "10 mx1.example.org.", "10 mx2.example.org.")
            for _ in range(8):
                send(net, shop, bob.address)
            return tried(net)

    assert set(shares(1)) == {"mx1.example.org", "mx2.example.org"}
    assert shares(1) == shares(1)
    assert shares(1) != shares(2)


def test_recipients_of_one_domain_go_in_one_transaction_and_have_fates_of_their_own(mailnet, shop):
    ann, bob = mailnet.accounts("ann@example.org", "bob@example.org")
    eve = mailnet.account("eve@other.test")
    send(mailnet, shop, ann.address, "gone@example.org", eve.address, bob.address)
    hosts = [event.host for event in mailnet.events(Stage.SMTP_MAIL)]
    assert (hosts.count("mx1.example.org"), hosts.count("mx1.other.test")) == (1, 1)
    fates = [mailnet.journey(to=to).fate for to in (ann, "gone@example.org", eve, bob)]
    assert [type(fate) for fate in fates] == [Delivered, Bounced, Delivered, Delivered]


def test_a_forwarding_loop_over_three_domains_ends(mailnet, shop):
    ring = mailnet.accounts("a@one.test", "b@two.test", "c@three.test")
    for here, there in zip(ring, [*ring[1:], ring[0]], strict=True):
        here.set_forwarding(there, keep_copy=False)
    send(mailnet, shop, ring[0].address)
    report = shop.inbox.one().delivery_report
    assert (report.status, report.recipient) == ("5.4.6", "a@one.test")
    assert mailnet.queue.is_empty
    assert Reason.MAIL_LOOP in {journey.reason for journey in mailnet.journeys()}


GREETING = (
    "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n".encode()
)


def test_octets_beyond_ascii_are_encoded_for_a_host_that_does_not_take_them(mailnet, shop):
    bob = mailnet.account("bob@example.org")
    send(mailnet, shop, bob.address, content=GREETING, options=["BODY=8BITMIME"])
    mailnet.host("mx1.example.org").configure(hide={"8BITMIME"})
    send(mailnet, shop, bob.address, content=GREETING, options=["BODY=8BITMIME"])
    as_it_was, encoded = bob.inbox
    assert as_it_was.raw.endswith(GREETING[-9:])
    assert encoded.raw.isascii()
    assert encoded.headers["Content-Transfer-Encoding"] == "quoted-printable"
    assert as_it_was.text == encoded.text == "Grüße\n"
    mails = [event.line for event in mailnet.events(Stage.SMTP_MAIL, host="mx1.example.org")]
    assert ["BODY=8BITMIME" in line for line in mails] == [True, False]


def test_what_cannot_be_encoded_comes_back(mailnet, shop):
    bob = mailnet.account("bob@example.org")
    mailnet.host("mx1.example.org").configure(hide={"8BITMIME"})
    piece = b"Content-Type: message/partial; id=x; number=1\r\n\r\n" + GREETING
    send(mailnet, shop, bob.address, content=piece, options=["BODY=8BITMIME"])
    assert mailnet.journey(to=bob).fate == Bounced(Stage.SMTP_MAIL, None, Reason.NOT_NEGOTIATED)
    assert "does not offer 8BITMIME" in shop.inbox.one().text


def test_what_needs_smtputf8_comes_back_from_a_host_that_does_not_offer_it(mailnet, shop):
    """RFC 6531 §3.5: 5.6.7; also where the host does not offer 8BITMIME either."""
    bob = mailnet.account("bob@example.org")
    for hidden in ({"SMTPUTF8"}, {"8BITMIME"}):
        mailnet.host("mx1.example.org").configure(hide=hidden)
        send(
            mailnet,
            shop,
            bob.address,
            content="Subject: Grüße\r\n\r\n".encode(),
            options=["SMTPUTF8", "BODY=8BITMIME"],
        )
        report = shop.inbox[-1].delivery_report
        assert (report.status, report.recipient) == ("5.6.7", bob.address)
    assert bob.inbox.is_empty


def test_a_message_that_is_too_big_for_the_next_host_is_not_sent_there(mailnet, shop):
    """RFC 1870 §6.1: it comes back with 5.3.4."""
    bob = mailnet.account("bob@example.org")
    mailnet.host("mx1.example.org").configure(max_message_size=1000)
    send(mailnet, shop, bob.address, content=b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n" * 500)
    assert mailnet.journey(to=bob).fate == Bounced(Stage.SMTP_MAIL, None, Reason.MESSAGE_TOO_BIG)
    assert shop.inbox.one().delivery_report.status == "5.3.4"
    assert not mailnet.events(Stage.SMTP_MAIL, host="mx1.example.org")
    send(mailnet, shop, bob.address)
    assert len(bob.inbox) == 1


@pytest.mark.parametrize(
    ("limits", "transactions"),
    [("RCPTMAX=2", 3), ("RCPTMAX=1 MAILMAX=2", 5), ("RCPTDOMAINMAX=1", 1), ("RCPTMAX=5", 1)],
)
def test_recipients_beyond_the_limits_of_a_host_go_in_further_transactions(
    mailnet, shop, limits, transactions
):
    """RFC 9422 §4.1: nobody waits for a retry, and nobody is refused."""
    people = mailnet.accounts(*(f"p{number}@example.org" for number in range(5)))
    hello = Reply(250, None, f"mx1.example.org\nPIPELINING\nLIMITS {limits}")
    mailnet.mx("example.org").faults.reply(Stage.SMTP_HELO, hello)
    send(mailnet, shop, *(each.address for each in people))
    assert [len(each.inbox) for each in people] == [1] * 5
    assert len(mailnet.events(Stage.SMTP_MAIL, host="mx1.example.org")) == transactions
    assert all(isinstance(mailnet.journey(to=each).fate, Delivered) for each in people)


def test_a_host_that_takes_few_recipients_gets_all_of_them_at_once(mailnet, shop):
    people = mailnet.accounts(*(f"p{number}@example.org" for number in range(5)))
    mailnet.host("mx1.example.org").configure(max_recipients=2)
    send(mailnet, shop, *(each.address for each in people))
    assert [len(each.inbox) for each in people] == [1] * 5
    replies = [event.reply.code for event in mailnet.events(Stage.SMTP_RCPT, host="mx1.example.org")]
    assert replies == [250] * 5
    mailnet.host("mx1.example.org").configure(
        hide={"LIMITS"}
    )  # then the others are told 452, and are tried again
    send(mailnet, shop, *(each.address for each in people))
    assert mailnet.queue.one().last_reply == Reply(452, "4.5.3")
    mailnet.clock.advance(minutes(30))
    assert [len(each.inbox) for each in people] == [2] * 5


@pytest.mark.parametrize("reply", [Reply(552), Reply(552, "5.5.3", "too many recipients")])
def test_552_to_a_recipient_is_tried_again(mailnet, shop, reply):
    """RFC 5321 §4.5.3.1.10: old servers say it for too many recipients."""
    ann, bob = mailnet.accounts("ann@example.org", "bob@example.org")
    mx = mailnet.mx("example.org")
    mx.faults.reply(Stage.SMTP_RCPT, reply, to=bob.address, times=1)
    send(mailnet, shop, ann.address, bob.address)
    assert (len(ann.inbox), len(bob.inbox)) == (1, 0)
    assert mailnet.journey(to=bob).fate == Queued(reply, Reason.FAULT)
    mailnet.clock.advance(minutes(5))
    assert isinstance(mailnet.journey(to=bob).fate, Delivered)
    assert shop.inbox.is_empty


def test_552_to_a_recipient_is_warned_of_and_given_up_as_any_delay(mailnet, shop):
    bob = mailnet.account("bob@example.org")
    mailnet.mx("example.org").faults.reply(Stage.SMTP_RCPT, Reply(552, "5.5.3"))
    send(mailnet, shop, bob.address)
    mailnet.clock.advance(days(6))
    reports = [mail.delivery_report for mail in shop.inbox]
    assert [(each.action, each.status) for each in reports] == [("delayed", "4.5.3"), ("failed", "5.5.3")]
    assert isinstance(mailnet.journey(to=bob).fate, Expired)


def test_a_mailbox_that_is_full_for_good_is_no_matter_of_too_many_recipients(mailnet, shop):
    bob = mailnet.account("bob@example.org")
    mailnet.mx("example.org").faults.mailbox_full(bob.address, for_good=True)
    send(mailnet, shop, bob.address)
    assert shop.inbox.one().delivery_report.status == "5.2.2"


def test_a_frozen_message_waits_until_it_is_thawed(mailnet, shop):
    bob = mailnet.account("bob@example.org")
    mailnet.domain("example.org").policy(greylist=minutes(5))
    send(mailnet, shop, bob.address)
    waiting = mailnet.queue.one()
    waiting.freeze()
    assert waiting.is_frozen
    assert waiting.next_attempt is None
    mailnet.clock.advance(days(1))
    mailnet.queue.flush()
    waiting.flush()
    mailnet.settle()
    assert (bob.inbox.is_empty, waiting.attempts) == (True, 1)
    waiting.thaw()
    mailnet.settle()
    assert len(bob.inbox) == 1
    assert mailnet.queue.is_empty


def test_a_message_that_was_frozen_for_too_long_is_tried_once_more_and_expires(mailnet, shop):
    mailnet.domain("example.org")
    mailnet.host("mx1.example.org").stop()
    send(mailnet, shop, "bob@example.org")
    waiting = mailnet.queue.one()
    waiting.freeze()
    mailnet.clock.advance(days(6))
    waiting.thaw()
    mailnet.settle()
    assert mailnet.journey(to="bob@example.org").fate == Expired(None, Reason.CONNECTION_REFUSED)
    assert waiting.attempts == 2
