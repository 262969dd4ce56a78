"""Zone transfers (AXFR, RFC 5936) with dnspython, and answers of signed zones that are made once."""

from __future__ import annotations

import dns.dnssec
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.xfr
import dns.zone
import pytest

from fakemail import DeclarationError, MailNet, UnknownNameError
from fakemail.dns import rdata
from fakemail.dns.responder import respond


@pytest.fixture
def net():
    with MailNet() as mailnet:
        mailnet.account("bob@example.org")
        yield mailnet


def transfer(net, zone="example.org", rdtype="AXFR"):
    return dns.zone.from_xfr(
        dns.query.xfr(
            net.dns.host, zone, rdtype=rdtype, port=net.dns.port, lifetime=10, serial=1, relativize=False
        ),
        relativize=False,
    )


def test_nobody_may_by_default(net):
    with pytest.raises(dns.xfr.TransferError, match="REFUSED"):
        transfer(net)


@pytest.mark.parametrize("client", ["app", "*", "203.0.113.0/24", "APP"])
def test_those_who_are_allowed_have_all_of_it(net, client):
    net.dns.allow_transfer("example.org", client)
    found = transfer(net)
    names = {name.to_text().rstrip(".") for name in found.nodes}
    assert names == set(net._portal.simulation.zones.names("example.org"))
    assert found.get_rdataset("example.org.", "MX").to_text() == "300 IN MX 10 mx1.example.org."
    asked = net.dns.queries(name="example.org", type="AXFR").one()
    assert (asked.answer, asked.transport) == ("NOERROR", "tcp")


@pytest.mark.parametrize("client", ["mx1.example.org", "192.0.2.0/24", "elsewhere.test"])
def test_others_may_not(net, client):
    net.dns.allow_transfer("example.org", client)
    with pytest.raises(dns.xfr.TransferError, match="REFUSED"):
        transfer(net)


def test_it_ends(net):
    net.dns.allow_transfer("example.org", "*")
    assert transfer(net)
    net.dns.allow_transfer("example.org")
    with pytest.raises(dns.xfr.TransferError, match="REFUSED"):
        transfer(net)
    with pytest.raises(UnknownNameError, match=r"there is no zone nowhere\.test"):
        net.dns.allow_transfer("nowhere.test", "*")


def test_a_large_zone_goes_in_several_messages(net):
    net.dns.allow_transfer("example.org", "*")
    for number in range(1500):
        net.dns.add(f"host{number}.example.org", "TXT", "x" * 50)
    assert len(transfer(net).nodes) > 1500
    messages = list(dns.query.xfr(net.dns.host, "example.org", port=net.dns.port))
    assert len(messages) > 5
    assert all(len(message.to_wire()) <= 65535 for message in messages)
    assert messages[0].answer[0].rdtype == messages[-1].answer[-1].rdtype == dns.rdatatype.SOA
    assert messages[0].question[0].rdtype == dns.rdatatype.AXFR


def test_what_is_changed_is_there_at_once(net):
    net.dns.allow_transfer("example.org", "*")
    net.dns.add("new.example.org", "A", "192.0.2.1")
    assert transfer(net).get_rdataset("new.example.org.", "A") is not None
    net.dns.remove("new.example.org")
    assert transfer(net).get_rdataset("new.example.org.", "A") is None


def test_only_whole_zones_over_tcp(net):
    net.dns.allow_transfer("example.org", "*")
    with pytest.raises(dns.xfr.TransferError, match="REFUSED"):
        transfer(net, "mx1.example.org")
    query = dns.message.make_query("example.org", "AXFR")
    answer = dns.query.udp(query, net.dns.host, port=net.dns.port, timeout=5)
    assert answer.rcode() == dns.rcode.REFUSED
    other = dns.message.make_query("example.org", "MX")
    assert dns.query.tcp(other, net.dns.host, port=net.dns.port, timeout=5).answer


def test_ixfr_gets_all_of_it(net):
    """RFC 1995 §4: a server without history answers with the whole zone."""
    net.dns.allow_transfer("example.org", "*")
    query = dns.message.make_query("example.org", "IXFR")
    answer = dns.query.tcp(query, net.dns.host, port=net.dns.port, timeout=5)
    assert answer.answer[0].rdtype == dns.rdatatype.SOA
    assert any(each.rdtype == dns.rdatatype.MX for each in answer.answer)


def test_a_signed_zone_comes_with_its_signatures(net):
    """RFC 4035 §3.1.5: with NSEC and RRSIG records that hold."""
    net.domain("example.org").enable_dnssec()
    net.dns.allow_transfer("example.org", "*")
    zone = transfer(net)
    keys = {dns.name.from_text("example.org."): zone.get_rdataset("example.org.", "DNSKEY")}
    checked = 0
    for name, node in zone.nodes.items():
        assert node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.NSEC) is not None
        for rdataset in node:
            if rdataset.rdtype == dns.rdatatype.RRSIG:
                continue
            signature = node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.RRSIG, rdataset.rdtype)
            dns.dnssec.validate_rrsig((name, rdataset), signature[0], keys, now=signature[0].inception + 1)
            checked += 1
    assert checked > 10


def test_a_file_says_who(tmp_path):
    text = """
[domains."example.org"]
accounts = ["bob"]

[zones."example.org"]
allow_transfer = ["app"]

[zones."other.test"]
dnssec = true
allow_transfer = ["192.0.2.0/24"]
"""
    with MailNet(config=text) as net:
        assert transfer(net).get_rdataset("example.org.", "MX") is not None
        with pytest.raises(dns.xfr.TransferError, match="REFUSED"):
            transfer(net, "other.test")
        written = net.to_toml()
    with MailNet(config=written) as net:
        assert transfer(net)
        assert net.to_toml() == written
    with pytest.raises(DeclarationError, match="allow_transfer"):
        MailNet(config='[zones."a.test"]\nallow_transfer = 5\n')


def test_absence_is_signed_once(net, monkeypatch):
    """However many names are not there: what is said of them is the same few records, read and signed once."""
    net.domain("example.org").enable_dnssec()
    zones = net._portal.simulation.zones

    def ask(name):
        query = dns.message.make_query(name, "A", want_dnssec=True).to_wire()
        return dns.message.from_wire(respond(zones, query, transport="udp").wire)

    for number in range(50):
        assert ask(f"x{number}.example.org").rcode() == dns.rcode.NXDOMAIN
    calls = []
    real = rdata._through_dnspython
    monkeypatch.setattr(rdata, "_through_dnspython", lambda *given: calls.append(given) or real(*given))
    for number in range(50):
        answer = ask(f"x{number}.example.org")
        assert any(each.rdtype == dns.rdatatype.NSEC for each in answer.authority)
    assert calls == []
    net.dns.add("x7.example.org", "A", "192.0.2.1")
    assert ask("x7.example.org").rcode() == dns.rcode.NOERROR
    assert ask("x8.example.org").rcode() == dns.rcode.NXDOMAIN
    assert calls
