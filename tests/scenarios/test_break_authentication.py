"""Broken sender authentication: each way has the result that its table says, and can be mended."""

from __future__ import annotations

import pytest

from fakemail import DeclarationError, MailNet, samples
from fakemail.zones.auth_flaws import FLAWS


@pytest.fixture
def net():
    with MailNet(seed=12) as mailnet:
        yield mailnet


def state(net):
    """All that a flaw can change."""
    internet = net._portal.simulation
    zones = internet.zones
    return (
        {name: zones.records(name) for name in zones.names("shop.test")},
        {name: host.options for name, host in internet.world.hosts.items()},
        dict(internet.auth_flaws.late),
        dict(internet.auth_flaws.disguises),
        internet.world.domain("shop.test"),
    )


@pytest.mark.parametrize("flaw", FLAWS)
def test_what_is_broken_can_be_mended(net, flaw):
    net.account("hello@shop.test")
    domain = net.domain("shop.test")
    before = state(net)
    domain.add_auth_flaw(flaw)
    assert state(net) != before
    domain.clear_auth_flaws()
    assert state(net) == before


def test_several_at_once(net):
    domain = net.domain("shop.test")
    before = state(net)
    domain.add_auth_flaw("spf_two_records", "spf_missing", "body_altered", "header_altered")
    assert not any("v=spf1" in each for each in net.dns.records("shop.test", "TXT"))
    assert domain.submission_host.options.alters == {"footer", "subject"}
    domain.clear_auth_flaws()
    assert state(net) == before


def test_what_was_published_since_stays(net):
    domain = net.domain("shop.test")
    domain.add_auth_flaw("spf_missing", "dmarc_two_records", "dkim_key_revoked")
    domain.publish(spf="v=spf1 +all", dmarc="v=DMARC1; p=reject", dkim={"mail": None})
    net.dns.add("shop.test", "TXT", "site-verification=1")
    domain.clear_auth_flaws()
    assert {each.split(" ", 4)[4] for each in net.dns.records("shop.test", "TXT")} == {
        '"v=spf1 +all"',
        '"site-verification=1"',
    }
    assert [each.split(" ", 4)[4] for each in net.dns.records("_dmarc.shop.test")] == ['"v=DMARC1; p=reject"']


def test_a_record_of_something_else_does_not_keep_it_broken(net):
    domain = net.domain("shop.test")
    domain.add_auth_flaw("spf_two_records")
    net.dns.add("shop.test", "TXT", "site-verification=1")
    domain.clear_auth_flaws()
    assert len([each for each in net.dns.records("shop.test", "TXT") if "v=spf1" in each]) == 1
    assert len(net.dns.records("shop.test", "TXT")) == 2


def test_a_misaligned_author_and_an_old_signature(net):
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    net.domain("shop.test").add_auth_flaw("misaligned_from", "signature_expired")
    with shop.submission.smtplib() as client:
        client.sendmail(
            shop.address, [bob.address], samples.plain(sender="Shop <hello@shop.test>", to=bob.address)
        )
    mail = bob.inbox.wait_for_one()
    assert mail.headers["From"] == "Shop <hello@elsewhere.mailnet.example.net>"
    tags = dict(tag.strip().split("=", 1) for tag in mail.headers["DKIM-Signature"].split(";") if "=" in tag)
    assert tags["d"] == "shop.test"
    assert int(tags["x"]) - int(tags["t"]) == 86400
    assert int(tags["x"]) < net.clock.now().timestamp()


def test_a_way_that_there_is_not(net):
    domain = net.domain("shop.test")
    with pytest.raises(DeclarationError, match=r"no way 'two_spf_records'; .*'spf_two_records'"):
        domain.add_auth_flaw("two_spf_records")


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_receiver_finds_what_the_table_says(net, flaw):
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    net.domain("shop.test").add_auth_flaw(flaw)
    with shop.submission.smtplib() as client:
        client.sendmail(shop.address, [bob.address], samples.plain(sender=shop.address, to=bob.address))
    mail = bob.inbox.wait_for_one()
    found = mail.auth
    told = FLAWS[flaw]
    assert (found.spf, found.dkim, found.dmarc) == (told.spf, told.dkim, told.dmarc), str(found)
