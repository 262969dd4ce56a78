"""Forwards, automatic replies, mailing lists and routes: real messages over real sockets."""

from __future__ import annotations

import re
import smtplib

import pytest

from fakemail import (
    Bounced,
    DeclarationError,
    Delivered,
    Discarded,
    Forwarded,
    MailNet,
    Reason,
    Reply,
    Stage,
    days,
    hours,
    samples,
)


@pytest.fixture
def net():
    with MailNet(seed=5) as mailnet:
        yield mailnet


def send(sender, *to, content=None, rcpt_options=(), options=()):
    raw = samples.plain(sender=sender.address, to=to[0]) if content is None else content
    with sender.submission.smtplib() as client:
        client.sendmail(
            sender.address, [str(each) for each in to], raw, list(options), rcpt_options=list(rcpt_options)
        )


# Forwarding


def test_a_forward_keeps_a_copy_and_sends_one_on(net):
    shop, bob, gmail = net.accounts("a@shop.test", "bob@example.org", "bob@mail.test")
    bob.set_forwarding(gmail)
    send(shop, bob)
    net.settle()
    assert len(bob.inbox) == len(gmail.inbox) == 1
    mail = gmail.inbox.one()
    assert mail.headers["Delivered-To"] == "bob@example.org"
    assert str(mail.envelope.sender) == "a@shop.test"
    assert "forwarded it to bob@mail.test (forward)" in str(net.journey(to=bob))
    assert net.journey(to=gmail).fate == Delivered(net.journey(to=gmail).recipient)


def test_without_a_copy_its_fate_is_to_be_sent_on(net):
    shop, bob = net.accounts("a@shop.test", "bob@example.org")
    near, far = net.accounts("bob@home.test", "ann@example.org")
    bob.set_forwarding([near, far], keep_copy=False)
    send(shop, bob)
    net.settle()
    assert bob.inbox.is_empty
    assert len(near.inbox) == len(far.inbox) == 1, "one elsewhere, one at the same host"
    fate = net.journey(to=bob).fate
    assert isinstance(fate, Forwarded)
    assert [str(each) for each in fate.to] == ["bob@home.test", "ann@example.org"]
    assert fate.is_final
    bob.set_forwarding(None)
    send(shop, bob)
    net.settle()
    assert len(bob.inbox) == 1


def test_srs_rewrites_the_reverse_path_and_bounces_find_home(net):
    shop, bob = net.accounts("a@shop.test", "bob@example.org")
    net.account("other@mail.test")
    bob.set_forwarding("gone@mail.test", keep_copy=False, srs=True)
    send(shop, bob)
    net.settle()
    sender = str(net.journey(to="gone@mail.test").sender)
    assert sender.startswith("SRS0=")
    assert sender.endswith("=shop.test=a@example.org")
    assert net.journey(to="gone@mail.test").fate == Bounced(
        Stage.SMTP_RCPT, Reply(550, "5.1.1"), Reason.NO_SUCH_USER
    )
    assert shop.inbox.one().delivery_report.recipient == "gone@mail.test"
    # A forged one is nobody's, and an old one neither.
    with pytest.raises(smtplib.SMTPRecipientsRefused), net.mx("example.org").smtplib() as client:
        client.sendmail("", ["SRS0=abcd=AA=shop.test=a@example.org"], b"Subject: x\r\n\r\n")
    net.clock.advance(days(30))
    with pytest.raises(smtplib.SMTPRecipientsRefused), net.mx("example.org").smtplib() as client:
        client.sendmail("", [sender], b"Subject: x\r\n\r\n")


def test_two_forwarders_with_srs_hand_the_bounce_back_one_after_the_other(net):
    shop, bob, ann = net.accounts("a@shop.test", "bob@one.test", "ann@two.test")
    net.account("x@three.test")
    bob.set_forwarding(ann, keep_copy=False, srs=True)
    ann.set_forwarding("gone@three.test", keep_copy=False, srs=True)
    send(shop, bob)
    net.settle()
    assert str(net.journey(to="gone@three.test").sender).startswith("SRS1=")
    assert shop.inbox.one().delivery_report.recipient == "gone@three.test"


