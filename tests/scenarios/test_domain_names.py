"""Internationalised domain names: one name, however it is written, at every door (RFC 5890 §2.3.2)."""

from __future__ import annotations

import smtplib
import socket
import ssl
import subprocess
import sys

import pytest

from fakemail import DeclarationError, MailNet, SentBy, SentTo, Stage, UnknownNameError, faults, minutes
from fakemail.dns.names import name_key
from fakemail.types.address import address, address_key, is_domain_name
from fakemail.types.domains import a_labels, u_labels

CANONICAL = "xn--bcher-kva.example"
FORMS = (
    "bücher.example",
    CANONICAL,
    "BÜCHER.Example",
    "XN--BCHER-KVA.example",
    "bu\u0308cher.example",  # decomposed
    "bücher\u3002example",  # an ideographic full stop
    "ｂücher．ｅｘａｍｐｌｅ",  # of full width
    "bücher.example.",
)


@pytest.fixture
def net():
    with MailNet() as mailnet:
        yield mailnet


def send(account, *to, sender=None, text="Subject: Hi\r\n\r\nHello\r\n"):
    """Hand in mail with addresses as they are, in UTF-8 where they need it."""
    with account.submission.smtplib() as client:
        client.ehlo()
        sender = sender or account.address
        utf8 = not (sender + "".join(to)).isascii()
        client.sendmail(sender, to, text.encode(), mail_options=("SMTPUTF8",) if utf8 else ())


@pytest.mark.parametrize("form", FORMS)
def test_one_form(form):
    assert a_labels(form) == CANONICAL
    assert name_key(form) == CANONICAL
    assert address(f"Bob@{form}").domain == CANONICAL
    assert address_key(f"Bob@{form}") == f"bob@{CANONICAL}"
    assert u_labels(a_labels(form)) == "bücher.example"


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("Example.ORG.", "example.org"),
        ("faß.example", "xn--fa-hia.example"),  # not transitional: IDNA 2003 made it fass.example
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("παράδειγμα.δοκιμή", "xn--hxajbheg2az3al.xn--jxalpdlp"),
        ("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"),
        ("a\\.", "a\\."),  # an escaped dot ends no name (RFC 1035 §5.1)
        ("a ü.example", "a ü.example"),  # no name, so only folded
        ("", ""),
    ],
)
def test_canonical_form(name, canonical):
    assert a_labels(name) == canonical
    assert a_labels(canonical) == canonical


def test_what_looks_like_an_a_label_is_shown_as_it_is():
    assert u_labels("xn--zzzzzzzz99999.example") == "xn--zzzzzzzz99999.example"
    assert u_labels("<bob@xn--bcher-kva.example>, xn--fa-hia.test") == "<bob@bücher.example>, faß.test"


@pytest.mark.parametrize(
    "name", ["a ü.example", "-ü.example", "ü..example", "💩.example", "ü" * 64 + ".example"]
)
def test_what_has_no_a_labels_is_no_name(net, name):
    assert not is_domain_name(name)
    with pytest.raises(DeclarationError, match="not a domain name"):
        net.domain(name)


@pytest.mark.parametrize("written", FORMS)
@pytest.mark.parametrize("declared", ["bücher.example", CANONICAL])
def test_mail_to_either_form(net, declared, written):
    bob, alice = net.accounts(f"bob@{declared}", "alice@example.org")
    send(alice, f"bob@{written.removesuffix('.')}")
    net.settle()
    assert bob.inbox.one().subject == "Hi"
    assert net.account(f"bob@{written}") is bob
    assert net.journey(to=f"Bob@{written}").deliveries
    assert str(net.journey(to=bob).recipient) == f"bob@{CANONICAL}"
    assert net.find_host(f"mx1.{written}") == net.domain(written).mx.server
    assert len(net.dns.queries(name=written, type="MX")) == 1
    assert net.events(host=f"mx1.{written}")


@pytest.mark.parametrize("written", FORMS[:-1])
def test_a_login_and_a_sender_in_either_form(net, written):
    bob, alice = net.accounts(f"bob@{CANONICAL}", "alice@example.org")
    with bob.submission.smtplib() as client:
        client.rset()
    send(bob, "alice@example.org", sender=f"bob@{written}")
    net.settle()
    assert alice.inbox.one().envelope.sender == address(bob.address)
    assert net.journey(sender=f"bob@{written}").deliveries


