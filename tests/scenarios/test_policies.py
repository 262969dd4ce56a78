"""What mail hosts check of clients and envelopes, and what follows, with real clients."""

from __future__ import annotations

import smtplib
from contextlib import contextmanager

import pytest

from fakemail import (
    Address,
    Bounced,
    DeclarationError,
    Delivered,
    Discarded,
    MailAssertionError,
    Quarantined,
    Reason,
    Refused,
    Reply,
    Stage,
    days,
    hours,
    minutes,
    seconds,
)

BOB = Address("bob", "example.org")
APP = "203.0.113.250"
MAIL = b"From: shop@shop.test\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\nHello.\r\n"


@contextmanager
def client(net, helo="app.example.net"):
    mx = net.mx("example.org")
    with smtplib.SMTP(mx.host, mx.port, local_hostname=helo, timeout=10) as smtp:
        yield smtp


def send(net, *, sender="shop@shop.test", to="bob@example.org", helo="app.example.net"):
    """Hand a message to the mail host; the code and the words of a refusal, or ``None``."""
    try:
        with client(net, helo) as smtp:
            smtp.sendmail(sender, [to], MAIL)
    except smtplib.SMTPConnectError as error:
        return error.smtp_code, error.smtp_error.decode()
    except smtplib.SMTPHeloError as error:
        return error.smtp_code, error.smtp_error.decode()
    except smtplib.SMTPRecipientsRefused as error:
        code, text = error.recipients[to]
        return code, text.decode()
    except smtplib.SMTPSenderRefused as error:
        return error.smtp_code, error.smtp_error.decode()
    except smtplib.SMTPDataError as error:
        return error.smtp_code, error.smtp_error.decode()
    return None


@pytest.fixture
def net(mailnet):
    mailnet.account("bob@example.org")
    mailnet.account("shop@shop.test")
    return mailnet


def bob(net):
    return net.account("bob@example.org")


def policy(net, **keywords):
    net.domain("example.org").policy(**keywords)


# Who is connecting --------------------------------------------------------------------------------


def test_a_client_on_a_blocklist_is_told_so_at_once(net):
    """RFC 5782 §2.1, RFC 5321 §3.1."""
    policy(net, dnsbl="zen.example")
    zen = net.dns.blocklist("zen.example")
    assert send(net) is None
    zen.add("app", reason="sends spam, see https://zen.example/why")
    assert send(net) == (
        554,
        f"5.7.1 on a blocklist: {APP} is on zen.example (127.0.0.2: sends spam, see https://zen.example/why)",
    )
    zen.remove("app")
    assert send(net) is None
    assert [query.answer for query in net.dns.queries(name="250.113.0.203.zen.example", type="A")] == [
        "NXDOMAIN",
        "NOERROR",
        "NXDOMAIN",
    ]


def test_who_was_turned_away_may_only_leave(net):
    policy(net, dnsbl="zen.example")
    net.dns.blocklist("zen.example").add("app")
    mx = net.mx("example.org")
    smtp = smtplib.SMTP(timeout=10)
    assert smtp.connect(mx.host, mx.port)[0] == 554
    assert smtp.docmd("EHLO", "app.test") == (503, b"5.5.1 nothing is taken from you here; send QUIT")
    assert smtp.docmd("QUIT")[0] == 221
    smtp.close()


def test_who_waits_for_the_mail_hears_of_it(net):
    policy(net, dnsbl="zen.example")
    net.dns.blocklist("zen.example").add("app", reason="b\u00e4d\r\n250 OK")
    said = (
        f"mx1.example.org, smtp, connection 1: smtp.banner: 554 5.7.1 on a blocklist: {APP} is on zen.example"
    )
    assert send(net) == (554, f"5.7.1 on a blocklist: {APP} is on zen.example (127.0.0.2: b?d 250 OK)")
    with pytest.raises(MailAssertionError) as nothing:
        net.journey(to="bob@example.org")
    assert said in str(nothing.value)
    with pytest.raises(MailAssertionError) as nothing:
        bob(net).inbox.one()
    assert said in str(nothing.value)


