"""A world from a configuration, as a test gets it, and one written down while it runs."""

from __future__ import annotations

import smtplib
from textwrap import dedent

import dns.resolver
import pytest

from fakemail import AsyncMailNet, DeclarationError, MailNet
from fakemail.runtime.port_plans import ANY_PORT

WORLD = dedent('''
    seed = 7

    [domains."example.org"]
    mx = ["mx1", "mx2"]
    accounts = ["ann", "bob"]
    aliases.sales = ["bob", "desk@shop.test"]
    catch_all = "ann"
    dmarc = "v=DMARC1; p=reject"
    zone = """
    www  A  192.0.2.77
    """

    [domains."shop.test"]
    spf = ""

    [domains."silent.test"]
    routing = "null"

    [hosts."mx1.example.org"]
    max_recipients = 2
    hide = ["CHUNKING"]

    [[accounts]]
    address = "desk@shop.test"
    password = "s3cret"

    [[records]]
    name = "old.test"
    type = "MX"
    values = ["10 mx1.example.org", "20 mx2.example.org"]
    ttl = 60
''')


def test_everything_that_is_written_is_there(tmp_path):
    file = tmp_path / "world.toml"
    file.write_text(WORLD, "utf-8")
    with MailNet(config=file) as net:
        assert net.seed == 7
        assert [host.name for host in net.domain("example.org").hosts] == [
            "mx1.example.org",
            "mx2.example.org",
        ]
        assert net.account("desk@shop.test").password == "s3cret"
        assert net.host("mx1.example.org").options.max_recipients == 2
        assert net.dns.records("www.example.org") == ("www.example.org. 300 IN A 192.0.2.77",)
        assert net.dns.records("_dmarc.example.org") == (
            '_dmarc.example.org. 300 IN TXT "v=DMARC1; p=reject"',
        )
        assert net.dns.records("shop.test", "TXT") == ()
        assert net.dns.records("silent.test", "MX") == ("silent.test. 300 IN MX 0 .",)
        assert net.dns.records("old.test", "MX") == (
            "old.test. 60 IN MX 10 mx1.example.org.",
            "old.test. 60 IN MX 20 mx2.example.org.",
        )
        with net.mx("example.org").smtplib() as client:
            client.sendmail(
                "x@else.test", ["sales@example.org", "whoever@example.org"], "Subject: Hi\r\n\r\n"
            )
        net.settle()
        assert [
            len(net.account(who).inbox) for who in ("ann@example.org", "bob@example.org", "desk@shop.test")
        ] == [
            1,
            1,
            1,
        ]


def test_a_world_that_runs_can_be_written_down_and_made_again():
    with MailNet(config=WORLD) as net:
        net.submission  # noqa: B018 - opens the smarthost, which is no part of what was declared
        net.dns.remove("ns1.nowhere.test")
        net.dns.replace("example.org", "TXT", "v=spf1 ?all")
        net.dns.remove("_submission._tcp.shop.test")
        text = net.to_toml()
        records = sorted(net.dns.records("example.org") + net.dns.records("old.test"))
    assert "mailnet.example.net" not in text
    with MailNet(config=text) as again:
        assert again.to_toml() == text
        assert sorted(again.dns.records("example.org") + again.dns.records("old.test")) == records
        assert again.dns.records("_submission._tcp.shop.test") == ()


def test_greylisting_can_be_written_down():
    with MailNet(config="[domains.'example.org']\naccounts = ['bob']\ngreylist = 300\n") as net:
        assert "greylist = 300\n" in net.to_toml()
        with (
            net.mx("example.org").smtplib() as client,
            pytest.raises(smtplib.SMTPRecipientsRefused, match="451"),
        ):
            client.sendmail("a@b.test", ["bob@example.org"], b"Subject: x\r\n\r\n")


def test_the_seed_of_the_call_goes_before_the_one_that_was_written():
    assert MailNet(config=WORLD, seed=3).seed == 3
    assert MailNet(config=WORLD, seed=0).seed == 0
    assert MailNet(config="[domains]\n").seed == 0


@pytest.mark.asyncio
async def test_the_other_face():
    async with AsyncMailNet(config=WORLD) as net:
        assert net.account("desk@shop.test").password == "s3cret"


def test_a_configuration_that_cannot_be_starts_nothing():
    net = MailNet(
        config=WORLD.replace('catch_all = "ann"', 'catch_all = "anm"').replace("mx2.example.org", "mx 2")
    )
    with pytest.raises(DeclarationError) as caught:
        net.start()
    assert not net.is_running
    first, second, third = str(caught.value).splitlines()
    assert first == "2 mistakes in the configuration:"
    assert second == (
        "  line 4: [domains.\"example.org\"]: no account 'anm@example.org' is declared; "
        "did you mean 'ann@example.org' or 'bob@example.org'?"
    )
    assert third.startswith("  line 28: [[records]] number 1: record old.test MX: ")


