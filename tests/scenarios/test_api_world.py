"""A world as a test declares and changes it, with the standard library's client as the app."""

from __future__ import annotations

import asyncio
import smtplib
import socket
from base64 import b64encode

import pytest

from fakemail import (
    AsyncAccount,
    AsyncInbox,
    BlockingCallInLoop,
    Bounced,
    ClosedError,
    DeclarationError,
    Delivered,
    HasText,
    MailAssertionError,
    MailNet,
    Queued,
    Reason,
    Refused,
    Reply,
    SentBy,
    Stage,
    UnknownNameError,
    samples,
)
from fakemail.events.kinds import Handshake
from fakemail.model.host import HostOptions


@pytest.fixture
def net():
    with MailNet(seed=7) as mailnet:
        yield mailnet


def send(settings, sender, *recipients, content=b"Subject: Hi\r\n\r\nHello\r\n"):
    with settings.smtplib() as client:
        return client.sendmail(sender, list(recipients), content)


def test_every_host_has_an_address_of_its_own_in_dns_and_on_loopback(net):
    first, second = net.domain("example.org").set_mx("mx1", "mx2")
    assert first.ipv4 != second.ipv4
    assert first.ipv4.startswith(("192.0.2.", "198.51.100.", "203.0.113."))
    assert first.ipv6.startswith("2001:db8:")
    ours = [(host.settings("smtp").host, host.settings("smtp").port) for host in (first, second)]
    assert all(address.startswith("127.") for address, _ in ours)
    assert ours[0][0] != ours[1][0]
    for (address, port), host in zip(ours, (first, second), strict=True):
        with smtplib.SMTP(address, port) as client:
            assert client.ehlo()[1].decode().startswith(host.name), "each answers at its own address"
    answer = net.dns.resolver().resolve("example.org", "MX")
    assert sorted((mx.preference, str(mx.exchange)) for mx in answer) == [
        (10, "mx1.example.org."),
        (20, "mx2.example.org."),
    ]
    assert net.dns.resolver().resolve("mx2.example.org", "A")[0].address == second.ipv4
    reverse = net.dns.resolver().resolve_address(second.ipv4)
    assert str(reverse[0].target) == "mx2.example.org."


def test_a_domain_that_nobody_declared_does_not_exist(net):
    net.account("bob@example.org")
    send(net.submission, "me@anywhere.example", "x@nowhere.test")
    net.settle()
    journey = net.journey(to="x@nowhere.test")
    assert journey.fate == Bounced(Stage.ROUTE, None, Reason.NO_SUCH_DOMAIN)
    assert net.dns.queries(name="nowhere.test", type="MX").one().answer == "NXDOMAIN"


def test_null_mx_takes_no_mail(net):
    net.domain("silent.test").set_mx(None)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(net.submission, "me@x.example", "bob@silent.test")
    assert refused.value.recipients["bob@silent.test"][0] == 556
    assert net.journey(to="bob@silent.test").fate == Refused(
        Stage.SMTP_RCPT, Reply(556, "5.1.10"), Reason.NULL_MX
    )
    net.find_host("smtp.mailnet.example.net").configure(refuse_null_mx=False)
    send(net.submission, "me@y.example", "bob@silent.test")
    net.settle()
    late = net.journey(to="bob@silent.test", sender="me@y.example")
    assert late.reason is Reason.NULL_MX
    assert net.dns.records("silent.test", "MX") == ("silent.test. 300 IN MX 0 .",)


def test_a_domain_with_an_address_only_gets_its_mail_there(net):
    bob = net.account("bob@plain.test")
    (host,) = net.domain("plain.test").set_mx(implicit=True)
    assert net.dns.records("plain.test", "MX") == ()
    send(net.submission, "me@x.example", bob.address)
    assert bob.inbox.wait_for_one().received_by == host
    assert host.name == "plain.test"


def test_a_domain_without_mx_and_address_has_no_mail_host(net):
    assert net.domain("bare.test").set_mx() == ()
    assert net.dns.records("bare.test", "MX") == ()
    assert net.dns.records("bare.test", "A") == ()
    assert net.domain("bare.test").hosts == ()


