"""Domains sign what their submission hosts take; dkimpy checks it with the records of the fake DNS."""

from __future__ import annotations

from email.message import EmailMessage

import dkim
import pytest

from fakemail import DeclarationError, MailNet, UnknownNameError, hours, samples
from fakemail.dkim.keys import process_key


@pytest.fixture
def net():
    with MailNet(seed=11) as mailnet:
        yield mailnet


def verifies(net, raw, place=0):
    """What a verifier that asks the fake DNS says."""

    def ask(name, timeout=5):
        found = net.dns.records(name.decode().rstrip("."), "TXT")
        texts = [bytes(record.partition(" TXT ")[2], "ascii").replace(b'" "', b"") for record in found]
        return texts[0].strip(b'"') if texts else None

    try:
        return dkim.DKIM(raw).verify(idx=place, dnsfunc=ask)
    except dkim.DKIMException:
        return False


def send(sender, to, content=None):
    raw = samples.plain(sender=sender.address, to=to.address) if content is None else content
    with sender.submission.smtplib() as client:
        client.sendmail(sender.address, [to.address], raw)
    return to.inbox.wait_for_one()


def test_a_domain_signs_what_its_submission_host_takes(net):
    """RFC 6376 §2.1: and whoever gets it can check that."""
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    mail = send(shop, bob)
    assert "d=shop.test; s=mail;" in mail.headers["DKIM-Signature"]
    assert verifies(net, mail.raw)
    assert not verifies(net, mail.raw.replace(b"Subject:", b"Subject: Re:"))


def test_nobody_pays_for_keys_that_nobody_needs(net, monkeypatch):
    made = []
    monkeypatch.setattr("fakemail.zones.dkim_keys.process_key", lambda *what: made.append(what))
    bob = net.account("bob@example.org")
    with net.mx("example.org").smtplib() as client:
        client.sendmail("x@elsewhere.test", [bob.address], samples.plain())
    net.dns.records("example.org")
    assert net.to_toml()
    assert made == []


def test_the_key_is_made_when_somebody_looks(net):
    net.account("bob@example.org")
    answer = net.dns.resolver().resolve("mail._domainkey.example.org", "TXT")
    assert b"".join(answer[0].strings) == net.domain("example.org").dkim_key().record.encode()


def test_every_domain_has_a_key_of_its_own_and_every_world_the_same_ones(net):
    first, second = net.domain("one.test").dkim_key(), net.domain("two.test").dkim_key()
    assert first.record != second.record
    with MailNet() as other:
        assert (
            other.domain("three.test").dkim_key().record == first.record == process_key("rsa-2048", 0).record
        )


def test_only_the_author_s_own_host_signs(net):
    """The domain in From is what counts, and its submission host."""
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    net.domain("other.test")
    shop.configure(may_send_as=["*"])
    mail = send(shop, bob, samples.plain(sender="me@other.test", to=bob.address))
    assert "DKIM-Signature" not in mail.headers
    with net.submission.smtplib() as client:
        client.sendmail("me@other.test", [bob.address], samples.plain(sender="me@other.test"))
    net.settle()
    assert "d=other.test" in bob.inbox[1].headers["DKIM-Signature"]


def test_another_selector_while_old_mail_is_under_way(net):
    shop, bob, ann = net.accounts("hello@shop.test", "bob@example.org", "ann@example.org")
    old = send(shop, bob)
    net.domain("shop.test").dkim("2027", algorithm="ed25519")
    new = send(shop, ann)
    assert "a=ed25519-sha256" in new.headers["DKIM-Signature"]
    assert verifies(net, old.raw)
    assert verifies(net, new.raw)


def test_two_signatures(net):
    """RFC 8463 §5: both, while not everybody can check Ed25519."""
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    net.domain("shop.test").dkim("ed", algorithm="ed25519", beside=True)
    mail = send(shop, bob)
    assert len(mail.headers.all("DKIM-Signature")) == 2
    assert verifies(net, mail.raw, 0)
    assert verifies(net, mail.raw, 1)