def plain(login, password):
    return f"\0{login}\0{password}".encode()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("declared", ["bücher.example", CANONICAL])
def test_auth_in_either_form_by_each_protocol(net, declared, form):
    bob = net.account(f"bob@{declared}", password="secret")
    login = f"BOB@{form}"
    with smtplib.SMTP(bob.submission.host, bob.submission.port) as client:
        client.starttls(context=bob.submission.ssl_context)
        client.ehlo()
        code, _ = client.docmd("AUTH PLAIN", _base64(plain(login, "secret")))
        assert code == 235
    import imaplib
    import poplib

    with imaplib.IMAP4_SSL(bob.imaps.host, bob.imaps.port, ssl_context=bob.imaps.ssl_context) as imap:
        assert imap.authenticate("PLAIN", lambda _: plain(login, "secret"))[0] == "OK"
    pop3 = poplib.POP3_SSL(bob.pop3s.host, bob.pop3s.port, context=bob.pop3s.ssl_context)
    pop3.utf8()
    pop3.encoding = "utf-8"
    pop3.user(login)
    assert pop3.pass_("secret").startswith(b"+OK")
    pop3.quit()
    assert bob.transcript(imap=True)
    assert bob.transcript(pop3=True)
    assert bob.transcript(smtp=True)


def _base64(octets):
    import base64

    return base64.b64encode(octets).decode()


def test_imap_login_with_a_literal_in_utf_8(net):
    bob = net.account(f"bob@{CANONICAL}", password="secret")
    login = "bob@bücher.example".encode()
    with ssl_to(bob.imaps) as client, client.makefile("rb") as reader:
        reader.readline()
        client.sendall(b"a LOGIN {%d+}\r\n%s secret\r\n" % (len(login), login))
        assert reader.readline().startswith(b"a OK")


def ssl_to(settings):
    raw = socket.create_connection((settings.host, settings.port), timeout=10)
    return settings.ssl_context.wrap_socket(raw, server_hostname=settings.host)


def test_u_labels_without_smtputf8_are_refused(net):
    """RFC 6531 §3.2: nothing beyond ASCII where the client has not said SMTPUTF8, though an A-label is no different."""
    net.account("bob@bücher.example")
    with net.mx("bücher.example").smtplib() as client:
        client.command_encoding = "utf-8"
        client.ehlo("bücher.example")
        assert client.docmd("MAIL", "FROM:<a@bücher.example>")[0] == 553
        assert client.docmd("MAIL", "FROM:<a@example.org>")[0] == 250
        assert client.docmd("RCPT", "TO:<bob@bücher.example>")[0] == 553
        assert client.docmd("RCPT", f"TO:<bob@{CANONICAL}>")[0] == 250


def test_mail_for_u_labels_needs_no_smtputf8_on_the_way(net):
    """A local part in ASCII is sent with A-labels, so a host without SMTPUTF8 takes it (RFC 6531 §3.2)."""
    bob, alice = net.accounts("bob@bücher.example", "alice@example.org")
    net.domain("bücher.example").mx.server.configure(hide={"SMTPUTF8"})
    send(alice, "bob@bücher.example")
    net.settle()
    assert b"xn--bcher-kva" in bob.inbox.one().raw
    assert f"RCPT TO:<bob@{CANONICAL}>" in net.transcript(host="mx1.bücher.example")


def test_trace_fields_and_replies_have_a_labels(net):
    bob = net.account("bob@bücher.example")
    with net.mx("bücher.example").smtplib() as client:
        client.command_encoding = "utf-8"
        assert client.ehlo("café.example")[1].startswith(b"mx1.xn--bcher-kva.example")
        client.sendmail("a@example.org", [bob.address], b"Subject: Hi\r\n\r\nHello\r\n")
    received = bob.inbox.one().headers["Received"]
    assert received.startswith("from xn--caf-dma.example")
    assert f"by mx1.{CANONICAL}" in received
    assert bob.inbox.one().raw.isascii()


def test_senders_that_are_owned(net):
    shop, bob = net.accounts("shop@example.org", "bob@example.net")
    shop.configure(may_send_as=["Sales@BÜCHER.example", "@müller.example"])
    for number, sender in enumerate(
        [f"sales@{CANONICAL}", "sales@bücher.example", "x@xn--mller-kva.example", "x@MÜLLER.example"], 1
    ):
        send(shop, bob.address, sender=sender)
        net.settle()
        assert len(bob.inbox) == number
    with pytest.raises(smtplib.SMTPSenderRefused):
        send(shop, bob.address, sender="other@bücher.example")