@pytest.mark.parametrize(
    ("hosts", "options", "text"),
    [
        ((None, "mx1"), {}, "a null MX record stands alone"),
        ((None,), {"implicit": True}, "a null MX record stands alone"),
        (("mx1",), {"implicit": True}, "with MX records nothing is implicit"),
    ],
)
def test_kinds_of_mx_that_exclude_each_other(net, hosts, options, text):
    domain = net.domain("example.org")
    with pytest.raises(DeclarationError, match=text):
        domain.set_mx(*hosts, **options)
    assert net.dns.records("example.org", "MX") == ("example.org. 300 IN MX 10 mx1.example.org.",)


def test_mx_is_set_to_a_host_by_its_handle(net):
    provider = net.host("mx.provider.test", services=["smtp"])
    assert net.domain("example.org").set_mx(provider) == (provider,)


@pytest.mark.parametrize("old", ["mx_hosts", "null_mx", "no_mx", "implicit_mx"])
def test_an_old_verb_names_the_new_one(net, old):
    with pytest.raises(AttributeError, match=r"did you mean 'set_mx\("):
        getattr(net.domain("example.org"), old)


def test_all_there_are_come_in_the_order_of_declaration(net):
    bob = net.account("bob@zebra.test")
    ann, eve = net.accounts("ann@apple.test", "eve@zebra.test")
    relay = net.host("relay.middle.test")
    net.submission.smtplib().close()  # its own machinery is not among them
    assert net.accounts() == (bob, ann, eve)
    assert [domain.name for domain in net.domains()] == ["zebra.test", "apple.test"]
    assert [domain.accounts() for domain in net.domains()] == [(bob, eve), (ann,)]
    assert [host.name for host in net.hosts()] == [
        "mx1.zebra.test",
        "smtp.zebra.test",
        "mx1.apple.test",
        "smtp.apple.test",
        relay.name,
    ]
    assert net.accounts()[0] is bob


def test_folders_are_those_that_are_there(net):
    bob = net.account("bob@example.org")
    assert [folder.name for folder in bob.folders()][:2] == ["INBOX", "Sent"]
    with bob.imap.imaplib() as client:
        client.create("Bills")
        client.delete("Sent")
    bob.folder("Bills").put("Subject: Rent\n\n100\n")
    assert bob.folders()[0] == bob.inbox
    assert [folder.name for folder in bob.folders()][-1] == "Bills"
    assert "Sent" not in [folder.name for folder in bob.folders()]
    assert [folder.name for folder in bob.folders() if folder] == ["Bills"]


def test_the_other_face_walks_with_handles_of_its_own(net):
    bob = net.account("bob@example.org")
    (other,) = net.as_async().accounts()
    assert isinstance(other, AsyncAccount)
    assert other == bob
    assert [type(each) for each in other.domain.accounts()] == [AsyncAccount]
    assert {type(each) for each in other.folders()} == {AsyncInbox}
    assert [type(each) for each in net.as_async().domains()[0].accounts()] == [AsyncAccount]
    assert isinstance(net.as_async().domain("example.org").account("eve"), AsyncAccount)
    assert net.hosts() == net.as_async().hosts()


def test_a_transcript_has_two_orders(net):
    with net.domain("example.org").mx.smtplib() as client:
        client.noop()
    assert "NOOP" in net.transcript(order="time").upper()
    assert net.transcript() == net.transcript(order="connection") != net.transcript(order="time")
    with pytest.raises(
        DeclarationError, match="there is no order 'tme' of a transcript; did you mean 'time'"
    ):
        net.transcript(order="tme")
    with pytest.raises(TypeError, match="'in_time'; did you mean 'order'"):
        net.transcript(in_time=True)


def test_the_second_mail_host_takes_over_when_the_first_is_switched_off(net):
    bob = net.account("bob@example.org")
    first, second = net.domain("example.org").set_mx("mx1", "mx2")
    first.stop()
    send(net.submission, "me@x.example", bob.address)
    assert bob.inbox.wait_for_one().received_by == second
    net.settle()
    journey = net.journey(to=bob)
    # Both addresses of the first host, then the second.
    assert [(attempt.mail_host, attempt.reason) for attempt in journey.attempts] == [
        ("mx1.example.org", Reason.CONNECTION_REFUSED),
        ("mx1.example.org", Reason.CONNECTION_REFUSED),
        ("mx2.example.org", None),
    ]
    first.start()
    send(net.submission, "me@x.example", bob.address)
    assert bob.inbox.wait_for_count(2)[1].received_by == first