def test_a_domain_that_does_not_sign(net):
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    net.domain("shop.test").dkim(sign=False)
    assert "DKIM-Signature" not in send(shop, bob).headers
    assert net.dns.records("mail._domainkey.shop.test", "TXT")


def test_how_a_domain_signs(net):
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    net.domain("shop.test").dkim(
        "x", canonicalization="simple/simple", headers=["From", "Subject"], body_length=True, expires=hours(1)
    )
    mail = send(shop, bob)
    field = "".join(mail.headers["DKIM-Signature"].split())
    assert all(tag in field for tag in ("c=simple/simple;", "h=from:subject:from;", ";l=", ";x="))
    assert verifies(net, mail.raw + b"An advertisement\r\n")


def test_a_record_that_is_taken_away_or_written_by_hand(net):
    domain = net.domain("shop.test").publish(dkim={"mail": None, "old": "v=DKIM1; p="})
    assert net.dns.records("mail._domainkey.shop.test", "TXT") == ()
    assert '"v=DKIM1; p="' in net.dns.records("old._domainkey.shop.test", "TXT")[0]
    domain.publish(dkim={"old": domain.dkim_key("old")})
    raw = net.dkim_sign(samples.plain(sender="a@shop.test"), domain="shop.test", selector="old")
    assert verifies(net, raw)
    assert '{ selector = "old", sign = false }' in net.to_toml()
    domain.publish(dkim={"mail": domain.dkim_key("mail")})
    assert verifies(net, net.dkim_sign(samples.plain(sender="a@shop.test"), domain="shop.test"))
    other = net.domain("other.test").dkim_key()
    domain.publish(dkim={"old": other})
    assert not verifies(net, raw)


def test_an_app_that_signs_by_itself(net):
    """With the private key, as dkimpy and others take it."""
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    domain = net.domain("shop.test").dkim("app", sign=False).dkim("ed", algorithm="ed25519", sign=False)
    raw = samples.plain(sender=shop.address, to=bob.address)
    rsa, ed = domain.dkim_key("app"), domain.dkim_key("ed")
    assert (rsa.name, ed.algorithm) == ("app._domainkey.shop.test", "ed25519")
    by_rsa = dkim.sign(raw, b"app", b"shop.test", rsa.private_pem.encode())
    by_ed = dkim.sign(
        raw, b"ed", b"shop.test", ed.private_seed.encode(), signature_algorithm=b"ed25519-sha256"
    )
    assert verifies(net, by_rsa + raw)
    assert verifies(net, by_ed + raw)


@pytest.mark.parametrize("kind", [bytes, str, EmailMessage])
def test_a_test_signs_any_kind_of_message(net, kind):
    bob = net.account("bob@example.org")
    net.domain("shop.test")
    message = EmailMessage()
    message["From"] = "a@shop.test"
    message["Subject"] = "Hällo " * 30
    message.set_content("Text\n" * 3)
    given = {bytes: message.as_bytes(), str: message.as_string(), EmailMessage: message}[kind]
    raw = net.dkim_sign(given, domain="shop.test")
    with net.mx("example.org").smtplib() as client:
        client.sendmail("a@shop.test", [bob.address], raw)
    assert verifies(net, bob.inbox.wait_for_one().raw)