def test_forwards_in_a_circle_end_and_the_sender_is_told(net):
    shop, bob, ann = net.accounts("a@shop.test", "bob@one.test", "ann@two.test")
    bob.set_forwarding(ann)
    ann.set_forwarding(bob)
    send(shop, bob)
    net.settle()
    assert len(bob.inbox) == len(ann.inbox) == 1
    assert shop.inbox.one().delivery_report.status == "5.4.6"
    assert net.queue.is_empty


def test_an_account_cannot_forward_to_itself_or_to_nobody(net):
    bob = net.account("bob@example.org")
    with pytest.raises(DeclarationError, match="cannot forward to itself"):
        bob.set_forwarding("Bob@example.org")
    with pytest.raises(DeclarationError, match="forward to nobody"):
        bob.set_forwarding([])


# Automatic replies


def test_who_is_away_answers_each_sender_once_a_week(net):
    shop, bob = net.accounts("a@shop.test", "bob@example.org")
    bob.set_auto_reply("I am away.\n")
    send(shop, bob)
    net.settle()
    reply = shop.inbox.one()
    assert (reply.subject, reply.sender, reply.text) == ("Auto: Hello", "bob@example.org", "I am away.\n")
    assert str(reply.envelope.sender) == "<>"
    assert reply.headers["Auto-Submitted"] == "auto-replied"
    assert reply.in_reply_to == bob.inbox.one().message_id
    assert reply.is_automatic
    send(shop, bob)
    net.settle()
    assert len(shop.inbox) == 1
    net.clock.advance(days(7))
    send(shop, bob)
    net.settle()
    assert len(shop.inbox) == 2
    bob.set_auto_reply(None)
    net.clock.advance(days(8))
    send(shop, bob)
    net.settle()
    assert len(shop.inbox) == 2


def test_two_who_are_away_do_not_answer_each_other(net):
    shop, bob = net.accounts("a@shop.test", "bob@example.org")
    for each in (shop, bob):
        each.set_auto_reply("Away.", subject="Gone fishing")
    send(shop, bob)
    net.settle()
    assert [mail.subject for mail in shop.inbox] == ["Gone fishing"]
    assert len(bob.inbox) == 1


def test_bulk_mail_and_blind_copies_are_not_answered(net):
    shop, bob = net.accounts("a@shop.test", "bob@example.org")
    bob.set_auto_reply("Away.")
    send(shop, bob, content=samples.newsletter(sender=shop.address, to=bob.address))
    send(shop, bob, content=samples.plain(sender=shop.address, to="somebody@else.test"))
    net.settle()
    assert len(bob.inbox) == 2
    assert shop.inbox.is_empty


def test_a_colleague_at_the_same_host_is_answered_too(net):
    ann, bob = net.accounts("ann@example.org", "bob@example.org")
    bob.set_auto_reply("Away.")
    send(ann, bob)
    net.settle()
    assert ann.inbox.one().sender == bob.address


# Mailing lists


def test_a_list_sends_to_its_members_with_its_own_fields(net):
    ann, bob, carol = net.accounts("ann@one.test", "bob@two.test", "carol@lists.test")
    friends = net.mailing_list("friends@lists.test", members=[ann, bob, carol])
    send(ann, friends, content=samples.plain(sender=ann.address, to=friends.address, subject="Lunch?"))
    net.settle()
    for each in (ann, bob, carol):
        mail = each.inbox.one()
        assert mail.subject == "[friends] Lunch?"
        assert mail.headers["List-Id"] == "friends <friends.lists.test>"
        assert mail.headers["List-Post"] == "<mailto:friends@lists.test>"
        assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert friends.unsubscribe_url in mail.headers["List-Unsubscribe"]
        assert mail.headers["Precedence"] == "list"
        assert str(mail.envelope.sender) == "friends-bounces@lists.test"
        assert mail.text.endswith(f"To leave it: {friends.unsubscribe_url}\n")
        assert mail.sender == ann.address
    fate = net.journey(to="friends@lists.test").fate
    assert isinstance(fate, Forwarded)
    assert len(fate.to) == 3


def test_what_comes_back_from_members_goes_to_the_list(net):
    ann = net.account("ann@one.test")
    net.account("x@two.test")
    friends = net.mailing_list("friends@lists.test", members=["gone@two.test", ann], verp=True)
    send(ann, friends)
    net.settle()
    bounce = friends.bounces.one()
    assert bounce.delivery_report.recipient == "gone@two.test"
    assert str(bounce.envelope.recipients[0].address) == "friends-bounces+gone=two.test@lists.test"
    assert [mail.delivery_report for mail in ann.inbox] == [None]