def test_nobody_can_be_reached(net):
    net.account("bob@example.org")
    net.find_host("mx1.example.org").stop()
    send(net.submission, "me@x.example", "bob@example.org")
    net.settle()
    assert net.journey(to="bob@example.org").fate == Queued(None, Reason.CONNECTION_REFUSED)


def test_a_stopped_host_really_refuses_connections(net):
    net.account("bob@example.org")
    settings = net.mx("example.org")
    settings.server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((settings.host, settings.port), timeout=5)


def test_aliases_detail_and_catch_all_find_the_account(net):
    ann, bob = net.accounts("ann@example.org", "bob@example.org")
    domain = net.domain("example.org").alias("team", ann, bob).catch_all(bob)
    send(domain.mx, "me@x.example", "team@example.org", "Bob+news@example.org", "whoever@example.org")
    assert len(ann.inbox) == 1
    assert len(bob.inbox) == 1, "one copy, although three recipients lead to the same mailbox"
    assert [str(address) for address in bob.inbox.one().envelope.addresses] == [
        "team@example.org",
        "Bob+news@example.org",
        "whoever@example.org",
    ]


def test_the_envelope_decides_who_gets_it_and_not_the_header(net):
    ann, bob, eve = net.accounts("ann@example.org", "bob@example.org", "eve@shop.test")
    content = f"From: me@x.example\r\nTo: {ann}\r\nCc: {eve}\r\nBcc: {eve}\r\nSubject: Hi\r\n\r\nHello\r\n"
    for smtp in (net.mx("example.org"), net.submission):
        send(smtp, "me@x.example", bob.address, content=content.encode())
    net.settle()
    assert [mail.to for mail in bob.inbox] == [[ann.address]] * 2
    assert ann.inbox.is_empty
    assert eve.inbox.is_empty
    assert {str(journey.recipient) for journey in net.journeys()} == {bob.address}


def test_an_alias_to_another_domain_goes_on_by_smtp(net):
    net.domain("example.org").alias("bob", "bob@shop.test")
    bob = net.account("bob@shop.test")
    send(net.mx("example.org"), "me@x.example", "bob@example.org")
    mail = bob.inbox.wait_for_one()
    assert mail.received_by.name == "mx1.shop.test"
    assert len(mail.headers.all("Received")) == 2


def test_an_alias_loop_over_two_domains_ends(net):
    net.account("someone@b.test")
    net.domain("b.test").catch_all("someone@b.test")
    net.domain("a.test").alias("x", "x@b.test")
    net.domain("b.test").alias("x", "x@a.test")
    for name in ("mx1.a.test", "mx1.b.test"):
        net.find_host(name).configure(max_hops=10)
    send(net.mx("a.test"), "me@x.example", "x@a.test")
    net.settle(timeout=30)
    refusals = [event for event in net.events(Stage.SMTP_END) if event.reason is Reason.MAIL_LOOP]
    assert [event.reply for event in refusals] == [Reply(554, "5.4.6")]


def test_postmaster_takes_mail_without_being_declared(net):
    net.domain("example.org")
    assert send(net.mx("example.org"), "me@x.example", "postmaster", "Postmaster@example.org") == {}
    assert len(net.account("postmaster@example.org").inbox) == 1


def test_a_disabled_account_takes_no_mail_and_cannot_log_in(net):
    bob = net.account("bob@example.org")
    bob.configure(disabled=True)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(net.mx("example.org"), "me@x.example", bob.address)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        bob.submission.smtplib()


def test_no_relaying_for_strangers(net):
    net.account("bob@example.org")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(net.mx("example.org"), "me@x.example", "ann@elsewhere.test")
    assert refused.value.recipients["ann@elsewhere.test"][0] == 550
    journey = net.journey(to="ann@elsewhere.test")
    assert journey.fate == Refused(Stage.SMTP_RCPT, Reply(550, "5.7.1"), Reason.RELAY_DENIED)


