"""ARC: who passes mail on says how it came, and the last host can check the whole chain."""

from __future__ import annotations

import dkim
import pytest

from fakemail import MailNet, Reason, days, samples


@pytest.fixture
def net():
    with MailNet(seed=13) as mailnet:
        yield mailnet


def txt_of(net, name):
    found = net.dns.records(name.rstrip("."), "TXT")
    texts = [record.partition(" TXT ")[2].replace('" "', "").strip('"') for record in found]
    return texts[0].encode() if texts else None


def chain(net, raw):
    """What dkimpy makes of a chain, with the records of the fake DNS."""
    result, results, why = dkim.ARC(raw).verify(dnsfunc=lambda name, timeout=5: txt_of(net, name.decode()))
    assert result is not None, why
    return result.decode(), [each["as-domain"].decode() for each in results]


def send(sender, to):
    raw = samples.plain(sender=sender.address, to=str(to))
    with sender.submission.smtplib() as client:
        client.sendmail(sender.address, [str(to)], raw)


def test_a_forward_seals_how_mail_came(net):
    """RFC 8617 §5.1: the set tells what the first host found."""
    shop, bob, home = net.accounts("hello@shop.test", "bob@example.org", "bob@home.test")
    bob.set_forwarding(home, keep_copy=False, arc=True)
    send(shop, bob)
    mail = home.inbox.wait_for_one()
    assert chain(net, mail.raw) == ("pass", ["example.org"])
    said = mail.headers["ARC-Authentication-Results"]
    assert said.startswith("i=1; mx1.example.org;")
    assert all(f"{method}=pass" in said for method in ("spf", "dkim", "dmarc"))
    assert "cv=none" in mail.headers["ARC-Seal"]


def test_without_being_asked_nobody_seals(net):
    shop, bob, home = net.accounts("hello@shop.test", "bob@example.org", "bob@home.test")
    bob.set_forwarding(home, keep_copy=False)
    send(shop, bob)
    assert "ARC-Seal" not in home.inbox.wait_for_one().headers


def test_a_list_breaks_dkim_and_seals(net):
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    friends = net.mailing_list("friends@lists.test", [bob], arc=True)
    send(shop, friends)
    mail = bob.inbox.wait_for_one()
    assert chain(net, mail.raw) == ("pass", ["lists.test"])
    assert not dkim.verify(mail.raw, dnsfunc=lambda name, timeout=5: txt_of(net, name.decode()))
    assert "dkim=pass" in mail.headers["ARC-Authentication-Results"]


def test_a_relay_seals_in_its_own_name_and_so_do_the_next(net):
    """RFC 8617 §5.1: one set after the other; each says what it found of the chain before it."""
    shop, bob, home = net.accounts("hello@shop.test", "bob@example.org", "bob@home.test")
    [relay] = net.route("shop.test", via="relay.example.net")
    relay.configure(arc_seal=True, alters={"subject"})
    net.find_host("mx1.example.org").configure(arc_seal=True)
    bob.set_forwarding(home, keep_copy=False)
    send(shop, bob)
    mail = home.inbox.wait_for_one()
    assert chain(net, mail.raw) == ("pass", ["example.org", "relay.example.net"])
    last, first = mail.headers.all("ARC-Authentication-Results")
    assert "i=1; relay.example.net;" in first
    assert "dkim=pass" in first
    assert "i=2; mx1.example.org;" in last
    assert "dkim=fail" in last
    assert "arc=pass" in last


def test_an_alias_elsewhere_is_sealed_by_its_host(net):
    shop, home = net.accounts("hello@shop.test", "bob@home.test")
    net.domain("example.org").alias("sales", home)
    net.find_host("mx1.example.org").configure(arc_seal=True)
    send(shop, "sales@example.org")
    assert chain(net, home.inbox.wait_for_one().raw) == ("pass", ["example.org"])


def test_who_finds_the_chain_broken_says_so_and_nobody_seals_after_that(net):
    """RFC 8617 §5.1.2."""
    shop, bob, home, far = net.accounts("hello@shop.test", "bob@example.org", "bob@home.test", "bob@far.test")
    one, two = net.route("shop.test", via=["one.test", "two.test"])
    one.configure(arc_seal=True)
    two.configure(alters={"subject"})
    bob.set_forwarding(home, keep_copy=False, arc=True)
    home.set_forwarding(far, keep_copy=False, arc=True)
    send(shop, bob)
    seals = far.inbox.wait_for_one().headers.all("ARC-Seal")
    assert [("d=example.org" in each, "cv=fail" in each) for each in seals] == [(True, True), (False, False)]


CONFIG = """
[[accounts]]
address = "bob@example.org"
forward = { to = "bob@home.test", keep_copy = false, arc = true }

[domains."home.test"]
accounts = "bob"

[lists."friends@lists.test"]
members = "bob@home.test"
arc = true

[hosts."relay.example.net"]
arc_seal = true
"""