def test_our_own_host_on_a_blocklist_bounces_the_mail(net):
    """A relay that is listed hears 554, and tells its sender."""
    policy(net, dnsbl="zen.example")
    shop = net.account("shop@shop.test")
    net.dns.blocklist("zen.example").add(shop.submission.server, reason="spam run")
    with shop.submission.smtplib() as smtp:
        smtp.sendmail(shop.address, ["bob@example.org"], MAIL)
    net.settle()
    journey = net.journey(to="bob@example.org")
    assert journey.fate == Bounced(Stage.SMTP_BANNER, Reply(554, "5.7.1"), Reason.BLOCKLISTED)
    assert "spam run" in shop.inbox.one().delivery_report.diagnostic


def test_lists_have_their_test_points(net):
    """RFC 5782 §5."""
    zen = net.dns.blocklist("zen.example")
    assert "127.0.0.2" in zen
    assert "::ffff:7f00:2" in zen
    assert "test" in zen
    assert "127.0.0.1" not in zen
    assert "invalid" not in zen
    zen.add("2001:db8::7", "bad.example", code="127.0.0.4")
    assert net.dns.records("bad.example.zen.example", "A") == ("bad.example.zen.example. 300 IN A 127.0.0.4",)
    with pytest.raises(DeclarationError, match=r"neither an address, nor a domain"):
        zen.add("no such thing")
    with pytest.raises(DeclarationError, match=r"in 127\.0\.0\.0/8"):
        zen.add("app", code="10.0.0.1")


def test_a_good_list_spares_the_checks(net):
    policy(net, dnsbl="zen.example", dnswl="good.example", greylist=minutes(5))
    net.dns.blocklist("zen.example").add("app")
    net.dns.blocklist("good.example").add("app")
    assert send(net) is None
    assert bob(net).inbox.one().subject == "Hello"


def test_a_list_that_does_not_answer_lists_nobody(net):
    policy(net, dnsbl="zen.example")
    net.dns.blocklist("zen.example").add("app")
    with net.dns.faults.servfail("*.zen.example"):
        assert send(net) is None


def test_reverse_dns_has_to_lead_back(net):
    """RFC 7372 §3.3: 5.7.25."""
    policy(net, ptr="refuse")
    assert send(net) == (
        554,
        f"5.7.25 reverse DNS does not lead back to you: {APP} has no name in reverse DNS",
    )
    net.dns.add("250.113.0.203.in-addr.arpa", "PTR", "app.example.net.")
    assert send(net)[1].endswith("which does not lead back to it")
    net.dns.add("app.example.net", "A", APP)
    assert send(net) is None


@pytest.mark.parametrize(
    ("helo", "found"),
    [
        (APP, "is an address without brackets"),
        ("localhost", "is not a fully qualified name"),
        ("nowhere.example.net", "has neither an address nor an MX record"),
        ("mx1.example.org", "which is this host"),
        ("example.org", "which is this host"),
        (f"[{APP}]", None),
        ("known.example.net", None),
    ],
)
def test_the_name_in_helo(net, helo, found):
    net.dns.add("known.example.net", "A", APP)
    policy(net, helo="refuse")
    refused = send(net, helo=helo)
    if found is None:
        assert refused is None
    else:
        assert refused[0] == 550
        assert found in refused[1]


def test_the_client_of_settings_tells_of_a_refused_name(net):
    """And not of MAIL, which it could send in spite of it."""
    policy(net, helo="refuse")
    with pytest.raises(smtplib.SMTPHeloError, match="is not a fully qualified name"):
        net.mx("example.org").smtplib(local_hostname="localhost")


def test_one_kind_of_bad_helo_can_be_refused_and_another_tagged(net):
    policy(net, helo={"own_name": "refuse", "not_fqdn": "tag"}, subject_tag="[SPAM]")
    assert send(net, helo="example.org")[0] == 550
    assert send(net, helo="localhost") is None
    mail = bob(net).inbox.one()
    assert (mail.subject, mail.headers["X-Spam-Flag"]) == ("[SPAM] Hello", "YES")
    assert "not a fully qualified name" in mail.headers["X-Spam-Report"]