def test_members_come_and_go(net):
    ann, bob = net.accounts("ann@one.test", "bob@two.test")
    friends = net.mailing_list("friends@lists.test", members=[ann], prefix="", footer="")
    assert net.mailing_list("friends@lists.test") == friends
    friends.add(bob, ann)
    assert friends.members == ["ann@one.test", "bob@two.test"]
    send(ann, "friends-unsubscribe@lists.test")
    net.settle()
    assert friends.members == ["bob@two.test"]
    send(bob, friends)
    net.settle()
    assert ann.inbox.is_empty
    assert (bob.inbox.one().subject, bob.inbox.one().text) == ("Hello", "Hello Bob,\n\nnice to meet you.\n")
    friends.remove(bob)
    send(bob, friends)
    net.settle()
    assert net.journeys(to="friends@lists.test")[-1].fate == Forwarded(())


def test_lists_that_are_members_of_each_other_end(net):
    ann = net.account("ann@one.test")
    net.mailing_list("b@lists.test", members=[])
    net.mailing_list("a@lists.test", members=["b@lists.test", ann])
    net.mailing_list("b@lists.test", members=["a@lists.test"])
    send(ann, "a@lists.test")
    net.settle()
    assert len(ann.inbox) == 1
    assert net.queue.is_empty


def test_success_is_reported_as_the_standard_says(net):
    """RFC 3461 §5.2.7: delivered for a list, expanded for an alias of several, nothing yet for one of one."""
    shop, ann, bob = net.accounts("a@shop.test", "ann@example.org", "bob@two.test")
    net.mailing_list("friends@lists.test", members=[bob])
    net.domain("example.org").alias("team", ann, bob).alias("robert", bob)
    for to, action in (("friends@lists.test", "delivered"), ("team@example.org", "expanded")):
        send(shop, to, rcpt_options=["NOTIFY=SUCCESS,FAILURE"])
        net.settle()
        report = shop.inbox[-1].delivery_report
        assert (report.action, report.recipient) == (action, to)
    count = len(shop.inbox)
    send(shop, "robert@example.org", rcpt_options=["NOTIFY=SUCCESS"])
    net.settle()
    assert len(shop.inbox) == count + 1
    report = shop.inbox[-1].delivery_report.recipients[0]
    assert (report.action, report.recipient) == ("delivered", "bob@two.test")
    assert report.original_recipient == "robert@example.org"


# Routes


def test_a_message_goes_through_six_computers(net):
    shop, bob = net.accounts("a@shop.test", "bob@example.org")
    out = net.route("shop.test", via=["edge.shop.test", "filter.provider.test"])
    into = net.route_to("example.org", via=["mx.example.org", "scan.example.org"])
    assert [host.name for host in out] == ["edge.shop.test", "filter.provider.test"]
    assert [host.name for host in into] == ["mx.example.org", "scan.example.org"]
    send(shop, bob)
    net.settle()
    mail = bob.inbox.one()
    names = [
        "smtp.shop.test", "edge.shop.test", "filter.provider.test",
        "mx.example.org", "scan.example.org", "mx1.example.org",
    ]  # fmt: skip
    journey = net.journey(to=bob)
    assert [hop.host for hop in journey.hops] == names
    received = [re.search(r"\bby (\S+) with (\S+) id", line) for line in mail.headers.all("Received")]
    assert [found[1] for found in received] == names[::-1]
    assert [found[2] for found in received] == ["ESMTPS"] * 5 + ["ESMTPSA"]  # RFC 3848
    assert mail.received_by.name == "mx1.example.org"
    assert net.dns.records("example.org", "MX") == ("example.org. 300 IN MX 10 mx.example.org.",)


def test_a_chain_host_takes_mail_of_the_one_before_it_only(net):
    net.route("shop.test", via=["edge.shop.test"])
    net.account("bob@example.org")
    with (
        pytest.raises(smtplib.SMTPRecipientsRefused),
        net.find_host("edge.shop.test").settings("smtp").smtplib() as client,
    ):
        client.sendmail("me@x.test", ["bob@example.org"], b"Subject: x\r\n\r\n")