def test_a_relay_passes_mail_on(net):
    bob = net.account("bob@example.org")
    relay = net.host("relay.example.net", services=["smtp"], relay_for=["example.org"])
    send(relay.settings("smtp"), "me@x.example", bob.address)
    assert bob.inbox.wait_for_one().received_by.name == "mx1.example.org"
    net.settle()
    journey = net.journey(to=bob)
    assert [hop.host for hop in journey.hops] == ["relay.example.net", "mx1.example.org"]
    assert journey.fate == Delivered(to=journey.recipient)


def test_submission_wants_the_senders_own_address(net):
    shop = net.account("hello@shop.test")
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(shop.submission, "boss@shop.test", "bob@example.org")
    assert refused.value.smtp_code == 553
    shop.configure(may_send_as=["boss@shop.test"])
    send(shop.submission, "boss@shop.test", "bob@example.org")
    send(shop.submission, "hello+news@shop.test", "bob@example.org")


def test_submission_can_be_relaxed(net):
    shop = net.account("hello@shop.test")
    shop.submission.server.configure(require_auth=False, own_senders_only=False)
    with smtplib.SMTP(shop.submission.host, shop.submission.port) as client:
        assert client.sendmail("anybody@else.test", ["bob@example.org"], b"x: y\r\n\r\n") == {}


def test_the_ready_smarthost_sends_as_anybody_and_takes_every_login(net):
    bob = net.account("bob@example.org")
    send(net.submission, "anyone@at-all.example", bob.address)
    send(net.submissions, "anyone@at-all.example", bob.address)
    assert len(bob.inbox.wait_for_count(2)) == 2
    with smtplib.SMTP(net.submission.host, net.submission.port) as client:
        client.starttls(context=net.ssl_context)
        client.login(bob.address, bob.password)


def test_keywords_and_mechanisms_can_be_hidden(net):
    shop = net.account("hello@shop.test")
    host = shop.submission.server.configure(hide={"PIPELINING", "AUTH=LOGIN", "DSN"})
    with shop.submission.smtplib() as client:
        assert not client.has_extn("pipelining")
        assert "LOGIN" not in client.esmtp_features["auth"]
        assert client.mail(shop.address, ["RET=FULL"])[0] == 555
    assert host.options.hide == frozenset({"PIPELINING", "AUTH=LOGIN", "DSN"})


def test_an_unknown_trait_names_the_nearest(net):
    net.domain("example.org")
    with pytest.raises(DeclarationError, match="no option 'max_recipient'; did you mean 'max_recipients'"):
        net.find_host("mx1.example.org").configure(max_recipient=5)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"hide": "STARTTSL"}, "there is no 'STARTTSL' to hide; did you mean 'STARTTLS'"),
        ({"hide": ["AUTH=SCRAMM"]}, "there is no 'AUTH=SCRAMM' to hide; "),
        ({"hide": {"PLAIN"}}, "there is no 'PLAIN' to hide; did you mean 'AUTH=PLAIN'?"),
        ({"hide": {"XYZZY"}}, "there is no 'XYZZY' to hide; EHLO keywords, "),
        ({"hide": 5}, "'hide' must be a list of strings, not 5."),
        ({"hide": [b"DSN"]}, r"'hide' must be a list of strings, not \[b'DSN'\]."),
        ({"max_recipients": "3"}, "'max_recipients' must be a whole number from 0 up, not '3'."),
        ({"max_hops": None}, "'max_hops' must be a whole number from 0 up, not None."),
        ({"idle_timeout": -1}, "'idle_timeout' must be a number from 0 up, not -1."),
        ({"login_delay": "x"}, "'login_delay' must be a whole number from 0 up, not 'x'."),
        ({"require_tls": 1}, "'require_tls' must be true or false, not 1."),
    ],
)
def test_a_trait_that_cannot_be_changes_nothing(net, changes, text):
    net.domain("example.org")
    host = net.find_host("mx1.example.org")
    with pytest.raises(DeclarationError, match=f"host 'mx1.example.org': {text}"):
        host.configure(max_errors=3, **changes)
    assert host.options == HostOptions()


