"""One thing of each standard that no other test names: RFC by RFC, from outside, over real sockets.

The ledger in ``docs/reference/standards.md`` points here.
"""

from __future__ import annotations

import base64
import imaplib
import smtplib
import ssl

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import pytest

from fakemail import MailNet, Reason, Stage, samples


@pytest.fixture
def net():
    with MailNet() as mailnet:
        yield mailnet


def ask(net, name, type, *, over=dns.query.udp, **options):
    return over(dns.message.make_query(name, type, **options), net.dns.host, port=net.dns.port, timeout=5)


def send(smtp, *to, sender="hello@shop.test", message="Subject: Hi\n\nHello"):
    with smtp.smtplib() as client:
        return client.sendmail(sender, to, message)


def test_rfc_1035_zone_files_and_answers(net):
    """RFC 1035 §5: a zone file; §4.1.1: an authoritative answer."""
    net.dns.zone_text(
        "$TTL 60\n@ IN SOA ns hostmaster 1 2 3 4 5\n@ IN NS ns\nns IN A 192.0.2.1\n@ IN MX 5 ns\n",
        origin="partner.test",
    )
    answer = ask(net, "partner.test", "MX")
    assert answer.flags & dns.flags.AA
    assert [str(one) for one in answer.answer[0]] == ["5 ns.partner.test."]


def test_rfc_3596_addresses(net):
    """RFC 3596: AAAA, and the reverse names of IPv6 addresses."""
    net.domain("example.org")
    host = net.find_host("mx1.example.org")
    assert str(ask(net, "mx1.example.org", "AAAA").answer[0][0]) == host.ipv6
    assert str(net.dns.resolver().resolve_address(host.ipv6)[0]) == "mx1.example.org."


def test_rfc_6891_size_of_answers(net):
    """RFC 6891 §6.2.3: the client's size; RFC 2181 §9 and RFC 7766 §5: the rest over TCP."""
    net.dns.add("long.example.org", "TXT", *[f"{number} {'x' * 180}" for number in range(10)])
    small = ask(net, "long.example.org", "TXT")
    assert small.flags & dns.flags.TC
    assert not ask(net, "long.example.org", "TXT", use_edns=0, payload=4096).flags & dns.flags.TC
    assert len(ask(net, "long.example.org", "TXT", over=dns.query.tcp).answer[0]) == 10


def test_rfc_2782_srv_and_rfc_6186_mail_services(net):
    """RFC 2782: SRV as a zone file writes it."""
    net.dns.add("_submission._tcp.example.org", "SRV", "0 1 587 smtp.example.org.")
    [service] = ask(net, "_submission._tcp.example.org", "SRV").answer[0]
    assert (service.port, str(service.target)) == (587, "smtp.example.org.")


def test_rfc_7505_null_mx(net):
    """RFC 7505 §3: a single MX with preference 0 and the root for a host."""
    net.domain("quiet.test").set_mx(None)
    assert str(ask(net, "quiet.test", "MX").answer[0][0]) == "0 ."
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:  # §4.1
        send(net.submission, "bob@quiet.test")
    assert refused.value.recipients["bob@quiet.test"][0] == 556
    assert net.journey(to="bob@quiet.test").reason == Reason.NULL_MX


def test_rfc_2034_enhanced_codes(net):
    """RFC 2034 §4: every 2yz, 4yz and 5yz reply but those to EHLO and the banner has one (RFC 3463)."""
    bob = net.account("bob@example.org")
    send(net.mx("example.org"), bob.address)
    for event in net.events():
        if event.stage in (Stage.SMTP_BANNER, Stage.SMTP_HELO) or not str(event.stage).startswith("smtp."):
            continue
        assert event.reply.code == 354 or event.reply.enhanced is not None, event


def test_rfc_9422_limits(net):
    """RFC 9422 §4.2: RCPTMAX is what the server really takes."""
    net.accounts("a@example.org", "b@example.org")
    mx = net.mx("example.org")
    mx.server.configure(max_recipients=1)
    with mx.smtplib() as client:
        assert client.esmtp_features["limits"] == "RCPTMAX=1"
        refused = client.sendmail("x@shop.test", ["a@example.org", "b@example.org"], samples.plain())
    assert refused["b@example.org"][0] == 452


def test_rfc_8314_implicit_tls(net):
    """RFC 8314 §3.3: TLS from the first octet, and no STARTTLS within it."""
    smtp = net.account("hello@shop.test").submissions
    with smtplib.SMTP_SSL(smtp.host, smtp.port, context=smtp.ssl_context) as client:
        client.ehlo()
        assert not client.has_extn("starttls")
        assert isinstance(client.sock, ssl.SSLSocket)


def test_rfc_6409_submission(net):
    """RFC 6409 §4.3: no mail without AUTH; §6.1: a sender of one's own; §8: missing fields are added."""
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    smtp = shop.submission
    with smtplib.SMTP(smtp.host, smtp.port) as client:
        client.starttls(context=smtp.ssl_context)
        client.ehlo()
        assert client.mail(shop.address)[0] == 530
    with smtp.smtplib() as client:
        assert client.mail("other@shop.test")[0] == 553
        client.rset()
        client.sendmail(shop.address, [bob.address], "Subject: Bare\n\nHello")
    mail = bob.inbox.wait_for_one()
    assert mail.message_id
    assert mail.date is not None