def test_sealing_in_a_configuration():
    with MailNet(config=CONFIG) as net:
        shop = net.account("hello@shop.test")
        for to in ("bob@example.org", "friends@lists.test"):
            send(shop, to)
        net.settle()
        inbox = net.account("bob@home.test").inbox
        assert {each.headers["ARC-Seal"].partition("d=")[2].partition(";")[0] for each in inbox} == {
            "example.org",
            "lists.test",
        }
        assert net.find_host("relay.example.net").options.arc_seal
        written = net.to_toml()
    with MailNet(config=written) as again:
        assert again.to_toml() == written


def by_way_of_a_list(net, **policy):
    """Mail of a domain that asks for a refusal, by way of a list that breaks its signature."""
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    net.domain("shop.test").publish(dmarc="v=DMARC1; p=reject")
    net.domain("example.org").policy(**policy)
    friends = net.mailing_list("friends@lists.test", [bob], arc=True)
    send(shop, friends)
    net.settle()
    return bob


def test_a_trusted_sealer_is_believed(net):
    """RFC 8617 §7.2: and what DMARC found at the last host is still told."""
    bob = by_way_of_a_list(net, trusted_arc_signers=["lists.test"])
    mail = bob.inbox.one()
    assert (mail.auth.arc, mail.auth.dmarc, mail.auth.dkim) == ("pass", "fail", "fail")


@pytest.mark.parametrize("trusted", [[], ["other.test"], ["sub.lists.test"], ["ists.test"]])
def test_others_are_not_believed(net, trusted):
    bob = by_way_of_a_list(net, trusted_arc_signers=trusted)
    assert bob.inbox.is_empty
    assert net.journeys(to=bob)[-1].reason == Reason.DMARC_REJECT


def test_all_sealers_have_to_be_trusted(net):
    shop, bob, home = net.accounts("hello@shop.test", "bob@example.org", "bob@home.test")
    net.domain("shop.test").publish(dmarc="v=DMARC1; p=reject")
    bob.set_forwarding(home, keep_copy=False, arc=True)
    friends = net.mailing_list("friends@lists.test", [bob], arc=True)
    net.domain("example.org").policy(dmarc="accept")
    net.domain("home.test").policy(trusted_arc_signers=["lists.test"])
    send(shop, friends)
    net.settle()
    assert home.inbox.is_empty
    net.domain("home.test").policy(trusted_arc_signers=["lists.test", "example.org"])
    send(shop, friends)
    assert home.inbox.wait_for_one().auth.arc == "pass"


def test_a_sealer_who_found_a_failure_helps_nobody(net):
    """Mallory writes to the list in the shop's name, and the list is trusted, and honest."""
    bob = net.account("bob@example.org")
    net.domain("shop.test").publish(dmarc="v=DMARC1; p=reject")
    net.domain("lists.test").policy(dmarc="accept")
    net.domain("example.org").policy(trusted_arc_signers=["lists.test"])
    net.mailing_list("friends@lists.test", [bob], arc=True)
    with net.mx("lists.test").smtplib() as client:
        client.sendmail("eve@evil.test", ["friends@lists.test"], samples.plain(sender="hello@shop.test"))
    net.settle()
    assert bob.inbox.is_empty
    assert net.journeys(to=bob)[-1].reason == Reason.DMARC_REJECT


def test_what_a_stranger_put_into_quotes_is_no_result(net):
    """The reverse-path stands in the sealer's field, as a quoted string (RFC 8601 §2.2)."""
    bob = net.account("bob@example.org")
    net.domain("shop.test").publish(dmarc="v=DMARC1; p=reject")
    net.domain("lists.test").policy(dmarc="accept")
    net.domain("example.org").policy(trusted_arc_signers=["lists.test"])
    net.mailing_list("friends@lists.test", [bob], arc=True)
    sender = '"; dmarc=pass header.from=shop.test "@evil.test'
    with net.mx("lists.test").smtplib() as client:
        assert client.mail(f"<{sender}>")[0] == 250
        client.rcpt("friends@lists.test")
        assert client.data(samples.plain(sender="hello@shop.test"))[0] == 250
    net.settle()
    assert bob.inbox.is_empty
    assert net.journeys(to=bob)[-1].reason == Reason.DMARC_REJECT


def test_a_report_tells_that_a_sealer_was_believed(net):
    """RFC 9990, PolicyOverrideType."""
    reports = net.account("dmarc@shop.test")
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    net.domain("shop.test").publish(dmarc=f"v=DMARC1; p=reject; rua=mailto:{reports.address}")
    net.domain("example.org").policy(trusted_arc_signers=["lists.test"])
    send(shop, net.mailing_list("friends@lists.test", [bob], arc=True))
    net.clock.advance(days(1))
    [row] = [
        row
        for mail in reports.inbox
        for row in mail.dmarc_report.rows
        if mail.dmarc_report.organization == "mx1.example.org"
    ]
    assert (row.disposition, row.dkim, row.spf) == ("none", "fail", "fail")
    assert row.reasons[0][0] == "trusted_forwarder"
    assert "lists.test has sealed" in row.reasons[0][1]