def test_what_is_hidden_has_no_case(net):
    net.domain("example.org")
    host = net.find_host("mx1.example.org").configure(hide=("starttls", "imap4REV2", "auth=plain"))
    assert host.options.hide == {"STARTTLS", "IMAP4rev2", "AUTH=PLAIN"}
    with smtplib.SMTP(net.mx("example.org").host, net.mx("example.org").port) as client:
        client.ehlo()
        assert client.has_extn("pipelining")
        assert not client.has_extn("starttls")


def test_what_is_hidden_in_a_configuration_is_looked_up_as_well():
    with pytest.raises(DeclarationError, match=r"line 2: .*no 'DNS' to hide; did you mean 'DSN'"):
        MailNet(config='[hosts."mx.example.org"]\nhide = ["DNS"]').start()


def test_a_refused_handshake_is_recorded_with_who_refused(net):
    import ssl

    shop = net.account("hello@shop.test")
    with (
        smtplib.SMTP(shop.submission.host, shop.submission.port) as client,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        client.starttls(context=ssl.create_default_context())
    handshake = net.wait_for(Stage.TLS_HANDSHAKE).one()
    assert isinstance(handshake, Handshake)
    assert (handshake.refused_by, handshake.alert) == ("client", "unknown_ca")
    assert net.events(Stage.SMTP_AUTH) == []


def test_messages_have_their_envelope_and_their_octets(net):
    bob = net.account("bob@example.org")
    content = b"From: a@x.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n..dots\r\n.\r\n\x00nul\r\n"
    with net.mx("example.org").smtplib() as client:
        assert client.mail("<>")[0] == 250
        assert client.rcpt(bob.address, ["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;Bob+40Old.example"])[0] == 250
        assert client.data(content)[0] == 250
    mail = bob.inbox.one()
    assert mail.raw.endswith(content)
    assert mail.raw.startswith(b"Return-Path: <>\r\nReceived: from ")
    assert repr(mail.envelope.sender) == "NULL_PATH"
    (recipient,) = mail.envelope.recipients
    assert recipient.notify == ("FAILURE", "DELAY")
    assert recipient.original == "rfc822;Bob@Old.example"
    assert mail.subject == "Grüße"
    assert mail.tls == "TLSv1.3"


def test_matchers_pick_the_message_that_is_meant(net):
    bob = net.account("bob@example.org")
    for name, text in (("a@x.example", "one"), ("b@x.example", "two"), ("a@x.example", "three")):
        bob.inbox.put(samples.plain(sender=name, to=bob, subject=text, text=f"number {text}"))
    assert bob.inbox.wait_for_one(matching=HasText("number two") & SentBy("b@x.example")).subject == "two"
    assert bob.inbox.wait_for_one(subject="three", sender="a@x.example").subject == "three"
    with pytest.raises(MailAssertionError, match="found:  2 that fit"):
        bob.inbox.wait_for_one(sender="a@x.example")
    assert len(bob.inbox.wait_for_count(2, matching=SentBy("a@x.example"))) == 2


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("_dmarc.new.test", "new.test"),
        ("s._domainkey.new.test", "new.test"),
        ("*.new.test", "new.test"),
        ("www.new.test", "www.new.test"),
    ],
)
def test_a_record_in_no_zone_makes_the_zone_of_a_host_or_domain(net, name, zone):
    net.dns.add(name, "TXT", "x")
    assert net.dns.records(zone, "SOA")


def test_a_wildcard_counts_for_names_that_nobody_has_declared(net):
    net.dns.add("*.new.test", "TXT", "v=spf1 -all")
    [found] = net.dns.resolver().resolve("any.new.test", "TXT")
    assert found.strings == (b"v=spf1 -all",)