def test_a_refusal_at_the_last_host_is_bounced_by_the_one_before_it(net):
    shop = net.account("a@shop.test")
    net.account("bob@example.org")
    net.route_to("example.org", via=["mx.example.org"])
    send(shop, "gone@example.org")
    net.settle()
    assert shop.inbox.one().delivery_report.reporting_host == "mx.example.org"


def test_routes_in_a_circle_end(net):
    shop = net.account("a@shop.test")
    net.route("shop.test", via=["one.test", "two.test"])
    one, two = net.find_host("one.test"), net.find_host("two.test")
    for host in (one, two):
        host.configure(max_hops=6)
    net.route("other.test", via=[two, one])
    send(shop, "bob@example.org")
    net.settle()
    journey = net.journey(to="bob@example.org")
    assert journey.reason is Reason.MAIL_LOOP
    assert len(journey.hops) == 7
    with pytest.raises(DeclarationError, match=r"goes through 'one\.test' twice"):
        net.route("shop.test", via=["one.test", "one.test"])
    with pytest.raises(DeclarationError, match="leads to itself"):
        one.route("*", one)


def test_a_host_can_have_a_route_for_one_domain(net):
    shop, bob, ann = net.accounts("a@shop.test", "bob@example.org", "ann@other.test")
    relay = net.host("relay.test", services=["smtp"], relay_for=["example.org"])
    net.domain("shop.test").submission_host.route("example.org", relay)
    send(shop, bob, ann)
    net.settle()
    assert [hop.host for hop in net.journey(to=bob).hops][1] == "relay.test"
    assert [hop.host for hop in net.journey(to=ann).hops][1] == "mx1.other.test"
    assert net.domain("shop.test").submission_host.routes == {"example.org": "relay.test"}


# Providers


def test_a_full_mailbox_makes_mail_wait_until_there_is_room(net):
    shop, bob = net.accounts("a@shop.test", "bob@example.org")
    bob.configure(quota_messages=1)
    send(shop, bob)
    send(shop, bob, content=samples.plain(sender=shop.address, to=bob.address, subject="Second"))
    net.settle()
    assert len(bob.inbox) == 1
    assert net.queue.one().last_reply == Reply(452, "4.2.2")
    bob.configure(quota_messages=-1)
    net.clock.advance(hours(1))
    assert [mail.subject for mail in bob.inbox] == ["Hello", "Second"]


def test_a_message_that_does_not_fit_is_refused_after_it_came(net):
    shop, bob = net.accounts("a@shop.test", "bob@example.org")
    bob.configure(quota=10_000)
    net.find_host("mx1.example.org").configure(full_is_final=True)
    send(shop, bob, content=samples.large(size=20_000))
    net.settle()
    assert net.journey(to=bob).fate == Bounced(Stage.SMTP_END, Reply(552, "5.2.2"), Reason.OVER_QUOTA)
    assert shop.inbox.one().delivery_report.status == "5.2.2"
    send(shop, bob)
    net.settle()
    assert len(bob.inbox) == 1


def test_of_several_recipients_only_the_full_one_waits(net):
    shop, bob, ann = net.accounts("a@shop.test", "bob@example.org", "ann@example.org")
    bob.configure(quota=200)
    net.domain("example.org").alias("team", bob, ann)
    with net.mx("example.org").smtplib() as client:
        assert client.sendmail(shop.address, [bob.address, ann.address], samples.plain()) == {}
    net.settle()
    assert (len(bob.inbox), len(ann.inbox)) == (0, 1)
    waiting = net.queue.one()
    assert (waiting.host.name, waiting.recipients) == ("mx1.example.org", [bob.address])
    with net.mx("example.org").smtplib() as client:
        assert client.sendmail(shop.address, ["team@example.org"], samples.plain(subject="Team")) == {}
    net.settle()
    assert (len(bob.inbox), len(ann.inbox)) == (0, 2)
    net.clock.advance(days(6))
    assert net.queue.is_empty
    failed = [mail.delivery_report for mail in shop.inbox if mail.delivery_report.action == "failed"]
    assert [(each.recipient, each.status) for each in failed] == [(bob.address, "4.2.2")] * 2