def test_aliases_lists_forwards_and_catch_all(net):
    ann, bob = net.accounts("ann@bücher.example", f"bob@{CANONICAL}")
    domain = net.domain("BÜCHER.example")
    domain.alias("all", "ann@xn--bcher-kva.example", "bob@bücher.example")
    domain.catch_all(f"bob@{CANONICAL}")
    friends = net.mailing_list("friends@xn--bcher-kva.example", members=["ann@bücher.example"])
    assert friends.members
    ann.set_forwarding("bob@bücher.example")
    with net.mx("bücher.example").smtplib() as client:
        for to in ("all", "nobody", "friends"):
            client.sendmail("x@example.org", [f"{to}@{CANONICAL}"], f"Subject: {to}\r\n\r\nHi\r\n")
    net.settle()
    assert sorted(each.subject for each in bob.inbox) == ["[friends] friends", "all", "all", "nobody"]


def test_a_local_part_is_compared_composed(net):
    """RFC 6532 §3.1: composed or decomposed is one spelling."""
    bob = net.account("jo\u0308rg@example.org")
    assert net.account("J\u00d6RG@example.org") is bob
    with net.mx("example.org").smtplib() as client:
        client.ehlo()
        client.sendmail("", ["j\u00f6rg@example.org"], b"Subject: Hi\r\n\r\n", mail_options=["SMTPUTF8"])
    assert bob.inbox.one().subject == "Hi"


@pytest.mark.parametrize("form", [*FORMS[:-1], "*.example", "*CHER.example", "x*@bücher.example"])
def test_faults_by_address(net, form):
    bob = net.account("xbob@bücher.example")
    recipient = form if "@" in form else f"{'' if '*' in form else '@'}{form}"
    net.domain("bücher.example").faults.add(Stage.SMTP_RCPT, faults.reply(450, text="not now"), to=recipient)
    with net.mx("bücher.example").smtplib() as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail("a@example.org", [bob.address], b"Subject: Hi\r\n\r\n")


@pytest.mark.parametrize("form", FORMS)
def test_faults_of_dns_and_of_a_login(net, form):
    bob = net.account("bob@bücher.example", password="secret")
    net.dns.faults.servfail(form)
    assert "SERVFAIL" in _dns(net, CANONICAL)
    net.account(f"bob@{form}").faults.reject_login()
    with pytest.raises(Exception, match="AUTHENTICATIONFAILED"):
        bob.imaps.imaplib()


def _dns(net, name):
    import dns.exception
    import dns.resolver

    try:
        return str(net.dns.resolver().resolve(name, "MX").rrset)
    except dns.exception.DNSException as error:
        return str(error)


def test_policies_signing_and_results(net):
    """What an author writes as U-labels, a signer writes as A-labels, and both are aligned (RFC 8616)."""
    shop, bob = net.accounts("shop@bücher.example", "bob@example.org")
    net.domain(CANONICAL).publish(dmarc="v=DMARC1; p=reject; adkim=s; aspf=s")
    send(shop, bob.address, text="From: <shop@BÜCHER.example>\r\nSubject: Hi\r\n\r\nHello\r\n")
    net.settle()
    auth = bob.inbox.one().auth
    assert (auth.spf, auth.dkim, auth.dmarc) == ("pass", "pass", "pass"), str(auth)
    net.domain("example.org").policy(greylist=minutes(5), greylist_allow=["bücher.example"])
    send(shop, bob.address, text="From: <shop@BÜCHER.example>\r\nSubject: Two\r\n\r\nHello\r\n")
    net.settle()
    assert [each.subject for each in bob.inbox] == ["Hi", "Two"]


def test_certificates_and_sni(net):
    net.account("bob@bücher.example")
    settings = net.mx("bücher.example")
    for name in ("mx1.bücher.example", f"mx1.{CANONICAL}"):
        with smtplib.SMTP(settings.host, settings.port) as client:
            client._host = name  # what smtplib compares the certificate with
            client.starttls(context=settings.ssl_context)
            names = [value for kind, value in client.sock.getpeercert()["subjectAltName"] if kind == "DNS"]
            assert f"mx1.{CANONICAL}" in names