def test_mistakes_are_told(net):
    domain = net.domain("shop.test")
    with pytest.raises(UnknownNameError, match=r"no domain 'shop.tset' is declared; .*'shop.test'"):
        net.dkim_sign(b"From: a@shop.test\r\n\r\n", domain="shop.tset")
    with pytest.raises(DeclarationError, match=r"EmailMessage or the Path of an .eml file, not 5"):
        net.dkim_sign(5, domain="shop.test")
    with pytest.raises(DeclarationError, match="no algorithm 'rsa-2047'"):
        domain.dkim(algorithm="rsa-2047")
    with pytest.raises(DeclarationError, match="'a/b' is not a selector"):
        domain.publish(dkim={"a/b": None})
    with pytest.raises(DeclarationError, match=r"dkim 'mail' is a key, the text of a record or None, not 5"):
        domain.publish(dkim={"mail": 5})
    with pytest.raises(DeclarationError, match=r"dmarc is the text of a record \(v=DMARC1...\), not True"):
        domain.publish(dmarc=True)
    with pytest.raises(TypeError, match="expires"):
        domain.dkim(expires=5)


CONFIG = """
[domains."shop.test"]
accounts = ["hello"]
dkim = [{ selector = "2027", algorithm = "ed25519", expires = 60 }, { selector = "old", sign = false }]
auth_flaws = "spf_two_records"
"""


def test_keys_and_flaws_in_a_configuration():
    with MailNet(config=CONFIG, seed=3) as net:
        shop, bob = net.accounts("hello@shop.test", "bob@example.org")
        mail = send(shop, bob)
        assert len(mail.headers.all("DKIM-Signature")) == 1
        assert verifies(net, mail.raw)
        assert len([each for each in net.dns.records("shop.test", "TXT") if "v=spf1" in each]) == 2
        assert net.dns.records("old._domainkey.shop.test")
        assert net.dns.records("mail._domainkey.shop.test") == ()
        written = net.to_toml()
    with MailNet(config=written) as again:
        assert again.to_toml() == written
    assert 'auth_flaws = ["spf_two_records"]' in written
    with pytest.raises(
        DeclarationError, match=r"line 2.*no way 'spf_broken'; did you mean 'spf_excludes_sender'"
    ):
        MailNet(config=CONFIG.replace("spf_two_records", "spf_broken")).start()
    with pytest.raises(DeclarationError, match=r"line 4.*two keys have the selector 'old'"):
        MailNet(config=CONFIG.replace("2027", "old")).start()
    with pytest.raises(DeclarationError, match=r"line 4.*no key 'alg'"):
        MailNet(config=CONFIG.replace("algorithm", "alg")).start()


# Who may send (SPF)


def spf(net, domain="shop.test"):
    return [each.partition(" TXT ")[2] for each in net.dns.records(domain, "TXT") if "v=spf1" in each]


def test_spf_names_those_by_whose_hands_mail_leaves(net):
    """RFC 7208 §3: with routes, relays and the ready smarthost."""
    shop, bob, ann = net.accounts("hello@shop.test", "bob@example.org", "ann@example.org")
    assert spf(net) == ['"v=spf1 mx a:smtp.shop.test -all"']
    net.route("shop.test", via=["edge.shop.test", "out.provider.test"])
    assert spf(net) == ['"v=spf1 mx a:smtp.shop.test a:out.provider.test -all"']
    assert send(shop, bob).auth.spf == "pass"
    with net.submission.smtplib() as client:
        client.sendmail(shop.address, [ann.address], samples.plain(sender=shop.address, to=ann.address))
    assert ann.inbox.wait_for_one().auth.spf == "pass"


def test_what_was_published_on_purpose_stays(net):
    net.domain("shop.test").publish(spf="v=spf1 ip4:192.0.2.1 -all")
    net.domain("other.test").add_auth_flaw("spf_two_records")
    before = spf(net, "other.test")
    net.route("shop.test", via="relay.test")
    net.route("other.test", via="relay2.test")
    assert spf(net) == ['"v=spf1 ip4:192.0.2.1 -all"']
    assert spf(net, "other.test") == before


def test_spf_of_a_configuration_with_routes():
    with MailNet(seed=3) as net:
        net.account("hello@shop.test")
        net.route("shop.test", via="relay.test")
        before, written = spf(net), net.to_toml()
    assert "v=spf1" not in written
    with MailNet(config=written) as again:
        assert spf(again) == before