@pytest.mark.parametrize("services", [["imap"], ["pop3s", "imap"]])
def test_naming_what_a_reading_host_serves_does_not_move_it(services):
    text = f'[domains."example.org"]\n[hosts."mail.example.org"]\nservices = {services}\n'
    with MailNet(config=text, port_offset=ANY_PORT) as net:
        settings = net.account("bob@example.org").imap
        assert (settings.server.name, settings.host) == ("mail.example.org", "127.0.0.1")
        assert net.account("bob@example.org").imaps.host == "127.0.0.1"


SECURED = dedent("""
    [domains."example.org"]
    accounts = ["bob"]
    dnssec = true
    mta_sts = { mode = "testing", max_age = 3600 }

    [domains."careless.test"]
    dnssec = "expired"
    mta_sts = { mode = "enforce", mx = ["*.elsewhere.test"], flaw = "redirect" }

    [zones.org]
    dnssec = true
""")


def test_signatures_and_mta_sts_policies_are_there_from_the_start():
    with MailNet(config=SECURED) as net:
        shop, bob = net.account("hello@shop.test"), net.account("bob@example.org")
        with shop.submission.smtplib() as client:
            client.sendmail(shop.address, [bob.address], "Subject: x\r\n\r\ny\r\n")
        net.settle()
        assert net.journey(to=bob).attempts[-1].policy == "dane"
        assert len(net.dns.resolver().resolve("example.org", "DS")) == 1  # the zone above vouches for it
        assert net.dns.resolver().resolve("_mta-sts.example.org", "TXT")
        with pytest.raises(dns.resolver.NoNameservers):  # SERVFAIL: the signatures have expired
            net.dns.resolver().resolve("careless.test", "MX")


def test_signatures_and_mta_sts_policies_are_written_down():
    with MailNet() as net:
        net.domain("example.org").enable_dnssec().mta_sts("testing", max_age=3600)
        net.domain("careless.test").enable_dnssec(flaw="expired").mta_sts(
            mx="*.elsewhere.test", flaw="redirect"
        )
        net.domain("plain.test").mta_sts().mta_sts(None)
        net.dns.enable_dnssec("org")
        text = net.to_toml()
    for line in SECURED.replace('accounts = ["bob"]\n', "").strip().splitlines():
        assert line in text.splitlines()
    assert "[[records]]" not in text
    assert text.count("mta_sts") == 2
    with MailNet(config=text) as again:
        assert again.to_toml() == text


def test_a_policy_that_was_published_stays_when_the_mail_hosts_change():
    with MailNet() as net:
        domain = net.domain("example.org").mta_sts()
        domain.set_mx("mx9")
        text = net.to_toml()
    assert 'mta_sts = { mode = "enforce", mx = ["mx1.example.org"] }' in text


def test_a_tlsa_record_of_another_kind_is_written_down_as_it_is():
    with MailNet() as net:
        net.domain("example.org").enable_dnssec()
        net.host("mx1.example.org").publish_tlsa(data="00" * 32)
        text = net.to_toml()
    with MailNet(config=text) as again:
        assert len(again.dns.records("_25._tcp.mx1.example.org", "TLSA")) == 1
        assert "00" * 32 in again.dns.records("_25._tcp.mx1.example.org", "TLSA")[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('dnssec = "expird"', "there is no flaw 'expird' of signatures; did you mean 'expired'?"),
        ("dnssec = 3", "'dnssec' must be true, false or the name of a flaw, not the number 3."),
        ('mta_sts = { mode = "enforced" }', "there is no MTA-STS mode 'enforced'; did you mean 'enforce'?"),
        ('mta_sts = { modes = "enforce" }', "there is no key 'modes'; did you mean 'mode'?"),
        (
            "mta_sts = { max_age = 99999999 }",
            "max_age is a whole number of seconds from 0 to 31557600, not 99999999.",
        ),
        ("mta_sts = { mx = [] }", "an MTA-STS policy names one mail host at least, "),
        ('mta_sts = { flaw = "404" }', "there is no flaw '404' of policies; known: "),
        (
            'routing = "null"\nmta_sts = {}',
            "domain 'example.org' has no mail host, so its MTA-STS policy has to ",
        ),
    ],
)
def test_mistakes_in_transport_security_are_told_where_they_are(text, told):
    with pytest.raises(DeclarationError) as caught:
        MailNet(config=f'[domains."example.org"]\n{text}\n').start()
    assert told in str(caught.value)
    assert str(caught.value).startswith(("line 1: ", "line 2: "))