def test_transport_security_between_hosts(net):
    bob, alice = net.accounts("bob@bücher.example", "alice@example.org")
    net.domain("bücher.example").mta_sts("enforce", mx=["*.BÜCHER.example"])
    net.domain("example.org").submission_host.configure(sending_tls="verified")
    send(alice, bob.address)
    net.settle()
    assert bob.inbox.one().subject == "Hi"


def test_settings_are_ascii(net):
    bob = net.account("bob@bücher.example")
    for settings in (bob.submission, bob.imaps, bob.pop3s):
        assert settings.url.isascii()
        assert settings.public.url.isascii()
        assert settings.public.host.endswith(CANONICAL)
        assert "".join(settings.env().values()).isascii()


def test_matchers(net):
    bob = net.account("bob@example.org")
    bob.inbox.put("From: Ann <ann@bücher.example>\nTo: bob@xn--mller-kva.example\nSubject: Hi\n\nHello\n")
    bob.inbox.one()
    for form in FORMS:
        assert SentBy(f"ANN@{form}").matches(bob.inbox[0])
    assert SentTo("bob@MÜLLER.example").matches(bob.inbox[0])
    assert not SentTo("bob@mueller.example").matches(bob.inbox[0])


def test_people_are_shown_u_labels(net):
    bob, alice = net.accounts(f"bob@{CANONICAL}", "alice@example.org")
    send(alice, bob.address)
    net.settle()
    journey = net.journey(to=bob)
    assert "bücher.example" in repr(journey)
    assert "xn--" not in repr(journey) + str(journey)
    assert repr(bob) == "<Account bob@bücher.example>"
    assert repr(bob.inbox).startswith("<INBOX of bob@bücher.example:")
    assert repr(bob.domain) == "<Domain bücher.example>"
    with pytest.raises(
        UnknownNameError, match=r"no host 'mx2\.bücher\.example' is declared; did you mean 'mx1\.bücher"
    ):
        net.find_host(f"mx2.{CANONICAL}")
    with pytest.raises(AssertionError, match=r"found:  nothing in Junk of bob@bücher\.example"):
        bob.folder("Junk").one()


def test_a_file_in_one_form_and_a_test_in_the_other(tmp_path):
    path = tmp_path / "world.toml"
    path.write_text(
        """
[domains."bücher.example"]
accounts = ["bob"]
aliases = { team = ["bob@xn--bcher-kva.example"] }
mx = ["mx.BÜCHER.example"]

[hosts."mx.xn--bcher-kva.example"]
relay_for = ["Müller.example"]

[[accounts]]
address = "alice@xn--bcher-kva.example"
may_send_as = ["@müller.example"]

[[records]]
name = "www.bücher.example"
type = "A"
value = "192.0.2.1"
""",
        "utf-8",
    )
    with MailNet(config=path) as net:
        bob = net.account("bob@xn--bcher-kva.example")
        assert net.domain(CANONICAL).mx.server.name == f"mx.{CANONICAL}"
        assert net.dns.records("www.BÜCHER.example", "A")
        send(net.account("alice@bücher.example"), "team@bücher.example", sender="x@xn--mller-kva.example")
        net.settle()
        assert bob.inbox.one().envelope.sender == address("x@müller.example")
        text = net.to_toml()
    (tmp_path / "again.toml").write_text(text, "utf-8")
    with MailNet(config=tmp_path / "again.toml") as net:
        assert net.to_toml() == text


@pytest.mark.mailnet(accounts=["bob@bücher.example"])
def test_a_marker_in_one_form(mailnet):
    assert mailnet.account("bob@xn--bcher-kva.example").inbox.is_empty
    assert len(mailnet._portal.simulation.world.accounts) == len({*mailnet._portal.simulation.world.accounts})


def test_redirected_names(net):
    net.account("bob@bücher.example")
    with net.redirect():
        for name in ("mx1.bücher.example", b"mx1.xn--bcher-kva.example"):
            with socket.create_connection((name, 25), timeout=10) as client:
                assert client.recv(100).startswith(b"220 mx1.xn--bcher-kva.example")
        assert ssl.create_default_context()


def test_names_in_ascii_need_no_tables():
    """A world without such names never loads them."""
    code = (
        "import sys; from fakemail import MailNet\n"
        "with MailNet() as net: net.account('bob@example.org').inbox.put('Subject: Hi')\n"
        "sys.exit('idna.idnadata' in sys.modules or 'idna.uts46data' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