def test_only_so_many_connections_at_once(net):
    policy(net, max_connections=1)
    with client(net):
        assert send(net) == (
            421,
            f"4.7.0 too many connections from you: {APP} has 2 connections, of 1 at most",
        )
    net.wait_for(Stage.DISCONNECT)
    net.settle()
    assert send(net) is None


def test_rates_slide_with_the_clock(net):
    policy(net, address_rate=(2, hours(1)))
    assert send(net) is None
    net.clock.advance(minutes(40))
    assert send(net) is None
    assert send(net) == (
        450,
        f"4.7.1 too much in too short a time: 2 messages from {APP} were taken within 1:00:00",
    )
    net.clock.advance(minutes(20))
    assert send(net) is None, "the first one is an hour old"
    assert send(net)[0] == 450


@pytest.mark.parametrize(
    ("keyword", "other"),
    [
        ("sender_rate", {"sender": "news@shop.test"}),
        ("domain_rate", {"sender": "ann@else.test"}),
        ("recipient_rate", {"to": "ann@example.org"}),
    ],
)
def test_each_rate_counts_what_it_is_called_for(net, keyword, other):
    net.account("ann@example.org")
    policy(net, **{keyword: (1, minutes(10))})
    assert send(net) is None
    code, said = send(net)
    assert (code, said.startswith("4.7.1 too much in too short a time: 1 message ")) == (450, True)
    assert said.endswith(" was taken within 0:10:00")
    assert send(net, **other) is None


def test_what_was_refused_does_not_count(net):
    policy(net, sender_rate=(1, hours(1)))
    assert send(net, to="gone@example.org")[0] == 550
    assert send(net) is None


def test_connections_have_a_rate_as_well(net):
    policy(net, connection_rate=(1, seconds(30)))
    assert send(net) is None
    assert send(net) == (421, f"4.7.1 too much in too short a time: {APP} has connected once within 0:00:30")
    net.clock.advance(seconds(30))
    assert send(net) is None


def test_a_connection_counts_once_at_a_host_of_several_domains(net):
    net.domain("else.test").set_mx("mx1.example.org")
    policy(net, connection_rate=(3, hours(1)))
    net.domain("else.test").policy(connection_rate=(2, minutes(1)))
    assert [send(net), send(net)] == [None, None]
    assert send(net)[1].endswith(f"{APP} has connected 2 times within 0:01:00")
    net.clock.advance(minutes(1))
    assert send(net) is None
    net.clock.advance(minutes(1))
    assert send(net)[1].endswith(f"{APP} has connected 3 times within 1:00:00")


def test_a_short_rate_does_not_make_a_long_one_forget(net):
    net.account("ann@else.test")
    net.domain("else.test").set_mx("mx1.example.org")
    policy(net, sender_rate=(3, hours(1)))
    net.domain("else.test").policy(sender_rate=(1, minutes(1)))
    for _ in range(3):
        with client(net) as smtp:
            smtp.sendmail("shop@shop.test", ["bob@example.org", "ann@else.test"], MAIL)
        net.clock.advance(minutes(1))
    assert send(net)[1].endswith("3 messages from <shop@shop.test> were taken within 1:00:00")


def test_greylisting_with_its_three_times_and_its_exceptions(net):
    """RFC 6647 §4, §5."""
    greylisting = {
        "greylist": minutes(5),
        "greylist_retry_within": hours(1),
        "greylist_remember_for": hours(2),
    }
    policy(net, **greylisting)
    assert send(net)[0] == 451
    net.clock.advance(hours(2))
    assert send(net)[0] == 451, "too late: it starts anew"
    net.clock.advance(minutes(5))
    assert send(net) is None
    net.clock.advance(hours(3))
    assert send(net)[0] == 451, "forgotten"
    for known in ("203.0.113.0/24", APP, "app", "shop.test", "shop@shop.test"):
        policy(net, **greylisting, greylist_allow=known)
        assert send(net) is None, known


# The envelope --------------------------------------------------------------------------------------