def test_dns_can_be_changed_while_it_runs(net):
    net.domain("example.org")
    resolver = net.dns.resolver()
    net.dns.add("example.org", "TXT", "x" * 700)
    net.dns.add("new.test", "A", "192.0.2.99")
    net.dns.zone_text('$TTL 60\n@ IN CAA 0 issue "ca.test"\n_sip._tcp SRV 1 2 3 host\n', origin="example.org")
    texts = [b"".join(each.strings) for each in resolver.resolve("example.org", "TXT")]
    assert b"x" * 700 in texts
    assert resolver.resolve("new.test", "A")[0].address == "192.0.2.99"
    assert str(resolver.resolve("_sip._tcp.example.org", "SRV")[0].target) == "host.example.org."
    net.dns.replace("new.test", "A", "192.0.2.98")
    assert resolver.resolve("new.test", "A")[0].address == "192.0.2.98"
    net.dns.remove("new.test", "A")
    assert [query.answer for query in net.dns.queries(name="new.test")] == ["NOERROR", "NOERROR"]


def test_published_policies_replace_the_default_ones(net):
    domain = net.domain("shop.test")
    domain.publish(spf="v=spf1 -all", dmarc="")
    assert net.dns.records("shop.test", "TXT") == ('shop.test. 300 IN TXT "v=spf1 -all"',)
    assert net.dns.records("_dmarc.shop.test", "TXT") == ()


def test_two_worlds_share_nothing():
    with MailNet() as first, MailNet() as second:
        bob = first.account("bob@example.org")
        send(first.mx("example.org"), "me@x.example", bob.address)
        assert len(bob.inbox) == 1
        assert second.account("bob@example.org").inbox.is_empty
        assert list(second.events(Stage.SMTP_MAIL)) == []


def test_one_seed_gives_one_world():
    def play(seed):
        with MailNet(seed=seed) as net:
            bob = net.account("bob@example.org")
            send(net.mx("example.org"), "me@x.example", bob.address)
            return bob.password, bob.inbox.one().queue_id

    assert play(1) == play(1) != play(2)


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (lambda net: net.account("no-at-sign"), "'no-at-sign' is not an address: there is no '@' in it"),
        (lambda net: net.account("a@b.test", password="two\nlines"), "the password has a line feed in it"),
        (
            lambda net: net.mx("exmaple.org"),
            "no domain 'exmaple.org' is declared; did you mean 'example.org'?",
        ),
        (
            lambda net: net.host("x.test", ipv4="8.8.8.8"),
            "8.8.8.8 is outside the ranges of the fake internet",
        ),
        (lambda net: net.host("x.test", services=["smpt"]), "no service 'smpt'; did you mean 'smtp'"),
        (lambda net: net.domain("example.org").set_mx("mx.typo.test"), "'mx.typo.test' is not declared"),
        (lambda net: net.dns.add("example.org", "MX", "mx1"), "record example.org MX"),
    ],
)
def test_a_wrong_world_is_refused_with_what_where_and_the_nearest_name(net, declare, text):
    net.domain("example.org")
    with pytest.raises(DeclarationError) as refused:
        declare(net)
    assert text in str(refused.value)


def test_two_hosts_cannot_have_one_address(net):
    first = net.host("one.test")
    with pytest.raises(DeclarationError, match=r"is the address of 'one\.test' already"):
        net.host("two.test", ipv4=first.ipv4)


def test_unknown_names_are_lookup_errors_too(net):
    with pytest.raises(UnknownNameError):
        net.find_host("nope.test")
    with pytest.raises(LookupError):
        net.mx("nope.test")


def test_a_closed_world_says_so():
    with MailNet() as net:
        pass
    with pytest.raises(ClosedError, match="use it inside its 'with' block"):
        net.account("bob@example.org")


def test_a_blocking_wait_inside_an_event_loop_names_the_other_verb(net):
    import asyncio

    bob = net.account("bob@example.org")

    async def wait():
        bob.inbox.wait_for_one()

    with pytest.raises(BlockingCallInLoop, match=r"await \.\.\.wait_for_one\(\)"):
        asyncio.run(wait())