def test_what_was_sent_on_is_not_sent_on_again_when_the_full_mailbox_is_tried_again(net):
    shop, bob, ann = net.accounts("a@shop.test", "bob@example.org", "ann@elsewhere.test")
    bob.set_forwarding(ann)
    bob.configure(quota_messages=0)
    send(shop, bob)
    net.clock.advance(hours(12))
    assert (len(bob.inbox), len(ann.inbox)) == (0, 1)
    assert net.queue.one().attempts > 3
    bob.configure(quota_messages=1)
    net.clock.advance(hours(12))
    assert (len(bob.inbox), len(ann.inbox)) == (1, 1)
    assert net.queue.is_empty


def test_dots_in_a_local_part_can_be_ignored(net):
    shop, jane = net.accounts("a@shop.test", "jane.doe@mail.test")
    net.domain("mail.test").ignore_dots()
    send(shop, "janedoe@mail.test", "j.a.n.e.doe+news@mail.test")
    net.settle()
    assert len(jane.inbox) == 1
    with pytest.raises(DeclarationError, match="in dots only"):
        net.account("jane.d.oe@mail.test")


def test_the_submission_server_can_keep_a_copy_in_sent(net):
    shop, bob = net.accounts("a@shop.test", "bob@example.org")
    shop.configure(sent_copy=True)
    send(shop, bob)
    copy = shop.folder("Sent").one()
    assert copy.flags == {"\\Seen"}
    assert copy.text == bob.inbox.wait_for_one().text
    assert copy.message_id == bob.inbox.one().message_id
    assert net.journey(to=bob).duplicates == ()


def test_a_message_that_came_twice_is_seen(net):
    shop, bob, ann = net.accounts("a@shop.test", "bob@example.org", "ann@example.org")
    raw = samples.plain(sender=shop.address, to=bob.address)
    send(shop, bob, ann, content=raw)
    send(shop, bob, content=raw)
    net.settle()
    first, second = net.journeys(to=bob)
    assert [each.uid for each in first.duplicates] == [second.deliveries[0].uid]
    assert [each.uid for each in second.duplicates] == [first.deliveries[0].uid]
    assert net.journey(to=ann).duplicates == ()


def test_an_alias_and_its_account_in_one_transaction_both_arrive_as_one(net):
    shop, bob = net.accounts("a@shop.test", "bob@example.org")
    net.domain("example.org").alias("robert", bob)
    send(shop, bob, "robert@example.org")
    net.settle()
    assert len(bob.inbox) == 1
    assert [journey.fate for journey in net.journeys()] == [Delivered(net.journey(to=bob).recipient)] * 2


def test_a_bounce_to_somebody_at_the_same_host_arrives(net):
    """The host that reports is the mail host of the one who is told."""
    bob = net.account("bob@example.org")
    net.domain("example.org").alias("team", "gone@nowhere.test")
    send(bob, "team@example.org")
    net.settle()
    assert bob.inbox.one().delivery_report.recipient == "gone@nowhere.test"
    assert not any(isinstance(journey.fate, Discarded) for journey in net.journeys())


@pytest.mark.parametrize(
    ("name", "verified", "expanded"),
    [
        ("team", ["ann@example.org", "ext@example.com"], ["ann@example.org", "ext@example.com"]),
        ("list", ["list@example.org"], ["ann@example.org", "ext@example.com"]),
        ("list@example.org", ["list@example.org"], ["ann@example.org", "ext@example.com"]),
        ("list-owner", ["list-owner@example.org"], []),
        ("away", ["away@example.org"], []),
        ("ann+news", ["ann@example.org"], []),
        ("nobody", [], []),
    ],
)
def test_what_takes_mail_is_verified_and_expanded(net, name, verified, expanded):
    """RFC 5321 §3.5.1, §3.5.2: VRFY says of no address that takes mail that it is unknown; EXPN lists a list."""
    ann, away, ext = net.accounts("ann@example.org", "away@example.org", "ext@example.com")
    net.domain("example.org").alias("team", ann, ext)
    net.mailing_list("list@example.org", members=[ann, ext])
    away.set_forwarding(ext)
    with net.mx("example.org").smtplib() as client:
        client.ehlo()
        for verb, addresses in (("VRFY", verified), ("EXPN", expanded)):
            code, text = client.docmd(verb, name)
            assert (code, re.findall("<(.*?)>", text.decode())) == (250 if addresses else 550, addresses)
        client.mail("a@example.net")
        recipient = name if "@" in name else f"{name}@example.org"
        assert client.rcpt(recipient)[0] == (250 if verified else 550)