def test_a_list_of_bad_domains(net):
    """RFC 5782 §3."""
    policy(net, rhsbl={"dbl.example": "refuse"})
    net.dns.blocklist("dbl.example").add("shop.test", reason="phishing")
    assert send(net)[1] == "5.7.1 on a blocklist: shop.test is on dbl.example (127.0.0.2: phishing)"
    assert send(net, sender="x@else.test", helo="shop.test")[0] == 554
    assert send(net, sender="x@else.test") is None


def test_the_senders_domain_has_to_exist(net):
    policy(net, sender_domain="refuse")
    assert send(net) is None
    assert send(net, sender="x@nowhere.test") == (
        550,
        "5.1.8 the sender's domain does not exist: nowhere.test has neither MX nor address records",
    )
    net.domain("silent.test").set_mx(None)
    assert send(net, sender="x@silent.test")[1].startswith("5.7.27 the sender's domain takes no mail")
    with net.dns.faults.servfail("nowhere.test"):
        assert send(net, sender="x@nowhere.test") == (
            450,
            "4.1.8 the sender's domain could not be looked up: nowhere.test could not be looked up: SERVFAIL",
        )


def test_the_own_domain_does_not_come_from_outside(net):
    policy(net, own_domain="refuse")
    assert send(net, sender="ann@example.org")[0] == 550
    ann = net.account("ann@example.org")
    with ann.submission.smtplib() as smtp:
        smtp.sendmail(ann.address, ["bob@example.org"], MAIL)
    net.settle()
    assert len(bob(net).inbox) == 1, "its own submission host is inside"


def test_mail_from_nobody(net):
    """RFC 5321 §4.5.5: a bounce goes to one recipient."""
    net.account("ann@example.org")
    policy(net, null_sender={"recipients": "refuse"})
    said = b"5.7.1 mail from nobody is not taken: a bounce is for one recipient, and not for 2"
    with client(net) as smtp, pytest.raises(smtplib.SMTPDataError) as refused:
        smtp.sendmail("", ["bob@example.org", "ann@example.org"], MAIL)
    assert refused.value.args == (550, said)
    fate = Refused(Stage.SMTP_DATA, Reply(550, "5.7.1"), Reason.NULL_SENDER)
    assert [journey.fate for journey in net.journeys()] == [fate, fate]
    with client(net) as smtp:
        smtp.ehlo()
        for line in ("MAIL FROM:<>", "RCPT TO:<bob@example.org>", "RCPT TO:<ann@example.org>"):
            assert smtp.docmd(line)[0] == 250
        smtp.send(b"BDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\n")
        assert smtp.getreply() == (550, said), "the first BDAT stands for DATA"
        assert smtp.getreply()[0] == 503
        assert smtp.sendmail("", ["bob@example.org", "bob@example.org"], MAIL) == {}
    policy(net, null_sender="refuse")
    assert send(net, sender="")[0] == 550


def test_disabled_and_moved_accounts(net):
    bob(net).configure(disabled=True)
    assert send(net) == (550, "5.2.1 <bob@example.org>: the mailbox is disabled")
    bob(net).configure(disabled=False)
    bob(net).set_moved("bob@new.test")
    assert send(net) == (551, "5.1.6 the mailbox has moved: please try <bob@new.test>")
    reasons = [journey.reason for journey in net.journeys(to="bob@example.org")]
    assert reasons == [Reason.MAILBOX_DISABLED, Reason.MAILBOX_MOVED]
    bob(net).set_moved(None)
    assert send(net) is None


# What follows -------------------------------------------------------------------------------------------


def test_an_unknown_recipient_is_taken_and_bounced(net):
    """A host that knows its accounts only after it took the mail."""
    policy(net, unknown_user="bounce")
    shop = net.account("shop@shop.test")
    assert send(net, to="gone@example.org") is None
    net.settle()
    report = shop.inbox.one().delivery_report
    assert (report.recipient, report.status) == ("gone@example.org", "5.1.1")
    assert net.journey(to="gone@example.org").fate == Bounced(
        Stage.DELIVER, Reply(550, "5.1.1"), Reason.NO_SUCH_USER
    )


