"""Hosts remember what DNS told them, on the clock of the fake internet; and no test is surprised by it."""

from __future__ import annotations

import pytest

from fakemail import Bounced, Delivered, MailNet, Queued, Reason, days, minutes, seconds
from fakemail.errors import DeclarationError
from fakemail.events.kinds import Attempt

SENDER = "smtp.shop.test"


@pytest.fixture
def shop(mailnet):
    return mailnet.account("hello@shop.test")


@pytest.fixture
def bob(mailnet):
    return mailnet.account("bob@example.org")


def send(mailnet, shop, to, subject="x"):
    with shop.submission.smtplib() as client:
        client.sendmail(shop.address, [to], f"Subject: {subject}\r\n\r\ny\r\n")
    mailnet.settle()


def asked(mailnet, name, type="MX"):
    return len([query for query in mailnet.dns.queries(name=name, type=type) if query.client.name == SENDER])


def tried(mailnet):
    return [event.mail_host for event in mailnet.events() if isinstance(event, Attempt)]


def test_what_is_known_is_not_asked_for_again(mailnet, shop, bob):
    for _ in range(3):
        send(mailnet, shop, bob.address)
    assert (asked(mailnet, "example.org"), asked(mailnet, "mx1.example.org", "A")) == (1, 1)
    assert len(bob.inbox) == 3


def test_it_is_asked_for_again_when_its_time_is_over_on_the_clock(mailnet, shop, bob):
    send(mailnet, shop, bob.address)
    mailnet.clock.advance(seconds(299))
    send(mailnet, shop, bob.address)
    assert asked(mailnet, "example.org") == 1
    mailnet.clock.advance(seconds(1))
    send(mailnet, shop, bob.address)
    assert asked(mailnet, "example.org") == 2


def test_a_change_is_seen_at_once(mailnet, shop, bob):
    send(mailnet, shop, bob.address)
    mailnet.domain("example.org").set_mx("mx9")
    send(mailnet, shop, bob.address)
    assert tried(mailnet) == ["mx1.example.org", "mx9.example.org"]


def test_a_host_that_holds_on_tries_the_old_mail_host_until_the_time_is_over(mailnet, shop, bob):
    mailnet.host(SENDER).configure(dns_cache="for_ttl")
    send(mailnet, shop, bob.address, "before")
    old = mailnet.host("mx1.example.org")
    mailnet.domain("example.org").set_mx("mx9")
    old.stop()
    send(mailnet, shop, bob.address, "moved")
    assert set(tried(mailnet)) == {"mx1.example.org"}
    assert mailnet.queue.one().reason is Reason.CONNECTION_REFUSED
    mailnet.clock.advance(minutes(5))  # the TTL of the record, and the first retry
    assert tried(mailnet)[-1] == "mx9.example.org"
    assert asked(mailnet, "example.org") == 2
    told = str(mailnet.journey(to=bob, subject="moved"))
    assert "looked up example.org: mx1.example.org (as it remembers)" in told
    assert "looked up example.org: mx9.example.org\n" in told
    assert [message.subject for message in bob.inbox] == ["before", "moved"]


def test_a_host_that_holds_on_does_not_see_a_domain_that_is_new(mailnet, shop):
    mailnet.host(SENDER).configure(dns_cache="for_ttl")
    send(mailnet, shop, "eve@new.test")
    eve = mailnet.account("eve@new.test")
    send(mailnet, shop, eve.address, "too early")
    assert isinstance(mailnet.journey(to=eve, subject="too early").fate, Bounced)
    mailnet.clock.advance(minutes(1))  # what a zone says of what is not there, RFC 2308 §5
    send(mailnet, shop, eve.address, "in time")
    assert isinstance(mailnet.journey(to=eve, subject="in time").fate, Delivered)


def test_a_domain_that_is_new_is_seen_at_once(mailnet, shop):
    send(mailnet, shop, "eve@new.test")
    eve = mailnet.account("eve@new.test")
    send(mailnet, shop, eve.address, "now")
    assert isinstance(mailnet.journey(to=eve, subject="now").fate, Delivered)


def test_a_host_can_ask_each_time(mailnet, shop, bob):
    mailnet.host(SENDER).configure(dns_cache="off")
    for _ in range(3):
        send(mailnet, shop, bob.address)
    assert asked(mailnet, "example.org") == 3


def test_what_failed_is_asked_for_again(mailnet, shop, bob):
    mailnet.domain("example.org").enable_dnssec(flaw="bogus")  # a resolver that validates answers SERVFAIL
    send(mailnet, shop, bob.address)
    assert isinstance(mailnet.journey(to=bob).fate, Queued)
    before = asked(mailnet, "example.org")
    mailnet.clock.advance(minutes(5))
    assert asked(mailnet, "example.org") > before
    mailnet.domain("example.org").enable_dnssec()
    mailnet.clock.advance(days(1))
    assert isinstance(mailnet.journey(to=bob).fate, Delivered)


def test_who_decides_in_the_middle_of_a_session_remembers_as_well(mailnet, bob):
    internet = mailnet._portal.simulation

    def look(name="example.org", type="MX"):
        return mailnet._portal.call(lambda: internet.resolvers.resolver("mx1.example.org")(name, type).kind)

    assert [look(), look(), look(type="TLSA"), look(type="TLSA"), look("x.test"), look("x.test")] == [
        *["NOERROR"] * 2,
        *["NODATA"] * 2,
        *["NXDOMAIN"] * 2,
    ]
    assert len(mailnet.dns.queries()) == 3
    mailnet.dns.add("x.test", "MX", "10 mx1.example.org.")
    assert look("x.test") == "NOERROR"
    mailnet.host("mx1.example.org").configure(dns_cache="for_ttl")
    mailnet.dns.remove("x.test", "MX")
    assert look("x.test") == "NOERROR"
    mailnet.clock.advance(minutes(5))
    assert look("x.test") == "NODATA"


def test_habits_are_checked_and_written_down(mailnet):
    host = mailnet.host("mx1.example.org")
    with pytest.raises(DeclarationError, match="there is no 'for_tll'; did you mean 'for_ttl'"):
        host.configure(dns_cache="for_tll")
    host.configure(dns_cache="for_ttl")
    with MailNet(config=mailnet.to_toml()) as again:
        assert again.host("mx1.example.org").options.dns_cache == "for_ttl"


def test_a_fault_of_the_name_server_is_seen_at_once_and_what_it_said_is_forgotten(mailnet, shop, bob):
    send(mailnet, shop, bob.address, "before")
    with mailnet.dns.faults.nxdomain("example.org", type="MX"):
        send(mailnet, shop, bob.address, "meanwhile")
        assert isinstance(mailnet.journey(to=bob, subject="meanwhile").fate, Bounced)
    send(mailnet, shop, bob.address, "after")
    assert isinstance(mailnet.journey(to=bob, subject="after").fate, Delivered)
    send(mailnet, shop, bob.address, "again")
    assert asked(mailnet, "example.org") == 3


def test_a_host_that_holds_on_needs_no_name_server_for_a_while(mailnet, shop, bob):
    mailnet.host(SENDER).configure(dns_cache="for_ttl")
    send(mailnet, shop, bob.address)
    with mailnet.dns.faults.servfail(must_fire=False):
        send(mailnet, shop, bob.address, "from memory")
    assert isinstance(mailnet.journey(to=bob, subject="from memory").fate, Delivered)