def test_the_text_of_a_failed_wait_tells_what_came_closest(net):
    ann, bob = net.accounts("ann@example.org", "bob@example.org")
    mail = samples.plain(sender="shop@x.example", to=ann, subject="Welcome")
    send(net.mx("example.org"), "shop@x.example", ann.address, content=mail)
    bob.inbox.put(samples.plain(sender="shop@x.example", to=bob, subject="Goodbye"))
    with pytest.raises(MailAssertionError) as failed:
        bob.inbox.wait_for_one(subject="Welcome", timeout=0.01)
    text = str(failed.value)
    assert "wanted: a message to bob@example.org with HasSubject('Welcome') within 0.01 s" in text
    assert "subject is 'Goodbye', not 'Welcome'" in text
    assert "close:  what fits, but is in another mailbox" in text
    assert "in INBOX of ann@example.org" in text
    assert "the journey to ann@example.org (none went to bob@example.org)" in text
    assert "again:  MailNet(seed=7)" in text


def test_an_export_has_a_line_for_each_event_and_no_secret(net):
    import json

    password = "correct horse battery"
    shop = net.account("hello@shop.test", password=password)
    send(shop.submission, shop.address, "bob@example.org")
    # What send() chooses keeps the password to itself; these two tell it, in base64 (RFC 4954 §4).
    secrets = [b64encode(text.encode()).decode() for text in (f"\0{shop.address}\0{password}", password)]
    with smtplib.SMTP(shop.submission.host, shop.submission.port) as client:
        client.starttls(context=net.ssl_context)
        client.ehlo()
        assert client.docmd("AUTH", f"PLAIN {secrets[0]}")[0] == 235
    with smtplib.SMTP(shop.submission.host, shop.submission.port) as client:
        client.starttls(context=net.ssl_context)
        client.ehlo()
        assert client.docmd("AUTH", f"LOGIN {b64encode(shop.address.encode()).decode()}")[0] == 334
        assert client.docmd(secrets[1])[0] == 235
    net.settle()
    lines = [json.loads(line) for line in net.export().splitlines()]
    assert len(lines) == len(net.events())
    assert {"connect", "dns.query", "smtp.rcpt", "tls.handshake"} <= {line["stage"] for line in lines}
    told = net.export() + net.transcript() + repr(net.events())
    assert "AUTH PLAIN ***" in told
    assert not [secret for secret in (password, *secrets) if secret in told]


def test_waiting_for_what_does_not_happen_tells_what_did(net):
    bob = net.account("bob@example.org")
    send(net.mx("example.org"), "me@x.example", bob.address)
    with pytest.raises(MailAssertionError) as failed:
        net.wait_for(Stage.SMTP_AUTH, timeout=0.01)
    assert "wanted: 1 events at smtp.auth within 0.01 s\nfound:  0\nlast:   " in str(failed.value)


def test_settled_and_empty_means_that_nothing_comes(net):
    go_on = asyncio.Event()

    class Slow:
        async def handle_RCPT(self, server, session, envelope, address, options):
            await go_on.wait()
            envelope.rcpt_tos.append(address)
            return "250 2.1.5 OK"

    ann, bob = net.accounts("ann@example.org", "bob@example.org")
    net.mx("example.org").server.attach_handler(Slow())
    send(net.submission, "me@x.example", bob.address, content=b"Subject: Surprise\r\n\r\nHello\r\n")
    bob.inbox.expect_empty()  # which says nothing as long as the mail is on its way
    with pytest.raises(MailAssertionError, match=r"did not become quiet within 0\.05 s"):
        net.settle(timeout=0.05)
    net._portal.call(go_on.set)
    net.settle()
    ann.inbox.expect_empty()
    with pytest.raises(MailAssertionError, match="wanted: nothing in INBOX of bob@example") as failed:
        bob.inbox.expect_empty()
    assert "'Surprise'" in str(failed.value)


def test_nothing_but_loopback_can_be_attached(net):
    with pytest.raises(DeclarationError, match=r"192\.0\.2\.1 is not on loopback"):
        net.add_external_host("mx.real.test", "192.0.2.1", 25)
    with pytest.raises(DeclarationError, match="no service 'smpt'; did you mean 'smtp'"):
        net.add_external_host("mx.real.test", "127.0.0.1", 25, service="smpt")
    host = net.add_external_host("mx.real.test", "127.0.0.1", 2525)
    assert (host.settings("smtp").host, host.settings("smtp").port) == ("127.0.0.1", 2525)