def test_an_unknown_recipient_vanishes(net):
    policy(net, unknown_user="discard")
    assert send(net, to="gone@example.org") is None
    net.settle()
    assert net.account("shop@shop.test").inbox.is_empty
    assert net.journey(to="gone@example.org").fate == Discarded(Reason.NO_SUCH_USER)


def test_quarantine_puts_it_into_junk(net):
    policy(net, helo={"not_fqdn": "quarantine"})
    assert send(net, helo="localhost") is None
    assert bob(net).inbox.is_empty
    assert bob(net).folder("Junk").one().subject == "Hello"
    journey = net.journey(to=bob(net))
    assert journey.fate == Quarantined("Junk", Reason.BAD_HELO)
    assert "checked at smtp.helo: helo not_fqdn fail (localhost is not a fully qualified name" in str(journey)


def test_discard_tells_nobody(net):
    policy(net, helo={"not_fqdn": "discard"})
    assert send(net, helo="localhost") is None
    assert bob(net).inbox.is_empty
    assert net.journey(to=bob(net)).fate == Discarded(Reason.BAD_HELO)


def test_delay_delivers_it_later(net):
    policy(net, helo={"not_fqdn": "delay"}, delay=minutes(30))
    assert send(net, helo="localhost") is None
    net.settle()
    assert bob(net).inbox.is_empty
    assert net.queue.one().next_attempt == net.clock.now() + minutes(30)
    net.clock.advance(minutes(30))
    assert bob(net).inbox.one().subject == "Hello"
    assert net.journey(to=bob(net)).fate == Delivered(BOB)


def test_a_delay_is_that_of_the_domain_that_wants_it(net):
    net.account("ann@else.test")
    net.domain("else.test").set_mx("mx1.example.org")
    policy(net, helo={"not_fqdn": "delay"}, delay=minutes(30))
    with client(net, "localhost") as smtp:
        smtp.sendmail("shop@shop.test", ["bob@example.org", "ann@else.test"], MAIL)
    assert len(net.account("ann@else.test").inbox) == 1
    net.clock.advance(minutes(30))
    assert len(bob(net).inbox) == 1


