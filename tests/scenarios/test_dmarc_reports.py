"""DMARC reports come by mail: once a day of the fake internet's clock, and of failures at once."""

from __future__ import annotations

import gzip

import pytest

from fakemail import MailNet, Stage, days, samples


@pytest.fixture
def net():
    with MailNet(seed=14) as mailnet:
        yield mailnet


def send(sender, to, **options):
    with sender.submission.smtplib() as client:
        client.sendmail(
            sender.address, [to.address], samples.plain(sender=sender.address, to=to.address, **options)
        )


def forge(net, to, *, sender="hello@shop.test"):
    """Mail in somebody's name from a computer that has no part in it."""
    with net.mx(to.domain.name).smtplib() as client:
        client.sendmail("eve@evil.test", [to.address], samples.plain(sender=sender, to=to.address))


def test_the_report_of_a_day(net):
    """RFC 9990 §3, RFC 7489 §7.2."""
    shop, bob, reports = net.accounts("hello@shop.test", "bob@example.org", "dmarc@shop.test")
    net.domain("shop.test").publish(dmarc=f"v=DMARC1; p=none; sp=reject; rua=mailto:{reports.address}")
    send(shop, bob)
    send(shop, bob)
    net.settle()
    forge(net, bob)
    net.settle()
    assert reports.inbox.is_empty
    net.clock.advance(days(1))
    mail = reports.inbox.one()
    assert mail.subject.startswith("Report Domain: shop.test Submitter: mx1.example.org Report-ID: <")
    report = mail.dmarc_report
    assert (report.organization, report.domain, report.policy, report.subdomain_policy) == (
        "mx1.example.org",
        "shop.test",
        "none",
        "reject",
    )
    assert report.until - report.since == days(1)
    assert (report.count, report.passed, report.failed) == (3, 2, 1)
    good, bad = report.rows
    assert (good.count, good.dkim, good.spf, good.disposition) == (2, "pass", "pass", "none")
    assert good.source_ip == net.find_host("smtp.shop.test").ipv4
    assert [(each.domain, each.selector, each.result) for each in good.signatures] == [
        ("shop.test", "mail", "pass")
    ]
    assert (bad.dkim, bad.spf, bad.header_from, bad.envelope_from) == (
        "fail",
        "fail",
        "shop.test",
        "evil.test",
    )
    assert (bad.envelope_to, bad.spf_result) == ("example.org", "none")


def test_every_day_has_its_own(net):
    shop, bob, reports = net.accounts("hello@shop.test", "bob@example.org", "dmarc@shop.test")
    net.domain("shop.test").publish(dmarc=f"v=DMARC1; p=none; rua=mailto:{reports.address}")
    for _ in range(2):
        send(shop, bob)
        net.clock.advance(days(2))
    assert [mail.dmarc_report.count for mail in reports.inbox] == [1, 1]


def test_nobody_asks_and_nothing_is_looked_at(net):
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    send(shop, bob)
    bob.inbox.wait_for_one()
    assert not [query for query in net.events(Stage.DNS_QUERY) if "_dmarc" in query.name]


def test_a_host_that_does_not_report(net):
    shop, bob, reports = net.accounts("hello@shop.test", "bob@example.org", "dmarc@shop.test")
    net.domain("shop.test").publish(dmarc=f"v=DMARC1; p=none; rua=mailto:{reports.address}")
    net.find_host("mx1.example.org").configure(dmarc_reports=False)
    send(shop, bob)
    net.clock.advance(days(1))
    assert reports.inbox.is_empty


def test_reports_about_reports_are_not_made(net):
    """Two domains that both want to know everything."""
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    for name in ("shop.test", "example.org"):
        net.account(f"dmarc@{name}")
        net.domain(name).publish(
            dmarc=f"v=DMARC1; p=none; rua=mailto:dmarc@{name}; ruf=mailto:dmarc@{name}; fo=1"
        )
    send(shop, bob)
    net.clock.advance(days(5))
    assert len(net.account("dmarc@shop.test").inbox) == 1
    assert net.account("dmarc@example.org").inbox.is_empty


@pytest.mark.parametrize("permission", ["", "v=DMARC1", "v=DMARC1; rua=mailto:all@watch.test", "v=spf1 -all"])
def test_somebody_else_has_to_agree_to_get_them(net, permission):
    """RFC 9990 §4, RFC 7489 §7.1."""
    shop, bob, watch, everything = net.accounts(
        "hello@shop.test", "bob@example.org", "dmarc@watch.test", "all@watch.test"
    )
    net.domain("shop.test").publish(dmarc=f"v=DMARC1; p=none; rua=mailto:{watch.address}")
    if permission:
        net.dns.add("shop.test._report._dmarc.watch.test", "TXT", permission)
    send(shop, bob)
    net.clock.advance(days(1))
    got = (len(watch.inbox), len(everything.inbox))
    assert got == {"v=DMARC1": (1, 0), "v=DMARC1; rua=mailto:all@watch.test": (0, 1)}.get(permission, (0, 0))