def test_rfc_3848_received_with(net):
    """RFC 3848: the protocol in Received tells of TLS and AUTH. RFC 5322 §3.6.7: trace fields in front."""
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    send(shop.submission, bob.address)
    last, first = bob.inbox.wait_for_one().headers.all("Received")
    assert " with ESMTPS " in " ".join(last.split())
    assert " with ESMTPSA " in " ".join(first.split())


def test_rfc_6066_server_name(net):
    """RFC 6066 §3: our servers tell whom they mean. RFC 7435: and take TLS where it is offered."""
    bob = net.account("bob@example.org")
    send(net.submission, bob.address)
    net.settle()
    handshake = net.events(Stage.TLS_HANDSHAKE, host="mx1.example.org").one()
    assert handshake.server_name == "mx1.example.org"


def test_rfc_5233_detail(net):
    """RFC 5233: what stands behind a plus sign is detail, and the mail is the account's."""
    bob = net.account("bob@example.org")
    send(net.mx("example.org"), "bob+news@example.org")
    assert str(bob.inbox.one().envelope.addresses[0]) == "bob+news@example.org"


def test_rfc_2045_mime_rfc_2047_words_rfc_2231_names(net):
    """RFC 2045, RFC 2047, RFC 2183 and RFC 2231: bodies, encoded words, file names beyond ASCII."""
    bob = net.account("bob@example.org")
    mail = bob.inbox.put(samples.with_attachment(subject="Rechnung", filename="Rechnung für Bob.pdf"))
    assert mail.attachments[0].filename == "Rechnung für Bob.pdf"
    assert bob.inbox.put(samples.eight_bit()).subject == "Crème brûlée"
    assert bob.inbox.put(samples.utf8()).sender == "grüße@müller.test"  # RFC 6532


def test_rfc_7208_and_rfc_7489_policies_are_published(net):
    """RFC 7208 §3: one SPF record at the domain. RFC 7489 §6.1: one DMARC record below _dmarc."""
    net.domain("example.org")
    [spf] = ask(net, "example.org", "TXT").answer[0]
    [dmarc] = ask(net, "_dmarc.example.org", "TXT").answer[0]
    assert spf.to_text().startswith('"v=spf1 ')
    assert dmarc.to_text().startswith('"v=DMARC1;')


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_rfc_5802_and_rfc_7677_scram(net, mechanism):
    """RFC 5802 §5 and RFC 7677 §3: the first messages of SCRAM, base64 as RFC 4954 §4 wants it."""
    smtp = net.account("hello@shop.test").submissions
    smtp.server.configure(auth_mechanisms="all")
    first = base64.b64encode(b"n,,n=hello@shop.test,r=rOprNGfwEbeRWgbNEkqO").decode()
    with smtplib.SMTP_SSL(smtp.host, smtp.port, context=smtp.ssl_context) as client:
        client.ehlo()
        code, challenge = client.docmd("AUTH", f"{mechanism} {first}")
        client.docmd("*")
    nonce, salt, rounds = base64.b64decode(challenge).decode().split(",")
    assert code == 334
    assert nonce.startswith("r=rOprNGfwEbeRWgbNEkqO")
    assert salt.startswith("s=")
    assert int(rounds.removeprefix("i=")) >= 4096


def test_rfc_2342_namespace_and_rfc_3348_children(net):
    """RFC 2342 §5: one personal namespace. RFC 3348 §3: whether a mailbox has children, whatever LIST asks for."""
    bob = net.account("bob@example.org")
    bob.folder("Work/2030").put(samples.plain())
    with bob.imaps.imaplib() as client:
        assert client.namespace() == ("OK", [b'(("" "/")) NIL NIL'])
        assert b"\\HasChildren" in client.list('""', "Work%")[1][0]
        assert b"\\HasNoChildren" in client.list('""', "Work/%")[1][0]


def test_rfc_3691_unselect(net):
    """RFC 3691 §2: what is marked as deleted stays, unlike with CLOSE."""
    bob = net.account("bob@example.org")
    bob.inbox.put(samples.plain())
    with bob.imaps.imaplib() as client:
        client.select()
        client.store("1", "+FLAGS", r"\Deleted")
        client.unselect()
        assert len(bob.inbox) == 1
        client.select()
        client.close()
        assert bob.inbox.is_empty


def test_rfc_6851_move_and_rfc_8474_object_ids(net):
    """RFC 6851 §3.1: COPYUID, then EXPUNGE, all or nothing. RFC 8474 §5.1: a moved message keeps its EMAILID."""
    bob = net.account("bob@example.org")
    bob.inbox.put(samples.plain())
    with bob.imaps.imaplib() as client:
        client.select()
        before = client.fetch("1", "(EMAILID)")[1]
        client._simple_command("MOVE", "1", "Archive")
        assert client.untagged_responses["COPYUID"][0].endswith(b" 1 1")
        assert client.response("EXPUNGE") == ("EXPUNGE", [b"1"])
        client.select("Archive")
        assert client.fetch("1", "(EMAILID)")[1] == before
        with pytest.raises(imaplib.IMAP4.error, match="FETCH"):
            client.fetch("2", "(EMAILID)")