def test_a_tag_of_any_letters_is_put_before_the_subject(net):
    policy(net, helo={"not_fqdn": "tag"}, subject_tag="[Wärbung]")
    assert send(net, helo="localhost") is None
    with client(net, "localhost") as smtp:
        smtp.sendmail(
            "shop@shop.test", ["bob@example.org"], MAIL.replace(b"Hello\r", b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=\r")
        )
        smtp.sendmail("shop@shop.test", ["bob@example.org"], b"From: shop@shop.test\r\n\r\nHello.\r\n")
    assert [mail.subject for mail in bob(net).inbox] == ["[Wärbung] Hello", "[Wärbung] Grüße", "[Wärbung]"]
    assert all(mail.raw.isascii() for mail in bob(net).inbox)


def test_a_name_is_judged_again_after_starttls_and_told_once(net):
    policy(net, helo={"not_fqdn": "tag"})
    with net.mx("example.org").smtplib(local_hostname="localhost") as smtp:
        smtp.sendmail("shop@shop.test", ["bob@example.org"], MAIL)
    assert str(net.journey(to=bob(net))).count("checked at smtp.helo") == 1
    assert net.transcript().count("checked at smtp.helo") == 2


def test_no_dmarc_policy_is_something_else_than_one_that_asks_for_nothing(net):
    policy(net, dmarc={"none": "refuse"})
    net.domain("shop.test").publish(dmarc="v=DMARC1; p=none")
    assert send(net) is None
    net.domain("shop.test").publish(dmarc="")
    assert send(net)[1].endswith("shop.test publishes no DMARC record")


def test_a_finding_can_defer_or_bounce_or_be_noted_only(net):
    shop = net.account("shop@shop.test")
    policy(net, helo={"not_fqdn": "defer"})
    assert send(net, helo="localhost")[0] == 451
    policy(net, helo={"not_fqdn": "bounce"})
    assert send(net, helo="localhost") is None
    net.settle()
    assert shop.inbox.one().delivery_report.recipient == "bob@example.org"
    policy(net, helo={"not_fqdn": "accept"})
    assert send(net, helo="localhost") is None
    assert bob(net).inbox.one().subject == "Hello"


def test_domains_of_one_host_have_policies_of_their_own(net):
    ann = net.account("ann@else.test")
    net.domain("else.test").set_mx("mx1.example.org")
    policy(net, greylist=minutes(5))
    with client(net) as smtp:
        assert smtp.sendmail("shop@shop.test", ["ann@else.test", "bob@example.org"], MAIL) == {
            "bob@example.org": (451, b"4.7.1 greylisted: come back in 300 seconds")
        }
    assert ann.inbox.one().subject == "Hello"


def test_a_new_policy_counts_from_the_next_command_on(net):
    with client(net) as smtp:
        smtp.ehlo()
        assert smtp.mail("shop@shop.test")[0] == 250
        policy(net, greylist=minutes(5))
        assert smtp.rcpt("bob@example.org")[0] == 451
        policy(net)
        assert smtp.rcpt("bob@example.org")[0] == 250


def test_a_world_without_policies_judges_nothing(net):
    assert send(net) is None
    assert [event for event in net.events() if type(event).__name__ == "PolicyEvaluated"] == []
    assert (
        net.dns.queries().is_empty if hasattr(net.dns.queries(), "is_empty") else not len(net.dns.queries())
    )


def test_the_journey_of_a_refusal_says_why(net):
    policy(net, greylist=minutes(5))
    send(net)
    assert net.journey(to=bob(net)).fate == Refused(Stage.SMTP_RCPT, Reply(451, "4.7.1"), Reason.GREYLISTED)
    assert "checked at smtp.rcpt: greylist policy (come back in 300 seconds): defer" in str(
        net.journey(to=bob(net))
    )
    assert "-- checked at smtp.rcpt: greylist policy (come back in 300 seconds): defer" in net.transcript()


# What was found is told to those as well who get it later --------------------------------------------


def results_of(mail):
    return [value for value in mail.headers.all("Authentication-Results") if "mx1.example.org" in value]


@pytest.mark.parametrize(
    "wait",
    [
        {"helo": {"not_fqdn": "delay"}, "delay": minutes(30)},
        {"greylist": minutes(5)},
    ],
    ids=["delayed by policy", "greylisted"],
)
def test_mail_that_comes_late_has_its_results(net, wait):
    shop, bob = net.accounts("shop@shop.test", "bob@example.org")
    policy(net, authentication_results=True, received_spf=True, **wait)
    if "delay" in wait:
        assert send(net, helo="app") is None
    else:
        with shop.submission.smtplib() as smtp:
            smtp.sendmail(shop.address, [bob.address], MAIL)
    net.settle()
    assert bob.inbox.is_empty
    net.clock.advance(hours(1))
    mail = bob.inbox.one()
    (results,) = results_of(mail)
    assert "spf=" in results
    assert "dmarc=" in results
    assert len(mail.headers.all("Received-SPF")) == 1


@pytest.mark.parametrize("outcome", ["accept", "tag", "quarantine", "delay"])
def test_a_full_mailbox_gets_what_it_would_have_got_at_once(net, outcome):
    """Fields, tag and the mailbox for junk; what is changed on the way elsewhere is not changed for it."""
    ann, bob = net.accounts("ann@example.org", "bob@example.org")
    net.find_host("mx1.example.org").configure(alters={"footer"})
    policy(
        net,
        authentication_results=True,
        helo={"not_fqdn": outcome},
        subject_tag="[ODD]",
        delay=minutes(30),
    )
    bob.configure(quota=10)
    with client(net, helo="app") as smtp:
        assert smtp.sendmail("shop@shop.test", [ann.address, bob.address], MAIL) == {}
    net.clock.advance(hours(1))
    bob.configure(quota=-1)
    net.clock.advance(days(1))
    where = "Junk" if outcome == "quarantine" else "INBOX"
    mine, other = (each.folder(where).one() for each in (bob, ann))
    assert len(results_of(mine)) == 1
    assert mine.headers.all("Authentication-Results") == other.headers.all("Authentication-Results")
    assert mine.subject == other.subject == ("[ODD] Hello" if outcome == "tag" else "Hello")
    assert mine.text == other.text