def test_a_failure_is_told_at_once(net):
    """RFC 9991, RFC 6591 §3."""
    _, bob, reports = net.accounts("hello@shop.test", "bob@example.org", "ruf@shop.test")
    net.domain("shop.test").publish(dmarc=f"v=DMARC1; p=none; ruf=mailto:{reports.address}")
    forge(net, bob)
    report = reports.inbox.wait_for_one().failure_report
    assert (report.kind, report.domain, report.not_aligned) == ("dmarc", "shop.test", ("dkim", "spf"))
    assert (report.sender, report.recipients, report.delivery) == (
        "eve@evil.test",
        ("bob@example.org",),
        "delivered",
    )
    assert report.original_message_id == bob.inbox.one().message_id
    assert report.reporting_host == "mx1.example.org"


@pytest.mark.parametrize(
    ("fo", "flaw", "told"),
    [
        ("0", "dkim_key_revoked", False),
        ("1", "dkim_key_revoked", True),
        ("d", "dkim_key_revoked", True),
        ("s", "dkim_key_revoked", False),
        ("0:s", "spf_excludes_sender", True),
        ("d", "spf_excludes_sender", False),
        ("1", "", False),
    ],
)
def test_which_failures_are_told(net, fo, flaw, told):
    """RFC 9989 §4.7, ``fo=``."""
    shop, bob, reports = net.accounts("hello@shop.test", "bob@example.org", "ruf@shop.test")
    domain = net.domain("shop.test").publish(dmarc=f"v=DMARC1; p=none; fo={fo}; ruf=mailto:{reports.address}")
    if flaw:
        domain.add_auth_flaw(flaw)
    send(shop, bob)
    net.settle()
    assert len(reports.inbox) == told


def test_reports_are_signed_by_the_domain_of_their_host(net):
    """RFC 9990 §3.5, RFC 8460 §3: so that somebody can believe them."""
    shop, bob, reports = net.accounts("hello@shop.test", "bob@example.org", "reports@shop.test")
    net.domain("shop.test").publish(dmarc=f"v=DMARC1; p=none; rua=mailto:{reports.address}")
    net.domain("example.org").tls_reports("tls@example.org")
    net.account("tls@example.org")
    send(shop, bob)
    net.clock.advance(days(1))
    for mail, signer in (
        (reports.inbox.one(), "example.org"),
        (net.account("tls@example.org").inbox.one(), "shop.test"),
    ):
        assert (mail.auth.dkim, mail.auth.dkim.domain, mail.auth.dmarc) == ("pass", signer, "pass")


def test_a_host_that_goes_by_public_suffixes_says_so(net):
    """RFC 9990, discovery_method; and what is another organization is its affair too."""
    shop, bob, reports = net.accounts("hello@one.hosting.test", "bob@example.org", "dmarc@two.hosting.test")
    net.domain("one.hosting.test").publish(dmarc=f"v=DMARC1; p=none; rua=mailto:{reports.address}")
    net.dns.add("hosting.test", "A", "192.0.2.1")
    mx = net.find_host("mx1.example.org").configure(dmarc_discovery="public_suffix")
    send(shop, bob)
    net.clock.advance(days(1))
    mail = reports.inbox.one()  # test is a public suffix, and hosting.test one organization
    assert b"<discovery_method>psl</discovery_method>" in gzip.decompress(mail.attachments[0].content)
    mx.configure(public_suffixes={"hosting.test"})
    send(shop, bob)
    net.clock.advance(days(1))
    assert len(reports.inbox) == 1


@pytest.mark.parametrize(
    ("record", "discovery", "reasons"),
    [
        ("p=quarantine; t=y", "tree_walk", (("policy_test_mode", "t=y"),)),
        ("p=quarantine; pct=0", "public_suffix", (("other", "sampled out: pct=0"),)),
        ("p=none; t=y; pct=0", "public_suffix", ()),
    ],
)
def test_a_domain_that_asks_for_less_itself_hears_that(net, record, discovery, reasons):
    """RFC 9990, PolicyOverrideType: where less was done than the policy says, there is a reason."""
    bob, reports = net.accounts("bob@example.org", "dmarc@shop.test")
    net.domain("shop.test").publish(dmarc=f"v=DMARC1; {record}; rua=mailto:{reports.address}")
    net.find_host("mx1.example.org").configure(dmarc_discovery=discovery)
    forge(net, bob)
    net.clock.advance(days(1))
    [row] = reports.inbox.one().dmarc_report.rows
    assert (row.disposition, row.reasons) == ("none", reasons)


def test_a_domain_hears_what_is_wrong_with_its_record(net):
    """RFC 9990, ReportMetadataType: error."""
    bob, reports = net.accounts("bob@example.org", "dmarc@shop.test")
    net.domain("shop.test").publish(dmarc=f"v=DMARC1; p=none; sp=rejected; rua=mailto:{reports.address}")
    forge(net, bob)
    net.clock.advance(days(1))
    assert reports.inbox.one().dmarc_report.error == "sp=rejected is none of none, quarantine, reject"
